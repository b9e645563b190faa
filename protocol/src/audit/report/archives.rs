//! Each archive: whose log it is, how large, its checkpoint, who countersigned it, and every check.

use crypto::log::checkpoint::SignedCheckpoint;
use crypto::log::quorum::Quorum;

use super::html::{Html, grouped, moment};
use super::titled;
use crate::audit::archive::FileName;
use crate::audit::query::{Cell, Table};
use crate::audit::verify::{Check, Input, Report, Source, Status, Verdict};

/// Heading of the section.
pub(super) const ARCHIVES: &str = "The archives and their checks";

/// Most archives that are shown one by one; all are counted and verified.
const ARCHIVES_MAX: usize = 64;

/// What each check is, for people.
const MEANS: [(Check, &str); 15] = [
    (
        Check::Note,
        "The list of files is signed by the log's own key.",
    ),
    (Check::Files, "Every file is listed, there, and unchanged."),
    (
        Check::Genesis,
        "The consortium's founding document is signed by its founders.",
    ),
    (
        Check::Credentials,
        "Every member's credential is signed by the council.",
    ),
    (
        Check::Witnesses,
        "The council signed who must countersign, and these are members.",
    ),
    (
        Check::Tree,
        "Every entry leads to the signed checkpoint: none is changed or missing.",
    ),
    (
        Check::Quorum,
        "Enough witnesses countersigned the checkpoint.",
    ),
    (
        Check::Entries,
        "Every entry reads, and times do not run back.",
    ),
    (
        Check::Grants,
        "Every grant is signed, for a member, and was countersigned.",
    ),
    (
        Check::Receipts,
        "Every receipt is signed by the reader and stands in the reader's log.",
    ),
    (Check::Access, "No images were opened before a receipt."),
    (
        Check::Peers,
        "Every accepted grant stands in the hospital's log.",
    ),
    (
        Check::Openings,
        "What is disclosed is what was committed to.",
    ),
    (
        Check::Decisions,
        "The policy text, and disclosed decisions made again from it.",
    ),
    (
        Check::Reconciled,
        "The archives given agree with one another.",
    ),
];

/// Every archive.
pub(super) fn section(html: &mut Html, inputs: &[Input<'_>], verdict: &Verdict) {
    titled(html, ("archives", ARCHIVES), |html| {
        let all = inputs.iter().zip(&verdict.archives);
        for (input, report) in all.take(ARCHIVES_MAX) {
            one(html, input.source, report);
        }
        let more = inputs.len().saturating_sub(ARCHIVES_MAX);
        if more > 0 {
            html.within("p", &[("class", "more")], |html| {
                html.text(&format!("{more} archives more are not shown here."));
            });
        }
    });
}

fn one(html: &mut Html, source: &dyn Source, report: &Report) {
    let origin = report.origin.as_ref();
    let origin = origin.map_or("unknown log", |name| name.as_str());
    let whose = report.organisation.as_deref();
    html.say(
        "h3",
        &format!("{origin}, {}", whose.unwrap_or("unknown organisation")),
    );
    html.within("dl", &[], |html| {
        pair(html, "Archive", &report.label);
        pair(html, "Entries", &grouped(report.size));
        pair(html, "Checkpoint (root hash)", &root(source));
        let genesis = report
            .genesis
            .map_or("none that reads".to_owned(), |g| g.to_hex());
        pair(html, "Founding document", &genesis);
        pair(html, "Who must countersign", &demand(source));
        pair(html, "That was signed by the council", &paper(report));
        let cosigned = report.witnesses.iter().take(ROWS);
        let cosigned: Vec<String> = cosigned
            .map(|(witness, seconds)| {
                format!("{witness} at {}", moment(seconds.saturating_mul(1_000_000)))
            })
            .collect();
        pair(html, "Countersigned by", &or_nobody(&cosigned));
        let counts = &report.counts;
        pair(
            html,
            "Releases",
            &format!(
                "{} granted, {} of them with a receipt; {} refused; {} accepted from others",
                counts.grants, counts.grants_with_receipt, counts.refusals, counts.accepted
            ),
        );
        let disclosed = match counts.openings {
            0 => "nothing".to_owned(),
            openings => format!("{} fields", grouped(openings)),
        };
        pair(html, "Disclosed of what is sealed", &disclosed);
    });
    html.table(&checks(report));
}

/// Most witnesses that are named: a quorum file names no more.
const ROWS: usize = crypto::log::quorum::MAX_ITEMS;

fn or_nobody(names: &[String]) -> String {
    match names.is_empty() {
        true => "nobody whose signature counts".to_owned(),
        false => names.join("; "),
    }
}

fn pair(html: &mut Html, name: &str, value: &str) {
    html.say("dt", name);
    html.say("dd", value);
}

/// The root hash that the checkpoint states; whether it is the log's, the checks say.
fn root(source: &dyn Source) -> String {
    let name = FileName::Checkpoint;
    let bytes = source.read(&name.to_string(), name.max_len()).ok();
    let signed = bytes.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
    signed.map_or("none that reads".to_owned(), |signed| {
        signed.head().root.to_hex()
    })
}

fn paper(report: &Report) -> String {
    match report.quorum {
        None => "no".to_owned(),
        Some(paper) => format!("yes, as number {}: {}", paper.serial, paper.sha256),
    }
}

/// What the quorum file demands, in words.
fn demand(source: &dyn Source) -> String {
    let name = FileName::Quorum;
    let bytes = source.read(&name.to_string(), name.max_len()).ok();
    let Some(quorum) = bytes.and_then(|bytes| Quorum::parse(&bytes).ok()) else {
        return "no file that reads says it".to_owned();
    };
    let Some(rule) = quorum.rule() else {
        return "nobody".to_owned();
    };
    let mut parts = Vec::new();
    for group in quorum.groups() {
        parts.push(format!(
            "{} means at least {} of {}: {}",
            group.name,
            group.threshold,
            group.members.len(),
            group.members.join(", ")
        ));
    }
    match parts.is_empty() {
        true => rule.to_owned(),
        false => format!("{rule}; {}", parts.join("; ")),
    }
}

fn checks(report: &Report) -> Table {
    let mut table = Table::new("checks", &["check", "result", "looked at", "what it means"]);
    for check in Check::ALL {
        let (result, count) = match report.status(check) {
            Status::Holds(count) => ("holds", Cell::Count(count)),
            Status::Fails(count) => ("FAILS", Cell::Count(count)),
            Status::NotChecked => ("nothing to check", Cell::Count(0)),
        };
        let means = MEANS.iter().find(|(of, _)| *of == check);
        table.push(vec![
            check.name().into(),
            result.into(),
            count,
            means.map_or("", |(_, means)| means).into(),
        ]);
    }
    table
}
