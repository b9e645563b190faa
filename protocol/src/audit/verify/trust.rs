//! Whom the archive's consortium vouches for: genesis, credentials, quorum file, policy text.

use std::collections::BTreeMap;

use crypto::digest::Digest;
use crypto::envelope::Envelope;
use crypto::log::quorum::Quorum;
use crypto::note::{KeyName, VerifierKey};

use super::fault::{Check, Fault};
use super::remark::Remark;
use super::report::Report;
use super::{Options, Source};
use crate::audit::archive::FileName;
use crate::ids::NodeId;
use crate::member::{
    CREDENTIAL_TYPE, Credential, Genesis, MemberError, MemberKind, QuorumPaper, QuorumPaperError,
};
use crate::time::Wall;

/// What an archive's `trust` folder gave.
#[derive(Default)]
pub(in crate::audit) struct Trust {
    /// Credentials that the council signed, by serial.
    credentials: BTreeMap<u64, Credential>,
    /// The keys of their logs, by the same number: read once, needed for each release.
    keys: BTreeMap<u64, VerifierKey>,
    /// The quorum file, if the council signed it.
    pub(super) quorum: Option<Quorum>,
    /// SHA-256 of the policy text, if there is one.
    pub(in crate::audit) policy_hash: Option<Digest>,
    /// The policy, if it loads.
    #[cfg(feature = "policy")]
    pub(super) policy: Option<crate::policy::cedar::CedarPolicy>,
}

impl Trust {
    /// Opens the `trust` folder. What fails is noted and left out.
    pub(in crate::audit) fn open(
        source: &dyn Source,
        options: Options,
        report: &mut Report,
    ) -> Self {
        let mut trust = Self::default();
        if let Some((genesis, hash)) = open_genesis(source, options.genesis, report) {
            report.genesis = Some(hash);
            trust.open_credentials(source, (&genesis, hash), report);
            report.remark(Check::Credentials, None, Remark::Revocation);
            let paper = open_paper(source, (&genesis, hash), report);
            trust.open_quorum(source, paper, options.quorum, report);
        }
        let policy = super::read(source, FileName::Policy, Check::Decisions, report);
        let schema = super::read(source, FileName::Schema, Check::Decisions, report);
        trust.policy_hash = policy.as_ref().map(|text| Digest::sha256(text));
        if policy.is_some() {
            report.remark(Check::Decisions, None, Remark::PolicyUnsigned);
        }
        // Only disclosed facts are decided again: without them, both builds of the tool say the
        // same.
        #[cfg(feature = "policy")]
        if let (Some(policy), Some(schema), true) = (&policy, &schema, discloses(source)) {
            trust.policy = load(policy, schema, report);
        }
        #[cfg(not(feature = "policy"))]
        drop(schema);
        trust
    }

    fn open_credentials(
        &mut self,
        source: &dyn Source,
        genesis: (&Genesis, Digest),
        report: &mut Report,
    ) {
        let mut serials = Vec::new();
        source.each_path(&mut |path| {
            if let Some(FileName::Credential(serial)) = FileName::parse(path) {
                serials.push(serial);
            }
        });
        for serial in serials {
            let name = FileName::Credential(serial);
            let Some(bytes) = super::read(source, name, Check::Credentials, report) else {
                continue;
            };
            report.looked(Check::Credentials);
            match open_credential(&bytes, genesis) {
                Err(error) => report.fail(Check::Credentials, name, None, error),
                Ok(found) if found.serial != serial => {
                    let fault = Fault::OtherSerial(found.serial);
                    report.fail(Check::Credentials, name, None, fault);
                }
                Ok(credential) => {
                    let key = log_key(&credential);
                    self.keys.extend(key.map(|key| (serial, key)));
                    self.credentials.insert(serial, credential);
                }
            }
        }
    }

    /// Reads the quorum file. It says how the log is watched, so neither the log nor whoever packed
    /// the archive has a say in it: it counts only as the bytes that the council signed.
    fn open_quorum(
        &mut self,
        source: &dyn Source,
        paper: Option<QuorumPaper>,
        pinned: Option<Digest>,
        report: &mut Report,
    ) {
        let name = FileName::Quorum;
        let Some(bytes) = super::read(source, name, Check::Witnesses, report) else {
            return;
        };
        let found = Digest::sha256(&bytes);
        if let Some(pinned) = pinned.filter(|pinned| *pinned != found) {
            let fault = Fault::OtherQuorum { found, pinned };
            report.fail(Check::Witnesses, name, None, fault);
        }
        let Some(paper) = paper else { return };
        report.looked(Check::Witnesses);
        let quorum = match paper.admit(&bytes) {
            Ok(quorum) => quorum,
            Err(error) => return report.fail(Check::Witnesses, name, None, refused(error)),
        };
        report.quorum = Some(paper);
        if pinned.is_none() {
            let remark = Remark::QuorumNotPinned(paper.serial);
            report.remark(Check::Witnesses, None, remark);
        }
        for witness in quorum.witnesses() {
            let key = witness.key.to_string();
            let vouched = |c: &Credential| c.witness.as_deref() == Some(key.as_str());
            report.looked(Check::Witnesses);
            if !self.credentials.values().any(vouched) {
                let fault = Fault::UnknownWitness(witness.name.clone());
                report.fail(Check::Witnesses, name, None, fault);
            }
        }
        self.quorum = Some(quorum);
    }

    /// The keys that credentials name for the log of this name, newest credential first.
    pub(in crate::audit) fn log_keys(&self, origin: &KeyName) -> Vec<VerifierKey> {
        let keys = self.credentials.values().rev().filter_map(log_key);
        keys.filter(|key| key.name() == origin).collect()
    }

    /// The newest credential that names this key for its log.
    pub(super) fn of_log(&self, log: &VerifierKey) -> Option<&Credential> {
        self.credentials
            .values()
            .rev()
            .find(|credential| log_key(credential).as_ref() == Some(log))
    }

    /// The key that a credential of this folder names for its member's log.
    pub(super) fn log_key(&self, credential: &Credential) -> Option<&VerifierKey> {
        self.keys.get(&credential.serial)
    }

    /// The hospital's credential of this node that held at `wall`.
    pub(in crate::audit) fn hospital(&self, node: NodeId, wall: Wall) -> Option<&Credential> {
        let fits = |c: &&Credential| {
            c.kind == MemberKind::Hospital && c.node == node && c.is_valid_at(wall)
        };
        self.credentials.values().rev().find(fits)
    }

    /// The credential with this serial, whether it held or not.
    pub(in crate::audit) fn credential(&self, serial: u64) -> Option<&Credential> {
        self.credentials.get(&serial)
    }

    /// The reader's credential with this serial, if it held at `wall`.
    pub(in crate::audit) fn reader(&self, serial: u64, wall: Wall) -> Option<&Credential> {
        let found = self.credentials.get(&serial)?;
        (found.kind == MemberKind::Reader && found.is_valid_at(wall)).then_some(found)
    }
}

/// Whether the archive discloses any payload.
#[cfg(feature = "policy")]
fn discloses(source: &dyn Source) -> bool {
    let mut discloses = false;
    source.each_path(&mut |path| {
        discloses |= matches!(FileName::parse(path), Some(FileName::Opening(_)));
    });
    discloses
}

/// Loads the policy text with its schema, as the hospital did.
#[cfg(feature = "policy")]
fn load(
    policy: &[u8],
    schema: &[u8],
    report: &mut Report,
) -> Option<crate::policy::cedar::CedarPolicy> {
    let utf8 = |_| Fault::PolicyText("not UTF-8".to_owned());
    let text = std::str::from_utf8(policy).map_err(utf8);
    let schema = std::str::from_utf8(schema).map_err(utf8);
    let loaded = text
        .and_then(|text| Ok((text, schema?)))
        .and_then(|(text, schema)| {
            crate::policy::cedar::CedarPolicy::parse(text, schema)
                .map_err(|error| Fault::PolicyText(error.to_string()))
        });
    match loaded {
        Ok(policy) => Some(policy),
        Err(fault) => {
            report.fail(Check::Decisions, FileName::Policy, None, fault);
            None
        }
    }
}

/// The key of a member's log.
fn log_key(credential: &Credential) -> Option<VerifierKey> {
    credential.log_key().ok().flatten()
}

fn open_genesis(
    source: &dyn Source,
    pinned: Option<Digest>,
    report: &mut Report,
) -> Option<(Genesis, Digest)> {
    let name = FileName::Genesis;
    let bytes = super::read(source, name, Check::Genesis, report)?;
    report.looked(Check::Genesis);
    let opened = match pinned {
        None => Genesis::open(&bytes),
        Some(pinned) => Genesis::open_pinned(&bytes, &pinned).map(|genesis| (genesis, pinned)),
    };
    match opened {
        Ok((genesis, hash)) => {
            if pinned.is_none() {
                report.remark(Check::Genesis, None, Remark::GenesisFromArchive(hash));
            }
            Some((genesis, hash))
        }
        Err(error) => {
            report.fail(Check::Genesis, name, None, error);
            None
        }
    }
}

/// What the council signed of the quorum file.
fn open_paper(
    source: &dyn Source,
    genesis: (&Genesis, Digest),
    report: &mut Report,
) -> Option<QuorumPaper> {
    let name = FileName::QuorumPaper;
    let bytes = super::read(source, name, Check::Witnesses, report)?;
    match QuorumPaper::open(&bytes, genesis) {
        Ok(paper) => Some(paper),
        Err(error) => {
            report.fail(Check::Witnesses, name, None, refused(error));
            None
        }
    }
}

/// What a refused quorum file, or a refused paper for it, means here.
fn refused(error: QuorumPaperError) -> Fault {
    match error {
        QuorumPaperError::OtherFile { found, signed } => Fault::QuorumMismatch { found, signed },
        QuorumPaperError::Policy(error) => Fault::Policy(error),
        QuorumPaperError::NoWitness => Fault::NoWitnessDemanded,
        QuorumPaperError::Envelope(_)
        | QuorumPaperError::Malformed
        | QuorumPaperError::NotCanonical
        | QuorumPaperError::Version(_)
        | QuorumPaperError::OtherConsortium => Fault::QuorumUnsigned(error),
    }
}

/// A credential as the council signed it. Whether it held is a question of the time asked about,
/// and unlike in a roster an older one does not give way to its renewal: what happened under it is
/// still to be judged by it.
fn open_credential(
    bytes: &[u8],
    (genesis, hash): (&Genesis, Digest),
) -> Result<Credential, MemberError> {
    let envelope = Envelope::decode(bytes)?;
    let council = genesis.keys();
    envelope.verify_threshold(CREDENTIAL_TYPE, &council, genesis.threshold)?;
    let credential = Credential::decode(&envelope.payload)?;
    if credential.genesis != hash {
        return Err(MemberError::OtherConsortium);
    }
    if credential.keys()?.iter().any(|key| council.contains(key)) {
        return Err(MemberError::CouncilKey);
    }
    Ok(credential)
}
