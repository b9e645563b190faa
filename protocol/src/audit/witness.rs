//! The witness role and its client, without network or disk (c2sp.org/tlog-witness,
//! `add-checkpoint`).
//!
//! ```text
//! log                                  witness
//!   old size, proof, checkpoint ──>    admit: known? signed? consistent with the last one?
//!                                      store the new head, durably
//!                     <── cosignature  cosign
//! ```
//! [`admit`] gives an [`Admitted`] and no answer: the answer comes from [`Admitted::cosign`], to be
//! called once the head is durable. Reading the held head, admitting and storing must be one
//! critical section per origin.

use std::collections::BTreeMap;

use crypto::keys::SigningKey;
use crypto::log::checkpoint::{Checkpoint, SignedCheckpoint};
use crypto::log::cosign::{self, CosignError};
use crypto::log::merkle::{TreeHead, consistency_proof};
use crypto::log::reader::{ReadError, TileReader, TileTree};
use crypto::log::witness::{
    AddCheckpoint, Refusal, RequestError, conflict_body, decide, parse_conflict,
};
use crypto::note::{KeyName, Note, NoteError, VerifierKey};

use crate::member::Roster;
use crate::time::Wall;

pub use crypto::log::witness::MAX_REQUEST_LEN;

/// Content type of the answer with the size that the witness holds.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// Begins a request, over the mesh, for the checkpoint that a witness holds of a log; the log's
/// origin and a newline follow. Ours: c2sp.org/tlog-witness has none.
pub const GET_CHECKPOINT: &str = "get-checkpoint ";

/// The request for the checkpoint that a witness holds of the log `origin`.
#[must_use]
pub fn get_checkpoint(origin: &KeyName) -> Vec<u8> {
    format!("{GET_CHECKPOINT}{origin}\n").into_bytes()
}

/// The origin in such a request; `None` for any other bytes.
#[must_use]
pub fn parse_get_checkpoint(request: &[u8]) -> Option<KeyName> {
    let text = std::str::from_utf8(request).ok()?;
    let origin = text.strip_prefix(GET_CHECKPOINT)?.strip_suffix('\n')?;
    KeyName::new(origin).ok()
}

/// Longest answer that is read: a note's worth of cosignature lines.
pub const MAX_ANSWER_LEN: usize = crypto::note::MAX_NOTE_LEN;

/// The logs that a witness cosigns for, by origin. As many as the roster has members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownLogs(BTreeMap<KeyName, VerifierKey>);

impl KnownLogs {
    /// The logs of all members whose credential holds at `now`.
    #[must_use]
    pub fn of(roster: &Roster, now: Wall) -> Self {
        let mut known = Self::default();
        for member in roster.members() {
            if member.credential.is_valid_at(now)
                && let Ok(Some(key)) = member.credential.log_key()
            {
                known.insert(key);
            }
        }
        known
    }

    /// Adds a log, or changes its key.
    pub fn insert(&mut self, key: VerifierKey) {
        self.0.insert(key.name().clone(), key);
    }

    /// The key of the log with this origin.
    #[must_use]
    pub fn key(&self, origin: &KeyName) -> Option<&VerifierKey> {
        self.0.get(origin)
    }
}

/// What goes back to the log, as HTTP sees it. Over the mesh the same three travel in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Content type, where the specification names one.
    pub content_type: Option<&'static str>,
    /// Body; at most [`MAX_ANSWER_LEN`] bytes.
    pub body: Vec<u8>,
}

/// A request that is not cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: RefusedReason,
    /// The log itself signed two trees of which neither extends the other: a person must look at
    /// it.
    pub alarm: bool,
}

/// Why a request is not cosigned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedReason {
    /// It cannot be read.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It can be read, and must not be cosigned.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl Refused {
    /// The answer to give. It may be given at once: a refusal changes nothing.
    #[must_use]
    pub fn answer(&self) -> Answer {
        match &self.reason {
            RefusedReason::Request(error) => text_answer(400, error),
            RefusedReason::Refusal(refusal @ Refusal::Conflict { held }) => Answer {
                status: refusal.status(),
                content_type: Some(SIZE_TYPE),
                body: conflict_body(*held).into_bytes(),
            },
            RefusedReason::Refusal(
                refusal @ (Refusal::UnknownOrigin
                | Refusal::Signature(_)
                | Refusal::OldSize { .. }
                | Refusal::Inconsistent(_)),
            ) => text_answer(refusal.status(), refusal),
        }
    }
}

fn text_answer(status: u16, reason: &impl ToString) -> Answer {
    let body = format!("{}\n", reason.to_string()).into_bytes();
    Answer {
        status,
        content_type: Some("text/plain; charset=utf-8"),
        body,
    }
}

/// A checkpoint that may be cosigned once its head is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Admitted {
    checkpoint: Checkpoint,
    signed: Vec<u8>,
}

impl Admitted {
    /// The log that the head belongs to.
    #[must_use]
    pub const fn origin(&self) -> &KeyName {
        &self.checkpoint.origin
    }

    /// What to store durably before [`Admitted::cosign`].
    #[must_use]
    pub const fn persist(&self) -> TreeHead {
        self.checkpoint.head
    }

    /// The checkpoint as the log signed it, to be stored with the head: shown to a log that starts
    /// from an old copy, it proves that the copy is old. It has the log's signature alone: anybody
    /// may send a log's checkpoint with lines of their own, up to a length that no answer carries.
    #[must_use]
    pub fn signed(&self) -> &[u8] {
        &self.signed
    }

    /// The answer with the cosignature, at `now`. Only after [`Admitted::persist`] is durable.
    ///
    /// # Errors
    /// [`NoteError::Time`] for a clock beyond the year 292 billion.
    pub fn cosign(
        &self,
        witness: &KeyName,
        key: &SigningKey,
        now: Wall,
    ) -> Result<Answer, NoteError> {
        let line = cosign::cosign(&self.checkpoint, witness, key, now.unix_s())?;
        Ok(Answer {
            status: 200,
            content_type: None,
            body: line.line().into_bytes(),
        })
    }
}

/// Decides on the body of an `add-checkpoint` request. `held` gives the head last stored for an
/// origin.
///
/// # Errors
/// [`Refused`], with its answer.
pub fn admit(
    body: &[u8],
    logs: &KnownLogs,
    held: impl FnOnce(&KeyName) -> Option<TreeHead>,
) -> Result<Admitted, Refused> {
    let request = AddCheckpoint::parse(body).map_err(|error| Refused {
        reason: error.into(),
        alarm: false,
    })?;
    let checkpoint = request.checkpoint.checkpoint();
    let held = held(&checkpoint.origin);
    match decide(&request, logs.key(&checkpoint.origin), held.as_ref()) {
        Ok(_) => Ok(Admitted {
            checkpoint: checkpoint.clone(),
            signed: alone(&request.checkpoint, logs.key(&checkpoint.origin)),
        }),
        Err(refusal) => {
            let alarm = is_fork(&request, held.as_ref(), &refusal);
            Err(Refused {
                reason: refusal.into(),
                alarm,
            })
        }
    }
}

/// The checkpoint with the log's own signature, which [`decide`] has checked, and no other line.
fn alone(checkpoint: &SignedCheckpoint, key: Option<&VerifierKey>) -> Vec<u8> {
    let note = checkpoint.note();
    let mut lines = note.signatures().iter();
    let own = key.and_then(|key| lines.find(|line| key.claims(line)));
    let alone = own.and_then(|own| Note::new(note.text().to_owned(), own.clone()).ok());
    alone.map_or_else(|| checkpoint.encode(), |note| note.encode())
}

/// The log's own signatures prove a fork: another tree of the very size that was cosigned. A proof
/// that does not hold is no evidence, because anybody can send the log's checkpoint with a wrong
/// proof.
fn is_fork(request: &AddCheckpoint, held: Option<&TreeHead>, refusal: &Refusal) -> bool {
    let signed = !matches!(refusal, Refusal::UnknownOrigin | Refusal::Signature(_));
    let head = request.checkpoint.head();
    signed && held.is_some_and(|held| held.size == head.size && held.root != head.root)
}

/// The request that brings a witness from `old` to `checkpoint`, with its proof from the log's
/// tiles, which may have grown to `tiles_size`.
///
/// # Errors
/// [`ReadError`]: a tile is missing or malformed, or the sizes make no sense.
pub fn request<R: TileReader>(
    tiles: R,
    tiles_size: u64,
    old: u64,
    checkpoint: SignedCheckpoint,
) -> Result<Vec<u8>, ReadError> {
    let tree = TileTree::new(tiles, tiles_size)?;
    let proof = consistency_proof(&tree, old, checkpoint.head().size)?;
    Ok(AddCheckpoint {
        old,
        proof,
        checkpoint,
    }
    .encode())
}

/// Why a witness's answer brings no cosignature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It holds a tree of another size: ask again from there. If that is larger than the log, the
    /// log is behind (an old snapshot was restored) and must not append.
    #[error("the witness holds size {0}")]
    Holds(u64),
    /// It refuses, with this status.
    #[error("the witness refuses with status {0}")]
    Refused(u16),
    /// The answer is too long.
    #[error("the witness's answer is longer than {MAX_ANSWER_LEN} bytes")]
    TooLong,
    /// The answer is not what the status promises.
    #[error("the witness's answer is malformed")]
    Malformed,
    /// The answer holds no good cosignature by that witness.
    #[error(transparent)]
    Cosignature(#[from] CosignError),
}

/// Takes a witness's answer: adds its cosignature to the checkpoint and gives its time, seconds
/// since the epoch.
///
/// # Errors
/// [`AnswerError`]; the checkpoint is unchanged then.
pub fn take_answer(
    checkpoint: &mut SignedCheckpoint,
    witness: &VerifierKey,
    status: u16,
    body: &[u8],
) -> Result<u64, AnswerError> {
    if body.len() > MAX_ANSWER_LEN {
        return Err(AnswerError::TooLong);
    }
    match status {
        200 => {
            let lines = std::str::from_utf8(body).map_err(|_| AnswerError::Malformed)?;
            Ok(cosign::take_answer(checkpoint, witness, lines)?)
        }
        409 => {
            let held = parse_conflict(body).map_err(|_| AnswerError::Malformed)?;
            Err(AnswerError::Holds(held))
        }
        other => Err(AnswerError::Refused(other)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crypto::log::merkle::MerkleError;
    use crypto::log::writer::LogWriter;
    use crypto::note::{KeyType, NoteSignature};

    const TIME: u64 = 1_700_000_000;

    struct Log {
        key: SigningKey,
        name: KeyName,
        writer: LogWriter,
        files: BTreeMap<String, Vec<u8>>,
    }

    impl Log {
        fn new(entries: &[&[u8]]) -> Self {
            let key = SigningKey::from_seed(&[1; 32]);
            let name = KeyName::new("log.example").expect("a name");
            let mut log = Self {
                key,
                name,
                writer: LogWriter::new(),
                files: BTreeMap::new(),
            };
            entries.iter().for_each(|entry| log.append(entry));
            log
        }

        fn append(&mut self, entry: &[u8]) {
            self.writer.append(entry).expect("short");
            let files = self.writer.take_files();
            self.files
                .extend(files.into_iter().map(|file| (file.path, file.bytes)));
        }

        fn checkpoint(&self) -> SignedCheckpoint {
            let head = self.writer.head();
            Checkpoint {
                origin: self.name.clone(),
                head,
            }
            .sign(&self.key)
        }

        fn request(&self, old: u64) -> Vec<u8> {
            let size = self.writer.size();
            request(&self.files, size, old, self.checkpoint()).expect("tiles are there")
        }

        fn known(&self) -> KnownLogs {
            let mut known = KnownLogs::default();
            let key = self.key.verifying_key();
            known.insert(VerifierKey::new(self.name.clone(), KeyType::Ed25519, key));
            known
        }
    }

    fn witness() -> (KeyName, SigningKey, VerifierKey) {
        let (name, key) = (
            KeyName::new("witness.example"),
            SigningKey::from_seed(&[2; 32]),
        );
        let name = name.expect("a name");
        let public = VerifierKey::new(name.clone(), KeyType::Cosignature, key.verifying_key());
        (name, key, public)
    }

    #[test]
    fn a_log_grows_under_its_witness() {
        let mut log = Log::new(&[b"a", b"b"]);
        let (name, key, public) = witness();
        let mut held = None;
        for (old, more) in [(0, b"c"), (2, b"d"), (3, b"e")] {
            let admitted = admit(&log.request(old), &log.known(), |_| held).expect("consistent");
            assert_eq!(admitted.persist(), log.writer.head());
            held = Some(admitted.persist());
            let now = Wall {
                unix_us: TIME * 1_000_000,
                uncertainty_us: 0,
            };
            let answer = admitted.cosign(&name, &key, now).expect("a time");
            let mut signed = log.checkpoint();
            let taken = take_answer(&mut signed, &public, answer.status, &answer.body);
            assert_eq!(taken, Ok(TIME));
            assert_eq!(signed.note().signatures().len(), 2);
            log.append(more);
        }
    }

    #[test]
    fn the_statuses_are_those_of_the_specification() {
        let log = Log::new(&[b"a", b"b", b"c"]);
        let known = log.known();
        let head = log.writer.head();
        let status = |body: &[u8], known: &KnownLogs, held: Option<TreeHead>| {
            admit(body, known, |_| held).map_err(|refused| (refused.answer(), refused.alarm))
        };
        let unknown = status(&log.request(0), &KnownLogs::default(), None).expect_err("unknown");
        assert_eq!((unknown.0.status, unknown.1), (404, false));

        let mut imposter = Log::new(&[b"a"]);
        imposter.key = SigningKey::from_seed(&[9; 32]);
        let forged = status(&imposter.request(0), &known, None).expect_err("forged");
        assert_eq!((forged.0.status, forged.1), (403, false));

        let stale = status(&log.request(0), &known, Some(head)).expect_err("stale");
        let expected = Answer {
            status: 409,
            content_type: Some(SIZE_TYPE),
            body: b"3\n".to_vec(),
        };
        assert_eq!(stale, (expected, false));

        let above = AddCheckpoint {
            old: 4,
            proof: Vec::new(),
            checkpoint: log.checkpoint(),
        };
        let above = status(&above.encode(), &known, Some(head)).expect_err("above");
        assert_eq!((above.0.status, above.1), (400, false));
        assert_eq!(
            status(b"old 01\n\n", &known, None)
                .expect_err("garbage")
                .0
                .status,
            400
        );
    }

    #[test]
    fn a_fork_is_refused_and_a_bad_proof_is_no_fork() {
        let log = Log::new(&[b"a", b"b", b"c"]);
        let other = Log::new(&[b"a", b"b", b"x"]);
        let held = Some(log.writer.head());
        let refused = admit(&other.request(3), &log.known(), |_| held).expect_err("a fork");
        assert_eq!((refused.answer().status, refused.alarm), (409, true));
        assert_eq!(refused.answer().body, b"3\n");

        let mut longer = Log::new(&[b"a", b"b", b"x"]);
        longer.append(b"y");
        let refused = admit(&longer.request(3), &log.known(), |_| held).expect_err("a fork");
        let reason = RefusedReason::Refusal(Refusal::Inconsistent(MerkleError::OldRootMismatch));
        assert_eq!((&refused.reason, refused.answer().status), (&reason, 422));
        assert!(!refused.alarm, "the proof alone may be wrong");
    }

    #[test]
    fn answers_are_read_strictly() {
        let log = Log::new(&[b"a"]);
        let (_, _, public) = witness();
        let mut signed = log.checkpoint();
        let before = signed.clone();
        let mut take = |status, body: &[u8]| take_answer(&mut signed, &public, status, body);
        assert_eq!(take(409, b"7\n"), Err(AnswerError::Holds(7)));
        assert_eq!(take(409, b"07\n"), Err(AnswerError::Malformed));
        assert_eq!(take(409, b"7"), Err(AnswerError::Malformed));
        assert_eq!(take(403, b""), Err(AnswerError::Refused(403)));
        assert_eq!(take(200, &[0xff]), Err(AnswerError::Malformed));
        assert_eq!(
            take(200, &vec![b'a'; MAX_ANSWER_LEN + 1]),
            Err(AnswerError::TooLong)
        );
        let unsigned = CosignError::Note(NoteError::NoSignatureBlock);
        assert_eq!(take(200, b""), Err(AnswerError::Cosignature(unsigned)));
        assert_eq!(signed, before);
    }

    #[test]
    fn lines_that_others_add_are_not_kept() {
        let log = Log::new(&[b"a", b"b"]);
        let checkpoint = log.checkpoint();
        let mut padded = checkpoint.clone();
        let text = padded.note().text().to_owned();
        for n in 0..40 {
            let name = KeyName::new(&format!("stranger-{n}.example")).expect("a name");
            let line = NoteSignature::ed25519(&text, &name, &SigningKey::from_seed(&[n; 32]));
            padded.add(line).expect("room for a line");
        }
        let request = request(&log.files, 2, 0, padded).expect("tiles are there");
        let admitted = admit(&request, &log.known(), |_| None).expect("admitted");
        assert_eq!(admitted.signed(), checkpoint.encode());
    }

    #[test]
    fn what_a_witness_holds_is_asked_for_by_origin() {
        let origin = KeyName::new("log.example/a").expect("a name");
        let request = get_checkpoint(&origin);
        assert_eq!(parse_get_checkpoint(&request), Some(origin));
        for bad in [
            b"get-checkpoint log.example".as_slice(),
            b"get-checkpoint \n",
            b"get-checkpoint a b\n",
            b"get-checkpoint a\nb\n",
            b"old 0\n\n",
            b"get-checkpoint \xff\n",
        ] {
            assert_eq!(parse_get_checkpoint(bad), None);
        }
    }
}
