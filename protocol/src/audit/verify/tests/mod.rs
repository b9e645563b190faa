//! Verification attacked: every byte, every file, and every promise that an archive makes.

mod attacks;
mod disclosure;
mod flips;
mod pairs;
mod quorum;
mod reads;
mod reviews;
mod times;
pub(in crate::audit) mod world;

use super::*;
use world::{Files, World};

/// Verifies archives under the labels "0", "1", ….
fn verdict(archives: &[&Files]) -> Verdict {
    let labels: Vec<String> = (0..archives.len()).map(|at| at.to_string()).collect();
    let inputs: Vec<Input<'_>> = archives
        .iter()
        .zip(&labels)
        .map(|(files, label)| Input {
            label,
            source: *files,
        })
        .collect();
    verify(&inputs, Options::default())
}

/// Failures of one archive as (check, file, fault).
fn failures(archive: &Files) -> Vec<(Check, String, Fault)> {
    faults_of(&verdict(&[archive]).archives[0])
}

fn faults_of(report: &Report) -> Vec<(Check, String, Fault)> {
    let failures = report.failures.iter();
    failures
        .map(|failure| (failure.check, failure.file.clone(), failure.fault.clone()))
        .collect()
}

/// An archive's only failure.
fn only(archive: &Files) -> (Check, String, Fault) {
    let mut found = failures(archive);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn a_clean_pair_of_archives_holds() {
    let mut world = World::new();
    world.whole_case();
    world.whole_case();
    let (hospital, reader) = (world.archive(true), world.archive(false));
    let found = verdict(&[&hospital, &reader]);
    assert!(found.holds(), "{}", describe(&found));
    let counts = found.archives[0].counts;
    assert_eq!(
        (counts.grants, counts.grants_with_receipt, counts.receipts),
        (2, 2, 2)
    );
    assert_eq!(found.archives[1].counts.accepted, 2);
    for report in &found.archives {
        for noted in &report.remarks {
            assert!(
                noted.remark.is_gap(),
                "a clean log gives no finding: {noted:?}"
            );
        }
        for check in [
            Check::Note,
            Check::Files,
            Check::Tree,
            Check::Quorum,
            Check::Reconciled,
        ] {
            assert!(matches!(report.status(check), Status::Holds(_)), "{check}");
        }
    }
}

#[test]
fn the_genesis_is_pinned_or_said_not_to_be() {
    let mut world = World::new();
    let archive = world.archive(true);
    let hash = Digest::sha256(&world.genesis);
    let remark = Remark::GenesisFromArchive(hash);
    let free = verdict(&[&archive]);
    assert!(
        free.holds()
            && !free.accepted()
            && free.anchor == Anchor::Nothing
            && free.archives[0]
                .remarks
                .iter()
                .any(|noted| noted.remark == remark)
    );

    let input = [Input {
        label: "0",
        source: &archive,
    }];
    let pinned = verify(
        &input,
        Options {
            genesis: Some(hash),
            ..Options::default()
        },
    );
    assert!(pinned.accepted());
    let words = describe(&pinned);
    assert!(words.starts_with("VERIFIED: 1 archive, "), "{words}");
    assert!(!words.contains("not pinned"), "{words}");
    assert!(
        pinned.archives[0]
            .remarks
            .iter()
            .all(|noted| noted.remark != remark)
    );

    // Taking the archive's own is a choice, and is told as one.
    let own = verify(
        &input,
        Options {
            trust_archive: true,
            ..Options::default()
        },
    );
    assert!(own.accepted());
    assert!(!describe(&own).starts_with("VERIFIED"));

    let other = Digest::sha256(b"another");
    let refused = verify(
        &input,
        Options {
            genesis: Some(other),
            ..Options::default()
        },
    );
    let first = &refused.archives[0].failures[0];
    assert_eq!(
        (first.check, first.file.as_str()),
        (Check::Genesis, "trust/genesis.env")
    );
}

#[test]
fn the_sentence_comes_first() {
    let mut world = World::new();
    world.whole_case();
    let mut archive = world.archive(true);
    let good = describe(&verdict(&[&archive]));
    assert!(
        good.starts_with("CONSISTENT, GENESIS NOT PINNED: 1 archive, 4 entries: every check holds"),
        "{good}"
    );
    assert!(
        good.contains("not checked: the payloads of 4 entries are sealed"),
        "{good}"
    );
    for gap in [
        "whether the council signed a newer quorum file than serial number 1",
        "whether a credential was suspended or revoked",
        "whether the consortium agreed to the policy",
        "what the log holds beyond its checkpoint",
    ] {
        assert!(good.contains(&format!("not checked: {gap}")), "{good}");
    }
    archive.remove("trust/policy.cedar");
    let to_compare = format!(
        "The genesis was not pinned: compare {} with",
        Digest::sha256(&world.genesis)
    );
    let second = good.lines().nth(1).expect("a second line");
    assert!(second.starts_with(&to_compare), "{good}");
    let bad = describe(&verdict(&[&archive]));
    assert!(bad.starts_with("NOT VERIFIED: "), "{bad}");
    assert!(
        bad.contains("FAILURE files: trust/policy.cedar: missing"),
        "{bad}"
    );
    assert_eq!(
        describe(&verdict(&[])),
        "NOTHING VERIFIED: no archive was given.\n"
    );
}
