//! Small histories with exact answers, and hostile ones that must only be answered.

mod compared;
mod disclosed;
mod duties;
mod hostile;
mod patients;
mod table;
mod volumes;

use super::*;
use crate::audit::header::Kind;
use crate::audit::record::{NodeRecord, Record};
use crate::audit::verify::tests::world::{self, Files, START, World};
use crate::audit::verify::verify;

/// Verifies archives under the labels "0", "1", …, and asks.
fn ask(archives: &[&Files], ask: &Ask) -> (Verdict, Answer) {
    let labels: Vec<String> = (0..archives.len()).map(|at| at.to_string()).collect();
    let inputs: Vec<Input<'_>> = archives
        .iter()
        .zip(&labels)
        .map(|(files, label)| Input {
            label,
            source: *files,
        })
        .collect();
    let verdict = verify(&inputs, Options::default());
    let answer = answer(&inputs, (&verdict, Options::default()), ask);
    (verdict, answer)
}

/// The answer from archives that verify.
fn asked(archives: &[&Files], question: &Ask) -> Answer {
    let (verdict, answer) = ask(archives, question);
    assert!(verdict.holds(), "{}", super::text::verdict(&verdict));
    answer
}

/// A table's rows as text, columns joined by spaces.
fn rows(answer: &Answer, name: &str) -> Vec<String> {
    let table = answer.tables.iter().find(|table| table.name == name);
    let cell = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        Cell::List(texts) => texts.join("+"),
        Cell::Count(count) => count.to_string(),
        Cell::Time(us) => when::show(*us),
        Cell::Nothing => "-".to_owned(),
    };
    let rows = table.map_or(&[][..], |table| &table.rows).iter();
    rows.map(|row| row.iter().map(cell).collect::<Vec<_>>().join(" "))
        .collect()
}

/// What was not seen, as (count, beginning of the words).
fn unseen(answer: &Answer) -> Vec<(Option<u64>, &str)> {
    let words = |text: &'_ str| text.len().min(30);
    let unseen = answer.unseen.iter();
    unseen
        .map(|unseen| (unseen.count, &unseen.what[..words(&unseen.what)]))
        .collect()
}

/// What is missing first from archives that do not verify.
const UNPROVEN: (Option<u64>, &str) = (None, "archives that verify: nothing ");

fn after(seconds: u64) -> u64 {
    (START + seconds) * 1_000_000
}

#[test]
fn questions_read_by_their_names() {
    for question in Question::ALL {
        assert_eq!(question.name().parse(), Ok(question));
    }
    assert_eq!("compare".parse::<Question>(), Err(NoQuestion));
}

#[test]
fn a_release_without_a_basis_is_named() {
    let mut world = World::new();
    world.whole_case();
    world.release.basis = " ".to_owned();
    let granted = world.grant();
    let archive = world.archive(true);
    let answer = asked(&[&archive], &Ask::of(Question::Basis));
    assert_eq!(answer.says[0], "Releases without a basis: 1 of 2.");
    let fence = granted.fence;
    let expected = format!(
        "2027-01-15T08:00:{:02}Z nord.example/log {fence} DE AT no basis in the entry",
        world.now - START
    );
    assert_eq!(rows(&answer, "releases without a basis"), [expected]);
    assert!(answer.is_complete(), "{}", answer.closing());
    // Outside the times that are asked about there is none.
    let early = Ask {
        until_us: after(5),
        ..Ask::of(Question::Basis)
    };
    assert_eq!(
        asked(&[&archive], &early).says[0],
        "Releases without a basis: 0 of 1."
    );
}

#[test]
fn a_release_that_no_rule_permits_is_named() {
    let mut world = World::new();
    let mut grant = world::grant(world.hospital.writer.size());
    grant.rules.clear();
    world.grant_as(&grant, world::HOSPITAL_GRANTS);
    let archive = world.archive(true);
    let (verdict, answer) = ask(&[&archive], &Ask::of(Question::Credentials));
    assert!(!verdict.holds());
    let found = rows(&answer, "without a rule");
    assert!(found[0].ends_with("nord.example/log 1 the owner's entry names no rule"));
    assert!(found[1].ends_with("nord.example/log 1 the grant names no rule"));
    assert_eq!(found.len(), 2);
    assert_eq!(rows(&answer, "failures of the verification").len(), 1);
    let words = super::text::verdict(&verdict);
    assert!(words.starts_with("NOT VERIFIED: "), "{words}");
    assert!(
        words.contains("!! THESE ARCHIVES DO NOT VERIFY."),
        "{words}"
    );
}

#[test]
fn access_after_a_credential_ended_is_named_though_the_grant_was_in_time() {
    let mut world = World::new();
    let granted = world.grant();
    let accepted = world.accept(&granted);
    world.receipt(&granted, accepted);
    // Past the credential's end; what the verification looks at happened before it.
    world.now += 101 * 86_400;
    let begun = world.begin(true, &granted);
    let answer = asked(&[&world.archive(true)], &Ask::of(Question::Credentials));
    let expected = format!(
        "{} nord.example/log {begun} 2 not valid when access began {}",
        when::show(world.now * 1_000_000),
        granted.hash
    );
    assert_eq!(rows(&answer, "without a valid credential"), [expected]);
    assert_eq!(
        answer.says[0],
        "Releases: 1. Entries without a valid credential: 1. Without a rule: 0."
    );
    let sealed = "releases whose decision was no";
    let revoked = "whether a credential was suspe";
    assert_eq!(unseen(&answer), [(Some(1), sealed), (None, revoked)]);
}

#[test]
fn silence_starts_and_one_sided_releases_are_told() {
    let mut world = World::new();
    world.whole_case();
    let lonely = world.grant();
    let stop = Record::NodeStopped(NodeRecord::default());
    let stopped = world.append(true, world::header(Kind::NodeStopped), stop);
    world.now += 7_200;
    let start = Record::NodeStarted(NodeRecord::default());
    let started = world.append(true, world::header(Kind::NodeStarted), start);
    let (hospital, reader) = (world.archive(true), world.archive(false));
    let answer = asked(&[&hospital, &reader], &Ask::of(Question::Complete));
    let quiet = rows(&answer, "quiet periods");
    assert_eq!(quiet.len(), 2, "{quiet:?}");
    let beginning = format!("nord.example/log {stopped} 2027-01-15T08:00:");
    assert!(quiet[0].starts_with(&beginning), "{quiet:?}");
    assert!(
        quiet[0].ends_with(" 2 h 0 min the node stopped"),
        "{quiet:?}"
    );
    assert!(
        quiet[1].ends_with("the last entry; then a cosignature"),
        "{quiet:?}"
    );
    let moments = rows(&answer, "starts, stops and clock anomalies");
    assert_eq!(moments.len(), 4, "{moments:?}");
    assert!(moments[1].ends_with(&format!(" {stopped} node stopped")));
    assert!(moments[2].ends_with(&format!(" {started} node started")));
    assert!(
        answer
            .says
            .iter()
            .any(|says| { says == "nord.example/log: starts 2, stops 1, clock anomalies 0." })
    );
    let sided = rows(&answer, "one-sided releases");
    let end = format!("{} granted, no receipt {}", lonely.fence, lonely.hash);
    assert!(sided.len() == 1 && sided[0].ends_with(&end), "{sided:?}");
    assert!(answer.is_complete(), "{}", answer.closing());
    // Alone, a log cannot speak for the other side.
    let alone = asked(&[&hospital], &Ask::of(Question::Complete));
    assert_eq!(
        unseen(&alone),
        [(Some(1), "logs of the other side of thes")]
    );
    let longer = Ask {
        quiet_us: 7_300_000_000,
        ..Ask::of(Question::Complete)
    };
    assert_eq!(
        rows(&asked(&[&hospital], &longer), "quiet periods"),
        [""; 0]
    );
}

#[test]
fn emergency_flags_are_listed_once_with_both_copies_of_a_log() {
    let mut world = World::new();
    world.release.emergency = true;
    let granted = world.grant();
    let older = world.archive(true);
    world.idle(true);
    let newer = world.archive(true);
    let answer = asked(&[&newer, &older], &Ask::of(Question::Overrides));
    let expected = format!(
        "2027-01-15T08:00:03Z nord.example/log {} release granted DE AT TREAT - no -",
        granted.fence
    );
    assert_eq!(rows(&answer, "emergency flags"), [expected]);
    let sealed = "reasons that are not opened";
    assert_eq!(unseen(&answer), [(Some(1), sealed)]);
    let first = "Of these in no review of their log, up to its checkpoint: 1.";
    assert_eq!(answer.says[1], first);
    let elsewhere = Ask {
        from_country: Some("FR".to_owned()),
        ..Ask::of(Question::Overrides)
    };
    let none = asked(&[&newer], &elsewhere);
    assert_eq!(none.says[0], "No entry has the emergency flag.");
    assert!(none.is_complete());
}

#[test]
fn retention_says_how_far_back_a_log_reaches() {
    let mut world = World::new();
    let young = world.archive(true);
    let answer = asked(&[&young], &Ask::of(Question::Retention));
    let first = "Logs that cover 6 years before their latest entry or cosignature: 0 of 1.";
    assert_eq!(answer.says[0], first);
    let retained = rows(&answer, "retention");
    assert!(retained[0].ends_with("no: the log begins later, with its first entry"));
    // A little more than a year later it covers one.
    world.now += 367 * 86_400;
    world.idle(true);
    let one = Ask {
        years: 1,
        ..Ask::of(Question::Retention)
    };
    let answer = asked(&[&world.archive(true)], &one);
    assert!(
        rows(&answer, "retention")[0].ends_with(" yes"),
        "{answer:?}"
    );
    assert!(answer.is_complete());
}

#[test]
fn the_text_has_the_scope_first_and_the_closing_last() {
    let mut world = World::new();
    world.whole_case();
    let answer = asked(&[&world.archive(true)], &Ask::of(Question::Left));
    let text = describe(&answer);
    assert!(
        text.starts_with("  0: nord.example/log of Member 1, "),
        "{text}"
    );
    assert!(text.ends_with("up to their checkpoints.\n"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}
