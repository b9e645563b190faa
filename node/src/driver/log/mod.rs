//! The node's own log, as the driver sees it: append, and be told what is durable and cosigned.
//!
//! ```text
//! driver ──entries──▶ feeder (thread): seals payloads ──▶ journal (thread): commits in batches
//!          ◀─size───  durable          │ gate: shut until the witnesses were heard
//!          ◀─size───  cosigner (task): asks the witnesses, keeps the cosigned checkpoint durably
//! ```

mod cosigner;
mod feeder;
mod gate;
mod payloads;
mod reach;
mod replay;

use std::sync::Arc;
use std::thread::JoinHandle;

use crypto::log::checkpoint::SignedCheckpoint;
use protocol::audit::entry::{EntryDraft, EntryError};
use protocol::audit::restore::OldCopy;
use protocol::limits;
use tokio::sync::{mpsc, watch};

use self::gate::{Gate, gate};
use crate::journal::writer::{AppendError, LogWriter};
use crate::journal::{Journal, JournalError, JournalReader, LogIdentity};
use crate::store::Layout;
use crate::store::payloads::Payloads;

pub use cosigner::Cosigner;
pub use payloads::{PayloadFault, PayloadSeal, Unsealed, frame, unframe};
#[cfg(test)]
pub(crate) use reach::split_answer;
pub use reach::{Asker, At, Unreached, Witness};
pub use replay::{ReplayError, replay};

/// Why the log cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The journal refuses.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal's writer refuses.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A payload cannot be sealed or opened.
    #[error(transparent)]
    Payload(#[from] PayloadFault),
    /// An entry is not one.
    #[error("entry {0}: {1}")]
    Entry(u64, EntryError),
    /// No checkpoint of that kind covers the entry yet.
    #[error("entry {0} is not covered by a checkpoint of that kind yet")]
    NotCovered(u64),
    /// A thread cannot be started.
    #[error("the log's thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The writer has stopped.
    #[error("the log writer has stopped")]
    Stopped,
}

/// The log for everybody but its writer. Clones share it.
#[derive(Clone)]
pub struct LogHandle {
    reader: JournalReader,
    entries: mpsc::Sender<(u64, EntryDraft)>,
    durable: watch::Receiver<u64>,
    witnessed: watch::Receiver<u64>,
    gate: Gate,
    /// One more than the last index handed to the writer.
    asked: u64,
}

/// News of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogNews {
    /// It is durable up to this size.
    Durable(u64),
    /// The quorum cosigned this size.
    Witnessed(u64),
}

/// What opening a log gives: the handle, and what the cosigner starts from.
pub struct Opened {
    /// The handle.
    pub handle: LogHandle,
    /// The cosigner's end.
    pub cosigner: Cosigner,
    /// The feeder's thread; it ends when the last handle is dropped, and the journal with it. A
    /// process that exits before it would tear down the store under a thread that still closes it.
    pub writer: JoinHandle<()>,
}

/// Opens the log in a store's folder, or begins one, and starts its threads. Nothing is appended
/// before the cosigner has heard the witnesses ([`Cosigner::run`]) or was told that there are none
/// ([`Cosigner::unwatched`]). The log ends when the last handle is dropped.
///
/// # Errors
/// [`LogError`].
pub fn open(
    layout: &Layout,
    identity: LogIdentity,
    payloads: Payloads,
    seal: Arc<dyn PayloadSeal>,
) -> Result<Opened, LogError> {
    let (journal, head) = Journal::open(layout, identity, payloads)?;
    let writer = LogWriter::start(journal)?;
    let reader = writer.reader().clone();
    let (entries, queue) = mpsc::channel(limits::APPEND_QUEUE_MAX);
    let (durable_in, durable) = watch::channel(head.size);
    let cosigned = reader.cosigned().map_or(0, |signed| signed.head().size);
    let (witnessed_in, mut witnessed) = watch::channel(cosigned);
    if cosigned > 0 {
        // What was cosigned before this start is news to a core that has replayed.
        witnessed.mark_changed();
    }
    let (keeper, gate) = gate();
    let writer = std::thread::Builder::new()
        .name("log-feeder".to_owned())
        .spawn({
            let gate = gate.clone();
            move || feeder::run(&writer, &*seal, queue, (&durable_in, gate))
        })?;
    let cosigner = Cosigner::new(reader.clone(), durable.clone(), (witnessed_in, keeper));
    let asked = head.size;
    let handle = LogHandle {
        reader,
        entries,
        durable,
        witnessed,
        gate,
        asked,
    };
    Ok(Opened {
        handle,
        cosigner,
        writer,
    })
}

impl LogHandle {
    /// Hands an entry to the writer; waits while it has too much to do.
    ///
    /// # Errors
    /// [`LogError::Stopped`].
    pub async fn append(&mut self, index: u64, draft: EntryDraft) -> Result<(), LogError> {
        self.entries
            .send((index, draft))
            .await
            .map_err(|_| LogError::Stopped)?;
        self.asked = self.asked.max(index + 1);
        Ok(())
    }

    /// Why nothing may be appended, if this is an old copy of the log.
    #[must_use]
    pub fn refused(&self) -> Option<OldCopy> {
        self.gate.why()
    }

    /// Waits for news of the log; `None` when the writer or the cosigner has stopped, or the log
    /// is an old copy.
    pub async fn news(&mut self) -> Option<LogNews> {
        tokio::select! {
            biased;
            changed = self.durable.changed() => {
                changed.ok()?;
                Some(LogNews::Durable(*self.durable.borrow_and_update()))
            }
            changed = self.witnessed.changed() => {
                changed.ok()?;
                Some(LogNews::Witnessed(*self.witnessed.borrow_and_update()))
            }
            () = self.gate.refused() => None,
        }
    }

    /// Waits until all entries handed in are durable, or the writer has stopped.
    pub async fn wait_for_all(&mut self) {
        let asked = self.asked;
        // An error says that the writer stopped, which it has said itself.
        let _ = self.durable.wait_for(|size| *size >= asked).await;
    }

    /// The size that the quorum cosigned last.
    #[must_use]
    pub fn cosigned_size(&self) -> u64 {
        self.reader
            .cosigned()
            .map_or(0, |signed| signed.head().size)
    }

    /// Entries, payloads and files, read beside the writer.
    #[must_use]
    pub const fn reader(&self) -> &JournalReader {
        &self.reader
    }

    /// The exact entry at `index` and the text of its proof. Blocks.
    ///
    /// # Errors
    /// [`LogError::NotCovered`], or what reading says.
    pub fn prove(&self, index: u64, witnessed: bool) -> Result<(Vec<u8>, Vec<u8>), LogError> {
        let newest = match witnessed {
            true => self.reader.cosigned(),
            false => Some(self.reader.checkpoint()),
        };
        let covers = |signed: &Arc<SignedCheckpoint>| signed.head().size > index;
        let checkpoint = newest.filter(covers).ok_or(LogError::NotCovered(index))?;
        let entry = self.reader.entry(index)?;
        let proof = self
            .reader
            .proof(index, SignedCheckpoint::clone(&checkpoint))?;
        Ok((entry, proof.encode()))
    }
}

#[cfg(test)]
mod tests;
