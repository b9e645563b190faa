//! Who must cosign is the council's word. An archive whose log, or whose packer, chose it for
//! itself is refused.

use super::attacks::{fault, with};
use super::world::{self, Files, World};
use super::*;
use crate::member::{QuorumPaper, QuorumPaperError};
use crypto::envelope::EnvelopeError;

const FILE: &str = "trust/quorum.policy";
const PAPER: &str = "trust/quorum.envelope";

/// Verifies one archive as a careful auditor does: with the right genesis.
fn pinned(world: &World, archive: &Files) -> Vec<(Check, String, Fault)> {
    let options = Options {
        genesis: Some(Digest::sha256(&world.genesis)),
        ..Options::default()
    };
    let input = [Input {
        label: "0",
        source: archive,
    }];
    faults_of(&verify(&input, options).archives[0])
}

fn mismatch(world: &World, file: &str) -> (Check, String, Fault) {
    let fault = Fault::QuorumMismatch {
        found: Digest::sha256(file.as_bytes()),
        signed: world.quorum_paper().sha256,
    };
    (Check::Witnesses, FILE.to_owned(), fault)
}

#[test]
fn a_log_does_not_choose_its_witnesses() {
    let mut world = World::new();
    world.whole_case();
    let archive = world.archive(true);
    assert_eq!(pinned(&world, &archive), []);
    let foreign = format!("witness w1 {}\nquorum w1\n", world::witness_vkey(32));
    let more = format!("{}# a comment\n", world.quorum);
    for file in ["quorum none\n", &foreign, &more] {
        let forged = with(&world, &archive, FILE, file.as_bytes());
        assert_eq!(pinned(&world, &forged), [mismatch(&world, file)], "{file}");
    }
}

#[test]
fn a_quorum_file_needs_enough_of_its_own_council() {
    let mut world = World::new();
    world.whole_case();
    let archive = world.archive(true);
    let paper = world.quorum_paper();
    let unsigned = |error| {
        (
            Check::Witnesses,
            PAPER.to_owned(),
            Fault::QuorumUnsigned(error),
        )
    };
    for (by, have) in [(&[1][..], 1), (&[1, 77], 1), (&[77, 78], 0), (&[11], 0)] {
        let short = EnvelopeError::Threshold { have, need: 2 };
        let envelope = world::paper_envelope(&paper, by);
        let forged = with(&world, &archive, PAPER, &envelope);
        let expected = unsigned(QuorumPaperError::Envelope(short));
        assert_eq!(pinned(&world, &forged), [expected]);
    }
    // The same council, in another consortium of theirs.
    let elsewhere = QuorumPaper {
        genesis: Digest::sha256(b"another"),
        ..paper
    };
    let envelope = world::paper_envelope(&elsewhere, &[1, 2]);
    let forged = with(&world, &archive, PAPER, &envelope);
    let expected = unsigned(QuorumPaperError::OtherConsortium);
    assert_eq!(pinned(&world, &forged), [expected]);
    // A credential is signed by the same keys, and is no paper for a quorum file.
    let forged = with(&world, &archive, PAPER, &archive["trust/credentials/3.env"]);
    let expected = unsigned(QuorumPaperError::Envelope(EnvelopeError::WrongType));
    assert_eq!(pinned(&world, &forged), [expected]);
    let mut without = archive;
    without.remove(PAPER);
    world::seal(&mut without, &world.hospital);
    let missing = (Check::Witnesses, PAPER.to_owned(), Fault::Missing);
    assert_eq!(pinned(&world, &without), [missing]);
}

#[test]
fn a_whole_consortium_of_the_forger_is_another_consortium() {
    // Everything in it is signed as it should be; only the genesis is not the one that is known.
    let mut world = World::new();
    let mut forged = World::forged();
    for world in [&mut world, &mut forged] {
        world.whole_case();
    }
    let archive = forged.archive(true);
    let alone = verdict(&[&archive]);
    assert!(alone.holds() && !alone.accepted());
    let found = pinned(&world, &archive);
    let not_pinned = fault(&found, Check::Genesis, "trust/genesis.env");
    assert!(matches!(not_pinned, Fault::Genesis(_)), "{not_pinned:?}");
    // Beside a real one it is found even without a pin.
    let together = verdict(&[&world.archive(true), &archive]);
    let other = Fault::TwoConsortia(Digest::sha256(&world.genesis));
    let found = faults_of(&together.archives[1]);
    assert_eq!(fault(&found, Check::Genesis, "trust/genesis.env"), other);
}

#[test]
fn a_council_cannot_sign_a_quorum_of_nobody() {
    let mut world = World::new();
    world.whole_case();
    world.quorum = "quorum none\n".to_owned();
    let nobody = (Check::Witnesses, FILE.to_owned(), Fault::NoWitnessDemanded);
    let archive = world.archive(true);
    assert_eq!(pinned(&world, &archive), [nobody]);
    assert_ne!(
        verdict(&[&archive]).archives[0].status(Check::Quorum),
        Status::Holds(1)
    );
}

#[test]
fn the_quorum_file_can_be_pinned() {
    let mut world = World::new();
    let archive = world.archive(true);
    let input = [Input {
        label: "0",
        source: &archive,
    }];
    let with = |quorum| {
        let options = Options {
            quorum,
            ..Options::default()
        };
        verify(&input, options)
    };
    let found = Digest::sha256(world.quorum.as_bytes());
    let open = |noted: &Noted| noted.remark == Remark::QuorumNotPinned(1);
    assert!(with(None).archives[0].remarks.iter().any(open));
    let same = with(Some(found));
    assert!(same.holds() && !same.archives[0].remarks.iter().any(open));
    let pinned = Digest::sha256(b"another");
    let other = faults_of(&with(Some(pinned)).archives[0]);
    let expected = Fault::OtherQuorum { found, pinned };
    assert_eq!(other, [(Check::Witnesses, FILE.to_owned(), expected)]);
}

#[test]
fn quorum_files_of_several_archives_are_compared() {
    let mut world = World::new();
    world.whole_case();
    let older = world.archive(true);
    world.quorum += "# all as before\n";
    world.quorum_serial = 2;
    let found = verdict(&[&older, &world.archive(false)]);
    assert!(found.holds(), "{}", describe(&found));
    let (serial, newest) = (1, 2);
    let older_one = |noted: &Noted| noted.remark == Remark::OlderQuorum { serial, newest };
    assert!(found.archives[0].remarks.iter().any(older_one));
    assert!(!found.archives[1].remarks.iter().any(older_one));

    // Two files under one number: the council signed both, and nobody can say which is in force.
    world.quorum_serial = 1;
    let found = verdict(&[&older, &world.archive(false)]);
    for report in &found.archives {
        let expected = (Check::Witnesses, PAPER.to_owned(), Fault::QuorumSerial(1));
        assert_eq!(faults_of(report), [expected]);
    }
}

#[test]
fn no_bit_of_the_paper_is_free_even_if_the_list_is_signed_anew() {
    let mut world = World::new();
    let archive = world.archive(true);
    for path in [FILE, PAPER] {
        for at in 0..archive[path].len() {
            let mut bytes = archive[path].clone();
            bytes[at] ^= 1 << (at % 8);
            let found = pinned(&world, &with(&world, &archive, path, &bytes));
            let named = found.iter().any(|(_, file, _)| file == path);
            assert!(named, "byte {at} of {path}: {found:?}");
        }
    }
}
