//! The node's log on disk: the journal of what happened, as a C2SP log.
//!
//! ```text
//! data folder
//!   journal/checkpoint   the signed checkpoint: the commit point  loss: the log is not opened
//!   journal/stage        entries whose tiles are not synced yet   loss: those entries
//!   log/tile/…           tiles and entry bundles, as published    loss: the log
//!   log/checkpoint       the newest checkpoint, as published      loss: nothing; written again
//!   log/cosigned         the newest one the quorum cosigned       loss: it is asked for again
//!   index/               payloads, by log index             loss: what the entries were about
//! ```
//!
//! One batch, in order, and what a crash after each step leaves:
//!
//! 1. *payloads* are synced: payloads that no entry names; the next batch or start removes them.
//! 2. *stage*: the entries are appended to `journal/stage` and synced: a frame beyond the
//!    checkpoint, which recovery drops.
//! 3. *commit*: the checkpoint is replaced durably. From here the batch is in the log, whether or
//!    not anybody was told. Recovery finds its entries in the stage.
//! 4. *apply*: tiles are written, visible to readers, not synced. A power cut may lose or tear
//!    them; recovery writes them again from the stage.
//! 5. *publish*: `log/checkpoint` and the readers' head. Then the caller is told.
//! 6. *settle*, some batches later: tiles are synced, the stage is emptied (synced), narrower
//!    tiles that wider ones replaced are removed. A crash in between repeats it.
//!
//! Recovery ([`Journal::open`]) restores the tree as it was before the first staged frame, from
//! tiles that are synced, then runs steps 4 to 6 over the frames that the checkpoint covers:
//! the same code. A checkpoint whose entries are not all there is refused, never shortened.
//!
//! A failed step closes the journal: what the disk holds is then unknown, and only opening it
//! again tells. Nothing of a failed batch is acknowledged; it may still turn out to be in the log.
//!
//! Why the stage: on the disk we measured, a sync takes 4 ms. A batch costs four of them, and not
//! two for each of its tiles.

mod cosigned;
mod error;
mod files;
mod reader;
mod recover;
mod stage;
#[cfg(test)]
mod tests;
pub mod witness_store;
pub mod writer;

use std::sync::Arc;

use crypto::keys::SigningKey;
use crypto::log::checkpoint::{Checkpoint, SignedCheckpoint};
use crypto::log::merkle::TreeHead;
use crypto::log::tile::MAX_ENTRY_LEN;
use crypto::log::writer::LogWriter as Tree;
use crypto::note::{KeyName, KeyType, VerifierKey};

use crate::store::Layout;
use crate::store::payloads::{Payloads, SealedPayload};
use files::Files;
use reader::Shared;
use stage::{Frame, Stage};

pub use cosigned::Published;
pub use error::JournalError;
pub use reader::JournalReader;

/// Entries in one batch: four times what the writer gathers.
pub const BATCH_ENTRIES_MAX: usize = 4096;
/// Bytes of one batch's entries. Bounds the memory of a batch and of its recovery.
pub const BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The stage is settled before it grows beyond this: bounds recovery to a second or two.
const STAGE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// An entry to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Its index: the log's size when it is appended.
    pub index: u64,
    /// The exact bytes whose leaf hash the tree holds, at most 65,535.
    pub entry: Vec<u8>,
    /// The payload that the entry commits to by digest.
    pub payload: Option<SealedPayload>,
}

/// Which log this is, and the key that signs it.
pub struct LogIdentity {
    /// The checkpoints' origin, which is the key's name.
    pub origin: KeyName,
    /// The log's own key.
    pub key: SigningKey,
}

impl LogIdentity {
    /// What verifies this log's checkpoints.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(
            self.origin.clone(),
            KeyType::Ed25519,
            self.key.verifying_key(),
        )
    }
}

/// The one writer of a log. Blocking; see [`writer::LogWriter`] for the thread around it.
pub struct Journal {
    identity: LogIdentity,
    files: Files,
    stage: Stage,
    tree: Tree,
    payloads: Payloads,
    shared: Arc<Shared>,
    /// Size up to which the tiles are synced and the stage was emptied.
    settled: u64,
    /// A step failed: the disk is ahead of memory by an unknown part of a batch.
    closed: bool,
}

impl Journal {
    /// Opens the log in the data folder, or begins one. `Ok` means: every entry of the checkpoint
    /// is there, in tiles that give its root along their right edge.
    ///
    /// # Errors
    /// `JournalError`, by what is missing or damaged.
    pub fn open(
        layout: &Layout,
        identity: LogIdentity,
        payloads: Payloads,
    ) -> Result<(Self, TreeHead), JournalError> {
        recover::open(layout, identity, payloads)
    }

    /// Appends a batch. When it returns, every entry is durable and in the signed checkpoint.
    ///
    /// # Errors
    /// `JournalError::Index`, `TooLong` or `TooMany` for the batch: nothing was written. Any other
    /// error closes the journal, and nothing of the batch may be acknowledged.
    pub fn append(&mut self, batch: &[NewEntry]) -> Result<SignedCheckpoint, JournalError> {
        self.check(batch)?;
        if self.stage.length() >= STAGE_BYTES_MAX {
            self.settle()?;
        }
        self.closed = true;
        self.keep_payloads(batch)?;
        self.stage_entries(batch)?;
        let signed = self.commit()?;
        self.apply()?;
        self.publish(&signed)?;
        self.closed = false;
        Ok(signed)
    }

    /// Syncs the tiles and empties the stage. Called by itself when the stage is long; call it
    /// when nothing waits, so that a start after a power cut has little to repeat.
    ///
    /// # Errors
    /// `JournalError`; the journal is then closed, and everything appended stays durable.
    pub fn settle(&mut self) -> Result<(), JournalError> {
        self.check_open()?;
        let size = self.tree.size();
        if self.settled == size && self.stage.length() == 0 {
            return Ok(());
        }
        self.closed = true;
        self.files.sync_grown(self.settled, size)?;
        // Only after the sync: until then the stage is the tiles' only durable source.
        self.stage.clear()?;
        // Only after the stage: a replay begins at the narrower tiles.
        self.files.prune(self.settled, size)?;
        self.settled = size;
        self.closed = false;
        Ok(())
    }

    /// Whether everything appended is in synced tiles.
    pub fn is_settled(&self) -> bool {
        self.settled == self.tree.size()
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// A handle for reading, beside the writer. Clones are cheap.
    pub fn reader(&self) -> JournalReader {
        JournalReader::new(Arc::clone(&self.shared), self.payloads.clone())
    }

    fn check(&self, batch: &[NewEntry]) -> Result<(), JournalError> {
        self.check_open()?;
        let bytes: usize = batch.iter().map(|new| new.entry.len()).sum();
        if batch.is_empty() || batch.len() > BATCH_ENTRIES_MAX || bytes > BATCH_BYTES_MAX {
            return Err(JournalError::Batch {
                entries: batch.len(),
                bytes,
            });
        }
        for (expected, new) in (self.tree.size()..).zip(batch) {
            if new.index != expected {
                return Err(JournalError::Index {
                    expected,
                    given: new.index,
                });
            }
            if new.entry.len() > MAX_ENTRY_LEN {
                let length = new.entry.len();
                return Err(JournalError::TooLong {
                    index: new.index,
                    length,
                });
            }
        }
        Ok(())
    }

    fn check_open(&self) -> Result<(), JournalError> {
        if self.closed {
            Err(JournalError::Closed)
        } else {
            Ok(())
        }
    }

    /// Step 1.
    fn keep_payloads(&self, batch: &[NewEntry]) -> Result<(), JournalError> {
        let payloads = batch
            .iter()
            .filter_map(|new| Some((new.index, new.payload.as_ref()?)));
        Ok(self.payloads.put(payloads)?)
    }

    /// Step 2. The tree in memory moves on first, because the frame names its root.
    fn stage_entries(&mut self, batch: &[NewEntry]) -> Result<(), JournalError> {
        let from = self.tree.head();
        for new in batch {
            self.tree.append(&new.entry)?;
        }
        let entries = batch.iter().map(|new| new.entry.as_slice());
        self.stage
            .append(&Frame::encode(&from, &self.tree.head(), entries))
    }

    /// Step 3.
    fn commit(&mut self) -> Result<SignedCheckpoint, JournalError> {
        let head = self.tree.head();
        let signed = Checkpoint {
            origin: self.identity.origin.clone(),
            head,
        }
        .sign(&self.identity.key);
        self.files.commit(&signed.encode())?;
        Ok(signed)
    }

    /// Step 4.
    fn apply(&mut self) -> Result<(), JournalError> {
        for file in self.tree.take_files() {
            self.files.place(&file.path, &file.bytes)?;
        }
        Ok(())
    }

    /// Step 5.
    fn publish(&self, signed: &SignedCheckpoint) -> Result<(), JournalError> {
        self.files.place(files::CHECKPOINT, &signed.encode())?;
        self.shared.set_head(signed.clone())
    }
}
