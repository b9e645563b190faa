//! The witness role: cosigns the checkpoints of members' logs, and never two that disagree.
//!
//! The newest head of each log is a file of its own, replaced durably *before* the cosignature goes
//! out. Reading it, deciding and replacing it are one critical section.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crypto::digest::Digest;
use crypto::keys::SigningKey;
use crypto::log::merkle::TreeHead;
use crypto::note::{KeyName, NoteError};
use protocol::audit::witness::{Answer, KnownLogs, admit};
use protocol::member::Roster;

use crate::driver::clock;
use crate::files::{FileError, Readers, replace};

/// First line of a head's file.
const VERSION: &str = "radmesh-head/1";

/// The longest head's file: a name, a number and a digest.
const HEAD_MAX: u64 = 2 << 10;

/// Why a witness does not start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A head's file is damaged. A witness that forgot must not cosign.
    #[error("{}: not a log's head: restore it from a backup", .0.display())]
    Damaged(PathBuf),
    /// The key's name cannot be used.
    #[error(transparent)]
    Name(#[from] NoteError),
}

/// A witness. Calls block.
pub struct WitnessRole {
    folder: PathBuf,
    name: KeyName,
    key: SigningKey,
    logs: KnownLogs,
    heads: Mutex<BTreeMap<KeyName, TreeHead>>,
}

impl WitnessRole {
    /// Opens the folder of heads, made if it is absent.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn open(
        folder: &Path,
        name: KeyName,
        key: SigningKey,
        roster: &Roster,
    ) -> Result<Self, WitnessError> {
        Self::with_logs(folder, name, key, KnownLogs::of(roster, clock::wall()))
    }

    fn with_logs(
        folder: &Path,
        name: KeyName,
        key: SigningKey,
        logs: KnownLogs,
    ) -> Result<Self, WitnessError> {
        let system = |source| FileError::System {
            file: folder.to_owned(),
            source,
        };
        crate::files::create_secret_folder(folder)?;
        let mut heads = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(system)? {
            let file = entry.map_err(system)?.path();
            if file.extension().is_some_and(|ending| ending == "head") {
                let text = crate::files::read_text(&file, HEAD_MAX)?;
                let (origin, head) = parse(&text).ok_or(WitnessError::Damaged(file))?;
                heads.insert(origin, head);
            }
        }
        let folder = folder.to_owned();
        Ok(Self {
            folder,
            name,
            key,
            logs,
            heads: Mutex::new(heads),
        })
    }

    /// The answer to one `add-checkpoint` request: a status line, then the body.
    #[must_use]
    pub fn answer(&self, request: &[u8]) -> Vec<u8> {
        let answer = self.decide(request);
        let mut bytes = format!("{}\n", answer.status).into_bytes();
        bytes.extend_from_slice(&answer.body);
        bytes
    }

    fn decide(&self, request: &[u8]) -> Answer {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = match admit(request, &self.logs, |origin| heads.get(origin).cloned()) {
            Ok(admitted) => admitted,
            Err(refused) => {
                if refused.alarm {
                    tracing::error!(reason = %refused.reason, "a log signed two different trees");
                }
                return refused.answer();
            }
        };
        let (origin, head) = (admitted.origin().clone(), admitted.persist());
        let file = self.folder.join(format!(
            "{}.head",
            Digest::sha256(origin.as_str().as_bytes()).to_hex()
        ));
        if let Err(error) = replace(&file, render(&origin, &head).as_bytes(), Readers::Owner) {
            tracing::error!(%error, "a head cannot be kept: no cosignature");
            return failure();
        }
        heads.insert(origin, head);
        match admitted.cosign(&self.name, &self.key, clock::wall()) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, "no cosignature");
                failure()
            }
        }
    }
}

fn failure() -> Answer {
    Answer {
        status: 500,
        content_type: None,
        body: Vec::new(),
    }
}

fn render(origin: &KeyName, head: &TreeHead) -> String {
    format!(
        "{VERSION}\n{}\n{}\n{}\n",
        origin.as_str(),
        head.size,
        head.root.to_hex()
    )
}

fn parse(text: &str) -> Option<(KeyName, TreeHead)> {
    let mut lines = text.lines();
    if lines.next()? != VERSION {
        return None;
    }
    let origin = KeyName::new(lines.next()?).ok()?;
    let size = lines.next()?.parse().ok()?;
    let root = Digest::from_hex(lines.next()?).ok()?;
    lines
        .next()
        .is_none()
        .then_some((origin, TreeHead { size, root }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crypto::log::checkpoint::Checkpoint;
    use crypto::log::writer::LogWriter;
    use crypto::note::{KeyType, VerifierKey};
    use protocol::audit::witness::{request, take_answer};

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
        WitnessRole::with_logs(folder, name, SigningKey::from_seed(&[2; 32]), logs).expect("opened")
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
    fn a_fork_and_garbage_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, fork) = (Log::of(&[b"a", b"b"]), Log::of(&[b"a", b"x"]));
        let witness = role(folder.path(), &log);
        assert_eq!(status(&witness.answer(&log.request(0))).0, 200);
        assert_eq!(status(&witness.answer(&fork.request(2))).0, 409);
        assert_eq!(status(&witness.answer(b"nonsense")).0, 400);
    }

    #[test]
    fn a_damaged_head_stops_the_witness() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ab.head"), "radmesh-head/1\n").expect("written");
        let name = KeyName::new("witness.example").expect("a name");
        let key = SigningKey::from_seed(&[2; 32]);
        let refused = WitnessRole::with_logs(folder.path(), name, key, KnownLogs::default());
        assert!(matches!(refused.err(), Some(WitnessError::Damaged(_))));
    }

    #[test]
    fn a_head_survives_its_file_and_nothing_else_does() {
        let origin = KeyName::new("hospital.example/log").expect("a name");
        let head = TreeHead {
            size: 7,
            root: Digest::sha256(b"root"),
        };
        let text = render(&origin, &head);
        assert_eq!(parse(&text), Some((origin, head)));
        assert_eq!(parse(&text.replace("head/1", "head/2")), None);
        assert_eq!(parse(&text[..text.len() - 3]), None);
        assert_eq!(parse(&format!("{text}more\n")), None);
    }
}
