//! Why the store refused, by blame.

use std::io;

use super::disk::DiskError;
use super::index::IndexError;
use super::lock::LockError;
use super::objects::Damage;
use super::random::EntropyError;
use super::root::RootError;
use super::version::VersionError;

/// Why a call to the store failed. Nothing in it names a patient.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The data folder is taken, or cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The data folder has another layout.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The root key does not open.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The index refused.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Accepting this would go below the reserve.
    #[error(
        "disk nearly full: {available} bytes are free, {kept_free} are kept in reserve, \
         {needed} are needed: free space or enlarge the disk"
    )]
    OutOfSpace {
        /// Free bytes.
        available: u64,
        /// Bytes that are kept free.
        kept_free: u64,
        /// Bytes that this would take.
        needed: u64,
    },
    /// The store holds as many studies as it may.
    #[error("the store holds {0} studies, its limit: delete some, or raise studies_max")]
    TableFull(usize),
    /// The caller's object is outside a limit.
    #[error("object refused: {0}")]
    Limit(Limit),
    /// The caller's source ended early or could not be read.
    #[error("the object's source cannot be read: {0}")]
    Source(io::ErrorKind),
    /// There are already as many different objects under this UID as are kept.
    #[error("too many different objects came under one SOP Instance UID: review the quarantine")]
    QuarantineFull,
    /// No such study, object or file.
    #[error("the store has no such {0}")]
    Unknown(&'static str),
    /// A sealed file is not what was written.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// A thread died while it held one of the store's locks; what it was doing is unknown.
    #[error("an earlier failure left the store's tables in doubt: restart the node")]
    Poisoned,
}

/// Which limit an object is outside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// The header is too long to be a header.
    #[error("its header has {0} bytes; values over 1 MiB must be bulk")]
    Header(usize),
    /// Too many bulk values.
    #[error("it has {0} bulk values")]
    Bulks(usize),
    /// A bulk value is longer than a sealed file can be.
    #[error("a bulk value has {0} bytes")]
    Bulk(u64),
    /// Too many frames in one bulk value.
    #[error("a bulk value has {0} frames")]
    Frames(usize),
    /// A frame lies outside its bulk value.
    #[error("a frame lies outside its bulk value")]
    FrameRange,
    /// A bulk value's place lies outside the header.
    #[error("a bulk value belongs outside the header")]
    Place,
    /// A text in the object's metadata is too long.
    #[error("its metadata has a text of {0} bytes")]
    Text(usize),
    /// A payload or value is too long.
    #[error("it has {0} bytes")]
    Value(usize),
}
