//! Why no release was made, by blame.

use super::NoEntropy;
use super::source::SourceFault;
use crypto::keys::KeyError;
use crypto::segment::SegmentError;
use protocol::ids::StudyId;
use protocol::transfer::manifest::ManifestError;
use std::io;

/// Why a release was not made, or is not to be had. Nothing in it names a patient.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// The store could not give a study.
    #[error("study {study}: {fault}")]
    Source {
        /// Which study.
        study: StudyId,
        /// What the store said.
        fault: SourceFault,
    },
    /// There is nothing to release.
    #[error("the studies hold no object")]
    Empty,
    /// A header has another length than its object says.
    #[error("study {study}: a header of {found} bytes, {expected} were recorded")]
    HeaderLength {
        /// Which study.
        study: StudyId,
        /// Bytes as recorded.
        expected: u64,
        /// Bytes as read.
        found: u64,
    },
    /// More objects or files than one release may have.
    #[error(
        "the release would have {0} files; at most {max} can be served",
        max = super::files::FILES_MAX
    )]
    TooManyFiles(usize),
    /// The manifest is longer than a desk takes.
    #[error("the manifest would have {0} bytes; split the case into several")]
    TooLong(usize),
    /// The desk's prekey is no key.
    #[error("the desk's prekey is refused: {0}")]
    Prekey(KeyError),
    /// What the store gave makes no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Sealing refused.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The folder of releases failed.
    #[error("the folder of releases: {action} failed: {}", words(*kind, *errno))]
    Disk {
        /// What was being done.
        action: &'static str,
        /// The operating system's answer, by kind.
        kind: io::ErrorKind,
        /// Its number, which has better words.
        errno: Option<i32>,
    },
    /// The list of a release's files is not what was written.
    #[error("the list of a release's files is damaged; make the release again")]
    Damaged,
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

impl ReleaseError {
    /// For `map_err` on the folder's own files.
    pub(super) fn disk(action: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Disk {
            action,
            kind: error.kind(),
            errno: error.raw_os_error(),
        }
    }
}

/// The system's own words where it gave a number.
fn words(kind: io::ErrorKind, errno: Option<i32>) -> String {
    match errno {
        Some(number) => io::Error::from_raw_os_error(number).to_string(),
        None => kind.to_string(),
    }
}
