//! Reviews of the log: what their entries state in the clear, the signature where one is disclosed,
//! and those that were missed.

use prost::Message as _;

use super::entries::{Seen, Walk};
use super::fault::{Check, Fault};
use super::remark::Remark;
use super::report::Report;
use crate::audit::archive::FileName;
use crate::audit::record::ReviewRecord;
use crate::audit::review::Reviews;
use crate::document::review;

/// A review states a range of entries before its own.
pub(super) fn logged(walk: &mut Walk<'_>, seen: &Seen<'_>) {
    let range = seen.header.reviewed;
    if !range.is_some_and(|range| range.is_before(seen.index)) {
        let file = walk.bundle(seen.index);
        let fault = Fault::ReviewRange;
        walk.report
            .fail(Check::Entries, file, Some(seen.index), fault);
    }
}

/// A disclosed review is signed by a key of the log's own member, and says what its header says.
pub(super) fn opened(walk: &mut Walk<'_>, seen: &Seen<'_>, record: &[u8]) {
    let name = FileName::Opening(seen.index);
    let Ok(record) = ReviewRecord::decode(record) else {
        return walk.fail(Check::Openings, name, Fault::Mismatch("record"));
    };
    let own = walk.trust.of_log(walk.log);
    let Some(own) = own.filter(|own| own.is_valid_at(seen.wall())) else {
        return walk.fail(Check::Openings, name, Fault::NoCredential("reviewer"));
    };
    let review = match review::open(&record.review, own) {
        Ok((review, _)) => review,
        Err(error) => return walk.fail(Check::Openings, name, error),
    };
    let range = seen.header.reviewed.unwrap_or_default();
    let stated = [
        (
            review.log_origin == walk.log.name().as_str(),
            "log of the review",
        ),
        (
            (review.first, review.end) == (range.first, range.end),
            "range of the review",
        ),
        (review.findings == range.findings, "number of findings"),
    ];
    for (_, what) in stated.iter().filter(|(same, _)| !same) {
        walk.fail(Check::Openings, name, Fault::Mismatch(what));
    }
}

/// Notes every review that was missed.
pub(super) fn missed(found: Reviews, report: &mut Report) {
    for missed in found.missed {
        let remark = Remark::ReviewMissed(missed);
        report.remark(Check::Entries, Some(missed.first), remark);
    }
}
