//! Archives on disk: complete and verifiable, or not there; and nothing readable by others.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crypto::digest::Digest;
use crypto::envelope::Envelope;
use crypto::keys::SigningKey;
use crypto::log::checkpoint::Checkpoint;
use crypto::log::cosign::cosign;
use crypto::log::writer::LogWriter;
use crypto::note::{KeyName, KeyType, NoteSignature, VerifierKey};
use protocol::audit::entry::{Entry, EntryDraft, Field};
use protocol::audit::header::{Action, Header, Kind};
use protocol::audit::record::{NodeRecord, Record, ReleaseRecord};
use protocol::audit::verify::{Fault, Options, Source as _, Verdict, describe, verify};
use protocol::ids::NodeId;
use protocol::member::genesis::CouncilMember;
use protocol::member::{
    CREDENTIAL_TYPE, Credential, GENESIS_TYPE, Genesis, MemberKind, Paper, QuorumPaper,
};
use protocol::time::Wall;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use zeroize::Zeroizing;

use super::*;
use crate::cli::audit::verify_folders;

const NOW: u64 = 1_800_000_000;
const POLICY: &str = include_str!("../../../configs/policy/consortium.cedar");
const SCHEMA: &str = include_str!("../../../configs/policy/schema.cedarschema");

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn name(text: &str) -> KeyName {
    KeyName::new(text).unwrap()
}

/// A log in memory with the trust around it.
struct Node {
    writer: LogWriter,
    files: BTreeMap<String, Vec<u8>>,
    payloads: Vec<Option<Vec<u8>>>,
    /// The entry whose payload is disclosed.
    disclosed: Option<u64>,
    trust: TrustFiles,
    rng: ChaCha20Rng,
}

#[derive(Debug, thiserror::Error)]
#[error("no such thing")]
struct Nothing;

impl Node {
    fn new() -> Self {
        let mut node = Self {
            writer: LogWriter::new(),
            files: BTreeMap::new(),
            payloads: Vec::new(),
            disclosed: None,
            trust: trust(),
            rng: ChaCha20Rng::from_seed([1; 32]),
        };
        node.append(
            Kind::NodeStarted,
            &Record::NodeStarted(NodeRecord::default()),
        );
        node
    }

    fn append(&mut self, kind: Kind, record: &Record) {
        let wall = Wall {
            unix_us: NOW * 1_000_000,
            uncertainty_us: 1_000,
        };
        let header = Header::new(kind, Action::Execute, "Nord Hospital", wall);
        let fields = vec![(Field::Record, record.encode())];
        let draft = EntryDraft::new(header, None, fields, &mut self.rng);
        self.payloads.push(Some(draft.payload().to_vec()));
        let entry = draft.finish(Digest::sha256(b"sealed")).unwrap();
        self.writer.append(&entry).unwrap();
        let files = self.writer.take_files().into_iter();
        self.files.extend(files.map(|file| (file.path, file.bytes)));
    }
}

impl ExportSource for Node {
    type Error = Nothing;

    fn checkpoint(&self) -> Result<Vec<u8>, Nothing> {
        let checkpoint = Checkpoint {
            origin: name("nord.example/log"),
            head: self.writer.head(),
        };
        let line = cosign(&checkpoint, &name("witness.example"), &key(4), NOW).unwrap();
        let mut signed = checkpoint.sign(&key(3));
        signed.add(line).unwrap();
        Ok(signed.encode())
    }

    fn tile(&self, path: &str) -> Result<Option<Vec<u8>>, Nothing> {
        Ok(self.files.get(path).cloned())
    }

    fn payload(&self, index: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Nothing> {
        let payload = self.payloads.get(index as usize).ok_or(Nothing)?;
        Ok(payload.clone().map(Zeroizing::new))
    }

    fn opening(&self, index: u64, _entry: &Entry) -> Result<Option<Vec<u8>>, Nothing> {
        let payload = self.payloads.get(index as usize).ok_or(Nothing)?;
        Ok(payload.clone().filter(|_| self.disclosed == Some(index)))
    }

    fn trust(&self) -> Result<TrustFiles, Nothing> {
        Ok(self.trust.clone())
    }

    fn sign(&self, text: &str) -> Result<NoteSignature, Nothing> {
        Ok(NoteSignature::ed25519(
            text,
            &name("nord.example/log"),
            &key(3),
        ))
    }
}

fn trust() -> TrustFiles {
    let council = CouncilMember {
        organisation: "Nord".to_owned(),
        country: "DE".to_owned(),
        key: key(1).verifying_key(),
    };
    let genesis = Genesis {
        name: "Test".to_owned(),
        threshold: 1,
        council: vec![council],
        created: NOW,
    };
    let sign = |kind: &str, payload| Envelope::sign(kind, payload, &[&key(1)]).unwrap().encode();
    let genesis = sign(GENESIS_TYPE, genesis.encode());
    let witness = VerifierKey::new(
        name("witness.example"),
        KeyType::Cosignature,
        key(4).verifying_key(),
    );
    let log = VerifierKey::new(
        name("nord.example/log"),
        KeyType::Ed25519,
        key(3).verifying_key(),
    );
    let credential = Credential {
        genesis: Digest::sha256(&genesis),
        serial: 1,
        kind: MemberKind::Hospital,
        organisation: "Nord".to_owned(),
        country: "DE".to_owned(),
        node: NodeId::from_bytes(*key(2).verifying_key().as_bytes()),
        log: Some(log.to_string()),
        witness: Some(witness.to_string()),
        hospital_key: Some(key(5).verifying_key()),
        person: None,
        licences: Vec::new(),
        languages: Vec::new(),
        modalities: Vec::new(),
        subspecialties: Vec::new(),
        not_before: NOW - 60,
        not_after: NOW + 60,
    };
    let quorum = format!("witness w {witness}\nquorum w\n").into_bytes();
    let paper = QuorumPaper::over(&quorum, Digest::sha256(&genesis), 1).unwrap();
    TrustFiles {
        genesis,
        credentials: vec![(1, sign(CREDENTIAL_TYPE, credential.encode()))],
        quorum,
        quorum_paper: Paper::Quorum(paper).sign(&[&key(1)]).unwrap(),
        policy: POLICY.as_bytes().to_vec(),
        schema: b"entity Reader;\n".to_vec(),
    }
}

fn verified(folder: &Path) -> bool {
    verdict(folder).accepted()
}

fn verdict(folder: &Path) -> Verdict {
    let genesis = Some(Digest::sha256(&trust().genesis));
    let options = Options {
        genesis,
        ..Options::default()
    };
    verify_folders(&[folder.to_owned()], options).unwrap()
}

#[test]
fn an_export_with_an_opening_verifies_and_holds_that_one_alone() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::new();
    node.append(
        Kind::NodeStopped,
        &Record::NodeStopped(NodeRecord::default()),
    );
    node.disclosed = Some(1);
    // Where something is disclosed, the policy is made ready to decide again.
    node.trust.schema = SCHEMA.as_bytes().to_vec();
    let folder = root.path().join("archive");
    export(&node, &folder).unwrap();
    let verdict = verdict(&folder);
    assert!(verdict.accepted(), "{}", describe(&verdict));
    let opened = crate::files::read(&folder.join("openings/1.bin"), 1 << 10).unwrap();
    assert_eq!(Some(opened), node.payloads[1]);
    assert!(!folder.join("openings/0.bin").exists());
}

#[test]
fn an_export_verifies_wherever_it_is_moved() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::new();
    for _ in 0..300 {
        node.append(
            Kind::NodeStopped,
            &Record::NodeStopped(NodeRecord::default()),
        );
    }
    let folder = root.path().join("a/b/archive");
    let exported = export(&node, &folder).unwrap();
    assert_eq!((exported.entries, exported.files), (301, 13));
    assert_eq!(exported.origin, "nord.example/log");
    assert!(verified(&folder));
    let moved = root.path().join("moved");
    std::fs::rename(&folder, &moved).unwrap();
    assert!(verified(&moved));
    let listed = Folder::open(&moved).unwrap();
    assert_eq!(listed.paths().len() as u64, exported.files);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&moved), mode(&moved.join("log/tile"))),
        (0o700, 0o700)
    );
    assert_eq!(mode(&moved.join("archive.note")), 0o600);
}

#[test]
fn a_release_brings_its_documents_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::new();
    let release = ReleaseRecord {
        grant: b"grant".to_vec(),
        receipt: b"receipt".to_vec(),
        proof: b"proof".to_vec(),
        peer_entry: b"entry".to_vec(),
        reason: "SECRET".to_owned(),
        session: b"SECRET".to_vec(),
        ..ReleaseRecord::default()
    };
    for (kind, record) in [
        (
            Kind::ReleaseGranted,
            Record::ReleaseGranted(release.clone()),
        ),
        (
            Kind::ReceiptAccepted,
            Record::ReceiptAccepted(release.clone()),
        ),
        (Kind::GrantAccepted, Record::GrantAccepted(release.clone())),
        (Kind::ReleaseRefused, Record::ReleaseRefused(release)),
    ] {
        node.append(kind, &record);
    }
    let folder = root.path().join("archive");
    export(&node, &folder).unwrap();
    let read = |path: &str| std::fs::read(folder.join(path)).unwrap();
    assert_eq!(read("grants/1.env"), b"grant");
    assert_eq!(read("receipts/2.env"), b"receipt");
    assert_eq!(
        (read("receipts/2.entry"), read("receipts/2.proof")),
        (b"entry".into(), b"proof".into())
    );
    assert_eq!(read("grants/3.env"), b"grant");
    assert_eq!(
        (read("peer/3.entry"), read("peer/3.proof")),
        (b"entry".into(), b"proof".into())
    );
    assert!(read("proofs/1.tlog-proof").starts_with(b"c2sp.org/tlog-proof@v1\nindex 1\n"));
    let listed = Folder::open(&folder).unwrap();
    for path in listed.paths() {
        let bytes = listed.read(&path, u64::MAX).unwrap();
        let leaked = bytes.windows(6).any(|window| window == b"SECRET");
        assert!(
            !leaked && !path.starts_with("grants/4") && !path.starts_with("openings"),
            "{path}"
        );
    }
}

#[test]
fn a_folder_with_anything_in_it_is_refused_and_untouched() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::new();
    let folder = root.path().join("archive");
    std::fs::create_dir(&folder).unwrap();
    export(&node, &folder).unwrap();
    let again = export(&node, &folder).unwrap_err();
    assert!(
        matches!(again, ExportError::Write(WriteError::NotEmpty(_))),
        "{again}"
    );
    assert!(verified(&folder));
    let file = root.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    let refused = export(&node, &file).unwrap_err();
    assert!(
        matches!(refused, ExportError::Write(WriteError::NotEmpty(_))),
        "{refused}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"x");
}

#[test]
fn an_export_that_fails_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::new();
    let release = ReleaseRecord::default();
    node.append(Kind::ReleaseGranted, &Record::ReleaseGranted(release));
    node.payloads[1] = None;
    let folder = root.path().join("archive");
    let erased = export(&node, &folder).unwrap_err();
    assert!(
        matches!(erased, ExportError::Record { index: 1, .. }),
        "{erased}"
    );
    assert_eq!(root.path().read_dir().unwrap().count(), 0);

    let mut node = Node::new();
    node.files.remove("tile/0/000.p/1");
    let damaged = export(&node, &folder).unwrap_err();
    assert!(matches!(damaged, ExportError::Tiles(_)), "{damaged}");
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
}

#[test]
fn what_a_crash_left_is_named_and_kept() {
    let root = tempfile::tempdir().unwrap();
    let left = root.path().join("archive.partial");
    std::fs::create_dir(&left).unwrap();
    let refused = export(&Node::new(), &root.path().join("archive")).unwrap_err();
    assert!(
        matches!(refused, ExportError::Write(WriteError::Staged(_))),
        "{refused}"
    );
    assert!(left.exists());
}

#[test]
fn a_link_in_an_archive_is_no_file() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("archive");
    export(&Node::new(), &folder).unwrap();
    let policy = folder.join("trust/policy.cedar");
    let outside = root.path().join("policy");
    std::fs::rename(&policy, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &policy).unwrap();
    let opened = Folder::open(&folder).unwrap();
    let input = protocol::audit::verify::Input {
        label: "a",
        source: &opened,
    };
    let found = verify(&[input], Options::default());
    let failure = &found.archives[0].failures[0];
    assert_eq!(
        (failure.file.as_str(), &failure.fault),
        ("trust/policy.cedar", &Fault::Unreadable)
    );
}
