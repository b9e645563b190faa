//! Archives that lie, lack or shout: an answer is given all the same, and says what it lacks.

use super::*;
use crate::audit::header::Header;

/// Every question of an archive; gives the text of all answers.
fn everything(archive: &Files) -> String {
    let mut out = String::new();
    for question in Question::ALL {
        let whole = Ask {
            patient: Some("17".to_owned()),
            ..Ask::of(question)
        };
        let (verdict, answer) = ask(&[archive], &whole);
        out.push_str(&super::super::text::verdict(&verdict));
        out.push_str(&describe(&answer));
        #[cfg(feature = "audit")]
        assert_eq!(
            json::of(&answer, &verdict)["complete"],
            answer.is_complete()
        );
    }
    out
}

#[test]
fn an_empty_archive_is_not_complete() {
    let empty = Files::new();
    for question in Question::ALL {
        let (verdict, answer) = ask(&[&empty], &Ask::of(question));
        assert!(!verdict.holds() && !answer.is_complete(), "{question}");
    }
    let (verdict, answer) = ask(&[], &Ask::of(Question::Left));
    assert!(!verdict.holds() && answer.tables.is_empty());
}

#[test]
fn every_file_may_be_missing_empty_or_cut() {
    let mut world = World::new();
    world.whole_case();
    let archive = world.archive(true);
    for path in archive.keys() {
        for change in 0..3 {
            let mut changed = archive.clone();
            let bytes = changed.remove(path).expect("there");
            match change {
                0 => (),
                1 => drop(changed.insert(path.clone(), Vec::new())),
                _ => drop(changed.insert(path.clone(), bytes[..bytes.len() / 2].to_vec())),
            }
            assert!(everything(&changed).contains("NOT VERIFIED"), "{path}");
        }
    }
}

#[test]
fn missing_entries_are_a_gap() {
    let mut world = World::new();
    world.whole_case();
    for _ in 0..300 {
        world.idle(true);
    }
    let mut archive = world.archive(true);
    archive
        .remove("log/tile/entries/000")
        .expect("a full bundle");
    let (verdict, answer) = ask(&[&archive], &Ask::of(Question::Complete));
    assert!(!verdict.holds());
    let gaps = rows(&answer, "entries that cannot be read");
    assert_eq!(gaps, ["nord.example/log 0 255 256"]);
    assert_eq!(
        unseen(&answer),
        [(Some(256), "entries that cannot be read"), UNPROVEN]
    );
}

#[test]
fn what_strangers_write_moves_no_cursor_and_widens_no_line() {
    let mut world = World::new();
    world.release = Header {
        basis: format!("\u{1b}[2J\u{202e}{}", "x".repeat(5_000)),
        purpose: "a\nb\r\u{7}".to_owned(),
        legal_role: "é ".repeat(400),
        emergency: true,
        ..world.release
    };
    world.grant();
    let text = everything(&world.archive(true));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
    assert!(!text.contains('\u{202e}'));
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

#[test]
fn times_at_the_end_of_time_are_only_shown() {
    let mut world = World::new();
    let header = Header {
        time_us: u64::MAX,
        uncertainty_us: u64::MAX,
        emergency: true,
        ..world::header(Kind::CaseOpened)
    };
    let note = crate::audit::record::CaseNote::default();
    world.append_as_is(true, header, Record::CaseClosed(note));
    world.grant();
    let text = everything(&world.archive(true));
    assert!(
        text.contains("Entries with the emergency flag: 1."),
        "{text}"
    );
    assert!(text.contains("586524-01-19"), "{text}");
}
