//! The writer's thread: takes what waits as one batch, makes it durable, signs, commits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crypto::keys::SigningKey;
use crypto::log::checkpoint::{Checkpoint, SignedCheckpoint};
use crypto::log::writer::LogWriter;
use crypto::note::{KeyName, VerifierKey};
use protocol::audit::entry::EntryDraft;
use tokio::sync::{mpsc, watch};

use super::LogError;
use super::files::LogFiles;
use super::payloads::PayloadStore;

/// Entries of one batch: at about 1 KiB each one sync carries 1 MiB.
const BATCH_MAX: usize = 1_024;

/// A narrower copy of a tile stays this long for those who read a tree of its size: longer than a
/// round of the cosigner.
const NARROW_KEPT: Duration = Duration::from_secs(30);

/// Batches whose narrower tiles are kept; beyond it the oldest go early.
const NARROW_MAX: usize = 4_096;

/// Owns the tree.
pub(super) struct Writer {
    files: LogFiles,
    key: SigningKey,
    origin: KeyName,
    payloads: Arc<dyn PayloadStore>,
    tree: LogWriter,
    /// Sizes before and after a batch, and when it was written.
    narrow: VecDeque<(Instant, u64, u64)>,
}

impl Writer {
    /// Takes up the tree where the checkpoint left it; its root is recomputed from the tiles.
    pub(super) fn restore(
        files: &LogFiles,
        key: &SigningKey,
        verifier: &VerifierKey,
        payloads: Arc<dyn PayloadStore>,
        checkpoint: Option<&SignedCheckpoint>,
    ) -> Result<Self, LogError> {
        let tree = match checkpoint {
            Some(signed) => LogWriter::restore(files, signed.head())?,
            None => LogWriter::new(),
        };
        let key = SigningKey::from_seed(&key.seed());
        let origin = verifier.name().clone();
        Ok(Self {
            files: files.clone(),
            key,
            origin,
            payloads,
            tree,
            narrow: VecDeque::new(),
        })
    }

    /// Writes until the queue ends, or the first failure: after one nothing is known of the disk.
    pub(super) fn run(
        mut self,
        mut queue: mpsc::Receiver<(u64, EntryDraft)>,
        durable: &watch::Sender<Option<SignedCheckpoint>>,
    ) {
        let mut batch = Vec::new();
        while queue.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
            match self.write(std::mem::take(&mut batch)) {
                Ok(signed) => {
                    durable.send_replace(Some(signed));
                }
                Err(error) => {
                    tracing::error!(%error, "the log cannot be written; the node stops");
                    return;
                }
            }
        }
    }

    fn write(&mut self, batch: Vec<(u64, EntryDraft)>) -> Result<SignedCheckpoint, LogError> {
        let old = self.tree.size();
        let mut payloads = Vec::with_capacity(batch.len());
        let mut entries = Vec::with_capacity(batch.len());
        for (next, (index, draft)) in (old..).zip(batch) {
            if index != next {
                return Err(LogError::Order { given: index, next });
            }
            let sealed = self.payloads.seal(index, draft.subject, draft.payload())?;
            let entry = draft
                .finish(sealed.digest)
                .map_err(|e| LogError::Entry(index, e))?;
            entries.push(entry);
            payloads.push((index, sealed.bytes));
        }
        self.payloads.keep(payloads)?;
        for entry in &entries {
            self.tree.append(entry)?;
        }
        let tiles: Vec<_> = self
            .tree
            .take_files()
            .into_iter()
            .map(|tile| (tile.path, tile.bytes))
            .collect();
        self.files.write_tiles(&tiles)?;
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            head: self.tree.head(),
        };
        let signed = checkpoint.sign(&self.key);
        self.files.commit(&signed)?;
        self.narrow
            .push_back((Instant::now(), old, self.tree.size()));
        self.prune();
        Ok(signed)
    }

    fn prune(&mut self) {
        while let Some((written, old, new)) = self.narrow.front().copied() {
            if self.narrow.len() <= NARROW_MAX && written.elapsed() < NARROW_KEPT {
                return;
            }
            self.files.prune(old, new);
            self.narrow.pop_front();
        }
    }
}
