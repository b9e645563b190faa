//! The store's root key: random, made with the data folder, resting under the master key.
//!
//! The operator's master key seals one small file, `root-key`, and nothing else; every other key
//! of the store is derived from the root key. So a new master key rewrites 75 bytes instead of
//! every record and every HMACed index key, and a wrong master key is told at once, before
//! anything is read under it. Losing the master key, or this file, loses everything in the folder:
//! both belong into the backup and the escrow.
//!
//! File: version (1) ‖ master version (u16be) ‖ sealed root key (72).

use std::path::{Path, PathBuf};

use crypto::digest::{self, Digest};
use crypto::keys::SymmetricKey;
use zeroize::Zeroizing;

use super::disk::DiskError;
use super::random::{self, EntropyError};
use super::{durable, labels, sealing};

const FILE: &str = "root-key";
const FILE_VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const FILE_BYTES: usize = 3 + KEY_BYTES + sealing::OVERHEAD_BYTES;

/// The operator's key of keys, with the number that says which one it is.
pub struct MasterKey {
    /// Counts the master keys this node has had, from 1.
    pub version: u16,
    /// The secret.
    pub key: SymmetricKey,
}

/// Why the root key could not be had.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// The folder was sealed under another master key.
    #[error(
        "the master key does not open {}: give the key this folder was made with",
        .0.display()
    )]
    WrongMaster(PathBuf),
    /// The folder was sealed under a master key with another number.
    #[error(
        "{} is sealed under master key {found}, given was {given}: give that key, \
         or rotate with both", .file.display()
    )]
    OtherMaster {
        /// The root key's file.
        file: PathBuf,
        /// The number in the file.
        found: u16,
        /// The number that was given.
        given: u16,
    },
    /// The file has the wrong length or version.
    #[error("{} is damaged: restore it from a backup", .0.display())]
    Damaged(PathBuf),
    /// The folder holds data but no root key.
    #[error("{} is missing: restore it from a backup", .0.display())]
    Missing(PathBuf),
    /// The file could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// No randomness for a new root key.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// The root key of one data folder.
pub struct RootKey(SymmetricKey);

impl RootKey {
    /// Reads the root key of `folder`; with `fresh`, makes one where there is none.
    ///
    /// # Errors
    /// `RootError`, by what was found.
    pub fn open(
        folder: &Path,
        temporary: &Path,
        master: &MasterKey,
        fresh: bool,
    ) -> Result<Self, RootError> {
        let path = folder.join(FILE);
        match durable::read_if_there(&path, FILE_BYTES as u64)? {
            Some(bytes) => Self::unseal(path, &bytes, master),
            None if fresh => {
                let root = Self(random::key()?);
                // A crash before this leaves a fresh folder; a crash after it leaves a folder
                // that opens with this master key and holds nothing yet.
                root.write(&path, temporary, master)?;
                Ok(root)
            }
            None => Err(RootError::Missing(path)),
        }
    }

    /// Puts the root key of `folder` under a new master key.
    ///
    /// # Errors
    /// As [`RootKey::open`] for the old master key; after a failed write the file is the old one
    /// or the new one, and opens with the key whose number it names.
    pub fn rotate(
        folder: &Path,
        temporary: &Path,
        old: &MasterKey,
        new: &MasterKey,
    ) -> Result<(), RootError> {
        let root = Self::open(folder, temporary, old, false)?;
        root.write(&folder.join(FILE), temporary, new)
    }

    /// A key for one purpose, named by its label and a part (such as a column family).
    pub fn derive(&self, label: &'static str, part: &str) -> SymmetricKey {
        let bytes = Zeroizing::new(digest::hmac(&self.0, label, &[part.as_bytes()]).0);
        SymmetricKey::from_bytes(&bytes)
    }

    /// The keyed name under which something identifying is filed.
    pub fn name(&self, label: &'static str, parts: &[&[u8]]) -> Digest {
        digest::hmac(&self.0, label, parts)
    }

    fn unseal(path: PathBuf, bytes: &[u8], master: &MasterKey) -> Result<Self, RootError> {
        if bytes.len() != FILE_BYTES || bytes[0] != FILE_VERSION {
            return Err(RootError::Damaged(path));
        }
        let found = u16::from_be_bytes([bytes[1], bytes[2]]);
        if found != master.version {
            return Err(RootError::OtherMaster {
                file: path,
                found,
                given: master.version,
            });
        }
        let Ok(root) = sealing::open(&master.key, &place(found), &bytes[3..]) else {
            return Err(RootError::WrongMaster(path));
        };
        let Ok(root) = <&[u8; KEY_BYTES]>::try_from(root.as_slice()) else {
            return Err(RootError::Damaged(path));
        };
        Ok(Self(SymmetricKey::from_bytes(root)))
    }

    fn write(&self, path: &Path, temporary: &Path, master: &MasterKey) -> Result<(), RootError> {
        let mut bytes = vec![FILE_VERSION];
        bytes.extend_from_slice(&master.version.to_be_bytes());
        bytes.extend(sealing::seal(
            &master.key,
            &place(master.version),
            self.0.as_bytes(),
        )?);
        durable::replace(temporary, path, &bytes)?;
        Ok(())
    }
}

/// The associated data of the sealed root key.
fn place(version: u16) -> Vec<u8> {
    let mut place = labels::ROOT_KEY.as_bytes().to_vec();
    place.extend_from_slice(&version.to_be_bytes());
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(version: u16, byte: u8) -> MasterKey {
        MasterKey {
            version,
            key: SymmetricKey::from_bytes(&[byte; 32]),
        }
    }

    fn error(result: Result<RootKey, RootError>) -> RootError {
        result.err().expect("refused")
    }

    #[test]
    fn opens_under_its_master_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let file = path.join(FILE);
        let missing = RootKey::open(path, path, &master(1, 1), false);
        assert_eq!(error(missing), RootError::Missing(file.clone()));
        let first = RootKey::open(path, path, &master(1, 1), true).unwrap();
        let again = RootKey::open(path, path, &master(1, 1), true).unwrap();
        assert!(first.0 == again.0);
        let wrong = RootKey::open(path, path, &master(1, 2), false);
        assert_eq!(error(wrong), RootError::WrongMaster(file.clone()));
        let other = RootKey::open(path, path, &master(2, 1), false);
        assert_eq!(
            error(other),
            RootError::OtherMaster {
                file,
                found: 1,
                given: 2
            }
        );
    }

    #[test]
    fn rotation_changes_the_file_and_not_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let first = RootKey::open(path, path, &master(1, 1), true).unwrap();
        RootKey::rotate(path, path, &master(1, 1), &master(2, 9)).unwrap();
        let second = RootKey::open(path, path, &master(2, 9), false).unwrap();
        assert!(first.0 == second.0);
        assert!(RootKey::open(path, path, &master(1, 1), false).is_err());
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        RootKey::open(path, path, &master(1, 1), true).unwrap();
        let file = path.join(FILE);
        let whole = std::fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x40;
            std::fs::write(&file, &flipped).unwrap();
            assert!(
                RootKey::open(path, path, &master(1, 1), false).is_err(),
                "byte {at}"
            );
        }
        std::fs::write(&file, &whole[1..]).unwrap();
        let cut = RootKey::open(path, path, &master(1, 1), false);
        assert_eq!(error(cut), RootError::Damaged(file));
    }
}
