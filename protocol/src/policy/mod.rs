//! Policy: facts in, a decision with its rules out. Deny by default; a policy that errors denies.

pub mod facts;

#[cfg(feature = "policy")]
pub mod cedar;

use crypto::digest::Digest;

pub use facts::Facts;

/// What a policy made of the facts of one release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The release may go.
    pub allowed: bool,
    /// Identifiers (`@id`) of the rules that decided, sorted.
    pub rules: Vec<String>,
    /// The legal basis (`@legal_basis`) that the deciding rules name, sorted and joined by "; ".
    pub basis: String,
    /// Rules that could not be evaluated, sorted; any of them makes `allowed` false.
    pub errors: Vec<String>,
    /// SHA-256 of the exact policy text.
    pub policy_hash: Digest,
    /// The engine and its version, as `cedar-policy 4.x.y`.
    pub engine: String,
}

/// Something that decides: in production Cedar over the hospital's policy text.
pub trait Decide: Send + Sync {
    /// Decides one release. Total and pure: the same facts give the same decision.
    fn decide(&self, facts: &Facts) -> Decision;

    /// SHA-256 of the exact policy text.
    fn policy_hash(&self) -> Digest;
}
