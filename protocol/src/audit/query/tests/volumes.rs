//! What left a country, and who stands out, on histories that are counted by hand.

use super::*;
use crate::audit::header::{Header, Outcome};
use crate::audit::record::ReleaseRecord;
use crate::audit::verify::tests::world::VOLUME;
use crate::ids::PersonId;
use crate::member::Credential;
use crypto::digest::Digest;

/// The grant to another country, which the log says as well.
fn grant_to(world: &mut World, country: &str) {
    let mut grant = world::grant(world.hospital.writer.size());
    country.clone_into(&mut grant.to_country);
    world.grant_as(&grant, world::HOSPITAL_GRANTS);
}

#[test]
fn what_left_is_summed_by_pair_and_by_day() {
    let mut world = World::new();
    world.release.legal_role = "controller".to_owned();
    world.whole_case();
    grant_to(&mut world, "DE");
    world.now += 86_400;
    grant_to(&mut world, "FR");
    let (hospital, reader) = (world.archive(true), world.archive(false));
    // The reader's log and a second copy show the same releases: they count once.
    let answer = asked(&[&hospital, &reader, &hospital], &Ask::of(Question::Left));
    let (bytes, objects) = VOLUME;
    let (two, objects2) = (2 * bytes, 2 * objects);
    assert_eq!(
        answer.says[0],
        format!("2 releases to another country, with {two} bytes in {objects2} objects.")
    );
    let pairs = ["DE AT yes", "DE DE no", "DE FR yes"];
    assert_eq!(
        rows(&answer, "by pair of countries"),
        pairs.map(|pair| format!("{pair} 1 {bytes} {objects}"))
    );
    let days = ["DE AT 2027-01-15", "DE DE 2027-01-15", "DE FR 2027-01-16"];
    assert_eq!(
        rows(&answer, "by day (UTC)"),
        days.map(|day| format!("{day} 1 {bytes} {objects}"))
    );
    let abroad = Ask {
        to_country: Some("AT".to_owned()),
        ..Ask::of(Question::Left)
    };
    let answer = asked(&[&hospital], &abroad);
    let of = |name| rows(&answer, name);
    assert_eq!(
        of("by reader's organisation"),
        [format!("DE AT Member 2 1 {bytes} {objects}")]
    );
    assert_eq!(
        of("by legal role"),
        [format!("DE AT controller 1 {bytes} {objects}")]
    );
    assert_eq!(
        of("by purpose"),
        [format!("DE AT TREAT 1 {bytes} {objects}")]
    );
    assert_eq!(
        of("by instrument (rule)"),
        [format!("DE AT read-within-eea 1 {bytes} {objects}")]
    );
    assert_eq!(
        of("by basis"),
        [format!(
            "DE AT treatment; free movement of personal data within the EEA 1 {bytes} {objects}"
        )]
    );
    assert!(answer.is_complete(), "{}", answer.closing());
    let next_day = Ask {
        from_us: after(86_000),
        ..Ask::of(Question::Left)
    };
    let answer = asked(&[&hospital], &next_day);
    assert_eq!(rows(&answer, "by pair of countries").len(), 1);
}

#[test]
fn the_readers_log_alone_tells_what_it_was_given() {
    let mut world = World::new();
    world.release.legal_role = "processor".to_owned();
    world.whole_case();
    let answer = asked(&[&world.archive(false)], &Ask::of(Question::Left));
    let (bytes, objects) = VOLUME;
    // Role, basis and purpose come from the owner's entry, which the reader's archive keeps.
    let expected = format!("DE AT processor 1 {bytes} {objects}");
    assert_eq!(rows(&answer, "by legal role"), [expected]);
    assert!(answer.is_complete(), "{}", answer.closing());
}

#[test]
fn a_release_without_its_grant_has_no_volume_and_is_counted_as_such() {
    let mut world = World::new();
    let granted = world.grant();
    let mut archive = world.archive(true);
    archive.remove(&format!("grants/{}.env", granted.fence));
    let (verdict, answer) = ask(&[&archive], &Ask::of(Question::Left));
    assert!(!verdict.holds());
    assert_eq!(rows(&answer, "by pair of countries"), ["DE AT yes 1 0 0"]);
    assert_eq!(
        unseen(&answer),
        [UNPROVEN, (Some(1), "releases whose grant cannot be")]
    );
    assert!(
        answer
            .closing()
            .starts_with("NOT COMPLETE. Not seen: archives that verify")
    );
}

/// Adds a reader, and gives a grant for them.
fn grant_reader(world: &mut World, serial: u64) {
    let person = PersonId::from_bytes(*world::key(100 + serial as u8).verifying_key().as_bytes());
    let credential = Credential {
        serial,
        organisation: format!("Member {serial}"),
        person: Some(person),
        ..world::reader_credential(Digest::sha256(&world.genesis), &world.reader)
    };
    let envelope = world::credential_envelope(&credential);
    world.credentials.insert(serial, envelope);
    let mut grant = world::grant(world.hospital.writer.size());
    grant.person = person.to_vec();
    grant.credential = serial;
    world.grant_as(&grant, world::HOSPITAL_GRANTS);
}

#[test]
fn a_reader_who_stands_out_comes_first_and_refusals_are_by_rule() {
    let mut world = World::new();
    let counts = [(10, 1), (11, 2), (12, 2), (13, 3), (14, 9)];
    for (serial, count) in counts {
        (0..count).for_each(|_| grant_reader(&mut world, serial));
    }
    for rules in [
        &["licence-required"][..],
        &["licence-required", "residency"],
        &[],
    ] {
        let header = Header {
            outcome: Outcome::Refused as i32,
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            ..world::header(Kind::ReleaseRefused)
        };
        let record = Record::ReleaseRefused(ReleaseRecord::default());
        world.append(true, header, record);
    }
    let answer = asked(&[&world.archive(true)], &Ask::of(Question::Outliers));
    // Releases 1, 2, 2, 3, 9: median 2, deviations 1, 0, 0, 1, 7, their median 1.
    let bytes = VOLUME.0;
    let expected = format!(
        "Readers: 5. Releases a reader: median 2, median absolute deviation 1; bytes a reader: \
         median {}, median absolute deviation {bytes}. A reader stands out beyond 3 deviations.",
        2 * bytes
    );
    assert_eq!(answer.says[0], expected);
    assert_eq!(answer.says[1], "Refusals: 3.");
    let readers = rows(&answer, "readers");
    let first = format!(" Member 14 9 {} releases+bytes", 9 * bytes);
    assert!(readers[0].ends_with(&first), "{readers:?}");
    assert!(readers[1..].iter().all(|row| !row.contains("releases")));
    assert_eq!(readers.len(), 5);
    assert_eq!(
        rows(&answer, "refusals by rule"),
        [
            "(no rule: it failed) 1",
            "licence-required 2",
            "residency 1"
        ]
    );
    assert!(answer.is_complete());
}

#[test]
fn one_reader_cannot_stand_out() {
    let mut world = World::new();
    world.whole_case();
    let answer = asked(&[&world.archive(true)], &Ask::of(Question::Outliers));
    assert!(
        answer.says[0].starts_with("Readers: 1, too few"),
        "{answer:?}"
    );
    assert!(rows(&answer, "readers")[0].ends_with(&format!(" Member 2 1 {} ", VOLUME.0)));
}
