//! Disclosed payloads: what they say is held against the log, the credentials and the policy.

#[cfg(feature = "policy")]
use super::attacks::fault;
use super::attacks::with;
#[cfg(feature = "policy")]
use super::world;
use super::world::World;
use super::*;
use crate::audit::entry::EntryError;

#[test]
fn openings_are_held_against_their_commitments() {
    let mut world = World::new();
    world.whole_case();
    let archive = world.archive(true);
    let path = "openings/1.bin";
    let payload = world.hospital.payloads[1].clone();
    let shown = with(&world, &archive, path, &payload);
    let found = verdict(&[&shown]);
    assert!(found.holds(), "{}", describe(&found));
    assert_eq!(found.archives[0].counts.openings, 2);
    let sealed = |noted: &Noted| noted.remark == Remark::Sealed(3);
    assert!(found.archives[0].remarks.iter().any(sealed));

    let other = with(&world, &archive, path, &world.hospital.payloads[2]);
    assert!(failures(&other).iter().all(|(check, file, fault)| {
        *check == Check::Openings
            && file == path
            && *fault == Fault::Entry(EntryError::WrongOpening)
    }));
    assert!(!verdict(&[&other]).holds());
    let mut tail = payload;
    tail.extend_from_slice(&[8, 1]);
    let found = only(&with(&world, &archive, path, &tail));
    assert_eq!(found.2, Fault::Entry(EntryError::NotCanonical));
}

/// The only failure of an archive that discloses entry 1, or none.
fn disclosed(world: &mut World) -> Vec<(Check, String, Fault)> {
    let archive = world.archive(true);
    let payload = world.hospital.payloads[1].clone();
    failures(&with(world, &archive, "openings/1.bin", &payload))
}

#[test]
fn disclosed_facts_are_held_against_the_credential_and_the_header() {
    let found = |change: fn(&mut crate::policy::Facts)| {
        let mut world = World::new();
        change(&mut world.facts);
        world.grant();
        let mut found = disclosed(&mut world);
        found.retain(|(check, _, _)| *check == Check::Openings);
        found
            .into_iter()
            .map(|(_, _, fault)| fault)
            .collect::<Vec<_>>()
    };
    assert_eq!(found(|_| ()), []);
    let licence = Fault::Licence("FR".to_owned());
    assert_eq!(
        found(|facts| facts.licences.push("FR".to_owned())),
        [licence]
    );
    assert_eq!(
        found(|facts| facts.desk_country = "FR".to_owned()),
        [Fault::Mismatch("country of the desk")]
    );
    assert_eq!(
        found(|facts| facts.credential_valid = false),
        [Fault::Mismatch("validity of the credential")]
    );
    // A licence that had run out by then.
    let mut world = World::new();
    world.now += 2 * 86_400;
    world.grant();
    assert_eq!(disclosed(&mut world)[0].2, Fault::Licence("DE".to_owned()));
}

#[cfg(feature = "policy")]
#[test]
fn disclosed_decisions_are_made_again() {
    let mut world = World::new();
    world.grant();
    let archive = world.archive(true);
    let payload = world.hospital.payloads[1].clone();
    let found = verdict(&[&with(&world, &archive, "openings/1.bin", &payload)]);
    assert!(found.holds(), "{}", describe(&found));
    assert_eq!(found.archives[0].status(Check::Decisions), Status::Holds(1));

    let mut world = World::new();
    // The study was bound to its country, and went abroad.
    world.facts.resident = true;
    world.grant();
    let faults: Vec<Fault> = disclosed(&mut world)
        .into_iter()
        .map(|found| found.2)
        .collect();
    let expected = [
        "it refuses what was granted",
        "by other rules",
        "on another basis",
    ];
    assert_eq!(faults, expected.map(Fault::Decision));

    let mut broken = with(&world, &archive, "openings/1.bin", &payload);
    broken.insert(
        "trust/policy.cedar".to_owned(),
        b"permit everything;".to_vec(),
    );
    let found = failures(&broken);
    assert!(matches!(
        fault(&found, Check::Decisions, "trust/policy.cedar"),
        Fault::PolicyText(_)
    ));
}

#[cfg(feature = "policy")]
#[test]
fn disclosed_refusals_are_decided_again_too() {
    use crate::audit::header::{Header, Kind, Outcome};
    use crate::audit::record::{Record, ReleaseRecord};
    // Refused for want of a licence, by rule; then again what the policy would have allowed.
    let refuse = |licences: &[&str], rules: &[&str], outcome: Outcome| {
        let mut world = World::new();
        world.facts.licences = licences.iter().map(|text| (*text).to_owned()).collect();
        let header = Header {
            outcome: outcome as i32,
            rules: rules.iter().map(|text| (*text).to_owned()).collect(),
            policy_hash: Digest::sha256(world::POLICY.as_bytes()).as_bytes().to_vec(),
            from_country: "DE".to_owned(),
            to_country: "AT".to_owned(),
            purpose: "TREAT".to_owned(),
            ..world::header(Kind::ReleaseRefused)
        };
        let record = Record::ReleaseRefused(ReleaseRecord::default());
        world.append(true, header, record);
        let found = disclosed(&mut world).into_iter();
        found.map(|(_, _, fault)| fault).collect::<Vec<_>>()
    };
    assert_eq!(refuse(&[], &["licence-required"], Outcome::Refused), []);
    let allowed = ["read-within-eea"];
    let wrong = Fault::Decision("it allows what was refused");
    assert_eq!(refuse(&["DE"], &allowed, Outcome::Refused), [wrong]);
    assert_eq!(refuse(&["DE"], &allowed, Outcome::Failure), []);
}

#[cfg(not(feature = "policy"))]
#[test]
fn without_an_engine_it_is_said_that_nothing_was_decided_again() {
    let mut world = World::new();
    world.grant();
    let archive = world.archive(true);
    let payload = world.hospital.payloads[1].clone();
    let found = verdict(&[&with(&world, &archive, "openings/1.bin", &payload)]);
    let remark = Remark::DecisionsNotMade(1);
    assert!(
        found.archives[0]
            .remarks
            .iter()
            .any(|noted| noted.remark == remark)
    );
    assert_eq!(
        found.archives[0].status(Check::Decisions),
        Status::NotChecked
    );
}
