//! Replay: every entry with its opened payload, in order, so that the core knows what it did.

use protocol::audit::entry::{Entry, Openings};
use protocol::audit::record::RecordError;
use protocol::core::Core;

use super::payloads::{PayloadFault, PayloadSeal};
use super::{LogError, LogHandle};

/// Why the log cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log or a payload cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An entry reads, but says what cannot be.
    #[error("entry {0}: {1}")]
    Record(u64, RecordError),
}

/// Feeds the whole log to a fresh core. Blocks.
///
/// # Errors
/// [`ReplayError`] for the first entry that does not replay.
pub fn replay(
    core: &mut Core,
    log: &LogHandle,
    seal: &dyn PayloadSeal,
) -> Result<u64, ReplayError> {
    let size = log.reader().size();
    let mut failed = None;
    log.reader()
        .entries(0, size, |index, bytes| {
            if failed.is_none() {
                failed = replay_one(core, log, seal, (index, bytes)).err();
            }
        })
        .map_err(LogError::from)?;
    failed.map_or(Ok(size), Err)
}

fn replay_one(
    core: &mut Core,
    log: &LogHandle,
    seal: &dyn PayloadSeal,
    (index, bytes): (u64, &[u8]),
) -> Result<(), ReplayError> {
    let entry = Entry::decode_bytes(bytes).map_err(|e| LogError::Entry(index, e))?;
    let payload = log.reader().payload(index).map_err(LogError::from)?;
    let fault = |what: &str| {
        LogError::from(PayloadFault::Failed(format!(
            "that of entry {index} {what}"
        )))
    };
    let payload = payload.ok_or_else(|| fault("is missing"))?;
    if payload.digest.as_bytes().as_slice() != entry.payload_digest {
        return Err(fault("is not the one logged").into());
    }
    let unsealed = seal.open(index, &payload.bytes).map_err(LogError::from)?;
    let openings =
        Openings::decode_bytes(&unsealed.openings).map_err(|e| LogError::Entry(index, e))?;
    core.replay(index, &entry, &openings, unsealed.subject)
        .map_err(|error| ReplayError::Record(index, error))
}
