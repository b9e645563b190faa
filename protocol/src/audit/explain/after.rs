//! What happened after the decision, and everything that could not be checked.

use std::collections::BTreeSet;

use super::decision::Recomputed;
use super::find::{Disclosed, Step};
use super::tell::range;
use super::{Context, Part, at, clean};
use crate::audit::entry::Field;
use crate::audit::header::{Action, Kind};
use crate::audit::record::Record;
use crate::audit::verify::Anchor;

/// What came after a grant; nothing comes after a refusal.
pub(super) fn part(context: &Context<'_>) -> Option<Part> {
    context.found.grant_hash?;
    let steps = &context.found.steps;
    let mut says: Vec<String> = steps.iter().map(|step| told(context, step)).collect();
    let more = context.found.more;
    if more > 0 {
        says.push(format!("And {more} entries more, which are not told."));
    }
    let has = |kinds: &[Kind]| {
        let mut of = steps.iter();
        of.any(|step| step.kind.is_some_and(|kind| kinds.contains(&kind)))
    };
    let absent = [
        (
            &[Kind::ReceiptAccepted, Kind::GrantAccepted][..],
            "No log given shows that the reader accepted the grant.",
        ),
        (
            &[Kind::AccessBegun],
            "No log given shows that images were opened.",
        ),
        (
            &[Kind::AccessEnded],
            "No log given shows that access ended.",
        ),
        (
            &[Kind::ReportSigned, Kind::ReportReceived],
            "No log given shows a report.",
        ),
    ];
    let absent = absent.iter().filter(|(kinds, _)| !has(kinds));
    says.extend(absent.map(|(_, what)| (*what).to_owned()));
    let about = "What happened afterwards";
    Some(Part { about, says })
}

/// One later entry in a sentence.
fn told(context: &Context<'_>, step: &Step) -> String {
    let what = [
        (
            Kind::GrantAccepted,
            "the reader's side checked the grant and accepted it",
        ),
        (
            Kind::ReceiptAccepted,
            "the hospital took in the reader's signed receipt, which shows that the reader's own \
             log holds the grant",
        ),
        (Kind::AccessBegun, "access to the images began"),
        (Kind::LeaseExpired, "the reader's time for the case ran out"),
        (
            Kind::LeaseResumed,
            "the reader resumed after the time ran out",
        ),
        (Kind::CaseHandedBack, "the reader handed the case back"),
        (Kind::ReportSigned, "the reader signed a report"),
        (Kind::ReportDelivered, "the report was delivered"),
    ];
    let place = format!(
        "{}, entry {} of {}",
        at(step.header.time_us),
        step.index,
        context.log(step.archive)
    );
    let Some(kind) = step.kind else {
        return format!("{place}: something of a kind that this release does not know.");
    };
    if kind == Kind::AccessEnded {
        return format!("{place}: access to the images ended. {}", ended(step));
    }
    if kind == Kind::ReportReceived {
        return format!(
            "{place}: the hospital received the report.{}",
            additional(step)
        );
    }
    let known = what.into_iter().find(|(known, _)| *known == kind);
    let what = known.map_or_else(|| crate::audit::query::kind_name(kind), |(_, what)| what);
    format!("{place}: {what}.")
}

/// How much was moved, and whether the desk says that it kept nothing.
fn ended(step: &Step) -> String {
    let openings = step.openings();
    let record = openings.and_then(|openings| Record::decode(step.header.kind, openings).ok());
    let counts = openings.and_then(|openings| openings.value(Field::Counts));
    let access = match record {
        Some(Record::AccessEnded(access)) => Some(access),
        Some(_) | None => None,
    };
    let moved = match (&access, counts) {
        (Some(access), _) => format!("{} bytes in {} files", access.bytes, access.objects),
        (None, Some(counts)) => clean(&String::from_utf8_lossy(counts)),
        (None, None) => format!(
            "{} and {} (roughly: the exact counts are sealed)",
            range(step.header.bytes_bucket, "byte"),
            range(step.header.instances_bucket, "file")
        ),
    };
    let desk = step.header.action == Action::Delete as i32;
    let purged = match access.map(|access| access.purged) {
        Some(true) => "The desk states that it dropped the images and their keys.",
        Some(false) => "The desk did not state that it dropped the images and their keys.",
        None if desk => "It is the desk's own entry that it deleted the images and their keys.",
        None => "Whether the desk stated that it dropped the images is sealed.",
    };
    format!("Moved: {moved}. {purged}")
}

/// Whether a report counts as the primary one.
fn additional(step: &Step) -> &'static str {
    let openings = step.openings();
    let record = openings.and_then(|openings| Record::decode(step.header.kind, openings).ok());
    match record {
        Some(Record::ReportReceived(report)) if report.additional => {
            " It came late, as an additional opinion, and is not the primary report."
        }
        Some(_) | None => "",
    }
}

/// Everything that could not be checked: of this release first, then of its archives.
pub(super) fn unchecked(context: &Context<'_>, decision: &Recomputed) -> Vec<String> {
    let found = &context.found;
    let mut lines = Vec::new();
    if let Recomputed::Cannot(missing) = decision {
        lines.extend(
            missing
                .iter()
                .map(|what| format!("the decision: for want of {what}")),
        );
    }
    let all = found.decided.iter().chain(&found.steps);
    for step in all.filter(|step| !step.copy) {
        let (index, log) = (step.index, context.log(step.archive));
        match step.disclosed {
            Disclosed::Opened(_) => (),
            Disclosed::Sealed => lines.push(format!(
                "what is sealed in entry {index} of {log}: nothing of it is disclosed"
            )),
            Disclosed::Refused => lines.push(format!(
                "what is sealed in entry {index} of {log}: what is disclosed is not its own"
            )),
        }
    }
    if found.grant_hash.is_some() && found.grant.is_none() {
        lines.push("to whom and how much: the grant itself cannot be read".to_owned());
    }
    if context.verdict.anchor == Anchor::Nothing {
        lines.push("whose consortium this is: no genesis was pinned".to_owned());
    }
    let mut known = BTreeSet::new();
    for (archive, report) in context.verdict.archives.iter().enumerate() {
        for noted in report.remarks.iter().filter(|noted| noted.remark.is_gap()) {
            let mut all = found.decided.iter().chain(&found.steps);
            let of = |index| all.any(|step| step.archive == archive && step.index == index);
            let line = clean(&noted.remark.to_string());
            if noted.entry.is_none_or(of) && known.insert(line.clone()) {
                lines.push(line);
            }
        }
    }
    lines.push("what the reader did with what was seen on the screen: no log can say".to_owned());
    lines
}
