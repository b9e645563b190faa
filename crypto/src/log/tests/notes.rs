//! Notes, keys, checkpoints and cosignatures: the examples of the specifications and of Go, the
//! crates `signed_note` and `tlog_tiles`, and a tree head that public witnesses cosigned.

use signed_note::{Note as TheirNote, StandardSigner, StandardVerifier, VerifierList};

use super::{TIME, cosigned, log_of, log_verifier, name, signed, witness};
use crate::keys::SigningKey;
use crate::log::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::log::cosign::{CosignError, cosign, take_answer, verify};
use crate::log::fuzz::{fuzz_checkpoint, fuzz_note};
use crate::log::merkle::TreeHead;
use crate::note::*;

/// c2sp.org/signed-note, section "Example".
const SPEC_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const SPEC_NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1T\
    nagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
/// golang.org/x/mod/sumdb/note, package documentation and tests.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const GO_TEXT: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n";
const PETER_LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFY\
    C2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_LINE: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aG\
    rQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn key(text: &str) -> VerifierKey {
    VerifierKey::parse(text).expect("a verifier key")
}

#[test]
fn published_notes_verify_and_are_canonical() {
    let note = Note::parse(SPEC_NOTE.as_bytes()).expect("a note");
    assert_eq!(note.encode(), SPEC_NOTE.as_bytes());
    assert_eq!(note.verify(&[key(SPEC_KEY)]).map(|v| v.len()), Ok(1));
    let both = format!("{GO_TEXT}\n{PETER_LINE}{ENOCH_LINE}");
    let note = Note::parse(both.as_bytes()).expect("a note");
    assert_eq!(note.text(), GO_TEXT);
    let trusted = [key(PETER), key(ENOCH)];
    assert_eq!(note.verify(&trusted).map(|v| v.len()), Ok(2));
    assert_eq!(note.verify(&trusted[1..]).map(|v| v.len()), Ok(1));
    assert_eq!(
        note.verify(&[key(SPEC_KEY)]),
        Err(NoteError::NoTrustedSignature)
    );
    for text in [SPEC_KEY, PETER, ENOCH] {
        assert_eq!(key(text).to_string(), text);
    }
}

#[test]
fn a_published_secret_signs_the_published_line() {
    let theirs = StandardSigner::new(PETER_SECRET).expect("their key");
    assert_eq!(signed_note::Signer::key_id(&theirs), 0xc74f_20a3);
    let material = PETER_SECRET.splitn(5, '+').last().expect("key material");
    let seed = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, material).expect("base64");
    let seed = SigningKey::from_seed(seed[1..].try_into().expect("32 bytes"));
    let line = NoteSignature::ed25519(GO_TEXT, &name("PeterNeumann"), &seed);
    assert_eq!(line.line(), PETER_LINE);
}

#[test]
fn a_bad_line_by_a_known_key_condemns_the_note() {
    let text = GO_TEXT.replace("answer", "Answer");
    let note = Note::parse(format!("{text}\n{PETER_LINE}{ENOCH_LINE}").as_bytes()).expect("a note");
    let bad = |who| Err(NoteError::BadSignature(name(who)));
    assert_eq!(note.verify(&[key(PETER), key(ENOCH)]), bad("PeterNeumann"));
    assert_eq!(note.verify(&[key(ENOCH)]), bad("EnochRoot"));
    // The same ID under another name, and the same name with another ID, are unknown keys.
    for line in [
        PETER_LINE.replace("Peter", "Piet"),
        PETER_LINE.replace("x08go", "x08gp"),
    ] {
        let note =
            Note::parse(format!("{GO_TEXT}\n{line}{ENOCH_LINE}").as_bytes()).expect("a note");
        assert_eq!(
            note.verify(&[key(PETER), key(ENOCH)]).map(|v| v.len()),
            Ok(1)
        );
    }
}

#[test]
fn malformed_notes_have_exact_errors() {
    let parse = |text: &str| Note::parse(text.as_bytes()).map(|_| ());
    assert_eq!(parse(GO_TEXT), Err(NoteError::NoSignatureBlock));
    assert_eq!(parse("a\n\n"), Err(NoteError::NoSignatureBlock));
    assert_eq!(
        parse(&format!("a\n\n{}", PETER_LINE.trim_end())),
        Err(NoteError::Unterminated)
    );
    assert_eq!(
        parse(&format!("a\tb\n\n{PETER_LINE}")),
        Err(NoteError::ControlCharacter(1))
    );
    assert_eq!(
        parse(&format!("a\r\n\n{PETER_LINE}")),
        Err(NoteError::ControlCharacter(1))
    );
    assert_eq!(
        Note::parse(b"\xff\n\n").map(|_| ()),
        Err(NoteError::NotUtf8)
    );
    let line = |line: &str| parse(&format!("a\n\n{PETER_LINE}{line}\n"));
    for bad in [
        "- a AAAAAAA=",
        "—a AAAAAAA=",
        "— a",
        "— a  AAAAAAA=",
        "— a AAAAAAA= ",
        "— a+b AAAAAAA=",
        "— a\u{a0}b AAAAAAA=",
        "— a AAAAAA==",
        "— a AAAAAAA",
        "— a AAAAAAB=",
        "— a AAAA-AA=",
        "—  AAAAAAA=",
    ] {
        assert_eq!(line(bad), Err(NoteError::SignatureLine(1)), "{bad}");
    }
    assert_eq!(line("— a AAAAAAA="), Ok(()));
    let many = |count| parse(&format!("a\n\n{}", "— a AAAAAAA=\n".repeat(count)));
    assert_eq!(many(MAX_SIGNATURES), Ok(()));
    assert_eq!(many(MAX_SIGNATURES + 1), Err(NoteError::TooManySignatures));
    assert_eq!(
        Note::parse(&vec![b'a'; MAX_NOTE_LEN + 1]).map(|_| ()),
        Err(NoteError::TooLong)
    );
}

#[test]
fn malformed_keys_have_exact_errors() {
    let parse = |text: &str| VerifierKey::parse(text).map(|_| ());
    for bad in [
        "",
        "a",
        "a+b",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann+c74f20a3+AR",
    ] {
        assert_eq!(parse(bad), Err(NoteError::VerifierKey), "{bad}");
    }
    assert_eq!(
        parse(&PETER.replace("c74f20a3", "C74F20A3")),
        Err(NoteError::VerifierKey)
    );
    assert_eq!(
        parse(&PETER.replace("c74f20a3", "c74f20a4")),
        Err(NoteError::KeyIdMismatch)
    );
    assert_eq!(
        parse(&PETER.replace("PeterNeumann", "")),
        Err(NoteError::KeyName)
    );
    assert_eq!(
        parse(&PETER.replace("PeterN", "Peter N")),
        Err(NoteError::KeyName)
    );
    // Type 06 (ML-DSA-44) and 02 (ECDSA).
    assert_eq!(parse("a+00000000+BgAA"), Err(NoteError::UnsupportedType(6)));
    assert_eq!(parse("a+00000000+AgAA"), Err(NoteError::UnsupportedType(2)));
    let zero = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, [1, 0].repeat(17));
    assert_eq!(
        parse(&format!("a+00000000+{zero}")),
        Err(NoteError::VerifierKey)
    );
    let mut small_order = vec![0; 33];
    (small_order[0], small_order[1]) = (1, 1);
    let weak = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, small_order);
    assert_eq!(
        parse(&format!("a+00000000+{weak}")),
        Err(NoteError::PublicKey)
    );
}

#[test]
fn one_byte_changes_are_read_as_signed_note_reads_them() {
    let original = format!("{GO_TEXT}\n{PETER_LINE}{ENOCH_LINE}").into_bytes();
    let (trusted, theirs) = (
        [key(PETER)],
        StandardVerifier::new(PETER).expect("their key"),
    );
    let known = VerifierList::new(vec![Box::new(theirs)]);
    for at in 0..original.len() {
        for change in [0x01u8, 0x02, 0x20, 0x80, b'\n', b' ', b'+', b'='] {
            let mut note = original.clone();
            note[at] = if change < 0x10 {
                note[at] ^ change
            } else {
                change
            };
            fuzz_note(&note);
            let (ours, theirs) = (Note::parse(&note), TheirNote::from_bytes(&note));
            assert_eq!(
                ours.is_ok(),
                theirs.is_ok(),
                "byte {at} as {change:#x}: {ours:?}"
            );
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                assert_eq!(ours.text().as_bytes(), theirs.text());
                let count = theirs
                    .verify(&known)
                    .map(|(verified, _)| verified.len())
                    .ok();
                assert_eq!(ours.verify(&trusted).ok().map(|v| v.len()), count);
            }
        }
    }
}

#[test]
fn our_checkpoints_are_read_by_signed_note_and_tlog_tiles() {
    let (_, signed) = log_of(300);
    let theirs = StandardVerifier::new(&log_verifier().to_string()).expect("our key");
    let note = TheirNote::from_bytes(&signed.encode()).expect("our note");
    assert!(
        note.verify(&VerifierList::new(vec![Box::new(theirs)]))
            .is_ok()
    );
    let body = signed.checkpoint().body();
    let theirs = tlog_tiles::Checkpoint::from_bytes(body.as_bytes()).expect("our body");
    assert_eq!(
        (theirs.size(), theirs.hash().0),
        (300, signed.head().root.0)
    );
    for at in 0..body.len() {
        for change in *b"0 \n=zA\xff" {
            let mut body = body.clone().into_bytes();
            body[at] = change;
            fuzz_checkpoint(&body);
            let Ok(text) = std::str::from_utf8(&body) else {
                continue;
            };
            // They take extension lines and origins that are no key names; we take neither.
            if let Ok(ours) = Checkpoint::parse_body(text) {
                let theirs = tlog_tiles::Checkpoint::from_bytes(&body).expect("we are stricter");
                assert_eq!(
                    (theirs.size(), theirs.hash().0),
                    (ours.head.size, ours.head.root.0)
                );
            }
        }
    }
}

#[test]
fn malformed_checkpoints_have_exact_errors() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let parse = |body: &str| Checkpoint::parse_body(body).map(|_| ());
    assert_eq!(
        parse(&format!("example.com/behind-the-sofa\n20852163\n{root}\n")),
        Ok(())
    );
    assert_eq!(
        parse(&format!("a\n1\n{root}")),
        Err(CheckpointError::Lines(2))
    );
    assert_eq!(
        parse(&format!("a\n1\n{root}\nextension\n")),
        Err(CheckpointError::Lines(4))
    );
    assert_eq!(
        parse(&format!("\n1\n{root}\n")),
        Err(CheckpointError::Origin)
    );
    assert_eq!(
        parse(&format!("a b\n1\n{root}\n")),
        Err(CheckpointError::Origin)
    );
    for size in [
        "",
        "01",
        "+1",
        "-1",
        "1 ",
        "9223372036854775808",
        "18446744073709551616",
    ] {
        assert_eq!(
            parse(&format!("a\n{size}\n{root}\n")),
            Err(CheckpointError::Size),
            "{size}"
        );
    }
    assert_eq!(parse(&format!("a\n9223372036854775807\n{root}\n")), Ok(()));
    assert_eq!(parse("a\n1\nAAAA\n"), Err(CheckpointError::Root));
    assert_eq!(
        parse(&format!("a\n0\n{root}\n")),
        Err(CheckpointError::Root)
    );
    let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_eq!(parse(&format!("a\n0\n{empty}\n")), Ok(()));
}

#[test]
fn a_checkpoint_opens_for_its_own_log_only() {
    let (_, signed) = log_of(5);
    let bytes = signed.encode();
    assert_eq!(
        SignedCheckpoint::open(&bytes, &log_verifier()),
        Ok(signed.clone())
    );
    let other = VerifierKey::new(
        name("log.example/x"),
        KeyType::Ed25519,
        *log_verifier().key(),
    );
    let found = signed.checkpoint().origin.clone();
    let expected = CheckpointError::OtherLog {
        expected: other.name().clone(),
        found,
    };
    assert_eq!(SignedCheckpoint::open(&bytes, &other), Err(expected));
    assert_eq!(
        signed.verify_log(&witness(0).2),
        Err(CheckpointError::KeyType)
    );
    let impostor = SigningKey::from_seed(&[8; 32]);
    let forged = signed.checkpoint().clone().sign(&impostor);
    let unsigned = Err(CheckpointError::Note(NoteError::NoTrustedSignature));
    assert_eq!(forged.verify_log(&log_verifier()), unsigned);
}

#[test]
fn the_framing_of_the_specifications_example_cosignature() {
    // c2sp.org/tlog-cosignature prints this checkpoint without the keys, so it cannot be verified:
    // its framing and the time it states can.
    let text = "example.com/behind-the-sofa\n20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhc\
        yv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX\
        3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    let signed = SignedCheckpoint::parse(text.as_bytes()).expect("the example");
    assert_eq!(signed.encode(), text.as_bytes());
    let line = &signed.note().signatures()[1];
    assert_eq!(line.key_id(), KeyId([0x8d, 0x66, 0xcf, 0x3f]));
    assert_eq!(
        (line.blob().len(), &line.blob()[..8]),
        (72, &1_679_315_147u64.to_be_bytes()[..])
    );
}

#[test]
fn cosignatures_bind_time_body_and_key() {
    let (_, signed) = log_of(9);
    let checkpoint = signed.checkpoint();
    let (name0, key0, verifier) = witness(0);
    let line = cosign(checkpoint, &name0, &key0, TIME).expect("in range");
    assert_eq!(verify(checkpoint, &verifier, &line), Ok(TIME));
    let bad = Err(CosignError::Note(NoteError::BadSignature(name0.clone())));
    let head = TreeHead {
        size: 10,
        ..checkpoint.head
    };
    let grown = Checkpoint {
        head,
        ..checkpoint.clone()
    };
    assert_eq!(verify(&grown, &verifier, &line), bad);
    assert!(verify(checkpoint, &witness(1).2, &line).is_err());
    let text = line.line();
    let blob = text.trim_end().rsplit_once(' ').expect("a blob").1;
    let engine = base64::prelude::BASE64_STANDARD;
    let mut bytes = base64::Engine::decode(&engine, blob).expect("base64");
    bytes[11] ^= 1;
    let later = format!("— {name0} {}", base64::Engine::encode(&engine, bytes));
    let later = NoteSignature::parse_line(&later).expect("a line");
    assert_eq!(verify(checkpoint, &verifier, &later), bad);
    assert_eq!(
        cosign(checkpoint, &name0, &key0, 1 << 63),
        Err(NoteError::Time(1 << 63))
    );
    assert_eq!(
        verify(checkpoint, &log_verifier(), &line),
        Err(CosignError::KeyType)
    );
}

#[test]
fn cosignature_lines_join_without_touching_the_text() {
    let (_, plain) = log_of(9);
    let mut note = plain.clone();
    let (name0, key0, verifier) = witness(0);
    let line = |time| cosign(plain.checkpoint(), &name0, &key0, time).expect("in range");
    let stranger =
        cosign(plain.checkpoint(), &witness(1).0, &witness(1).1, TIME).expect("in range");
    let answer = format!("{}{}", stranger.line(), line(TIME).line());
    assert_eq!(take_answer(&mut note, &verifier, &answer), Ok(TIME));
    assert_eq!(note.note().text(), plain.note().text());
    assert_eq!(
        note.encode(),
        [plain.encode(), line(TIME).line().into_bytes()].concat()
    );
    // A later line by the same witness takes the place of the earlier one.
    assert_eq!(
        take_answer(&mut note, &verifier, &line(TIME + 60).line()),
        Ok(TIME + 60)
    );
    assert_eq!(
        note.encode(),
        [plain.encode(), line(TIME + 60).line().into_bytes()].concat()
    );
    let before = note.clone();
    let none = Err(CosignError::NotBy(name0.clone()));
    assert_eq!(take_answer(&mut note, &verifier, &stranger.line()), none);
    let empty = Err(CosignError::Note(NoteError::NoSignatureBlock));
    assert_eq!(take_answer(&mut note, &verifier, ""), empty);
    let other = cosigned(signed(*log_of(10).1.head()).head().to_owned(), [0]);
    let foreign = other.note().signatures()[1].line();
    let bad = Err(CosignError::Note(NoteError::BadSignature(name0)));
    assert_eq!(take_answer(&mut note, &verifier, &foreign), bad);
    assert_eq!(note, before);
}
