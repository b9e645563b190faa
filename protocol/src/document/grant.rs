//! A grant: one release to one person at one desk, signed by the hospital. Its fence is its own log
//! index.

use super::is_sized;
use crate::ids::{NodeId, OfferId, PersonId};
use crate::limits;
use crate::wire::bounds::{are_rules, first_wrong, is_country, is_language};

/// What the hospital's shell prepared for a release: a sealed manifest and a box with the key that
/// opens it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Prepared {
    /// HPKE box (suite, encapsulated key, ciphertext) to the desk's prekey with the 32-byte release
    /// key.
    #[prost(bytes = "vec", tag = "1")]
    pub sealed_release_key: Vec<u8>,
    /// Commitment to the release key: ChaCha20-Poly1305 alone commits to no key.
    #[prost(bytes = "vec", tag = "2")]
    pub release_key_commitment: Vec<u8>,
    /// Internal identifier that the manifest is sealed under, 16 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub manifest_id: Vec<u8>,
    /// SHA-256 of the sealed manifest.
    #[prost(bytes = "vec", tag = "4")]
    pub manifest_digest: Vec<u8>,
    /// Bytes of the manifest before sealing.
    #[prost(uint64, tag = "5")]
    pub manifest_length: u64,
    /// The manifest's root (`transfer::manifest::root`), which a report signs.
    #[prost(bytes = "vec", tag = "6")]
    pub manifest_root: Vec<u8>,
    /// Objects in it.
    #[prost(uint64, tag = "7")]
    pub objects: u64,
    /// Ciphertext bytes in all.
    #[prost(uint64, tag = "8")]
    pub bytes: u64,
}

/// Payload of a grant.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Grant {
    /// Format: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The offer that was claimed: the recipient's name for the case.
    #[prost(bytes = "vec", tag = "2")]
    pub offer: Vec<u8>,
    /// The owner's node.
    #[prost(bytes = "vec", tag = "3")]
    pub owner: Vec<u8>,
    /// The reader.
    #[prost(bytes = "vec", tag = "4")]
    pub person: Vec<u8>,
    /// The desk.
    #[prost(bytes = "vec", tag = "5")]
    pub node: Vec<u8>,
    /// The prekey that was sealed to.
    #[prost(bytes = "vec", tag = "6")]
    pub prekey: Vec<u8>,
    /// The index of this grant's entry in the owner's log.
    #[prost(uint64, tag = "7")]
    pub fence: u64,
    /// How long the lease lasts without a renewal, microseconds.
    #[prost(uint64, tag = "8")]
    pub lease_us: u64,
    /// When the grant ends whatever is renewed, microseconds since the Unix epoch.
    #[prost(uint64, tag = "9")]
    pub expires_us: u64,
    /// The release.
    #[prost(message, optional, tag = "10")]
    pub prepared: Option<Prepared>,
    /// SHA-256 of the policy text that allowed it.
    #[prost(bytes = "vec", tag = "11")]
    pub policy_hash: Vec<u8>,
    /// The deciding rules, sorted.
    #[prost(string, repeated, tag = "12")]
    pub rules: Vec<String>,
    /// Country that the data is in.
    #[prost(string, tag = "13")]
    pub from_country: String,
    /// Country that it is seen from.
    #[prost(string, tag = "14")]
    pub to_country: String,
    /// Language of the report wanted (BCP 47).
    #[prost(string, tag = "15")]
    pub report_language: String,
    /// Serial number of the reader's credential.
    #[prost(uint64, tag = "16")]
    pub credential: u64,
    /// The owner's log origin, which the proof must be of.
    #[prost(string, tag = "17")]
    pub log_origin: String,
}

super::document!(
    Grant,
    "grant",
    "application/vnd.radmesh.grant.v1",
    limits::GRANT_MAX,
    |grant| {
        first_wrong(&[
            (is_sized(&grant.offer, OfferId::LEN), "offer"),
            (is_sized(&grant.owner, NodeId::LEN), "owner"),
            (is_sized(&grant.person, PersonId::LEN), "person"),
            (is_sized(&grant.node, NodeId::LEN), "node"),
            (is_sized(&grant.prekey, 32), "prekey"),
            (grant.prepared.as_ref().is_none_or(is_bounded), "prepared"),
            (is_sized(&grant.policy_hash, 32), "policy_hash"),
            (are_rules(&grant.rules), "rules"),
            (is_country(&grant.from_country), "from_country"),
            (is_country(&grant.to_country), "to_country"),
            (is_language(&grant.report_language), "report_language"),
            (grant.log_origin.len() <= limits::LOG_NAME_MAX, "log_origin"),
        ])
    }
);

/// A release whose parts have their lengths.
fn is_bounded(prepared: &Prepared) -> bool {
    prepared.sealed_release_key.len() <= limits::SEALED_KEY_MAX
        && is_sized(&prepared.release_key_commitment, 32)
        && is_sized(&prepared.manifest_id, 16)
        && is_sized(&prepared.manifest_digest, 32)
        && is_sized(&prepared.manifest_root, 32)
}

/// What binds an HPKE box to its release: goes in as `info`.
pub const RELEASE_INFO: &[u8] = b"radmesh/release-key/1";

/// What an HPKE box of one release is bound to, as associated data: the offer and the manifest.
#[must_use]
pub fn release_aad(offer: &[u8], manifest_digest: &[u8]) -> Vec<u8> {
    [offer, manifest_digest].concat()
}
