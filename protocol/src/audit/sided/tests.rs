//! An omission on each side, in archives that are otherwise whole.

use super::*;
use crate::audit::record::{Record, ReportRecord};
use crate::audit::verify::tests::world::{self, Files, Granted, World};
use crate::audit::verify::{Options, verify};

const OWNER: &str = "nord.example/log";
const READER: &str = "sued.example/log";

fn compare(archives: &[&Files]) -> (OneSided, Verdict) {
    let inputs: Vec<Input<'_>> = archives
        .iter()
        .map(|files| Input {
            label: "archive",
            source: *files,
        })
        .collect();
    let verdict = verify(&inputs, Options::default());
    (one_sided(&inputs, &verdict), verdict)
}

/// What is one-sided: which log shows it, at which entry, and who lacks it.
fn found(archives: &[&Files]) -> Vec<(What, String, u64, Option<String>)> {
    let (found, _) = compare(archives);
    let omissions = found.omissions.into_iter();
    omissions
        .map(|o| (o.what, o.shown.log, o.shown.index, o.lacking))
        .collect()
}

fn omitted(
    what: What,
    log: &str,
    index: u64,
    lacking: &str,
) -> (What, String, u64, Option<String>) {
    (what, log.to_owned(), index, Some(lacking.to_owned()))
}

fn report(world: &mut World, hospital: bool, granted: &Granted) -> u64 {
    let (kind, record) = if hospital {
        let record = Record::ReportReceived(ReportRecord::default());
        (Kind::ReportReceived, record)
    } else {
        let record = Record::ReportSigned(ReportRecord::default());
        (Kind::ReportSigned, record)
    };
    let header = world::header(kind).with_grant(granted.hash);
    world.append(hospital, header, record)
}

#[test]
fn a_clean_pair_shows_nothing() {
    let mut world = World::new();
    for _ in 0..3 {
        let granted = world.whole_case();
        report(&mut world, false, &granted);
        report(&mut world, true, &granted);
    }
    let (hospital, reader) = (world.archive(true), world.archive(false));
    for pair in [[&hospital, &reader], [&reader, &hospital]] {
        let (found, verdict) = compare(&pair);
        let expected = OneSided {
            releases: 3,
            ..OneSided::default()
        };
        assert!(verdict.holds());
        assert_eq!(found, expected);
        assert!(found.is_clean());
    }
    // A second copy of a log adds nothing.
    assert!(compare(&[&hospital, &reader, &hospital]).0.is_clean());
}

#[test]
fn a_peer_that_is_not_given_is_not_guessed() {
    let mut world = World::new();
    let granted = world.whole_case();
    report(&mut world, true, &granted);
    let (found, _) = compare(&[&world.archive(true)]);
    assert_eq!(found.omissions, []);
    assert_eq!(found.absent, BTreeSet::from([READER.to_owned()]));
    assert!(!found.is_clean());
    let (found, _) = compare(&[&world.archive(false)]);
    assert_eq!(found.omissions, []);
    assert_eq!(found.absent, BTreeSet::from([OWNER.to_owned()]));
    assert!(!found.is_clean());
}

#[test]
fn grants_without_receipts_are_found() {
    let mut world = World::new();
    let first = world.grant();
    world.accept(&first);
    let second = world.grant();
    let both = [world.archive(true), world.archive(false)];
    let expected = [
        omitted(What::ReceiptNeverArrived, OWNER, first.fence, OWNER),
        omitted(What::GrantWithoutReceipt, OWNER, second.fence, OWNER),
    ];
    assert_eq!(found(&[&both[0], &both[1]]), expected);
    let (found, verdict) = compare(&[&both[0], &both[1]]);
    // The verification only remarks on it: neither log is wrong.
    assert!(verdict.holds() && !found.is_clean());
    let said = describe(&found, &verdict);
    let time = crate::audit::query::when::show(found.omissions[0].shown.time_us);
    assert!(said.contains(&format!("  {time}  {OWNER} entry 1: granted and accepted")));
    let json = json(&found, &verdict);
    assert_eq!(json["one_sided"][0]["what"], "receipt-never-arrived");
    assert_eq!(json["one_sided"][0]["time"], time);
    assert_eq!(json["one_sided"][1]["entry"], second.fence);
    assert_eq!(json["clean"], false);
}

#[test]
fn a_log_without_the_other_sides_entry_is_found() {
    let mut world = World::new();
    let granted = world.grant();
    let accepted = world.accept(&granted);
    let receipt = world.receipt(&granted, accepted);
    let (hospital, reader) = (world.archive(true), world.archive(false));
    let (no_hospital, no_reader) = (World::new().archive(true), World::new().archive(false));
    let expected = omitted(What::ReceiptWithoutAcceptance, OWNER, receipt, READER);
    assert_eq!(found(&[&hospital, &no_reader]), [expected]);
    let expected = omitted(What::AcceptanceWithoutGrant, READER, accepted, OWNER);
    assert_eq!(found(&[&no_hospital, &reader]), [expected]);
    let (found, verdict) = compare(&[&no_hospital, &reader]);
    assert!(!verdict.holds());
    assert!(found.omissions[0].archive_ends_before);
}

#[test]
fn a_receipt_without_its_grant_is_found() {
    let mut world = World::new();
    let mut other = World::new();
    other.idle(true);
    let granted = world.grant();
    let accepted = world.accept(&granted);
    // The hospital's log was written anew without the grant, and the receipt kept.
    other.reader = world.reader;
    let receipt = other.receipt(&granted, accepted);
    let expected = omitted(What::ReceiptWithoutGrant, OWNER, receipt, OWNER);
    let found = found(&[&other.archive(true), &other.archive(false)]);
    assert!(found.contains(&expected), "{found:?}");
}

#[test]
fn reports_of_one_side_only_are_found() {
    let mut world = World::new();
    let granted = world.whole_case();
    let signed = report(&mut world, false, &granted);
    let both = [world.archive(true), world.archive(false)];
    let expected = omitted(What::ReportNotReceived, READER, signed, OWNER);
    assert_eq!(
        found(&[&both[0], &both[1]]),
        std::slice::from_ref(&expected)
    );
    assert_eq!(found(&[&both[1], &both[0]]), [expected]);
    // A second report of the same grant is one-sided on its own.
    report(&mut world, true, &granted);
    let more = report(&mut world, true, &granted);
    let expected = omitted(What::ReportNotSigned, OWNER, more, READER);
    assert_eq!(found(&[&world.archive(true), &both[1]]), [expected]);
}

#[test]
fn what_cannot_be_read_is_never_clean() {
    let mut world = World::new();
    world.whole_case();
    let (hospital, mut reader) = (world.archive(true), world.archive(false));
    reader.retain(|path, _| !path.starts_with("log/tile/entries/"));
    let (found, verdict) = compare(&[&hospital, &reader]);
    assert!(!verdict.holds());
    assert_eq!(found.unread, 3);
    assert!(!found.is_clean());
    let (found, _) = compare(&[&hospital, &Files::new()]);
    assert!(!found.is_clean());
}
