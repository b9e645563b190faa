//! Sealed payloads of log entries, by log index.

use std::sync::Arc;

use crypto::digest::Digest;

use super::codec::{Reader, RecordError, Stored, Writer};
use super::index::{Batch, Family, Index, IndexError};

/// Longest sealed payload: an entry's fields and openings, or a report's text, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

/// A payload as the log commits to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPayload {
    /// SHA-256 of `bytes`, which the entry carries.
    pub digest: Digest,
    /// The payload, sealed under its subject's key.
    pub bytes: Vec<u8>,
}

impl SealedPayload {
    /// Takes sealed bytes and computes their digest.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self {
            digest: Digest::sha256(&bytes),
            bytes,
        }
    }
}

impl Stored for SealedPayload {
    const VERSION: u8 = 1;

    fn encode(&self, writer: &mut Writer) {
        writer.bytes(&self.bytes);
    }

    fn decode(_version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self::of(reader.bytes()?.to_vec()))
    }
}

/// The payloads of one node's log.
#[derive(Clone)]
pub struct Payloads {
    index: Arc<Index>,
}

impl Payloads {
    pub(super) fn new(index: Arc<Index>) -> Self {
        Self { index }
    }

    /// Stores payloads under their log indexes and syncs. An index that was never committed to
    /// the log may be written again.
    ///
    /// # Errors
    /// `IndexError`; then any of them may be there or not.
    pub fn put<'a>(
        &self,
        payloads: impl IntoIterator<Item = (u64, &'a SealedPayload)>,
    ) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        for (at, payload) in payloads {
            self.index
                .put(&mut batch, Family::Payloads, &at.to_be_bytes(), payload)?;
        }
        if batch.is_empty() {
            Ok(())
        } else {
            self.index.commit(batch)
        }
    }

    /// The payload of entry `at`; `None` when it has none, or it was removed.
    ///
    /// # Errors
    /// `IndexError` when it does not open or cannot be read.
    pub fn get(&self, at: u64) -> Result<Option<SealedPayload>, IndexError> {
        self.index.get(Family::Payloads, &at.to_be_bytes())
    }

    /// Removes the payloads of entries that no checkpoint covers: `from` and the `count` after.
    ///
    /// # Errors
    /// `IndexError`.
    pub fn discard(&self, from: u64, count: u64) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        for at in from..from.saturating_add(count) {
            if self.index.contains(Family::Payloads, &at.to_be_bytes())? {
                batch.delete(Family::Payloads, &at.to_be_bytes());
            }
        }
        if batch.is_empty() {
            Ok(())
        } else {
            self.index.commit(batch)
        }
    }
}
