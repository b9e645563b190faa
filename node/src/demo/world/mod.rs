//! The demo's consortium: three founding hospitals, members with keys and credentials, their
//! configurations. Everything is in one folder, and everything is what a real network has.

mod configure;
mod who;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use crypto::digest::Digest;
use crypto::keyfile::KdfParams;
use crypto::keys::{SigningKey, VerifyingKey};
use crypto::note::{KeyName, KeyType, VerifierKey};
use protocol::ids::{NodeId, PersonId};
use protocol::member::{
    CouncilMember, Credential, Genesis, Licence, MemberKind, Paper, QuorumPaper,
};
use rand_chacha::ChaCha20Rng;

use crate::config::CREDENTIAL_ENDING;
use crate::driver::clock;
use crate::files::{self, Readers};
use crate::keystore::{KeyKind, Keystore, Passphrase};
use crate::random;

pub(in crate::demo) use configure::{HOSPITAL_A_AE, HOSPITAL_B_AE, PACS_AE};
pub(in crate::demo) use who::{EVERYBODY, Who};

/// The policy that decides in the demo: the one that is shipped.
const POLICY: &str = include_str!("../../../../configs/policy/consortium.cedar");
const SCHEMA: &str = include_str!("../../../../configs/policy/schema.cedarschema");

/// The founders; two of the three sign each credential, and the quorum file.
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

/// A founded consortium.
pub(in crate::demo) struct World {
    root: PathBuf,
    genesis: Digest,
    members: Vec<(Who, Credential)>,
}

impl World {
    /// Makes keys, founds the consortium and signs everybody's credential.
    pub(in crate::demo) fn found(root: &Path, modalities: &[String]) -> anyhow::Result<Self> {
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
        let quorum = world.quorum()?;
        let paper = QuorumPaper::over(quorum.as_bytes(), hash, 1)?;
        write(&trust.join("quorum.policy"), quorum.as_bytes())?;
        let signed = Paper::Quorum(paper).sign(&signers)?;
        write(&trust.join("quorum.envelope"), &signed)?;
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
    pub(in crate::demo) fn node(&self, who: Who) -> anyhow::Result<NodeId> {
        Ok(self.member(who)?.node)
    }

    /// Everything of one node.
    pub(in crate::demo) fn folder(&self, who: Who) -> PathBuf {
        self.root.join(who.name())
    }

    /// The consortium's founding document, as everybody pins it.
    pub(in crate::demo) fn genesis(&self) -> Digest {
        self.genesis
    }

    fn credential_file(&self, serial: u64) -> PathBuf {
        self.root
            .join("trust/credentials")
            .join(format!("{serial}.{CREDENTIAL_ENDING}"))
    }

    /// Where a hospital's reports are delivered to.
    pub(in crate::demo) fn reports(&self, who: Who) -> PathBuf {
        self.folder(who).join("reports")
    }

    /// A node's control socket.
    pub(in crate::demo) fn socket(&self, who: Who) -> PathBuf {
        self.folder(who).join("control.sock")
    }
}

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
