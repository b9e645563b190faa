//! The witness role: cosigns the checkpoints of members' logs, and never two that disagree.
//!
//! The newest head of each log is a file of its own, replaced durably *before* the cosignature goes
//! out. Reading it, deciding and replacing it are one critical section.

mod http;
mod memory;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crypto::digest::Digest;
use crypto::keys::SigningKey;
use crypto::log::merkle::TreeHead;
use crypto::log::witness::AddCheckpoint;
use crypto::note::{KeyName, NoteError};
use protocol::audit::rate::Rate;
use protocol::audit::witness::{Answer, KnownLogs, Refused, admit, parse_get_checkpoint};

use self::memory::Memory;
use crate::driver::clock;
use crate::files::FileError;

pub(crate) use http::HELD;
pub use http::serve;

/// Why a witness does not start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A head's file is damaged. A witness that forgot must not cosign.
    #[error("{}: not a log's head: restore it from a backup", .0.display())]
    Damaged(PathBuf),
    /// The key has cosigned, and what it cosigned is gone.
    #[error(
        "{}: what this witness cosigned is gone: restore it, or retire the key (make a new one \
         with `radmesh key new witness` and ask the council for its credential)", .0.display()
    )]
    Forgot(PathBuf),
    /// The key's name cannot be used.
    #[error(transparent)]
    Name(#[from] NoteError),
}

/// Where a witness's memory is, and where its keys are.
#[derive(Clone, Copy, Debug)]
pub struct Folders<'a> {
    /// The heads.
    pub memory: &'a Path,
    /// The folder of the key files.
    pub keys: &'a Path,
}

/// A witness. Calls block.
pub struct WitnessRole {
    memory: Memory,
    name: KeyName,
    key: SigningKey,
    logs: KnownLogs,
    state: Mutex<State>,
    since: Instant,
}

/// What one request reads and writes.
struct State {
    heads: BTreeMap<KeyName, TreeHead>,
    rate: Rate,
    /// Logs that signed two trees since this start, as many as there are known logs.
    forked: BTreeMap<KeyName, PathBuf>,
}

impl WitnessRole {
    /// Opens the witness's memory, made at the key's first use. It cosigns for `logs`.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn open(
        folders: Folders<'_>,
        (name, key): (KeyName, SigningKey),
        logs: KnownLogs,
    ) -> Result<Self, WitnessError> {
        let (memory, heads) = Memory::open(folders.memory, folders.keys, &key.verifying_key())?;
        let state = State {
            heads,
            rate: Rate::default(),
            forked: BTreeMap::new(),
        };
        Ok(Self {
            memory,
            name,
            key,
            logs,
            state: Mutex::new(state),
            since: Instant::now(),
        })
    }

    /// The answer to one `add-checkpoint` request, or to one for the checkpoint that is held, as
    /// the mesh carries it: a status line, then the body.
    #[must_use]
    pub fn answer(&self, request: &[u8]) -> Vec<u8> {
        let answer = match parse_get_checkpoint(request) {
            Some(origin) => self.held(&origin),
            None => self.decide(request),
        };
        let mut bytes = format!("{}\n", answer.status).into_bytes();
        bytes.extend_from_slice(&answer.body);
        bytes
    }

    /// The logs that have heads here, and those that were seen to sign two trees since the start
    /// (with the file that proves it).
    #[must_use]
    pub fn picture(&self) -> (usize, Vec<(String, PathBuf)>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let forked = state.forked.iter();
        let forked = forked.map(|(origin, file)| (origin.as_str().to_owned(), file.clone()));
        (state.heads.len(), forked.collect())
    }

    /// The checkpoint that is held of a log, as the log signed it; 404 when there is none.
    fn held(&self, origin: &KeyName) -> Answer {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let signed = match state.heads.contains_key(origin) {
            true => self.memory.signed(origin),
            false => Ok(None),
        };
        drop(state);
        match signed {
            Ok(Some(body)) => Answer {
                status: 200,
                content_type: Some("text/plain; charset=utf-8"),
                body,
            },
            Ok(None) => empty(404),
            Err(error) => {
                tracing::error!(%error, "a checkpoint cannot be shown");
                empty(500)
            }
        }
    }

    /// The same for a log that is named by the SHA-256 of its origin, in hex.
    fn held_by_digest(&self, digest: &str) -> Answer {
        let of = |origin: &&KeyName| Digest::sha256(origin.as_str().as_bytes()).to_hex() == digest;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = state.heads.keys().find(of).cloned();
        drop(state);
        origin.map_or_else(|| empty(404), |origin| self.held(&origin))
    }

    fn decide(&self, request: &[u8]) -> Answer {
        let now_us = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.decide_at(request, now_us)
    }

    fn decide_at(&self, request: &[u8], now_us: u64) -> Answer {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = match admit(request, &self.logs, |origin| {
            state.heads.get(origin).copied()
        }) {
            Ok(admitted) => admitted,
            Err(refused) => {
                if refused.alarm {
                    self.alarm(&mut state, request, &refused);
                }
                return refused.answer();
            }
        };
        let (origin, head) = (admitted.origin().clone(), admitted.persist());
        if !state.rate.take(&origin, now_us) {
            return empty(429);
        }
        if let Err(error) = self.memory.keep(&origin, &head, admitted.signed()) {
            tracing::error!(%error, "a head cannot be kept: no cosignature");
            return empty(500);
        }
        state.heads.insert(origin, head);
        match admitted.cosign(&self.name, &self.key, clock::wall()) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, "no cosignature");
                empty(500)
            }
        }
    }

    /// Tells a person, and keeps what proves it.
    fn alarm(&self, state: &mut State, request: &[u8], refused: &Refused) {
        let Ok(request) = AddCheckpoint::parse(request) else {
            return;
        };
        let origin = request.checkpoint.checkpoint().origin.clone();
        let Some(held) = state.heads.get(&origin) else {
            return;
        };
        let signed = request.checkpoint.encode();
        match self.memory.keep_fork(&origin, held, &signed) {
            Ok(file) => {
                tracing::error!(
                    log = %origin, reason = %refused.reason, evidence = %file.display(),
                    "a log signed two different trees: call the council"
                );
                state.forked.insert(origin, file);
            }
            Err(error) => tracing::error!(
                log = %origin, reason = %refused.reason, %error,
                "a log signed two different trees, and the proof of it cannot be kept"
            ),
        }
    }
}

fn empty(status: u16) -> Answer {
    Answer {
        status,
        content_type: None,
        body: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crypto::log::checkpoint::Checkpoint;
    use crypto::log::writer::LogWriter;
    use crypto::note::{KeyType, VerifierKey};
    use protocol::audit::rate;
    use protocol::audit::witness::{get_checkpoint, request, take_answer};

    struct Log {
        key: SigningKey,
        name: KeyName,
        tree: LogWriter,
        tiles: BTreeMap<String, Vec<u8>>,
    }

    impl Log {
        fn of(entries: &[&[u8]]) -> Self {
            let mut tree = LogWriter::new();
            for entry in entries {
                tree.append(entry).expect("short");
            }
            let tiles = tree
                .take_files()
                .into_iter()
                .map(|file| (file.path, file.bytes));
            let tiles = tiles.collect();
            let name = KeyName::new("log.example").expect("a name");
            Self {
                key: SigningKey::from_seed(&[1; 32]),
                name,
                tree,
                tiles,
            }
        }

        fn request(&self, old: u64) -> Vec<u8> {
            let head = self.tree.head();
            let signed = Checkpoint {
                origin: self.name.clone(),
                head,
            }
            .sign(&self.key);
            request(&self.tiles, self.tree.size(), old, signed).expect("tiles are there")
        }
    }

    fn role(folder: &Path, log: &Log) -> WitnessRole {
        let mut logs = KnownLogs::default();
        let key = log.key.verifying_key();
        logs.insert(VerifierKey::new(log.name.clone(), KeyType::Ed25519, key));
        let name = KeyName::new("witness.example").expect("a name");
        let key = SigningKey::from_seed(&[2; 32]);
        WitnessRole::open(folders(folder), (name, key), logs).expect("opened")
    }

    fn folders(folder: &Path) -> Folders<'_> {
        Folders {
            memory: folder,
            keys: folder,
        }
    }

    fn status(answer: &[u8]) -> (u16, Vec<u8>) {
        let (status, body) = crate::driver::log::split_answer(answer).expect("an answer");
        (status, body.to_vec())
    }

    #[test]
    fn a_witness_that_restarts_does_not_go_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let (two, three) = (Log::of(&[b"a", b"b"]), Log::of(&[b"a", b"b", b"c"]));
        assert_eq!(
            status(&role(folder.path(), &two).answer(&two.request(0))).0,
            200
        );
        let again = role(folder.path(), &two);
        assert_eq!(
            status(&again.answer(&two.request(0))),
            (409, b"2\n".to_vec())
        );
        let (cosigned, body) = status(&again.answer(&three.request(2)));
        let head = three.tree.head();
        let mut signed = Checkpoint {
            origin: three.name.clone(),
            head,
        }
        .sign(&three.key);
        let key = SigningKey::from_seed(&[2; 32]).verifying_key();
        let name = KeyName::new("witness.example").expect("a name");
        let witness = VerifierKey::new(name, KeyType::Cosignature, key);
        assert!(take_answer(&mut signed, &witness, cosigned, &body).is_ok());
        assert_eq!(
            status(&role(folder.path(), &two).answer(&two.request(2))).0,
            409
        );
    }

    #[test]
    fn the_held_checkpoint_is_shown_as_the_log_signed_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = Log::of(&[b"a", b"b"]);
        let ask = get_checkpoint(&log.name);
        let witness = role(folder.path(), &log);
        assert_eq!(status(&witness.answer(&ask)).0, 404);
        assert_eq!(status(&witness.answer(&log.request(0))).0, 200);
        drop(witness);
        let witness = role(folder.path(), &log);
        let (code, shown) = status(&witness.answer(&ask));
        let key = log.key.verifying_key();
        let key = VerifierKey::new(log.name.clone(), KeyType::Ed25519, key);
        let shown = crypto::log::checkpoint::SignedCheckpoint::open(&shown, &key);
        assert_eq!((code, shown.map(|s| *s.head())), (200, Ok(log.tree.head())));
        let digest = Digest::sha256(log.name.as_str().as_bytes()).to_hex();
        assert_eq!(witness.held_by_digest(&digest), witness.held(&log.name));
        assert_eq!(witness.held_by_digest("../x").status, 404);
    }

    #[test]
    fn a_fork_and_garbage_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, fork) = (Log::of(&[b"a", b"b"]), Log::of(&[b"a", b"x"]));
        let witness = role(folder.path(), &log);
        assert_eq!(status(&witness.answer(&log.request(0))).0, 200);
        assert_eq!(status(&witness.answer(&fork.request(2))).0, 409);
        assert_eq!(status(&witness.answer(b"nonsense")).0, 400);
        let (logs, forked) = witness.picture();
        assert_eq!((logs, forked.len()), (1, 1));
        let evidence = std::fs::read_to_string(&forked[0].1).expect("kept");
        assert!(evidence.contains(&log.tree.head().root.to_hex()));
        let signed = evidence.split_once("\n\n").expect("two parts").1;
        let verifier = VerifierKey::new(
            fork.name.clone(),
            KeyType::Ed25519,
            fork.key.verifying_key(),
        );
        let signed = crypto::log::checkpoint::SignedCheckpoint::open(signed.as_bytes(), &verifier);
        assert_eq!(signed.map(|signed| *signed.head()), Ok(fork.tree.head()));
    }

    #[test]
    fn a_log_that_asks_too_often_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = Log::of(&[b"a", b"b"]);
        let witness = role(folder.path(), &log);
        let status = |old, now_us| witness.decide_at(&log.request(old), now_us).status;
        assert_eq!(status(0, 0), 200);
        assert!((1..rate::BURST).all(|_| status(2, 0) == 200));
        assert_eq!((status(2, 0), status(2, 1_000_000)), (429, 200));
        // What is refused anyway costs no cosignature and is told as before.
        assert_eq!(witness.decide_at(b"nonsense", 0).status, 400);
    }

    #[test]
    fn a_damaged_head_stops_the_witness() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ab.head"), "radmesh-head/1\n").expect("written");
        let name = KeyName::new("witness.example").expect("a name");
        let key = SigningKey::from_seed(&[2; 32]);
        let logs = KnownLogs::default();
        let refused = WitnessRole::open(folders(folder.path()), (name, key), logs);
        assert!(matches!(refused.err(), Some(WitnessError::Damaged(_))));
    }
}
