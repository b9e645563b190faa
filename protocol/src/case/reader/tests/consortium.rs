//! A hospital and a reader with real keys from seeds, and the hospital's log under one witness.

use std::collections::BTreeMap;
use std::sync::Arc;

use crypto::digest::Digest;
use crypto::envelope::Envelope;
use crypto::keys::SigningKey;
use crypto::log::checkpoint::Checkpoint;
use crypto::log::cosign::cosign;
use crypto::log::proof::LogProof;
use crypto::log::quorum::Quorum;
use crypto::log::writer::LogWriter;
use crypto::note::{KeyName, KeyType, VerifierKey};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::audit::entry::{EntryDraft, Field};
use crate::audit::header::{Action, Header, Kind};
use crate::core::config::{CoreConfig, PublicIdentity, ReaderConfig, Seeds};
use crate::document::Document;
use crate::document::grant::{Grant, Prepared};
use crate::document::report::Section;
use crate::ids::{NodeId, OfferId, PersonId};
use crate::io::ReportDraft;
use crate::member::genesis::CouncilMember;
use crate::member::issue::Paper;
use crate::member::{Credential, Genesis, Licence, MemberKind, Roster};
use crate::policy::{Decide, Decision, Facts};
use crate::time::Wall;
use crate::wire::case::GrantMessage;

/// 2027-01-15, seconds since the Unix epoch.
pub(super) const START_S: u64 = 1_800_000_000;
const LIFE_S: u64 = 300 * 86_400;

pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

pub(super) fn node(number: u8) -> NodeId {
    NodeId::from_bytes(*key(number).verifying_key().as_bytes())
}

pub(super) const DESK: u8 = 20;
const DESK_LOG: u8 = 21;
pub(super) const PERSON: u8 = 22;
const HOSPITAL: u8 = 10;
const HOSPITAL_LOG: u8 = 11;
pub(super) const GRANTS: u8 = 12;
const WITNESS: u8 = 31;

/// The hospital.
pub(super) fn hospital() -> NodeId {
    node(HOSPITAL)
}

/// A desk decides no release.
struct NoPolicy;

impl Decide for NoPolicy {
    fn decide(&self, _facts: &Facts) -> Decision {
        Decision {
            allowed: false,
            rules: vec![],
            basis: String::new(),
            errors: vec![],
            policy_hash: self.policy_hash(),
            engine: "none".to_owned(),
        }
    }

    fn policy_hash(&self) -> Digest {
        Digest::sha256(b"")
    }
}

/// The hospital's log.
pub(super) struct HospitalLog {
    writer: LogWriter,
    files: BTreeMap<String, Vec<u8>>,
    rng: ChaCha20Rng,
}

fn vkey(name: &str, number: u8, kind: KeyType) -> VerifierKey {
    VerifierKey::new(
        KeyName::new(name).expect("a name"),
        kind,
        key(number).verifying_key(),
    )
}

impl HospitalLog {
    pub(super) fn new() -> Self {
        Self {
            writer: LogWriter::new(),
            files: BTreeMap::new(),
            rng: ChaCha20Rng::from_seed([9; 32]),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.writer.size()
    }

    /// Logs a grant, and proves it under the witness.
    pub(super) fn log(&mut self, grant: Vec<u8>, now_s: u64) -> GrantMessage {
        let hash = Digest::sha256(&grant);
        let header = Header::new(
            Kind::ReleaseGranted,
            Action::Execute,
            "Nord",
            Wall::default(),
        );
        let fields = vec![(Field::Case, vec![1; 16])];
        let draft = EntryDraft::new(header.with_grant(hash), None, fields, &mut self.rng);
        let entry = draft.finish(Digest::sha256(b"sealed")).expect("short");
        let index = self.writer.append(&entry).expect("short");
        let files = self.writer.take_files();
        self.files
            .extend(files.into_iter().map(|file| (file.path, file.bytes)));
        let origin = KeyName::new("nord.example/log").expect("a name");
        let head = self.writer.head();
        let checkpoint = Checkpoint { origin, head };
        let mut signed = checkpoint.clone().sign(&key(HOSPITAL_LOG));
        let witness = KeyName::new("witness.example").expect("a name");
        let line = cosign(&checkpoint, &witness, &key(WITNESS), now_s);
        signed.add(line.expect("a time")).expect("room");
        let proof = LogProof::make(&self.files, index + 1, index, signed);
        GrantMessage {
            grant,
            entry,
            proof: proof.expect("tiles are there").encode(),
        }
    }
}

pub(super) fn signed<D: Document>(document: &D, signer: u8) -> Vec<u8> {
    let envelope = Envelope::sign(D::TYPE, document.encode_to_vec(), &[&key(signer)]);
    envelope.expect("within bounds").encode()
}

pub(super) fn draft() -> ReportDraft {
    ReportDraft {
        template: "plain".to_owned(),
        language: "de".to_owned(),
        sections: vec![Section {
            name: "impression".to_owned(),
            text: "Unauffällig.".to_owned(),
        }],
        opened: vec![],
        is_final: true,
    }
}

pub(super) fn grant(offer: OfferId, fence: u64, wall_us: u64) -> Grant {
    Grant {
        version: 1,
        offer: offer.to_vec(),
        owner: hospital().to_vec(),
        person: key(PERSON).verifying_key().as_bytes().to_vec(),
        node: node(DESK).to_vec(),
        prekey: vec![9; 32],
        fence,
        expires_us: wall_us + 3_600 * 1_000_000,
        prepared: Some(Prepared {
            manifest_root: vec![4; 32],
            ..Prepared::default()
        }),
        log_origin: "nord.example/log".to_owned(),
        ..Grant::default()
    }
}

pub(super) fn seeds(number: u8) -> Seeds {
    Seeds {
        protocol: [number; 32],
        secret: [number; 32],
    }
}

pub(super) fn config() -> CoreConfig {
    let witness = vkey("witness.example", WITNESS, KeyType::Cosignature);
    let logs = [
        vkey("nord.example/log", HOSPITAL_LOG, KeyType::Ed25519),
        vkey("sued.example/log", DESK_LOG, KeyType::Ed25519),
    ];
    let quorum = format!(
        "log {}\nlog {}\nwitness w1 {witness}\nquorum w1\n",
        logs[0], logs[1]
    );
    CoreConfig {
        identity: PublicIdentity {
            node: node(DESK),
            organisation: "Sued".to_owned(),
            country: "AT".to_owned(),
            log: logs[1].clone(),
        },
        roster: roster(&logs),
        quorum: Quorum::parse(quorum.as_bytes()).expect("a quorum"),
        policy: Arc::new(NoPolicy),
        owner: None,
        reader: Some(ReaderConfig {
            person: PersonId::from_bytes(*key(PERSON).verifying_key().as_bytes()),
            auto_claim: false,
        }),
    }
}

fn roster(logs: &[VerifierKey; 2]) -> Roster {
    let mut council: Vec<SigningKey> = (1..=3).map(key).collect();
    council.sort_by_key(SigningKey::verifying_key);
    let members = council.iter().enumerate().map(|(at, key)| CouncilMember {
        organisation: format!("Founder {at}"),
        country: "DE".to_owned(),
        key: key.verifying_key(),
    });
    let genesis = Genesis {
        name: "Test".to_owned(),
        threshold: 2,
        council: members.collect(),
        created: START_S,
    };
    let all: Vec<&SigningKey> = council.iter().collect();
    let envelope = Paper::Genesis(genesis).sign(&all).expect("a genesis");
    let (genesis, hash) = Genesis::open(&envelope).expect("a genesis");
    let mut roster = Roster::new(genesis, hash);
    let now = Wall {
        unix_us: START_S * 1_000_000,
        uncertainty_us: 0,
    };
    for credential in [of_hospital(hash, &logs[0]), of_reader(hash, &logs[1])] {
        let paper = Paper::Credential(Box::new(credential));
        let envelope = paper.sign(&all[..2]).expect("a credential");
        roster.admit(&envelope, now).expect("admissible");
    }
    roster
}

fn of_hospital(genesis: Digest, log: &VerifierKey) -> Credential {
    Credential {
        genesis,
        serial: 1,
        kind: MemberKind::Hospital,
        organisation: "Nord".to_owned(),
        country: "DE".to_owned(),
        node: hospital(),
        log: Some(log.to_string()),
        witness: None,
        hospital_key: Some(key(GRANTS).verifying_key()),
        person: None,
        licences: vec![],
        languages: vec![],
        modalities: vec![],
        subspecialties: vec![],
        not_before: START_S - 1,
        not_after: START_S + LIFE_S,
    }
}

fn of_reader(genesis: Digest, log: &VerifierKey) -> Credential {
    let licence = Licence {
        jurisdiction: "DE".to_owned(),
        authority: "chamber".to_owned(),
        number: "1".to_owned(),
        not_before: START_S - 1,
        not_after: START_S + LIFE_S,
    };
    Credential {
        serial: 2,
        kind: MemberKind::Reader,
        organisation: "Sued".to_owned(),
        country: "AT".to_owned(),
        node: node(DESK),
        hospital_key: None,
        person: Some(PersonId::from_bytes(
            *key(PERSON).verifying_key().as_bytes(),
        )),
        licences: vec![licence],
        languages: vec!["de".to_owned()],
        modalities: vec!["CT".to_owned()],
        ..of_hospital(genesis, log)
    }
}
