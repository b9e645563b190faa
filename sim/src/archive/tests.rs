//! Made archives verify, in every shape; nothing but what was asked for is in them.

use std::collections::BTreeMap;

use protocol::audit::verify::{Input, Options, verify};

use super::*;

type Files = BTreeMap<String, Vec<u8>>;

fn made(entries: u64, studies_a_release: u64) -> (Files, Made) {
    let plan = Plan {
        entries,
        studies_a_release,
        seed: 7,
    };
    let mut files = Files::new();
    let made = make(plan, &mut files).expect("an archive");
    (files, made)
}

#[test]
fn what_is_made_verifies_at_sizes_around_every_edge_of_a_tile() {
    for (entries, every) in [
        (1, 50),
        (2, 1),
        (255, 4),
        (256, 1),
        (257, 1),
        (512, 50),
        (65_536, 100),
        (65_537, 400),
        (66_000, 100),
    ] {
        let (files, made) = made(entries, every);
        let input = Input {
            label: "made",
            source: &files,
        };
        let options = Options {
            genesis: Some(made.genesis),
            ..Options::default()
        };
        let verdict = verify(&[input], options);
        assert!(verdict.accepted(), "{entries}: {:?}", verdict.archives[0]);
        let counts = verdict.archives[0].counts;
        assert_eq!(counts.entries, entries);
        assert_eq!(
            (counts.grants, counts.grants_with_receipt),
            (made.releases, made.releases)
        );
        assert_eq!(counts.files + 1, made.files);
        let bytes: usize = files.values().map(Vec::len).sum();
        assert_eq!(bytes as u64, made.bytes);
    }
}

#[test]
fn a_seed_gives_the_same_archive() {
    assert_eq!(made(700, 2), made(700, 2));
}

#[test]
fn what_cannot_be_made_is_refused() {
    let plan = |entries, studies_a_release| Plan {
        entries,
        studies_a_release,
        seed: 1,
    };
    let make = |plan| make(plan, &mut Files::new());
    assert!(matches!(make(plan(0, 1)), Err(MakeError::Entries(0))));
    assert!(matches!(make(plan(1, 0)), Err(MakeError::Releases)));
    let many = ENTRIES_MAX + 1;
    assert!(matches!(make(plan(many, 1)), Err(MakeError::Entries(n)) if n == many));
}
