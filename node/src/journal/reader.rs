//! Reading the log beside its writer.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crypto::digest::Digest;
use crypto::log::checkpoint::SignedCheckpoint;
use crypto::log::merkle::{self, MerkleError};
use crypto::log::proof::LogProof;
use crypto::log::reader::{ReadError, TileTree, read_bundle};
use crypto::log::tile::{self, CHECKPOINT_PATH, TILE_WIDTH, Tile, TileKind, parse_bundle};
use crypto::note::VerifierKey;

use super::error::JournalError;
use super::files::Files;
use crate::store::payloads::{Payloads, SealedPayload};

/// What the writer and the readers share.
pub(super) struct Shared {
    pub(super) files: Files,
    pub(super) verifier: VerifierKey,
    head: RwLock<Arc<SignedCheckpoint>>,
    pub(super) cosigned: RwLock<Option<Arc<SignedCheckpoint>>>,
    /// Held while a cosigned checkpoint is compared and stored.
    pub(super) publishing: Mutex<()>,
}

impl Shared {
    pub(super) fn new(
        files: Files,
        verifier: VerifierKey,
        head: SignedCheckpoint,
        cosigned: Option<SignedCheckpoint>,
    ) -> Self {
        Self {
            files,
            verifier,
            head: RwLock::new(Arc::new(head)),
            cosigned: RwLock::new(cosigned.map(Arc::new)),
            publishing: Mutex::new(()),
        }
    }

    pub(super) fn set_head(&self, head: SignedCheckpoint) -> Result<(), JournalError> {
        *self.head.write().map_err(|_| JournalError::Poisoned)? = Arc::new(head);
        Ok(())
    }
}

/// Entries, payloads, proofs and published files. Every answer is about entries that are durable.
#[derive(Clone)]
pub struct JournalReader {
    pub(super) shared: Arc<Shared>,
    payloads: Payloads,
}

impl JournalReader {
    pub(super) fn new(shared: Arc<Shared>, payloads: Payloads) -> Self {
        Self { shared, payloads }
    }

    /// The newest checkpoint, signed by the log.
    pub fn checkpoint(&self) -> Arc<SignedCheckpoint> {
        // The value is replaced whole, so a poisoned lock still holds one that was committed.
        Arc::clone(
            &self
                .shared
                .head
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// The newest checkpoint that was published as cosigned.
    pub fn cosigned(&self) -> Option<Arc<SignedCheckpoint>> {
        self.shared
            .cosigned
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.checkpoint().head().size
    }

    /// What verifies the log's checkpoints.
    pub fn verifier(&self) -> &VerifierKey {
        &self.shared.verifier
    }

    /// The exact bytes of entry `index`.
    ///
    /// # Errors
    /// `JournalError::NoEntry` past the end, `Read` when its bundle is damaged.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, JournalError> {
        let mut found = None;
        self.entries(index, index.saturating_add(1), |_, entry| {
            found = Some(entry.to_vec())
        })?;
        found.ok_or(JournalError::NoEntry {
            index,
            size: self.size(),
        })
    }

    /// Hands the entries from `from` to before `to` to `each`, in order, one bundle in memory.
    ///
    /// # Errors
    /// `JournalError::NoEntry` when the range goes past the end, `Read` for a damaged bundle.
    pub fn entries(
        &self,
        from: u64,
        to: u64,
        mut each: impl FnMut(u64, &[u8]),
    ) -> Result<(), JournalError> {
        let size = self.size();
        if to > size {
            return Err(JournalError::NoEntry {
                index: to.saturating_sub(1),
                size,
            });
        }
        let mut index = from;
        while index < to {
            let number = index / TILE_WIDTH;
            let outside = JournalError::NoEntry { index, size };
            let tile = Tile::in_tree(TileKind::Entries, number, size).ok_or(outside)?;
            let bundle = read_bundle(&self.shared.files, &tile)?;
            let malformed = |error| ReadError::Malformed {
                path: tile.path(),
                error,
            };
            let start = number * TILE_WIDTH;
            for (at, entry) in
                (start..).zip(parse_bundle(&bundle, tile.width()).map_err(malformed)?)
            {
                if (index..to).contains(&at) {
                    each(at, entry);
                }
            }
            index = start + TILE_WIDTH;
        }
        Ok(())
    }

    /// The payload of entry `index`; `None` when it has none. Compare its digest with the entry.
    ///
    /// # Errors
    /// `JournalError::NoEntry` past the end, `Payloads` when it cannot be read.
    pub fn payload(&self, index: u64) -> Result<Option<SealedPayload>, JournalError> {
        let size = self.size();
        if index >= size {
            return Err(JournalError::NoEntry { index, size });
        }
        Ok(self.payloads.get(index)?)
    }

    /// Proof that entry `index` is in the tree of `size` entries (RFC 6962, section 2.1.1).
    ///
    /// # Errors
    /// `JournalError::Read` when either is out of range or a tile is damaged.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Digest>, JournalError> {
        Ok(merkle::inclusion_proof(&self.tree(size)?, index, size)?)
    }

    /// Proof that the tree of `new` entries begins with that of `old` (RFC 6962, section 2.1.2).
    ///
    /// # Errors
    /// `JournalError::Read` when either is out of range or a tile is damaged.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Digest>, JournalError> {
        Ok(merkle::consistency_proof(&self.tree(new)?, old, new)?)
    }

    /// The root of the first `size` entries.
    ///
    /// # Errors
    /// `JournalError::Read` when it is out of range or a tile is damaged.
    pub fn root(&self, size: u64) -> Result<Digest, JournalError> {
        Ok(merkle::tree_root(&self.tree(size)?, size)?)
    }

    /// A `.tlog-proof` of entry `index` against `checkpoint`, which must be of this log.
    ///
    /// # Errors
    /// `JournalError::NoEntry` when the checkpoint does not cover it, `Read` otherwise.
    pub fn proof(
        &self,
        index: u64,
        checkpoint: SignedCheckpoint,
    ) -> Result<LogProof, JournalError> {
        let size = checkpoint.head().size;
        if index >= size {
            return Err(JournalError::NoEntry { index, size });
        }
        Ok(LogProof::make(
            &self.shared.files,
            self.size(),
            index,
            checkpoint,
        )?)
    }

    /// A published file by its C2SP path: the checkpoint, or a tile or bundle that belongs to the
    /// log as it is. Narrower tiles that were replaced are cut from the wider ones.
    ///
    /// # Errors
    /// `JournalError::Disk` when it is there and cannot be read.
    pub fn resource(&self, path: &str) -> Result<Option<Vec<u8>>, JournalError> {
        if path == CHECKPOINT_PATH {
            return Ok(Some(self.checkpoint().encode()));
        }
        let Ok(tile) = Tile::parse(path) else {
            return Ok(None);
        };
        if !tile::belongs(&tile, self.size()) {
            return Ok(None);
        }
        Ok(self.shared.files.find(path)?)
    }

    /// The tree as the tiles are now, for questions about its first `size` entries.
    fn tree(&self, size: u64) -> Result<TileTree<&Files>, JournalError> {
        let have = self.size();
        if size > have {
            return Err(MerkleError::IndexOutOfRange {
                index: size,
                size: have,
            }
            .into());
        }
        Ok(TileTree::new(&self.shared.files, have)?)
    }
}
