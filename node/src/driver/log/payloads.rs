//! How the payloads of entries are sealed, and what is in them.

use protocol::ids::SubjectId;
use zeroize::Zeroizing;

use crate::store::payloads::SealedPayload;

/// Why a payload is not sealed or opened, in words without patient data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadFault {
    /// Its subject's key was destroyed.
    #[error("payload: its subject was erased")]
    Erased,
    /// Anything else.
    #[error("payload: {0}")]
    Failed(String),
}

impl PayloadFault {
    /// From any error whose text names no patient.
    pub fn of(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// An opened payload.
pub struct Unsealed {
    /// Whose it is; `None` for the node's own.
    pub subject: Option<SubjectId>,
    /// The openings, encoded.
    pub openings: Zeroizing<Vec<u8>>,
}

/// Seals payloads under their subjects' keys. All calls block.
pub trait PayloadSeal: Send + Sync + 'static {
    /// Seals the payload of entry `index` under its subject's key.
    ///
    /// # Errors
    /// [`PayloadFault`].
    fn seal(
        &self,
        index: u64,
        subject: Option<SubjectId>,
        openings: &[u8],
    ) -> Result<SealedPayload, PayloadFault>;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_keeps_its_subject() {
        let subject = SubjectId::from_bytes([7; 32]);
        for subject in [Some(subject), None] {
            let read = unframe(&frame(subject, b"openings")).expect("a frame");
            assert_eq!(read.subject, subject);
            assert_eq!(read.openings.as_slice(), b"openings");
        }
    }

    #[test]
    fn anything_else_is_no_frame() {
        for bad in [b"".as_slice(), &[2, 0, 0], &[1; 32]] {
            assert!(unframe(bad).is_none());
        }
    }
}
