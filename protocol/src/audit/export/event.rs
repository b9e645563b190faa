//! One entry as every form needs it: what its header says, what is opened of it, what is sealed.

use crypto::digest::Digest;

use super::held::{Contents, Held};
use super::table::{self, Row};
use super::text::{self, REASON_MAX, TEXT_MAX, UID_MAX};
use crate::audit::entry::{Entry, Field, Openings};
use crate::audit::header::{Action, Header, Kind, Outcome};
use crate::audit::record::{NodeRecord, Record};
use crate::limits;

/// Longest list of rules as one text, in characters.
const RULES_TEXT_MAX: usize = 1024;

/// What the verification said of the archive that an event is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Every check holds, by a genesis that whoever asked named or chose to accept.
    Verified,
    /// Every check holds, by a genesis that came with the archive.
    NotPinned,
    /// Something does not hold: nothing proves what the message says.
    NotVerified,
}

impl Standing {
    /// The word that stands in every message.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::NotPinned => "genesis-not-pinned",
            Self::NotVerified => "not-verified",
        }
    }
}

/// Whose log an entry of a release is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The hospital that owns the study.
    Owner,
    /// The reader's desk.
    Desk,
}

/// Where an entry stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) origin: String,
    pub(super) index: u64,
    pub(super) leaf: Digest,
}

/// What is known beyond the clear header. All of it was committed to, or stands in the exact grant
/// whose hash the header has.
#[derive(Clone, Default)]
pub(super) struct Opened {
    /// The reader, by their key.
    pub(super) person: Option<String>,
    /// The other side's node, by its key.
    pub(super) peer: Option<String>,
    /// The two nodes of the release: the owner's and the desk's.
    pub(super) nodes: Option<(String, String)>,
    pub(super) side: Option<Side>,
    pub(super) credential: Option<u64>,
    pub(super) case: Option<String>,
    pub(super) studies: Vec<String>,
    /// Studies of the case that are not named.
    pub(super) more_studies: u64,
    pub(super) patient: Option<String>,
    /// Bytes and instances.
    pub(super) counts: Option<(u64, u64)>,
    pub(super) reason: Option<String>,
    pub(super) destination: Option<String>,
    pub(super) purged: Option<bool>,
    pub(super) report: Option<String>,
    pub(super) software: Option<String>,
}

/// One entry, ready to be written in any form. It may name a patient: no Debug.
#[derive(Clone)]
pub struct Event {
    pub(super) standing: Standing,
    pub(super) place: Place,
    pub(super) header: Header,
    /// `None` for a kind that this release does not know.
    pub(super) kind: Option<Kind>,
    pub(super) opened: Opened,
    /// Fields that the entry commits to and that are not opened.
    pub(super) sealed: Vec<&'static str>,
}

impl Event {
    /// Makes an event of an entry of the log `origin`, and notes in `held` what later ones need.
    pub(super) fn new(
        (standing, place): (Standing, Place),
        entry: &Entry,
        openings: Option<&Openings>,
        held: &mut Held,
    ) -> Self {
        let header = entry.header();
        let kind = Kind::try_from(header.kind).ok();
        let record = openings.and_then(|openings| Record::decode(header.kind, openings).ok());
        let mut opened = Opened::default();
        let mut case = None;
        if let Some(record) = &record {
            held.record(record);
            of_record(&mut opened, &mut case, record);
        }
        if let Some(openings) = openings {
            of_fields(&mut opened, &mut case, openings);
        }
        let of_case = case.as_deref().and_then(|case| held.case(case));
        fill(&mut opened, of_case.unwrap_or_default());
        let grant = header.grant_hash.as_slice().try_into().ok().map(Digest);
        if let Some(sides) = grant.and_then(|hash| held.sides(&hash)) {
            opened.side = Some(sides.side);
            opened.nodes = Some((sides.owner.clone(), sides.desk.clone()));
            let of_grant = (sides.person.clone(), sides.credential);
            opened.person.get_or_insert(of_grant.0);
            opened.credential.get_or_insert(of_grant.1);
            let peer = match sides.side {
                Side::Owner => &sides.desk,
                Side::Desk => &sides.owner,
            };
            opened.peer.get_or_insert_with(|| peer.clone());
        }
        Self {
            standing,
            place,
            sealed: sealed(entry, openings),
            header: clean(header),
            kind,
            opened,
        }
    }

    /// The row of the table by which the event is told. A kind that this release does not know is
    /// told as a security alert, under its number.
    pub(super) fn row(&self) -> Row {
        table::row(self.kind.unwrap_or(Kind::Unspecified))
    }

    /// The name of its kind.
    pub(super) fn name(&self) -> String {
        match self.kind {
            Some(kind) => table::name(kind).to_owned(),
            None => format!("kind-{}", self.header.kind),
        }
    }

    /// The action as its letter.
    pub(super) fn action(&self) -> &'static str {
        let row = self.row();
        let logged = Action::try_from(self.header.action).unwrap_or(Action::Unspecified);
        let first = row.actions.first().copied().unwrap_or(Action::Execute);
        let told = if row.actions.contains(&logged) {
            logged
        } else {
            first
        };
        letter(told)
    }

    /// The action that the entry itself has: some clauses allow one action only.
    pub(super) fn logged_action(&self) -> &'static str {
        letter(Action::try_from(self.header.action).unwrap_or(Action::Unspecified))
    }

    /// EventOutcomeIndicator: what was refused by rule is a minor failure, nothing broke.
    pub(super) fn outcome(&self) -> &'static str {
        match Outcome::try_from(self.header.outcome) {
            Ok(Outcome::Success) => "0",
            Ok(Outcome::Refused) => "4",
            Ok(Outcome::Failure | Outcome::Unspecified) | Err(_) => "8",
        }
    }

    /// The outcome in words.
    pub(super) fn outcome_name(&self) -> &'static str {
        match Outcome::try_from(self.header.outcome) {
            Ok(Outcome::Success) => "success",
            Ok(Outcome::Refused) => "refused by rule",
            Ok(Outcome::Failure) => "failure",
            Ok(Outcome::Unspecified) | Err(_) => "not known to this release",
        }
    }

    /// The entry's name: the log's origin and its index there.
    pub(super) fn entry(&self) -> String {
        format!("{}#{}", self.place.origin, self.place.index)
    }

    /// When it happened.
    pub(super) fn time(&self) -> String {
        text::time(self.header.time_us)
    }
}

fn letter(action: Action) -> &'static str {
    match action {
        Action::Create => "C",
        Action::Read => "R",
        Action::Update => "U",
        Action::Delete => "D",
        Action::Execute | Action::Unspecified => "E",
    }
}

/// Every text of a header, cut and cleaned.
fn clean(mut header: Header) -> Header {
    for text in [
        &mut header.source,
        &mut header.from_country,
        &mut header.to_country,
        &mut header.legal_role,
        &mut header.basis,
        &mut header.purpose,
    ] {
        *text = text::line(text, TEXT_MAX).unwrap_or_default();
    }
    let rules = header.rules.iter().take(limits::RULES_MAX);
    let rules: Vec<String> = rules
        .filter_map(|rule| text::line(rule, TEXT_MAX))
        .collect();
    header.rules = text::line(&rules.join(" "), RULES_TEXT_MAX)
        .into_iter()
        .collect();
    header
}

/// The names of the committed fields without an opening, in the order of the commitments.
fn sealed(entry: &Entry, openings: Option<&Openings>) -> Vec<&'static str> {
    let mut names = Vec::new();
    for commitment in &entry.commitments {
        let open =
            openings.is_some_and(|all| all.openings.iter().any(|o| o.field == commitment.field));
        let name = Field::try_from(commitment.field).map_or("unknown", Field::name);
        if !open && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What the case adds to what the entry itself says.
fn fill(opened: &mut Opened, case: Contents) {
    if opened.studies.is_empty() {
        opened.studies = case.studies;
        opened.more_studies = case.more;
    }
    opened.patient = opened.patient.take().or(case.patient);
}

/// What is opened field by field.
fn of_fields(opened: &mut Opened, case: &mut Option<Vec<u8>>, openings: &Openings) {
    let key = |field| {
        let value = openings.value(field).filter(|value| value.len() == 32);
        value.map(text::hex)
    };
    let words = |field, longest| {
        let value = openings.value(field);
        value.and_then(|value| text::bytes(value, longest))
    };
    opened.person = key(Field::Person).or(opened.person.take());
    opened.peer = key(Field::Desk).or(opened.peer.take());
    opened.patient = words(Field::Patient, TEXT_MAX).or(opened.patient.take());
    opened.reason = words(Field::Reason, REASON_MAX).or(opened.reason.take());
    if let Some(uid) = words(Field::Study, UID_MAX) {
        opened.studies = vec![uid];
    }
    let serial = openings.value(Field::Credential);
    if let Some(serial) = serial.and_then(|value| value.try_into().ok()) {
        opened.credential = Some(u64::from_be_bytes(serial));
    }
    if let Some(value) = openings.value(Field::Case) {
        name_case(opened, case, value);
    }
}

fn name_case(opened: &mut Opened, case: &mut Option<Vec<u8>>, id: &[u8]) {
    if !id.is_empty() && id.len() <= 64 {
        opened.case = Some(text::hex(id));
        *case = Some(id.to_vec());
    }
}

/// A node or a person, by its key.
fn key(bytes: &[u8]) -> Option<String> {
    (bytes.len() == 32).then(|| text::hex(bytes))
}

/// What the record says.
fn of_record(opened: &mut Opened, case: &mut Option<Vec<u8>>, record: &Record) {
    match record {
        Record::NodeStarted(node) | Record::NodeStopped(node) | Record::ClockAnomaly(node) => {
            of_node(opened, node);
        }
        // The envelope is in the archive; a roster is no patient's matter. Nor is a review, and
        // what it says in words is for who has its opening.
        Record::CredentialAccepted(_) | Record::LogReviewed(_) => (),
        Record::OpeningDisclosed(disclosure) => {
            opened.patient = text::line(&disclosure.patient, TEXT_MAX);
            opened.destination = text::line(&disclosure.to, TEXT_MAX);
        }
        Record::OrderReceived(order) => {
            opened.patient = text::line(&order.patient, TEXT_MAX);
        }
        Record::StudyReceived(study) => {
            opened.studies = text::line(&study.study_uid, UID_MAX).into_iter().collect();
            opened.patient = text::line(&study.patient, TEXT_MAX);
            opened.counts = Some((study.bytes, study.objects));
        }
        Record::CaseOpened(opens) => name_case(opened, case, &opens.case),
        Record::CaseOffered(offered) => name_case(opened, case, &offered.case),
        Record::CaseClaimed(release)
        | Record::ReleaseGranted(release)
        | Record::ReleaseRefused(release)
        | Record::GrantAccepted(release)
        | Record::ReceiptAccepted(release) => {
            name_case(opened, case, &release.case);
            opened.peer = key(&release.peer);
            opened.person = key(&release.person);
            opened.credential = (release.credential != 0).then_some(release.credential);
            opened.reason = text::line(&release.reason, REASON_MAX);
        }
        Record::CaseHandedBack(note)
        | Record::LeaseExpired(note)
        | Record::LeaseResumed(note)
        | Record::CaseEscalated(note)
        | Record::CaseClosed(note)
        | Record::CaseCancelled(note) => {
            name_case(opened, case, &note.case);
            opened.peer = key(&note.peer);
            opened.reason = text::line(&note.reason, REASON_MAX);
        }
        Record::AccessBegun(access) => name_case(opened, case, &access.case),
        Record::AccessEnded(access) => {
            name_case(opened, case, &access.case);
            opened.counts = Some((access.bytes, access.objects));
            opened.purged = Some(access.purged);
        }
        Record::ReportSigned(report)
        | Record::ReportReceived(report)
        | Record::ReportDelivered(report) => {
            name_case(opened, case, &report.case);
            opened.peer = key(&report.peer);
            opened.report = key(&report.report_hash);
            opened.destination = text::line(&report.destination, TEXT_MAX);
        }
    }
}

fn of_node(opened: &mut Opened, node: &NodeRecord) {
    opened.software = text::line(&node.software, TEXT_MAX);
    opened.reason = text::line(&node.reason, REASON_MAX);
}
