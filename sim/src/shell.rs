//! What a node's shell does with a core's output: send, append, sign, prove, describe, deliver.

use crypto::digest::Digest;
use crypto::envelope::Envelope;
use protocol::audit::entry::{Entry, Field, Openings};
use protocol::audit::header::Kind;
use protocol::audit::record::Record;
use protocol::ids::{CaseId, OfferId};
use protocol::io::{Command, Effect, EffectId, KeyRole, Outcome, Transmit};

use crate::checks::Broken;
use crate::consortium::{Consortium, EPOCH_S, HOSPITALS, READERS};
use crate::disk::{LogKeys, Stored};
use crate::faults::happens;
use crate::host::Host;
use crate::run::{Happening, Run, leaving};
use crate::world;

impl Run {
    /// Takes everything that a core has to say.
    pub(crate) fn shell(&mut self, to: usize) -> Result<(), Broken> {
        while let Some(effect) = self.hosts[to].core.as_mut().and_then(|c| c.poll_effect()) {
            self.effect(to, effect);
        }
        while let Some(transmit) = self.hosts[to].core.as_mut().and_then(|c| c.poll_transmit()) {
            leaving(&self.hosts[to], &transmit.message)?;
            self.transmit(to, &transmit);
        }
        while self.hosts[to]
            .core
            .as_mut()
            .and_then(|c| c.poll_event())
            .is_some()
        {}
        self.plan_wake(to);
        Ok(())
    }

    /// Plans the core's timer.
    fn plan_wake(&mut self, to: usize) {
        let host = &self.hosts[to];
        let Some((tick, _)) = host.core.as_ref().and_then(|core| core.poll_timeout()) else {
            return;
        };
        let at = tick.0.max(self.at_us + 1);
        if host.wake_at.is_none_or(|planned| at < planned) {
            let life = host.life;
            self.hosts[to].wake_at = Some(at);
            self.after(at - self.at_us, Happening::Wake { to, life });
        }
    }

    /// Sends a message through the bad network.
    fn transmit(&mut self, from: usize, transmit: &Transmit) {
        let bytes = transmit.message.to_bytes();
        self.messages += 1;
        if matches!(transmit.message, protocol::wire::Message::Grant(_)) {
            self.grants += 1;
        }
        self.note(transmit.message.name(), from, &bytes);
        let Some(to) = self.consortium.number_of(transmit.to) else {
            return;
        };
        let node = self.consortium.hosts[from].node;
        let copies = 1 + u32::from(happens(&mut self.rng, self.faults.duplicate));
        for _ in 0..copies {
            if !happens(&mut self.rng, self.faults.loss) {
                let delay = 1 + self.below(self.faults.delay_us);
                let bytes = bytes.clone();
                self.after(
                    delay,
                    Happening::Message {
                        from: node,
                        to,
                        bytes,
                    },
                );
            }
        }
    }

    /// Runs one effect.
    fn effect(&mut self, to: usize, effect: Effect) {
        let life = self.hosts[to].life;
        let outcome = match effect {
            Effect::Append { index, draft } => return self.append(to, index, &draft),
            Effect::Prove {
                id,
                index,
                witnessed,
            } => {
                let asked = (id, index, witnessed);
                let now_s = EPOCH_S + self.at_us / 1_000_000;
                prove(&self.consortium, &self.hosts[to], asked, now_s)
            }
            Effect::Sign {
                id,
                key,
                payload_type,
                payload,
            } => {
                let host = &self.consortium.hosts[to];
                let key = match key {
                    KeyRole::Hospital => &host.hospital,
                    KeyRole::Person => &host.person,
                };
                let envelope = Envelope::sign(payload_type, payload, &[key]);
                let envelope = envelope.expect("a payload of legal size").encode();
                Outcome::Signed { id, envelope }
            }
            Effect::DescribeStudy { id, study } => Outcome::Described {
                id,
                description: Box::new(world::describe(study)),
            },
            Effect::PrepareRelease { id, .. } => Outcome::Prepared {
                id,
                prepared: world::prepared(&mut self.rng),
            },
            Effect::Deliver { id, .. } if happens(&mut self.rng, self.faults.delivery_fails) => {
                Outcome::Failed {
                    id,
                    reason: "the PACS is down".to_owned(),
                }
            }
            Effect::Deliver { id, .. } => Outcome::Delivered {
                id,
                destination: "PACS".to_owned(),
                acknowledged: true,
            },
            Effect::PublishAdvert { advert } => return self.publish(to, &advert),
            Effect::Fetch { fence, owner, .. } => {
                let delay = 30_000_000 + self.below(600_000_000);
                return self.after(
                    delay,
                    Happening::Report {
                        to,
                        life,
                        owner,
                        fence,
                    },
                );
            }
            Effect::Purge { id, .. } => Outcome::Purged {
                id,
                bytes: 63_000_000,
                objects: 120,
            },
            Effect::DropRelease { .. } | Effect::Page { .. } => return,
        };
        let delay = 1 + self.below(20_000);
        self.after(delay, Happening::Outcome { to, life, outcome });
    }

    /// Puts an entry on its way to the disk, in order.
    fn append(&mut self, to: usize, index: u64, draft: &protocol::audit::entry::EntryDraft) {
        let payload = draft.payload().to_vec();
        let entry = draft
            .finish(Digest::sha256(&payload))
            .expect("an entry of legal size");
        self.learn_case(&entry, &payload);
        let subject = draft.subject;
        let took = 1 + self.below(self.faults.disk_us);
        let host = &mut self.hosts[to];
        host.disk_busy_until = host.disk_busy_until.max(self.at_us) + took;
        let (delay, life) = (host.disk_busy_until - self.at_us, host.life);
        let stored = Stored {
            entry,
            payload,
            subject,
        };
        self.after(
            delay,
            Happening::Durable {
                to,
                life,
                index,
                stored,
            },
        );
    }

    /// Notes which case an offer belongs to, for the checks.
    fn learn_case(&mut self, entry: &[u8], payload: &[u8]) {
        let entry = Entry::decode_bytes(entry).expect("a canonical entry");
        let openings = Openings::decode_bytes(payload).expect("a readable payload");
        debug_assert!(openings.value(Field::Record).is_some());
        if entry.header().kind != Kind::CaseOffered as i32 {
            return;
        }
        if let Ok(Record::CaseOffered(ring)) = Record::decode(entry.header().kind, &openings) {
            let Some(case) = CaseId::from_slice(&ring.case) else {
                return;
            };
            for to in &ring.offers {
                if let Some(offer) = OfferId::from_slice(&to.offer) {
                    self.case_of.insert(offer, case);
                }
            }
        }
    }

    /// Gossips an advert to every other host.
    fn publish(&mut self, from: usize, advert: &[u8]) {
        let node = self.consortium.hosts[from].node;
        for to in (0..HOSPITALS + READERS).filter(|to| *to != from) {
            if !happens(&mut self.rng, self.faults.loss) {
                let delay = 1 + self.below(self.faults.delay_us);
                let bytes = advert.to_vec();
                self.after(
                    delay,
                    Happening::Advert {
                        from: node,
                        to,
                        bytes,
                    },
                );
            }
        }
    }

    /// A reader opens a desk session and goes on duty.
    pub(crate) fn go_on_duty(&mut self, to: usize) {
        let now = self.hosts[to].now(self.at_us);
        let session = self.consortium.hosts[to].session(now.wall);
        if let Some(core) = &mut self.hosts[to].core {
            let command = Command::Advertise { session, slots: 2 };
            core.handle_command(command, now).expect("a valid session");
        }
    }
}

/// Entry and proof of an index of a host's log.
pub(crate) fn prove(
    consortium: &Consortium,
    host: &Host,
    (id, index, witnessed): (EffectId, u64, bool),
    now_s: u64,
) -> Outcome {
    let Consortium { hosts, witness, .. } = consortium;
    let keys = LogKeys {
        log: (&hosts[host.number].origin, &hosts[host.number].log),
        witness: (&witness.0, &witness.1),
    };
    let entry = usize::try_from(index)
        .ok()
        .and_then(|at| host.disk.entries.get(at));
    match (entry, host.disk.prove(index, witnessed, &keys, now_s)) {
        (Some(stored), Some(proof)) => Outcome::Proved {
            id,
            index,
            entry: stored.entry.clone(),
            proof,
        },
        _ => Outcome::Failed {
            id,
            reason: "no such entry".to_owned(),
        },
    }
}
