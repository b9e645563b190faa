//! Replay: every entry with its opened payload, in order, so that the core knows what it did.

use protocol::audit::entry::{Entry, Openings};
use protocol::audit::record::RecordError;
use protocol::core::Core;

use crypto::digest::Digest;

use super::payloads::{PayloadFault, PayloadStore};
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
    payloads: &dyn PayloadStore,
) -> Result<u64, ReplayError> {
    let size = log.size();
    for index in 0..size {
        let bytes = log.files().entry(index, size)?;
        let entry = Entry::decode_bytes(&bytes).map_err(|e| LogError::Entry(index, e))?;
        let sealed = payloads.sealed(index).map_err(LogError::from)?;
        if Digest::sha256(&sealed).as_bytes().as_slice() != entry.payload_digest {
            let fault = PayloadFault(format!("that of entry {index} is not the one logged"));
            return Err(LogError::from(fault).into());
        }
        let unsealed = payloads.open(index, &sealed).map_err(LogError::from)?;
        let openings =
            Openings::decode_bytes(&unsealed.openings).map_err(|e| LogError::Entry(index, e))?;
        core.replay(index, &entry, &openings, unsealed.subject)
            .map_err(|error| ReplayError::Record(index, error))?;
    }
    Ok(size)
}
