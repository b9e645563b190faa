//! What the regulator of one country is shown: everything verifies, nothing of another country's
//! opens, and the answer about a patient says how much it does not know.

use super::patients::{case, who};
use super::*;
use crate::audit::disclose::Scope;
use crate::audit::entry::{Entry, Field, Openings};
use crate::audit::verify::tests::world::seal;
use prost::Message as _;

/// Two patients of a German hospital: one is read from Austria, the other from France.
fn world() -> World {
    let mut world = World::new();
    case(&mut world, 1, "17^^^NORD");
    world.whole_case();
    case(&mut world, 2, "18^^^NORD");
    let mut grant = world::grant(world.hospital.writer.size());
    grant.to_country = "FR".to_owned();
    world.facts.desk_country = "FR".to_owned();
    world.grant_as(&grant, world::HOSPITAL_GRANTS);
    world
}

/// The hospital's archive with what a scope is shown, and the fields that were opened in it.
fn shown(world: &mut World, scope: &Scope) -> (Files, Vec<(u64, Field)>) {
    let mut archive = world.archive(true);
    let mut opened = Vec::new();
    let log = &world.hospital;
    for (index, (entry, payload)) in (0..).zip(log.entries.iter().zip(&log.payloads)) {
        let header = Entry::decode_bytes(entry).expect("an entry").header();
        if !scope.may_see(index, &header, "DE") {
            continue;
        }
        let openings = Openings::decode_bytes(payload).expect("a payload");
        if let Some(chosen) = scope.choose(&header, "DE", &openings) {
            let fields = chosen.openings.iter();
            let fields = fields.filter_map(|o| Field::try_from(o.field).ok());
            opened.extend(fields.map(|field| (index, field)));
            archive.insert(format!("openings/{index}.bin"), chosen.encode_to_vec());
        }
    }
    seal(&mut archive, &world.hospital);
    (archive, opened)
}

#[test]
fn a_regulator_verifies_all_and_opens_only_the_fields_of_its_own_country() {
    let mut world = world();
    let size = world.hospital.writer.size();
    let of = |country: &str| Scope::Country(country.to_owned());
    let (austrian, opened) = shown(&mut world, &of("AT"));
    // One release is seen from there, and of it what the policy decided from; no record, no case.
    assert_eq!(opened, [(3, Field::Facts)]);
    let (french, opened) = shown(&mut world, &of("FR"));
    assert_eq!(opened, [(size - 1, Field::Facts)]);
    let (german, opened) = shown(&mut world, &of("DE"));
    assert_eq!(opened.len() as u64, 2 * size);
    let (swedish, opened) = shown(&mut world, &of("SE"));
    assert_eq!(opened, []);
    for archive in [&austrian, &french, &german, &swedish] {
        let (verdict, _) = ask(&[archive], &Ask::of(Question::Complete));
        // The whole log, whatever is opened of it; its decisions are made again where it is.
        assert!(verdict.holds(), "{}", super::super::text::verdict(&verdict));
        assert_eq!(verdict.archives[0].counts.entries, size);
    }
}

#[test]
fn who_is_complete_only_where_all_is_opened_and_else_says_how_much_is_not() {
    let mut world = world();
    let country = |country: &str| Scope::Country(country.to_owned());
    let (german, _) = shown(&mut world, &country("DE"));
    let answer = asked(&[&german], &who("17^^^NORD"));
    let unopened = |answer: &Answer| {
        let unseen = answer.unseen.iter();
        let unseen = unseen.filter(|unseen| unseen.what.starts_with("releases of which no entry"));
        unseen.filter_map(|unseen| unseen.count).sum::<u64>()
    };
    assert_eq!(rows(&answer, "access to the patient's studies").len(), 1);
    assert_eq!(unopened(&answer), 0);
    assert!(
        answer.closing().starts_with("COMPLETE: "),
        "{}",
        answer.closing()
    );
    let (austrian, _) = shown(&mut world, &country("AT"));
    let answer = asked(&[&austrian], &who("17^^^NORD"));
    assert_eq!(unopened(&answer), 2);
    assert!(answer.closing().starts_with("NOT COMPLETE. "));
    assert!(
        answer.closing().contains("no entry is opened (2)"),
        "{}",
        answer.closing()
    );
}
