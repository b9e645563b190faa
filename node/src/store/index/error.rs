//! Why the index refused, with RocksDB's words turned into ours.

use std::path::{Path, PathBuf};

use rocksdb::ErrorKind;

use super::Family;
use crate::store::codec::RecordError;
use crate::store::disk::{Cause, DiskError};
use crate::store::random::EntropyError;

/// Why an operation on the index failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// RocksDB found its own files damaged.
    #[error(
        "index {} is damaged ({detail}): restore the data folder from a backup",
        .path.display()
    )]
    Corrupt {
        /// The index's folder.
        path: PathBuf,
        /// RocksDB's words: file names, offsets and checksums.
        detail: String,
    },
    /// A record came back whole from RocksDB, but is not what we wrote there.
    #[error("index family '{}': {problem}", .family.name())]
    Record {
        /// Where the record lies.
        family: Family,
        /// What is wrong with it.
        problem: RecordError,
    },
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// No randomness for a nonce.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// RocksDB refused for a reason that only our misuse or its bug explains.
    #[error("index {}: {detail}", .path.display())]
    Refused {
        /// The index's folder.
        path: PathBuf,
        /// RocksDB's words.
        detail: String,
    },
}

impl IndexError {
    pub(super) fn new(path: &Path, action: &'static str, error: &rocksdb::Error) -> Self {
        let path = path.to_path_buf();
        let detail = error.as_ref().to_owned();
        match error.kind() {
            ErrorKind::Corruption => Self::Corrupt { path, detail },
            ErrorKind::IOError => Self::Disk(DiskError {
                cause: cause(&detail),
                action,
                path,
                errno: None,
            }),
            ErrorKind::NotFound
            | ErrorKind::NotSupported
            | ErrorKind::InvalidArgument
            | ErrorKind::MergeInProgress
            | ErrorKind::Incomplete
            | ErrorKind::ShutdownInProgress
            | ErrorKind::TimedOut
            | ErrorKind::Aborted
            | ErrorKind::Busy
            | ErrorKind::Expired
            | ErrorKind::TryAgain
            | ErrorKind::CompactionTooLarge
            | ErrorKind::ColumnFamilyDropped
            | ErrorKind::Unknown => Self::Refused { path, detail },
        }
    }
}

/// RocksDB passes `strerror` on in its text and nothing else.
fn cause(detail: &str) -> Cause {
    const WORDS: [(&str, Cause); 6] = [
        ("No space left", Cause::Full),
        ("Disk quota exceeded", Cause::Full),
        ("Read-only file system", Cause::ReadOnly),
        ("Permission denied", Cause::Denied),
        ("Too many open files", Cause::TooManyFiles),
        ("No such file", Cause::Missing),
    ];
    let found = WORDS.iter().find(|(words, _)| detail.contains(words));
    found.map_or(Cause::Io, |(_, cause)| *cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mend_follows_the_cause() {
        let full = "IO error: No space left on device: While appending to file: /d/000004.log";
        assert_eq!(cause(full), Cause::Full);
        assert_eq!(cause("IO error: Read-only file system: x"), Cause::ReadOnly);
        assert_eq!(cause("IO error: Input/output error: x"), Cause::Io);
    }
}
