//! Disclosed payloads: every opening against its commitment, and the licences that the facts name.

use prost::Message as _;

use super::entries::{Seen, Walk};
use super::fault::Check;
use crate::audit::archive::FileName;
use crate::audit::entry::{Entry, EntryError, Field, Openings};
use crate::audit::header::Kind;

/// Checks the disclosed payload of an entry. False if none is disclosed.
pub(super) fn check(walk: &mut Walk<'_>, seen: &Seen<'_>, entry: &Entry) -> bool {
    if !walk.disclosed.contains(&seen.index) {
        return false;
    }
    let name = FileName::Opening(seen.index);
    let Some(bytes) = walk.read(Check::Openings, name) else {
        return false;
    };
    walk.report.looked(Check::Openings);
    let openings = match Openings::decode_bytes(&bytes) {
        Ok(openings) if openings.encode_to_vec() != bytes => {
            walk.fail(Check::Openings, name, EntryError::NotCanonical);
            return true;
        }
        Ok(openings) => openings,
        Err(error) => {
            walk.fail(Check::Openings, name, error);
            return true;
        }
    };
    for opening in &openings.openings {
        walk.report.counts.openings += 1;
        if let Err(error) = entry.check_opening(opening) {
            walk.fail(Check::Openings, name, error);
        }
    }
    if let Some(record) = openings.value(Field::Record) {
        let reports = [Kind::ReportSigned as i32, Kind::ReportReceived as i32];
        if seen.header.kind == Kind::LogReviewed as i32 {
            super::reviews::opened(walk, seen, record);
        } else if reports.contains(&seen.header.kind) {
            super::reported::opened(walk, seen, record);
        }
    }
    let decided = [Kind::ReleaseGranted as i32, Kind::ReleaseRefused as i32];
    if decided.contains(&seen.header.kind)
        && let Some(facts) = openings.value(Field::Facts)
    {
        super::decisions::check(walk, seen, facts);
    }
    true
}
