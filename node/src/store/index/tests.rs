//! The index refuses what it did not write, and keeps what it acknowledged.

use std::fs;

use super::*;
use crate::store::codec::{Reader, Writer};
use crate::store::root::MasterKey;

#[derive(Debug, PartialEq)]
struct Text(String);

impl Stored for Text {
    const VERSION: u8 = 1;

    fn encode(&self, writer: &mut Writer) {
        writer.text(&self.0);
    }

    fn decode(_version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        reader.text().map(Text)
    }
}

const FAMILIES: &[Family] = &[Family::Kv, Family::Derived];

fn root(folder: &Path) -> RootKey {
    let master = MasterKey {
        version: 1,
        key: SymmetricKey::from_bytes(&[7; 32]),
    };
    RootKey::open(folder, folder, &master, true).unwrap()
}

fn open(folder: &Path) -> Index {
    Index::open(&folder.join("index"), FAMILIES, &root(folder)).unwrap()
}

fn put(index: &Index, key: &[u8], text: &str) {
    let mut batch = Batch::default();
    index
        .put(&mut batch, Family::Kv, key, &Text(text.into()))
        .unwrap();
    index.commit(batch).unwrap();
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    put(&open(folder.path()), b"a", "one");
    let index = open(folder.path());
    assert_eq!(
        index.get::<Text>(Family::Kv, b"a").unwrap(),
        Some(Text("one".into()))
    );
    assert_eq!(index.get::<Text>(Family::Derived, b"a").unwrap(), None);
    let mut batch = Batch::default();
    batch.delete(Family::Kv, b"a");
    batch.delete(Family::Kv, b"absent");
    index.commit(batch).unwrap();
    assert!(!index.contains(Family::Kv, b"a").unwrap());
}

#[test]
fn a_scan_stays_within_its_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path());
    for key in ["a1", "a2", "b1"] {
        put(&index, key.as_bytes(), key);
    }
    let found: Result<Vec<_>, _> = index.scan::<Text>(Family::Kv, b"a").unwrap().collect();
    let texts: Vec<_> = found.unwrap().into_iter().map(|(_, text)| text.0).collect();
    assert_eq!(texts, ["a1", "a2"]);
    assert_eq!(index.scan::<Text>(Family::Kv, b"").unwrap().count(), 3);
}

#[test]
fn nothing_readable_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path());
    put(&index, b"k", "ROENTGEN^WILHELM");
    index.purge(FAMILIES).unwrap();
    put(&index, b"l", "ROENTGEN^WILHELM");
    for entry in fs::read_dir(folder.path().join("index")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"ROENTGEN"));
    }
}

#[test]
fn a_changed_moved_or_relabelled_record_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path());
    put(&index, b"a", "one");
    let handle = index.handle(Family::Kv).unwrap();
    let value = index.db.get_cf(handle, b"a").unwrap().unwrap();
    let refused = |problem| {
        Err(IndexError::Record {
            family: Family::Kv,
            problem,
        })
    };
    for at in 1..value.len() {
        let mut flipped = value.clone();
        flipped[at] ^= 1;
        index.db.put_cf(handle, b"a", &flipped).unwrap();
        assert_eq!(
            index.get::<Text>(Family::Kv, b"a"),
            refused(RecordError::Seal),
            "{at}"
        );
    }
    let mut newer = value.clone();
    newer[0] = 2;
    index.db.put_cf(handle, b"a", &newer).unwrap();
    let problem = RecordError::Newer { found: 2, known: 1 };
    assert_eq!(index.get::<Text>(Family::Kv, b"a"), refused(problem));
    index.db.put_cf(handle, b"b", &value).unwrap();
    assert_eq!(
        index.get::<Text>(Family::Kv, b"b"),
        refused(RecordError::Seal)
    );
    index.db.put_cf(handle, b"c", b"").unwrap();
    assert_eq!(
        index.get::<Text>(Family::Kv, b"c"),
        refused(RecordError::Short)
    );
    let derived = index.handle(Family::Derived).unwrap();
    index.db.put_cf(derived, b"a", &value).unwrap();
    let problem = RecordError::Seal;
    let elsewhere = Err(IndexError::Record {
        family: Family::Derived,
        problem,
    });
    assert_eq!(index.get::<Text>(Family::Derived, b"a"), elsewhere);
}

#[test]
fn damage_inside_the_log_is_refused_and_a_torn_tail_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    {
        let index = open(folder.path());
        for number in 0..20_u8 {
            put(&index, &[number], "value");
        }
    }
    let log = write_ahead_log(&folder.path().join("index"));
    let whole = fs::read(&log).unwrap();
    fs::write(&log, &whole[..whole.len() - 3]).unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), copy.path());
    {
        let index = open(copy.path());
        assert!(index.contains(Family::Kv, &[18]).unwrap());
        assert!(!index.contains(Family::Kv, &[19]).unwrap());
    }
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(&log, &damaged).unwrap();
    let path = folder.path().join("index");
    let opened = Index::open(&path, FAMILIES, &root(folder.path()));
    assert!(matches!(opened.err(), Some(IndexError::Corrupt { .. })));
}

#[test]
fn a_damaged_table_is_refused_on_read() {
    let folder = tempfile::tempdir().unwrap();
    {
        let index = open(folder.path());
        for number in 0..200_u8 {
            put(&index, &[number], "some value of some length");
        }
        index.purge(FAMILIES).unwrap();
    }
    for entry in fs::read_dir(folder.path().join("index")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "sst") {
            let mut bytes = fs::read(&path).unwrap();
            bytes[100] ^= 1;
            fs::write(&path, &bytes).unwrap();
        }
    }
    let path = folder.path().join("index");
    let outcome = Index::open(&path, FAMILIES, &root(folder.path()))
        .and_then(|index| index.get::<Text>(Family::Kv, &[0]).map(drop));
    assert!(
        matches!(outcome, Err(IndexError::Corrupt { .. })),
        "{outcome:?}"
    );
}

fn write_ahead_log(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut logs: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|ending| ending == "log"))
        .filter(|path| fs::metadata(path).unwrap().len() > 0)
        .collect();
    assert_eq!(logs.len(), 1);
    logs.remove(0)
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
