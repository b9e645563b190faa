//! The note's text: what is written reads back, and nothing else reads.

use super::*;
use crypto::keys::SigningKey;
use crypto::note::KeyType;

fn manifest() -> Manifest {
    let mut manifest = Manifest::new(KeyName::new("log.example").expect("a name"), 7);
    manifest.add(FileName::Genesis, Listed::of(b"genesis"));
    manifest.add(FileName::Grant(10), Listed::of(b"ten"));
    manifest.add(FileName::Grant(9), Listed::of(b"nine"));
    manifest
}

fn signed(manifest: &Manifest) -> Vec<u8> {
    let key = SigningKey::from_seed(&[1; 32]);
    manifest.note(&NoteSignature::ed25519(
        &manifest.text(),
        &manifest.origin,
        &key,
    ))
}

fn with(change: impl Fn(&str) -> String) -> Result<ArchiveNote, ArchiveError> {
    let note = String::from_utf8(signed(&manifest())).expect("text");
    ArchiveNote::parse(change(&note).as_bytes())
}

#[test]
fn what_is_written_reads_back() {
    let key = SigningKey::from_seed(&[1; 32]).verifying_key();
    let log = VerifierKey::new(manifest().origin, KeyType::Ed25519, key);
    let note = ArchiveNote::parse(&signed(&manifest())).expect("canonical");
    assert_eq!(note.manifest, manifest());
    assert_eq!(note.verify(&log), Ok(()));
    for (path, _, listed) in manifest().files() {
        assert_eq!(note.manifest.get(path), Some(listed), "{path}");
    }
    assert_eq!(note.manifest.get("grants/1.env"), None);
    let text = note.manifest.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["radmesh-archive/1", "log.example", "7"]);
    // By path as bytes, not by number.
    assert!(lines[3].ends_with(" 3 grants/10.env") && lines[4].ends_with(" 4 grants/9.env"));
}

#[test]
fn another_log_does_not_vouch() {
    let key = SigningKey::from_seed(&[1; 32]).verifying_key();
    let other = KeyName::new("other.example").expect("a name");
    let log = VerifierKey::new(other, KeyType::Ed25519, key);
    let note = ArchiveNote::parse(&signed(&manifest())).expect("canonical");
    assert_eq!(
        note.verify(&log),
        Err(ArchiveError::Signature(NoteError::NoTrustedSignature))
    );
}

#[test]
fn every_other_spelling_is_refused() {
    assert_eq!(
        with(|n| n.replace(" 3 ", " 03 ")),
        Err(ArchiveError::NotCanonical)
    );
    assert_eq!(
        with(|n| n.replace("\n7\n", "\n+7\n")),
        Err(ArchiveError::NotCanonical)
    );
    assert_eq!(
        with(|n| n.replacen("\n7\n", "\r\n7\n", 1)),
        Err(ArchiveError::NotCanonical)
    );
    assert_eq!(
        with(|n| n.replace("\n7\n", "\nseven\n")),
        Err(ArchiveError::Size)
    );
    assert_eq!(
        with(|n| n.replacen("log.example", "a b", 1)),
        Err(ArchiveError::Origin)
    );
    assert_eq!(with(|n| n.replace(" 3 ", " ")), Err(ArchiveError::Line(4)));
    assert_eq!(
        with(|n| n.replace("grants/9.env", "grants/x.env")),
        Err(ArchiveError::Path(5))
    );
    let swapped = |note: &str| {
        let mut lines: Vec<&str> = note.split('\n').collect();
        lines.swap(3, 4);
        lines.join("\n")
    };
    assert_eq!(with(swapped), Err(ArchiveError::Order(5)));
    let doubled = |note: &str| {
        let mut lines: Vec<&str> = note.split('\n').collect();
        lines.insert(3, lines[3]);
        lines.join("\n")
    };
    assert_eq!(with(doubled), Err(ArchiveError::Order(5)));
    assert_eq!(
        with(|n| n.replacen("radmesh", "Radmesh", 1)),
        Err(ArchiveError::Version)
    );
    assert_eq!(
        ArchiveNote::parse(&[0xff, 0xfe]),
        Err(ArchiveError::NotUtf8)
    );
    assert_eq!(
        ArchiveNote::parse(b""),
        Err(ArchiveError::Signatures(NoteError::NoSignatureBlock))
    );
}

#[test]
fn the_text_is_no_checkpoint() {
    let empty = Manifest::new(KeyName::new("log.example").expect("a name"), 0);
    assert!(crypto::log::checkpoint::Checkpoint::parse_body(&empty.text()).is_err());
}
