//! Opening a data folder: once, with its key, and not somebody else's.

use super::*;
use crypto::keys::SymmetricKey;

/// A store without a reserve, so that tests run on a full disk too.
pub(crate) fn open(folder: &Path) -> Store {
    Store::open(folder, &master(7), options()).unwrap()
}

pub(crate) fn options() -> StoreOptions {
    StoreOptions {
        reserve: Reserve {
            percent: 0,
            bytes: 0,
        },
        studies_max: 100,
    }
}

fn master(byte: u8) -> MasterKey {
    MasterKey {
        version: 1,
        key: SymmetricKey::from_bytes(&[byte; 32]),
    }
}

fn refused(folder: &Path, byte: u8) -> StoreError {
    Store::open(folder, &master(byte), options())
        .err()
        .expect("refused")
}

#[test]
fn a_folder_opens_again_and_only_once_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let store = open(&path);
    assert_eq!(
        refused(&path, 7),
        StoreError::Lock(LockError::InUse(path.clone()))
    );
    store.kv().put(b"name", b"value").unwrap();
    store.derived().put(b"name", b"other").unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(
        store.kv().get(b"name").unwrap().unwrap().as_slice(),
        b"value"
    );
    assert_eq!(
        store.derived().get(b"name").unwrap().unwrap().as_slice(),
        b"other"
    );
    assert_eq!(store.kv().all(b"na").unwrap().len(), 1);
    store.kv().delete(b"name").unwrap();
    assert!(store.kv().all(b"").unwrap().is_empty());
}

#[test]
fn a_wrong_master_key_and_a_foreign_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    drop(open(path));
    let wrong = root::RootError::WrongMaster(path.join("root-key"));
    assert_eq!(refused(path, 8), StoreError::Root(wrong));
    std::fs::remove_file(path.join("root-key")).unwrap();
    let missing = root::RootError::Missing(path.join("root-key"));
    assert_eq!(refused(path, 7), StoreError::Root(missing));
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("thesis.txt"), b"x").unwrap();
    let foreign = VersionError::Foreign(other.path().to_path_buf());
    assert_eq!(refused(other.path(), 7), StoreError::Version(foreign));
}

#[test]
fn a_start_that_was_cut_short_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // Before the marker: lock, temporary folder with a rest in it, perhaps the root key.
    std::fs::create_dir(path.join("tmp")).unwrap();
    std::fs::write(path.join("tmp/1-0.tmp"), b"half").unwrap();
    std::fs::write(path.join("lock"), b"").unwrap();
    RootKey::open(path, &path.join("tmp"), &master(7), true).unwrap();
    drop(open(path));
    assert!(!path.join("tmp/1-0.tmp").exists());
    assert_eq!(
        refused(path, 9),
        StoreError::Root(root::RootError::WrongMaster(path.join("root-key")))
    );
}

#[test]
fn payloads_are_kept_by_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let sealed = store.subjects().seal_payload(b"one", b"", b"text").unwrap();
    store.payloads().put([(3, &sealed), (4, &sealed)]).unwrap();
    assert_eq!(store.payloads().get(3).unwrap(), Some(sealed));
    store.payloads().discard(4, 10).unwrap();
    assert_eq!(store.payloads().get(4).unwrap(), None);
    assert!(store.payloads().get(3).unwrap().is_some());
}

#[test]
fn a_backup_of_the_index_opens_and_holds_no_subject_keys() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.kv().put(b"name", b"value").unwrap();
    let target = folder.path().join("copy");
    store.checkpoint_index(&target).unwrap();
    let root = Arc::clone(&store.root);
    let copy = Arc::new(Index::open(&target, FAMILIES, &root).unwrap());
    let entries = Entries::new(copy, root, Family::Kv);
    assert_eq!(entries.get(b"name").unwrap().unwrap().as_slice(), b"value");
    assert!(!target.join("subjects").exists());
}
