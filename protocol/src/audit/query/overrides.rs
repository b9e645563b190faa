//! Every entry with the emergency flag.

use super::answer::{Answer, Cell, Table};
use super::history::History;
use crate::audit::header::Kind;

/// Answers the question.
pub(super) fn answer(history: &History, answer: &mut Answer) {
    let columns = &[
        "time", "log", "entry", "what", "from", "to", "purpose", "reason", "reviewed", "in entry",
    ];
    let mut table = Table::new("emergency flags", columns);
    let (mut sealed, mut unreviewed) = (0, 0);
    for flag in &history.flags {
        sealed += u64::from(flag.reason.is_none());
        let log = history.logs.get(flag.place.archive);
        let review = log.and_then(|log| log.reviews.of(flag.place.index));
        unreviewed += u64::from(review.is_none());
        table.push(vec![
            Cell::Time(flag.place.time_us),
            history.log(flag.place).into(),
            flag.place.index.into(),
            kind_name(flag.kind).into(),
            (&*flag.from).into(),
            (&*flag.to).into(),
            (&*flag.purpose).into(),
            flag.reason.as_deref().map_or(Cell::Nothing, Cell::from),
            review.map_or("no".into(), |review| Cell::Time(review.time_us)),
            review.map_or(Cell::Nothing, |review| review.index.into()),
        ]);
    }
    let flags = history.flags.len();
    answer.says.push(match flags {
        0 => "No entry has the emergency flag.".to_owned(),
        flags => format!("Entries with the emergency flag: {flags}."),
    });
    if flags > 0 {
        answer.says.push(format!(
            "Of these in no review of their log, up to its checkpoint: {unreviewed}."
        ));
    }
    answer
        .says
        .push("This version logs no downloads of studies.".to_owned());
    answer.list(table);
    answer.miss(sealed, "reasons that are not opened");
}

/// A kind in words.
#[must_use]
pub const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "unspecified",
        Kind::NodeStarted => "node started",
        Kind::NodeStopped => "node stopped",
        Kind::ClockAnomaly => "clock anomaly",
        Kind::CredentialAccepted => "credential accepted",
        Kind::OrderReceived => "order received",
        Kind::StudyReceived => "study received",
        Kind::CaseOpened => "case opened",
        Kind::CaseOffered => "case offered",
        Kind::CaseClaimed => "case claimed",
        Kind::CaseHandedBack => "case handed back",
        Kind::LeaseExpired => "lease expired",
        Kind::LeaseResumed => "lease resumed",
        Kind::CaseEscalated => "case escalated",
        Kind::CaseClosed => "case closed",
        Kind::CaseCancelled => "case cancelled",
        Kind::ReleaseGranted => "release granted",
        Kind::ReleaseRefused => "release refused",
        Kind::GrantAccepted => "grant accepted",
        Kind::ReceiptAccepted => "receipt accepted",
        Kind::AccessBegun => "access begun",
        Kind::AccessEnded => "access ended",
        Kind::ReportSigned => "report signed",
        Kind::ReportReceived => "report received",
        Kind::ReportDelivered => "report delivered",
        Kind::LogReviewed => "log reviewed",
        Kind::OpeningDisclosed => "opening disclosed",
    }
}
