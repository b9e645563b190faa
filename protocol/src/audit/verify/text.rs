//! A verdict for people: the sentence first, then every check, then what fails, what is to be
//! known, what is open.

use std::fmt::Write as _;

use super::fault::Check;
use super::report::{Report, Status};
use super::{Anchor, Verdict};

/// Describes a verdict in words.
#[must_use]
pub fn describe(verdict: &Verdict) -> String {
    let mut out = sentence(verdict);
    if let Some(to_compare) = to_compare(verdict) {
        let _ = writeln!(out, "{to_compare}");
    }
    for report in &verdict.archives {
        out.push('\n');
        archive(&mut out, report);
    }
    out
}

/// The verdict in one sentence.
pub(in crate::audit) fn sentence(verdict: &Verdict) -> String {
    let failures = |report: &Report| report.failures.len() as u64;
    let faults: u64 = verdict.archives.iter().map(failures).sum();
    let archives = counted(verdict.archives.len() as u64, "archive");
    let entries: u64 = verdict
        .archives
        .iter()
        .map(|report| report.counts.entries)
        .sum();
    if verdict.archives.is_empty() {
        "NOTHING VERIFIED: no archive was given.\n".to_owned()
    } else if verdict.holds() {
        let entries = counted_as(entries, "entry", "entries");
        let gaps = verdict
            .archives
            .iter()
            .any(|report| report.remarks.iter().any(is_gap));
        let gaps = if gaps {
            ", except what is listed as not checked"
        } else {
            ""
        };
        match verdict.anchor {
            Anchor::Pinned => {
                format!("VERIFIED: {archives}, {entries}: every check holds{gaps}.\n")
            }
            Anchor::Archive | Anchor::Nothing => format!(
                "CONSISTENT, GENESIS NOT PINNED: {archives}, {entries}: every check holds{gaps}, \
                 by a genesis that the archive itself brought.\n"
            ),
        }
    } else {
        format!(
            "NOT VERIFIED: {} in {archives}.\n",
            counted(faults, "failure")
        )
    }
}

/// What is left to compare where the genesis was not pinned.
pub(in crate::audit) fn to_compare(verdict: &Verdict) -> Option<String> {
    let hash = verdict.genesis()?;
    match verdict.anchor {
        Anchor::Pinned => None,
        Anchor::Archive | Anchor::Nothing => Some(format!(
            "The genesis was not pinned: compare {hash} with the hash that the founders announced, \
             and verify again with it as --genesis."
        )),
    }
}

/// A time in seconds since the Unix epoch as RFC 3339 writes it, in UTC.
pub(in crate::audit) fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, so that the leap day is the last one; 719,468 days from March of
    // the year 0.
    let day = days.saturating_add(719_468);
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 {
        (era * 400 + year, month + 3)
    } else {
        (era * 400 + year + 1, month - 9)
    };
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn is_gap(noted: &super::Noted) -> bool {
    noted.remark.is_gap()
}

/// A count with its noun.
pub(in crate::audit) fn counted(count: u64, one: &str) -> String {
    counted_as(count, one, &format!("{one}s"))
}

/// A count with its noun in either number.
pub(in crate::audit) fn counted_as(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Writing to a String cannot fail, so its results are dropped.
fn archive(out: &mut String, report: &Report) {
    let origin = report
        .origin
        .as_ref()
        .map_or("unknown log", |origin| origin.as_str());
    let whose = report
        .organisation
        .as_deref()
        .unwrap_or("unknown organisation");
    let _ = writeln!(out, "{}", report.label);
    let _ = writeln!(out, "  log {origin} of {whose}, {} entries", report.size);
    if let Some(genesis) = &report.genesis {
        let _ = writeln!(out, "  genesis {genesis}");
    }
    if let Some(paper) = &report.quorum {
        let (serial, sha256) = (paper.serial, paper.sha256);
        let _ = writeln!(
            out,
            "  quorum file {sha256}, signed by the council as {serial}"
        );
    }
    for (witness, time) in &report.witnesses {
        let _ = writeln!(out, "  cosigned by {witness} at {}", utc(*time));
    }
    let counts = &report.counts;
    let _ = writeln!(
        out,
        "  {} granted ({} with a receipt), {} refused, {} accepted from others",
        counts.grants, counts.grants_with_receipt, counts.refusals, counts.accepted
    );
    for check in Check::ALL {
        let line = match report.status(check) {
            Status::Holds(count) => format!("holds ({count})"),
            Status::Fails(count) => format!("FAILS ({})", counted(count, "failure")),
            Status::NotChecked => "nothing to check".to_owned(),
        };
        let _ = writeln!(out, "  {:<16} {line}", check.name());
    }
    for failure in &report.failures {
        let entry = failure
            .entry
            .map_or(String::new(), |index| format!(" (entry {index})"));
        let (check, file, fault) = (failure.check, &failure.file, &failure.fault);
        let _ = writeln!(out, "  FAILURE {check}: {file}{entry}: {fault}");
    }
    for (heading, gaps) in [("finding", false), ("not checked", true)] {
        for noted in report.remarks.iter().filter(|noted| is_gap(noted) == gaps) {
            let entry = noted
                .entry
                .map_or(String::new(), |index| format!("entry {index}: "));
            let _ = writeln!(out, "  {heading}: {entry}{}", noted.remark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_written_as_rfc_3339_does() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_800_000_000, "2027-01-15T08:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(seconds), text);
        }
    }
}
