//! The release manifest: exactly the granted objects, with their keys. Sealed under the release
//! key.
//!
//! ```text
//! manifest ── header pack (one sealed file: every object's header, in looking order)
//!          └─ object ── bulk (a sealed file as it rests at the hospital)
//! ```
//! A header is the data set without its bulk values, verbatim; splicing the bulks back in at their
//! offsets gives the exact data set that the hospital received.

use crypto::digest::{Digest, labels, tagged};
use prost::Message;

use crate::limits;

/// A sealed file and what opens and proves it. It holds a key: no Debug.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct SealedFile {
    /// SHA-256 of the ciphertext: the file's name at the hospital.
    #[prost(bytes = "vec", tag = "1")]
    pub digest: Vec<u8>,
    /// Bytes before sealing.
    #[prost(uint64, tag = "2")]
    pub plain_length: u64,
    /// Internal identifier that the segments are bound to, 16 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub file_id: Vec<u8>,
    /// The file's key, 32 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub key: Vec<u8>,
    /// Commitment to that key.
    #[prost(bytes = "vec", tag = "5")]
    pub key_commitment: Vec<u8>,
    /// Salt of the plaintext digest, 32 bytes.
    #[prost(bytes = "vec", tag = "6")]
    pub plain_salt: Vec<u8>,
    /// Salted digest of the plaintext.
    #[prost(bytes = "vec", tag = "7")]
    pub plain_digest: Vec<u8>,
}

/// Where one frame's bytes stand in its bulk's plaintext.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Frame {
    /// First byte.
    #[prost(uint64, tag = "1")]
    pub offset: u64,
    /// Bytes.
    #[prost(uint64, tag = "2")]
    pub length: u64,
}

/// One bulk value of an object.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct Bulk {
    /// The element's tag, group in the high half.
    #[prost(uint32, tag = "1")]
    pub tag: u32,
    /// Its VR, two letters.
    #[prost(string, tag = "2")]
    pub vr: String,
    /// Where its value goes back into the header bytes.
    #[prost(uint64, tag = "3")]
    pub header_offset: u64,
    /// The value is an encapsulated pixel sequence, items included.
    #[prost(bool, tag = "4")]
    pub encapsulated: bool,
    /// Frames in order; empty when the value has no frames.
    #[prost(message, repeated, tag = "5")]
    pub frames: Vec<Frame>,
    /// The sealed file.
    #[prost(message, optional, tag = "6")]
    pub file: Option<SealedFile>,
}

/// One granted object.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct Object {
    /// Internal identifier, 16 bytes; original UIDs stand in the header only.
    #[prost(bytes = "vec", tag = "1")]
    pub object_id: Vec<u8>,
    /// Transfer syntax UID of the data set.
    #[prost(string, tag = "2")]
    pub transfer_syntax: String,
    /// First byte of its header in the header pack's plaintext.
    #[prost(uint64, tag = "3")]
    pub header_offset: u64,
    /// Bytes of its header.
    #[prost(uint64, tag = "4")]
    pub header_length: u64,
    /// Its bulk values, in data set order.
    #[prost(message, repeated, tag = "5")]
    pub bulks: Vec<Bulk>,
}

/// The manifest.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct Manifest {
    /// Format: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Hash algorithm of every digest in it: "sha-256".
    #[prost(string, tag = "2")]
    pub hash: String,
    /// Random bytes, 32, so that two releases of the same objects have different roots.
    #[prost(bytes = "vec", tag = "3")]
    pub salt: Vec<u8>,
    /// The header pack.
    #[prost(message, optional, tag = "4")]
    pub headers: Option<SealedFile>,
    /// Objects in looking order: series by series, each from its middle outwards.
    #[prost(message, repeated, tag = "5")]
    pub objects: Vec<Object>,
}

/// Why a manifest is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It does not decode, or a field has an impossible value.
    #[error("the manifest is malformed: {0}")]
    Malformed(&'static str),
    /// A version or a hash algorithm that this code does not know.
    #[error("the manifest has a version or a hash algorithm that this release does not know")]
    Unknown,
    /// More bulk values or frames than such a study may have.
    #[error("the manifest has more bulk values or frames than are accepted")]
    TooDeep,
    /// More objects than a study may have.
    #[error("the manifest has {0} objects; at most 50000 are accepted")]
    TooMany(usize),
}

/// The manifest's root: what a report signs.
#[must_use]
pub fn root(manifest_bytes: &[u8]) -> Digest {
    tagged(labels::MANIFEST_ROOT, &[manifest_bytes])
}

/// The salted digest of a file's plaintext, given its SHA-256.
#[must_use]
pub fn plain_digest(salt: &[u8], sha256_of_plain: &Digest) -> Digest {
    tagged(labels::PLAINTEXT, &[salt, sha256_of_plain.as_bytes()])
}

impl Manifest {
    /// Reads and checks a manifest: sizes of all fields, offsets inside their files.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn decode_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        super::bounds::check(bytes)?;
        let manifest =
            Self::decode(bytes).map_err(|_| ManifestError::Malformed("not a manifest"))?;
        if manifest.version != 1 || manifest.hash != "sha-256" {
            return Err(ManifestError::Unknown);
        }
        if manifest.objects.len() > limits::OBJECTS_MAX {
            return Err(ManifestError::TooMany(manifest.objects.len()));
        }
        if manifest.salt.len() != 32 {
            return Err(ManifestError::Malformed("salt"));
        }
        let headers = manifest
            .headers
            .as_ref()
            .ok_or(ManifestError::Malformed("headers"))?;
        headers.check()?;
        for object in &manifest.objects {
            object.check(headers.plain_length)?;
        }
        Ok(manifest)
    }
}

impl SealedFile {
    /// Checks the sizes of the fields.
    fn check(&self) -> Result<(), ManifestError> {
        let sizes = [
            (self.digest.len(), 32),
            (self.file_id.len(), 16),
            (self.key.len(), 32),
            (self.key_commitment.len(), 32),
            (self.plain_salt.len(), 32),
            (self.plain_digest.len(), 32),
        ];
        if sizes.iter().all(|(is, must)| is == must) {
            Ok(())
        } else {
            Err(ManifestError::Malformed("sealed file"))
        }
    }
}

impl Object {
    /// Checks that the header lies in the pack and each bulk in order inside the header and its
    /// file.
    fn check(&self, pack_length: u64) -> Result<(), ManifestError> {
        let end = self.header_offset.checked_add(self.header_length);
        if self.object_id.len() != 16 || end.is_none_or(|end| end > pack_length) {
            return Err(ManifestError::Malformed("object"));
        }
        let mut last = 0;
        for bulk in &self.bulks {
            let file = bulk.file.as_ref().ok_or(ManifestError::Malformed("bulk"))?;
            file.check()?;
            let inside = |frame: &Frame| {
                let end = frame.offset.checked_add(frame.length);
                end.is_some_and(|end| end <= file.plain_length)
            };
            let ordered = bulk.header_offset >= last && bulk.header_offset <= self.header_length;
            if !ordered || bulk.vr.len() != 2 || !bulk.frames.iter().all(inside) {
                return Err(ManifestError::Malformed("bulk"));
            }
            last = bulk.header_offset;
        }
        Ok(())
    }
}
