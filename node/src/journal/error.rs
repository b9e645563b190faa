//! Why the log refused.

use std::path::PathBuf;

use crypto::log::checkpoint::CheckpointError;
use crypto::log::merkle::MerkleError;
use crypto::log::reader::ReadError;
use crypto::log::writer::WriteError;

use crate::store::StoreError;
use crate::store::disk::DiskError;
use crate::store::index::IndexError;

/// Why a call to the journal failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The caller's entry is not the next one.
    #[error("entry {given} was to be appended, but the next is {expected}")]
    Index {
        /// The log's next index.
        expected: u64,
        /// The entry's.
        given: u64,
    },
    /// The caller's entry is longer than an entry can be.
    #[error("entry {index} has {length} bytes, more than 65535")]
    TooLong {
        /// The entry's index.
        index: u64,
        /// Its bytes.
        length: usize,
    },
    /// The caller's batch is empty or too large.
    #[error("a batch of {entries} entries and {bytes} bytes is not accepted")]
    Batch {
        /// Entries in it.
        entries: usize,
        /// Bytes in them.
        bytes: usize,
    },
    /// An earlier write failed. Only opening the log again tells what the disk holds.
    #[error("the log is closed after a failed write: mend its cause and restart the node")]
    Closed,
    /// The commit point is missing though there is a log.
    #[error("{} is missing: restore the data folder from a backup", .0.display())]
    NoCheckpoint(PathBuf),
    /// A stored checkpoint is not one of this log by this key.
    #[error("{}: {error}: was the log's key changed?", .path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: CheckpointError,
    },
    /// The checkpoint covers entries that neither tiles nor stage hold.
    #[error(
        "the log's checkpoint has {committed} entries, the disk holds {found}: \
         recover the tail from a mirror"
    )]
    Lost {
        /// Size of the checkpoint.
        committed: u64,
        /// Size that could be rebuilt.
        found: u64,
    },
    /// The entries on disk are not those of the checkpoint.
    #[error("the log's {size} entries do not give its checkpoint's root: recover from a mirror")]
    Root {
        /// Size of the checkpoint.
        size: u64,
    },
    /// A witness cosigned more than this log holds: it was restored from an old copy.
    #[error(
        "the log has {size} entries, but {cosigned} were cosigned: \
         reconcile with the witnesses before anything is appended"
    )]
    Behind {
        /// Size of this log's checkpoint.
        size: u64,
        /// Size of the cosigned one.
        cosigned: u64,
    },
    /// A cosigned checkpoint of another tree than this log's.
    #[error("a cosigned checkpoint of size {0} is not of this log's tree")]
    Fork(u64),
    /// No such entry.
    #[error("the log has no entry {index}, it has {size}")]
    NoEntry {
        /// The index asked for.
        index: u64,
        /// The log's size.
        size: u64,
    },
    /// A tile or bundle cannot be written or continued.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A tile or bundle is missing or malformed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The payloads' index refused.
    #[error(transparent)]
    Payloads(#[from] IndexError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A thread died while it held one of the log's locks.
    #[error("an earlier failure left the log's head in doubt: restart the node")]
    Poisoned,
}

impl From<MerkleError> for JournalError {
    fn from(error: MerkleError) -> Self {
        Self::Read(error.into())
    }
}

/// Why the witness's state could not be read or moved.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessStoreError {
    /// The stored state of an origin does not parse.
    #[error("the witness's state of {0} is damaged: retire this witness's key")]
    Damaged(String),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}
