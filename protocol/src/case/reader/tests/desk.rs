//! One desk and one hospital in memory: a real core with its log, real signatures and proofs. What
//! the shell does is done at once, unless a test says that it fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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

use crate::audit::entry::{Entry, EntryDraft, Field, Openings};
use crate::audit::header::{Action, Header, Kind};
use crate::audit::record::Record;
use crate::core::Core;
use crate::core::config::{CoreConfig, PublicIdentity, ReaderConfig, Seeds};
use crate::document::Document;
use crate::document::grant::{Grant, Prepared};
use crate::document::report::Section;
use crate::document::session::Session;
use crate::ids::{Fence, NodeId, OfferId, PersonId};
use crate::io::{Command, CommandError, Effect, Event, Outcome, ReportDraft, Verdict};
use crate::member::genesis::CouncilMember;
use crate::member::issue::Paper;
use crate::member::{Credential, Genesis, Licence, MemberKind, Roster};
use crate::policy::{Decide, Decision, Facts};
use crate::time::{BootId, Now, Tick, Wall};
use crate::wire::Message;
use crate::wire::case::{GrantMessage, Lease, Offer};

/// 2027-01-15, seconds since the Unix epoch.
const START_S: u64 = 1_800_000_000;
const LIFE_S: u64 = 300 * 86_400;

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

fn node(number: u8) -> NodeId {
    NodeId::from_bytes(*key(number).verifying_key().as_bytes())
}

const DESK: u8 = 20;
const DESK_LOG: u8 = 21;
const PERSON: u8 = 22;
const HOSPITAL: u8 = 10;
const HOSPITAL_LOG: u8 = 11;
const GRANTS: u8 = 12;
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

/// Which effects fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failing {
    pub(super) prove: bool,
    pub(super) sign: bool,
    pub(super) purge: bool,
}

/// One entry of the desk's log.
struct Stored {
    entry: Vec<u8>,
    payload: Vec<u8>,
}

/// The desk.
pub(super) struct Desk {
    pub(super) core: Core,
    pub(super) failing: Failing,
    /// Messages sent, newest last.
    pub(super) sent: Vec<Message>,
    pub(super) events: Vec<Event>,
    pub(super) adverts: usize,
    /// Purges asked for.
    pub(super) purges: Vec<Fence>,
    log: Vec<Stored>,
    tick_us: u64,
    wall_us: u64,
    lives: u8,
    hospital: HospitalLog,
}

/// The hospital's log.
struct HospitalLog {
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

impl Desk {
    /// A desk that was just started for the first time, and is on duty with these slots.
    pub(super) fn new(slots: u32) -> Self {
        let mut desk = Self {
            core: Core::new(config(), &seeds(1)),
            failing: Failing::default(),
            sent: vec![],
            events: vec![],
            adverts: 0,
            purges: vec![],
            log: vec![],
            tick_us: 5_000_000,
            wall_us: START_S * 1_000_000,
            lives: 1,
            hospital: HospitalLog {
                writer: LogWriter::new(),
                files: BTreeMap::new(),
                rng: ChaCha20Rng::from_seed([9; 32]),
            },
        };
        let now = desk.now();
        desk.core.start(now);
        desk.pump();
        desk.on_duty(slots).expect("a valid session");
        desk
    }

    pub(super) fn now(&self) -> Now {
        Now {
            tick: Tick(self.tick_us),
            boot: BootId([self.lives; 16]),
            wall: Wall {
                unix_us: self.wall_us,
                uncertainty_us: 1_000,
            },
        }
    }

    /// The desk dies, and starts again from its log after this time.
    pub(super) fn restart(&mut self, after: Duration) {
        self.lives += 1;
        self.wall_us += after.as_micros() as u64;
        self.tick_us = 5_000_000;
        self.core = Core::new(config(), &seeds(self.lives));
        for (index, stored) in self.log.iter().enumerate() {
            let entry = Entry::decode_bytes(&stored.entry).expect("canonical");
            let openings = Openings::decode_bytes(&stored.payload).expect("a payload");
            let replayed = self.core.replay(index as u64, &entry, &openings, None);
            replayed.expect("a record");
        }
        self.sent.clear();
        self.events.clear();
        self.purges.clear();
        let now = self.now();
        self.core.start(now);
        self.pump();
    }

    pub(super) fn on_duty(&mut self, slots: u32) -> Result<(), CommandError> {
        let session = self.session();
        self.command(Command::Advertise { session, slots })
    }

    fn session(&self) -> Vec<u8> {
        let session = Session {
            version: 1,
            person: key(PERSON).verifying_key().as_bytes().to_vec(),
            node: node(DESK).to_vec(),
            prekey: vec![9; 32],
            not_before_us: self.wall_us,
            not_after_us: self.wall_us + 12 * 3_600 * 1_000_000,
            country: "AT".to_owned(),
        };
        signed(&session, PERSON)
    }

    pub(super) fn command(&mut self, command: Command) -> Result<(), CommandError> {
        let now = self.now();
        let done = self.core.handle_command(command, now);
        self.pump();
        done
    }

    /// A message of the hospital's arrives.
    pub(super) fn hears(&mut self, message: &Message) -> Verdict {
        let message = Message::decode(&message.to_bytes()).expect("within bounds");
        let now = self.now();
        let verdict = self.core.handle_message(hospital(), message, now);
        self.pump();
        verdict
    }

    /// Time passes; what is due is done when it is.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.tick_us + span.as_micros() as u64;
        while let Some((due, _)) = self.core.poll_timeout().filter(|(due, _)| due.0 <= end) {
            let at = due.0.max(self.tick_us + 1);
            self.wall_us += at - self.tick_us;
            self.tick_us = at;
            let now = self.now();
            self.core.handle_timeout(now);
            self.pump();
        }
        self.wall_us += end.saturating_sub(self.tick_us);
        self.tick_us = self.tick_us.max(end);
    }

    /// Does what the shell does.
    fn pump(&mut self) {
        let now = self.now();
        loop {
            while let Some(transmit) = self.core.poll_transmit() {
                self.sent.push(transmit.message);
            }
            while let Some(event) = self.core.poll_event() {
                self.events.push(event);
            }
            let Some(effect) = self.core.poll_effect() else {
                return;
            };
            if let Some(outcome) = self.run(effect) {
                self.core.handle_outcome(outcome, now);
            }
        }
    }

    fn run(&mut self, effect: Effect) -> Option<Outcome> {
        let failed = |id| {
            let reason = "the shell could not".to_owned();
            Some(Outcome::Failed { id, reason })
        };
        match effect {
            Effect::Append { index, draft } => {
                assert_eq!(index, self.log.len() as u64, "in order");
                let payload = draft.payload().to_vec();
                let entry = draft.finish(Digest::sha256(&payload)).expect("short");
                self.log.push(Stored { entry, payload });
                Some(Outcome::Durable { index })
            }
            Effect::Prove { id, .. } if self.failing.prove => failed(id),
            Effect::Prove { id, index, .. } => Some(Outcome::Proved {
                id,
                index,
                entry: self.log[index as usize].entry.clone(),
                proof: vec![],
            }),
            Effect::Sign { id, .. } if self.failing.sign => failed(id),
            Effect::Sign {
                id,
                payload_type,
                payload,
                ..
            } => {
                let envelope = Envelope::sign(payload_type, payload, &[&key(PERSON)]);
                let envelope = envelope.expect("within bounds").encode();
                Some(Outcome::Signed { id, envelope })
            }
            Effect::Purge { id, fence, .. } => {
                self.purges.push(fence);
                if self.failing.purge {
                    return failed(id);
                }
                Some(Outcome::Purged {
                    id,
                    bytes: 5,
                    objects: 2,
                })
            }
            Effect::PublishAdvert { .. } => {
                self.adverts += 1;
                None
            }
            Effect::Fetch { .. }
            | Effect::DropRelease { .. }
            | Effect::Page { .. }
            | Effect::DescribeStudy { .. }
            | Effect::PrepareRelease { .. }
            | Effect::Deliver { .. } => None,
        }
    }

    /// The hospital offers a case, and the desk claims it.
    pub(super) fn claim(&mut self, number: u8) -> OfferId {
        let offer = OfferId::from_bytes([number; 16]);
        self.hears(&Message::Offer(Offer {
            offer: offer.to_vec(),
            urgency: 4,
            slack_us: 3_600_000_000,
            ..Offer::default()
        }));
        let owner = hospital();
        let claimed = self.command(Command::Claim { offer, owner });
        assert_eq!(claimed, Ok(()));
        offer
    }

    /// The hospital grants what was claimed: logged, proved, cosigned.
    pub(super) fn grant(&mut self, offer: OfferId) -> (Fence, GrantMessage) {
        let fence = self.hospital.writer.size();
        let grant = signed(&grant(offer, fence, self.wall_us), GRANTS);
        let message = self.hospital.log(grant, START_S);
        (Fence(fence), message)
    }

    /// From offer to images.
    pub(super) fn reads(&mut self, number: u8) -> Fence {
        let offer = self.claim(number);
        let (fence, message) = self.grant(offer);
        assert_eq!(self.hears(&Message::Grant(message)), Verdict::Accept);
        self.renewed();
        self.hears(&Message::ReceiptAck(Lease {
            fence: fence.0,
            sequence: 0,
        }));
        assert_eq!(self.state(fence), Some("reading"));
        fence
    }

    /// The hospital answers the newest renewal.
    pub(super) fn renewed(&mut self) {
        let renewal = self.renewals().last().copied().expect("a renewal");
        assert_eq!(self.hears(&Message::Renewed(renewal)), Verdict::Accept);
    }

    pub(super) fn renewals(&self) -> Vec<Lease> {
        let renewal = |message: &Message| match message {
            Message::Renew(lease) => Some(*lease),
            _ => None,
        };
        self.sent.iter().filter_map(renewal).collect()
    }

    /// How often a message of this name was sent.
    pub(super) fn said(&self, name: &str) -> usize {
        let same = self.sent.iter().filter(|message| message.name() == name);
        same.count()
    }

    pub(super) fn state(&self, fence: Fence) -> Option<&'static str> {
        let leases = self.core.leases();
        let found = leases.iter().find(|lease| lease.fence == fence);
        found.map(|lease| lease.state)
    }

    /// How many records of a kind the desk's log holds.
    pub(super) fn logged(&self, kind: Kind) -> usize {
        let same = |stored: &&Stored| {
            let entry = Entry::decode_bytes(&stored.entry).expect("canonical");
            entry.header().kind == kind as i32
        };
        self.log.iter().filter(same).count()
    }

    pub(super) fn reports(&mut self, fence: Fence) -> Result<(), CommandError> {
        let owner = hospital();
        let draft = draft();
        self.command(Command::Report {
            fence,
            owner,
            draft,
        })
    }

    pub(super) fn hands_back(&mut self, fence: Fence, reason: &str) -> Result<(), CommandError> {
        let owner = hospital();
        let reason = reason.to_owned();
        self.command(Command::HandBack {
            fence,
            owner,
            reason,
        })
    }
}

impl HospitalLog {
    /// Logs a grant, and proves it under the witness.
    fn log(&mut self, grant: Vec<u8>, now_s: u64) -> GrantMessage {
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

fn signed<D: Document>(document: &D, signer: u8) -> Vec<u8> {
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

fn grant(offer: OfferId, fence: u64, wall_us: u64) -> Grant {
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

fn seeds(number: u8) -> Seeds {
    Seeds {
        protocol: [number; 32],
        secret: [number; 32],
    }
}

fn config() -> CoreConfig {
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

/// The newest record of this kind.
impl Desk {
    pub(super) fn last(&self, kind: Kind) -> Option<Record> {
        self.log.iter().rev().find_map(|stored| {
            let entry = Entry::decode_bytes(&stored.entry).ok()?;
            let openings = Openings::decode_bytes(&stored.payload).ok()?;
            let same = entry.header().kind == kind as i32;
            same.then(|| Record::decode(kind as i32, &openings).ok())?
        })
    }
}
