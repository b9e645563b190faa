//! What a witness remembers on disk, and how it knows that it forgot.
//!
//! Each log's newest head is a file of its own. A marker beside the key says that this key has
//! cosigned: a key whose heads are gone must never cosign again, because it could be made to sign
//! a tree that disagrees with one that it signed before.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crypto::digest::Digest;
use crypto::keys::VerifyingKey;
use crypto::log::merkle::TreeHead;
use crypto::note::KeyName;

use super::WitnessError;
use crate::files::{FileError, Readers, create_secret_folder, read, read_text, replace};

/// First line of a head's file.
const VERSION: &str = "radmesh-head/1";
/// The longest head: a name, a number and a digest.
const HEAD_MAX: u64 = 2 << 10;
/// The longest head's file: the head, an empty line, the checkpoint with the log's one signature,
/// which is no longer than the head with a key's name and 68 bytes in base64.
const FILE_MAX: u64 = 2 * HEAD_MAX;
/// Says that a folder is a witness's memory; written once, before the marker.
const FORMAT: (&str, &str) = ("format", "radmesh-witness/1\n");
/// Beside the key, and not in the data folder: it is there when the data folder is lost.
const MARKER: &str = "witness.in-use";

/// The newest heads, on disk.
pub(super) struct Memory {
    folder: PathBuf,
}

impl Memory {
    /// Opens the folder of heads, made if this key has none yet, and reads them.
    ///
    /// # Errors
    /// [`WitnessError::Forgot`] when the key is in use and its heads are not there.
    pub(super) fn open(
        folder: &Path,
        keys: &Path,
        key: &VerifyingKey,
    ) -> Result<(Self, BTreeMap<KeyName, TreeHead>), WitnessError> {
        let (format, marker) = (folder.join(FORMAT.0), keys.join(MARKER));
        let in_use = format!("{}\n", key.to_hex());
        let used = exists(&marker)? && read(&marker, HEAD_MAX)? == in_use.as_bytes();
        let heads = match exists(folder)? {
            true => read_heads(folder)?,
            false => BTreeMap::new(),
        };
        if !exists(&format)? {
            // A folder with heads and without this file is of the layout's first days.
            if used && heads.is_empty() {
                return Err(WitnessError::Forgot(folder.to_owned()));
            }
            create_secret_folder(folder)?;
            replace(&format, FORMAT.1.as_bytes(), Readers::Owner)?;
        } else if read_text(&format, HEAD_MAX)? != FORMAT.1 {
            return Err(WitnessError::Damaged(format));
        }
        if !used {
            replace(&marker, in_use.as_bytes(), Readers::Owner)?;
        }
        let folder = folder.to_owned();
        Ok((Self { folder }, heads))
    }

    /// Replaces the head of a log, and the checkpoint that it is of. Durable when it returns.
    ///
    /// # Errors
    /// [`FileError`]: the head must not be cosigned.
    pub(super) fn keep(
        &self,
        origin: &KeyName,
        head: &TreeHead,
        signed: &[u8],
    ) -> Result<(), FileError> {
        let file = self.of(origin, "head");
        replace(&file, &with(origin, head, signed), Readers::Owner)
    }

    /// The checkpoint of the head that is kept, as the log signed it; `None` when there is none,
    /// or only a head.
    ///
    /// # Errors
    /// [`FileError`].
    pub(super) fn signed(&self, origin: &KeyName) -> Result<Option<Vec<u8>>, FileError> {
        let file = self.of(origin, "head");
        if !exists(&file)? {
            return Ok(None);
        }
        let text = read_text(&file, FILE_MAX)?;
        let signed = text.split_once("\n\n").map(|(_, signed)| signed);
        Ok(signed.map(|signed| signed.as_bytes().to_vec()))
    }

    /// Keeps what proves that a log signed two trees: the head that was cosigned, and the other
    /// one's signed checkpoint. One a log; the first stays.
    ///
    /// # Errors
    /// [`FileError`].
    pub(super) fn keep_fork(
        &self,
        origin: &KeyName,
        held: &TreeHead,
        signed: &[u8],
    ) -> Result<PathBuf, FileError> {
        let file = self.of(origin, "fork");
        if !exists(&file)? {
            replace(&file, &with(origin, held, signed), Readers::Owner)?;
        }
        Ok(file)
    }

    fn of(&self, origin: &KeyName, ending: &str) -> PathBuf {
        let name = Digest::sha256(origin.as_str().as_bytes()).to_hex();
        self.folder.join(format!("{name}.{ending}"))
    }
}

fn read_heads(folder: &Path) -> Result<BTreeMap<KeyName, TreeHead>, WitnessError> {
    let system = |source| FileError::System {
        file: folder.to_owned(),
        source,
    };
    let mut heads = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(system)? {
        let file = entry.map_err(system)?.path();
        if file.extension().is_some_and(|ending| ending == "head") {
            let text = read_text(&file, FILE_MAX)?;
            // A file without a checkpoint was written by a release that kept none.
            let end = text.find("\n\n").map_or(text.len(), |end| end + 1);
            let head = text.get(..end).unwrap_or_default();
            let (origin, head) = parse(head).ok_or(WitnessError::Damaged(file))?;
            heads.insert(origin, head);
        }
    }
    Ok(heads)
}

fn exists(file: &Path) -> Result<bool, FileError> {
    match fs::symlink_metadata(file) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(FileError::System {
            file: file.to_owned(),
            source,
        }),
    }
}

/// A head, an empty line, and a checkpoint.
fn with(origin: &KeyName, head: &TreeHead, signed: &[u8]) -> Vec<u8> {
    let mut bytes = render(origin, head).into_bytes();
    bytes.push(b'\n');
    bytes.extend_from_slice(signed);
    bytes
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
    use super::*;
    use crypto::keys::SigningKey;

    fn head() -> (KeyName, TreeHead) {
        let origin = KeyName::new("hospital.example/log").expect("a name");
        let root = Digest::sha256(b"root");
        (origin, TreeHead { size: 7, root })
    }

    fn key(n: u8) -> VerifyingKey {
        SigningKey::from_seed(&[n; 32]).verifying_key()
    }

    #[test]
    fn a_head_survives_its_file_and_nothing_else_does() {
        let (origin, head) = head();
        let text = render(&origin, &head);
        assert_eq!(parse(&text), Some((origin, head)));
        assert_eq!(parse(&text.replace("head/1", "head/2")), None);
        assert_eq!(parse(&text[..text.len() - 3]), None);
        assert_eq!(parse(&format!("{text}more\n")), None);
    }

    #[test]
    fn a_key_that_cosigned_is_refused_when_its_heads_are_gone() {
        let (keys, data) = (tempfile::tempdir(), tempfile::tempdir());
        let (keys, data) = (keys.expect("a folder"), data.expect("a folder"));
        let folder = data.path().join("witness");
        let open = |n| Memory::open(&folder, keys.path(), &key(n));
        let (origin, head) = head();
        let (memory, heads) = open(1).expect("the first start");
        assert!(heads.is_empty());
        assert_eq!(memory.signed(&origin).expect("read"), None);
        let signed = "a checkpoint\n\n— log signature\n".as_bytes();
        memory.keep(&origin, &head, signed).expect("kept");
        assert_eq!(memory.signed(&origin).expect("read"), Some(signed.to_vec()));
        let (_, heads) = open(1).expect("the next start");
        assert_eq!(heads, BTreeMap::from([(origin, head)]));

        fs::remove_dir_all(&folder).expect("lost");
        assert!(matches!(open(1).err(), Some(WitnessError::Forgot(at)) if at == folder));
        fs::create_dir(&folder).expect("a mount point without its disk");
        assert!(matches!(open(1).err(), Some(WitnessError::Forgot(_))));
        // A new key has signed nothing.
        assert!(open(2).is_ok() && open(2).is_ok());
    }

    #[test]
    fn an_older_layout_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let (origin, head) = head();
        fs::write(folder.path().join("ab.head"), render(&origin, &head)).expect("written");
        let keys = tempfile::tempdir().expect("a folder");
        let (memory, heads) = Memory::open(folder.path(), keys.path(), &key(1)).expect("opened");
        assert_eq!(heads.len(), 1);
        fs::write(memory.of(&origin, "head"), render(&origin, &head)).expect("written");
        assert_eq!(memory.signed(&origin).expect("read"), None);
    }

    #[test]
    fn the_first_evidence_of_a_fork_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = tempfile::tempdir().expect("a folder");
        let (memory, _) = Memory::open(folder.path(), keys.path(), &key(1)).expect("opened");
        let (origin, head) = head();
        let file = memory.keep_fork(&origin, &head, b"one").expect("kept");
        memory.keep_fork(&origin, &head, b"two").expect("kept");
        let text = fs::read_to_string(file).expect("read");
        assert_eq!(text, format!("{}\none", render(&origin, &head)));
    }
}
