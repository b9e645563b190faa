//! What one log keeps of another: the entry and proof of the other side of the same release.

use crypto::digest::Digest;

use super::entries::{Kept, Release, Seen, Walk};
use super::fault::{Check, Fault};
use super::reconcile::Link;
use super::release::{self, Demand, mismatches, proved, told};
use crate::audit::archive::FileName;
use crate::audit::entry::Entry;
use crate::audit::header::Kind;
use crate::document::grant::Grant;

/// Checks an entry of kind `GrantAccepted`: the reader's side of a release.
pub(super) fn accepted(walk: &mut Walk<'_>, seen: &Seen<'_>) {
    walk.report.looked(Check::Peers);
    walk.report.counts.accepted += 1;
    let index = seen.index;
    let parties = release::open(walk, seen, Check::Peers);
    if let Some(hash) = seen.grant_hash() {
        let new = Release {
            granted: None,
            accepted: None,
            receipt: None,
            grant: None,
        };
        let known = walk.releases.entry(hash).or_insert(new);
        if let Some(earlier) = known.accepted.replace(index) {
            let file = walk.bundle(index);
            walk.report
                .fail(Check::Peers, file, Some(index), Fault::Twice(earlier));
        }
        if let Some(parties) = &parties {
            known_grant(walk, hash, Kept::of(&parties.grant));
        }
    }
    let names = (FileName::PeerEntry(index), FileName::PeerProof(index));
    let Some(parties) = parties else {
        // Read all the same: the files belong here, and their absence is a fault of its own.
        walk.read(Check::Peers, names.0);
        walk.read(Check::Peers, names.1);
        return;
    };
    let trust = walk.trust;
    let Some(owner) = trust.log_key(parties.owner) else {
        return;
    };
    let own = trust.log_key(parties.reader) == Some(walk.log);
    let origin = parties.grant.log_origin == owner.name().as_str();
    let holds = [(own, "log of the reader"), (origin, "log of the owner")];
    mismatches(walk, Check::Peers, FileName::Grant(index), &holds);
    let expected = Expected {
        check: Check::Peers,
        kind: Kind::ReleaseGranted,
        granted: Some(&parties.grant),
        hash: parties.hash,
        demand: Demand {
            index: parties.grant.fence,
            log: owner,
            witnessed: true,
        },
    };
    foreign(walk, seen, names, &expected);
}

fn known_grant(walk: &mut Walk<'_>, hash: Digest, grant: Kept) {
    if let Some(release) = walk.releases.get_mut(&hash) {
        release.grant.get_or_insert(grant);
    }
}

/// What another log's entry and proof must show.
pub(super) struct Expected<'a> {
    pub(super) check: Check,
    pub(super) kind: Kind,
    /// The grant that the entry granted, for an owner's entry.
    pub(super) granted: Option<&'a Grant>,
    pub(super) hash: Digest,
    pub(super) demand: Demand<'a>,
}

/// Checks another log's entry and proof, and notes what that log must hold if its archive is given.
pub(super) fn foreign(
    walk: &mut Walk<'_>,
    seen: &Seen<'_>,
    (entry, proof): (FileName, FileName),
    expected: &Expected<'_>,
) {
    let check = expected.check;
    let (entry_bytes, proof_bytes) = (walk.read(check, entry), walk.read(check, proof));
    let (Some(entry_bytes), Some(proof_bytes)) = (entry_bytes, proof_bytes) else {
        return;
    };
    match Entry::decode_bytes(&entry_bytes) {
        Err(error) => walk.fail(check, entry, error),
        Ok(found) => {
            let header = found.header();
            let holds = [
                (header.kind == expected.kind as i32, "kind of the entry"),
                (
                    header.grant_hash == expected.hash.as_bytes(),
                    "grant of the entry",
                ),
            ];
            mismatches(walk, check, entry, &holds);
            let granted = expected.granted;
            if let Some(grant) = granted.filter(|_| header.kind == expected.kind as i32) {
                mismatches(walk, check, entry, &told(grant, &header));
            }
        }
    }
    match proved(walk, &entry_bytes, &proof_bytes, &expected.demand) {
        Err(fault) => walk.fail(check, proof, fault),
        Ok((head, _)) => walk.links.push(Link {
            index: seen.index,
            hash: expected.hash,
            proof,
            peer: expected.demand.log.name().clone(),
            peer_index: expected.demand.index,
            entry: Digest::sha256(&entry_bytes),
            head,
        }),
    }
}
