//! The clear header of an entry: what every verifier of the log may see.

use crypto::digest::Digest;
use prost::Message;

use crate::time::Wall;
use crate::urgency::Urgency;

/// What kind of thing happened (DICOM PS3.15 A.5 calls it the event).
///
/// The numbers are stored: they are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Kind {
    /// Not a kind; refused.
    Unspecified = 0,
    /// The node started.
    NodeStarted = 1,
    /// The node stopped in order.
    NodeStopped = 2,
    /// A clock or boot identifier did not continue as it should.
    ClockAnomaly = 3,
    /// A credential was accepted into the roster.
    CredentialAccepted = 10,
    /// An order was received (or made from a DICOM header, by rule).
    OrderReceived = 20,
    /// A study was received and found complete.
    StudyReceived = 21,
    /// A case was opened.
    CaseOpened = 30,
    /// A case was offered to readers.
    CaseOffered = 31,
    /// A reader claimed a case (the reader's own log).
    CaseClaimed = 32,
    /// A case was handed back by its reader.
    CaseHandedBack = 33,
    /// A lease expired.
    LeaseExpired = 34,
    /// The holder of an expired lease resumed within grace.
    LeaseResumed = 35,
    /// A case was escalated to the hospital's own people.
    CaseEscalated = 36,
    /// A case was closed.
    CaseClosed = 37,
    /// A case was cancelled by the hospital.
    CaseCancelled = 38,
    /// A release was granted (the hospital's log).
    ReleaseGranted = 40,
    /// A release was refused.
    ReleaseRefused = 41,
    /// A grant was verified and accepted (the reader's log).
    GrantAccepted = 42,
    /// A reader's receipt was verified (the hospital's log).
    ReceiptAccepted = 43,
    /// Access to images began.
    AccessBegun = 44,
    /// Access to images ended.
    AccessEnded = 45,
    /// A report was signed (the reader's log).
    ReportSigned = 50,
    /// A report was received (the hospital's log).
    ReportReceived = 51,
    /// A report was delivered to the receiving system.
    ReportDelivered = 52,
    /// A person reviewed a range of the log (PS3.15 110101, Audit Log Used).
    LogReviewed = 60,
    /// Openings of entries were disclosed to somebody who is named (PS3.15 110106, Export).
    OpeningDisclosed = 61,
}

/// The action of PS3.15 A.5.2 (EventActionCode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Action {
    /// Not an action; refused.
    Unspecified = 0,
    /// C.
    Create = 1,
    /// R.
    Read = 2,
    /// U.
    Update = 3,
    /// D.
    Delete = 4,
    /// E.
    Execute = 5,
}

/// The outcome of PS3.15 A.5.2 (EventOutcomeIndicator), by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Outcome {
    /// Not an outcome; refused.
    Unspecified = 0,
    /// It was done.
    Success = 1,
    /// It was refused by rule: nothing went wrong.
    Refused = 2,
    /// It failed.
    Failure = 3,
}

/// The clear header. Identifiers of persons, patients, studies and cases are never here.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Header {
    /// Format of this header: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// [`Kind`].
    #[prost(enumeration = "Kind", tag = "2")]
    pub kind: i32,
    /// [`Action`].
    #[prost(enumeration = "Action", tag = "3")]
    pub action: i32,
    /// [`Outcome`].
    #[prost(enumeration = "Outcome", tag = "4")]
    pub outcome: i32,
    /// UTC, microseconds since the Unix epoch.
    #[prost(uint64, tag = "5")]
    pub time_us: u64,
    /// How far off that may be, in microseconds.
    #[prost(uint64, tag = "6")]
    pub uncertainty_us: u64,
    /// The organisation whose node wrote the entry (PS3.15 AuditSource).
    #[prost(string, tag = "7")]
    pub source: String,
    /// ISO 3166-1 alpha-2 country that the data is in.
    #[prost(string, tag = "8")]
    pub from_country: String,
    /// ISO 3166-1 alpha-2 country that the data is seen from.
    #[prost(string, tag = "9")]
    pub to_country: String,
    /// How the receiving side stands in law: "own-staff", "controller", "processor".
    #[prost(string, tag = "10")]
    pub legal_role: String,
    /// The basis or instrument that the deciding rule names.
    #[prost(string, tag = "11")]
    pub basis: String,
    /// Purpose of use (HL7 v3 PurposeOfUse): "TREAT".
    #[prost(string, tag = "12")]
    pub purpose: String,
    /// SHA-256 of the policy text that decided; empty where nothing was decided.
    #[prost(bytes = "vec", tag = "13")]
    pub policy_hash: Vec<u8>,
    /// Identifiers of the deciding rules, sorted.
    #[prost(string, repeated, tag = "14")]
    pub rules: Vec<String>,
    /// Version of the revocation list that was in force; 0 while there is none.
    #[prost(uint64, tag = "15")]
    pub revocation_version: u64,
    /// Urgency as the case carries it: 0 none, 1 STAT, 2 emergent, 3 urgent, 4 routine.
    #[prost(uint32, tag = "16")]
    pub urgency: u32,
    /// Break-glass was used.
    #[prost(bool, tag = "17")]
    pub emergency: bool,
    /// Bytes, as the smallest power of two that holds them: the exponent plus one, 0 for none.
    #[prost(uint32, tag = "18")]
    pub bytes_bucket: u32,
    /// Instances, likewise.
    #[prost(uint32, tag = "19")]
    pub instances_bucket: u32,
    /// SHA-256 of the exact grant envelope, for entries of one release; else empty.
    #[prost(bytes = "vec", tag = "20")]
    pub grant_hash: Vec<u8>,
    /// What a review covered; absent from every other kind of entry.
    #[prost(message, optional, tag = "21")]
    pub reviewed: Option<Reviewed>,
}

/// What a review of the log covered. Who reviewed, and what was found in words, is not shown.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Reviewed {
    /// Index of the first entry that was reviewed.
    #[prost(uint64, tag = "1")]
    pub first: u64,
    /// One more than the index of the last one.
    #[prost(uint64, tag = "2")]
    pub end: u64,
    /// How many things were found that somebody must look into.
    #[prost(uint32, tag = "3")]
    pub findings: u32,
    /// When the next review is due at the latest, microseconds since the Unix epoch.
    #[prost(uint64, tag = "4")]
    pub next_due_us: u64,
}

impl Reviewed {
    /// Whether an entry at `index` can speak of this range: it is not empty, and stands before it.
    #[must_use]
    pub const fn is_before(&self, index: u64) -> bool {
        self.first < self.end && self.end <= index
    }
}

impl Header {
    /// The format that this code writes.
    pub const VERSION: u32 = 1;

    /// A header with the fields that every entry has.
    #[must_use]
    pub fn new(kind: Kind, action: Action, source: &str, wall: Wall) -> Self {
        Self {
            version: Self::VERSION,
            kind: kind as i32,
            action: action as i32,
            outcome: Outcome::Success as i32,
            time_us: wall.unix_us,
            uncertainty_us: wall.uncertainty_us,
            source: source.to_owned(),
            ..Self::default()
        }
    }

    /// Notes the grant whose release this entry belongs to.
    #[must_use]
    pub fn with_grant(mut self, grant: Digest) -> Self {
        self.grant_hash = grant.as_bytes().to_vec();
        self
    }

    /// Notes the urgency.
    #[must_use]
    pub const fn with_urgency(mut self, urgency: Urgency) -> Self {
        self.urgency = urgency as u32;
        self
    }

    /// Notes how much, in buckets.
    #[must_use]
    pub const fn with_volume(mut self, bytes: u64, instances: u64) -> Self {
        self.bytes_bucket = bucket(bytes);
        self.instances_bucket = bucket(instances);
        self
    }
}

/// The bucket of a count: 0 for none, else one more than the exponent of the smallest power of two
/// that holds it.
#[must_use]
pub const fn bucket(count: u64) -> u32 {
    if count == 0 {
        0
    } else {
        u64::BITS - (count - 1).leading_zeros() + 1
    }
}

/// The canonical bytes of a header.
#[must_use]
pub fn encode(header: &Header) -> Vec<u8> {
    header.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::bucket;

    #[test]
    fn buckets_hide_exact_counts() {
        let of = [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 3),
            (4, 3),
            (5, 4),
            (1 << 20, 21),
            (u64::MAX, 65),
        ];
        for (count, expected) in of {
            assert_eq!(bucket(count), expected, "{count}");
        }
    }
}
