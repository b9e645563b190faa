//! What the trust files say: genesis, credentials, quorum and policy, read and checked together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crypto::envelope::MAX_ENCODED_LEN;
use crypto::log::quorum::{MAX_POLICY_LEN, Quorum};
use protocol::limits;
use protocol::member::{
    Genesis, GenesisError, Member, MemberError, MemberKind, QuorumPaper, QuorumPaperError, Roster,
};
use protocol::policy::cedar::{CedarPolicy, PolicyError};
use protocol::time::Wall;

use super::settings::{ConsortiumSettings, PolicySettings, Settings};
use crate::files::{self, FileError};

/// The ending of a credential's file.
pub const CREDENTIAL_ENDING: &str = "credential";

/// Files in a credentials folder that are looked at: each member, and each one's last renewals.
const FILES_MAX: usize = limits::SERIALS_MAX;

/// How a quorum file is signed.
const SIGN: &str = "`radmesh consortium quorum`, then `radmesh consortium sign`";

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The genesis is refused.
    #[error("{}: {source}", file.display())]
    Genesis {
        /// Its file.
        file: PathBuf,
        /// What is wrong.
        source: GenesisError,
    },
    /// This node's own credential is refused.
    #[error("{}: {source}", file.display())]
    Own {
        /// Its file.
        file: PathBuf,
        /// What is wrong.
        source: MemberError,
    },
    /// This node's own credential does not cover a role that it is configured for.
    #[error("{}: the credential is for a {is}, and the configuration has [{role}]", file.display())]
    Role {
        /// Its file.
        file: PathBuf,
        /// What the credential is for.
        is: &'static str,
        /// The section that it does not cover.
        role: &'static str,
    },
    /// What the council signed of the quorum file cannot be read; mostly, nobody asked it to.
    #[error("{source}: have the council sign {}: {SIGN}", quorum.display())]
    QuorumUnread {
        /// The quorum file.
        quorum: PathBuf,
        /// What is wrong with the file beside it.
        source: FileError,
    },
    /// The quorum file is not one that the council signed.
    #[error("{}: {source}: have the council sign {}: {SIGN}", file.display(), quorum.display())]
    Quorum {
        /// What is refused: the quorum file, or what the council signed of it.
        file: PathBuf,
        /// The quorum file.
        quorum: PathBuf,
        /// Why.
        source: QuorumPaperError,
    },
    /// The policy is refused.
    #[error("{}: {source}", file.display())]
    Policy {
        /// Its file.
        file: PathBuf,
        /// What is wrong.
        source: PolicyError,
    },
    /// More files than are looked at.
    #[error("{}: more than 16384 credentials: take out the expired ones", .0.display())]
    TooMany(PathBuf),
}

/// Whom a node trusts, and by which rules it decides.
pub struct Trust {
    /// The members.
    pub roster: Roster,
    /// This node.
    pub own: Member,
    /// Which witnesses count.
    pub quorum: Quorum,
    /// What decides on a release: there for a hospital and for a reader.
    pub policy: Option<Arc<CedarPolicy>>,
    /// Credentials that were not admitted, ascending by file: old, expired, not valid yet or bad.
    pub ignored: Vec<(PathBuf, MemberError)>,
}

impl Trust {
    /// Reads all trust files. A bad credential of somebody else is ignored and listed: it must not
    /// stop a hospital.
    ///
    /// # Errors
    /// [`TrustError`] names the file and what is wrong with it.
    pub fn load(settings: &Settings, now: Wall) -> Result<Self, TrustError> {
        let consortium = &settings.consortium;
        let envelope = files::read(&consortium.genesis, MAX_ENCODED_LEN as u64)?;
        let genesis =
            Genesis::open_pinned(&envelope, &consortium.genesis_hash).map_err(|source| {
                TrustError::Genesis {
                    file: consortium.genesis.clone(),
                    source,
                }
            })?;
        let quorum = load_quorum(consortium, &genesis)?;
        let mut roster = Roster::new(genesis, consortium.genesis_hash);
        // One's own first: nobody else's credential can then stand in its way.
        let own = files::read(&consortium.credential, MAX_ENCODED_LEN as u64)?;
        let own = roster
            .admit(&own, now)
            .map_err(|source| TrustError::Own {
                file: consortium.credential.clone(),
                source,
            })?
            .clone();
        covers(settings, &own)?;
        let ignored = admit_folder(&mut roster, &consortium.credentials, now)?;
        let own = roster.by_node(&own.credential.node).cloned().unwrap_or(own);
        covers(settings, &own)?;
        let policy = settings.policy.as_ref().map(load_policy).transpose()?;
        Ok(Self {
            roster,
            own,
            quorum,
            policy,
            ignored,
        })
    }
}

/// Reads the quorum file and what the council signed of it.
fn load_quorum(consortium: &ConsortiumSettings, genesis: &Genesis) -> Result<Quorum, TrustError> {
    let paper_file = consortium.quorum_paper();
    let refused = |file: &Path, source| TrustError::Quorum {
        file: file.to_owned(),
        quorum: consortium.quorum.clone(),
        source,
    };
    let file = files::read(&consortium.quorum, MAX_POLICY_LEN as u64)?;
    let envelope = files::read(&paper_file, MAX_ENCODED_LEN as u64).map_err(|source| {
        TrustError::QuorumUnread {
            quorum: consortium.quorum.clone(),
            source,
        }
    })?;
    let paper = QuorumPaper::open(&envelope, (genesis, consortium.genesis_hash))
        .map_err(|error| refused(&paper_file, error))?;
    paper
        .admit(&file)
        .map_err(|error| refused(&consortium.quorum, error))
}

/// Reads a policy and holds it against its schema.
///
/// # Errors
/// [`TrustError::File`] or [`TrustError::Policy`].
pub fn load_policy(policy: &PolicySettings) -> Result<Arc<CedarPolicy>, TrustError> {
    let most = limits::POLICY_MAX as u64;
    let rules = files::read_text(&policy.rules, most)?;
    let schema = files::read_text(&policy.schema, most)?;
    CedarPolicy::parse(&rules, &schema)
        .map(Arc::new)
        .map_err(|source| {
            let file = match source {
                PolicyError::Schema(_) | PolicyError::OtherQuestion(_) => &policy.schema,
                PolicyError::TooLong(_)
                | PolicyError::Policy(_)
                | PolicyError::Empty
                | PolicyError::Template
                | PolicyError::Id(_)
                | PolicyError::RepeatedId(_)
                | PolicyError::LegalBasis(_)
                | PolicyError::Invalid { .. } => &policy.rules,
            };
            TrustError::Policy {
                file: file.clone(),
                source,
            }
        })
}

/// Admits every credential of a folder; those that are not admitted come back with the reason.
///
/// # Errors
/// [`TrustError`]: the folder or a file cannot be read.
pub fn admit_folder(
    roster: &mut Roster,
    folder: &Path,
    now: Wall,
) -> Result<Vec<(PathBuf, MemberError)>, TrustError> {
    let mut ignored = Vec::new();
    let listed = files::list(folder, CREDENTIAL_ENDING, FILES_MAX)?;
    for file in listed.ok_or_else(|| TrustError::TooMany(folder.to_owned()))? {
        let envelope = files::read(&file, MAX_ENCODED_LEN as u64)?;
        if let Err(error) = roster.admit(&envelope, now) {
            ignored.push((file, error));
        }
    }
    Ok(ignored)
}

/// Whether the node's own credential covers each role that it is configured for.
fn covers(settings: &Settings, own: &Member) -> Result<(), TrustError> {
    let credential = &own.credential;
    let missing = [
        (
            "hospital",
            settings.hospital.is_some(),
            credential.kind == MemberKind::Hospital,
        ),
        (
            "reader",
            settings.reader.is_some(),
            credential.kind == MemberKind::Reader,
        ),
        (
            "witness",
            settings.witness.is_some(),
            credential.witness.is_some(),
        ),
    ]
    .into_iter()
    .find(|(_, wanted, has)| *wanted && !*has);
    match missing {
        Some((role, _, _)) => Err(TrustError::Role {
            file: settings.consortium.credential.clone(),
            is: credential.kind.name(),
            role,
        }),
        None => Ok(()),
    }
}
