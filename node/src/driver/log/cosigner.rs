//! Asks the witnesses for cosignatures of the newest checkpoint, until the quorum is met.

use std::collections::BTreeMap;
use std::time::Duration;

use crypto::log::checkpoint::SignedCheckpoint;
use crypto::log::quorum::Quorum;
use crypto::log::witness::AddCheckpoint;
use crypto::note::KeyName;
use protocol::audit::rate;
use protocol::audit::restore::{Standing, Word, weigh};
use protocol::audit::witness::{self, AnswerError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::gate::Gatekeeper;
use super::reach::{Asker, Witness};
use crate::journal::{JournalError, JournalReader, Published};

/// An idle log is cosigned again after this: it bounds how far back an entry could be dated.
const IDLE: Duration = Duration::from_secs(60);

/// Before the next round when the quorum was not met.
const RETRY: Duration = Duration::from_millis(500);

/// From one round's start to the next: a witness cosigns no more often for one log.
const PACE: Duration = Duration::from_millis(1_000 / rate::PER_SECOND);

/// One round's bound; a slow witness is asked again in the next.
const ROUND: Duration = Duration::from_secs(10);

/// Between two attempts to hear the witnesses at a start.
const HEAR_AGAIN: Duration = Duration::from_millis(200);

/// Runs the rounds.
pub struct Cosigner {
    reader: JournalReader,
    durable: watch::Receiver<u64>,
    witnessed: watch::Sender<u64>,
    /// The size each witness is known to hold.
    held: BTreeMap<KeyName, u64>,
    /// What each last said of this log against what it holds.
    words: BTreeMap<KeyName, Word>,
    gate: Gatekeeper,
}

/// What one witness said.
struct Said {
    witness: Witness,
    status: u16,
    body: Vec<u8>,
}

impl Cosigner {
    pub(super) fn new(
        reader: JournalReader,
        durable: watch::Receiver<u64>,
        (witnessed, gate): (watch::Sender<u64>, Gatekeeper),
    ) -> Self {
        Self {
            reader,
            durable,
            witnessed,
            held: BTreeMap::new(),
            words: BTreeMap::new(),
            gate,
        }
    }

    /// Lets entries be appended to a log that no witness watches.
    pub fn unwatched(&self) {
        self.gate.open();
    }

    /// Hears the witnesses before the first entry is appended, for at most `wait`; then cosigns
    /// until `stop`. A hospital whose witnesses are all out reads on: what it releases then is for
    /// the policy to say.
    pub async fn run(
        mut self,
        quorum: Quorum,
        witnesses: Vec<Witness>,
        (asker, wait): (Asker, Duration),
        stop: CancellationToken,
    ) {
        let heard = self.hear(&quorum, &witnesses, &asker);
        let heard = tokio::select! {
            () = stop.cancelled() => return,
            heard = tokio::time::timeout(wait, heard) => heard.is_ok(),
        };
        if !heard && self.is_newest(&quorum) {
            tracing::warn!(
                "no quorum of witnesses was heard: whether this is the newest copy of the log is \
                 not known; it is asked again with each checkpoint"
            );
        }
        loop {
            if self.words.values().any(|word| word.accuses()) {
                let shown = self.hear_all(&quorum, &witnesses, &asker);
                tokio::select! {
                    () = stop.cancelled() => return,
                    // What was shown until then is kept.
                    _ = tokio::time::timeout(ROUND, shown) => {}
                }
            }
            if !self.is_newest(&quorum) {
                // The driver ends for it.
                stop.cancelled().await;
                return;
            }
            self.gate.open();
            let begun = tokio::time::Instant::now();
            let is_empty = *self.durable.borrow_and_update() == 0;
            let met = is_empty || {
                let newest = SignedCheckpoint::clone(&self.reader.checkpoint());
                let round = self.round(newest, &quorum, &witnesses, &asker);
                tokio::select! {
                    () = stop.cancelled() => return,
                    met = tokio::time::timeout(ROUND, round) => met.unwrap_or(false),
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(begun + PACE) => {}
            }
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

    /// Asks until a quorum agrees that this is the newest copy, or it is known to be an old one.
    async fn hear(&mut self, quorum: &Quorum, witnesses: &[Witness], asker: &Asker) {
        loop {
            let signed = SignedCheckpoint::clone(&self.reader.checkpoint());
            self.hear_all(quorum, witnesses, asker).await;
            if signed.head().size > 0 && self.standing(quorum) == Standing::Unknown {
                self.round(signed, quorum, witnesses, asker).await;
            }
            if self.standing(quorum) != Standing::Unknown {
                return;
            }
            tokio::time::sleep(HEAR_AGAIN).await;
        }
    }

    /// Has those witnesses that have not agreed show what they hold of this log, until it is known
    /// how that log stands.
    async fn hear_all(&mut self, quorum: &Quorum, witnesses: &[Witness], asker: &Asker) {
        let mut asking = JoinSet::new();
        for witness in witnesses {
            let name = witness.key.name();
            if self.words.get(name) == Some(&Word::Agrees) {
                continue;
            }
            let (witness, asker, reader) = (witness.clone(), asker.clone(), self.reader.clone());
            asking.spawn(async move {
                let shown = asker.held(&witness, reader.verifier().name()).await;
                let (status, body) = shown.ok()?;
                let word = tokio::task::spawn_blocking(move || word(&reader, status, &body));
                Some((witness.key.name().clone(), word.await.ok()??))
            });
        }
        while let Some(answer) = asking.join_next().await {
            if let Ok(Some((name, word))) = answer {
                self.words.insert(name, word);
            }
            // One that does not answer holds up nothing that the others settle.
            if self.standing(quorum) != Standing::Unknown {
                return;
            }
        }
    }

    fn standing(&self, quorum: &Quorum) -> Standing {
        weigh(self.reader.checkpoint().head(), quorum, &self.words)
    }

    /// False when this is known to be an old copy; nothing is appended from then on.
    fn is_newest(&self, quorum: &Quorum) -> bool {
        match self.standing(quorum) {
            Standing::Newest | Standing::Unknown => true,
            Standing::Old(why) => {
                tracing::error!(%why, "the log is not appended to");
                self.gate.refuse(why);
                false
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
                    let name = said.witness.key.name();
                    self.held.insert(name.clone(), size);
                    self.words.insert(name.clone(), Word::Agrees);
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
                Err(error) => {
                    let name = said.witness.key.name();
                    tracing::warn!(witness = %name, %error, size, "no cosignature");
                    if let Some(word) = Word::of(&error, signed.head()) {
                        self.words.insert(name.clone(), word);
                    }
                }
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

/// What a witness shows that it holds says of this log. Blocks.
fn word(reader: &JournalReader, status: u16, body: &[u8]) -> Option<Word> {
    let checkpoint = reader.checkpoint();
    let own = checkpoint.head();
    match status {
        200 => Word::shown(body, reader.verifier(), own, |size| reader.root(size).ok()),
        // It never heard of this log; or it is a stock witness, which tells at the first
        // `add-checkpoint`.
        404 if own.size == 0 => Some(Word::Agrees),
        _ => None,
    }
}
