//! The newest cosigned checkpoint: what a receipt or a regulator is shown.

use std::sync::Arc;

use crypto::log::checkpoint::SignedCheckpoint;

use super::error::JournalError;
use super::files::COSIGNED;
use super::reader::JournalReader;

/// What became of a cosigned checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It is stored durably, as the newest.
    Stored,
    /// A larger one is stored already.
    Older,
}

impl JournalReader {
    /// Stores a checkpoint with its cosignatures, durably, unless a larger one is stored. One of
    /// the same size replaces: its cosignatures are newer. The caller has checked the quorum; that
    /// it is of this log, and of this tree, is checked here.
    ///
    /// # Errors
    /// `JournalError::Checkpoint` when the log did not sign it, `Behind` when it is larger than
    /// the log, `Fork` when it is of another tree, `Disk` when it cannot be stored.
    pub fn publish_cosigned(&self, note: SignedCheckpoint) -> Result<Published, JournalError> {
        let shared = &self.shared;
        let path = shared.files.published(COSIGNED);
        note.verify_log(&shared.verifier)
            .map_err(|error| JournalError::Checkpoint { path, error })?;
        let head = *note.head();
        let size = self.size();
        if head.size > size {
            return Err(JournalError::Behind {
                size,
                cosigned: head.size,
            });
        }
        if self.root(head.size)? != head.root {
            return Err(JournalError::Fork(head.size));
        }
        let _publishing = shared
            .publishing
            .lock()
            .map_err(|_| JournalError::Poisoned)?;
        if self
            .cosigned()
            .is_some_and(|stored| stored.head().size > head.size)
        {
            return Ok(Published::Older);
        }
        // A crash before this leaves the older one, which is as true as this.
        shared.files.publish_durably(COSIGNED, &note.encode())?;
        *shared
            .cosigned
            .write()
            .map_err(|_| JournalError::Poisoned)? = Some(Arc::new(note));
        Ok(Published::Stored)
    }
}
