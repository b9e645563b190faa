//! A credential: what the consortium says of one member, signed by k of its council.

use crypto::keys::VerifyingKey;

use crate::ids::{NodeId, PersonId};

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberKind {
    /// Owns studies and cases.
    Hospital,
    /// A person who reads, at a desk.
    Reader,
    /// Cosigns checkpoints.
    Witness,
    /// Carries others' traffic.
    Relay,
}

/// One licence to practise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// ISO 3166-1 alpha-2.
    pub jurisdiction: String,
    /// Who issued it.
    pub authority: String,
    /// Its number.
    pub number: String,
    /// Seconds since the Unix epoch, inclusive.
    pub not_before: u64,
    /// Seconds since the Unix epoch, exclusive.
    pub not_after: u64,
}

/// A credential's content. Payload type `application/vnd.radmesh.credential.v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// SHA-256 of the genesis envelope of the consortium it belongs to.
    pub genesis: crypto::digest::Digest,
    /// Unique within the consortium.
    pub serial: u64,
    /// What the member is.
    pub kind: MemberKind,
    /// Organisation.
    pub organisation: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The node's transport key.
    pub node: NodeId,
    /// Verifier key of the member's log (signed-note vkey text), for hospitals and readers.
    pub log: Option<String>,
    /// Verifier key of the witness's cosignatures (vkey text, type 04), for witnesses.
    pub witness: Option<String>,
    /// The key that signs grants, for hospitals.
    pub hospital_key: Option<VerifyingKey>,
    /// The person's signing key, for readers.
    pub person: Option<PersonId>,
    /// Licences, for readers.
    pub licences: Vec<Licence>,
    /// Languages (BCP 47), for readers.
    pub languages: Vec<String>,
    /// Modalities, for readers.
    pub modalities: Vec<String>,
    /// Subspecialties, for readers.
    pub subspecialties: Vec<String>,
    /// Seconds since the Unix epoch, inclusive.
    pub not_before: u64,
    /// Seconds since the Unix epoch, exclusive.
    pub not_after: u64,
}
