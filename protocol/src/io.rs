//! What goes in and out of [`crate::core::Core`]: commands, messages, outcomes; transmits, effects,
//! events.

use crate::audit::entry::EntryDraft;
use crate::audit::record::{DisclosureRecord, OrderRecord, StudyRecord};
use crate::document::grant::Prepared;
use crate::document::report::Section;
use crate::ids::{CaseId, Fence, NodeId, OfferId, StudyId, SubjectId};
use crate::urgency::Urgency;
use crate::wire::case::Message;
use crypto::digest::Digest;

/// Names one effect, so that its outcome finds what waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(pub u64);

/// A message to one node.
#[derive(Clone, PartialEq)]
pub struct Transmit {
    /// To whom.
    pub to: NodeId,
    /// What.
    pub message: Message,
}

/// Which private key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// The hospital's key: grants.
    Hospital,
    /// The person's key: adverts, receipts, reports.
    Person,
}

/// What a person or the node's own shell asks for.
#[derive(Clone)]
pub enum Command {
    /// An object of this study is durable (owner). Starts or restarts the study's quiet period.
    ObjectStored {
        /// The study.
        study: StudyId,
    },
    /// A person closes a delivered case by hand (owner).
    CloseCase {
        /// The case.
        case: CaseId,
        /// Why.
        reason: String,
    },
    /// A person cancels a case (owner).
    CancelCase {
        /// The case.
        case: CaseId,
        /// Why.
        reason: String,
    },
    /// Ciphertext went out under a lease (owner).
    Served {
        /// The lease.
        fence: Fence,
        /// Bytes since the last such command.
        bytes: u64,
        /// Sealed files begun since then.
        files: u64,
    },
    /// Go on duty with a session certificate (reader).
    Advertise {
        /// The session certificate, exact envelope.
        session: Vec<u8>,
        /// Reads that can be taken on; 0 goes off duty.
        slots: u32,
    },
    /// Claim an offer (reader).
    Claim {
        /// The offer.
        offer: OfferId,
        /// Its owner; needed only when the offer is not in the book.
        owner: NodeId,
    },
    /// Hand a case back (reader).
    HandBack {
        /// The lease.
        fence: Fence,
        /// Its owner.
        owner: NodeId,
        /// Why.
        reason: String,
    },
    /// Sign and send a report (reader).
    Report {
        /// The lease.
        fence: Fence,
        /// Its owner.
        owner: NodeId,
        /// The report.
        draft: ReportDraft,
    },
    /// Log a review of this node's own log.
    LogReview {
        /// The signed review ([`crate::document::review::Review`]), exact envelope.
        review: Vec<u8>,
    },
    /// Log that openings of this node's entries are disclosed, before they are.
    LogDisclosure {
        /// Of what, and to whom.
        disclosure: DisclosureRecord,
        /// The patient, if it is openings of one.
        subject: Option<SubjectId>,
        /// The country whose regulator they are for (ISO 3166-1 alpha-2); else empty.
        country: String,
    },
}

/// A report before it is signed.
#[derive(Clone)]
pub struct ReportDraft {
    /// Template identifier.
    pub template: String,
    /// Language (BCP 47).
    pub language: String,
    /// Sections in the template's order.
    pub sections: Vec<Section>,
    /// Internal identifiers of the objects that were opened.
    pub opened: Vec<[u8; 16]>,
    /// Final, else preliminary.
    pub is_final: bool,
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// This node does not have the role.
    #[error("this node has no {0} role: add the section to its configuration")]
    NoRole(&'static str),
    /// No such case, offer or lease.
    #[error("there is no such {0} here")]
    Unknown(&'static str),
    /// The state does not allow it.
    #[error("not now: {0}")]
    NotNow(&'static str),
    /// Too much is waiting for the log writer.
    #[error("the log is behind; try again when it has caught up")]
    LogBehind,
    /// The argument is impossible.
    #[error("{0}")]
    Invalid(&'static str),
}

/// A study as the store describes it, with its order where there is one.
#[derive(Clone)]
pub struct StudyDescription {
    /// What is logged of the study.
    pub study: StudyRecord,
    /// What is logged of the order; `None` sends the study to the exceptions queue.
    pub order: Option<OrderRecord>,
    /// The patient, as a keyed digest.
    pub subject: SubjectId,
}

/// What the shell must do. Each has exactly one outcome unless it says otherwise.
#[expect(
    clippy::large_enum_variant,
    reason = "appends are the most frequent effect: a box would cost more than it saves"
)]
#[derive(Clone)]
pub enum Effect {
    /// Seal the payload, append the entry at exactly this index, durably. Outcome:
    /// [`Outcome::Durable`].
    Append {
        /// The index, consecutive.
        index: u64,
        /// The entry.
        draft: EntryDraft,
    },
    /// Give entry and proof of an index. Outcome: [`Outcome::Proved`].
    Prove {
        /// Which effect.
        id: EffectId,
        /// The index.
        index: u64,
        /// The proof must lead to a checkpoint that the quorum cosigned; else the log's own
        /// signature is enough.
        witnessed: bool,
    },
    /// Sign a payload as an envelope. Outcome: [`Outcome::Signed`] or [`Outcome::Failed`].
    Sign {
        /// Which effect.
        id: EffectId,
        /// With which key.
        key: KeyRole,
        /// The payload type.
        payload_type: &'static str,
        /// The payload, exact bytes.
        payload: Vec<u8>,
    },
    /// Describe a study that went quiet. Outcome: [`Outcome::Described`] or [`Outcome::Failed`].
    DescribeStudy {
        /// Which effect.
        id: EffectId,
        /// The study.
        study: StudyId,
    },
    /// Make a release: manifest, header pack, box. Outcome: [`Outcome::Prepared`] or
    /// [`Outcome::Failed`].
    PrepareRelease {
        /// Which effect.
        id: EffectId,
        /// The studies whose objects are granted.
        studies: Vec<StudyId>,
        /// The modalities that the policy was asked about: a study that has got images of another
        /// one since is not released.
        modalities: Vec<String>,
        /// The offer that names the release to its recipient.
        offer: OfferId,
        /// The desk's prekey.
        prekey: [u8; 32],
    },
    /// Deliver a report to the hospital's receiving system. Outcome: [`Outcome::Delivered`] or
    /// [`Outcome::Failed`], after which the core asks again later.
    Deliver {
        /// Which effect.
        id: EffectId,
        /// What is delivered.
        delivery: Box<Delivery>,
    },
    /// Publish an advert envelope. No outcome: adverts are repeated.
    PublishAdvert {
        /// The exact envelope.
        advert: Vec<u8>,
    },
    /// Start to fetch under a lease whose receipt was accepted (reader). No outcome.
    Fetch {
        /// The lease.
        fence: Fence,
        /// Its owner.
        owner: NodeId,
        /// The exact grant envelope.
        grant: Vec<u8>,
        /// The session certificate, exact envelope.
        session: Vec<u8>,
    },
    /// Drop keys and plaintext of a lease (reader). Outcome: [`Outcome::Purged`].
    Purge {
        /// Which effect.
        id: EffectId,
        /// The lease.
        fence: Fence,
        /// Its owner.
        owner: NodeId,
    },
    /// Remove what was made for a release that can no longer be granted or fetched. No outcome:
    /// what stays is removed at the next start (see [`crate::core::Core::live_releases`]).
    DropRelease {
        /// SHA-256 of the sealed manifest.
        manifest: Digest,
    },
    /// Page the hospital's own people. No outcome in this version: it is repeated by rule.
    Page {
        /// The case.
        case: CaseId,
        /// Why.
        reason: String,
    },
}

/// What a delivery carries. It names a patient: no Debug.
#[derive(Clone)]
pub struct Delivery {
    /// The case.
    pub case: CaseId,
    /// Its studies.
    pub studies: Vec<StudyId>,
    /// The order it answers.
    pub order: OrderRecord,
    /// The exact report envelope.
    pub report: Vec<u8>,
    /// The reader's node, for the name on the report.
    pub reader: NodeId,
}

/// How an effect went.
#[derive(Clone)]
pub enum Outcome {
    /// All entries up to and including this index are durable under the log's own checkpoint.
    Durable {
        /// The highest durable index.
        index: u64,
    },
    /// A checkpoint of this size was cosigned by the quorum.
    Witnessed {
        /// The tree size.
        size: u64,
    },
    /// An entry with its proof.
    Proved {
        /// Which effect.
        id: EffectId,
        /// The index.
        index: u64,
        /// The exact entry.
        entry: Vec<u8>,
        /// The `.tlog-proof` text.
        proof: Vec<u8>,
    },
    /// A signed envelope.
    Signed {
        /// Which effect.
        id: EffectId,
        /// The exact envelope.
        envelope: Vec<u8>,
    },
    /// A study's description.
    Described {
        /// Which effect.
        id: EffectId,
        /// The description.
        description: Box<StudyDescription>,
    },
    /// A prepared release.
    Prepared {
        /// Which effect.
        id: EffectId,
        /// What goes into the grant.
        prepared: Prepared,
    },
    /// A delivery.
    Delivered {
        /// Which effect.
        id: EffectId,
        /// Where to, in words without patient data.
        destination: String,
        /// The receiving system acknowledged it.
        acknowledged: bool,
    },
    /// A desk dropped keys and plaintext.
    Purged {
        /// Which effect.
        id: EffectId,
        /// Ciphertext bytes that had been received.
        bytes: u64,
        /// Objects that had been received.
        objects: u64,
    },
    /// It could not be done.
    Failed {
        /// Which effect.
        id: EffectId,
        /// Why, in words without patient data.
        reason: String,
    },
}

/// What a person may want to know. Nothing here names a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A case changed its state (owner).
    CaseState {
        /// The case.
        case: CaseId,
        /// The state's name.
        state: &'static str,
    },
    /// A study waits for its order, or for a rule that takes it (owner).
    StudyWaits {
        /// The study.
        study: StudyId,
        /// Why.
        reason: String,
    },
    /// A candidate was not asked, or a claim was refused (owner).
    Refused {
        /// The case.
        case: CaseId,
        /// The reader's node.
        node: NodeId,
        /// The rules that decided.
        rules: Vec<String>,
        /// One sentence.
        reason: String,
    },
    /// A grant was sent: its entry is durable and cosigned (owner).
    Granted {
        /// The case.
        case: CaseId,
        /// The lease.
        fence: Fence,
        /// The reader's node.
        node: NodeId,
    },
    /// An offer came in or changed (reader).
    OfferState {
        /// The offer.
        offer: OfferId,
        /// The state's name.
        state: &'static str,
        /// The owner.
        owner: NodeId,
        /// The urgency.
        urgency: Urgency,
    },
    /// A claim was denied (reader).
    Denied {
        /// The offer.
        offer: OfferId,
        /// The rules that decided.
        rules: Vec<String>,
        /// One sentence.
        reason: String,
    },
    /// A grant was refused by this desk (reader).
    GrantRefused {
        /// The offer.
        offer: OfferId,
        /// Which check failed.
        reason: String,
    },
    /// A lease changed (reader).
    LeaseState {
        /// The lease.
        fence: Fence,
        /// Its owner.
        owner: NodeId,
        /// The state's name.
        state: &'static str,
    },
}

/// What the core makes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Taken in.
    Accept,
    /// Of no use now (late, repeated, unknown): not the peer's fault.
    Ignore(&'static str),
    /// The peer did what no correct peer does.
    Reject(&'static str),
}
