//! A log against what was kept of it.

use super::super::compare::{Comparison, Old, Outcome, Side, compare, describe};
use super::*;
use crate::audit::verify::tests::world::{Log, seal};
use crypto::digest::Digest;
use crypto::log::checkpoint::CheckpointError;
use crypto::note::NoteError;

const CHECKPOINT: &str = "log/checkpoint";

fn against(old: Old<'_>, archive: &Files) -> Comparison {
    let input = Input {
        label: "new",
        source: archive,
    };
    let verdict = verify(&[input], Options::default());
    compare(old, &input, (&verdict, Options::default()))
}

/// What a kept checkpoint and what a kept archive give.
fn both(old: &Files, new: &Files) -> [Outcome; 2] {
    let checkpoint = Old::Checkpoint(&old[CHECKPOINT]);
    [checkpoint, Old::Archive(old)].map(|old| against(old, new).outcome)
}

/// Two worlds that differ from the entry after the first two on.
fn diverged() -> (World, World) {
    let (mut one, mut other) = (World::new(), World::new());
    one.idle(true);
    other.now += 60;
    other.idle(true);
    (one, other)
}

fn root(log: &Log) -> Digest {
    log.writer.head().root
}

#[test]
fn a_log_that_stands_or_grows_is_consistent() {
    let mut world = World::new();
    world.idle(true);
    let old = world.archive(true);
    assert_eq!(both(&old, &old), [Outcome::Same(2), Outcome::Same(2)]);
    for _ in 0..300 {
        world.idle(true);
    }
    let new = world.archive(true);
    let grown = Outcome::Grown { from: 2, to: 302 };
    assert_eq!(both(&old, &new), [grown.clone(), grown.clone()]);
    assert!(grown.is_consistent());
    let words = describe(&against(Old::Archive(&old), &new));
    assert_eq!(
        words,
        "CONSISTENT: the same log, grown from size 2 to 302; its old entries stand.\n"
    );
}

#[test]
fn a_log_that_lost_entries_was_rolled_back() {
    let mut world = World::new();
    world.idle(true);
    let small = world.archive(true);
    world.idle(true);
    let large = world.archive(true);
    let rolled = |begins| Outcome::RolledBack {
        from: 3,
        to: 2,
        begins,
    };
    assert_eq!(both(&large, &small), [rolled(None), rolled(Some(true))]);
    let (mut one, mut other) = diverged();
    one.idle(true);
    let found = both(&one.archive(true), &other.archive(true));
    assert_eq!(found, [rolled(None), rolled(Some(false))]);
    // Old tiles that do not give the old root prove nothing.
    let mut broken = large.clone();
    broken.insert("log/tile/0/000.p/3".to_owned(), vec![7; 96]);
    assert_eq!(against(Old::Archive(&broken), &small).outcome, rolled(None));
}

#[test]
fn a_log_that_begins_otherwise_was_rewritten() {
    let (mut one, mut other) = diverged();
    let old = one.archive(true);
    let new_root = root(&other.hospital);
    other.idle(true);
    let rewritten = Outcome::Rewritten {
        size: 2,
        old: root(&one.hospital),
        new: new_root,
    };
    let new = other.archive(true);
    assert_eq!(both(&old, &new), [rewritten.clone(), rewritten]);
    let words = describe(&against(Old::Archive(&old), &new));
    assert!(
        words.starts_with("REWRITTEN: at size 2 the log had the root"),
        "{words}"
    );
    assert!(
        words.lines().all(|line| line.chars().count() <= 170),
        "{words}"
    );
    // From tiles that do not give the new root nothing is said.
    let mut broken = new.clone();
    broken.insert("log/tile/0/000.p/3".to_owned(), vec![7; 96]);
    seal(&mut broken, &other.hospital);
    assert_eq!(
        against(Old::Archive(&old), &broken).outcome,
        Outcome::BrokenTree(2)
    );
}

#[test]
fn two_roots_of_one_size_are_a_fork_and_both_checkpoints_the_proof() {
    let (mut one, mut other) = diverged();
    let (old, new) = (one.archive(true), other.archive(true));
    let forked = Outcome::Forked {
        size: 2,
        old: root(&one.hospital),
        new: root(&other.hospital),
    };
    assert_eq!(both(&old, &new), [forked.clone(), forked]);
    let found = against(Old::Checkpoint(&old[CHECKPOINT]), &new);
    #[cfg(feature = "audit")]
    {
        let told = json::of_comparison(&found, &verify(&[], Options::default()));
        assert_eq!(told["outcome"], "forked");
        assert_eq!(told["consistent"], false);
        let note = String::from_utf8_lossy(&old[CHECKPOINT]);
        assert_eq!(told["old_checkpoint"], *note);
    }
    let words = describe(&found);
    for archive in [&old, &new] {
        let note = String::from_utf8_lossy(&archive[CHECKPOINT]);
        assert!(words.contains(&*note), "{words}");
    }
}

#[test]
fn another_log_is_not_compared() {
    let mut world = World::new();
    let (hospital, reader) = (world.archive(true), world.archive(false));
    let name = |log: &Log| log.name.clone();
    let other = Outcome::OtherOrigin {
        old: name(&world.reader),
        new: name(&world.hospital),
    };
    assert_eq!(both(&reader, &hospital), [other.clone(), other]);
    // The same name under another key.
    let mut impostor = World::new();
    impostor.hospital.key = world::key(99);
    let old = impostor.hospital.signed().encode();
    assert_eq!(
        against(Old::Checkpoint(&old), &hospital).outcome,
        Outcome::OtherKey(name(&world.hospital))
    );
}

#[test]
fn signatures_and_files_that_do_not_hold_are_named() {
    let mut world = World::new();
    let archive = world.archive(true);
    let log = world.hospital.name.clone();
    // Another size under the same signature.
    let text = String::from_utf8_lossy(&archive[CHECKPOINT]).replacen("\n1\n", "\n2\n", 1);
    let bad = |side| Outcome::BadSignature {
        side,
        error: CheckpointError::Note(NoteError::BadSignature(log.clone())),
    };
    assert_eq!(
        against(Old::Checkpoint(text.as_bytes()), &archive).outcome,
        bad(Side::Old)
    );
    let mut changed = archive.clone();
    changed.insert(CHECKPOINT.to_owned(), text.into_bytes());
    let kept = Old::Checkpoint(&archive[CHECKPOINT]);
    assert_eq!(against(kept, &changed).outcome, bad(Side::New));
    let error = CheckpointError::Note(NoteError::NoSignatureBlock);
    let side = Side::Old;
    assert_eq!(
        against(Old::Checkpoint(b"no note"), &archive).outcome,
        Outcome::Unreadable { side, error }
    );
    changed.remove(CHECKPOINT);
    assert_eq!(against(kept, &changed).outcome, Outcome::Missing(Side::New));
    let mut alone = archive.clone();
    alone.remove("trust/credentials/1.env");
    assert_eq!(against(kept, &alone).outcome, Outcome::UnknownKey(log));
}
