//! The roster: members whose credentials enough of the council signed, and how to find them.
//!
//! Admission does not depend on the order in which credentials are read, but for two that claim one
//! key or log at the same time: the first holds it until its credential ends.

use std::collections::BTreeMap;

use crypto::digest::Digest;
use crypto::envelope::{Envelope, EnvelopeError, digest_of};
use crypto::keys::VerifyingKey;

use super::credential::{CREDENTIAL_TYPE, Credential, CredentialError, MemberKind};
use super::genesis::Genesis;
use crate::ids::{NodeId, PersonId};
use crate::limits;
use crate::time::Wall;

/// One member, with the exact envelope that made it one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the council signed.
    pub credential: Credential,
    /// The exact envelope.
    pub envelope: Vec<u8>,
    /// SHA-256 of the exact envelope.
    pub digest: Digest,
}

/// Why somebody is no member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The envelope is refused, or too few of the council signed.
    #[error("credential: {0}")]
    Envelope(#[from] EnvelopeError),
    /// The credential in it is refused.
    #[error("{0}")]
    Credential(#[from] CredentialError),
    /// It names another genesis.
    #[error("the credential belongs to another consortium")]
    OtherConsortium,
    /// It has ended.
    #[error("the credential of node {0} has expired")]
    Expired(NodeId),
    /// It holds from a later time on.
    #[error("the credential of node {0} is not valid yet")]
    NotYet(NodeId),
    /// Another credential has this serial number.
    #[error("serial number {0} stands for another credential")]
    SerialReused(u64),
    /// The node has a newer credential.
    #[error("node {node} has a newer credential: serial number {newer}")]
    Superseded {
        /// The node.
        node: NodeId,
        /// The serial number of its newer credential.
        newer: u64,
    },
    /// A key or a log origin in it belongs to another member.
    #[error("{what} of the credential belongs to node {holder}")]
    Taken {
        /// What is claimed twice.
        what: &'static str,
        /// The node that has it.
        holder: NodeId,
    },
    /// A key in it is a council key, which signs credentials and nothing else.
    #[error("a key of the credential is a council key")]
    CouncilKey,
    /// The roster is at its bound.
    #[error("the roster is full")]
    Full,
    /// No credential of this node is known.
    #[error("node {0} is no member")]
    Unknown(NodeId),
    /// The member is of another kind.
    #[error("node {node} is no {wanted}")]
    Kind {
        /// The node.
        node: NodeId,
        /// What it would have to be.
        wanted: &'static str,
    },
}

/// The members of one consortium.
#[derive(Clone, Debug)]
pub struct Roster {
    genesis: Genesis,
    genesis_hash: Digest,
    members: BTreeMap<NodeId, Member>,
    /// Every public key in use, whatever it is for: no key has two uses or two holders.
    keys: BTreeMap<VerifyingKey, NodeId>,
    /// Log origins: the names that stand in checkpoints.
    origins: BTreeMap<String, NodeId>,
    /// Serial numbers seen, with the digest of their payload (signers may differ).
    serials: BTreeMap<u64, Digest>,
}

impl Roster {
    /// The roster of the consortium with this genesis and hash, as [`Genesis::open`] gave them.
    #[must_use]
    pub const fn new(genesis: Genesis, genesis_hash: Digest) -> Self {
        Self {
            genesis,
            genesis_hash,
            members: BTreeMap::new(),
            keys: BTreeMap::new(),
            origins: BTreeMap::new(),
            serials: BTreeMap::new(),
        }
    }

    /// Admits the member that this credential envelope names. The same credential twice changes
    /// nothing; a newer one (later start, then higher serial number) replaces its node's older one;
    /// what an expired member held is free. A renewal that starts later is refused until then, so
    /// that it does not end what holds now.
    ///
    /// # Errors
    /// [`MemberError`]; the roster is unchanged.
    pub fn admit(&mut self, envelope: &[u8], now: Wall) -> Result<&Member, MemberError> {
        let credential = self.open(envelope)?;
        let node = credential.node;
        check_time(&credential, now)?;
        let payload = Digest::sha256(&credential.encode());
        match self.serials.get(&credential.serial) {
            Some(known) if *known != payload => {
                return Err(MemberError::SerialReused(credential.serial));
            }
            None if self.serials.len() >= limits::SERIALS_MAX => return Err(MemberError::Full),
            Some(_) | None => {}
        }
        if let Some(current) = self.members.get(&node) {
            if current.credential.serial == credential.serial {
                return self.by_node(&node).ok_or(MemberError::Unknown(node));
            }
            if age(&current.credential) > age(&credential) {
                return Err(MemberError::Superseded {
                    node,
                    newer: current.credential.serial,
                });
            }
        } else if self.members.len() >= limits::MEMBERS_MAX {
            return Err(MemberError::Full);
        }
        let displaced = self.claims(&credential, now)?;
        for holder in displaced {
            self.remove(&holder);
        }
        self.remove(&node);
        self.insert(credential, envelope, payload)?;
        self.by_node(&node).ok_or(MemberError::Unknown(node))
    }

    /// The consortium's genesis.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// SHA-256 of the genesis envelope.
    #[must_use]
    pub const fn genesis_hash(&self) -> Digest {
        self.genesis_hash
    }

    /// The member at this node, whether or not its credential holds now.
    #[must_use]
    pub fn by_node(&self, node: &NodeId) -> Option<&Member> {
        self.members.get(node)
    }

    /// The member who is this person.
    #[must_use]
    pub fn by_person(&self, person: &PersonId) -> Option<&Member> {
        let key = VerifyingKey::from_bytes(person.as_bytes()).ok()?;
        let member = self.members.get(self.keys.get(&key)?)?;
        (member.credential.person == Some(*person)).then_some(member)
    }

    /// The member whose log has this origin.
    #[must_use]
    pub fn by_origin(&self, origin: &str) -> Option<&Member> {
        self.members.get(self.origins.get(origin)?)
    }

    /// The member at this node, if its credential holds now.
    ///
    /// # Errors
    /// [`MemberError::Unknown`], [`MemberError::NotYet`] or [`MemberError::Expired`].
    pub fn valid_node(&self, node: &NodeId, now: Wall) -> Result<&Member, MemberError> {
        let member = self.by_node(node).ok_or(MemberError::Unknown(*node))?;
        check_time(&member.credential, now)?;
        Ok(member)
    }

    /// The member at this node, if it is of this kind and its credential holds now.
    ///
    /// # Errors
    /// [`MemberError::Kind`], and what [`Self::valid_node`] says.
    pub fn valid_kind(
        &self,
        node: &NodeId,
        kind: MemberKind,
        now: Wall,
    ) -> Result<&Member, MemberError> {
        let member = self.valid_node(node, now)?;
        match member.credential.kind == kind {
            true => Ok(member),
            false => Err(MemberError::Kind {
                node: *node,
                wanted: kind.name(),
            }),
        }
    }

    /// All members, ascending by node.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody was admitted yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Opens an envelope that enough of the council signed, for this consortium.
    fn open(&self, envelope: &[u8]) -> Result<Credential, MemberError> {
        let opened = Envelope::decode(envelope)?;
        opened.verify_threshold(
            CREDENTIAL_TYPE,
            &self.genesis.keys(),
            self.genesis.threshold,
        )?;
        let credential = Credential::decode(&opened.payload)?;
        if credential.genesis != self.genesis_hash {
            return Err(MemberError::OtherConsortium);
        }
        let council = self.genesis.keys();
        if credential.keys()?.iter().any(|key| council.contains(key)) {
            return Err(MemberError::CouncilKey);
        }
        Ok(credential)
    }

    /// Which expired members must go so that this credential can have its keys and its origin.
    fn claims(&self, credential: &Credential, now: Wall) -> Result<Vec<NodeId>, MemberError> {
        let mut holders = Vec::new();
        for key in credential.keys()? {
            holders.extend(self.keys.get(&key).map(|holder| ("a key", *holder)));
        }
        if let Some(log) = credential.log_key()? {
            let holder = self.origins.get(log.name().as_str());
            holders.extend(holder.map(|holder| ("the log origin", *holder)));
        }
        holders.retain(|(_, holder)| *holder != credential.node);
        for (what, holder) in &holders {
            let ended = self
                .members
                .get(holder)
                .is_none_or(|member| has_ended(&member.credential, now));
            if !ended {
                return Err(MemberError::Taken {
                    what,
                    holder: *holder,
                });
            }
        }
        Ok(holders.into_iter().map(|(_, holder)| holder).collect())
    }

    fn insert(
        &mut self,
        credential: Credential,
        envelope: &[u8],
        payload: Digest,
    ) -> Result<(), MemberError> {
        let node = credential.node;
        for key in credential.keys()? {
            self.keys.insert(key, node);
        }
        if let Some(log) = credential.log_key()? {
            self.origins.insert(log.name().as_str().to_owned(), node);
        }
        self.serials.insert(credential.serial, payload);
        let member = Member {
            credential,
            envelope: envelope.to_vec(),
            digest: digest_of(envelope),
        };
        self.members.insert(node, member);
        Ok(())
    }

    /// Takes a member out; its serial number stays known.
    fn remove(&mut self, node: &NodeId) {
        self.members.remove(node);
        self.keys.retain(|_, holder| holder != node);
        self.origins.retain(|_, holder| holder != node);
    }
}

/// What makes one credential of a node newer than another.
const fn age(credential: &Credential) -> (u64, u64) {
    (credential.not_before, credential.serial)
}

/// Whether a credential holds now, and if not, on which side.
fn check_time(credential: &Credential, now: Wall) -> Result<(), MemberError> {
    if credential.is_valid_at(now) {
        return Ok(());
    }
    match has_ended(credential, now) {
        true => Err(MemberError::Expired(credential.node)),
        false => Err(MemberError::NotYet(credential.node)),
    }
}

/// Whether a credential that does not hold now has held before.
fn has_ended(credential: &Credential, now: Wall) -> bool {
    !credential.is_valid_at(now)
        && credential.not_before <= now.unix_us.saturating_add(now.uncertainty_us) / 1_000_000
}

#[cfg(test)]
mod tests;
