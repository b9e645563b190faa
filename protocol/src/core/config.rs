//! What a core is told once: who it is, whom it trusts, what its roles are.

use std::sync::Arc;

use crypto::log::quorum::Quorum;
use crypto::note::VerifierKey;

use crate::case::rules::Rule;
use crate::ids::{NodeId, PersonId};
use crate::member::Roster;
use crate::policy::Decide;

/// The public side of this node's keys. Private keys are behind effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicIdentity {
    /// This node.
    pub node: NodeId,
    /// Its organisation, as its credential names it.
    pub organisation: String,
    /// Its country (ISO 3166-1 alpha-2).
    pub country: String,
    /// The verifier key of its own log.
    pub log: VerifierKey,
}

/// The hospital role.
#[derive(Clone, Debug)]
pub struct OwnerConfig {
    /// How long a study must be quiet before it counts as complete.
    pub quiet: std::time::Duration,
    /// Which study opens a case; first match wins.
    pub rules: Vec<Rule>,
}

/// The reader role.
#[derive(Clone, Debug)]
pub struct ReaderConfig {
    /// The person at this desk.
    pub person: PersonId,
    /// Claim the most pressing offer whenever there is a free slot.
    pub auto_claim: bool,
}

/// Everything a core is told once.
pub struct CoreConfig {
    /// Who it is.
    pub identity: PublicIdentity,
    /// Who is in the consortium.
    pub roster: Roster,
    /// Which logs and witnesses count, and how many.
    pub quorum: Quorum,
    /// The hospital's policy, or what a reader accepts.
    pub policy: Arc<dyn Decide>,
    /// The hospital role, if it has it.
    pub owner: Option<OwnerConfig>,
    /// The reader role, if it has it.
    pub reader: Option<ReaderConfig>,
}

/// Random seeds: both fresh from the operating system in production, never stored.
pub struct Seeds {
    /// For choices of the protocol (identifiers, jitter).
    pub protocol: [u8; 32],
    /// For nonces and salts of log entries.
    pub secret: [u8; 32],
}
