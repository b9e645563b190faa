//! Whole logs, damaged: every file that was touched is named, and no other.

use super::{Files, cosigned, entry, grow, log_of, log_verifier, name};
use crate::log::fsck::*;
use crate::log::merkle::{TreeHead, leaf_hash};
use crate::log::tile::{CHECKPOINT_PATH, TileError, append_entry};
use crate::log::writer::LogWriter;
use crate::note::{KeyType, VerifierKey};

fn check(files: &Files) -> Report {
    fsck(files, &log_verifier(), files.keys().cloned(), |_, _| ())
}

fn named(files: &Files) -> Vec<String> {
    let mut paths: Vec<String> = check(files).findings.into_iter().map(|f| f.path).collect();
    paths.sort();
    paths.dedup();
    paths
}

fn only(report: Report) -> (String, Problem) {
    assert_eq!(report.findings.len(), 1, "{report:?}");
    let finding = report.findings.into_iter().next().expect("one");
    (finding.path, finding.problem)
}

#[test]
fn whole_logs_are_intact_and_every_entry_is_visited_once() {
    for size in [0, 1, 2, 255, 256, 257, 512, 600, 66_000] {
        let (files, signed) = log_of(size);
        let mut next = 0;
        let report = fsck(
            &files,
            &log_verifier(),
            files.keys().cloned(),
            |index, bytes| {
                assert_eq!((index, bytes), (next, entry(index).as_slice()));
                next += 1;
            },
        );
        assert!(report.intact(), "{size}: {report:?}");
        assert_eq!((report.entries, next), (size, size));
        assert_eq!(report.checkpoint.as_ref(), Some(signed.checkpoint()));
        assert!(expected_paths(size).eq(sorted_like(&files, size)));
    }
}

/// The paths of a whole log in the order of [`expected_paths`], if they are the same set.
fn sorted_like(files: &Files, size: u64) -> Vec<String> {
    let expected: Vec<String> = expected_paths(size).collect();
    assert_eq!(expected.len(), files.len());
    expected
        .into_iter()
        .filter(|path| files.contains_key(path))
        .collect()
}

#[test]
fn ranges_checked_apart_join_to_the_same_report() {
    let (mut files, signed) = log_of(2_000);
    files.get_mut("tile/entries/003").expect("a file")[2] ^= 1;
    files.get_mut("tile/0/006").expect("a file")[8_000] ^= 1;
    let whole = check(&files);
    let run = |range| check_leaves(&files, 2_000, range, |_, _| ());
    let runs = vec![run(6..8), run(0..3), run(3..6)];
    assert_eq!(finish(&files, &signed, runs, files.keys().cloned()), whole);
    let wrong = |first| Problem::Wrong { first, count: 1 };
    let finding = |path: &str, problem| Finding {
        path: path.into(),
        problem,
    };
    let expected = [
        finding("tile/entries/003", wrong(0)),
        finding("tile/0/006", wrong(250)),
    ];
    // One bad entry and one bad tile: the tiles' root or the entries' root alone proves neither.
    assert!(
        expected
            .iter()
            .all(|f| whole.findings.iter().any(|g| g.path == f.path)),
        "{whole:?}"
    );
}

#[test]
fn one_flipped_bit_names_its_file_and_no_other() {
    for size in [1, 5, 256, 300, 600] {
        let (files, _) = log_of(size);
        for (path, bytes) in &files {
            let step = (bytes.len() / 40).max(1);
            for at in (0..bytes.len()).step_by(step) {
                let mut files = files.clone();
                files.get_mut(path).expect("a file")[at] ^= 0x10;
                assert_eq!(
                    named(&files),
                    [path.as_str()],
                    "{path} byte {at} of size {size}"
                );
            }
        }
    }
}

#[test]
fn a_deep_log_names_single_faults_exactly() {
    let (files, _) = log_of(66_000);
    let at = |path: &str, at: usize| {
        let mut files = files.clone();
        files.get_mut(path).expect("a file")[at] ^= 1;
        only(check(&files))
    };
    let wrong = |path: &str, first| (path.to_owned(), Problem::Wrong { first, count: 1 });
    assert_eq!(at("tile/0/100", 32 * 17), wrong("tile/0/100", 17));
    assert_eq!(at("tile/1/000", 32 * 17), wrong("tile/1/000", 17));
    assert_eq!(at("tile/1/001.p/1", 5), wrong("tile/1/001.p/1", 0));
    assert_eq!(at("tile/2/000.p/1", 5), wrong("tile/2/000.p/1", 0));
    // Entry 25,600 is the first of its bundle; 25600 * 7 % 23 = 7 bytes follow its length.
    assert_eq!(at("tile/entries/100", 2), wrong("tile/entries/100", 0));
}

#[test]
fn a_missing_file_is_named_and_no_other() {
    let (files, _) = log_of(600);
    for path in files.keys() {
        let mut files = files.clone();
        files.remove(path);
        assert_eq!(only(check(&files)), (path.clone(), Problem::Missing));
    }
}

#[test]
fn an_entry_changed_together_with_its_leaf_is_named_in_both_files() {
    let (mut files, _) = log_of(600);
    let mut bundle = Vec::new();
    for index in 256..512 {
        let changed = if index == 300 {
            b"forged".to_vec()
        } else {
            entry(index)
        };
        append_entry(&mut bundle, &changed).expect("short");
    }
    files.insert("tile/entries/001".into(), bundle);
    let leaf = leaf_hash(b"forged");
    files.get_mut("tile/0/001").expect("a file")[44 * 32..45 * 32].copy_from_slice(leaf.as_bytes());
    let report = check(&files);
    let found: Vec<(&str, &Problem)> = report
        .findings
        .iter()
        .map(|f| (f.path.as_str(), &f.problem))
        .collect();
    let under = &Problem::NotUnderRoot;
    assert_eq!(found, [("tile/0/001", under), ("tile/entries/001", under)]);
}

#[test]
fn a_log_rewritten_throughout_does_not_match_its_old_checkpoint() {
    let (old, _) = log_of(600);
    let (mut writer, mut files) = (LogWriter::new(), Files::new());
    writer.append(b"rewritten").expect("short");
    for index in 1..600 {
        writer.append(&entry(index)).expect("short");
    }
    files.extend(
        writer
            .take_files()
            .into_iter()
            .map(|file| (file.path, file.bytes)),
    );
    files.insert(CHECKPOINT_PATH.into(), old[CHECKPOINT_PATH].clone());
    assert_eq!(
        only(check(&files)),
        (CHECKPOINT_PATH.into(), Problem::RootMismatch)
    );
}

#[test]
fn a_log_cut_short_misses_files_and_a_longer_one_has_unsigned_files() {
    let (short, _) = log_of(500);
    let (long, _) = log_of(600);
    let mut cut = short.clone();
    cut.insert(CHECKPOINT_PATH.into(), long[CHECKPOINT_PATH].clone());
    let missing = check(&cut).findings;
    assert!(
        missing
            .iter()
            .any(|f| f.path == "tile/0/002.p/88" && f.problem == Problem::Missing)
    );
    // Entries beyond the checkpoint are unsigned; what the checkpoint covers still holds.
    let (mut writer, mut files) = (LogWriter::new(), Files::new());
    grow(&mut writer, &mut files, 500);
    grow(&mut writer, &mut files, 600);
    files.insert(CHECKPOINT_PATH.into(), short[CHECKPOINT_PATH].clone());
    let expected = [
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ];
    assert_eq!(named(&files), expected);
    assert!(
        check(&files)
            .findings
            .iter()
            .all(|f| f.problem == Problem::Unexpected)
    );
    // Without the partial tiles that the full ones have replaced, it is the same.
    files.remove("tile/0/001.p/244");
    files.remove("tile/entries/001.p/244");
    assert_eq!(named(&files), expected);
}

#[test]
fn strangers_and_outgrown_tiles_are_told_apart() {
    let (mut writer, mut files) = (LogWriter::new(), Files::new());
    for size in [3, 100, 256, 300, 600] {
        grow(&mut writer, &mut files, size);
    }
    let signed = cosigned(writer.head(), [0, 1]);
    files.insert(CHECKPOINT_PATH.into(), signed.encode());
    assert!(files.contains_key("tile/0/000.p/3") && check(&files).intact());
    for path in [
        "tile/0/000.p/100",
        "tile/entries/001.p/44",
        "tile/1/000.p/1",
    ] {
        let mut files = files.clone();
        let bytes = files.get_mut(path).expect("an outgrown tile");
        bytes[2] ^= 1;
        let (found, problem) = only(check(&files));
        assert_eq!(found, path);
        assert!(
            matches!(problem, Problem::Disagrees { .. }),
            "{path}: {problem:?}"
        );
    }
    let mut short = files.clone();
    short.get_mut("tile/0/000.p/3").expect("a file").pop();
    let length = TileError::TileLength {
        expected: 96,
        found: 95,
    };
    assert_eq!(
        only(check(&short)),
        ("tile/0/000.p/3".into(), Problem::Malformed(length))
    );
    for path in [
        "tile/0/003",
        "tile/0/002.p/89",
        "tile/3/000.p/1",
        "tile/x",
        "notes.txt",
    ] {
        let mut files = files.clone();
        files.insert(path.into(), vec![]);
        assert_eq!(only(check(&files)), (path.into(), Problem::Unexpected));
    }
}

#[test]
fn the_checkpoint_decides_before_anything_is_read() {
    let (files, signed) = log_of(10);
    let stranger = VerifierKey::new(
        name("log.example/x"),
        KeyType::Ed25519,
        *log_verifier().key(),
    );
    let report = fsck(&files, &stranger, [], |_, _| {
        unreachable!("nothing to visit")
    });
    assert_eq!((report.entries, report.checkpoint.clone()), (0, None));
    let (path, problem) = only(report);
    assert!(path == CHECKPOINT_PATH && matches!(problem, Problem::Checkpoint(_)));
    // A checkpoint that claims more than anyone can hold ends in a bounded list.
    let head = TreeHead {
        size: i64::MAX as u64,
        root: signed.head().root,
    };
    let huge = Files::from([(CHECKPOINT_PATH.into(), super::signed(head).encode())]);
    let report = check(&huge);
    assert_eq!(
        (report.findings.len(), report.truncated),
        (MAX_FINDINGS, true)
    );
    assert!(!report.intact());
}
