//! Wrong passphrases, changed files, and files that want to cost too much.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;

const CHEAP: KdfParams = KdfParams::MINIMUM;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([1; 32])
}

fn sealed() -> String {
    KeyFile::seal("person", b"a secret", b"correct horse", CHEAP, &mut rng()).unwrap()
}

fn open_error(text: &str) -> KeyFileError {
    KeyFile::open(text, b"correct horse").unwrap_err()
}

#[test]
fn what_was_sealed_opens_with_the_passphrase_and_with_no_other() {
    let text = sealed();
    assert!(text.starts_with("radmesh-key/1\nkind: person\nargon2id: m=8192 t=1 p=1 salt="));
    assert_eq!(
        **KeyFile::open(&text, b"correct horse").unwrap(),
        *b"a secret"
    );
    let file = KeyFile::parse(&text).unwrap();
    assert_eq!((file.kind(), file.is_protected()), ("person", true));
    let refused = |passphrase: &[u8]| file.unlock(passphrase).unwrap_err();
    assert_eq!(refused(b"correct horsf"), KeyFileError::Open);
    assert_eq!(refused(b"correct horse "), KeyFileError::Open);
    assert_eq!(refused(b""), KeyFileError::EmptyPassphrase);
    assert_eq!(file.reveal().unwrap_err(), KeyFileError::Protected);
    assert_eq!(
        KeyFile::open_plain(&text).unwrap_err(),
        KeyFileError::Protected
    );
}

#[test]
fn the_file_is_the_documented_construction() {
    let text = sealed();
    let (head, data) = text.split_once("data: ").unwrap();
    let salt = hex::decode(head.trim_end().rsplit_once("salt=").unwrap().1).unwrap();
    let params = argon2::Params::new(8192, 1, 1, Some(32)).unwrap();
    let mut key = [0; 32];
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(b"correct horse", &salt, &mut key)
        .unwrap();
    use chacha20poly1305::aead::{Aead as _, Payload};
    use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
    let msg = &STANDARD.decode(data.trim_end()).unwrap();
    let opened = ChaCha20Poly1305::new(&key.into())
        .decrypt(
            &Nonce::default(),
            Payload {
                msg,
                aad: head.as_bytes(),
            },
        )
        .unwrap();
    assert_eq!(opened, b"a secret");
}

#[test]
fn two_files_of_one_secret_share_nothing() {
    let mut rng = rng();
    let mut seal = || KeyFile::seal("person", b"a secret", b"pass", CHEAP, &mut rng).unwrap();
    let (first, second) = (seal(), seal());
    assert_ne!(first.lines().nth(2), second.lines().nth(2));
    assert_ne!(first.lines().nth(3), second.lines().nth(3));
}

#[test]
fn kind_and_parameters_cannot_be_exchanged() {
    let text = sealed();
    assert_eq!(
        open_error(&text.replace("person", "master")),
        KeyFileError::Open
    );
    assert_eq!(open_error(&text.replace("t=1", "t=2")), KeyFileError::Open);
    assert_eq!(open_error(&text.replace("p=1", "p=2")), KeyFileError::Open);
}

#[test]
fn an_unprotected_file_says_so_and_notices_damage() {
    let text = KeyFile::plain("log", b"a secret").unwrap();
    assert_eq!(**KeyFile::open_plain(&text).unwrap(), *b"a secret");
    // Whoever expects a passphrase must not be served a file that was put in its place.
    assert_eq!(open_error(&text), KeyFileError::Unprotected);
    assert!(!KeyFile::parse(&text).unwrap().is_protected());
    let damaged = text.replace(&STANDARD.encode(b"a secret"), &STANDARD.encode(b"b secret"));
    assert_eq!(
        KeyFile::open_plain(&damaged).unwrap_err(),
        KeyFileError::Damaged
    );
    let renamed = text.replace("kind: log", "kind: person");
    assert_eq!(
        KeyFile::open_plain(&renamed).unwrap_err(),
        KeyFileError::Damaged
    );
}

#[test]
fn hostile_parameters_are_refused_before_any_work() {
    let text = sealed();
    let with = |memory_kib, passes, lanes| {
        let params = KdfParams {
            memory_kib,
            passes,
            lanes,
        };
        let line = format!("m={memory_kib} t={passes} p={lanes}");
        assert_eq!(
            open_error(&text.replace("m=8192 t=1 p=1", &line)),
            KeyFileError::Params(params)
        );
        let seal = KeyFile::seal("person", b"a secret", b"pass", params, &mut rng());
        assert_eq!(seal, Err(KeyFileError::Params(params)));
    };
    with(KdfParams::MEMORY_KIB_MAX + 1, 1, 1);
    with(KdfParams::MEMORY_KIB_MIN - 1, 1, 1);
    with(u32::MAX, u32::MAX, u32::MAX);
    with(8192, KdfParams::PASSES_MAX + 1, 1);
    with(8192, 1, KdfParams::LANES_MAX + 1);
    for spelling in [
        "m=08192",
        "m=+8192",
        "m=",
        "m=99999999999",
        "m=0",
        "m=8 192",
    ] {
        let changed = text.replace("m=8192", spelling);
        assert_eq!(open_error(&changed), KeyFileError::Line(3), "{spelling}");
    }
}

#[test]
fn every_file_has_one_text() {
    let text = sealed();
    let changed = |from: &str, to: &str| open_error(&text.replacen(from, to, 1));
    assert_eq!(
        changed("radmesh-key/1", "radmesh-key/2"),
        KeyFileError::Version
    );
    assert_eq!(
        changed("radmesh-key/1\n", "radmesh-key/1\r\n"),
        KeyFileError::Version
    );
    assert_eq!(changed("kind: ", "kind:"), KeyFileError::Line(2));
    assert_eq!(changed("person", "Person"), KeyFileError::Kind);
    assert_eq!(changed("person", ""), KeyFileError::Kind);
    assert_eq!(changed("person", &"p".repeat(33)), KeyFileError::Kind);
    assert_eq!(changed("argon2id", "argon2i"), KeyFileError::Line(3));
    assert_eq!(changed("t=1 p=1", "p=1 t=1"), KeyFileError::Line(3));
    assert_eq!(changed("\ndata", " \ndata"), KeyFileError::Line(3));
    assert_eq!(changed("data: ", "data:  "), KeyFileError::Line(4));
    assert_eq!(open_error(text.trim_end()), KeyFileError::Line(4));
    assert_eq!(open_error(&format!("{text}\n")), KeyFileError::Line(5));
    assert_eq!(open_error(""), KeyFileError::Version);
    let (head, _) = text.split_once("data: ").unwrap();
    assert_eq!(
        open_error(&format!("{head}data: \n")),
        KeyFileError::SecretLength(0)
    );
    let unpadded = format!("{head}data: {}\n", "A".repeat(35));
    assert_eq!(open_error(&unpadded), KeyFileError::Line(4));
    let long = "x".repeat(MAX_TEXT_LEN + 1);
    assert_eq!(
        open_error(&long),
        KeyFileError::TextLength(MAX_TEXT_LEN + 1)
    );
}

#[test]
fn bounds_on_secrets() {
    let seal = |secret: &[u8]| KeyFile::seal("log", secret, b"pass", CHEAP, &mut rng());
    let too_long = vec![7; MAX_SECRET_LEN + 1];
    assert_eq!(
        seal(&too_long),
        Err(KeyFileError::SecretLength(MAX_SECRET_LEN + 1))
    );
    assert_eq!(seal(b""), Err(KeyFileError::SecretLength(0)));
    assert_eq!(
        KeyFile::plain("log", b"").unwrap_err(),
        KeyFileError::SecretLength(0)
    );
    let longest = &too_long[1..];
    let text = seal(longest).unwrap();
    assert!(text.len() <= MAX_TEXT_LEN);
    assert_eq!(**KeyFile::open(&text, b"pass").unwrap(), *longest);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_changed_character_is_refused(at in any::<prop::sample::Index>(), to in " -~") {
        let text = sealed();
        let at = at.index(text.len());
        let changed = format!("{}{to}{}", &text[..at], &text[at + 1..]);
        // A digit of a parameter may ask for up to 9 MiB and nine passes: cheap enough to try.
        if changed != text {
            prop_assert!(KeyFile::open(&changed, b"correct horse").is_err());
        }
    }

    #[test]
    fn mangled_plain_files_are_refused_or_have_this_one_text(
        secret in prop::collection::vec(any::<u8>(), 1..64),
        at in any::<prop::sample::Index>(),
        to in "[ -~\n]",
    ) {
        let text = KeyFile::plain("log", &secret).unwrap();
        crate::fuzz::fuzz_keyfile(text.as_bytes());
        let at = at.index(text.len());
        let changed = format!("{}{to}{}", &text[..at], &text[at + 1..]);
        crate::fuzz::fuzz_keyfile(changed.as_bytes());
    }
}
