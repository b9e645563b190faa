//! A log entry: clear header, commitments, and the digest of a payload that is sealed and durable
//! first.
//!
//! ```text
//! entry   = version(1) header commitment* nonce(32) payload-digest(32)
//! C(f, v) = SHA-256(label ‖ field name ‖ nonce ‖ salt(32) ‖ value)
//! payload = openings (field, salt, value), sealed under the subject's key
//! ```
//!
//! The commitments hide; the nonce and a salt for each field keep equal values from looking equal.
//! An opening is shown by handing over field, salt and value: the verifier recomputes the
//! commitment.

use crypto::digest::{Digest, labels, tagged};
use prost::Message;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::header::{self, Header, Kind};
use crate::ids::SubjectId;
use crate::limits;

/// The fields that are committed to and not shown. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Field {
    /// Not a field; refused.
    Unspecified = 0,
    /// The whole record, as the node replays it.
    Record = 1,
    /// The person who reads or read.
    Person = 2,
    /// Serial number of the credential relied on.
    Credential = 3,
    /// The patient identifier with its issuer.
    Patient = 4,
    /// Study Instance UID.
    Study = 5,
    /// The case.
    Case = 6,
    /// Exact counts: bytes and instances.
    Counts = 7,
    /// The facts that the policy decided from.
    Facts = 8,
    /// A reason in words.
    Reason = 9,
    /// The desk (node) that was used.
    Desk = 10,
}

impl Field {
    /// The name that enters the commitment.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Record => "record",
            Self::Person => "person",
            Self::Credential => "credential",
            Self::Patient => "patient",
            Self::Study => "study",
            Self::Case => "case",
            Self::Counts => "counts",
            Self::Facts => "facts",
            Self::Reason => "reason",
            Self::Desk => "desk",
        }
    }
}

/// One commitment.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Commitment {
    /// [`Field`].
    #[prost(enumeration = "Field", tag = "1")]
    pub field: i32,
    /// 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// One opening. It may name a patient: no Debug.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct Opening {
    /// [`Field`].
    #[prost(enumeration = "Field", tag = "1")]
    pub field: i32,
    /// 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub salt: Vec<u8>,
    /// The committed value.
    #[prost(bytes = "vec", tag = "3")]
    pub value: Vec<u8>,
}

/// The payload before it is sealed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct Openings {
    /// Format: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Openings in field order.
    #[prost(message, repeated, tag = "2")]
    pub openings: Vec<Opening>,
    /// Which of the subject's entries this is, from 1; 0 when the entry has no subject.
    #[prost(uint64, tag = "3")]
    pub subject_sequence: u64,
    /// One more than the index of the subject's previous entry; 0 for none.
    #[prost(uint64, tag = "4")]
    pub subject_previous: u64,
}

impl Openings {
    /// Finds the value of a field.
    #[must_use]
    pub fn value(&self, field: Field) -> Option<&[u8]> {
        let found = self
            .openings
            .iter()
            .find(|opening| opening.field == field as i32)?;
        Some(&found.value)
    }

    /// Reads unsealed payload bytes.
    ///
    /// # Errors
    /// [`EntryError`] when the bytes are not a payload of a version that this code knows.
    pub fn decode_bytes(bytes: &[u8]) -> Result<Self, EntryError> {
        let openings = Self::decode(bytes).map_err(|_| EntryError::Malformed)?;
        if openings.version != 1 {
            return Err(EntryError::Version(openings.version));
        }
        Ok(openings)
    }
}

/// An entry as the log holds it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Entry {
    /// Format: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The clear header.
    #[prost(message, optional, tag = "2")]
    pub header: Option<Header>,
    /// Commitments in field order.
    #[prost(message, repeated, tag = "3")]
    pub commitments: Vec<Commitment>,
    /// 32 random bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub nonce: Vec<u8>,
    /// SHA-256 of the sealed payload; empty when there is none.
    #[prost(bytes = "vec", tag = "5")]
    pub payload_digest: Vec<u8>,
}

/// Why entry bytes are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not an entry.
    #[error("the entry is malformed")]
    Malformed,
    /// A version that this code does not know.
    #[error("the entry has version {0}, which this release cannot read")]
    Version(u32),
    /// The bytes decode, but are not what the decoded entry encodes to.
    #[error("the entry's encoding is not canonical")]
    NotCanonical,
    /// It would not fit an entry bundle.
    #[error("the entry has {0} bytes; an entry bundle holds at most 65535")]
    TooLong(usize),
    /// An opening that does not belong to any commitment.
    #[error("an opening does not match its commitment")]
    WrongOpening,
}

impl Entry {
    /// Reads the exact bytes of a leaf.
    ///
    /// # Errors
    /// [`EntryError`]: malformed, unknown version, or an encoding that is not the canonical one.
    pub fn decode_bytes(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > limits::ENTRY_MAX {
            return Err(EntryError::TooLong(bytes.len()));
        }
        let entry = Self::decode(bytes).map_err(|_| EntryError::Malformed)?;
        if entry.version != 1 {
            return Err(EntryError::Version(entry.version));
        }
        if entry.encode_to_vec() != bytes {
            return Err(EntryError::NotCanonical);
        }
        let known = entry.header().kind != Kind::Unspecified as i32;
        let sized = entry.nonce.len() == 32
            && matches!(entry.payload_digest.len(), 0 | 32)
            && entry.commitments.iter().all(|c| c.value.len() == 32);
        if entry.header.is_none() || !known || !sized {
            return Err(EntryError::Malformed);
        }
        Ok(entry)
    }

    /// The clear header (the default one when it is missing, which [`Entry::decode_bytes`]
    /// refuses).
    #[must_use]
    pub fn header(&self) -> Header {
        self.header.clone().unwrap_or_default()
    }

    /// Checks that an opening belongs to this entry.
    ///
    /// # Errors
    /// [`EntryError::WrongOpening`] when no commitment of that field matches.
    pub fn check_opening(&self, opening: &Opening) -> Result<(), EntryError> {
        let field = Field::try_from(opening.field).map_err(|_| EntryError::WrongOpening)?;
        let expected = commitment(field, &self.nonce, &opening.salt, &opening.value);
        let matches = |c: &Commitment| c.field == opening.field && c.value == expected.as_bytes();
        if self.commitments.iter().any(matches) {
            Ok(())
        } else {
            Err(EntryError::WrongOpening)
        }
    }
}

/// The commitment to one value.
#[must_use]
pub fn commitment(field: Field, nonce: &[u8], salt: &[u8], value: &[u8]) -> Digest {
    tagged(
        labels::COMMITMENT,
        &[field.name().as_bytes(), nonce, salt, value],
    )
}

/// Where an entry stands among its subject's entries, so that a partial disclosure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectPlace {
    /// The subject.
    pub subject: SubjectId,
    /// Which of the subject's entries this is, from 1.
    pub sequence: u64,
    /// One more than the index of the one before; 0 for none.
    pub previous: u64,
}

/// An entry that waits for its payload to be sealed. It may name a patient: no Debug.
#[derive(Clone)]
pub struct EntryDraft {
    /// The clear header.
    pub header: Header,
    /// Whose key seals the payload; `None` for the node's own.
    pub subject: Option<SubjectId>,
    commitments: Vec<Commitment>,
    nonce: [u8; 32],
    payload: Zeroizing<Vec<u8>>,
}

impl EntryDraft {
    /// Commits to `fields`; nonce and salts come from `rng`.
    #[must_use]
    pub fn new<R: CryptoRng>(
        header: Header,
        subject: Option<SubjectPlace>,
        fields: Vec<(Field, Vec<u8>)>,
        rng: &mut R,
    ) -> Self {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let mut fields = fields;
        fields.sort_by_key(|(field, _)| *field);
        let mut commitments = Vec::with_capacity(fields.len());
        let mut openings = Openings {
            version: 1,
            subject_sequence: subject.map_or(0, |place| place.sequence),
            subject_previous: subject.map_or(0, |place| place.previous),
            ..Openings::default()
        };
        for (field, value) in fields {
            let mut salt = [0; 32];
            rng.fill_bytes(&mut salt);
            let hidden = commitment(field, &nonce, &salt, &value);
            commitments.push(Commitment {
                field: field as i32,
                value: hidden.as_bytes().to_vec(),
            });
            openings.openings.push(Opening {
                field: field as i32,
                salt: salt.to_vec(),
                value,
            });
        }
        let payload = Zeroizing::new(openings.encode_to_vec());
        let subject = subject.map(|place| place.subject);
        Self {
            header,
            subject,
            commitments,
            nonce,
            payload,
        }
    }

    /// The payload, to be sealed under the subject's key and made durable before the entry.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The exact bytes of the leaf, given the digest of the sealed payload.
    ///
    /// # Errors
    /// [`EntryError::TooLong`].
    pub fn finish(&self, payload_digest: Digest) -> Result<Vec<u8>, EntryError> {
        let entry = Entry {
            version: 1,
            header: Some(self.header.clone()),
            commitments: self.commitments.clone(),
            nonce: self.nonce.to_vec(),
            payload_digest: payload_digest.as_bytes().to_vec(),
        };
        let bytes = entry.encode_to_vec();
        if bytes.len() > limits::ENTRY_MAX {
            return Err(EntryError::TooLong(bytes.len()));
        }
        Ok(bytes)
    }
}

/// The header's canonical bytes, as they stand inside an entry.
#[must_use]
pub fn header_bytes(entry: &Entry) -> Vec<u8> {
    header::encode(&entry.header())
}
