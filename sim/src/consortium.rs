//! A small consortium from a seed: keys, genesis, credentials, quorum file, policy.

use std::sync::Arc;

use crypto::envelope::Envelope;
use crypto::keys::{AgreementSecret, SigningKey};
use crypto::log::quorum::Quorum;
use crypto::note::{KeyName, KeyType, VerifierKey};
use prost::Message as _;
use protocol::core::config::{CoreConfig, OwnerConfig, PublicIdentity, ReaderConfig};
use protocol::document::Document;
use protocol::document::session::Session;
use protocol::ids::{NodeId, PersonId};
use protocol::member::genesis::{CouncilMember, Genesis};
use protocol::member::issue::Paper;
use protocol::member::{Credential, Licence, MemberKind, Roster};
use protocol::policy::cedar::CedarPolicy;
use protocol::time::Wall;
use rand_chacha::ChaCha20Rng;

/// Hospitals come first, then readers.
pub const HOSPITALS: usize = 2;
/// Readers; the last one has no licence where the hospitals are.
pub const READERS: usize = 3;
/// 2026-01-01T00:00:00Z, seconds since the Unix epoch.
pub const EPOCH_S: u64 = 1_767_225_600;

/// A session lasts a shift.
const SHIFT_US: u64 = 12 * 3_600 * 1_000_000;

/// One host's keys and place.
pub struct Identity {
    /// Its node.
    pub node: NodeId,
    /// Its log's key.
    pub log: SigningKey,
    /// Its log's name.
    pub origin: KeyName,
    /// Signs grants (hospitals).
    pub hospital: SigningKey,
    /// Signs receipts, reports, adverts (readers).
    pub person: SigningKey,
    /// Releases are sealed to it (readers).
    pub prekey: AgreementSecret,
    /// Hospital or reader.
    pub is_hospital: bool,
    credential: Credential,
}

/// The consortium.
pub struct Consortium {
    /// Hosts by number.
    pub hosts: Vec<Identity>,
    /// The witness's key and name.
    pub witness: (KeyName, SigningKey),
    roster: Roster,
    quorum: Quorum,
    policy: Arc<CedarPolicy>,
}

impl Consortium {
    /// Founds it.
    pub fn found(rng: &mut ChaCha20Rng) -> Self {
        let mut council: Vec<SigningKey> = (0..3).map(|_| SigningKey::generate(rng)).collect();
        council.sort_by_key(SigningKey::verifying_key);
        let members = council.iter().enumerate().map(|(at, key)| CouncilMember {
            organisation: format!("Hospital {at}"),
            country: "DE".to_owned(),
            key: key.verifying_key(),
        });
        let genesis = Genesis {
            name: "simulated".to_owned(),
            threshold: 2,
            council: members.collect(),
            created: EPOCH_S,
        };
        let all: Vec<&SigningKey> = council.iter().collect();
        let envelope = Paper::Genesis(genesis).sign(&all).expect("a legal genesis");
        let (genesis, hash) = Genesis::open(&envelope).expect("a genesis that was just signed");
        let mut roster = Roster::new(genesis, hash);
        let witness = (
            KeyName::new("simulated/witness").expect("legal"),
            SigningKey::generate(rng),
        );
        let mut hosts = Vec::new();
        let now = Wall {
            unix_us: EPOCH_S * 1_000_000,
            uncertainty_us: 0,
        };
        for number in 0..HOSPITALS + READERS {
            let mut host = Identity::new(number, rng);
            host.credential.genesis = hash;
            let paper = Paper::Credential(Box::new(host.credential.clone()));
            let credential = paper.sign(&all[..2]).expect("a legal credential");
            roster
                .admit(&credential, now)
                .expect("an admissible credential");
            hosts.push(host);
        }
        let quorum = quorum_text(&hosts, &witness);
        let policy = CedarPolicy::parse(
            include_str!("../../configs/policy/consortium.cedar"),
            include_str!("../../configs/policy/schema.cedarschema"),
        );
        Self {
            hosts,
            witness,
            roster,
            quorum: Quorum::parse(quorum.as_bytes()).expect("a legal quorum file"),
            policy: Arc::new(policy.expect("the shipped policy is valid")),
        }
    }

    /// The configuration of one host's core.
    pub fn config(&self, number: usize) -> CoreConfig {
        let host = &self.hosts[number];
        let owner = host.is_hospital.then(|| OwnerConfig {
            quiet: std::time::Duration::from_secs(5),
            rules: vec![crate::world::rule()],
        });
        let person = PersonId::from_bytes(*host.person.verifying_key().as_bytes());
        let reader = (!host.is_hospital).then_some(ReaderConfig {
            person,
            auto_claim: true,
        });
        CoreConfig {
            identity: PublicIdentity {
                node: host.node,
                organisation: host.credential.organisation.clone(),
                country: host.credential.country.clone(),
                log: host.log_key(),
            },
            roster: self.roster.clone(),
            quorum: self.quorum.clone(),
            policy: Arc::clone(&self.policy) as Arc<dyn protocol::policy::Decide>,
            owner,
            reader,
        }
    }

    /// Which host a node is.
    pub fn number_of(&self, node: NodeId) -> Option<usize> {
        self.hosts.iter().position(|host| host.node == node)
    }
}

impl Identity {
    fn new(number: usize, rng: &mut ChaCha20Rng) -> Self {
        let is_hospital = number < HOSPITALS;
        let node = SigningKey::generate(rng).verifying_key();
        let log = SigningKey::generate(rng);
        let origin = KeyName::new(&format!("simulated/log/{number}")).expect("a legal name");
        let hospital = SigningKey::generate(rng);
        let person = SigningKey::generate(rng);
        let vkey = VerifierKey::new(origin.clone(), KeyType::Ed25519, log.verifying_key());
        let unlicensed = number == HOSPITALS + READERS - 1;
        let licence = Licence {
            jurisdiction: "DE".to_owned(),
            authority: "chamber".to_owned(),
            number: format!("{number}"),
            not_before: EPOCH_S - 1,
            not_after: EPOCH_S + 365 * 86_400,
        };
        let list = |of: &str| {
            if is_hospital {
                vec![]
            } else {
                vec![of.to_owned()]
            }
        };
        let credential = Credential {
            genesis: crypto::digest::Digest::sha256(b""),
            serial: number as u64 + 1,
            kind: if is_hospital {
                MemberKind::Hospital
            } else {
                MemberKind::Reader
            },
            organisation: format!("Organisation {number}"),
            country: "DE".to_owned(),
            node: NodeId::from_bytes(*node.as_bytes()),
            log: Some(vkey.to_string()),
            witness: None,
            hospital_key: is_hospital.then(|| hospital.verifying_key()),
            person: (!is_hospital)
                .then(|| PersonId::from_bytes(*person.verifying_key().as_bytes())),
            licences: if is_hospital || unlicensed {
                vec![]
            } else {
                vec![licence]
            },
            languages: list("de"),
            modalities: list("CT"),
            subspecialties: list("neuro"),
            not_before: EPOCH_S - 1,
            not_after: EPOCH_S + 365 * 86_400,
        };
        Self {
            node: credential.node,
            log,
            origin,
            hospital,
            person,
            prekey: AgreementSecret::generate(rng),
            is_hospital,
            credential,
        }
    }

    /// A desk session certificate from now on, for a shift.
    ///
    /// # Panics
    /// Never: the payload is of legal size.
    pub fn session(&self, wall: Wall) -> Vec<u8> {
        let session = Session {
            version: 1,
            person: self.person.verifying_key().as_bytes().to_vec(),
            node: self.node.to_vec(),
            prekey: self.prekey.public().as_bytes().to_vec(),
            not_before_us: wall.unix_us,
            not_after_us: wall.unix_us + SHIFT_US,
            country: "DE".to_owned(),
        };
        let envelope = Envelope::sign(Session::TYPE, session.encode_to_vec(), &[&self.person]);
        envelope.expect("a payload of legal size").encode()
    }

    fn log_key(&self) -> VerifierKey {
        VerifierKey::new(
            self.origin.clone(),
            KeyType::Ed25519,
            self.log.verifying_key(),
        )
    }
}

/// The quorum file in its final format: here one of one.
fn quorum_text(hosts: &[Identity], (name, key): &(KeyName, SigningKey)) -> String {
    let mut text = String::new();
    for host in hosts {
        text += &format!("log {}\n", host.log_key());
    }
    let witness = VerifierKey::new(name.clone(), KeyType::Cosignature, key.verifying_key());
    text + &format!("witness w1 {witness}\nquorum w1\n")
}
