//! The feeder's thread: takes what waits as one batch, seals it, has the journal commit it.

use crypto::log::checkpoint::SignedCheckpoint;
use protocol::audit::entry::EntryDraft;
use tokio::sync::{mpsc, watch};

use super::LogError;
use super::gate::Gate;
use super::payloads::PayloadSeal;
use crate::journal::NewEntry;
use crate::journal::writer::{LogWriter, SUBMISSION_ENTRIES_MAX};

/// Feeds until the queue ends, or the first failure: after one nothing is known of the disk.
pub(super) fn run(
    writer: &LogWriter,
    seal: &dyn PayloadSeal,
    mut queue: mpsc::Receiver<(u64, EntryDraft)>,
    (durable, mut gate): (&watch::Sender<u64>, Gate),
) {
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, SUBMISSION_ENTRIES_MAX) > 0 {
        if !gate.pass() {
            tracing::error!("nothing is appended: the log was not found to be the newest copy");
            return;
        }
        match append(writer, seal, std::mem::take(&mut batch)) {
            Ok(signed) => {
                durable.send_replace(signed.head().size);
            }
            Err(error) => {
                tracing::error!(%error, "the log cannot be written; the node stops");
                return;
            }
        }
    }
}

fn append(
    writer: &LogWriter,
    seal: &dyn PayloadSeal,
    batch: Vec<(u64, EntryDraft)>,
) -> Result<std::sync::Arc<SignedCheckpoint>, LogError> {
    let mut entries = Vec::with_capacity(batch.len());
    for (index, draft) in batch {
        let payload = seal.seal(index, draft.subject, draft.payload())?;
        let entry = draft
            .finish(payload.digest)
            .map_err(|e| LogError::Entry(index, e))?;
        entries.push(NewEntry {
            index,
            entry,
            payload: Some(payload),
        });
    }
    let answer = writer.submit(entries)?;
    Ok(answer.blocking_recv().map_err(|_| LogError::Stopped)??)
}
