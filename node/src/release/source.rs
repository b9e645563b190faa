//! What a release is made of: the trait that the shell implements over the store.

use crypto::digest::Digest;
use protocol::ids::StudyId;
use protocol::transfer::manifest::Bulk;
use std::io::{self, Read, Seek};

/// One stored object, as a release needs it. Its bulks hold keys: no Debug.
#[derive(Clone, PartialEq)]
pub struct SourceObject {
    /// The store's own name of the object.
    pub object_id: [u8; 16],
    /// Which series of the study: equal for objects of one series, in the order of series.
    pub series: u32,
    /// Transfer syntax UID.
    pub transfer_syntax: String,
    /// Bytes of its header.
    pub header_length: u64,
    /// Its bulk values in data set order, each with its sealed file; `plain_digest` as
    /// `protocol::transfer::manifest::plain_digest` makes it.
    pub bulks: Vec<Bulk>,
}

/// Why the store could not give something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// No such study, object or file.
    #[error("the store has no such {0}")]
    Unknown(&'static str),
    /// It is there and cannot be read.
    #[error("the store cannot read it ({0})")]
    Io(io::ErrorKind),
    /// It is there and is not what was written.
    #[error("the store's record or file is damaged")]
    Damaged,
}

/// A sealed file that can be read from any place.
pub trait SealedRead: Read + Seek + Send {}

impl<T: Read + Seek + Send> SealedRead for T {}

/// Where objects, headers and sealed files rest. All calls block.
pub trait ReleaseSource: Send + Sync + 'static {
    /// The objects of a study: series by series, each in the order of its instances.
    ///
    /// # Errors
    /// [`SourceFault`].
    fn objects(&self, study: &StudyId) -> Result<Vec<SourceObject>, SourceFault>;

    /// The header of an object of this study.
    ///
    /// # Errors
    /// [`SourceFault`].
    fn header(&self, study: &StudyId, object: &[u8; 16]) -> Result<Vec<u8>, SourceFault>;

    /// Opens a sealed bulk file by the SHA-256 of its ciphertext.
    ///
    /// # Errors
    /// [`SourceFault`].
    fn open(&self, digest: &Digest) -> Result<Box<dyn SealedRead>, SourceFault>;
}
