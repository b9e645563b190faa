//! Disclosed facts of a release: against the reader's credential, and decided again by the archived
//! policy text.
//!
//! Without the feature `policy` there is no engine: that is said, and the facts are still compared.

use super::entries::{Seen, Walk};
use super::fault::{Check, Fault};
use super::release::mismatches;
use crate::audit::archive::FileName;
use crate::audit::header::Kind;
#[cfg(feature = "policy")]
use crate::audit::header::Outcome;
use crate::policy::Facts;

/// Checks the disclosed facts of a granted or refused release.
pub(super) fn check(walk: &mut Walk<'_>, seen: &Seen<'_>, text: &[u8]) {
    let name = FileName::Opening(seen.index);
    let facts = match std::str::from_utf8(text).map(Facts::parse_canonical) {
        Ok(Ok(facts)) => facts,
        Ok(Err(error)) => return walk.fail(Check::Openings, name, error),
        Err(_) => return walk.fail(Check::Openings, name, Fault::Mismatch("text of the facts")),
    };
    let granted = seen.header.kind == Kind::ReleaseGranted as i32;
    let holds = [
        (
            facts.hospital_country == seen.header.from_country,
            "country of the data",
        ),
        (
            facts.desk_country == seen.header.to_country,
            "country of the desk",
        ),
        (facts.purpose == seen.header.purpose, "purpose"),
        (
            !granted || facts.credential_valid,
            "validity of the credential",
        ),
    ];
    mismatches(walk, Check::Openings, name, &holds);
    if granted {
        licences(walk, seen, &facts);
    }
    again(walk, seen, &facts);
}

/// Every licence that the facts name must have been held by the reader whom the grant names.
fn licences(walk: &mut Walk<'_>, seen: &Seen<'_>, facts: &Facts) {
    let release = seen.grant_hash().and_then(|hash| walk.releases.get(&hash));
    let serial = release
        .and_then(|release| release.grant.as_ref())
        .map(|grant| grant.credential);
    let Some(reader) = serial.and_then(|serial| walk.trust.reader(serial, seen.wall())) else {
        // That the reader had no credential then is a fault of the grant, noted there.
        return;
    };
    let held = reader.licensed_in(seen.wall());
    for licence in facts
        .licences
        .iter()
        .filter(|licence| !held.contains(licence))
    {
        let fault = Fault::Licence(licence.clone());
        walk.fail(Check::Openings, FileName::Opening(seen.index), fault);
    }
}

/// Decides again, if the archive has the very policy text that decided.
#[cfg(feature = "policy")]
fn again(walk: &mut Walk<'_>, seen: &Seen<'_>, facts: &Facts) {
    use crate::policy::Decide as _;
    let Some(policy) = &walk.trust.policy else {
        return;
    };
    if policy.policy_hash().as_bytes() != seen.header.policy_hash.as_slice() {
        return;
    }
    walk.report.looked(Check::Decisions);
    let granted = seen.header.kind == Kind::ReleaseGranted as i32;
    // A release can also fail after it was allowed: its signer refused, its case ended.
    let by_rule = seen.header.outcome == Outcome::Refused as i32;
    let decision = policy.decide(facts);
    let holds = [
        (decision.allowed || !granted, "it refuses what was granted"),
        (!decision.allowed || !by_rule, "it allows what was refused"),
        (decision.rules == seen.header.rules, "by other rules"),
        (
            decision.basis == seen.header.basis || !granted,
            "on another basis",
        ),
    ];
    for (_, what) in holds.iter().filter(|(holds, _)| !holds) {
        walk.fail(
            Check::Decisions,
            FileName::Opening(seen.index),
            Fault::Decision(what),
        );
    }
}

/// Counts what an engine would have decided again.
#[cfg(not(feature = "policy"))]
fn again(walk: &mut Walk<'_>, _seen: &Seen<'_>, _facts: &Facts) {
    walk.undecided += 1;
}
