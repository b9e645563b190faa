//! Objects are kept whole, told apart, and every damage is noticed.

use std::fs;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::*;
use crate::store::disk::Room;
use crate::store::error::{Limit, StoreError};
use crate::store::space::Reserve;
use crate::store::tests::{open, options};
use crate::store::{Store, StoreOptions};
use crypto::segment::SEGMENT_LEN;

const STUDY: &str = "1.2.3";

fn meta(study: &str, series: &str, sop: &str) -> ObjectMeta {
    let fields = StudyFields {
        patient_id: Phi::new("P1".into()),
        patient_name: Phi::new("ROENTGEN^WILHELM".into()),
        description: Phi::new("CT HEAD".into()),
        ..StudyFields::default()
    };
    ObjectMeta {
        study_uid: Phi::new(study.into()),
        series_uid: Phi::new(series.into()),
        sop_uid: Phi::new(sop.into()),
        sop_class_uid: "1.2.840.10008.5.1.4.1.1.2".into(),
        transfer_syntax_uid: "1.2.840.10008.1.2.1".into(),
        modality: "CT".into(),
        series_number: Some(1),
        instance_number: Some(1),
        received_ms: 1000,
        study: fields,
    }
}

fn bulk(offset: u64, length: u64) -> BulkSpec {
    BulkSpec {
        tag: 0x7fe0_0010,
        vr: *b"OW",
        header_offset: 4,
        source_offset: offset,
        length,
        encapsulated: false,
        frames: vec![Frame { offset: 0, length }],
    }
}

fn pixels(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

/// Puts an object with one bulk value of `plain`.
fn put(store: &Store, meta: &ObjectMeta, plain: &[u8]) -> Result<Put, StoreError> {
    let bulk = bulk(0, plain.len() as u64);
    store.put(meta, b"header ROENTGEN", &[bulk], &mut Cursor::new(plain))
}

fn new_id(put: Put) -> ObjectId {
    match put {
        Put::New(id) => id,
        Put::Duplicate(_) | Put::Conflict(_) => panic!("{put:?}"),
    }
}

fn sealed_files(store: &Store) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![store.layout().sealed.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found
}

#[test]
fn an_object_comes_back_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let plain = pixels(3 * SEGMENT_LEN + 5);
    let id = new_id(put(&open(folder.path()), &meta(STUDY, "1", "1.1"), &plain).unwrap());
    let store = open(folder.path());
    let record = store.objects(STUDY).unwrap().remove(0);
    assert_eq!(record.id, id);
    assert_eq!(store.header(id).unwrap(), b"header ROENTGEN");
    let mut file = store.open_plain(&record.parts[0]).unwrap();
    let mut read = Vec::new();
    file.read_to_end(&mut read).unwrap();
    assert_eq!(read, plain);
    file.seek(SeekFrom::Start(SEGMENT_LEN as u64 - 1)).unwrap();
    let mut two = [0; 2];
    file.read_exact(&mut two).unwrap();
    assert_eq!(two, plain[SEGMENT_LEN - 1..=SEGMENT_LEN]);
    let sealed = store.open_sealed(&record.parts[0].sealed).unwrap();
    let mut bytes = vec![0; sealed.length() as usize];
    sealed.read_at(0, &mut bytes).unwrap();
    assert_eq!(Digest::sha256(&bytes), record.parts[0].sealed);
    assert_eq!(sealed.length(), record.parts[0].sealed_length());
    let study = store.study(STUDY).unwrap().unwrap();
    assert_eq!((study.objects, study.series), (1, 1));
    assert_eq!(study.bytes, plain.len() as u64 + 15);
}

#[test]
fn nothing_readable_is_on_disk_and_the_debug_form_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let plain = b"PIXELS-OF-ROENTGEN".repeat(5000);
    put(&store, &meta(STUDY, "1", "1.1"), &plain).unwrap();
    let mut folders = vec![folder.path().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            assert!(
                !bytes.windows(8).any(|window| window == b"ROENTGEN"),
                "{path:?}"
            );
        }
    }
    let debug = format!(
        "{:?} {:?}",
        meta(STUDY, "1", "1.1"),
        store.study(STUDY).unwrap()
    );
    assert!(!debug.contains("ROENTGEN") && !debug.contains("1.2.3") && !debug.contains("P1"));
}

#[test]
fn the_same_bytes_are_a_duplicate_and_other_bytes_go_to_quarantine() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let meta = meta(STUDY, "1", "1.1");
    let id = new_id(put(&store, &meta, &pixels(100)).unwrap());
    assert_eq!(put(&store, &meta, &pixels(100)), Ok(Put::Duplicate(id)));
    assert_eq!(sealed_files(&store).len(), 1);
    let mut other_syntax = meta.clone();
    other_syntax.transfer_syntax_uid = "1.2.840.10008.1.2".into();
    for _ in 0..2 {
        let Ok(Put::Conflict(kept)) = put(&store, &meta, &pixels(101)) else {
            panic!()
        };
        assert_ne!(kept, id);
    }
    assert!(matches!(
        put(&store, &other_syntax, &pixels(100)),
        Ok(Put::Conflict(_))
    ));
    let quarantined = store.quarantined().unwrap();
    assert_eq!(quarantined.len(), 2);
    assert_eq!(store.objects(STUDY).unwrap().len(), 1);
    assert_eq!(store.study(STUDY).unwrap().unwrap().objects, 1);
    assert_eq!(store.header(quarantined[0].id).unwrap(), b"header ROENTGEN");
    store.discard_quarantined(quarantined[0].id).unwrap();
    let gone = store.discard_quarantined(quarantined[0].id);
    assert_eq!(gone, Err(StoreError::Unknown("quarantined object")));
    for length in 200..207 {
        assert!(matches!(
            put(&store, &meta, &pixels(length)),
            Ok(Put::Conflict(_))
        ));
    }
    assert_eq!(
        put(&store, &meta, &pixels(300)),
        Err(StoreError::QuarantineFull)
    );
}

#[test]
fn two_threads_with_one_uid_store_one_object() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let outcomes: Vec<Put> = std::thread::scope(|scope| {
        let same = |_| scope.spawn(|| put(&store, &meta(STUDY, "1", "1.1"), &pixels(70_000)));
        let threads: Vec<_> = (0..4).map(same).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap().unwrap())
            .collect()
    });
    let new = outcomes
        .iter()
        .filter(|put| matches!(put, Put::New(_)))
        .count();
    let duplicates = outcomes
        .iter()
        .filter(|put| matches!(put, Put::Duplicate(_)))
        .count();
    assert_eq!((new, duplicates), (1, 3));
    assert_eq!(sealed_files(&store).len(), 1);
    assert_eq!(store.study(STUDY).unwrap().unwrap().objects, 1);
}

#[test]
fn studies_and_objects_are_listed_in_a_stable_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let rows = [
        ("2", Some(2), None),
        ("1", Some(1), Some(2)),
        ("1", Some(1), Some(1)),
        ("0", None, Some(0)),
    ];
    for (number, (series, series_number, instance_number)) in rows.into_iter().enumerate() {
        let mut meta = meta(STUDY, series, &format!("9.{number}"));
        meta.series_number = series_number;
        meta.instance_number = instance_number;
        meta.received_ms = 1000 + number as u64;
        meta.modality = ["CT", "SR"][number % 2].into();
        put(&store, &meta, &pixels(10)).unwrap();
    }
    let mut late = meta("1.2.4", "7", "8.1");
    late.received_ms = 9000;
    put(&store, &late, &pixels(10)).unwrap();
    let order: Vec<_> = store
        .objects(STUDY)
        .unwrap()
        .iter()
        .map(|object| object.sop_uid.expose().clone())
        .collect();
    assert_eq!(order, ["9.2", "9.1", "9.0", "9.3"]);
    let study = store.study(STUDY).unwrap().unwrap();
    assert_eq!((study.series, study.objects), (3, 4));
    assert_eq!(
        (study.first_arrival_ms, study.last_arrival_ms),
        (1000, 1003)
    );
    assert_eq!(study.modalities, ["CT", "SR"]);
    let all = store.studies(10, |_| true).unwrap();
    assert_eq!(all[0].study_uid.expose(), "1.2.4");
    assert_eq!(store.studies(1, |_| true).unwrap().len(), 1);
    assert!(
        store
            .studies(10, |study| study.objects > 9)
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.study("9.9").unwrap(), None);
    assert!(store.objects("9.9").unwrap().is_empty());
}

#[test]
fn two_patients_in_one_study_are_flagged() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, &meta(STUDY, "1", "1.1"), &pixels(10)).unwrap();
    assert!(!store.study(STUDY).unwrap().unwrap().patient_conflict);
    let mut other = meta(STUDY, "1", "1.2");
    other.study.patient_id = Phi::new("P2".into());
    put(&store, &other, &pixels(10)).unwrap();
    assert!(store.study(STUDY).unwrap().unwrap().patient_conflict);
}

#[test]
fn every_flipped_byte_of_a_sealed_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let plain = pixels(SEGMENT_LEN + 40);
    let id = new_id(put(&store, &meta(STUDY, "1", "1.1"), &plain).unwrap());
    let record = store.objects(STUDY).unwrap().remove(0);
    let part = &record.parts[0];
    let path = sealed_files(&store).remove(0);
    let whole = fs::read(&path).unwrap();
    let spots = (0..80)
        .chain((80..whole.len()).step_by(997))
        .chain(whole.len() - 60..whole.len());
    for at in spots {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(&path, &flipped).unwrap();
        let read = store
            .open_plain(part)
            .map(|mut file| file.read_to_end(&mut Vec::new()));
        assert!(!matches!(read, Ok(Ok(_))), "byte {at}");
        let damage = Damage {
            file: part.sealed,
            problem: Problem::Digest,
        };
        assert_eq!(
            store.verify_study(STUDY).unwrap().damaged,
            [(id, damage)],
            "byte {at}"
        );
    }
    for (bytes, problem) in [
        (Some(&whole[1..]), Problem::Length),
        (None, Problem::Missing),
    ] {
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let damage = Damage {
            file: part.sealed,
            problem,
        };
        assert_eq!(
            store.verify_study(STUDY).unwrap().damaged,
            [(id, damage.clone())]
        );
        assert_eq!(
            store.open_sealed(&part.sealed).unwrap_err(),
            StoreError::Damaged(damage)
        );
    }
    fs::write(&path, &whole).unwrap();
    let report = store.verify_study(STUDY).unwrap();
    assert!(report.damaged.is_empty());
    assert_eq!((report.objects, report.bytes), (1, whole.len() as u64));
}

#[test]
fn a_deleted_study_leaves_nothing_and_can_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, &meta(STUDY, "1", "1.1"), &pixels(10)).unwrap();
    put(&store, &meta(STUDY, "1", "1.2"), &pixels(20)).unwrap();
    put(&store, &meta("1.2.4", "1", "1.3"), &pixels(20)).unwrap();
    let id = store.objects(STUDY).unwrap()[0].id;
    assert_eq!(store.delete_study(STUDY), Ok(2));
    assert_eq!(store.delete_study(STUDY), Err(StoreError::Unknown("study")));
    assert_eq!(store.header(id), Err(StoreError::Unknown("object")));
    assert_eq!(
        (sealed_files(&store).len(), store.study_count().unwrap()),
        (1, 1)
    );
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.study(STUDY).unwrap(), None);
    assert!(matches!(
        put(&store, &meta(STUDY, "1", "1.1"), &pixels(10)),
        Ok(Put::New(_))
    ));
}

#[test]
fn the_sweep_removes_files_without_a_record_and_reports_the_opposite() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, &meta(STUDY, "1", "1.1"), &pixels(10)).unwrap();
    put(&store, &meta(STUDY, "1", "1.2"), &pixels(20)).unwrap();
    assert_eq!(store.sweep().unwrap(), sweep::Swept::default());
    // A crash between placing the file and committing its record.
    let orphan = Digest::sha256(b"orphan");
    let path = seal::path_of(store.layout(), &orphan);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"sealed").unwrap();
    store.locks.in_flight().unwrap().insert(orphan);
    assert_eq!(store.sweep().unwrap().orphans, 0);
    store.locks.in_flight().unwrap().remove(&orphan);
    let lost = store.objects(STUDY).unwrap()[0].parts[0].sealed;
    fs::remove_file(seal::path_of(store.layout(), &lost)).unwrap();
    fs::write(path.with_file_name("notes.txt"), b"").unwrap();
    let swept = store.sweep().unwrap();
    assert_eq!(
        (swept.orphans, swept.missing_count, swept.foreign),
        (1, 1, 1)
    );
    assert_eq!(swept.missing, [lost]);
    assert!(!path.exists());
}

#[test]
fn a_source_that_ends_early_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let meta = meta(STUDY, "1", "1.1");
    let bulks = [bulk(0, 70_000), bulk(70_000, 70_000)];
    let outcome = store.put(&meta, b"header", &bulks, &mut Cursor::new(pixels(100_000)));
    assert_eq!(
        outcome,
        Err(StoreError::Source(std::io::ErrorKind::UnexpectedEof))
    );
    assert!(sealed_files(&store).is_empty());
    assert_eq!(fs::read_dir(&store.layout().temporary).unwrap().count(), 0);
    assert!(store.locks.in_flight().unwrap().is_empty());
    assert_eq!(store.study(STUDY).unwrap(), None);
}

#[test]
fn limits_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let meta = meta(STUDY, "1", "1.1");
    let refuse = |meta: &ObjectMeta, header: &[u8], bulks: &[BulkSpec]| match store.put(
        meta,
        header,
        bulks,
        &mut Cursor::new(pixels(64)),
    ) {
        Err(StoreError::Limit(limit)) => limit,
        other => panic!("{other:?}"),
    };
    let long = vec![0; HEADER_BYTES_MAX + 1];
    assert_eq!(refuse(&meta, &long, &[]), Limit::Header(long.len()));
    let many = vec![bulk(0, 1); BULKS_MAX + 1];
    assert_eq!(refuse(&meta, b"head", &many), Limit::Bulks(many.len()));
    assert_eq!(refuse(&meta, b"hea", &[bulk(0, 1)]), Limit::Place);
    assert_eq!(
        refuse(&meta, b"head", &[bulk(0, u64::MAX)]),
        Limit::Bulk(u64::MAX)
    );
    let mut outside = bulk(0, 10);
    outside.frames = vec![Frame {
        offset: u64::MAX,
        length: 2,
    }];
    assert_eq!(refuse(&meta, b"head", &[outside]), Limit::FrameRange);
    let mut wordy = meta.clone();
    wordy.study.description = Phi::new("x".repeat(TEXT_BYTES_MAX + 1));
    assert_eq!(
        refuse(&wordy, b"head", &[]),
        Limit::Text(TEXT_BYTES_MAX + 1)
    );
}

#[test]
fn the_reserve_and_the_table_refuse_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let room: Room = crate::store::disk::room(folder.path()).unwrap();
    let full = StoreOptions {
        reserve: Reserve {
            percent: 0,
            bytes: room.total,
        },
        ..options()
    };
    let key = crypto::keys::SymmetricKey::from_bytes(&[7; 32]);
    let master = crate::store::root::MasterKey { version: 1, key };
    let store = Store::open(folder.path(), &master, full).unwrap();
    let refused = put(&store, &meta(STUDY, "1", "1.1"), &pixels(10));
    assert!(matches!(refused, Err(StoreError::OutOfSpace { .. })));
    assert!(matches!(
        store.spool().create(10),
        Err(StoreError::OutOfSpace { .. })
    ));
    drop(store);
    let one = StoreOptions {
        studies_max: 1,
        ..options()
    };
    let store = Store::open(folder.path(), &master, one).unwrap();
    put(&store, &meta(STUDY, "1", "1.1"), &pixels(10)).unwrap();
    put(&store, &meta(STUDY, "1", "1.2"), &pixels(10)).unwrap();
    let refused = put(&store, &meta("1.2.4", "1", "1.3"), &pixels(10));
    assert_eq!(refused, Err(StoreError::TableFull(1)));
    assert_eq!(sealed_files(&store).len(), 2);
}

#[test]
fn several_bulk_values_have_their_own_keys_and_the_manifest_values_hold() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let source = pixels(200);
    let bulks = [bulk(0, 120), bulk(120, 80), bulk(200, 0)];
    store
        .put(
            &meta(STUDY, "1", "1.1"),
            b"head",
            &bulks,
            &mut Cursor::new(&source),
        )
        .unwrap();
    let record = store.objects(STUDY).unwrap().remove(0);
    let (one, two) = (&record.parts[0], &record.parts[1]);
    assert!(one.key != two.key && one.id != two.id && one.commitment() != two.commitment());
    let digest = Digest::sha256(&source[120..]);
    assert_eq!(
        two.plaintext,
        protocol::transfer::manifest::plain_digest(&two.salt, &digest)
    );
    assert_eq!(record.parts[2].length, 0);
    let mut empty = Vec::new();
    store
        .open_plain(&record.parts[2])
        .unwrap()
        .read_to_end(&mut empty)
        .unwrap();
    assert!(empty.is_empty());
    assert_eq!(record.parts[0].frames, bulks[0].frames);
}
