//! A review of the log: who looked at which entries, and what was found. Signed by the person's key
//! if the node has one, else by the hospital's.

use super::{Document as _, DocumentError, decode};
use crate::limits;
use crate::member::Credential;
use crate::wire::bounds::first_wrong;
use crypto::envelope::Envelope;
use crypto::keys::VerifyingKey;

/// Payload of a review.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct Review {
    /// Format: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Origin of the log.
    #[prost(string, tag = "2")]
    pub log_origin: String,
    /// Index of the first entry that was reviewed.
    #[prost(uint64, tag = "3")]
    pub first: u64,
    /// One more than the index of the last one.
    #[prost(uint64, tag = "4")]
    pub end: u64,
    /// The reviewer, as they name themselves.
    #[prost(string, tag = "5")]
    pub by: String,
    /// What was found, in words.
    #[prost(string, tag = "6")]
    pub found: String,
    /// How many things were found that somebody must look into.
    #[prost(uint32, tag = "7")]
    pub findings: u32,
    /// When, microseconds since the Unix epoch.
    #[prost(uint64, tag = "8")]
    pub time_us: u64,
}

super::document!(
    Review,
    "review",
    "application/vnd.radmesh.review.v1",
    limits::REVIEW_MAX,
    |review| {
        let is_name = |text: &str| !text.is_empty() && text.len() <= limits::TEXT_MAX;
        first_wrong(&[
            (
                review.log_origin.len() <= limits::LOG_NAME_MAX,
                "log_origin",
            ),
            (review.first < review.end, "end"),
            (is_name(&review.by), "by"),
            (review.found.len() <= limits::REVIEW_TEXT_MAX, "found"),
        ])
    }
);

/// Whose key signed a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedBy {
    /// The person's whom the credential names.
    Person,
    /// The hospital's.
    Hospital,
}

/// Opens a review that a key of this credential signed.
///
/// # Errors
/// [`DocumentError`]: neither the person's key nor the hospital's signed it, or it is malformed.
pub fn open(envelope: &[u8], of: &Credential) -> Result<(Review, SignedBy), DocumentError> {
    if envelope.len() > Review::LONGEST {
        return Err(DocumentError::TooLong(Review::NAME, envelope.len()));
    }
    let refused = |source| DocumentError::Envelope {
        what: Review::NAME,
        source,
    };
    let opened = Envelope::decode(envelope).map_err(refused)?;
    let person = of
        .person
        .and_then(|person| VerifyingKey::from_bytes(person.as_bytes()).ok());
    let keys = [
        (person, SignedBy::Person),
        (of.hospital_key, SignedBy::Hospital),
    ];
    let mut last = DocumentError::Mismatch(Review::NAME, "signer");
    for (key, by) in keys {
        let Some(key) = key else { continue };
        match opened.verify_by(Review::TYPE, &key) {
            Ok(()) => return Ok((decode(&opened.payload)?, by)),
            Err(source) => last = refused(source),
        }
    }
    Err(last)
}
