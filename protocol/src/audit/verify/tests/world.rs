//! A small consortium in memory: a hospital and a reader with their logs, one witness, real keys
//! from seeds.

use std::collections::BTreeMap;

use crypto::digest::Digest;
use crypto::envelope::Envelope;
use crypto::keys::SigningKey;
use crypto::log::checkpoint::{Checkpoint, SignedCheckpoint};
use crypto::log::cosign::cosign;
use crypto::log::proof::LogProof;
use crypto::log::writer::LogWriter;
use crypto::note::{KeyName, KeyType, NoteSignature, VerifierKey};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::audit::archive::{FileName, Listed, Manifest, NOTE_PATH, attach};
use crate::audit::entry::{EntryDraft, Field};
use crate::audit::header::{Action, Header, Kind};
use crate::audit::record::{AccessRecord, CaseNote, NodeRecord, Record, ReleaseRecord};
use crate::document::Document;
use crate::document::grant::{Grant, Prepared};
use crate::document::receipt::Receipt;
use crate::ids::{NodeId, PersonId};
use crate::member::genesis::CouncilMember;
use crate::member::{
    CREDENTIAL_TYPE, Credential, GENESIS_TYPE, Genesis, Licence, MemberKind, QUORUM_TYPE,
    QuorumPaper,
};
use crate::policy::Facts;
use crate::policy::facts::CountryEvidence;
use crate::time::Wall;
use crate::urgency::Urgency;

/// 2027-01-15, in seconds since the Unix epoch.
pub(in crate::audit) const START: u64 = 1_800_000_000;
pub(in crate::audit) const POLICY: &str =
    include_str!("../../../../../configs/policy/consortium.cedar");
const SCHEMA: &str = include_str!("../../../../../configs/policy/schema.cedarschema");
/// What that policy says of a study in Germany that is read in Austria.
const RULE: &str = "read-within-eea";
const BASIS: &str = "treatment; free movement of personal data within the EEA";

pub(in crate::audit) type Files = BTreeMap<String, Vec<u8>>;

/// The key with this number. Numbers are unique over the whole world.
pub(in crate::audit) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

pub(in crate::audit) const COUNCIL: [u8; 3] = [1, 2, 3];
pub(in crate::audit) const HOSPITAL_GRANTS: u8 = 12;
pub(in crate::audit) const WITNESS: u8 = 31;
const PERSON: u8 = 22;
/// Bytes and objects of every release.
pub(in crate::audit) const VOLUME: (u64, u64) = (40 << 20, 120);

/// One log as its node keeps it.
pub(in crate::audit) struct Log {
    pub(in crate::audit) name: KeyName,
    pub(in crate::audit) key: SigningKey,
    pub(in crate::audit) writer: LogWriter,
    pub(in crate::audit) files: Files,
    pub(in crate::audit) entries: Vec<Vec<u8>>,
    pub(in crate::audit) payloads: Vec<Vec<u8>>,
    pub(in crate::audit) records: Vec<Record>,
}

impl Log {
    fn new(name: &str, seed: u8) -> Self {
        Self {
            name: KeyName::new(name).expect("a name"),
            key: key(seed),
            writer: LogWriter::new(),
            files: Files::new(),
            entries: Vec::new(),
            payloads: Vec::new(),
            records: Vec::new(),
        }
    }

    pub(in crate::audit) fn vkey(&self) -> VerifierKey {
        VerifierKey::new(
            self.name.clone(),
            KeyType::Ed25519,
            self.key.verifying_key(),
        )
    }

    /// Appends bytes as they are.
    pub(in crate::audit) fn push(
        &mut self,
        entry: Vec<u8>,
        payload: Vec<u8>,
        record: Record,
    ) -> u64 {
        let index = self.writer.append(&entry).expect("short");
        self.entries.push(entry);
        self.payloads.push(payload);
        self.records.push(record);
        // A log may keep partial tiles that it outgrew; an archive has only those of its size.
        self.files.retain(|path, _| !path.contains(".p/"));
        let mut whole = LogWriter::new();
        self.entries
            .iter()
            .for_each(|entry| drop(whole.append(entry)));
        let files = whole.take_files().into_iter();
        self.files.extend(files.map(|file| (file.path, file.bytes)));
        index
    }

    pub(in crate::audit) fn signed(&self) -> SignedCheckpoint {
        Checkpoint {
            origin: self.name.clone(),
            head: self.writer.head(),
        }
        .sign(&self.key)
    }
}

/// A release on its way.
#[derive(Clone)]
pub(in crate::audit) struct Granted {
    pub(in crate::audit) fence: u64,
    pub(in crate::audit) envelope: Vec<u8>,
    pub(in crate::audit) hash: Digest,
}

/// Everything.
pub(in crate::audit) struct World {
    pub(in crate::audit) hospital: Log,
    pub(in crate::audit) reader: Log,
    pub(in crate::audit) genesis: Vec<u8>,
    pub(in crate::audit) credentials: BTreeMap<u64, Vec<u8>>,
    pub(in crate::audit) quorum: String,
    /// Number of the paper that the council signs for the quorum file.
    pub(in crate::audit) quorum_serial: u64,
    /// Seconds since the Unix epoch.
    pub(in crate::audit) now: u64,
    /// How much the entry of a release says: bytes and instances.
    pub(in crate::audit) volume: (u64, u64),
    /// What releases are decided from.
    pub(in crate::audit) facts: Facts,
    /// What the next release's entry says of it, beside what its grant says.
    pub(in crate::audit) release: Header,
    /// The case of the next release, by its owner's name.
    pub(in crate::audit) case: Vec<u8>,
    rng: ChaCha20Rng,
}

impl World {
    /// Both logs, each with the start of its node.
    pub(in crate::audit) fn new() -> Self {
        Self::founded("Test")
    }

    /// The same members and logs, in a consortium that somebody founded for a forgery.
    pub(in crate::audit) fn forged() -> Self {
        Self::founded("Test, forged")
    }

    fn founded(name: &str) -> Self {
        let genesis = genesis(name);
        let hash = Digest::sha256(&genesis);
        let mut world = Self {
            hospital: Log::new("nord.example/log", 11),
            reader: Log::new("sued.example/log", 21),
            credentials: BTreeMap::new(),
            quorum: format!("witness w1 {}\nquorum w1\n", witness_vkey(WITNESS)),
            quorum_serial: 1,
            genesis,
            now: START,
            volume: VOLUME,
            facts: facts(),
            release: Header {
                basis: BASIS.to_owned(),
                purpose: "TREAT".to_owned(),
                ..header(Kind::ReleaseGranted)
            },
            case: Vec::new(),
            rng: ChaCha20Rng::from_seed([7; 32]),
        };
        for credential in [
            hospital_credential(hash, &world.hospital),
            reader_credential(hash, &world.reader),
            witness_credential(hash),
        ] {
            world
                .credentials
                .insert(credential.serial, credential_envelope(&credential));
        }
        for hospital in [true, false] {
            let record = Record::NodeStarted(NodeRecord::default());
            world.append(hospital, header(Kind::NodeStarted), record);
        }
        world
    }

    /// One case from claim to report, on both sides.
    pub(in crate::audit) fn whole_case(&mut self) -> Granted {
        let granted = self.grant();
        let accepted = self.accept(&granted);
        self.receipt(&granted, accepted);
        self.begin(true, &granted);
        self.begin(false, &granted);
        granted
    }

    /// Appends an entry a second after the last one.
    pub(in crate::audit) fn append(
        &mut self,
        hospital: bool,
        header: Header,
        record: Record,
    ) -> u64 {
        self.now += 1;
        let header = Header {
            time_us: self.now * 1_000_000,
            uncertainty_us: 50_000,
            ..header
        };
        self.append_as_is(hospital, header, record)
    }

    pub(in crate::audit) fn append_as_is(
        &mut self,
        hospital: bool,
        header: Header,
        record: Record,
    ) -> u64 {
        let facts = self.facts.canonical_text().into_bytes();
        let fields = vec![(Field::Record, record.encode()), (Field::Facts, facts)];
        let draft = EntryDraft::new(header, None, fields, &mut self.rng);
        let payload = draft.payload().to_vec();
        let entry = draft.finish(Digest::sha256(b"sealed")).expect("short");
        self.log(hospital).push(entry, payload, record)
    }

    pub(in crate::audit) fn log(&mut self, hospital: bool) -> &mut Log {
        if hospital {
            &mut self.hospital
        } else {
            &mut self.reader
        }
    }

    pub(in crate::audit) fn grant(&mut self) -> Granted {
        let fence = self.hospital.writer.size();
        self.grant_as(&grant(fence), HOSPITAL_GRANTS)
    }

    /// Grants what is given, signed by a key of the caller's choice.
    pub(in crate::audit) fn grant_as(&mut self, grant: &Grant, signer: u8) -> Granted {
        let envelope = envelope(grant, signer);
        let hash = Digest::sha256(&envelope);
        let header = Header {
            rules: grant.rules.clone(),
            policy_hash: grant.policy_hash.clone(),
            from_country: grant.from_country.clone(),
            to_country: grant.to_country.clone(),
            ..self.release.clone().with_grant(hash)
        };
        let (bytes, objects) = self.volume;
        let header = header.with_volume(bytes, objects);
        let record = ReleaseRecord {
            case: self.case.clone(),
            grant: envelope.clone(),
            ..ReleaseRecord::default()
        };
        let fence = self.append(true, header, Record::ReleaseGranted(record));
        Granted {
            fence,
            envelope,
            hash,
        }
    }

    /// The reader verifies and accepts. Gives the index in the reader's log.
    pub(in crate::audit) fn accept(&mut self, granted: &Granted) -> u64 {
        let record = ReleaseRecord {
            grant: granted.envelope.clone(),
            peer_entry: self.hospital.entries[granted.fence as usize].clone(),
            proof: self.prove(true, granted.fence, true),
            ..ReleaseRecord::default()
        };
        let header = header(Kind::GrantAccepted).with_grant(granted.hash);
        self.append(false, header, Record::GrantAccepted(record))
    }

    /// The reader's receipt reaches the hospital. Gives the index in the hospital's log.
    pub(in crate::audit) fn receipt(&mut self, granted: &Granted, accepted: u64) -> u64 {
        let receipt = receipt(granted, accepted);
        self.receipt_as(granted, &receipt, PERSON)
    }

    /// A receipt as given, signed by a key of the caller's choice.
    pub(in crate::audit) fn receipt_as(
        &mut self,
        granted: &Granted,
        receipt: &Receipt,
        by: u8,
    ) -> u64 {
        let record = ReleaseRecord {
            receipt: envelope(receipt, by),
            peer_entry: self.reader.entries[receipt.log_index as usize].clone(),
            proof: self.prove(false, receipt.log_index, false),
            ..ReleaseRecord::default()
        };
        let header = header(Kind::ReceiptAccepted).with_grant(granted.hash);
        self.append(true, header, Record::ReceiptAccepted(record))
    }

    pub(in crate::audit) fn begin(&mut self, hospital: bool, granted: &Granted) -> u64 {
        let header = header(Kind::AccessBegun).with_grant(granted.hash);
        self.append(
            hospital,
            header,
            Record::AccessBegun(AccessRecord::default()),
        )
    }

    /// An entry without consequence.
    pub(in crate::audit) fn idle(&mut self, hospital: bool) -> u64 {
        self.append(
            hospital,
            header(Kind::CaseOpened),
            Record::CaseClosed(CaseNote::default()),
        )
    }

    /// The log's checkpoint, cosigned by the witness now.
    pub(in crate::audit) fn cosigned(&self, log: &Log) -> SignedCheckpoint {
        let mut signed = log.signed();
        let name = KeyName::new("witness.example").expect("a name");
        let line = cosign(signed.checkpoint(), &name, &key(WITNESS), self.now + 1);
        signed.add(line.expect("a time")).expect("room");
        signed
    }

    pub(in crate::audit) fn prove(
        &mut self,
        hospital: bool,
        index: u64,
        witnessed: bool,
    ) -> Vec<u8> {
        let log = if hospital {
            &self.hospital
        } else {
            &self.reader
        };
        let signed = if witnessed {
            self.cosigned(log)
        } else {
            log.signed()
        };
        let size = log.writer.size();
        LogProof::make(&log.files, size, index, signed)
            .expect("tiles are there")
            .encode()
    }

    /// What the council says of the world's quorum file, as it is now.
    pub(in crate::audit) fn quorum_paper(&self) -> QuorumPaper {
        QuorumPaper {
            genesis: Digest::sha256(&self.genesis),
            serial: self.quorum_serial,
            sha256: Digest::sha256(self.quorum.as_bytes()),
        }
    }

    /// The archive of one log.
    pub(in crate::audit) fn archive(&mut self, hospital: bool) -> Files {
        let log = if hospital {
            &self.hospital
        } else {
            &self.reader
        };
        let mut files = Files::new();
        let mut put = |name: FileName, bytes: &[u8]| {
            files.insert(name.to_string(), bytes.to_vec());
        };
        put(FileName::Checkpoint, &self.cosigned(log).encode());
        put(FileName::Genesis, &self.genesis);
        put(FileName::Quorum, self.quorum.as_bytes());
        let paper = self.quorum_paper();
        put(FileName::QuorumPaper, &paper_envelope(&paper, &[1, 2]));
        put(FileName::Policy, POLICY.as_bytes());
        put(FileName::Schema, SCHEMA.as_bytes());
        for (serial, envelope) in &self.credentials {
            put(FileName::Credential(*serial), envelope);
        }
        for (index, record) in (0..).zip(&log.records) {
            attach::files(index, record)
                .into_iter()
                .for_each(|(name, bytes)| put(name, bytes));
            if attach::needs_proof(record) {
                let size = log.writer.size();
                let proof = LogProof::make(&log.files, size, index, self.cosigned(log));
                put(
                    FileName::Proof(index),
                    &proof.expect("tiles are there").encode(),
                );
            }
        }
        for (path, bytes) in &log.files {
            files.insert(format!("log/{path}"), bytes.clone());
        }
        seal(&mut files, log);
        files
    }
}

/// Lists all files anew and signs the list as the log.
pub(in crate::audit) fn seal(files: &mut Files, log: &Log) {
    files.remove(NOTE_PATH);
    let mut manifest = Manifest::new(log.name.clone(), log.writer.size());
    for (path, bytes) in files.iter() {
        let name = FileName::parse(path).expect("a file of an archive");
        manifest.add(name, Listed::of(bytes));
    }
    let signature = NoteSignature::ed25519(&manifest.text(), &log.name, &log.key);
    files.insert(NOTE_PATH.to_owned(), manifest.note(&signature));
}

pub(in crate::audit) fn header(kind: Kind) -> Header {
    Header::new(kind, Action::Execute, "Nord Hospital", Wall::default())
}

pub(in crate::audit) fn envelope<D: Document>(document: &D, signer: u8) -> Vec<u8> {
    let envelope = Envelope::sign(D::TYPE, document.encode_to_vec(), &[&key(signer)]);
    envelope.expect("within bounds").encode()
}

fn node(number: u8) -> NodeId {
    NodeId::from_bytes(*key(number).verifying_key().as_bytes())
}

/// The grant of the world's hospital to the world's reader.
pub(in crate::audit) fn grant(fence: u64) -> Grant {
    Grant {
        version: 1,
        offer: vec![5; 16],
        owner: node(10).to_vec(),
        person: key(PERSON).verifying_key().as_bytes().to_vec(),
        node: node(20).to_vec(),
        fence,
        policy_hash: Digest::sha256(POLICY.as_bytes()).as_bytes().to_vec(),
        rules: vec![RULE.to_owned()],
        from_country: "DE".to_owned(),
        to_country: "AT".to_owned(),
        credential: 2,
        prepared: Some(Prepared {
            bytes: VOLUME.0,
            objects: VOLUME.1,
            ..Prepared::default()
        }),
        log_origin: "nord.example/log".to_owned(),
        ..Grant::default()
    }
}

pub(in crate::audit) fn receipt(granted: &Granted, accepted: u64) -> Receipt {
    Receipt {
        version: 1,
        grant_hash: granted.hash.as_bytes().to_vec(),
        fence: granted.fence,
        log_origin: "sued.example/log".to_owned(),
        log_index: accepted,
        time_us: 0,
    }
}

fn facts() -> Facts {
    Facts {
        hospital_organisation: "Member 1".to_owned(),
        hospital_country: "DE".to_owned(),
        patient_jurisdiction: "DE".to_owned(),
        resident: false,
        study_modalities: vec!["CT".to_owned()],
        subspecialty: String::new(),
        urgency: Urgency::Routine,
        purpose: "TREAT".to_owned(),
        report_language: "de".to_owned(),
        reader_organisation: "Member 2".to_owned(),
        desk_country: "AT".to_owned(),
        desk_country_evidence: CountryEvidence::Declared,
        licences: vec!["DE".to_owned()],
        languages: vec!["de".to_owned()],
        modalities: vec!["CT".to_owned()],
        subspecialties: Vec::new(),
        credential_valid: true,
        now_unix_s: START,
    }
}

fn genesis(name: &str) -> Vec<u8> {
    let member = |number: u8| CouncilMember {
        organisation: format!("Founder {number}"),
        country: "DE".to_owned(),
        key: key(number).verifying_key(),
    };
    let mut council: Vec<CouncilMember> = COUNCIL.map(member).into();
    council.sort_by_key(|member| member.key);
    let genesis = Genesis {
        name: name.to_owned(),
        threshold: 2,
        council,
        created: START,
    };
    let keys = COUNCIL.map(key);
    let envelope = Envelope::sign(GENESIS_TYPE, genesis.encode(), &keys.each_ref());
    envelope.expect("within bounds").encode()
}

pub(in crate::audit) fn credential_envelope(credential: &Credential) -> Vec<u8> {
    credential.check().expect("a credential that may be issued");
    let keys = [key(1), key(2)];
    let envelope = Envelope::sign(CREDENTIAL_TYPE, credential.encode(), &keys.each_ref());
    envelope.expect("within bounds").encode()
}

/// A paper signed by keys of the caller's choice.
pub(in crate::audit) fn paper_envelope(paper: &QuorumPaper, by: &[u8]) -> Vec<u8> {
    let keys: Vec<SigningKey> = by.iter().map(|number| key(*number)).collect();
    let keys: Vec<&SigningKey> = keys.iter().collect();
    let envelope = Envelope::sign(QUORUM_TYPE, paper.encode(), &keys);
    envelope.expect("within bounds").encode()
}

fn blank(genesis: Digest, serial: u64, kind: MemberKind, seed: u8) -> Credential {
    Credential {
        genesis,
        serial,
        kind,
        organisation: format!("Member {serial}"),
        country: "DE".to_owned(),
        node: node(seed),
        log: None,
        witness: None,
        hospital_key: None,
        person: None,
        licences: Vec::new(),
        languages: Vec::new(),
        modalities: Vec::new(),
        subspecialties: Vec::new(),
        not_before: START - 86_400,
        not_after: START + 100 * 86_400,
    }
}

pub(in crate::audit) fn hospital_credential(genesis: Digest, log: &Log) -> Credential {
    Credential {
        log: Some(log.vkey().to_string()),
        hospital_key: Some(key(HOSPITAL_GRANTS).verifying_key()),
        ..blank(genesis, 1, MemberKind::Hospital, 10)
    }
}

pub(in crate::audit) fn reader_credential(genesis: Digest, log: &Log) -> Credential {
    let licence = Licence {
        jurisdiction: "DE".to_owned(),
        authority: "Chamber".to_owned(),
        number: "17".to_owned(),
        not_before: START - 86_400,
        not_after: START + 86_400,
    };
    Credential {
        log: Some(log.vkey().to_string()),
        person: Some(PersonId::from_bytes(
            *key(PERSON).verifying_key().as_bytes(),
        )),
        licences: vec![licence],
        languages: vec!["de".to_owned()],
        modalities: vec!["CT".to_owned()],
        ..blank(genesis, 2, MemberKind::Reader, 20)
    }
}

fn witness_credential(genesis: Digest) -> Credential {
    let witness = Some(witness_vkey(WITNESS).to_string());
    Credential {
        witness,
        ..blank(genesis, 3, MemberKind::Witness, 30)
    }
}

pub(in crate::audit) fn witness_vkey(seed: u8) -> VerifierKey {
    let name = KeyName::new("witness.example").expect("a name");
    VerifierKey::new(name, KeyType::Cosignature, key(seed).verifying_key())
}
