//! Why a fetch failed, by blame.

use crypto::digest::Digest;
use crypto::hpke::HpkeError;
use crypto::segment::SegmentError;
use protocol::document::DocumentError;
use protocol::transfer::manifest::ManifestError;
use protocol::transfer::request::FetchStatus;
use std::io;

/// What is wrong with a sealed file that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// The key is not the one that was committed to.
    #[error("its key does not match its commitment")]
    KeyCommitment,
    /// A segment does not open.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The ciphertext is another one than was named.
    #[error("its ciphertext has another digest")]
    SealedDigest,
    /// The plaintext is another one than was named.
    #[error("its plaintext has another digest")]
    PlainDigest,
}

/// Why a fetch failed. Nothing in it names a patient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The grant cannot be read.
    #[error(transparent)]
    Grant(#[from] DocumentError),
    /// The secret of the prekey that the grant names is not here.
    #[error("the grant is sealed to a prekey that this desk does not hold")]
    UnknownPrekey,
    /// The box with the release key does not open.
    #[error(transparent)]
    Box(#[from] HpkeError),
    /// The release key is not the one that the grant commits to.
    #[error("the release key does not match the grant's commitment")]
    ReleaseKey,
    /// The manifest has another root than the grant says.
    #[error("the manifest has another root than the grant says")]
    ManifestRoot,
    /// The manifest is refused.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest is longer than a desk takes.
    #[error("the manifest has {0} bytes; at most 64 MiB are accepted")]
    ManifestTooLong(u64),
    /// The case does not fit in what this desk may hold.
    #[error(
        "the case needs {needed} bytes of memory and {free} are free: \
         close another case, or raise the desk's memory limit"
    )]
    TooLarge {
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The hospital refuses.
    #[error("the hospital refuses the fetch: {0:?}")]
    Refused(FetchStatus),
    /// The hospital cannot be reached, or its streams break off.
    #[error("the hospital's streams do not hold ({0})")]
    Lost(io::ErrorKind),
    /// A file arrived wrong, twice.
    #[error("file {digest} arrived wrong twice: {fault}")]
    File {
        /// The file.
        digest: Digest,
        /// What is wrong.
        fault: FileFault,
    },
    /// The header of an object cannot be read.
    #[error("the header of object {0} of the manifest cannot be read")]
    Header(usize),
    /// The lease was purged meanwhile.
    #[error("the lease was purged")]
    Purged,
}
