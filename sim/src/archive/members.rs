//! Who takes part in a made archive: one hospital, its readers, four witnesses, and the papers that
//! their council signed.

use crypto::digest::Digest;
use crypto::keys::SigningKey;
use crypto::log::checkpoint::{Checkpoint, SignedCheckpoint};
use crypto::log::cosign::cosign;
use crypto::log::merkle::{Frontier, TreeHead};
use crypto::note::{KeyName, KeyType, VerifierKey};
use protocol::audit::archive::FileName;
use protocol::ids::{NodeId, PersonId};
use protocol::member::genesis::CouncilMember;
use protocol::member::issue::Paper;
use protocol::member::{Credential, Genesis, Licence, MemberKind, QuorumPaper};
use rand_chacha::ChaCha20Rng;

use crate::consortium::EPOCH_S;

/// Readers of the hospital's cases: a few desks on duty through a year.
pub(super) const READERS: u64 = 8;
/// Three of four, so that one corrupt witness lets no two trees pass.
const WITNESSES: u64 = 4;
const QUORUM: usize = 3;
const HOSPITAL_SERIAL: u64 = 1;
const DAY_S: u64 = 86_400;
/// The members' papers hold for so long: what a credential may at most.
pub(super) const LIFE_S: u64 = 365 * DAY_S;

/// The policy that releases are decided by.
pub(super) const POLICY: &str = include_str!("../../../configs/policy/consortium.cedar");
const SCHEMA: &str = include_str!("../../../configs/policy/schema.cedarschema");

/// The hospital whose log it is.
pub(super) struct Hospital {
    pub(super) node: NodeId,
    pub(super) organisation: String,
    pub(super) origin: KeyName,
    /// Signs grants.
    pub(super) grants: SigningKey,
    log: SigningKey,
}

/// One reader with a desk, and the end of the reader's own log.
pub(super) struct Desk {
    pub(super) serial: u64,
    pub(super) node: NodeId,
    pub(super) organisation: String,
    pub(super) origin: KeyName,
    /// Signs receipts.
    pub(super) person: SigningKey,
    pub(super) end: Frontier,
    log: SigningKey,
}

/// Everybody, and what the `trust` folder holds.
pub(super) struct Members {
    pub(super) genesis: Digest,
    pub(super) hospital: Hospital,
    pub(super) desks: Vec<Desk>,
    pub(super) papers: Vec<(FileName, Vec<u8>)>,
    witnesses: Vec<(KeyName, SigningKey)>,
}

impl Members {
    /// Founds a consortium and admits everybody.
    pub(super) fn found(rng: &mut ChaCha20Rng) -> Self {
        let mut council: Vec<SigningKey> = (0..3).map(|_| SigningKey::generate(rng)).collect();
        council.sort_by_key(SigningKey::verifying_key);
        let genesis = Genesis {
            name: "made for measurement".to_owned(),
            threshold: 2,
            council: council.iter().zip(1..).map(founder).collect(),
            created: EPOCH_S - DAY_S,
        };
        let all: Vec<&SigningKey> = council.iter().collect();
        let envelope = Paper::Genesis(genesis).sign(&all).expect("a legal genesis");
        let genesis = Digest::sha256(&envelope);
        let mut papers = vec![(FileName::Genesis, envelope)];
        let mut admit = |credential: Credential| {
            let name = FileName::Credential(credential.serial);
            let paper = Paper::Credential(Box::new(credential)).sign(&all[..2]);
            papers.push((name, paper.expect("a legal credential")));
        };

        let (hospital, credential) = hospital(genesis, rng);
        admit(credential);
        let first = HOSPITAL_SERIAL + 1;
        let desks = (first..first + READERS).map(|serial| {
            let (desk, credential) = desk(genesis, serial, rng);
            admit(credential);
            desk
        });
        let desks = desks.collect();
        let first = first + READERS;
        let witnesses = (first..first + WITNESSES).map(|serial| {
            let (witness, credential) = witness(genesis, serial, rng);
            admit(credential);
            witness
        });
        let witnesses: Vec<(KeyName, SigningKey)> = witnesses.collect();

        let quorum = quorum_text(&witnesses);
        let paper = QuorumPaper {
            genesis,
            serial: 1,
            sha256: Digest::sha256(quorum.as_bytes()),
        };
        let signed = Paper::Quorum(paper).sign(&all[..2]);
        papers.extend([
            (FileName::Quorum, quorum.into_bytes()),
            (FileName::QuorumPaper, signed.expect("a legal paper")),
            (FileName::Policy, POLICY.as_bytes().to_vec()),
            (FileName::Schema, SCHEMA.as_bytes().to_vec()),
        ]);
        Self {
            genesis,
            hospital,
            desks,
            papers,
            witnesses,
        }
    }

    /// The hospital's checkpoint, cosigned by every witness at `time_s`.
    pub(super) fn cosigned(&self, head: TreeHead, time_s: u64) -> SignedCheckpoint {
        let origin = self.hospital.origin.clone();
        let mut signed = Checkpoint { origin, head }.sign(&self.hospital.log);
        for (name, key) in &self.witnesses {
            let line = cosign(signed.checkpoint(), name, key, time_s).expect("a time in range");
            signed.add(line).expect("room for every witness");
        }
        signed
    }

    /// What the hospital's log signs under its own name.
    pub(super) fn sign(&self, text: &str) -> crypto::note::NoteSignature {
        crypto::note::NoteSignature::ed25519(text, &self.hospital.origin, &self.hospital.log)
    }
}

impl Desk {
    /// The reader's checkpoint, which nobody cosigned yet.
    pub(super) fn signed(&self) -> SignedCheckpoint {
        let (origin, head) = (self.origin.clone(), self.end.head());
        Checkpoint { origin, head }.sign(&self.log)
    }
}

fn founder((key, number): (&SigningKey, u64)) -> CouncilMember {
    CouncilMember {
        organisation: format!("Founder {number}"),
        country: "DE".to_owned(),
        key: key.verifying_key(),
    }
}

fn hospital(genesis: Digest, rng: &mut ChaCha20Rng) -> (Hospital, Credential) {
    let credential = blank(genesis, HOSPITAL_SERIAL, MemberKind::Hospital, rng);
    let hospital = Hospital {
        node: credential.node,
        organisation: credential.organisation.clone(),
        origin: name("log.hospital.example"),
        grants: SigningKey::generate(rng),
        log: SigningKey::generate(rng),
    };
    let credential = Credential {
        log: Some(vkey(&hospital.origin, KeyType::Ed25519, &hospital.log)),
        hospital_key: Some(hospital.grants.verifying_key()),
        ..credential
    };
    (hospital, credential)
}

fn desk(genesis: Digest, serial: u64, rng: &mut ChaCha20Rng) -> (Desk, Credential) {
    let credential = blank(genesis, serial, MemberKind::Reader, rng);
    let desk = Desk {
        serial,
        node: credential.node,
        organisation: credential.organisation.clone(),
        origin: name(&format!("log.reader-{serial}.example")),
        person: SigningKey::generate(rng),
        end: Frontier::new(),
        log: SigningKey::generate(rng),
    };
    let licence = Licence {
        jurisdiction: "DE".to_owned(),
        authority: "Chamber".to_owned(),
        number: format!("{serial}"),
        not_before: credential.not_before,
        not_after: credential.not_after,
    };
    let person = *desk.person.verifying_key().as_bytes();
    let credential = Credential {
        country: "AT".to_owned(),
        log: Some(vkey(&desk.origin, KeyType::Ed25519, &desk.log)),
        person: Some(PersonId::from_bytes(person)),
        licences: vec![licence],
        languages: vec!["de".to_owned()],
        modalities: vec!["CT".to_owned()],
        ..credential
    };
    (desk, credential)
}

fn witness(
    genesis: Digest,
    serial: u64,
    rng: &mut ChaCha20Rng,
) -> ((KeyName, SigningKey), Credential) {
    let credential = blank(genesis, serial, MemberKind::Witness, rng);
    let (name, key) = (
        name(&format!("witness-{serial}.example")),
        SigningKey::generate(rng),
    );
    let credential = Credential {
        witness: Some(vkey(&name, KeyType::Cosignature, &key)),
        ..credential
    };
    ((name, key), credential)
}

fn quorum_text(witnesses: &[(KeyName, SigningKey)]) -> String {
    let (mut text, mut names) = (String::new(), String::new());
    for (number, (name, key)) in (1..).zip(witnesses) {
        let key = vkey(name, KeyType::Cosignature, key);
        text += &format!("witness w{number} {key}\n");
        names += &format!(" w{number}");
    }
    format!("{text}group all-witnesses {QUORUM}{names}\nquorum all-witnesses\n")
}

fn blank(genesis: Digest, serial: u64, kind: MemberKind, rng: &mut ChaCha20Rng) -> Credential {
    let node = SigningKey::generate(rng).verifying_key();
    Credential {
        genesis,
        serial,
        kind,
        organisation: format!("Member {serial}"),
        country: "DE".to_owned(),
        node: NodeId::from_bytes(*node.as_bytes()),
        log: None,
        witness: None,
        hospital_key: None,
        person: None,
        licences: Vec::new(),
        languages: Vec::new(),
        modalities: Vec::new(),
        subspecialties: Vec::new(),
        not_before: EPOCH_S - DAY_S,
        not_after: EPOCH_S - DAY_S + LIFE_S,
    }
}

fn name(text: &str) -> KeyName {
    KeyName::new(text).expect("a legal name")
}

fn vkey(name: &KeyName, kind: KeyType, key: &SigningKey) -> String {
    VerifierKey::new(name.clone(), kind, key.verifying_key()).to_string()
}
