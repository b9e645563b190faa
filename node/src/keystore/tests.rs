//! A key comes back as it was made, for its own use, to its own owner.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([7; 32])
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn sealed(folder: &Path) -> Keystore {
    Keystore::new(folder.to_owned(), Passphrase::new("correct horse").unwrap())
}

#[test]
fn a_key_comes_back_and_is_its_owners_alone() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("node/keys");
    for passphrase in [Passphrase::none(), Passphrase::new("x").unwrap()] {
        let sealed = passphrase.bytes().is_some();
        let keystore = Keystore::new(folder.join(format!("{sealed}")), passphrase);
        let public = keystore
            .create(KeyKind::Log, KdfParams::MINIMUM, &mut rng())
            .unwrap();
        assert_eq!(
            Some(keystore.signing(KeyKind::Log).unwrap().verifying_key()),
            public
        );
        assert!(keystore.has(KeyKind::Log) && !keystore.has(KeyKind::Master));
        assert_eq!(mode(&keystore.path(KeyKind::Log)), 0o600);
        assert_eq!(mode(&keystore.folder), 0o700);
        let none = keystore
            .create(KeyKind::Master, KdfParams::MINIMUM, &mut rng())
            .unwrap();
        assert!(none.is_none() && keystore.master().is_ok());
        let names = fs::read_dir(&keystore.folder).unwrap().count();
        assert_eq!(names, 2, "no temporary file stays");
    }
}

#[test]
fn a_key_is_never_overwritten() {
    let temp = tempfile::tempdir().unwrap();
    let keystore = sealed(temp.path());
    let first = keystore
        .create(KeyKind::Log, KdfParams::MINIMUM, &mut rng())
        .unwrap();
    let again = keystore.create(KeyKind::Log, KdfParams::MINIMUM, &mut rng());
    assert!(matches!(
        again,
        Err(KeystoreError::File(FileError::Exists(_)))
    ));
    assert_eq!(
        Some(keystore.signing(KeyKind::Log).unwrap().verifying_key()),
        first
    );
}

#[test]
fn what_others_can_read_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let keystore = sealed(&temp.path().join("keys"));
    keystore
        .create(KeyKind::Log, KdfParams::MINIMUM, &mut rng())
        .unwrap();
    let file = keystore.path(KeyKind::Log);
    for wrong in [0o640, 0o604, 0o620] {
        fs::set_permissions(&file, fs::Permissions::from_mode(wrong)).unwrap();
        let refused = keystore.signing(KeyKind::Log).err().unwrap();
        let KeystoreError::File(FileError::Readable { mode, .. }) = refused else {
            panic!("{refused}");
        };
        assert_eq!(mode, wrong);
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(keystore.signing(KeyKind::Log).is_ok());
    fs::set_permissions(&keystore.folder, fs::Permissions::from_mode(0o770)).unwrap();
    let refused = keystore.signing(KeyKind::Log).err().unwrap();
    assert!(matches!(
        refused,
        KeystoreError::File(FileError::Writable { mode: 0o770, .. })
    ));
}

#[test]
fn a_key_is_for_its_own_use() {
    let temp = tempfile::tempdir().unwrap();
    let keystore = sealed(temp.path());
    keystore
        .create(KeyKind::Log, KdfParams::MINIMUM, &mut rng())
        .unwrap();
    keystore
        .create(KeyKind::Master, KdfParams::MINIMUM, &mut rng())
        .unwrap();
    fs::copy(
        keystore.path(KeyKind::Log),
        keystore.path(KeyKind::Hospital),
    )
    .unwrap();
    let moved = keystore.signing(KeyKind::Hospital).err().unwrap();
    assert!(matches!(moved, KeystoreError::OtherKind(_)));
    let master = keystore.signing(KeyKind::Master).err().unwrap();
    assert!(matches!(master, KeystoreError::Use(KeyKind::Master)));
}

#[test]
fn the_passphrase_must_be_the_right_one() {
    let temp = tempfile::tempdir().unwrap();
    sealed(temp.path())
        .create(KeyKind::Log, KdfParams::MINIMUM, &mut rng())
        .unwrap();
    let refusal = |passphrase| {
        let keystore = Keystore::new(temp.path().to_owned(), passphrase);
        let refused = keystore.signing(KeyKind::Log).err().unwrap();
        let KeystoreError::KeyFile { source, .. } = refused else {
            panic!("{refused}");
        };
        source
    };
    assert_eq!(
        refusal(Passphrase::new("wrong").unwrap()),
        KeyFileError::Open
    );
    assert_eq!(refusal(Passphrase::none()), KeyFileError::Protected);
}

#[test]
fn roles_say_which_keys_are_opened() {
    use KeyKind::{Hospital, Log, Master, Person, Transport, Witness};
    let roles = Roles::default();
    assert_eq!(roles.keys(), [Transport]);
    let hospital = Roles {
        hospital: true,
        witness: true,
        ..roles
    };
    assert_eq!(hospital.keys(), [Transport, Log, Hospital, Witness, Master]);
    let reader = Roles {
        reader: true,
        ..roles
    };
    assert_eq!(reader.keys(), [Transport, Log, Person, Master]);
    let temp = tempfile::tempdir().unwrap();
    let keystore = Keystore::new(temp.path().to_owned(), Passphrase::none());
    for kind in reader.keys() {
        keystore
            .create(kind, KdfParams::MINIMUM, &mut rng())
            .unwrap();
    }
    let secrets = Secrets::open(&keystore, reader).unwrap();
    assert!(secrets.person.is_some() && secrets.hospital.is_none() && secrets.master.is_some());
    let missing = Secrets::open(&keystore, hospital).err().unwrap();
    assert!(matches!(
        missing,
        KeystoreError::File(FileError::System { .. })
    ));
}
