//! A verdict as JSON, for programs.

use serde_json::{Value, json};

use super::fault::Check;
use super::report::{Failure, Noted, Report, Status};
use super::{Anchor, Verdict, text};

/// The verdict as one JSON object: `verified` is false too where every check `holds` by a genesis
/// that nobody pinned or accepted.
#[must_use]
pub fn of(verdict: &Verdict) -> Value {
    json!({
        "version": 1,
        "verified": verdict.accepted(),
        "holds": verdict.holds(),
        "verdict": text::sentence(verdict).trim_end(),
        "genesis": {
            "hash": verdict.genesis().map(|hash| hash.to_hex()),
            "pinned": verdict.anchor == Anchor::Pinned,
            "accepted": verdict.anchor != Anchor::Nothing,
            "to_do": text::to_compare(verdict),
        },
        "archives": verdict.archives.iter().map(archive).collect::<Vec<_>>(),
    })
}

fn archive(report: &Report) -> Value {
    let counts = &report.counts;
    let (gaps, findings): (Vec<&Noted>, Vec<&Noted>) = report
        .remarks
        .iter()
        .partition(|noted| noted.remark.is_gap());
    json!({
        "archive": report.label,
        "holds": report.holds(),
        "origin": report.origin.as_ref().map(|origin| origin.as_str()),
        "organisation": report.organisation,
        "size": report.size,
        "genesis": report.genesis.map(|hash| hash.to_hex()),
        "quorum": report.quorum.map(|paper| json!({
            "serial": paper.serial,
            "sha256": paper.sha256.to_hex(),
        })),
        "cosigned_unix_s": report.witnesses,
        "counts": {
            "files": counts.files,
            "entries": counts.entries,
            "grants": counts.grants,
            "grants_with_receipt": counts.grants_with_receipt,
            "grants_without_receipt": counts.grants - counts.grants_with_receipt,
            "receipts": counts.receipts,
            "receipts_without_grant": counts.receipts_without_grant,
            "refusals": counts.refusals,
            "accepted": counts.accepted,
            "openings": counts.openings,
        },
        "checks": Check::ALL.map(|check| status(check, report.status(check))),
        "failures": report.failures.iter().map(failure).collect::<Vec<_>>(),
        "findings": findings.into_iter().map(noted).collect::<Vec<_>>(),
        "not_checked": gaps.into_iter().map(noted).collect::<Vec<_>>(),
    })
}

fn status(check: Check, status: Status) -> Value {
    let (result, count) = match status {
        Status::Holds(count) => ("holds", count),
        Status::Fails(count) => ("fails", count),
        Status::NotChecked => ("nothing to check", 0),
    };
    json!({ "check": check.name(), "result": result, "count": count })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "check": failure.check.name(),
        "file": failure.file,
        "entry": failure.entry,
        "what": failure.fault.to_string(),
    })
}

fn noted(noted: &Noted) -> Value {
    json!({
        "check": noted.check.name(),
        "entry": noted.entry,
        "what": noted.remark.to_string(),
    })
}
