//! The witness protocol's texts and its decision (c2sp.org/tlog-witness), without network or disk.
//!
//! A witness remembers one tree head per log. [`decide`] says whether a request may be cosigned;
//! the caller must store the new head durably, in the same critical section as the decision,
//! before it cosigns and answers.

use thiserror::Error;

use super::checkpoint::{CheckpointError, SignedCheckpoint};
use super::merkle::{MAX_PROOF_LEN, MerkleError, TreeHead, empty_root, verify_consistency};
use super::text;
use crate::digest::Digest;
use crate::note::{MAX_NOTE_LEN, NoteError, VerifierKey};

/// Longest request: a note, 63 hashes in base64 and the first line.
pub const MAX_REQUEST_LEN: usize = MAX_NOTE_LEN + 4096;

/// Why a request or an answer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// Longer than [`MAX_REQUEST_LEN`].
    #[error("the request is longer than {MAX_REQUEST_LEN} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the request is not UTF-8")]
    NotUtf8,
    /// The first line is not "old" and a size.
    #[error("the old size is malformed")]
    Old,
    /// A proof line (from 0) is not base64 of 32 bytes.
    #[error("hash {0} of the proof is malformed")]
    Hash(usize),
    /// More than [`MAX_PROOF_LEN`] hashes.
    #[error("the proof has more than {MAX_PROOF_LEN} hashes")]
    ProofTooLong,
    /// There is no blank line and no checkpoint after it.
    #[error("the request ends before its checkpoint")]
    NoCheckpoint,
    /// The checkpoint is malformed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Body of `POST <submission prefix>/add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the tree that the witness is thought to hold.
    pub old: u64,
    /// Consistency proof from there; empty if `old` is 0.
    pub proof: Vec<Digest>,
    /// The checkpoint to cosign.
    pub checkpoint: SignedCheckpoint,
}

impl AddCheckpoint {
    /// Parses a body; accepts what [`Self::encode`] writes and nothing else.
    ///
    /// # Errors
    /// Any [`RequestError`]; all mean HTTP status 400.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        if body.len() > MAX_REQUEST_LEN {
            return Err(RequestError::TooLong);
        }
        let body = std::str::from_utf8(body).map_err(|_| RequestError::NotUtf8)?;
        let (head, note) = body.split_once("\n\n").ok_or(RequestError::NoCheckpoint)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.and_then(text::decimal).ok_or(RequestError::Old)?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_PROOF_LEN {
                return Err(RequestError::ProofTooLong);
            }
            proof.push(text::hash(line).ok_or(RequestError::Hash(proof.len()))?);
        }
        let checkpoint = SignedCheckpoint::parse(note.as_bytes())?;
        Ok(Self {
            old,
            proof,
            checkpoint,
        })
    }

    /// The body's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = format!("old {}\n", self.old);
        for hash in &self.proof {
            out += &text::encode_hash(hash);
            out.push('\n');
        }
        out.push('\n');
        let mut out = out.into_bytes();
        out.extend_from_slice(&self.checkpoint.encode());
        out
    }
}

/// Why a witness does not cosign. Each has its HTTP status.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// 404: no key is known for the origin.
    #[error("unknown log")]
    UnknownOrigin,
    /// 403: the log did not sign it.
    #[error("not signed by the log: {0}")]
    Signature(CheckpointError),
    /// 400: the old size is above the checkpoint's.
    #[error("old size {old} is larger than the checkpoint's {new}")]
    OldSize {
        /// Old size in the request.
        old: u64,
        /// Size of the checkpoint.
        new: u64,
    },
    /// 409: the witness holds another size (the answer's body), or another tree of the same size.
    #[error("the witness holds size {held}")]
    Conflict {
        /// Size that the witness holds.
        held: u64,
    },
    /// 422: the checkpoint does not extend the tree that the witness holds.
    #[error("inconsistent: {0}")]
    Inconsistent(MerkleError),
}

impl Refusal {
    /// The HTTP status to answer with.
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownOrigin => 404,
            Self::Signature(_) => 403,
            Self::OldSize { .. } => 400,
            Self::Conflict { .. } => 409,
            Self::Inconsistent(_) => 422,
        }
    }
}

/// Decides on a request, given the log's key (`None` if its origin is unknown) and the head last
/// cosigned for it (`None` if there is none). Gives the head to store before cosigning.
///
/// # Errors
/// Any [`Refusal`].
pub fn decide(
    request: &AddCheckpoint,
    log: Option<&VerifierKey>,
    held: Option<&TreeHead>,
) -> Result<TreeHead, Refusal> {
    let log = log.ok_or(Refusal::UnknownOrigin)?;
    request
        .checkpoint
        .verify_log(log)
        .map_err(Refusal::Signature)?;
    let new = *request.checkpoint.head();
    if request.old > new.size {
        return Err(Refusal::OldSize {
            old: request.old,
            new: new.size,
        });
    }
    let held = held.copied().unwrap_or_else(|| TreeHead {
        size: 0,
        root: empty_root(),
    });
    if request.old != held.size {
        return Err(Refusal::Conflict { held: held.size });
    }
    match verify_consistency(&held, &new, &request.proof) {
        Ok(()) => Ok(new),
        Err(MerkleError::RootMismatch) if held.size == new.size => {
            Err(Refusal::Conflict { held: held.size })
        }
        Err(error) => Err(Refusal::Inconsistent(error)),
    }
}

/// Body of a 409 answer: the size held.
pub fn conflict_body(held: u64) -> String {
    format!("{held}\n")
}

/// Reads the body of a 409 answer.
///
/// # Errors
/// [`RequestError::Old`].
pub fn parse_conflict(body: &[u8]) -> Result<u64, RequestError> {
    let text = std::str::from_utf8(body)
        .ok()
        .and_then(|body| body.strip_suffix('\n'));
    text.and_then(text::decimal).ok_or(RequestError::Old)
}

impl From<NoteError> for RequestError {
    fn from(error: NoteError) -> Self {
        Self::Checkpoint(error.into())
    }
}
