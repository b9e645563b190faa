//! Signed documents: what stands inside an envelope, and who must have signed it.
//!
//! A document is signed as exact bytes and kept as received. Its envelope has a bound of its own,
//! which padding with unknown fields does not pass, and every text and list in it is bounded.

pub mod advert;
pub mod grant;
pub mod receipt;
pub mod report;
pub mod review;
pub mod session;

use crypto::envelope::{Envelope, EnvelopeError};
use crypto::keys::VerifyingKey;
use prost::Message;

/// Why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The envelope itself is refused.
    #[error("{what}: {source}")]
    Envelope {
        /// Which document.
        what: &'static str,
        /// The envelope's complaint.
        source: EnvelopeError,
    },
    /// The envelope is longer than this kind of document may be.
    #[error("{0}: {1} bytes are more than it may have")]
    TooLong(&'static str, usize),
    /// The payload does not decode.
    #[error("{0}: the payload is malformed")]
    Malformed(&'static str),
    /// The payload has a version that this code does not know.
    #[error("{0}: version {1} is not known to this release")]
    Version(&'static str, u32),
    /// A field has the wrong length or an impossible value.
    #[error("{0}: the field `{1}` is missing or malformed")]
    Field(&'static str, &'static str),
    /// It is not valid at this time.
    #[error("{0}: not valid now")]
    Expired(&'static str),
    /// It does not belong to what it was presented with.
    #[error("{0}: `{1}` does not match")]
    Mismatch(&'static str, &'static str),
}

/// A document's name and payload type.
pub trait Document: Message + Default {
    /// What a person calls it.
    const NAME: &'static str;
    /// The envelope's payload type.
    const TYPE: &'static str;
    /// The longest envelope, in bytes.
    const LONGEST: usize;

    /// The payload's version field.
    fn version(&self) -> u32;

    /// The first field beyond its bound. An absent field is within it: whoever needs it says so.
    fn wrong_field(&self) -> Option<&'static str>;
}

/// Opens an envelope that `signer` alone must have signed.
///
/// # Errors
/// [`DocumentError`]: the signature, the payload type, the encoding or the version is wrong, or
/// something is out of its bounds.
pub fn open<D: Document>(envelope: &[u8], signer: &VerifyingKey) -> Result<D, DocumentError> {
    if envelope.len() > D::LONGEST {
        return Err(DocumentError::TooLong(D::NAME, envelope.len()));
    }
    let refused = |source| DocumentError::Envelope {
        what: D::NAME,
        source,
    };
    let opened = Envelope::decode(envelope).map_err(refused)?;
    opened.verify_by(D::TYPE, signer).map_err(refused)?;
    decode(&opened.payload)
}

/// Decodes a payload whose signatures were checked elsewhere.
///
/// # Errors
/// [`DocumentError`]: encoding, version, or a bound.
pub fn decode<D: Document>(payload: &[u8]) -> Result<D, DocumentError> {
    if payload.len() > D::LONGEST {
        return Err(DocumentError::TooLong(D::NAME, payload.len()));
    }
    let document = D::decode(payload).map_err(|_| DocumentError::Malformed(D::NAME))?;
    if document.version() != 1 {
        return Err(DocumentError::Version(D::NAME, document.version()));
    }
    match document.wrong_field() {
        None => Ok(document),
        Some(field) => Err(DocumentError::Field(D::NAME, field)),
    }
}

/// Bytes of exactly this length, or absent.
pub(crate) const fn is_sized(bytes: &[u8], length: usize) -> bool {
    bytes.is_empty() || bytes.len() == length
}

/// Implements [`Document`] for a message with a `version` field: its name, its payload type, its
/// longest envelope, and what must hold of its fields.
macro_rules! document {
    ($type:ty, $name:literal, $payload_type:literal, $longest:expr, $fields:expr) => {
        impl crate::document::Document for $type {
            const NAME: &'static str = $name;
            const TYPE: &'static str = $payload_type;
            const LONGEST: usize = $longest;

            fn version(&self) -> u32 {
                self.version
            }

            fn wrong_field(&self) -> Option<&'static str> {
                let fields: fn(&Self) -> Option<&'static str> = $fields;
                fields(self)
            }
        }
    };
}
pub(crate) use document;

#[cfg(test)]
mod tests;
