//! A small consortium: three founders, a witness, a hospital and a reader with keys, credentials
//! and configurations, as real as a network's.

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use crypto::digest::Digest;
use crypto::keyfile::KdfParams;
use crypto::keys::{SigningKey, VerifyingKey};
use crypto::note::{KeyName, KeyType, VerifierKey};
use node::keystore::{KeyKind, Keystore, Passphrase};
use protocol::ids::{NodeId, PersonId};
use protocol::member::{
    CouncilMember, Credential, Genesis, Licence, MemberKind, Paper, QuorumPaper,
};
use tempfile::TempDir;

const POLICY: &str = include_str!("../../configs/policy/consortium.cedar");
const SCHEMA: &str = include_str!("../../configs/policy/schema.cedarschema");

/// The titles of the sender and of the hospital.
pub const PACS_AE: &str = "CRASH_PACS";
pub const HOSPITAL_AE: &str = "CRASH_HOSP";

/// Credentials hold from a little before now, for a day.
const EARLY_S: u64 = 300;
const LIFE_S: u64 = 24 * 3_600;

/// Below the ports that the system gives to outgoing connections: a node that is down does not
/// lose its port to one of them.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Witness,
    Hospital,
    Reader,
}

pub const EVERYBODY: [Who; 3] = [Who::Witness, Who::Hospital, Who::Reader];

impl Who {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Witness => "witness",
            Self::Hospital => "hospital",
            Self::Reader => "reader",
        }
    }

    const fn kind(self) -> MemberKind {
        match self {
            Self::Witness => MemberKind::Witness,
            Self::Hospital => MemberKind::Hospital,
            Self::Reader => MemberKind::Reader,
        }
    }

    const fn keys(self) -> &'static [KeyKind] {
        use KeyKind::{Hospital, Log, Master, Person, Transport, Witness};
        match self {
            Self::Witness => &[Transport, Witness],
            Self::Hospital => &[Transport, Log, Hospital, Master],
            Self::Reader => &[Transport, Log, Person, Master],
        }
    }
}

/// A founded consortium in a temporary folder, with a fixed port for each that listens.
pub struct World {
    root: TempDir,
    genesis: Digest,
    members: Vec<(Who, Credential)>,
    mesh: [u16; 3],
    /// Where the witness answers over HTTP: the hospital asks it there, the reader over the mesh.
    http: u16,
    dicom: u16,
    /// How long a study is quiet before its case opens.
    quiet: &'static str,
}

impl World {
    /// Makes keys, founds the consortium, signs credentials, chooses ports.
    pub fn found(quiet: &'static str) -> Result<Self> {
        let mut rng = node::random::os_rng()?;
        let root = TempDir::new()?;
        let trust = root.path().join("trust");
        fs::create_dir_all(trust.join("credentials"))?;
        let council: Vec<SigningKey> = (0..3).map(|_| SigningKey::generate(&mut rng)).collect();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let genesis = genesis(&council, now.as_secs())?;
        fs::write(trust.join("genesis.envelope"), &genesis)?;
        let mut world = Self {
            root,
            genesis: Digest::sha256(&genesis),
            members: Vec::new(),
            mesh: [free_port()?, free_port()?, free_port()?],
            http: free_port()?,
            dicom: free_port()?,
            quiet,
        };
        let signers: Vec<&SigningKey> = council.iter().take(2).collect();
        for (serial, who) in (1..).zip(EVERYBODY) {
            let credential = world.credential(who, serial, now.as_secs())?;
            let signed = Paper::Credential(Box::new(credential.clone())).sign(&signers)?;
            fs::write(world.credential_file(serial), signed)?;
            world.members.push((who, credential));
        }
        let quorum = world.quorum()?;
        let paper = QuorumPaper::over(quorum.as_bytes(), world.genesis, 1)?;
        fs::write(trust.join("quorum.policy"), quorum)?;
        let signed = Paper::Quorum(paper).sign(&signers)?;
        fs::write(trust.join("quorum.envelope"), signed)?;
        fs::write(trust.join("consortium.cedar"), POLICY)?;
        fs::write(trust.join("schema.cedarschema"), SCHEMA)?;
        for who in EVERYBODY {
            fs::create_dir_all(world.data(who))?;
            world.configure(who, &world.data(who))?;
        }
        Ok(world)
    }

    fn credential(&self, who: Who, serial: u64, now: u64) -> Result<Credential> {
        let mut rng = node::random::os_rng()?;
        let keystore = self.keystore(who);
        fs::create_dir_all(self.folder(who))?;
        for kind in who.keys() {
            keystore.create(*kind, KdfParams::MINIMUM, &mut rng)?;
        }
        let public = |kind: KeyKind| -> Result<Option<VerifyingKey>> {
            let has = who.keys().contains(&kind);
            Ok(has
                .then(|| keystore.signing(kind))
                .transpose()?
                .map(|key| key.verifying_key()))
        };
        let named = |kind: KeyKind, vkey: KeyType| -> Result<Option<String>> {
            let name = KeyName::new(&key_name(who, kind))?;
            Ok(public(kind)?.map(|key| VerifierKey::new(name, vkey, key).to_string()))
        };
        let (not_before, not_after) = (now - EARLY_S, now + LIFE_S);
        let licence = Licence {
            jurisdiction: "DE".to_owned(),
            authority: "Test medical board".to_owned(),
            number: "TEST-DE".to_owned(),
            not_before,
            not_after,
        };
        let reads = who == Who::Reader;
        let only = |names: &[&str]| -> Vec<String> {
            let names = names.iter().filter(|_| reads);
            names.map(|name| (*name).to_owned()).collect()
        };
        let node = public(KeyKind::Transport)?.context("every node has a transport key")?;
        Ok(Credential {
            genesis: self.genesis,
            serial,
            kind: who.kind(),
            organisation: format!("The {}", who.name()),
            country: "DE".to_owned(),
            node: NodeId::from_bytes(*node.as_bytes()),
            log: named(KeyKind::Log, KeyType::Ed25519)?,
            witness: named(KeyKind::Witness, KeyType::Cosignature)?,
            hospital_key: public(KeyKind::Hospital)?,
            person: public(KeyKind::Person)?.map(|key| PersonId::from_bytes(*key.as_bytes())),
            licences: Vec::from_iter(reads.then_some(licence)),
            languages: only(&["de", "en"]),
            modalities: only(&["CT", "MR"]),
            subspecialties: Vec::new(),
            not_before,
            not_after,
        })
    }

    fn quorum(&self) -> Result<String> {
        let logs = self.members.iter().filter_map(|(_, m)| m.log.as_ref());
        let lines: String = logs.map(|log| format!("log {log}\n")).collect();
        let witness = self.member(Who::Witness)?.witness.as_ref();
        let witness = witness.context("the witness has a witness key")?;
        Ok(format!(
            "{lines}witness one {witness}\ngroup all 1 one\nquorum all\n"
        ))
    }

    /// Writes a node's configuration over the data folder `data`, and says where it is.
    pub fn configure(&self, who: Who, data: &Path) -> Result<PathBuf> {
        let folder = self.folder(who);
        let trust = self.root.path().join("trust");
        let serial = EVERYBODY.iter().position(|other| *other == who);
        let serial = serial.context("everybody takes part")? + 1;
        let listen = |who: Who| {
            let port = self.mesh[EVERYBODY.iter().position(|o| *o == who).unwrap_or(0)];
            format!("/ip4/127.0.0.1/tcp/{port}")
        };
        let others = self.members.iter().filter(|(other, _)| *other != who);
        let known: Vec<String> = others
            .map(|(other, member)| {
                format!(
                    "{{ node = \"{}\", address = \"{}\" }}",
                    member.node,
                    listen(*other)
                )
            })
            .collect();
        let mut toml = format!(
            "data_dir = {data:?}\n[identity]\nkeys = {keys:?}\nunencrypted = true\n\
             [consortium]\ngenesis = {genesis:?}\ngenesis_hash = \"{hash}\"\n\
             credentials = {credentials:?}\ncredential = {credential:?}\nquorum = {quorum:?}\n\
             witness_wait = \"1s\"\n\
             [mesh]\nlisten = [\"{listen}\"]\nbootstrap = [{known}]\n\
             [control]\nsocket = {socket:?}\n",
            keys = folder.join("keys"),
            genesis = trust.join("genesis.envelope"),
            hash = self.genesis.to_hex(),
            credentials = trust.join("credentials"),
            credential = self.credential_file(u64::try_from(serial)?),
            quorum = trust.join("quorum.policy"),
            listen = listen(who),
            known = known.join(", "),
            socket = self.socket(who),
        );
        if who != Who::Witness {
            toml += &format!(
                "[policy]\nrules = {:?}\nschema = {:?}\n",
                trust.join("consortium.cedar"),
                trust.join("schema.cedarschema"),
            );
        }
        toml += &self.role(who);
        let file = self.config(who);
        fs::write(&file, toml)?;
        Ok(file)
    }

    fn role(&self, who: Who) -> String {
        match who {
            Who::Witness => format!("[witness]\nhttp_listen = \"127.0.0.1:{}\"\n", self.http),
            Who::Hospital => format!(
                "[hospital]\nae_title = \"{HOSPITAL_AE}\"\n\
                 dicom_listen = \"127.0.0.1:{dicom}\"\n\
                 allow = [{{ ae_title = \"{PACS_AE}\", address = \"127.0.0.1\" }}]\n\
                 orders = \"from-dicom-header\"\nquiet_period = \"{quiet}\"\n\
                 jurisdiction = \"DE\"\nreport_language = \"de\"\nreserve = \"16MiB\"\n\
                 [[hospital.rules]]\nname = \"everything\"\naction = \"offer\"\n\
                 resident = false\n[hospital.delivery]\nkind = \"folder\"\nfolder = {reports:?}\n\
                 [[consortium.witnesses]]\nname = \"{witness}\"\nurl = \"http://127.0.0.1:{http}\"\n",
                witness = key_name(Who::Witness, KeyKind::Witness),
                http = self.http,
                dicom = self.dicom,
                quiet = self.quiet,
                reports = self.reports(),
            ),
            Who::Reader => "[reader]\ncountry = \"DE\"\nslots = 4\n\
                 dicomweb_listen = \"127.0.0.1:0\"\nsession = \"8h\"\nmemory = \"256MiB\"\n"
                .to_owned(),
        }
    }

    fn member(&self, who: Who) -> Result<&Credential> {
        let found = self.members.iter().find(|(member, _)| *member == who);
        Ok(&found.context("no such member")?.1)
    }

    /// A node's keys.
    pub fn keystore(&self, who: Who) -> Keystore {
        Keystore::new(self.folder(who).join("keys"), Passphrase::none())
    }

    /// Where everything is.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Everything of a node: its data, keys, configuration, and what it delivers.
    pub fn folder(&self, who: Who) -> PathBuf {
        self.root.path().join(who.name())
    }

    /// A node's data folder.
    pub fn data(&self, who: Who) -> PathBuf {
        self.folder(who).join("data")
    }

    /// A node's configuration.
    pub fn config(&self, who: Who) -> PathBuf {
        self.folder(who).join("node.toml")
    }

    /// A node's control socket.
    pub fn socket(&self, who: Who) -> PathBuf {
        self.folder(who).join("control.sock")
    }

    /// Where the hospital's reports are delivered.
    pub fn reports(&self) -> PathBuf {
        self.folder(Who::Hospital).join("reports")
    }

    /// The hospital's DICOM port.
    pub fn dicom(&self) -> u16 {
        self.dicom
    }

    /// The consortium's founding document.
    pub fn genesis(&self) -> Digest {
        self.genesis
    }

    fn credential_file(&self, serial: u64) -> PathBuf {
        let ending = node::config::CREDENTIAL_ENDING;
        let folder = self.root.path().join("trust/credentials");
        folder.join(format!("{serial}.{ending}"))
    }
}

/// The name of a node's key in signed notes.
fn key_name(who: Who, kind: KeyKind) -> String {
    format!("{}.crash.radmesh/{kind}", who.name())
}

/// All founders sign the genesis.
fn genesis(council: &[SigningKey], now: u64) -> Result<Vec<u8>> {
    let named = |(index, key): (usize, &SigningKey)| CouncilMember {
        organisation: format!("Founder {index}"),
        country: "DE".to_owned(),
        key: key.verifying_key(),
    };
    let mut members: Vec<CouncilMember> = council.iter().enumerate().map(named).collect();
    members.sort_by_key(|member| member.key);
    let genesis = Genesis {
        name: "crash tests".to_owned(),
        threshold: 2,
        council: members,
        created: now,
    };
    Ok(Paper::Genesis(genesis).sign(&council.iter().collect::<Vec<_>>())?)
}

/// A port that nothing uses and that no other world of this run has.
fn free_port() -> Result<u16> {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let span = PORTS.end - PORTS.start;
    // Test programs that run side by side begin at different places.
    let first = u16::try_from(std::process::id().wrapping_mul(7_919) % u32::from(span))?;
    for step in 0..span {
        let port = PORTS.start + (first + step) % span;
        let on = ("127.0.0.1", port);
        let free = TcpListener::bind(on).is_ok() && UdpSocket::bind(on).is_ok();
        if free && taken.insert(port) {
            return Ok(port);
        }
    }
    bail!("no free port in {PORTS:?}")
}
