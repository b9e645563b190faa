//! One-sided omissions in words and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Omission, OneSided, What};
use crate::audit::query::when;
use crate::audit::verify::{Verdict, text};

impl What {
    /// The name used in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GrantWithoutReceipt => "grant-without-receipt",
            Self::ReceiptNeverArrived => "receipt-never-arrived",
            Self::ReceiptWithoutGrant => "receipt-without-grant",
            Self::ReceiptWithoutAcceptance => "receipt-without-acceptance",
            Self::AcceptanceWithoutGrant => "acceptance-without-grant",
            Self::ReportNotReceived => "report-not-received",
            Self::ReportNotSigned => "report-not-signed",
        }
    }

    /// The same in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::GrantWithoutReceipt => "granted, and no receipt came",
            Self::ReceiptNeverArrived => "granted and accepted, and the receipt never arrived",
            Self::ReceiptWithoutGrant => "a receipt, and no grant in that log",
            Self::ReceiptWithoutAcceptance => "a receipt, and the reader's log has no acceptance",
            Self::AcceptanceWithoutGrant => "accepted, and the owner's log has no grant",
            Self::ReportNotReceived => "a report was signed, and the owner's log did not get it",
            Self::ReportNotSigned => "a report was received, and the reader's log did not sign it",
        }
    }
}

/// Describes the outcome: the verdict, one line an omission, then what could not be compared.
#[must_use]
pub fn describe(found: &OneSided, verdict: &Verdict) -> String {
    let mut out = text::sentence(verdict);
    let (count, releases) = (found.omissions.len(), found.releases);
    let _ = writeln!(out, "Releases: {releases}. One-sided: {count}.");
    for omission in &found.omissions {
        line(&mut out, omission);
    }
    for log in &found.absent {
        let _ = writeln!(out, "Not compared: no readable archive of {log} was given.");
    }
    let counts = [
        (
            found.elsewhere,
            "releases between other logs, for want of an archive",
        ),
        (
            found.unread,
            "entries that are missing, do not read or name no grant",
        ),
        (found.dropped, "entries for which there was no room"),
    ];
    for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
        let _ = writeln!(out, "Not compared: {count} {what}.");
    }
    out
}

fn line(out: &mut String, omission: &Omission) {
    let (shown, what) = (&omission.shown, omission.what.words());
    let time = when::show(shown.time_us);
    let _ = write!(out, "  {time}  {} entry {}: {what}", shown.log, shown.index);
    if omission.archive_ends_before {
        out.push_str("; the archive that lacks it ends before that time");
    }
    let _ = writeln!(out, "\n    grant {}", omission.grant.to_hex());
}

/// The outcome for programs.
#[must_use]
pub fn json(found: &OneSided, verdict: &Verdict) -> Value {
    let omission = |omission: &Omission| {
        json!({
            "what": omission.what.name(),
            "grant": omission.grant.to_hex(),
            "log": omission.shown.log,
            "entry": omission.shown.index,
            "time": when::show(omission.shown.time_us),
            "lacking": omission.lacking,
            "archive_ends_before": omission.archive_ends_before,
        })
    };
    json!({
        "version": 1,
        "verified": verdict.accepted(),
        "holds": verdict.holds(),
        "verdict": text::sentence(verdict).trim_end(),
        "releases": found.releases,
        "one_sided": found.omissions.iter().map(omission).collect::<Vec<_>>(),
        "complete": found.is_complete(),
        "clean": found.is_clean(),
        "absent": found.absent,
        "elsewhere": found.elsewhere,
        "unread": found.unread,
        "dropped": found.dropped,
    })
}
