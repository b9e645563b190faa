//! The demo's consortium: three founding hospitals, members with keys and credentials, their
//! configurations. Everything is in one folder, and everything is what a real network has.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use crypto::digest::Digest;
use crypto::keyfile::KdfParams;
use crypto::keys::{SigningKey, VerifyingKey};
use crypto::note::{KeyName, KeyType, VerifierKey};
use protocol::ids::{NodeId, PersonId};
use protocol::member::{CouncilMember, Credential, Genesis, Licence, MemberKind, Paper};
use rand_chacha::ChaCha20Rng;

use crate::config::CREDENTIAL_ENDING;
use crate::driver::clock;
use crate::files::{self, Readers};
use crate::keystore::{KeyKind, Keystore, Passphrase};
use crate::random;

/// The policy that decides in the demo: the one that is shipped.
const POLICY: &str = include_str!("../../../configs/policy/consortium.cedar");
const SCHEMA: &str = include_str!("../../../configs/policy/schema.cedarschema");

/// The founders; two of the three sign each credential.
const FOUNDERS: [(&str, &str); 3] = [
    ("Hospital A", "DE"),
    ("Hospital B", "KR"),
    ("Hospital C", "DE"),
];
const THRESHOLD: usize = 2;

/// A demo's papers start a little early, as real ones do: clocks differ.
const START_EARLY_S: u64 = 300;
/// And hold for a day.
const LIFE_S: u64 = 24 * 3_600;

/// Modalities that the licensed reader reads, beside whatever the input has.
const MODALITIES: [&str; 22] = [
    "CR", "CT", "DX", "ECG", "ES", "IO", "MG", "MR", "NM", "OT", "PT", "PX", "RF", "RG", "RTDOSE",
    "RTPLAN", "RTSTRUCT", "SC", "SEG", "SR", "US", "XA",
];

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Where nodes find each other.
    Relay,
    /// Who cosigns the logs.
    Witness,
    /// The hospital whose studies are read.
    HospitalA,
    /// The hospital whose studies must stay in their country.
    HospitalB,
    /// A radiologist who may read for both countries.
    Reader,
    /// A radiologist without a licence.
    Unlicensed,
}

/// In the order in which they start: everybody finds the ones before.
pub(super) const EVERYBODY: [Who; 6] = [
    Who::Relay,
    Who::Witness,
    Who::HospitalA,
    Who::HospitalB,
    Who::Reader,
    Who::Unlicensed,
];

impl Who {
    /// Its name: in the timeline, and of its folder.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Witness => "witness",
            Self::HospitalA => "hospital-a",
            Self::HospitalB => "hospital-b",
            Self::Reader => "reader",
            Self::Unlicensed => "unlicensed",
        }
    }

    const fn kind(self) -> MemberKind {
        match self {
            Self::Relay => MemberKind::Relay,
            Self::Witness => MemberKind::Witness,
            Self::HospitalA | Self::HospitalB => MemberKind::Hospital,
            Self::Reader | Self::Unlicensed => MemberKind::Reader,
        }
    }

    const fn organisation(self) -> (&'static str, &'static str) {
        match self {
            Self::Relay => ("Relay", "DE"),
            Self::Witness => ("Witness", "DE"),
            Self::HospitalA => ("Hospital A", "DE"),
            Self::HospitalB => ("Hospital B", "KR"),
            Self::Reader => ("Radiology practice", "DE"),
            Self::Unlicensed => ("Practice without a licence", "DE"),
        }
    }

    /// Whether it keeps a log of its own.
    pub(super) const fn has_log(self) -> bool {
        match self {
            Self::HospitalA | Self::HospitalB | Self::Reader | Self::Unlicensed => true,
            Self::Relay | Self::Witness => false,
        }
    }

    const fn keys(self) -> &'static [KeyKind] {
        use KeyKind::{Hospital, Log, Master, Person, Transport, Witness};
        match self {
            Self::Relay => &[Transport],
            Self::Witness => &[Transport, Witness],
            Self::HospitalA | Self::HospitalB => &[Transport, Log, Hospital, Master],
            Self::Reader | Self::Unlicensed => &[Transport, Log, Person, Master],
        }
    }
}

/// A founded consortium.
pub(super) struct World {
    root: PathBuf,
    genesis: Digest,
    members: Vec<(Who, Credential)>,
}

impl World {
    /// Makes keys, founds the consortium and signs everybody's credential.
    pub(super) fn found(root: &Path, modalities: &[String]) -> anyhow::Result<Self> {
        let mut rng = random::os_rng()?;
        let trust = root.join("trust");
        fs::create_dir_all(trust.join("credentials"))?;
        let council: Vec<SigningKey> = FOUNDERS
            .iter()
            .map(|_| SigningKey::generate(&mut rng))
            .collect();
        let now = clock::wall().unix_us / 1_000_000;
        let genesis = found(&council, now)?;
        let hash = Digest::sha256(&genesis);
        write(&trust.join("genesis.envelope"), &genesis)?;
        let mut world = Self {
            root: root.to_owned(),
            genesis: hash,
            members: Vec::new(),
        };
        let signers: Vec<&SigningKey> = council.iter().take(THRESHOLD).collect();
        for (serial, who) in (1..).zip(EVERYBODY) {
            let mut credential = world.credential(who, (serial, now), &mut rng)?;
            if who.kind() == MemberKind::Reader {
                competences(&mut credential, who, modalities);
            }
            let signed = Paper::Credential(Box::new(credential.clone())).sign(&signers)?;
            write(&world.credential_file(serial), &signed)?;
            world.members.push((who, credential));
        }
        write(&trust.join("quorum.policy"), world.quorum()?.as_bytes())?;
        write(&trust.join("consortium.cedar"), POLICY.as_bytes())?;
        write(&trust.join("schema.cedarschema"), SCHEMA.as_bytes())?;
        Ok(world)
    }

    /// Makes a member's keys and states who it is.
    fn credential(
        &self,
        who: Who,
        (serial, now): (u64, u64),
        rng: &mut ChaCha20Rng,
    ) -> anyhow::Result<Credential> {
        let keystore = Keystore::new(self.folder(who).join("keys"), Passphrase::none());
        fs::create_dir_all(self.folder(who))?;
        for kind in who.keys() {
            keystore.create(*kind, KdfParams::MINIMUM, rng)?;
        }
        let public = |kind: KeyKind| -> anyhow::Result<Option<VerifyingKey>> {
            match who.keys().contains(&kind) {
                true => Ok(Some(keystore.signing(kind)?.verifying_key())),
                false => Ok(None),
            }
        };
        let named = |kind: KeyKind, vkey: KeyType| -> anyhow::Result<Option<String>> {
            let name = KeyName::new(&format!("{}.demo.radmesh/{kind}", who.name()))?;
            Ok(public(kind)?.map(|key| VerifierKey::new(name, vkey, key).to_string()))
        };
        let node = public(KeyKind::Transport)?.context("every node has a transport key")?;
        let (organisation, country) = who.organisation();
        let not_before = now.saturating_sub(START_EARLY_S);
        Ok(Credential {
            genesis: self.genesis,
            serial,
            kind: who.kind(),
            organisation: organisation.to_owned(),
            country: country.to_owned(),
            node: NodeId::from_bytes(*node.as_bytes()),
            log: named(KeyKind::Log, KeyType::Ed25519)?,
            witness: named(KeyKind::Witness, KeyType::Cosignature)?,
            hospital_key: public(KeyKind::Hospital)?,
            person: public(KeyKind::Person)?.map(|key| PersonId::from_bytes(*key.as_bytes())),
            licences: Vec::new(),
            languages: Vec::new(),
            modalities: Vec::new(),
            subspecialties: Vec::new(),
            not_before,
            not_after: now + LIFE_S,
        })
    }

    /// The quorum file: every log, and the one witness (c2sp.org/tlog-policy).
    fn quorum(&self) -> anyhow::Result<String> {
        let logs = self
            .members
            .iter()
            .filter_map(|(_, member)| member.log.as_ref());
        let lines: String = logs.map(|log| format!("log {log}\n")).collect();
        let witness = self.member(Who::Witness)?.witness.as_ref();
        let witness = witness.context("the witness has a witness key")?;
        Ok(format!(
            "{lines}witness demo {witness}\ngroup all 1 demo\nquorum all\n"
        ))
    }

    fn member(&self, who: Who) -> anyhow::Result<&Credential> {
        let found = self.members.iter().find(|(member, _)| *member == who);
        Ok(&found
            .with_context(|| format!("{} is no member", who.name()))?
            .1)
    }

    /// A member's node.
    pub(super) fn node(&self, who: Who) -> anyhow::Result<NodeId> {
        Ok(self.member(who)?.node)
    }

    /// Everything of one node.
    pub(super) fn folder(&self, who: Who) -> PathBuf {
        self.root.join(who.name())
    }

    /// The consortium's founding document, as everybody pins it.
    pub(super) fn genesis(&self) -> Digest {
        self.genesis
    }

    fn credential_file(&self, serial: u64) -> PathBuf {
        self.root
            .join("trust/credentials")
            .join(format!("{serial}.{CREDENTIAL_ENDING}"))
    }

    /// Writes a node's configuration; `known` are the nodes that it stays connected to.
    pub(super) fn configure(
        &self,
        who: Who,
        known: &[(NodeId, String)],
    ) -> anyhow::Result<PathBuf> {
        let folder = self.folder(who);
        let trust = self.root.join("trust");
        let text = |path: &Path| quoted(path.to_string_lossy().as_ref());
        let credential = self.credential_file(self.member(who)?.serial);
        let bootstrap: Vec<String> = known
            .iter()
            .map(|(node, at)| format!("{{ node = \"{node}\", address = {} }}", quoted(at)))
            .collect();
        let mut toml = format!(
            "data_dir = {data}\n\n[identity]\nkeys = {keys}\nunencrypted = true\n\n\
             [consortium]\ngenesis = {genesis}\ngenesis_hash = \"{hash}\"\n\
             credentials = {credentials}\ncredential = {credential}\nquorum = {quorum}\n\n\
             [mesh]\n{listen}bootstrap = [{bootstrap}]\n\n[control]\nsocket = {socket}\n",
            data = text(&folder.join("data")),
            keys = text(&folder.join("keys")),
            genesis = text(&trust.join("genesis.envelope")),
            hash = self.genesis.to_hex(),
            credentials = text(&trust.join("credentials")),
            credential = text(&credential),
            quorum = text(&trust.join("quorum.policy")),
            listen = listen(who)?,
            bootstrap = bootstrap.join(", "),
            socket = text(&self.socket(who)),
        );
        if who.has_log() {
            toml += &format!(
                "\n[policy]\nrules = {}\nschema = {}\n",
                text(&trust.join("consortium.cedar")),
                text(&trust.join("schema.cedarschema")),
            );
        }
        toml += &self.role(who);
        let file = folder.join("node.toml");
        write(&file, toml.as_bytes())?;
        Ok(file)
    }

    fn role(&self, who: Who) -> String {
        let hospital = |ae_title: &str, law: &str, language: &str, resident: bool| {
            let reports = self.reports(who);
            format!(
                "\n[hospital]\nae_title = \"{ae_title}\"\ndicom_listen = \"127.0.0.1:0\"\n\
                 allow = [{{ ae_title = \"{PACS_AE}\", address = \"127.0.0.1\" }}]\n\
                 orders = \"from-dicom-header\"\nquiet_period = \"2s\"\njurisdiction = \"{law}\"\n\
                 report_language = \"{language}\"\nreserve = \"64MiB\"\n\n[[hospital.rules]]\n\
                 name = \"everything\"\naction = \"offer\"\nresident = {resident}\n\n\
                 [hospital.delivery]\nkind = \"folder\"\nfolder = {}\n",
                quoted(reports.to_string_lossy().as_ref()),
            )
        };
        match who {
            Who::Relay => "\n[relay]\n".to_owned(),
            Who::Witness => "\n[witness]\n".to_owned(),
            Who::HospitalA => hospital(HOSPITAL_A_AE, "DE", "de", false),
            Who::HospitalB => hospital(HOSPITAL_B_AE, "KR", "ko", true),
            Who::Reader | Who::Unlicensed => "\n[reader]\ncountry = \"DE\"\nslots = 16\n\
                 dicomweb_listen = \"127.0.0.1:0\"\nsession = \"8h\"\nmemory = \"2GiB\"\n"
                .to_owned(),
        }
    }

    /// Where a hospital's reports are delivered to.
    pub(super) fn reports(&self, who: Who) -> PathBuf {
        self.folder(who).join("reports")
    }

    /// A node's control socket.
    pub(super) fn socket(&self, who: Who) -> PathBuf {
        self.folder(who).join("control.sock")
    }
}

/// The AE titles of the play.
pub(super) const PACS_AE: &str = "DEMO_PACS";
pub(super) const HOSPITAL_A_AE: &str = "HOSPITAL_A";
pub(super) const HOSPITAL_B_AE: &str = "HOSPITAL_B";

/// All founders sign the genesis.
fn found(council: &[SigningKey], now: u64) -> anyhow::Result<Vec<u8>> {
    let mut members: Vec<CouncilMember> = FOUNDERS
        .iter()
        .zip(council)
        .map(|((organisation, country), key)| CouncilMember {
            organisation: (*organisation).to_owned(),
            country: (*country).to_owned(),
            key: key.verifying_key(),
        })
        .collect();
    members.sort_by_key(|member| member.key);
    let name = "radmesh demo".to_owned();
    let genesis = Genesis {
        name,
        threshold: THRESHOLD,
        council: members,
        created: now,
    };
    let signed = Paper::Genesis(genesis).sign(&council.iter().collect::<Vec<_>>())?;
    let (_, hash) = Genesis::open(&signed)?;
    anyhow::ensure!(
        hash == Digest::sha256(&signed),
        "the genesis has another hash"
    );
    Ok(signed)
}

/// What the council found a reader competent for; one has no licence, and is like the other else.
fn competences(credential: &mut Credential, who: Who, modalities: &[String]) {
    let licence = |jurisdiction: &str| Licence {
        jurisdiction: jurisdiction.to_owned(),
        authority: "Demo medical board".to_owned(),
        number: format!("DEMO-{jurisdiction}"),
        not_before: credential.not_before,
        not_after: credential.not_after,
    };
    if who == Who::Reader {
        credential.licences = vec![licence("DE"), licence("KR")];
    }
    credential.languages = ["de", "en", "ko"].map(str::to_owned).to_vec();
    credential.modalities = MODALITIES.iter().map(|name| (*name).to_owned()).collect();
    let known = |name: &&String| protocol::member::check::is_modality(name);
    credential
        .modalities
        .extend(modalities.iter().filter(known).cloned());
    credential.modalities.sort();
    credential.modalities.dedup();
}

/// Where a node listens. A relay must say where others reach it, so its port is chosen beforehand.
fn listen(who: Who) -> anyhow::Result<String> {
    let on = |port: u16| {
        format!("[\"/ip4/127.0.0.1/udp/{port}/quic-v1\", \"/ip4/127.0.0.1/tcp/{port}\"]")
    };
    if who != Who::Relay {
        return Ok(format!("listen = {}\n", on(0)));
    }
    let free = on(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    Ok(format!("listen = {free}\nexternal = {free}\n"))
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    Ok(files::create(file, bytes, Readers::Anybody)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Trust};

    #[test]
    fn every_node_s_papers_and_configuration_hold() {
        let root = tempfile::tempdir().expect("a folder");
        let world = World::found(root.path(), &["CT".to_owned()]).expect("founded");
        for who in EVERYBODY {
            let file = world.configure(who, &[]).expect("configured");
            let settings = Settings::load(&file).expect("a good configuration");
            let trust = Trust::load(&settings, clock::wall()).expect("good papers");
            assert_eq!(
                (trust.roster.len(), trust.ignored.len()),
                (EVERYBODY.len(), 0)
            );
            let licences = trust.own.credential.licences.len();
            assert_eq!(licences, if who == Who::Reader { 2 } else { 0 });
        }
    }
}
