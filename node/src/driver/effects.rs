//! Effects other than log entries: each is a task of its own, and its result is the outcome.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crypto::envelope::Envelope;
use crypto::keys::SigningKey;
use protocol::io::{Effect, EffectId, KeyRole, Outcome};
use serde_json::json;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::log::LogHandle;
use super::ports::{DeskPort, OwnerPort, Undone};
use crate::control::timeline::Timeline;
use crate::mesh::{MeshHandle, PublishError, Topic};

/// Between two tries to publish an advert while nobody is connected who takes it.
const PUBLISH_PAUSE: Duration = Duration::from_secs(1);

/// Tries for one advert: until the next heartbeat brings a newer one.
const PUBLISH_TRIES: u64 = protocol::limits::ADVERT_HEARTBEAT.as_secs();

/// The keys that sign documents. No Debug.
pub struct Signer {
    /// Grants.
    pub hospital: Option<SigningKey>,
    /// Adverts, receipts and reports.
    pub person: Option<SigningKey>,
}

impl Signer {
    fn sign(&self, role: KeyRole, kind: &str, payload: Vec<u8>) -> Result<Vec<u8>, Undone> {
        let key = match role {
            KeyRole::Hospital => self.hospital.as_ref(),
            KeyRole::Person => self.person.as_ref(),
        };
        let key = key.ok_or_else(|| Undone("this node does not hold that key".to_owned()))?;
        let envelope = Envelope::sign(kind, payload, &[key]).map_err(Undone::of)?;
        Ok(envelope.encode())
    }
}

/// Effects under way. The core has at most one of a kind for each case or lease, and those are
/// bounded; so are the tasks.
pub(super) struct Effects {
    log: LogHandle,
    signer: Arc<Signer>,
    mesh: MeshHandle,
    owner: Option<Arc<dyn OwnerPort>>,
    desk: Option<Arc<dyn DeskPort>>,
    timeline: Timeline,
    tasks: JoinSet<Result<Outcome, (EffectId, Undone)>>,
    /// The advert that is going out.
    publishing: Option<AbortHandle>,
    /// Which effect a task is, for one that panicked: no effect may stay without its outcome.
    running: BTreeMap<Id, EffectId>,
}

/// The owner's and the reader's side, where the node has the role.
pub(super) type Ports = (Option<Arc<dyn OwnerPort>>, Option<Arc<dyn DeskPort>>);

type Done = Result<Outcome, (EffectId, Undone)>;

impl Effects {
    pub(super) fn new(
        log: LogHandle,
        signer: Signer,
        mesh: MeshHandle,
        (owner, desk): Ports,
        timeline: Timeline,
    ) -> Self {
        let (signer, tasks) = (Arc::new(signer), JoinSet::new());
        let running = BTreeMap::new();
        Self {
            log,
            signer,
            mesh,
            owner,
            desk,
            timeline,
            tasks,
            publishing: None,
            running,
        }
    }

    /// The next outcome; `None` when nothing is under way.
    pub(super) async fn finished(&mut self) -> Option<Outcome> {
        let finished = self.tasks.join_next_with_id().await?;
        Some(match finished {
            Ok((task, done)) => {
                self.running.remove(&task);
                done.unwrap_or_else(|(id, undone)| failed(id, undone))
            }
            Err(error) => self.lost(&error),
        })
    }

    fn lost(&mut self, error: &JoinError) -> Outcome {
        tracing::error!(%error, "an effect broke off");
        let id = self
            .running
            .remove(&error.id())
            .unwrap_or(EffectId(u64::MAX));
        failed(id, Undone("it broke off".to_owned()))
    }

    /// Begins one effect; `Append` is the driver's own.
    pub(super) fn begin(&mut self, effect: Effect) {
        match effect {
            Effect::Append { .. } => {
                debug_assert!(false, "entries go to the log writer");
            }
            Effect::Prove {
                id,
                index,
                witnessed,
            } => {
                let log = self.log.clone();
                self.blocking(id, move || {
                    let (entry, proof) = log.prove(index, witnessed).map_err(Undone::of)?;
                    Ok(Outcome::Proved {
                        id,
                        index,
                        entry,
                        proof,
                    })
                });
            }
            Effect::Sign {
                id,
                key,
                payload_type,
                payload,
            } => {
                let signer = Arc::clone(&self.signer);
                self.blocking(id, move || {
                    let envelope = signer.sign(key, payload_type, payload)?;
                    Ok(Outcome::Signed { id, envelope })
                });
            }
            owner @ (Effect::DescribeStudy { .. }
            | Effect::PrepareRelease { .. }
            | Effect::Deliver { .. }) => self.begin_owner(owner),
            desk @ (Effect::Fetch { .. } | Effect::Purge { .. }) => self.begin_desk(desk),
            Effect::PublishAdvert { advert } => self.publish(advert),
            Effect::DropRelease { manifest } => {
                if let Some(owner) = self.owner.clone() {
                    tokio::task::spawn_blocking(move || owner.drop_release(manifest));
                }
            }
            Effect::Page { case, reason } => {
                tracing::warn!(%case, reason, "PAGE: this case needs a person");
                let detail = json!({ "case": case.to_string(), "reason": reason });
                self.timeline.note("page", 0, detail);
            }
        }
    }

    fn begin_owner(&mut self, effect: Effect) {
        let owner = self.owner.clone();
        let none = || Undone("this node is no hospital".to_owned());
        match effect {
            Effect::DescribeStudy { id, study } => self.blocking(id, move || {
                let description = owner.ok_or_else(none)?.describe(study)?;
                Ok(Outcome::Described {
                    id,
                    description: Box::new(description),
                })
            }),
            Effect::PrepareRelease {
                id,
                studies,
                modalities,
                offer,
                prekey,
            } => {
                let timeline = self.timeline.clone();
                self.blocking(id, move || {
                    let prepared =
                        owner
                            .ok_or_else(none)?
                            .prepare(&studies, &modalities, offer, prekey)?;
                    let detail = json!({ "objects": prepared.objects });
                    timeline.note("prepared", prepared.bytes, detail);
                    Ok(Outcome::Prepared { id, prepared })
                });
            }
            Effect::Deliver { id, delivery } => self.task(id, async move {
                let delivered = match owner {
                    Some(owner) => owner.deliver(*delivery).await,
                    None => Err(none()),
                };
                let super::ports::Delivered {
                    destination,
                    acknowledged,
                } = delivered.map_err(|undone| (id, undone))?;
                Ok(Outcome::Delivered {
                    id,
                    destination,
                    acknowledged,
                })
            }),
            Effect::Append { .. }
            | Effect::Prove { .. }
            | Effect::Sign { .. }
            | Effect::PublishAdvert { .. }
            | Effect::Fetch { .. }
            | Effect::Purge { .. }
            | Effect::DropRelease { .. }
            | Effect::Page { .. } => {}
        }
    }

    fn begin_desk(&mut self, effect: Effect) {
        let desk = self.desk.clone();
        match effect {
            Effect::Fetch {
                fence,
                owner,
                grant,
                session,
            } => {
                let detail = json!({ "fence": fence.0, "owner": owner.to_string() });
                self.timeline.note("fetch", 0, detail);
                if let Some(desk) = desk {
                    desk.fetch(fence, owner, grant, session);
                }
            }
            Effect::Purge { id, fence, owner } => {
                let timeline = self.timeline.clone();
                self.task(id, async move {
                    let purged = match desk {
                        Some(desk) => desk.purge(fence, owner).await,
                        None => super::ports::Purged::default(),
                    };
                    let detail = json!({ "fence": fence.0, "objects": purged.objects });
                    timeline.note("purged", purged.bytes, detail);
                    Ok(Outcome::Purged {
                        id,
                        bytes: purged.bytes,
                        objects: purged.objects,
                    })
                });
            }
            Effect::Append { .. }
            | Effect::Prove { .. }
            | Effect::Sign { .. }
            | Effect::DescribeStudy { .. }
            | Effect::PrepareRelease { .. }
            | Effect::Deliver { .. }
            | Effect::PublishAdvert { .. }
            | Effect::DropRelease { .. }
            | Effect::Page { .. } => {}
        }
    }

    /// Adverts have no outcome: a lost one is repeated at the next heartbeat.
    fn publish(&mut self, advert: Vec<u8>) {
        let (mesh, timeline) = (self.mesh.clone(), self.timeline.clone());
        let publishing = tokio::spawn(async move {
            let length = advert.len() as u64;
            for _ in 0..PUBLISH_TRIES {
                match mesh.publish(Topic::Adverts, advert.clone()).await {
                    Ok(()) | Err(PublishError::Duplicate) => {
                        timeline.note("advert", length, serde_json::Value::Null);
                        return;
                    }
                    Err(PublishError::NoPeers | PublishError::Overloaded) => {
                        tokio::time::sleep(PUBLISH_PAUSE).await;
                    }
                    Err(error @ (PublishError::TooLong(_) | PublishError::MeshStopped)) => {
                        tracing::info!(%error, "the advert did not go out");
                        return;
                    }
                }
            }
            tracing::info!("the advert did not go out: nobody takes it");
        });
        // A newer advert takes the older one's place.
        if let Some(older) = self.publishing.replace(publishing.abort_handle()) {
            older.abort();
        }
    }

    fn blocking(
        &mut self,
        id: EffectId,
        work: impl FnOnce() -> Result<Outcome, Undone> + Send + 'static,
    ) {
        let task = self
            .tasks
            .spawn_blocking(move || work().map_err(|undone| (id, undone)));
        self.running.insert(task.id(), id);
    }

    fn task(&mut self, id: EffectId, work: impl Future<Output = Done> + Send + 'static) {
        let task = self.tasks.spawn(work);
        self.running.insert(task.id(), id);
    }
}

fn failed(id: EffectId, undone: Undone) -> Outcome {
    tracing::warn!(effect = id.0, reason = undone.0, "an effect failed");
    Outcome::Failed {
        id,
        reason: undone.0,
    }
}
