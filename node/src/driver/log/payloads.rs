//! Where the sealed payloads of entries lie.

use crypto::digest::Digest;
use protocol::ids::SubjectId;
use zeroize::Zeroizing;

/// Why a payload is not sealed, kept or opened, in words without patient data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("payload: {0}")]
pub struct PayloadFault(pub String);

impl PayloadFault {
    /// From any error whose text names no patient.
    pub fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// A sealed payload: what is kept, and the digest that its entry holds.
pub struct Sealed {
    /// SHA-256 of `bytes`.
    pub digest: Digest,
    /// What is kept.
    pub bytes: Vec<u8>,
}

/// An opened payload.
pub struct Unsealed {
    /// Whose it is; `None` for the node's own.
    pub subject: Option<SubjectId>,
    /// The openings, encoded.
    pub openings: Zeroizing<Vec<u8>>,
}

/// Seals payloads per subject and keeps them. All calls block.
pub trait PayloadStore: Send + Sync + 'static {
    /// Seals the payload of entry `index` under its subject's key.
    ///
    /// # Errors
    /// [`PayloadFault`].
    fn seal(
        &self,
        index: u64,
        subject: Option<SubjectId>,
        openings: &[u8],
    ) -> Result<Sealed, PayloadFault>;

    /// Keeps payloads durably: they survive a power cut when this returns.
    ///
    /// # Errors
    /// [`PayloadFault`].
    fn keep(&self, payloads: Vec<(u64, Vec<u8>)>) -> Result<(), PayloadFault>;

    /// The sealed payload of an entry, as kept; its digest must be the entry's.
    ///
    /// # Errors
    /// [`PayloadFault`], also when there is none.
    fn sealed(&self, index: u64) -> Result<Vec<u8>, PayloadFault>;

    /// Opens a sealed payload of entry `index`.
    ///
    /// # Errors
    /// [`PayloadFault`], also when its key was erased.
    fn open(&self, index: u64, sealed: &[u8]) -> Result<Unsealed, PayloadFault>;
}

/// What is sealed: a flag, the subject where there is one, and the openings. The subject is in
/// there because the key's name is a keyed digest, from which a restart could not tell it.
#[must_use]
pub fn frame(subject: Option<SubjectId>, openings: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut framed = Zeroizing::new(Vec::with_capacity(1 + SubjectId::LEN + openings.len()));
    match subject {
        Some(subject) => {
            framed.push(1);
            framed.extend_from_slice(subject.as_bytes());
        }
        None => framed.push(0),
    }
    framed.extend_from_slice(openings);
    framed
}

/// Reads what [`frame`] made; `None` for anything else.
#[must_use]
pub fn unframe(framed: &[u8]) -> Option<Unsealed> {
    let (flag, rest) = framed.split_first()?;
    let (subject, openings) = match flag {
        0 => (None, rest),
        1 => {
            let (subject, openings) = rest.split_first_chunk::<{ SubjectId::LEN }>()?;
            (Some(SubjectId::from_bytes(*subject)), openings)
        }
        _ => return None,
    };
    Some(Unsealed {
        subject,
        openings: Zeroizing::new(openings.to_vec()),
    })
}
