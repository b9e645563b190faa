//! Per-subject keys: one random key for each person whose data a log entry's payload holds.
//!
//! Erasing a subject destroys the key, so that every payload sealed under it is noise while the
//! log that commits to those payloads stays whole. The keys lie in a database of their own, which
//! a backup leaves out.
//!
//! Sealed payload: version (1) ‖ subject name (32) ‖ key id (8) ‖ sealed bytes. The name is a keyed
//! digest; the key id tells a payload of an erased key from a damaged one.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crypto::digest::Digest;
use crypto::keys::SymmetricKey;
use zeroize::Zeroizing;

use super::codec::{Reader, RecordError, Stored, Writer};
use super::error::{Limit, StoreError};
use super::index::{Batch, Family, Index, IndexError};
use super::payloads::{PAYLOAD_BYTES_MAX, SealedPayload};
use super::root::RootKey;
use super::{labels, random, sealing};

const PAYLOAD_VERSION: u8 = 1;
const NAME_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 8;
/// What a sealed payload is longer than its plaintext, in bytes.
pub const PAYLOAD_OVERHEAD_BYTES: usize = 1 + NAME_BYTES + KEY_ID_BYTES + sealing::OVERHEAD_BYTES;

// Whatever the core puts into a payload can be sealed and kept.
const _: () = assert!(protocol::limits::PAYLOAD_MAX + PAYLOAD_OVERHEAD_BYTES <= PAYLOAD_BYTES_MAX);

/// Why a payload does not open.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Its subject's key was destroyed.
    #[error("the payload's key was erased")]
    Erased,
    /// A newer program sealed it.
    #[error("the payload has version {0}, this program knows up to {PAYLOAD_VERSION}")]
    Newer(u8),
    /// Changed bytes, or other associated data than it was sealed with.
    #[error("the payload's seal is broken")]
    Seal,
    /// The index refused.
    #[error(transparent)]
    Index(#[from] IndexError),
}

struct SubjectKey {
    id: [u8; KEY_ID_BYTES],
    key: SymmetricKey,
}

impl Stored for SubjectKey {
    const VERSION: u8 = 1;

    fn encode(&self, writer: &mut Writer) {
        writer.array(&self.id);
        writer.array(self.key.as_bytes());
    }

    fn decode(_version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        let id = reader.array()?;
        let key = Zeroizing::new(reader.array()?);
        Ok(Self {
            id,
            key: SymmetricKey::from_bytes(&key),
        })
    }
}

/// The keys of all subjects of one node.
pub struct Subjects {
    index: Index,
    root: Arc<RootKey>,
    /// Held while a key is made or destroyed, so that one subject never gets two at once.
    changing: Mutex<()>,
}

impl Subjects {
    pub(super) fn open(path: &Path, root: Arc<RootKey>) -> Result<Self, IndexError> {
        let index = Index::open(path, &[Family::SubjectKeys], &root)?;
        Ok(Self {
            index,
            root,
            changing: Mutex::new(()),
        })
    }

    /// Seals `plaintext` under the key of `subject` (any bytes that name one person the same way
    /// each time), bound to `aad`. A first use makes the key and syncs it before it seals, so no
    /// payload is ever sealed under a key that a crash could lose.
    ///
    /// # Errors
    /// `StoreError::Limit` when the payload is too long, `Index`, `Entropy` or `Poisoned`.
    pub fn seal_payload(
        &self,
        subject: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<SealedPayload, StoreError> {
        let length = plaintext.len().saturating_add(PAYLOAD_OVERHEAD_BYTES);
        if length > PAYLOAD_BYTES_MAX {
            return Err(StoreError::Limit(Limit::Value(plaintext.len())));
        }
        let name = self.name(subject);
        let held = self.key_or_new(&name)?;
        let place = place(&name, &held.id, aad);
        let mut bytes = Vec::with_capacity(length);
        bytes.push(PAYLOAD_VERSION);
        bytes.extend_from_slice(&name.0);
        bytes.extend_from_slice(&held.id);
        bytes.extend(sealing::seal(&held.key, &place, plaintext)?);
        Ok(SealedPayload::of(bytes))
    }

    /// Opens what [`Subjects::seal_payload`] made with the same `aad`.
    ///
    /// # Errors
    /// `PayloadError`, by what is wrong.
    pub fn open_payload(
        &self,
        aad: &[u8],
        bytes: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
        let (&version, rest) = bytes.split_first().ok_or(PayloadError::Seal)?;
        if version == 0 {
            return Err(PayloadError::Seal);
        }
        if version > PAYLOAD_VERSION {
            return Err(PayloadError::Newer(version));
        }
        let (name, rest) = rest
            .split_first_chunk::<NAME_BYTES>()
            .ok_or(PayloadError::Seal)?;
        let (id, sealed) = rest
            .split_first_chunk::<KEY_ID_BYTES>()
            .ok_or(PayloadError::Seal)?;
        let name = Digest(*name);
        let held: Option<SubjectKey> = self.index.get(Family::SubjectKeys, &name.0)?;
        let held = held
            .filter(|held| held.id == *id)
            .ok_or(PayloadError::Erased)?;
        sealing::open(&held.key, &place(&name, id, aad), sealed).map_err(|_| PayloadError::Seal)
    }

    /// Whether a payload belongs to `subject`, by its name alone.
    pub fn is_of(&self, subject: &[u8], bytes: &[u8]) -> bool {
        bytes
            .get(1..=NAME_BYTES)
            .is_some_and(|name| *name == self.name(subject).0)
    }

    /// Destroys the subject's key: the record goes durably, then RocksDB's files are rewritten
    /// without it. Returns whether there was a key. A later payload of the subject gets a new key.
    ///
    /// # Errors
    /// `StoreError::Index`: if the rewrite failed, the key is no longer found, but its sealed
    /// bytes may still lie on the disk; call again. `Poisoned` after an earlier panic.
    pub fn shred(&self, subject: &[u8]) -> Result<bool, StoreError> {
        let _changing = self.changing.lock().map_err(|_| StoreError::Poisoned)?;
        let name = self.name(subject);
        let was_there = self.index.contains(Family::SubjectKeys, &name.0)?;
        let mut batch = Batch::default();
        batch.delete(Family::SubjectKeys, &name.0);
        // A crash before this leaves the key and nobody told; after it the key is gone for this
        // program, and the next compaction takes its bytes.
        self.index.commit(batch)?;
        self.index.purge(&[Family::SubjectKeys])?;
        Ok(was_there)
    }

    fn key_or_new(&self, name: &Digest) -> Result<SubjectKey, StoreError> {
        if let Some(held) = self.index.get(Family::SubjectKeys, &name.0)? {
            return Ok(held);
        }
        let _changing = self.changing.lock().map_err(|_| StoreError::Poisoned)?;
        if let Some(held) = self.index.get(Family::SubjectKeys, &name.0)? {
            return Ok(held);
        }
        let made = SubjectKey {
            id: random::bytes()?,
            key: random::key()?,
        };
        let mut batch = Batch::default();
        self.index
            .put(&mut batch, Family::SubjectKeys, &name.0, &made)?;
        self.index.commit(batch)?;
        Ok(made)
    }

    fn name(&self, subject: &[u8]) -> Digest {
        self.root.name(labels::SUBJECT, &[subject])
    }
}

/// Associated data of a payload: label ‖ subject name ‖ key id ‖ the caller's.
fn place(name: &Digest, id: &[u8; KEY_ID_BYTES], aad: &[u8]) -> Vec<u8> {
    let mut place = labels::PAYLOAD.as_bytes().to_vec();
    place.extend_from_slice(&name.0);
    place.extend_from_slice(id);
    place.extend_from_slice(aad);
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::root::MasterKey;

    fn open(folder: &Path) -> Subjects {
        let master = MasterKey {
            version: 1,
            key: SymmetricKey::from_bytes(&[7; 32]),
        };
        let root = RootKey::open(folder, folder, &master, true).unwrap();
        Subjects::open(&folder.join("subjects"), Arc::new(root)).unwrap()
    }

    #[test]
    fn a_payload_opens_after_a_restart_and_only_with_its_aad() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = open(folder.path())
            .seal_payload(b"one", b"nonce", b"who and why")
            .unwrap();
        assert_eq!(
            sealed.bytes.len(),
            b"who and why".len() + PAYLOAD_OVERHEAD_BYTES
        );
        assert_eq!(sealed.digest, Digest::sha256(&sealed.bytes));
        let subjects = open(folder.path());
        let opened = subjects.open_payload(b"nonce", &sealed.bytes).unwrap();
        assert_eq!(opened.as_slice(), b"who and why");
        assert_eq!(
            subjects.open_payload(b"other", &sealed.bytes),
            Err(PayloadError::Seal)
        );
        assert!(subjects.is_of(b"one", &sealed.bytes) && !subjects.is_of(b"two", &sealed.bytes));
    }

    #[test]
    fn shredding_one_subject_leaves_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let subjects = open(folder.path());
        let one = subjects.seal_payload(b"one", b"", b"first").unwrap();
        let two = subjects.seal_payload(b"two", b"", b"second").unwrap();
        assert_eq!(subjects.shred(b"one"), Ok(true));
        assert_eq!(subjects.shred(b"one"), Ok(false));
        assert_eq!(
            subjects.open_payload(b"", &one.bytes),
            Err(PayloadError::Erased)
        );
        assert_eq!(
            subjects.open_payload(b"", &two.bytes).unwrap().as_slice(),
            b"second"
        );
        // A new key for the same person does not bring the old payloads back.
        let again = subjects.seal_payload(b"one", b"", b"third").unwrap();
        assert_eq!(
            subjects.open_payload(b"", &one.bytes),
            Err(PayloadError::Erased)
        );
        assert_eq!(
            subjects.open_payload(b"", &again.bytes).unwrap().as_slice(),
            b"third"
        );
    }

    #[test]
    fn a_shredded_key_is_in_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let subjects = open(folder.path());
        subjects.seal_payload(b"one", b"", b"x").unwrap();
        let sealed = subjects
            .index
            .raw(Family::SubjectKeys, &subjects.name(b"one").0);
        let holds = || {
            std::fs::read_dir(folder.path().join("subjects"))
                .unwrap()
                .any(|entry| {
                    let bytes = std::fs::read(entry.unwrap().path()).unwrap();
                    bytes.windows(sealed.len()).any(|window| window == sealed)
                })
        };
        assert!(holds());
        subjects.shred(b"one").unwrap();
        assert!(!holds());
    }

    #[test]
    fn every_flipped_byte_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let subjects = open(folder.path());
        let sealed = subjects.seal_payload(b"one", b"", b"who").unwrap();
        for at in 0..sealed.bytes.len() {
            let mut flipped = sealed.bytes.clone();
            flipped[at] ^= 1;
            assert!(subjects.open_payload(b"", &flipped).is_err(), "byte {at}");
            assert!(
                subjects.open_payload(b"", &sealed.bytes[..at]).is_err(),
                "cut {at}"
            );
        }
        let long = vec![0; PAYLOAD_BYTES_MAX];
        let limit = StoreError::Limit(Limit::Value(long.len()));
        assert_eq!(subjects.seal_payload(b"one", b"", &long), Err(limit));
    }
}
