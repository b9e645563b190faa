//! Who was let at a patient's studies: complete only when it is.

use super::*;
use crate::audit::record::{CaseRecord, StudyRecord};
use crate::audit::verify::tests::world::{Granted, seal};

/// A study of a patient, and its case.
pub(super) fn case(world: &mut World, number: u8, patient: &str) -> (u64, u64) {
    let study = StudyRecord {
        study: vec![number; 16],
        patient: patient.to_owned(),
        ..StudyRecord::default()
    };
    let study = world.append(
        true,
        world::header(Kind::StudyReceived),
        Record::StudyReceived(study),
    );
    world.case = vec![100 + number; 16];
    let case = CaseRecord {
        case: world.case.clone(),
        studies: vec![vec![number; 16]],
        ..CaseRecord::default()
    };
    let case = Record::CaseOpened(case);
    (
        study,
        world.append(true, world::header(Kind::CaseOpened), case),
    )
}

/// Two patients with a case each, both read.
fn two() -> (World, [(u64, u64); 2], [Granted; 2]) {
    let mut world = World::new();
    let first = case(&mut world, 1, "17^^^NORD");
    let one = world.whole_case();
    let second = case(&mut world, 2, "18^^^NORD");
    let two = world.whole_case();
    (world, [first, second], [one, two])
}

/// The hospital's archive with the payloads of some entries disclosed.
fn disclosing(world: &mut World, entries: &[u64]) -> Files {
    let mut archive = world.archive(true);
    for index in entries {
        let payload = world.hospital.payloads[*index as usize].clone();
        archive.insert(format!("openings/{index}.bin"), payload);
    }
    seal(&mut archive, &world.hospital);
    archive
}

pub(super) fn who(patient: &str) -> Ask {
    Ask {
        patient: Some(patient.to_owned()),
        ..Ask::of(Question::Who)
    }
}

#[test]
fn it_is_complete_when_every_release_is_opened_as_the_patients_or_not() {
    let (mut world, [one, two], granted) = two();
    let all = [
        one.0,
        one.1,
        two.0,
        two.1,
        granted[0].fence,
        granted[1].fence,
    ];
    let archive = disclosing(&mut world, &all);
    let answer = asked(&[&archive], &who("17^^^NORD"));
    assert_eq!(
        answer.says,
        [
            "1 release of the patient's studies.",
            "Releases that are known to be of other patients: 1."
        ]
    );
    let found = rows(&answer, "access to the patient's studies");
    assert_eq!(found.len(), 1);
    assert!(found[0].contains(" Member 2 "), "{found:?}");
    assert!(found[0].ends_with(&format!(" nord.example/log {}", granted[0].fence)));
    assert!(answer.is_complete(), "{}", answer.closing());
    // The reader's own account of the same releases changes nothing.
    let both = asked(&[&world.archive(false), &archive], &who("17^^^NORD"));
    assert!(both.is_complete(), "{}", both.closing());
    assert_eq!(rows(&both, "access to the patient's studies").len(), 1);
    // Nobody was let at a third patient's, and that is complete too.
    let nobody = asked(&[&archive], &who("19^^^NORD"));
    assert_eq!(
        nobody.says[0],
        "No release that is known to be of the patient."
    );
    assert!(nobody.is_complete());
}

#[test]
fn what_is_not_opened_is_counted() {
    let (mut world, [one, two], granted) = two();
    let of_one = [one.0, one.1, granted[0].fence];
    let archive = disclosing(&mut world, &of_one);
    let answer = asked(&[&archive], &who("17^^^NORD"));
    assert_eq!(rows(&answer, "access to the patient's studies").len(), 1);
    assert_eq!(
        unseen(&answer),
        [(Some(1), "releases of which no entry is ")]
    );
    // Any opened entry of a release settles it: here the receipt's, three behind the grant.
    let later = [
        one.0,
        one.1,
        granted[0].fence,
        two.0,
        two.1,
        granted[1].fence + 1,
    ];
    let archive = disclosing(&mut world, &later);
    let answer = asked(&[&archive], &who("17^^^NORD"));
    assert_eq!(
        unseen(&answer),
        [(Some(1), "releases of which no entry is ")]
    );
    // An opened release of a case whose study is sealed.
    let half = [one.0, one.1, granted[0].fence, two.1, granted[1].fence];
    let archive = disclosing(&mut world, &half);
    let answer = asked(&[&archive], &who("17^^^NORD"));
    assert_eq!(
        unseen(&answer),
        [(Some(1), "releases that are opened, but ")]
    );
    let nothing = asked(&[&world.archive(true)], &who("17^^^NORD"));
    assert_eq!(
        unseen(&nothing),
        [(Some(2), "releases of which no entry is ")]
    );
}

#[test]
fn an_opening_that_matches_no_commitment_opens_nothing() {
    let (mut world, [one, _], granted) = two();
    let mut archive = disclosing(&mut world, &[one.0, one.1, granted[0].fence]);
    // The other release's payload in the place of this one's.
    let other = world.hospital.payloads[granted[1].fence as usize].clone();
    archive.insert(format!("openings/{}.bin", granted[0].fence), other);
    seal(&mut archive, &world.hospital);
    let (verdict, answer) = ask(&[&archive], &who("17^^^NORD"));
    assert!(!verdict.holds());
    assert_eq!(rows(&answer, "access to the patient's studies"), [""; 0]);
    assert_eq!(
        unseen(&answer),
        [UNPROVEN, (Some(2), "releases of which no entry is ")]
    );
}

#[test]
fn without_a_patient_there_is_no_answer() {
    let (mut world, _, _) = two();
    let answer = asked(&[&world.archive(true)], &Ask::of(Question::Who));
    assert_eq!(unseen(&answer), [(None, "no patient was named: give --p")]);
}

#[test]
fn the_answer_does_not_repeat_the_patient() {
    let (mut world, [one, _], granted) = two();
    let archive = disclosing(&mut world, &[one.0, one.1, granted[0].fence]);
    let answer = asked(&[&archive], &who("17^^^NORD"));
    assert!(!describe(&answer).contains("NORD"));
}
