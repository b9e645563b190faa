//! Asks the witnesses for cosignatures of the newest checkpoint, until the quorum is met.

use std::collections::BTreeMap;
use std::time::Duration;

use crypto::log::checkpoint::SignedCheckpoint;
use crypto::log::quorum::Quorum;
use crypto::log::witness::AddCheckpoint;
use crypto::note::KeyName;
use protocol::audit::witness::{self, AnswerError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::reach::{Asker, Witness};
use crate::journal::{JournalError, JournalReader, Published};

/// An idle log is cosigned again after this: it bounds how far back an entry could be dated.
const IDLE: Duration = Duration::from_secs(60);

/// Before the next round when the quorum was not met.
const RETRY: Duration = Duration::from_millis(500);

/// One round's bound; a slow witness is asked again in the next.
const ROUND: Duration = Duration::from_secs(10);

/// Runs the rounds.
pub struct Cosigner {
    reader: JournalReader,
    durable: watch::Receiver<u64>,
    witnessed: watch::Sender<u64>,
    /// The size each witness is known to hold.
    held: BTreeMap<KeyName, u64>,
}

/// What one witness said.
struct Said {
    witness: Witness,
    status: u16,
    body: Vec<u8>,
}

impl Cosigner {
    pub(super) const fn new(
        reader: JournalReader,
        durable: watch::Receiver<u64>,
        witnessed: watch::Sender<u64>,
    ) -> Self {
        Self {
            reader,
            durable,
            witnessed,
            held: BTreeMap::new(),
        }
    }

    /// Cosigns until `stop`.
    pub async fn run(
        mut self,
        quorum: Quorum,
        witnesses: Vec<Witness>,
        asker: Asker,
        stop: CancellationToken,
    ) {
        loop {
            let is_empty = *self.durable.borrow_and_update() == 0;
            let met = is_empty || {
                let newest = SignedCheckpoint::clone(&self.reader.checkpoint());
                let round = self.round(newest, &quorum, &witnesses, &asker);
                tokio::select! {
                    () = stop.cancelled() => return,
                    met = tokio::time::timeout(ROUND, round) => met.unwrap_or(false),
                }
            };
            let pause = if met { IDLE } else { RETRY };
            tokio::select! {
                () = stop.cancelled() => return,
                changed = self.durable.changed() => if changed.is_err() {
                    // The writer stopped. The driver ends for that, not for this end.
                    stop.cancelled().await;
                    return;
                },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One round over all witnesses; true when the quorum is met and that is kept durably.
    async fn round(
        &mut self,
        mut signed: SignedCheckpoint,
        quorum: &Quorum,
        witnesses: &[Witness],
        asker: &Asker,
    ) -> bool {
        if self.is_met(&signed, quorum) {
            return self.keep(signed).await;
        }
        let mut asking = JoinSet::new();
        for witness in witnesses {
            self.ask(&mut asking, witness.clone(), &signed, asker);
        }
        while let Some(answer) = asking.join_next().await {
            let Ok(Some(said)) = answer else { continue };
            let size = signed.head().size;
            match witness::take_answer(&mut signed, &said.witness.key, said.status, &said.body) {
                Ok(_) => {
                    self.held.insert(said.witness.key.name().clone(), size);
                    if self.is_met(&signed, quorum) {
                        return self.keep(signed).await;
                    }
                }
                Err(AnswerError::Holds(held)) if held <= size => {
                    let known = self.held.insert(said.witness.key.name().clone(), held);
                    if known != Some(held) {
                        self.ask(&mut asking, said.witness, &signed, asker);
                    }
                }
                // Nothing stops for one witness's word: if it is true, the quorum is never met, and
                // without a quorum no grant goes out.
                Err(AnswerError::Holds(held)) => tracing::error!(
                    witness = %said.witness.key.name(), held, size,
                    "a witness holds a larger tree of this log: an old copy was restored"
                ),
                Err(
                    error @ (AnswerError::Refused(_)
                    | AnswerError::TooLong
                    | AnswerError::Malformed
                    | AnswerError::Cosignature(_)),
                ) => tracing::warn!(
                    witness = %said.witness.key.name(), %error, "no cosignature"
                ),
            }
        }
        false
    }

    fn ask(
        &self,
        asking: &mut JoinSet<Option<Said>>,
        witness: Witness,
        signed: &SignedCheckpoint,
        asker: &Asker,
    ) {
        let held = self
            .held
            .get(witness.key.name())
            .copied()
            .unwrap_or(0)
            .min(signed.head().size);
        let (reader, signed, asker) = (self.reader.clone(), signed.clone(), asker.clone());
        asking.spawn(async move {
            let request = tokio::task::spawn_blocking(move || {
                let proof = reader.consistency_proof(held, signed.head().size)?;
                Ok::<_, JournalError>(
                    AddCheckpoint {
                        old: held,
                        proof,
                        checkpoint: signed,
                    }
                    .encode(),
                )
            });
            let request = match request.await.ok()? {
                Ok(request) => request,
                Err(error) => {
                    tracing::error!(%error, "no proof for a witness");
                    return None;
                }
            };
            match asker.ask(&witness, request).await {
                Ok((status, body)) => Some(Said {
                    witness,
                    status,
                    body,
                }),
                Err(error) => {
                    tracing::debug!(witness = %witness.key.name(), %error, "not reached");
                    None
                }
            }
        });
    }

    fn is_met(&self, signed: &SignedCheckpoint, quorum: &Quorum) -> bool {
        quorum
            .evaluate(signed, self.reader.verifier())
            .is_ok_and(|evaluation| evaluation.satisfied())
    }

    async fn keep(&self, signed: SignedCheckpoint) -> bool {
        let (reader, size) = (self.reader.clone(), signed.head().size);
        let kept = tokio::task::spawn_blocking(move || reader.publish_cosigned(signed)).await;
        match kept {
            Ok(Ok(Published::Stored | Published::Older)) => {
                self.witnessed.send_replace(size);
                true
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "a cosigned checkpoint cannot be kept");
                false
            }
            Err(error) => {
                tracing::error!(%error, "a cosigned checkpoint cannot be kept");
                false
            }
        }
    }
}
