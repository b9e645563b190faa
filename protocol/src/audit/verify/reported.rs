//! A disclosed report: signed by the person whom the grant names, over exactly the images of that
//! grant. Whoever swapped the images under a report would have to sign it anew.

use prost::Message as _;

use super::entries::{Seen, Walk};
use super::fault::{Check, Fault};
use crate::audit::archive::FileName;
use crate::audit::record::ReportRecord;
use crate::document;
use crate::document::report::Report;
use crate::ids::PersonId;
use crypto::keys::VerifyingKey;

/// Holds a disclosed report against the grant that its entry names.
pub(super) fn opened(walk: &mut Walk<'_>, seen: &Seen<'_>, record: &[u8]) {
    let name = FileName::Opening(seen.index);
    let Ok(record) = ReportRecord::decode(record) else {
        return walk.fail(Check::Openings, name, Fault::Mismatch("record"));
    };
    // That an entry names a grant of this log is looked at whether it is disclosed or not.
    let hash = seen.grant_hash();
    let release = hash.and_then(|hash| Some((hash, walk.releases.get(&hash)?.grant?)));
    let Some((hash, grant)) = release else { return };
    let signer = |person: PersonId| VerifyingKey::from_bytes(person.as_bytes()).ok();
    let Some(signer) = grant.person.and_then(signer) else {
        return walk.fail(Check::Openings, name, Fault::Mismatch("person"));
    };
    let report: Report = match document::open(&record.report, &signer) {
        Ok(report) => report,
        Err(error) => return walk.fail(Check::Openings, name, error),
    };
    let stated = [
        (report.grant_hash == hash.as_bytes(), "grant of the report"),
        (
            grant
                .manifest_root
                .is_some_and(|root| root[..] == report.manifest_root),
            "set of images under the report",
        ),
    ];
    for (_, what) in stated.iter().filter(|(same, _)| !same) {
        walk.fail(Check::Openings, name, Fault::Mismatch(what));
    }
}
