//! Messages of a case, on `/radmesh/case/1`. Each is a request; its answer is empty and only says
//! "received".
//!
//! ```text
//! owner            reader
//!   OFFER   ----->            no identifiers, no pixels
//!           <----- CLAIM      with the session certificate
//!   GRANT   ----->            after its entry is durable and cosigned; or DENY
//!           <----- RECEIPT    with the proof of the reader's own log
//!   RECEIPT_ACK -->           after its entry is durable: fetching may begin
//!           <----- RENEW, answered by RENEWED or REVOKED
//!           <----- REPORT, answered by REPORT_ACK when it is durable
//! ```
//! The channel authenticates the sender's node; what must outlive the channel is a signed document
//! inside.

use prost::Message as _;
use prost::encoding::decode_key;

use crate::wire::bounds;

/// OFFER: what a reader needs to know to want a case, and nothing that names the patient.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Offer {
    /// Random, for this recipient only.
    #[prost(bytes = "vec", tag = "1")]
    pub offer: Vec<u8>,
    /// Modality.
    #[prost(string, tag = "2")]
    pub modality: String,
    /// Body part.
    #[prost(string, tag = "3")]
    pub body_part: String,
    /// Subspecialty wanted; empty for none.
    #[prost(string, tag = "4")]
    pub subspecialty: String,
    /// Language of the report wanted (BCP 47).
    #[prost(string, tag = "5")]
    pub report_language: String,
    /// The patient's jurisdiction (ISO 3166-1 alpha-2).
    #[prost(string, tag = "6")]
    pub jurisdiction: String,
    /// Urgency as attested: 1 STAT to 4 routine.
    #[prost(uint32, tag = "7")]
    pub urgency: u32,
    /// Microseconds from sending to the deadline.
    #[prost(uint64, tag = "8")]
    pub slack_us: u64,
    /// Bytes, as a bucket (`audit::header::bucket`).
    #[prost(uint32, tag = "9")]
    pub bytes_bucket: u32,
    /// Instances, likewise.
    #[prost(uint32, tag = "10")]
    pub instances_bucket: u32,
}

/// TAKEN: the offer is void; somebody has the case, or it ended.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Taken {
    /// The offer.
    #[prost(bytes = "vec", tag = "1")]
    pub offer: Vec<u8>,
}

/// CLAIM: this reader wants the case now.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Claim {
    /// The offer.
    #[prost(bytes = "vec", tag = "1")]
    pub offer: Vec<u8>,
    /// The session certificate, exact envelope.
    #[prost(bytes = "vec", tag = "2")]
    pub session: Vec<u8>,
}

/// Why a claim is denied. The numbers are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Denial {
    /// Not a reason; refused.
    Unspecified = 0,
    /// No such offer, or not made to this node.
    UnknownOffer = 1,
    /// Somebody else has the case, or it ended.
    Taken = 2,
    /// The policy does not allow it; the rules say why.
    Policy = 3,
    /// The credential or the session certificate is not valid.
    Credential = 4,
    /// The hospital cannot release now.
    Unavailable = 5,
}

/// DENY: the claim is refused.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Deny {
    /// The offer.
    #[prost(bytes = "vec", tag = "1")]
    pub offer: Vec<u8>,
    /// [`Denial`].
    #[prost(enumeration = "Denial", tag = "2")]
    pub denial: i32,
    /// Rules that decided, sorted.
    #[prost(string, repeated, tag = "3")]
    pub rules: Vec<String>,
    /// One sentence for a person.
    #[prost(string, tag = "4")]
    pub reason: String,
}

/// GRANT: the signed grant with the proof that it is logged.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GrantMessage {
    /// The exact grant envelope.
    #[prost(bytes = "vec", tag = "1")]
    pub grant: Vec<u8>,
    /// The grant's entry in the owner's log, exact bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub entry: Vec<u8>,
    /// Its inclusion in a cosigned checkpoint (`.tlog-proof` text).
    #[prost(bytes = "vec", tag = "3")]
    pub proof: Vec<u8>,
}

/// RECEIPT: the reader accepted, and their own log says so.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ReceiptMessage {
    /// The fence.
    #[prost(uint64, tag = "1")]
    pub fence: u64,
    /// The exact receipt envelope.
    #[prost(bytes = "vec", tag = "2")]
    pub receipt: Vec<u8>,
    /// The entry in the reader's log, exact bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub entry: Vec<u8>,
    /// Its inclusion in the reader's own signed checkpoint (`.tlog-proof` text).
    #[prost(bytes = "vec", tag = "4")]
    pub proof: Vec<u8>,
}

/// Anything that names only a lease.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Lease {
    /// The fence.
    #[prost(uint64, tag = "1")]
    pub fence: u64,
    /// Of a renewal, repeated in its answer: a late answer must not extend a later renewal.
    #[prost(uint64, tag = "2")]
    pub sequence: u64,
}

/// A lease ends, with a reason in words: HAND_BACK by the reader, REVOKED by the owner.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LeaseEnd {
    /// The fence.
    #[prost(uint64, tag = "1")]
    pub fence: u64,
    /// Why.
    #[prost(string, tag = "2")]
    pub reason: String,
    /// The desk says that it dropped keys and plaintext (a purge attestation).
    #[prost(bool, tag = "3")]
    pub purged: bool,
}

/// REPORT: the signed report.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ReportMessage {
    /// The fence.
    #[prost(uint64, tag = "1")]
    pub fence: u64,
    /// The exact report envelope.
    #[prost(bytes = "vec", tag = "2")]
    pub report: Vec<u8>,
}

/// REPORT_ACK: the report is durable at the hospital.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ReportAck {
    /// The fence.
    #[prost(uint64, tag = "1")]
    pub fence: u64,
    /// SHA-256 of the report envelope.
    #[prost(bytes = "vec", tag = "2")]
    pub report_hash: Vec<u8>,
    /// It was kept as an additional opinion, because the lease was over.
    #[prost(bool, tag = "3")]
    pub additional: bool,
}

/// One message of a case.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum Message {
    /// Owner to reader.
    #[prost(message, tag = "1")]
    Offer(Offer),
    /// Owner to reader.
    #[prost(message, tag = "2")]
    Taken(Taken),
    /// Reader to owner.
    #[prost(message, tag = "3")]
    Claim(Claim),
    /// Owner to reader.
    #[prost(message, tag = "4")]
    Deny(Deny),
    /// Owner to reader.
    #[prost(message, tag = "5")]
    Grant(GrantMessage),
    /// Reader to owner.
    #[prost(message, tag = "6")]
    Receipt(ReceiptMessage),
    /// Owner to reader: the receipt is durable, fetching may begin.
    #[prost(message, tag = "7")]
    ReceiptAck(Lease),
    /// Reader to owner.
    #[prost(message, tag = "8")]
    Renew(Lease),
    /// Owner to reader.
    #[prost(message, tag = "9")]
    Renewed(Lease),
    /// Owner to reader.
    #[prost(message, tag = "10")]
    Revoked(LeaseEnd),
    /// Reader to owner.
    #[prost(message, tag = "11")]
    HandBack(LeaseEnd),
    /// Reader to owner.
    #[prost(message, tag = "12")]
    Report(ReportMessage),
    /// Owner to reader.
    #[prost(message, tag = "13")]
    ReportAck(ReportAck),
    /// Reader to owner: after the report's acknowledgement, keys and plaintext were dropped.
    #[prost(message, tag = "14")]
    Purged(LeaseEnd),
    /// Owner to reader: the purge attestation is durable.
    #[prost(message, tag = "15")]
    PurgedAck(Lease),
}

/// The frame on the wire.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Frame {
    #[prost(
        oneof = "Message",
        tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15"
    )]
    message: Option<Message>,
}

/// Why bytes are not a message of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Longer than a message of its kind may be.
    #[error("the message has {0} bytes, more than its kind may have")]
    TooLong(usize),
    /// Not a message, or of a kind that this version does not know.
    #[error("the message is malformed")]
    Malformed,
    /// A field is missing, of the wrong length, or beyond its bound.
    #[error("{0}: the field `{1}` is missing or out of its bounds")]
    Field(&'static str, &'static str),
}

impl Message {
    /// The bytes on the wire. Sentences and descriptions that are longer than a receiver takes are
    /// cut: a long reason must not cost the message.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Frame {
            message: Some(bounds::cut(self.clone())),
        }
        .encode_to_vec()
    }

    /// Reads bytes off the wire. What is accepted is bounded in every field: any record and any
    /// header made from it fits the log.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut rest = bytes;
        let (tag, _) = decode_key(&mut rest).map_err(|_| WireError::Malformed)?;
        if bytes.len() > bounds::longest(tag) {
            return Err(WireError::TooLong(bytes.len()));
        }
        let frame = Frame::decode(bytes).map_err(|_| WireError::Malformed)?;
        let message = frame.message.ok_or(WireError::Malformed)?;
        if message.tag() != tag {
            return Err(WireError::Malformed);
        }
        match bounds::wrong_field(&message) {
            None => Ok(message),
            Some(field) => Err(WireError::Field(message.name(), field)),
        }
    }

    /// The field of the frame that it stands in.
    const fn tag(&self) -> u32 {
        match self {
            Self::Offer(_) => 1,
            Self::Taken(_) => 2,
            Self::Claim(_) => 3,
            Self::Deny(_) => 4,
            Self::Grant(_) => 5,
            Self::Receipt(_) => 6,
            Self::ReceiptAck(_) => 7,
            Self::Renew(_) => 8,
            Self::Renewed(_) => 9,
            Self::Revoked(_) => 10,
            Self::HandBack(_) => 11,
            Self::Report(_) => 12,
            Self::ReportAck(_) => 13,
            Self::Purged(_) => 14,
            Self::PurgedAck(_) => 15,
        }
    }

    /// The message's name, for logs and traces.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Offer(_) => "OFFER",
            Self::Taken(_) => "TAKEN",
            Self::Claim(_) => "CLAIM",
            Self::Deny(_) => "DENY",
            Self::Grant(_) => "GRANT",
            Self::Receipt(_) => "RECEIPT",
            Self::ReceiptAck(_) => "RECEIPT_ACK",
            Self::Renew(_) => "RENEW",
            Self::Renewed(_) => "RENEWED",
            Self::Revoked(_) => "REVOKED",
            Self::HandBack(_) => "HAND_BACK",
            Self::Report(_) => "REPORT",
            Self::ReportAck(_) => "REPORT_ACK",
            Self::Purged(_) => "PURGED",
            Self::PurgedAck(_) => "PURGED_ACK",
        }
    }
}

#[cfg(test)]
mod tests;
