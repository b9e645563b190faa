//! A receipt: signed by the person the grant names, and backed by the reader's own log.

use crypto::digest::Digest;
use crypto::keys::VerifyingKey;

use super::entries::{Kept, Seen, Walk};
use super::fault::{Check, Fault};
use super::peer::{Expected, foreign};
use super::release::{Demand, mismatches};
use crate::audit::archive::FileName;
use crate::audit::header::Kind;
use crate::document;
use crate::document::receipt::Receipt;

/// Checks an entry of kind `ReceiptAccepted`.
pub(super) fn accepted(walk: &mut Walk<'_>, seen: &Seen<'_>) {
    walk.report.looked(Check::Receipts);
    walk.report.counts.receipts += 1;
    let index = seen.index;
    let names = (FileName::ReceiptEntry(index), FileName::ReceiptProof(index));
    let name = FileName::Receipt(index);
    let bytes = walk.read(Check::Receipts, name);
    let granted = granted(walk, seen);
    if granted.is_none() {
        walk.report.counts.receipts_without_grant += 1;
        let file = walk.bundle(index);
        walk.report
            .fail(Check::Receipts, file, Some(index), Fault::UnknownGrant);
    }
    let checked = match (bytes, granted) {
        (Some(bytes), Some((hash, Some(grant)))) => {
            check(walk, seen, &bytes, &grant).map(|receipt| (hash, grant, receipt))
        }
        _ => None,
    };
    let Some((hash, grant, receipt)) = checked else {
        walk.read(Check::Receipts, names.0);
        walk.read(Check::Receipts, names.1);
        return;
    };
    let Some(reader) = walk.trust.reader(grant.credential, seen.wall()) else {
        return walk.fail(Check::Receipts, name, Fault::NoCredential("reader"));
    };
    let trust = walk.trust;
    let Some(log) = trust.log_key(reader) else {
        return;
    };
    let holds = [
        (receipt.grant_hash == hash.as_bytes(), "grant"),
        (receipt.fence == grant.fence, "fence"),
        (
            receipt.log_origin == log.name().as_str(),
            "log of the reader",
        ),
    ];
    mismatches(walk, Check::Receipts, name, &holds);
    let expected = Expected {
        check: Check::Receipts,
        kind: Kind::GrantAccepted,
        granted: None,
        hash,
        // The reader's cosignatures follow within a minute; its own signature binds it already.
        demand: Demand {
            index: receipt.log_index,
            log,
            witnessed: false,
        },
    };
    foreign(walk, seen, names, &expected);
}

/// The grant that the entry names, if this log granted it; notes that its receipt is here.
fn granted(walk: &mut Walk<'_>, seen: &Seen<'_>) -> Option<(Digest, Option<Kept>)> {
    let hash = seen.grant_hash()?;
    let release = walk
        .releases
        .get_mut(&hash)
        .filter(|release| release.granted.is_some())?;
    if release.receipt.replace(seen.index).is_none() {
        walk.report.counts.grants_with_receipt += 1;
    }
    Some((hash, release.grant))
}

/// Opens the receipt as the person's whom the grant names.
fn check(walk: &mut Walk<'_>, seen: &Seen<'_>, bytes: &[u8], grant: &Kept) -> Option<Receipt> {
    let name = FileName::Receipt(seen.index);
    let signer = grant
        .person
        .and_then(|person| VerifyingKey::from_bytes(person.as_bytes()).ok());
    let opened = match signer {
        None => Err(Fault::Mismatch("person")),
        Some(signer) => document::open::<Receipt>(bytes, &signer).map_err(Fault::from),
    };
    match opened {
        Ok(receipt) => Some(receipt),
        Err(fault) => {
            walk.fail(Check::Receipts, name, fault);
            None
        }
    }
}
