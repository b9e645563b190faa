//! A granted release: the exact grant, who signed it, for whom, and the proof that it was logged
//! and witnessed.

use crypto::digest::Digest;
use crypto::log::merkle::TreeHead;
use crypto::log::proof::LogProof;
use crypto::log::quorum::QuorumError;
use crypto::note::VerifierKey;

use super::entries::{Cosigned, Kept, Release, Seen, Walk};
use super::fault::{Check, Fault};
use super::remark::Remark;
use super::times::forward_dated;
use super::tree::{latest_us, shortfall};
use crate::audit::archive::FileName;
use crate::audit::header::{Header, bucket};
use crate::document::grant::Grant;
use crate::document::{self, Document as _};
use crate::ids::{NodeId, PersonId};
use crate::member::Credential;
use crypto::envelope::Envelope;

/// A grant that its entry commits to, and the two credentials behind it.
pub(super) struct Parties<'a> {
    pub(super) hash: Digest,
    pub(super) grant: Grant,
    pub(super) owner: &'a Credential,
    pub(super) reader: &'a Credential,
}

/// Checks an entry of kind `ReleaseGranted`.
pub(super) fn granted(walk: &mut Walk<'_>, seen: &Seen<'_>) {
    walk.report.looked(Check::Grants);
    walk.report.counts.grants += 1;
    let index = seen.index;
    let file = walk.bundle(index);
    if seen.header.rules.is_empty() {
        walk.report
            .fail(Check::Grants, &file, Some(index), Fault::NoRule);
    }
    let policy = walk.trust.policy_hash;
    if policy.is_none_or(|hash| hash.as_bytes() != seen.header.policy_hash.as_slice()) {
        walk.report
            .remark(Check::Decisions, Some(index), Remark::OtherPolicy);
    }
    let parties = open(walk, seen, Check::Grants);
    if let Some(parties) = &parties {
        compare(walk, seen, parties);
    }
    if let Some(hash) = seen.grant_hash() {
        let grant = parties.map(|parties| Kept::of(&parties.grant));
        let new = Release {
            granted: Some(index),
            accepted: None,
            receipt: None,
            grant,
        };
        match walk.releases.get_mut(&hash) {
            None => {
                walk.releases.insert(hash, new);
            }
            Some(known) => {
                let earlier = known.granted.replace(index);
                known.grant = new.grant.or(known.grant.take());
                if let Some(earlier) = earlier {
                    walk.report
                        .fail(Check::Grants, &file, Some(index), Fault::Twice(earlier));
                }
            }
        }
    }
    own_proof(walk, seen);
}

/// Holds the entry's clear header against the grant that it commits to.
fn compare(walk: &mut Walk<'_>, seen: &Seen<'_>, parties: &Parties<'_>) {
    let (grant, header, index) = (&parties.grant, &seen.header, seen.index);
    let own = walk.trust.log_key(parties.owner) == Some(walk.log);
    let origin = own && grant.log_origin == walk.log.name().as_str();
    let holds = [
        (origin, "log of the owner"),
        (grant.fence == index, "fence"),
    ];
    let name = FileName::Grant(index);
    mismatches(walk, Check::Grants, name, &holds);
    mismatches(walk, Check::Grants, name, &told(grant, header));
}

/// Whether the header of a grant's entry tells what the grant does: by which policy and rules, from
/// which country to which, and how much, in buckets: what the grant's manifest holds, and not the
/// study that it was made from.
pub(super) fn told(grant: &Grant, header: &Header) -> [(bool, &'static str); 6] {
    let prepared = grant.prepared.as_ref();
    let (bytes, objects) = prepared.map_or((0, 0), |prepared| (prepared.bytes, prepared.objects));
    [
        (grant.policy_hash == header.policy_hash, "policy hash"),
        (grant.rules == header.rules, "list of rules"),
        (
            grant.from_country == header.from_country,
            "country of the data",
        ),
        (grant.to_country == header.to_country, "country of the desk"),
        (bucket(bytes) == header.bytes_bucket, "volume in bytes"),
        (
            bucket(objects) == header.instances_bucket,
            "volume in instances",
        ),
    ]
}

/// Notes every comparison that does not hold.
pub(super) fn mismatches(
    walk: &mut Walk<'_>,
    check: Check,
    name: FileName,
    comparisons: &[(bool, &'static str)],
) {
    for (_, what) in comparisons.iter().filter(|(holds, _)| !holds) {
        walk.fail(check, name, Fault::Mismatch(what));
    }
}

/// Opens the grant envelope of an entry: the exact one, signed by the hospital, for a reader who
/// was a member.
pub(super) fn open<'a>(walk: &mut Walk<'a>, seen: &Seen<'_>, check: Check) -> Option<Parties<'a>> {
    let name = FileName::Grant(seen.index);
    let Some(hash) = seen.grant_hash() else {
        let file = walk.bundle(seen.index);
        walk.report
            .fail(check, file, Some(seen.index), Fault::NoGrant);
        return None;
    };
    let bytes = walk.read(check, name)?;
    match parties(walk, seen, &bytes, hash) {
        Ok(parties) => Some(parties),
        Err(fault) => {
            walk.fail(check, name, fault);
            None
        }
    }
}

fn parties<'a>(
    walk: &Walk<'a>,
    seen: &Seen<'_>,
    bytes: &[u8],
    hash: Digest,
) -> Result<Parties<'a>, Fault> {
    if Digest::sha256(bytes) != hash {
        return Err(Fault::OtherGrant);
    }
    // Read before it is verified: only the grant says whose key must have signed it.
    let refused = |source| document::DocumentError::Envelope {
        what: Grant::NAME,
        source,
    };
    let claimed: Grant = document::decode(&Envelope::decode(bytes).map_err(refused)?.payload)?;
    let owner = NodeId::from_slice(&claimed.owner).ok_or(Fault::Mismatch("owner"))?;
    let owner = walk
        .trust
        .hospital(owner, seen.wall())
        .ok_or(Fault::NoCredential("owner"))?;
    let signer = owner
        .hospital_key
        .as_ref()
        .ok_or(Fault::NoCredential("owner"))?;
    let grant: Grant = document::open(bytes, signer)?;
    let reader = walk.trust.reader(grant.credential, seen.wall());
    let reader = reader.ok_or(Fault::NoCredential("reader"))?;
    if reader.person.is_none() || PersonId::from_slice(&grant.person) != reader.person {
        return Err(Fault::Mismatch("person"));
    }
    if grant.node != reader.node.as_bytes() {
        return Err(Fault::Mismatch("desk"));
    }
    Ok(Parties {
        hash,
        grant,
        owner,
        reader,
    })
}

/// Checks this log's own cosigned proof of a granted release.
fn own_proof(walk: &mut Walk<'_>, seen: &Seen<'_>) {
    let name = FileName::Proof(seen.index);
    let Some(bytes) = walk.read(Check::Grants, name) else {
        return;
    };
    let log = walk.log;
    let demand = Demand {
        index: seen.index,
        log,
        witnessed: true,
    };
    match proved(walk, seen.bytes, &bytes, &demand) {
        Err(fault) => walk.fail(Check::Grants, name, fault),
        Ok((head, cosigned)) => {
            walk.own_heads
                .entry((head.size, head.root))
                .or_insert(seen.index);
            if let Some(cosigned) = cosigned {
                walk.witnessed(head.size, cosigned);
                let wall = seen.wall();
                let earliest = wall.unix_us.saturating_sub(wall.uncertainty_us);
                if let Some(remark) = forward_dated(earliest, cosigned) {
                    walk.report.remark(Check::Entries, Some(seen.index), remark);
                }
            }
        }
    }
}

/// What a proof must show.
pub(super) struct Demand<'a> {
    /// The entry's index in the log.
    pub(super) index: u64,
    /// The log.
    pub(super) log: &'a VerifierKey,
    /// A quorum must have cosigned.
    pub(super) witnessed: bool,
}

/// Checks a `.tlog-proof` of an entry. Gives the tree that it names and the latest cosignature's
/// time.
pub(super) fn proved(
    walk: &mut Walk<'_>,
    entry: &[u8],
    proof: &[u8],
    demand: &Demand<'_>,
) -> Result<(TreeHead, Option<u64>), Fault> {
    let proof = LogProof::parse(proof)?;
    if proof.index != demand.index {
        return Err(Fault::Mismatch("index"));
    }
    let known = walk.cosigned.as_ref();
    let known = known.filter(|c| c.signed == proof.checkpoint && c.log == *demand.log);
    if known.is_none() {
        let signed = proof.checkpoint.verify_log(demand.log);
        signed.map_err(QuorumError::from)?;
    }
    let head = *proof.checkpoint.head();
    let leaf = crypto::log::merkle::leaf_hash(entry);
    crypto::log::merkle::verify_inclusion(&leaf, proof.index, head.size, &proof.path, &head.root)
        .map_err(Fault::NotIncluded)?;
    // Without a readable quorum file there is nothing to count by, which is a fault of its own.
    let Some(quorum) = walk.trust.quorum.as_ref().filter(|_| demand.witnessed) else {
        return Ok((head, None));
    };
    if let Some(known) = known {
        return Ok((head, known.latest_us));
    }
    let found = quorum.evaluate(&proof.checkpoint, demand.log)?;
    if !found.satisfied() {
        return Err(Fault::Shortfall(shortfall(&found)));
    }
    let latest_us = latest_us(&found);
    walk.cosigned = Some(Cosigned {
        signed: proof.checkpoint,
        log: demand.log.clone(),
        latest_us,
    });
    Ok((head, latest_us))
}
