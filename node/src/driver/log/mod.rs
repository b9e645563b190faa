//! The node's own log, as the driver sees it: append, and be told what is durable and cosigned.
//!
//! ```text
//! driver ──entries──▶ writer (thread): seal payloads, sync them, write tiles, sync them,
//!                     then the signed checkpoint: the one commit point of the batch
//!          ◀─size───  durable
//!          ◀─size───  cosigner (task): asks the witnesses, keeps the cosigned checkpoint, syncs it
//! ```
//! A crash before the checkpoint leaves tiles and payloads that no checkpoint covers; the next
//! batch writes over them.

mod cosigner;
pub mod files;
mod payloads;
mod replay;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use crypto::keys::SigningKey;
use crypto::log::checkpoint::SignedCheckpoint;
use crypto::log::proof::LogProof;
use crypto::log::reader::ReadError;
use crypto::note::VerifierKey;
use protocol::audit::entry::EntryDraft;
use protocol::limits;
use tokio::sync::{mpsc, watch};

use crate::files::FileError;

pub use cosigner::{Cosigner, Witness};
pub use files::LogFiles;
pub use payloads::{PayloadFault, PayloadStore, Sealed, Unsealed, frame, unframe};
pub use replay::{ReplayError, replay};

/// Why the log cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The checkpoint on disk is not this log's, or is damaged.
    #[error("the log's checkpoint is refused: {0}")]
    Checkpoint(#[from] crypto::log::checkpoint::CheckpointError),
    /// The tiles do not give the checkpoint's tree.
    #[error("the log's tiles are damaged: {0}")]
    Tiles(#[from] crypto::log::writer::WriteError),
    /// A tile cannot be read.
    #[error("the log's tiles are damaged: {0}")]
    Read(#[from] ReadError),
    /// A payload cannot be sealed, kept or opened.
    #[error(transparent)]
    Payload(#[from] PayloadFault),
    /// An entry is not one.
    #[error("entry {0}: {1}")]
    Entry(u64, protocol::audit::entry::EntryError),
    /// The core asked for another index than the next: our own mistake.
    #[error("the entry {given} is not the next, {next}")]
    Order {
        /// The index asked for.
        given: u64,
        /// The log's size.
        next: u64,
    },
    /// There is no such entry, or no checkpoint that covers it yet.
    #[error("entry {0} is not covered by a checkpoint of that kind yet")]
    NotCovered(u64),
    /// The writer has stopped.
    #[error("the log writer has stopped")]
    Stopped,
}

/// The log for everybody but its writer. Clones share it.
#[derive(Clone)]
pub struct LogHandle {
    key: VerifierKey,
    files: LogFiles,
    entries: mpsc::Sender<(u64, EntryDraft)>,
    durable: watch::Receiver<Option<SignedCheckpoint>>,
    witnessed: watch::Receiver<Option<SignedCheckpoint>>,
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
    /// The writer's thread; it ends when the last handle is dropped. A process that exits before it
    /// would tear down the store under a thread that still closes it.
    pub writer: JoinHandle<()>,
}

/// Opens the log in `folder` (made if absent), checks that its tiles give its checkpoint, and starts
/// the writer's thread. The log ends when the last handle is dropped.
///
/// # Errors
/// [`LogError`].
pub fn open(
    folder: &Path,
    key: &SigningKey,
    verifier: &VerifierKey,
    payloads: Arc<dyn PayloadStore>,
) -> Result<Opened, LogError> {
    let files = LogFiles::open(folder)?;
    let checkpoint = files.checkpoint(verifier)?;
    let cosigned = files.cosigned(verifier)?;
    let size = checkpoint.as_ref().map_or(0, |signed| signed.head().size);
    let writer = writer::Writer::restore(&files, key, verifier, payloads, checkpoint.as_ref())?;
    let (entries, queue) = mpsc::channel(limits::APPEND_QUEUE_MAX);
    let (durable_in, durable) = watch::channel(checkpoint);
    let (witnessed_in, mut witnessed) = watch::channel(cosigned);
    // What was cosigned before this start is news to a core that has replayed.
    witnessed.mark_changed();
    let writer = std::thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(move || writer.run(queue, &durable_in))
        .map_err(|_| LogError::Stopped)?;
    let handle = LogHandle {
        key: verifier.clone(),
        files: files.clone(),
        entries,
        durable: durable.clone(),
        witnessed,
        asked: size,
    };
    let cosigner = Cosigner::new(verifier.clone(), files, durable, witnessed_in);
    Ok(Opened { handle, cosigner, writer })
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

    /// Waits for news of the log; `None` when the writer or the cosigner has stopped.
    pub async fn news(&mut self) -> Option<LogNews> {
        tokio::select! {
            biased;
            changed = self.durable.changed() => {
                changed.ok()?;
                Some(LogNews::Durable(size_of(&self.durable.borrow_and_update())))
            }
            changed = self.witnessed.changed() => {
                changed.ok()?;
                Some(LogNews::Witnessed(size_of(&self.witnessed.borrow_and_update())))
            }
        }
    }

    /// Waits until all entries handed in are durable, or the writer has stopped.
    pub async fn wait_for_all(&mut self) {
        let asked = self.asked;
        // An error says that the writer stopped, which it has said itself.
        let _ = self
            .durable
            .wait_for(|signed| size_of(signed) >= asked)
            .await;
    }

    /// The log's size, durably.
    #[must_use]
    pub fn size(&self) -> u64 {
        size_of(&self.durable.borrow())
    }

    /// The size that the quorum cosigned last.
    #[must_use]
    pub fn cosigned_size(&self) -> u64 {
        size_of(&self.witnessed.borrow())
    }

    /// The log's verifier key; its name is the origin.
    #[must_use]
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The log's files.
    #[must_use]
    pub const fn files(&self) -> &LogFiles {
        &self.files
    }

    /// The newest checkpoint that the quorum cosigned.
    #[must_use]
    pub fn cosigned(&self) -> Option<SignedCheckpoint> {
        self.witnessed.borrow().clone()
    }

    /// The exact entry at `index` and the text of its proof. Blocks.
    ///
    /// # Errors
    /// [`LogError::NotCovered`], or what reading says.
    pub fn prove(&self, index: u64, witnessed: bool) -> Result<(Vec<u8>, Vec<u8>), LogError> {
        let newest = match witnessed {
            true => self.witnessed.borrow().clone(),
            false => self.durable.borrow().clone(),
        };
        let checkpoint = newest
            .filter(|signed| signed.head().size > index)
            .ok_or(LogError::NotCovered(index))?;
        let tiles_size = self.size().max(checkpoint.head().size);
        let entry = self.files.entry(index, tiles_size)?;
        let proof = LogProof::make(&self.files, tiles_size, index, checkpoint)?;
        Ok((entry, proof.encode()))
    }
}

fn size_of(signed: &Option<SignedCheckpoint>) -> u64 {
    signed.as_ref().map_or(0, |signed| signed.head().size)
}
