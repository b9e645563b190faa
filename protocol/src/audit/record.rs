//! The records: everything that must be logged, with all that a node needs to rebuild its state
//! from it.
//!
//! A record is committed to as a whole (field `record`) and, for disclosure one by one, in the
//! fields that name a person, a patient, a study or a case. Records are stored: fields are added,
//! never renumbered.

use prost::Message;

use super::entry::{Field, Openings};
use super::header::Kind;

/// The order behind a case, as received.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct OrderRecord {
    /// The order's identifier at this hospital.
    #[prost(bytes = "vec", tag = "1")]
    pub order: Vec<u8>,
    /// Accession number (0008,0050).
    #[prost(string, tag = "2")]
    pub accession: String,
    /// Patient identifier with its issuer, as `id^^^issuer` (HL7 CX).
    #[prost(string, tag = "3")]
    pub patient: String,
    /// The clinical question.
    #[prost(string, tag = "4")]
    pub question: String,
    /// The clinical history.
    #[prost(string, tag = "5")]
    pub history: String,
    /// Urgency as ordered: 1 STAT to 4 routine.
    #[prost(uint32, tag = "6")]
    pub urgency_ordered: u32,
    /// Language of the report wanted (BCP 47).
    #[prost(string, tag = "7")]
    pub report_language: String,
    /// Where it came from: "file" or "dicom-header".
    #[prost(string, tag = "8")]
    pub origin: String,
    /// The patient's jurisdiction (ISO 3166-1 alpha-2).
    #[prost(string, tag = "9")]
    pub jurisdiction: String,
    /// The study must not be seen from another country.
    #[prost(bool, tag = "10")]
    pub resident: bool,
}

/// A study as received.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct StudyRecord {
    /// The study's identifier at this hospital.
    #[prost(bytes = "vec", tag = "1")]
    pub study: Vec<u8>,
    /// Study Instance UID (0020,000D).
    #[prost(string, tag = "2")]
    pub study_uid: String,
    /// Objects in it.
    #[prost(uint64, tag = "3")]
    pub objects: u64,
    /// Their bytes.
    #[prost(uint64, tag = "4")]
    pub bytes: u64,
    /// Modality (0008,0060) by which the study is named: the first of its images'.
    #[prost(string, tag = "5")]
    pub modality: String,
    /// Body part examined (0018,0015).
    #[prost(string, tag = "6")]
    pub body_part: String,
    /// Study description (0008,1030).
    #[prost(string, tag = "7")]
    pub description: String,
    /// Images arrived after the case was opened.
    #[prost(bool, tag = "8")]
    pub late: bool,
    /// Accession number (0008,0050), to join it with its order.
    #[prost(string, tag = "9")]
    pub accession: String,
    /// Patient identifier with its issuer, as `id^^^issuer` (HL7 CX).
    #[prost(string, tag = "10")]
    pub patient: String,
    /// Modalities of all its images, sorted: whoever reads it must read each.
    #[prost(string, repeated, tag = "11")]
    pub modalities: Vec<String>,
}

impl StudyRecord {
    /// The modalities that rules and policy are asked about; never empty.
    #[must_use]
    pub fn judged_modalities(&self) -> Vec<String> {
        match self.modalities.is_empty() {
            true => vec![self.modality.clone()],
            false => self.modalities.clone(),
        }
    }
}

/// A case as opened.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct CaseRecord {
    /// The case.
    #[prost(bytes = "vec", tag = "1")]
    pub case: Vec<u8>,
    /// Its orders.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub orders: Vec<Vec<u8>>,
    /// Its studies.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub studies: Vec<Vec<u8>>,
    /// The patient, as a keyed digest.
    #[prost(bytes = "vec", tag = "4")]
    pub subject: Vec<u8>,
    /// Urgency as ordered: 1 STAT to 4 routine.
    #[prost(uint32, tag = "5")]
    pub urgency_ordered: u32,
    /// Urgency as attested by the hospital's rule or a person.
    #[prost(uint32, tag = "6")]
    pub urgency_attested: u32,
    /// When the report is due, microseconds since the Unix epoch.
    #[prost(uint64, tag = "7")]
    pub deadline_us: u64,
    /// Subspecialty wanted.
    #[prost(string, tag = "8")]
    pub subspecialty: String,
    /// The rule that opened it.
    #[prost(string, tag = "9")]
    pub rule: String,
}

/// One recipient of an offer.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OfferTo {
    /// The offer's identifier for this recipient.
    #[prost(bytes = "vec", tag = "1")]
    pub offer: Vec<u8>,
    /// The reader's node.
    #[prost(bytes = "vec", tag = "2")]
    pub node: Vec<u8>,
}

/// A ring of offers.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OfferedRecord {
    /// The case.
    #[prost(bytes = "vec", tag = "1")]
    pub case: Vec<u8>,
    /// Which ring, from 1.
    #[prost(uint32, tag = "2")]
    pub ring: u32,
    /// To whom.
    #[prost(message, repeated, tag = "3")]
    pub offers: Vec<OfferTo>,
}

/// A decision on a release, for the log.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct DecisionRecord {
    /// Allowed.
    #[prost(bool, tag = "1")]
    pub allowed: bool,
    /// SHA-256 of the policy text.
    #[prost(bytes = "vec", tag = "2")]
    pub policy_hash: Vec<u8>,
    /// Deciding rules, sorted.
    #[prost(string, repeated, tag = "3")]
    pub rules: Vec<String>,
    /// The facts, as their canonical text.
    #[prost(string, tag = "4")]
    pub facts: String,
    /// The engine and its version.
    #[prost(string, tag = "5")]
    pub engine: String,
    /// Legal basis that the deciding rule names.
    #[prost(string, tag = "6")]
    pub basis: String,
}

/// A release granted (hospital) or refused, and the two sides' later records of the same release.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct ReleaseRecord {
    /// The case (the owner's); on the reader's side the offer stands for it.
    #[prost(bytes = "vec", tag = "1")]
    pub case: Vec<u8>,
    /// The offer that was claimed.
    #[prost(bytes = "vec", tag = "2")]
    pub offer: Vec<u8>,
    /// The other side's node: the reader's desk (owner's log) or the hospital (reader's log).
    #[prost(bytes = "vec", tag = "3")]
    pub peer: Vec<u8>,
    /// The reader.
    #[prost(bytes = "vec", tag = "4")]
    pub person: Vec<u8>,
    /// Serial number of the reader's credential.
    #[prost(uint64, tag = "5")]
    pub credential: u64,
    /// The exact grant envelope; empty for a refusal.
    #[prost(bytes = "vec", tag = "6")]
    pub grant: Vec<u8>,
    /// The decision.
    #[prost(message, optional, tag = "7")]
    pub decision: Option<DecisionRecord>,
    /// Why it was refused, in words; empty for a grant.
    #[prost(string, tag = "8")]
    pub reason: String,
    /// The fence: the index of the grant's entry in the owner's log.
    #[prost(uint64, tag = "9")]
    pub fence: u64,
    /// The exact receipt envelope, where there is one.
    #[prost(bytes = "vec", tag = "10")]
    pub receipt: Vec<u8>,
    /// The other log's proof (`.tlog-proof` text) of its entry for the same grant.
    #[prost(bytes = "vec", tag = "11")]
    pub proof: Vec<u8>,
    /// The other log's entry for the same grant, exact bytes.
    #[prost(bytes = "vec", tag = "12")]
    pub peer_entry: Vec<u8>,
    /// Which of the reader's prekeys the grant was sealed to.
    #[prost(bytes = "vec", tag = "13")]
    pub prekey: Vec<u8>,
    /// The exact session certificate envelope relied on.
    #[prost(bytes = "vec", tag = "14")]
    pub session: Vec<u8>,
}

/// Something about a lease: expired, resumed, handed back, escalated, cancelled, closed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct CaseNote {
    /// The case (the owner's log) or the offer (the reader's).
    #[prost(bytes = "vec", tag = "1")]
    pub case: Vec<u8>,
    /// The lease's fence, where there is one.
    #[prost(uint64, tag = "2")]
    pub fence: u64,
    /// A reason in words.
    #[prost(string, tag = "3")]
    pub reason: String,
    /// The other side's node, where there is one.
    #[prost(bytes = "vec", tag = "4")]
    pub peer: Vec<u8>,
}

/// Access to images, begun or ended.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct AccessRecord {
    /// The case (the owner's log) or the offer (the reader's).
    #[prost(bytes = "vec", tag = "1")]
    pub case: Vec<u8>,
    /// The lease's fence.
    #[prost(uint64, tag = "2")]
    pub fence: u64,
    /// Ciphertext bytes served (owner) or received (reader); 0 at the begin.
    #[prost(uint64, tag = "3")]
    pub bytes: u64,
    /// Objects likewise.
    #[prost(uint64, tag = "4")]
    pub objects: u64,
    /// The desk says that it dropped keys and plaintext.
    #[prost(bool, tag = "5")]
    pub purged: bool,
    /// SHA-256 of the grant.
    #[prost(bytes = "vec", tag = "6")]
    pub grant_hash: Vec<u8>,
    /// The desk's report or hand-back was not answered yet: it is still to be said (reader).
    #[prost(bool, tag = "7")]
    pub unanswered: bool,
}

/// A report signed (reader), received or delivered (owner).
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct ReportRecord {
    /// The case (the owner's log) or the offer (the reader's).
    #[prost(bytes = "vec", tag = "1")]
    pub case: Vec<u8>,
    /// The lease's fence.
    #[prost(uint64, tag = "2")]
    pub fence: u64,
    /// The exact report envelope (not repeated at delivery).
    #[prost(bytes = "vec", tag = "3")]
    pub report: Vec<u8>,
    /// It came on an old fence: an additional opinion, never the primary report.
    #[prost(bool, tag = "4")]
    pub additional: bool,
    /// Where it was delivered.
    #[prost(string, tag = "5")]
    pub destination: String,
    /// The receiving system acknowledged it.
    #[prost(bool, tag = "6")]
    pub acknowledged: bool,
    /// SHA-256 of the report envelope.
    #[prost(bytes = "vec", tag = "7")]
    pub report_hash: Vec<u8>,
    /// The other side's node.
    #[prost(bytes = "vec", tag = "8")]
    pub peer: Vec<u8>,
}

/// The node's own life.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct NodeRecord {
    /// Software version.
    #[prost(string, tag = "1")]
    pub software: String,
    /// Boot identifier, 16 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub boot: Vec<u8>,
    /// Microseconds since that boot.
    #[prost(uint64, tag = "3")]
    pub tick: u64,
    /// A reason in words (for an anomaly).
    #[prost(string, tag = "4")]
    pub reason: String,
    /// SHA-256 of the policy text in force.
    #[prost(bytes = "vec", tag = "5")]
    pub policy_hash: Vec<u8>,
}

/// A credential accepted into the roster.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CredentialRecord {
    /// The exact envelope.
    #[prost(bytes = "vec", tag = "1")]
    pub credential: Vec<u8>,
}

/// A review of the log.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct ReviewRecord {
    /// The exact envelope of the signed review ([`crate::document::review::Review`]).
    #[prost(bytes = "vec", tag = "1")]
    pub review: Vec<u8>,
}

/// Openings disclosed to somebody.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct DisclosureRecord {
    /// To whom, in words.
    #[prost(string, tag = "1")]
    pub to: String,
    /// What was asked for: "patient", "country" or "index".
    #[prost(string, tag = "2")]
    pub scope: String,
    /// Indexes of the entries that were opened, ascending; packed, so three bytes each.
    #[prost(uint64, repeated, tag = "3")]
    pub entries: Vec<u64>,
    /// The patient, where openings were disclosed of one: `id^^^issuer` (HL7 CX).
    #[prost(string, tag = "4")]
    pub patient: String,
}

/// Everything that is logged, by kind.
#[derive(Clone, PartialEq)]
pub enum Record {
    /// [`Kind::NodeStarted`].
    NodeStarted(NodeRecord),
    /// [`Kind::NodeStopped`].
    NodeStopped(NodeRecord),
    /// [`Kind::ClockAnomaly`].
    ClockAnomaly(NodeRecord),
    /// [`Kind::CredentialAccepted`].
    CredentialAccepted(CredentialRecord),
    /// [`Kind::OrderReceived`].
    OrderReceived(OrderRecord),
    /// [`Kind::StudyReceived`].
    StudyReceived(StudyRecord),
    /// [`Kind::CaseOpened`].
    CaseOpened(CaseRecord),
    /// [`Kind::CaseOffered`].
    CaseOffered(OfferedRecord),
    /// [`Kind::CaseClaimed`].
    CaseClaimed(ReleaseRecord),
    /// [`Kind::CaseHandedBack`].
    CaseHandedBack(CaseNote),
    /// [`Kind::LeaseExpired`].
    LeaseExpired(CaseNote),
    /// [`Kind::LeaseResumed`].
    LeaseResumed(CaseNote),
    /// [`Kind::CaseEscalated`].
    CaseEscalated(CaseNote),
    /// [`Kind::CaseClosed`].
    CaseClosed(CaseNote),
    /// [`Kind::CaseCancelled`].
    CaseCancelled(CaseNote),
    /// [`Kind::ReleaseGranted`].
    ReleaseGranted(ReleaseRecord),
    /// [`Kind::ReleaseRefused`].
    ReleaseRefused(ReleaseRecord),
    /// [`Kind::GrantAccepted`].
    GrantAccepted(ReleaseRecord),
    /// [`Kind::ReceiptAccepted`].
    ReceiptAccepted(ReleaseRecord),
    /// [`Kind::AccessBegun`].
    AccessBegun(AccessRecord),
    /// [`Kind::AccessEnded`].
    AccessEnded(AccessRecord),
    /// [`Kind::ReportSigned`].
    ReportSigned(ReportRecord),
    /// [`Kind::ReportReceived`].
    ReportReceived(ReportRecord),
    /// [`Kind::ReportDelivered`].
    ReportDelivered(ReportRecord),
    /// [`Kind::LogReviewed`].
    LogReviewed(ReviewRecord),
    /// [`Kind::OpeningDisclosed`].
    OpeningDisclosed(DisclosureRecord),
}

/// A record that cannot be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The payload holds no record.
    #[error("the entry's payload holds no record")]
    Missing,
    /// The record does not decode.
    #[error("the record is malformed")]
    Malformed,
    /// A kind that this code does not know.
    #[error("the entry is of kind {0}, which this release cannot replay")]
    UnknownKind(i32),
}

/// Applies `$body` to the message of whichever record it is.
macro_rules! each {
    ($record:expr, $message:ident => $body:expr) => {
        match $record {
            Record::NodeStarted($message)
            | Record::NodeStopped($message)
            | Record::ClockAnomaly($message) => $body,
            Record::CredentialAccepted($message) => $body,
            Record::OrderReceived($message) => $body,
            Record::StudyReceived($message) => $body,
            Record::CaseOpened($message) => $body,
            Record::CaseOffered($message) => $body,
            Record::CaseClaimed($message)
            | Record::ReleaseGranted($message)
            | Record::ReleaseRefused($message)
            | Record::GrantAccepted($message)
            | Record::ReceiptAccepted($message) => $body,
            Record::CaseHandedBack($message)
            | Record::LeaseExpired($message)
            | Record::LeaseResumed($message)
            | Record::CaseEscalated($message)
            | Record::CaseClosed($message)
            | Record::CaseCancelled($message) => $body,
            Record::AccessBegun($message) | Record::AccessEnded($message) => $body,
            Record::ReportSigned($message)
            | Record::ReportReceived($message)
            | Record::ReportDelivered($message) => $body,
            Record::LogReviewed($message) => $body,
            Record::OpeningDisclosed($message) => $body,
        }
    };
}

impl Record {
    /// The kind that the header shows.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::NodeStarted(_) => Kind::NodeStarted,
            Self::NodeStopped(_) => Kind::NodeStopped,
            Self::ClockAnomaly(_) => Kind::ClockAnomaly,
            Self::CredentialAccepted(_) => Kind::CredentialAccepted,
            Self::OrderReceived(_) => Kind::OrderReceived,
            Self::StudyReceived(_) => Kind::StudyReceived,
            Self::CaseOpened(_) => Kind::CaseOpened,
            Self::CaseOffered(_) => Kind::CaseOffered,
            Self::CaseClaimed(_) => Kind::CaseClaimed,
            Self::CaseHandedBack(_) => Kind::CaseHandedBack,
            Self::LeaseExpired(_) => Kind::LeaseExpired,
            Self::LeaseResumed(_) => Kind::LeaseResumed,
            Self::CaseEscalated(_) => Kind::CaseEscalated,
            Self::CaseClosed(_) => Kind::CaseClosed,
            Self::CaseCancelled(_) => Kind::CaseCancelled,
            Self::ReleaseGranted(_) => Kind::ReleaseGranted,
            Self::ReleaseRefused(_) => Kind::ReleaseRefused,
            Self::GrantAccepted(_) => Kind::GrantAccepted,
            Self::ReceiptAccepted(_) => Kind::ReceiptAccepted,
            Self::AccessBegun(_) => Kind::AccessBegun,
            Self::AccessEnded(_) => Kind::AccessEnded,
            Self::ReportSigned(_) => Kind::ReportSigned,
            Self::ReportReceived(_) => Kind::ReportReceived,
            Self::ReportDelivered(_) => Kind::ReportDelivered,
            Self::LogReviewed(_) => Kind::LogReviewed,
            Self::OpeningDisclosed(_) => Kind::OpeningDisclosed,
        }
    }

    /// The record's bytes, as the `record` field is committed to.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        each!(self, message => message.encode_to_vec())
    }

    /// Reads a record back from an opened payload.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode(kind: i32, openings: &Openings) -> Result<Self, RecordError> {
        let bytes = openings.value(Field::Record).ok_or(RecordError::Missing)?;
        let known = Kind::try_from(kind).map_err(|_| RecordError::UnknownKind(kind))?;
        decode_as(known, bytes)
    }
}

/// Decodes the message of one kind.
fn decode_as(kind: Kind, bytes: &[u8]) -> Result<Record, RecordError> {
    fn read<M: Message + Default, T>(bytes: &[u8], make: fn(M) -> T) -> Result<T, RecordError> {
        M::decode(bytes)
            .map(make)
            .map_err(|_| RecordError::Malformed)
    }
    match kind {
        Kind::Unspecified => Err(RecordError::UnknownKind(0)),
        Kind::NodeStarted => read(bytes, Record::NodeStarted),
        Kind::NodeStopped => read(bytes, Record::NodeStopped),
        Kind::ClockAnomaly => read(bytes, Record::ClockAnomaly),
        Kind::CredentialAccepted => read(bytes, Record::CredentialAccepted),
        Kind::OrderReceived => read(bytes, Record::OrderReceived),
        Kind::StudyReceived => read(bytes, Record::StudyReceived),
        Kind::CaseOpened => read(bytes, Record::CaseOpened),
        Kind::CaseOffered => read(bytes, Record::CaseOffered),
        Kind::CaseClaimed => read(bytes, Record::CaseClaimed),
        Kind::CaseHandedBack => read(bytes, Record::CaseHandedBack),
        Kind::LeaseExpired => read(bytes, Record::LeaseExpired),
        Kind::LeaseResumed => read(bytes, Record::LeaseResumed),
        Kind::CaseEscalated => read(bytes, Record::CaseEscalated),
        Kind::CaseClosed => read(bytes, Record::CaseClosed),
        Kind::CaseCancelled => read(bytes, Record::CaseCancelled),
        Kind::ReleaseGranted => read(bytes, Record::ReleaseGranted),
        Kind::ReleaseRefused => read(bytes, Record::ReleaseRefused),
        Kind::GrantAccepted => read(bytes, Record::GrantAccepted),
        Kind::ReceiptAccepted => read(bytes, Record::ReceiptAccepted),
        Kind::AccessBegun => read(bytes, Record::AccessBegun),
        Kind::AccessEnded => read(bytes, Record::AccessEnded),
        Kind::ReportSigned => read(bytes, Record::ReportSigned),
        Kind::ReportReceived => read(bytes, Record::ReportReceived),
        Kind::ReportDelivered => read(bytes, Record::ReportDelivered),
        Kind::LogReviewed => read(bytes, Record::LogReviewed),
        Kind::OpeningDisclosed => read(bytes, Record::OpeningDisclosed),
    }
}
