//! Papers on their way to a signature: a request travels from one council member to the next.
//!
//! ```text
//! request = "RMR1" ‖ u16be type length ‖ type ‖ payload     not signed yet
//! paper   = a request, or an envelope with some signatures
//! ```
//!
//! Members may sign one after the other, or each a copy of their own: [`join`] puts copies
//! together.

use crypto::envelope::{Envelope, EnvelopeError, MAX_PAYLOAD_LEN, Signature, pae};
use crypto::keys::SigningKey;

use super::credential::{CREDENTIAL_TYPE, Credential, CredentialError};
use super::genesis::{GENESIS_TYPE, Genesis, GenesisError};
use super::quorum::{QUORUM_TYPE, QuorumPaper, QuorumPaperError};

/// First bytes of a request; the digit is the format's version.
const MAGIC: &[u8; 4] = b"RMR1";

/// What a paper says. Only these are signed by a council.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paper {
    /// The founding of a consortium.
    Genesis(Genesis),
    /// The admission or renewal of a member.
    Credential(Box<Credential>),
    /// Which witnesses must cosign: the commitment to a quorum file.
    Quorum(QuorumPaper),
}

/// Why a paper is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// Neither a request nor an envelope.
    #[error("not a request and not a signed paper")]
    NotAPaper,
    /// A payload type that no council signs.
    #[error("a council signs a genesis, a credential or a quorum file, not this type of paper")]
    Type,
    /// The envelope itself is refused.
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    /// The genesis in it is refused.
    #[error("{0}")]
    Genesis(#[from] GenesisError),
    /// The credential in it is refused.
    #[error("{0}")]
    Credential(#[from] CredentialError),
    /// The commitment in it is refused.
    #[error("{0}")]
    Quorum(#[from] QuorumPaperError),
    /// Copies that are to be put together say different things.
    #[error("the papers do not say the same: they cannot be put together")]
    Different,
}

impl Paper {
    /// The payload type that its envelope has.
    #[must_use]
    pub const fn payload_type(&self) -> &'static str {
        match self {
            Self::Genesis(_) => GENESIS_TYPE,
            Self::Credential(_) => CREDENTIAL_TYPE,
            Self::Quorum(_) => QUORUM_TYPE,
        }
    }

    /// The payload that is signed.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        match self {
            Self::Genesis(genesis) => genesis.encode(),
            Self::Credential(credential) => credential.encode(),
            Self::Quorum(paper) => paper.encode(),
        }
    }

    /// The request that is sent to the first signer.
    ///
    /// # Errors
    /// [`IssueError`]: nobody would accept what is in it.
    pub fn request(&self) -> Result<Vec<u8>, IssueError> {
        self.check()?;
        let payload_type = self.payload_type();
        let length = u16::try_from(payload_type.len()).map_err(|_| IssueError::Type)?;
        Ok([
            &MAGIC[..],
            &length.to_be_bytes(),
            payload_type.as_bytes(),
            &self.payload(),
        ]
        .concat())
    }

    /// Signs it with keys that are all at hand.
    ///
    /// # Errors
    /// [`IssueError`]: nobody would accept what is in it, or a key is given twice.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<Vec<u8>, IssueError> {
        self.check()?;
        Ok(Envelope::sign(self.payload_type(), self.payload(), keys)?.encode())
    }

    fn check(&self) -> Result<(), IssueError> {
        match self {
            Self::Genesis(genesis) => Ok(genesis.check()?),
            Self::Credential(credential) => Ok(credential.check()?),
            // Every value of its fields is a paper.
            Self::Quorum(_) => Ok(()),
        }
    }

    fn read(payload_type: &str, payload: &[u8]) -> Result<Self, IssueError> {
        match payload_type {
            GENESIS_TYPE => Ok(Self::Genesis(Genesis::decode(payload)?)),
            CREDENTIAL_TYPE => Ok(Self::Credential(Box::new(Credential::decode(payload)?))),
            QUORUM_TYPE => Ok(Self::Quorum(QuorumPaper::decode(payload)?)),
            _ => Err(IssueError::Type),
        }
    }
}

/// Reads a request or an envelope: what it says, and the signatures on it, each of them verified.
///
/// # Errors
/// [`IssueError`] says what is wrong.
pub fn read(paper: &[u8]) -> Result<(Paper, Vec<Signature>), IssueError> {
    if let Some(rest) = paper.strip_prefix(MAGIC.as_slice()) {
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(IssueError::NotAPaper)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (payload_type, payload) = rest.split_at_checked(length).ok_or(IssueError::NotAPaper)?;
        if payload.len() > MAX_PAYLOAD_LEN {
            return Err(IssueError::NotAPaper);
        }
        let payload_type = std::str::from_utf8(payload_type).map_err(|_| IssueError::Type)?;
        return Ok((Paper::read(payload_type, payload)?, Vec::new()));
    }
    let envelope = match Envelope::decode(paper) {
        Ok(envelope) => envelope,
        Err(EnvelopeError::Magic | EnvelopeError::Truncated) => return Err(IssueError::NotAPaper),
        Err(error) => return Err(error.into()),
    };
    let read = Paper::read(&envelope.payload_type, &envelope.payload)?;
    envelope.verify(read.payload_type())?;
    Ok((read, envelope.signatures))
}

/// Adds one signature to a request or an envelope. Show what [`read`] says to the signer first.
///
/// # Errors
/// [`IssueError`]: the paper is refused, or this key has signed it already.
pub fn add_signature(paper: &[u8], key: &SigningKey) -> Result<Vec<u8>, IssueError> {
    let (paper, mut signatures) = read(paper)?;
    let payload = paper.payload();
    let signature = key.sign(&pae(paper.payload_type(), &payload));
    signatures.push(Signature {
        key: key.verifying_key(),
        signature,
    });
    Ok(Envelope::new(paper.payload_type(), payload, signatures)?.encode())
}

/// Puts copies of one paper together that were signed apart. A signature may stand on several.
///
/// # Errors
/// [`IssueError`]: a copy is refused, says something else, or nobody signed any.
pub fn join(papers: &[Vec<u8>]) -> Result<Vec<u8>, IssueError> {
    let mut joined: Option<(Paper, Vec<Signature>)> = None;
    for paper in papers {
        let (paper, signatures) = read(paper)?;
        let (first, all) = joined.get_or_insert_with(|| (paper.clone(), Vec::new()));
        if *first != paper {
            return Err(IssueError::Different);
        }
        for signature in signatures {
            if all.iter().all(|known| known.key != signature.key) {
                all.push(signature);
            }
        }
    }
    let (paper, signatures) = joined.ok_or(IssueError::NotAPaper)?;
    Ok(Envelope::new(paper.payload_type(), paper.payload(), signatures)?.encode())
}
