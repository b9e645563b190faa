//! The one table: what each kind of entry is called in DICOM's vocabulary (PS3.15 A.5.3, PS3.16
//! CID 400 to 403), which way data flows, and which pattern of IHE's Basic Audit Log Patterns
//! (BALP) it follows.

use crate::audit::header::{Action, Kind};

/// A coded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) code: &'static str,
    pub(super) text: &'static str,
}

/// A code of the DICOM controlled terminology (PS3.16 annex D).
const fn dcm(code: &'static str, text: &'static str) -> Code {
    Code { code, text }
}

/// Name of DICOM's terminology as a coding scheme.
pub(super) const DCM: &str = "DCM";
/// Name of our own coding scheme: the kinds of entries, and what PS3.15 has no code for.
pub(super) const RADMESH: &str = "RADMESH";

pub(super) const APPLICATION: Code = dcm("110150", "Application");
pub(super) const DESTINATION: Code = dcm("110152", "Destination Role ID");
pub(super) const SOURCE: Code = dcm("110153", "Source Role ID");
pub(super) const STUDY_UID: Code = dcm("110180", "Study Instance UID");
/// PS3.15 A.5.3.11: for every entry with the emergency flag.
pub(super) const OVERRIDE: Code = dcm("110127", "Emergency Override Started");

/// A role in a flow of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// What starts, stops or changes by itself: 110150.
    Application,
    /// Where data comes from: 110153.
    Source,
    /// Where data goes: 110152.
    Destination,
}

impl Role {
    pub(super) const fn code(self) -> Code {
        match self {
            Self::Application => APPLICATION,
            Self::Source => SOURCE,
            Self::Destination => DESTINATION,
        }
    }
}

/// Between whom it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Within the node that logged it.
    Own,
    /// From a system that the log does not name (a PACS, an order file) to the node.
    FromSystem,
    /// From the node to such a system.
    ToSystem,
    /// From the peer to the node, at the peer's request.
    FromPeer,
    /// From the node to the peer, at the node's request.
    ToPeer,
    /// The desk fetches from the owner, whichever of them logged it.
    Fetch,
}

/// A RESTful pattern of BALP (3:5.7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// `IHE.BasicAudit.Create`, with a patient `IHE.BasicAudit.PatientCreate`.
    Create,
    /// `IHE.BasicAudit.Read`, with a patient `IHE.BasicAudit.PatientRead`.
    Read,
}

impl Rest {
    /// The code of the interaction, of <http://hl7.org/fhir/restful-interaction>.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
        }
    }

    /// The role of whoever asks. It swaps: a client that creates sends the data, one that reads
    /// receives it.
    pub(super) const fn client(self) -> Role {
        match self {
            Self::Create => Role::Source,
            Self::Read => Role::Destination,
        }
    }
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// The node or its roster: no data of a patient.
    Node,
    /// Images, a case or an order.
    Study,
    /// A report.
    Report,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The EventID.
    pub(super) event: Code,
    /// The EventTypeCode of PS3.15, where it has one that fits; the kind's own stands beside it.
    pub(super) detail: Option<Code>,
    /// The clause of PS3.15 that the message follows.
    pub(super) clause: &'static str,
    /// The first is what the message says, unless the entry says another of them.
    pub(super) actions: &'static [Action],
    pub(super) flow: Flow,
    pub(super) about: About,
    pub(super) rest: Option<Rest>,
}

const ACTIVITY: Code = dcm("110100", "Application Activity");
const LOG_USED: Code = dcm("110101", "Audit Log Used");
const EXPORT: Code = dcm("110106", "Export");
const ACCESSED: Code = dcm("110103", "DICOM Instances Accessed");
const TRANSFERRED: Code = dcm("110104", "DICOM Instances Transferred");
const ORDER: Code = dcm("110109", "Order Record");
const PROCEDURE: Code = dcm("110111", "Procedure Record");
const DECISION: Code = dcm("110144", "Authorization Decision");
const ALERT: Code = dcm("110113", "Security Alert");

/// A change of a case: the record of a procedure that waits to be reported.
const CASE: Row = Row {
    event: PROCEDURE,
    detail: None,
    clause: "A.5.3.15",
    actions: &[Action::Update, Action::Delete],
    flow: Flow::Own,
    about: About::Study,
    rest: None,
};

/// A change of what somebody may do. A.5.3.11 has one action.
const SECURITY: Row = Row {
    event: ALERT,
    detail: None,
    clause: "A.5.3.11",
    actions: &[Action::Execute],
    flow: Flow::Own,
    about: About::Node,
    rest: None,
};

/// What may be done with a study changed.
const RELEASE: Row = Row {
    detail: Some(dcm("110135", "Object Security Attributes Changed")),
    about: About::Study,
    ..SECURITY
};

/// The start or the end of a process.
const LIFE: Row = Row {
    event: ACTIVITY,
    clause: "A.5.3.1",
    ..SECURITY
};

/// Instances that their receiver did not hold before: A.5.3.7 calls that C.
const TRANSFER: Row = Row {
    event: TRANSFERRED,
    detail: None,
    clause: "A.5.3.7",
    actions: &[Action::Create],
    flow: Flow::FromSystem,
    about: About::Study,
    rest: None,
};

const NODE_STARTED: Row = Row {
    detail: Some(dcm("110120", "Application Start")),
    ..LIFE
};

const NODE_STOPPED: Row = Row {
    detail: Some(dcm("110121", "Application Stop")),
    ..LIFE
};

const CREDENTIAL_ACCEPTED: Row = Row {
    detail: Some(dcm("110137", "User Security Attributes Changed")),
    ..SECURITY
};

const ORDER_RECEIVED: Row = Row {
    event: ORDER,
    clause: "A.5.3.13",
    rest: Some(Rest::Create),
    ..TRANSFER
};

const STUDY_RECEIVED: Row = Row {
    rest: Some(Rest::Create),
    ..TRANSFER
};

const CASE_OPENED: Row = Row {
    actions: &[Action::Create],
    ..CASE
};

const RELEASE_GRANTED: Row = Row {
    detail: Some(DECISION),
    flow: Flow::ToPeer,
    ..RELEASE
};

const RELEASE_REFUSED: Row = Row {
    detail: Some(DECISION),
    flow: Flow::FromPeer,
    ..RELEASE
};

const GRANT_ACCEPTED: Row = Row {
    flow: Flow::FromPeer,
    ..RELEASE
};

const ACCESS_BEGUN: Row = Row {
    event: ACCESSED,
    clause: "A.5.3.6",
    actions: &[Action::Read],
    flow: Flow::Fetch,
    rest: Some(Rest::Read),
    ..TRANSFER
};

const ACCESS_ENDED: Row = Row {
    flow: Flow::Fetch,
    ..TRANSFER
};

const REPORT_SIGNED: Row = Row {
    actions: &[Action::Create],
    about: About::Report,
    ..CASE
};

const REPORT_RECEIVED: Row = Row {
    actions: &[Action::Create],
    about: About::Report,
    flow: Flow::FromPeer,
    rest: Some(Rest::Create),
    ..CASE
};

const LOG_REVIEWED: Row = Row {
    event: LOG_USED,
    detail: None,
    clause: "A.5.3.2",
    actions: &[Action::Read],
    ..SECURITY
};

const OPENING_DISCLOSED: Row = Row {
    event: EXPORT,
    clause: "A.5.3.4",
    actions: &[Action::Read],
    flow: Flow::ToSystem,
    ..TRANSFER
};

const REPORT_DELIVERED: Row = Row {
    flow: Flow::ToSystem,
    about: About::Report,
    rest: Some(Rest::Create),
    ..TRANSFER
};

/// The row of a kind.
pub(super) const fn row(kind: Kind) -> Row {
    match kind {
        Kind::NodeStarted => NODE_STARTED,
        Kind::NodeStopped => NODE_STOPPED,
        // No code of CID 403 is a clock that jumped: the kind's own is the type.
        Kind::Unspecified | Kind::ClockAnomaly => SECURITY,
        Kind::CredentialAccepted => CREDENTIAL_ACCEPTED,
        Kind::OrderReceived => ORDER_RECEIVED,
        Kind::StudyReceived => STUDY_RECEIVED,
        Kind::CaseOpened => CASE_OPENED,
        Kind::CaseOffered
        | Kind::CaseClaimed
        | Kind::CaseHandedBack
        | Kind::LeaseExpired
        | Kind::LeaseResumed
        | Kind::CaseEscalated
        | Kind::CaseClosed
        | Kind::CaseCancelled => CASE,
        Kind::ReleaseGranted => RELEASE_GRANTED,
        Kind::ReleaseRefused => RELEASE_REFUSED,
        Kind::GrantAccepted | Kind::ReceiptAccepted => GRANT_ACCEPTED,
        Kind::AccessBegun => ACCESS_BEGUN,
        Kind::AccessEnded => ACCESS_ENDED,
        Kind::ReportSigned => REPORT_SIGNED,
        Kind::ReportReceived => REPORT_RECEIVED,
        Kind::LogReviewed => LOG_REVIEWED,
        Kind::OpeningDisclosed => OPENING_DISCLOSED,
        Kind::ReportDelivered => REPORT_DELIVERED,
    }
}

/// The name of a kind, as our own code: stable, for programs.
pub(super) const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "unspecified",
        Kind::NodeStarted => "node-started",
        Kind::NodeStopped => "node-stopped",
        Kind::ClockAnomaly => "clock-anomaly",
        Kind::CredentialAccepted => "credential-accepted",
        Kind::OrderReceived => "order-received",
        Kind::StudyReceived => "study-received",
        Kind::CaseOpened => "case-opened",
        Kind::CaseOffered => "case-offered",
        Kind::CaseClaimed => "case-claimed",
        Kind::CaseHandedBack => "case-handed-back",
        Kind::LeaseExpired => "lease-expired",
        Kind::LeaseResumed => "lease-resumed",
        Kind::CaseEscalated => "case-escalated",
        Kind::CaseClosed => "case-closed",
        Kind::CaseCancelled => "case-cancelled",
        Kind::ReleaseGranted => "release-granted",
        Kind::ReleaseRefused => "release-refused",
        Kind::GrantAccepted => "grant-accepted",
        Kind::ReceiptAccepted => "receipt-accepted",
        Kind::AccessBegun => "access-begun",
        Kind::AccessEnded => "access-ended",
        Kind::ReportSigned => "report-signed",
        Kind::ReportReceived => "report-received",
        Kind::ReportDelivered => "report-delivered",
        Kind::LogReviewed => "log-reviewed",
        Kind::OpeningDisclosed => "opening-disclosed",
    }
}
