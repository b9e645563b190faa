//! Witness cosignatures, `cosignature/v1` (c2sp.org/tlog-cosignature, Ed25519, type 04).
//!
//! A cosignature says: at this time, this was the largest tree that the witness had seen of this
//! log, and it extends every earlier one it cosigned. Check the proof and store the checkpoint
//! before making one ([`super::witness`]).

use thiserror::Error;

use super::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::keys::SigningKey;
use crate::note::{KeyName, KeyType, NoteError, NoteSignature, VerifierKey, parse_signature_block};

/// Why a cosignature is not made or not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CosignError {
    /// The line or its signature is wrong, or its time out of range.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The key given for the witness is not of type 04.
    #[error("the witness's key is not a cosignature key")]
    KeyType,
    /// The witness's answer holds no line by its key.
    #[error("the answer holds no cosignature by {0}")]
    NotBy(KeyName),
}

/// Cosigns a checkpoint at `time`, in seconds since the Unix epoch.
///
/// # Errors
/// [`NoteError::Time`].
pub fn cosign(
    checkpoint: &Checkpoint,
    witness: &KeyName,
    key: &SigningKey,
    time: u64,
) -> Result<NoteSignature, NoteError> {
    NoteSignature::cosignature(&checkpoint.body(), witness, key, time)
}

/// Checks a cosignature and gives its time, in seconds since the Unix epoch.
///
/// # Errors
/// [`CosignError::KeyType`] or [`NoteError::BadSignature`].
pub fn verify(
    checkpoint: &Checkpoint,
    witness: &VerifierKey,
    line: &NoteSignature,
) -> Result<u64, CosignError> {
    if witness.kind() != KeyType::Cosignature {
        return Err(CosignError::KeyType);
    }
    let time = witness.verify(&checkpoint.body(), line)?;
    time.ok_or(CosignError::KeyType)
}

/// Takes a witness's answer (a block of signature lines), checks the lines by its key, adds them
/// to the checkpoint and gives the time of the last. Lines by other keys are left out.
///
/// # Errors
/// Any [`CosignError`]; the checkpoint is unchanged then.
pub fn take_answer(
    signed: &mut SignedCheckpoint,
    witness: &VerifierKey,
    answer: &str,
) -> Result<u64, CosignError> {
    let mut taken = signed.clone();
    let mut time = None;
    for line in parse_signature_block(answer)? {
        if witness.claims(&line) {
            time = Some(verify(taken.checkpoint(), witness, &line)?);
            taken.add(line)?;
        }
    }
    let time = time.ok_or_else(|| CosignError::NotBy(witness.name().clone()))?;
    *signed = taken;
    Ok(time)
}
