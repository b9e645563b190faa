//! The log survives a stop at every step, and tells what it cannot survive.

mod writer;

use std::fs;
use std::path::Path;

use super::witness_store::{Held, WitnessStore};
use super::writer::{AppendError, LogWriter};
use super::*;
use crate::store::Store;
use crate::store::tests::open as open_store;
use crypto::digest::Digest;
use crypto::log::fsck;
use crypto::log::merkle::{empty_root, leaf_hash, verify_consistency, verify_inclusion};
use crypto::log::tile;
use crypto::log::witness::{AddCheckpoint, Refusal};

fn identity() -> LogIdentity {
    LogIdentity {
        origin: KeyName::new("log.example/hospital").unwrap(),
        key: SigningKey::from_seed(&[5; 32]),
    }
}

fn open(store: &Store) -> Result<(Journal, TreeHead), JournalError> {
    Journal::open(store.layout(), identity(), store.payloads())
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn batch(from: u64, count: u64) -> Vec<NewEntry> {
    (from..from + count)
        .map(|index| NewEntry {
            index,
            entry: entry(index),
            payload: None,
        })
        .collect()
}

fn payload(index: u64) -> SealedPayload {
    SealedPayload::of(format!("payload {index}").into_bytes())
}

/// Every entry is there, every tile canonical, and the root is that of a tree made from scratch.
fn check_whole(journal: &Journal, size: u64) {
    let reader = journal.reader();
    assert_eq!((journal.size(), reader.size()), (size, size));
    let mut next = 0;
    reader
        .entries(0, size, |at, bytes| {
            assert_eq!((at, bytes), (next, entry(at).as_slice()));
            next += 1;
        })
        .unwrap();
    assert_eq!(next, size);
    let mut tree = Tree::new();
    for index in 0..size {
        tree.append(&entry(index)).unwrap();
    }
    assert_eq!(reader.checkpoint().head(), &tree.head());
    if size > 0 {
        assert_eq!(reader.root(size).unwrap(), tree.head().root);
    }
    for expected in tile::tiles(size) {
        assert!(
            journal.files.published(&expected.path()).exists(),
            "{expected}"
        );
    }
}

#[test]
fn batches_of_all_sizes_make_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, head) = open(&store).unwrap();
    assert_eq!(
        head,
        TreeHead {
            size: 0,
            root: empty_root()
        }
    );
    let mut size = 0;
    for count in [1, 1, 254, 1, 255, 256, 257, 1000, 3] {
        let signed = journal.append(&batch(size, count)).unwrap();
        size += count;
        assert_eq!(signed.head().size, size);
        if count == 256 {
            journal.settle().unwrap();
        }
        check_whole(&journal, size);
    }
    drop(journal);
    let (journal, head) = open(&store).unwrap();
    assert_eq!(head.size, size);
    check_whole(&journal, size);
    assert_eq!(journal.stage.length(), 0);
}

#[test]
fn what_is_not_the_next_batch_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    let index = |expected, given| Err(JournalError::Index { expected, given });
    assert_eq!(journal.append(&batch(1, 1)), index(0, 1));
    let mut gap = batch(0, 3);
    gap[1].index = 5;
    assert_eq!(journal.append(&gap), index(1, 5));
    assert_eq!(
        journal.append(&[]),
        Err(JournalError::Batch {
            entries: 0,
            bytes: 0
        })
    );
    let mut long = batch(0, 1);
    long[0].entry = vec![0; 65_536];
    let refused = JournalError::TooLong {
        index: 0,
        length: 65_536,
    };
    assert_eq!(journal.append(&long), Err(refused));
    long[0].entry.pop();
    journal.append(&long).unwrap();
    assert_eq!(journal.reader().entry(0).unwrap(), long[0].entry);
    assert_eq!(
        journal.reader().entry(1),
        Err(JournalError::NoEntry { index: 1, size: 1 })
    );
}

#[test]
fn payloads_are_found_by_entry() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    let mut entries = batch(0, 2);
    entries[1].payload = Some(payload(1));
    journal.append(&entries).unwrap();
    let reader = journal.reader();
    assert_eq!(
        (reader.payload(0).unwrap(), reader.payload(1).unwrap()),
        (None, Some(payload(1)))
    );
    assert_eq!(
        reader.payload(2),
        Err(JournalError::NoEntry { index: 2, size: 2 })
    );
}

/// How far the second batch gets before the process ends.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum LastStep {
    Payloads,
    Stage,
    Commit,
    Apply,
    Publish,
}

fn run_until(journal: &mut Journal, entries: &[NewEntry], stop: LastStep) {
    journal.keep_payloads(entries).unwrap();
    if stop >= LastStep::Stage {
        journal.stage_entries(entries).unwrap();
    }
    if stop >= LastStep::Commit {
        let signed = journal.commit().unwrap();
        if stop >= LastStep::Apply {
            journal.apply().unwrap();
        }
        if stop >= LastStep::Publish {
            journal.publish(&signed).unwrap();
        }
    }
}

#[test]
fn a_stop_after_any_step_keeps_what_was_committed_and_nothing_else() {
    for first in [0, 3, 256, 700] {
        for settle in [false, true] {
            for stop in [
                LastStep::Payloads,
                LastStep::Stage,
                LastStep::Commit,
                LastStep::Apply,
                LastStep::Publish,
            ] {
                stop_after(first, settle, stop);
            }
        }
    }
}

fn stop_after(first: u64, settle: bool, stop: LastStep) {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    if first > 0 {
        journal.append(&batch(0, first)).unwrap();
    }
    if settle {
        journal.settle().unwrap();
    }
    let mut entries = batch(first, 300);
    entries[0].payload = Some(payload(first));
    run_until(&mut journal, &entries, stop);
    drop(journal);
    let committed = stop >= LastStep::Commit;
    let size = if committed { first + 300 } else { first };
    let (mut journal, head) = open(&store).unwrap();
    assert_eq!(head.size, size, "{first} {settle} {stop:?}");
    check_whole(&journal, size);
    assert_eq!(store.payloads().get(first).unwrap().is_some(), committed);
    journal.append(&batch(size, 5)).unwrap();
    check_whole(&journal, size + 5);
}

/// A power cut takes or tears any file that was not synced: all that was applied since settling.
#[test]
fn unsynced_tiles_may_be_lost_or_torn() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    journal.append(&batch(0, 700)).unwrap();
    journal.settle().unwrap();
    let settled = snapshot(&folder.path().join("log"));
    journal.append(&batch(700, 400)).unwrap();
    journal.append(&batch(1100, 1)).unwrap();
    drop(journal);
    let log = folder.path().join("log");
    let unsynced: Vec<_> = snapshot(&log)
        .into_iter()
        .filter(|(path, bytes)| settled.get(path) != Some(bytes))
        .collect();
    assert!(unsynced.len() > 8);
    let staged = fs::read(folder.path().join("journal/stage")).unwrap();
    for tear in [true, false] {
        fs::write(folder.path().join("journal/stage"), &staged).unwrap();
        for (path, bytes) in &unsynced {
            let path = log.join(path);
            if tear {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            } else if path.exists() {
                fs::remove_file(&path).unwrap();
            }
        }
        for (path, bytes) in &settled {
            if path != "checkpoint" {
                let path = log.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
        }
        let (journal, head) = open(&store).unwrap();
        assert_eq!(head.size, 1101);
        check_whole(&journal, 1101);
    }
}

#[test]
fn settling_leaves_exactly_the_logs_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    for (from, count) in [(0, 100), (100, 100), (200, 56), (256, 44), (300, 300)] {
        journal.append(&batch(from, count)).unwrap();
    }
    journal.settle().unwrap();
    assert!(journal.is_settled());
    let mut expected: Vec<String> = tile::tiles(600).map(|tile| tile.path()).collect();
    expected.push("checkpoint".into());
    expected.sort();
    let found: Vec<String> = snapshot(&folder.path().join("log")).into_keys().collect();
    assert_eq!(found, expected);
}

#[test]
fn narrower_tiles_are_still_served() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    journal.append(&batch(0, 10)).unwrap();
    let reader = journal.reader();
    let narrow = |path: &str| reader.resource(path).unwrap();
    let before = (narrow("tile/0/000.p/10"), narrow("tile/entries/000.p/10"));
    assert!(before.0.is_some() && before.1.is_some());
    for (from, count) in [(10, 90), (100, 200)] {
        journal.append(&batch(from, count)).unwrap();
        journal.settle().unwrap();
        assert_eq!(
            before,
            (narrow("tile/0/000.p/10"), narrow("tile/entries/000.p/10"))
        );
    }
    assert!(!journal.files.published("tile/0/000.p").exists());
    assert_eq!(narrow("tile/0/001.p/45"), None);
    assert_eq!(narrow("tile/0/../../journal/stage"), None);
    assert_eq!(narrow("checkpoint"), Some(reader.checkpoint().encode()));
}

#[test]
fn proofs_hold_for_every_size() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    let mut heads = Vec::new();
    for (from, count) in [(0, 1), (1, 6), (7, 300), (307, 293)] {
        heads.push(*journal.append(&batch(from, count)).unwrap().head());
    }
    let reader = journal.reader();
    for head in &heads {
        assert_eq!(reader.root(head.size).unwrap(), head.root);
        for index in [0, head.size / 2, head.size - 1] {
            let proof = reader.inclusion_proof(index, head.size).unwrap();
            let leaf = leaf_hash(&entry(index));
            verify_inclusion(&leaf, index, head.size, &proof, &head.root).unwrap();
        }
        let last = heads.last().unwrap();
        let proof = reader.consistency_proof(head.size, last.size).unwrap();
        verify_consistency(head, last, &proof).unwrap();
    }
    assert!(reader.inclusion_proof(600, 600).is_err());
    assert!(reader.consistency_proof(1, 601).is_err());
}

#[test]
fn what_a_checkpoint_covers_is_never_shortened() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    journal.append(&batch(0, 5)).unwrap();
    journal.settle().unwrap();
    journal.append(&batch(5, 5)).unwrap();
    drop(journal);
    let (stage, tile) = (
        folder.path().join("journal/stage"),
        folder.path().join("log/tile"),
    );
    let staged = fs::read(&stage).unwrap();
    // The stage is cut and its tiles are gone: the entries exist nowhere.
    fs::write(&stage, &staged[..staged.len() - 1]).unwrap();
    for path in ["0/000.p/10", "entries/000.p/10"] {
        fs::remove_file(tile.join(path)).unwrap();
    }
    assert!(matches!(open(&store).err(), Some(JournalError::Write(_))));
    // Every flipped byte of the stage is noticed.
    for at in (0..staged.len()).step_by(7) {
        let mut flipped = staged.clone();
        flipped[at] ^= 1;
        fs::write(&stage, &flipped).unwrap();
        assert!(open(&store).is_err(), "{at}");
    }
    fs::write(&stage, &staged).unwrap();
    let (journal, _) = open(&store).unwrap();
    check_whole(&journal, 10);
}

#[test]
fn a_changed_tile_on_the_edge_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    journal.append(&batch(0, 300)).unwrap();
    journal.settle().unwrap();
    drop(journal);
    let log = folder.path().join("log/tile");
    for path in ["0/001.p/44", "1/000.p/1", "entries/001.p/44"] {
        let path = log.join(path);
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(13) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            fs::write(&path, &flipped).unwrap();
            assert!(open(&store).is_err(), "{path:?} {at}");
        }
        fs::write(&path, &whole).unwrap();
    }
    check_whole(&open(&store).unwrap().0, 300);
}

#[test]
fn another_key_or_a_missing_commit_point_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    journal.append(&batch(0, 3)).unwrap();
    drop(journal);
    let other = LogIdentity {
        key: SigningKey::from_seed(&[6; 32]),
        ..identity()
    };
    let refused = Journal::open(store.layout(), other, store.payloads()).err();
    assert!(matches!(refused, Some(JournalError::Checkpoint { .. })));
    let path = folder.path().join("journal/checkpoint");
    fs::remove_file(&path).unwrap();
    assert_eq!(open(&store).err(), Some(JournalError::NoCheckpoint(path)));
}

#[test]
fn a_failed_write_closes_the_journal_until_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    journal.append(&batch(0, 3)).unwrap();
    // The commit cannot be written: its temporary folder is gone.
    fs::rename(folder.path().join("tmp"), folder.path().join("away")).unwrap();
    assert!(matches!(
        journal.append(&batch(3, 3)),
        Err(JournalError::Disk(_))
    ));
    fs::rename(folder.path().join("away"), folder.path().join("tmp")).unwrap();
    assert_eq!(journal.append(&batch(3, 3)), Err(JournalError::Closed));
    assert_eq!(journal.settle(), Err(JournalError::Closed));
    assert_eq!(journal.reader().size(), 3);
    drop(journal);
    let (mut journal, head) = open(&store).unwrap();
    assert_eq!(head.size, 3);
    journal.append(&batch(3, 3)).unwrap();
    check_whole(&journal, 6);
}

#[test]
fn the_cosigned_checkpoint_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    let small = journal.append(&batch(0, 3)).unwrap();
    let large = journal.append(&batch(3, 3)).unwrap();
    let reader = journal.reader();
    assert_eq!(
        reader.publish_cosigned(large.clone()),
        Ok(Published::Stored)
    );
    assert_eq!(reader.publish_cosigned(small), Ok(Published::Older));
    assert_eq!(
        reader.publish_cosigned(large.clone()),
        Ok(Published::Stored)
    );
    let sign = |size, root| {
        let head = TreeHead { size, root };
        Checkpoint {
            origin: identity().origin,
            head,
        }
        .sign(&identity().key)
    };
    let fork = sign(4, Digest::sha256(b"other"));
    assert_eq!(reader.publish_cosigned(fork), Err(JournalError::Fork(4)));
    let ahead = sign(7, Digest::sha256(b"other"));
    let behind = JournalError::Behind {
        size: 6,
        cosigned: 7,
    };
    assert_eq!(reader.publish_cosigned(ahead.clone()), Err(behind.clone()));
    drop(journal);
    let (journal, _) = open(&store).unwrap();
    assert_eq!(journal.reader().cosigned().as_deref(), Some(&large));
    drop(journal);
    // An old copy of the folder beside a newer cosigned checkpoint.
    fs::write(folder.path().join("log/cosigned"), ahead.encode()).unwrap();
    assert_eq!(open(&store).err(), Some(behind));
}

#[test]
fn the_folder_passes_the_audit() {
    struct Folder(std::path::PathBuf);
    impl crypto::log::reader::TileReader for Folder {
        fn read(&self, path: &str) -> Option<Vec<u8>> {
            fs::read(self.0.join(path)).ok()
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (mut journal, _) = open(&store).unwrap();
    journal.append(&batch(0, 1000)).unwrap();
    journal.append(&batch(1000, 37)).unwrap();
    journal.settle().unwrap();
    let log = folder.path().join("log");
    let listing = snapshot(&log).into_keys();
    let mut entries = 0;
    let report = fsck::fsck(&Folder(log), &identity().verifier(), listing, |_, _| {
        entries += 1
    });
    assert!(report.intact(), "{report:?}");
    assert_eq!(entries, 1037);
}

fn snapshot(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}
