//! A desk session: the person says which node they sit at, until when, and to which prekey to seal.

use super::{DocumentError, is_sized, open};
use crate::ids::{NodeId, PersonId};
use crate::limits;
use crate::time::{Wall, micros};
use crate::wire::bounds::{first_wrong, is_country};
use crypto::keys::{AgreementPublic, VerifyingKey};

/// Payload of a session certificate. Signed by the person's key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Session {
    /// Format: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The person, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub person: Vec<u8>,
    /// The desk's node, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub node: Vec<u8>,
    /// X25519 public key that releases are sealed to; its secret dies with the lease and its grace.
    #[prost(bytes = "vec", tag = "4")]
    pub prekey: Vec<u8>,
    /// Microseconds since the Unix epoch, inclusive.
    #[prost(uint64, tag = "5")]
    pub not_before_us: u64,
    /// Microseconds since the Unix epoch, exclusive.
    #[prost(uint64, tag = "6")]
    pub not_after_us: u64,
    /// Where the desk says it is (ISO 3166-1 alpha-2).
    #[prost(string, tag = "7")]
    pub country: String,
}

super::document!(
    Session,
    "session certificate",
    "application/vnd.radmesh.session.v1",
    limits::SESSION_CERTIFICATE_MAX,
    |session| {
        first_wrong(&[
            (is_sized(&session.person, PersonId::LEN), "person"),
            (is_sized(&session.node, NodeId::LEN), "node"),
            (is_sized(&session.prekey, 32), "prekey"),
            (is_country(&session.country), "country"),
        ])
    }
);

/// A session that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedSession {
    /// The person.
    pub person: PersonId,
    /// Where releases are sealed to.
    pub prekey: [u8; 32],
    /// Where the desk says it is.
    pub country: String,
    /// Microseconds since the Unix epoch.
    pub not_after_us: u64,
}

/// Checks a session certificate: signed by `person`, for `node`, valid at `wall`, no longer than a
/// shift.
///
/// # Errors
/// [`DocumentError`] with what does not hold.
pub fn check(
    envelope: &[u8],
    person: PersonId,
    node: NodeId,
    wall: Wall,
) -> Result<CheckedSession, DocumentError> {
    const WHAT: &str = "session certificate";
    let signer = VerifyingKey::from_bytes(person.as_bytes())
        .map_err(|_| DocumentError::Field(WHAT, "person"))?;
    let session: Session = open(envelope, &signer)?;
    if session.person != person.as_bytes() {
        return Err(DocumentError::Mismatch(WHAT, "person"));
    }
    if session.node != node.as_bytes() {
        return Err(DocumentError::Mismatch(WHAT, "node"));
    }
    let prekey: [u8; 32] = session
        .prekey
        .as_slice()
        .try_into()
        .map_err(|_| DocumentError::Field(WHAT, "prekey"))?;
    AgreementPublic::from_bytes(&prekey).map_err(|_| DocumentError::Field(WHAT, "prekey"))?;
    let skew = micros(limits::SKEW_MAX);
    let span = session.not_after_us.saturating_sub(session.not_before_us);
    let early = wall.unix_us.saturating_add(skew) < session.not_before_us;
    if early || wall.unix_us >= session.not_after_us || span > micros(limits::SESSION_MAX) {
        return Err(DocumentError::Expired(WHAT));
    }
    if session.country.len() != 2 {
        return Err(DocumentError::Field(WHAT, "country"));
    }
    Ok(CheckedSession {
        person,
        prekey,
        country: session.country,
        not_after_us: session.not_after_us,
    })
}
