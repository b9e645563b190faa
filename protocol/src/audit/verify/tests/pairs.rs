//! Two archives together: what one side leaves out, the other side's log tells.

use super::world::{self, World};
use super::*;
use crate::audit::record::Record;

fn reconciled(report: &Report) -> Vec<(String, Fault)> {
    let failures = report
        .failures
        .iter()
        .filter(|f| f.check == Check::Reconciled);
    failures
        .map(|failure| (failure.file.clone(), failure.fault.clone()))
        .collect()
}

#[test]
fn a_reader_log_without_the_entry_is_found() {
    let mut world = World::new();
    let granted = world.grant();
    let accepted = world.accept(&granted);
    world.receipt(&granted, accepted);
    let hospital = world.archive(true);
    // The reader's archive comes from a log in which the acceptance never happened.
    let mut other = World::new();
    other.idle(false);
    let reader = other.archive(false);
    let peer = world.reader.name.clone();
    let found = verdict(&[&hospital, &reader]);
    let expected = [
        Fault::NotInPeer {
            peer: peer.clone(),
            index: accepted,
        },
        Fault::PeerForked {
            peer: peer.clone(),
            size: 2,
        },
    ];
    assert_eq!(
        reconciled(&found.archives[0]),
        expected.map(|fault| ("receipts/2.proof".to_owned(), fault))
    );
    // An archive that ends before the acceptance.
    let found = verdict(&[&hospital, &World::new().archive(false)]);
    let expected = [
        Fault::NotInPeer {
            peer: peer.clone(),
            index: accepted,
        },
        Fault::PeerBehind { peer, size: 2 },
    ];
    assert_eq!(
        reconciled(&found.archives[0]),
        expected.map(|fault| ("receipts/2.proof".to_owned(), fault))
    );
}

#[test]
fn a_hospital_log_without_the_grant_is_found() {
    let mut world = World::new();
    let granted = world.grant();
    let accepted = world.accept(&granted);
    let reader = world.archive(false);
    let mut other = World::new();
    other.idle(true);
    let hospital = other.archive(true);
    let found = verdict(&[&hospital, &reader]);
    let peer = world.reader.name.clone();
    assert_eq!(
        reconciled(&found.archives[0]),
        [(
            "log/tile/entries/000.p/2".to_owned(),
            Fault::NeverGranted {
                peer,
                index: accepted
            }
        )]
    );
    let peer = world.hospital.name.clone();
    assert_eq!(
        reconciled(&found.archives[1]),
        [
            Fault::NotInPeer {
                peer: peer.clone(),
                index: 1
            },
            Fault::PeerForked { peer, size: 2 }
        ]
        .map(|fault| ("peer/1.proof".to_owned(), fault))
    );
}

#[test]
fn access_that_only_the_reader_logged_is_found() {
    let mut world = World::new();
    let granted = world.grant();
    let accepted = world.accept(&granted);
    let both = [world.archive(true), world.archive(false)];
    let found = verdict(&[&both[0], &both[1]]);
    assert!(found.holds());
    let peer = world.reader.name.clone();
    let remark = Remark::ReceiptNeverArrived {
        peer: peer.clone(),
        index: accepted,
    };
    assert!(
        found.archives[0]
            .remarks
            .iter()
            .any(|noted| noted.remark == remark)
    );

    let begun = world.begin(false, &granted);
    let found = verdict(&[&both[0], &world.archive(false)]);
    assert_eq!(
        reconciled(&found.archives[0]),
        [(
            "log/tile/entries/000.p/2".to_owned(),
            Fault::PeerAccess { peer, index: begun }
        )]
    );
}

#[test]
fn a_peer_that_is_not_given_is_named() {
    let mut world = World::new();
    world.whole_case();
    let found = verdict(&[&world.archive(true)]);
    let remark = Remark::PeerNotGiven(world.reader.name.clone());
    assert!(
        found.archives[0]
            .remarks
            .iter()
            .any(|noted| noted.remark == remark)
    );
}

#[test]
fn two_copies_of_a_log_must_be_one_log() {
    let mut world = World::new();
    world.whole_case();
    let early = world.archive(true);
    world.idle(true);
    let late = world.archive(true);
    assert!(verdict(&[&early, &late]).holds());
    assert!(verdict(&[&late, &early]).holds());
    let mut other = World::new();
    other.idle(true);
    other.idle(true);
    let fork = other.archive(true);
    let found = verdict(&[&early, &fork]);
    assert_eq!(
        reconciled(&found.archives[1]),
        [("log/checkpoint".to_owned(), Fault::CopiesDiffer(3))]
    );
}

#[test]
fn the_reader_side_is_checked_like_the_owner_side() {
    // The owner's proof is not cosigned: the reader should never have accepted it.
    let mut world = World::new();
    let granted = world.grant();
    world.accept(&granted);
    let uncosigned = world.prove(true, granted.fence, false);
    let Some(Record::GrantAccepted(record)) = world.reader.records.last_mut() else {
        panic!()
    };
    record.proof = uncosigned;
    let found = only(&world.archive(false));
    let short = Fault::Shortfall("w1 has 0 of 1 needed; absent: w1".to_owned());
    assert_eq!(found, (Check::Peers, "peer/1.proof".to_owned(), short));

    let mut world = World::new();
    let granted = world.grant();
    world.accept(&granted);
    let start = world.hospital.entries[0].clone();
    let Some(Record::GrantAccepted(record)) = world.reader.records.last_mut() else {
        panic!()
    };
    record.peer_entry = start;
    let found: Vec<Fault> = failures(&world.archive(false))
        .into_iter()
        .map(|f| f.2)
        .collect();
    assert_eq!(
        found[..2],
        ["kind of the entry", "grant of the entry"].map(Fault::Mismatch)
    );
    assert!(matches!(found[2], Fault::NotIncluded(_)));
}

#[test]
fn a_grant_logged_twice_is_found() {
    let mut world = World::new();
    let granted = world.grant();
    world.grant_as(&world::grant(granted.fence), world::HOSPITAL_GRANTS);
    let found: Vec<Fault> = failures(&world.archive(true))
        .into_iter()
        .map(|f| f.2)
        .collect();
    assert_eq!(
        found,
        [Fault::Mismatch("fence"), Fault::Twice(granted.fence)]
    );
}
