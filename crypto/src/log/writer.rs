//! The growing end of a log in memory: append entries, get the root, get the files to write.
//!
//! It holds one partial tile per level and one partial bundle (at most 16 MiB of entries, 8 KiB
//! of hashes per level) plus what was filled since the files were last taken. It writes nothing
//! itself. If a write fails, drop it and restore one from the files of the last checkpoint.

use thiserror::Error;

use super::merkle::{Frontier, MerkleError, TreeHead, leaf_hash};
use super::reader::{ReadError, TileReader, hashes, read_bundle, read_hashes};
use super::tile::{
    Entries, MAX_ENTRY_LEN, MAX_TILE_LEVEL, TILE_HEIGHT, TILE_WIDTH, Tile, TileKind, append_entry,
    growth,
};
use crate::digest::{DIGEST_LEN, Digest};

const FULL_TILE_BYTES: usize = TILE_WIDTH as usize * DIGEST_LEN;

/// Why a log cannot be appended to or restored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// An entry above the format's limit.
    #[error("an entry of {0} bytes is too long")]
    EntryTooLong(usize),
    /// The tree is full.
    #[error(transparent)]
    Full(#[from] MerkleError),
    /// A file needed to go on is missing or malformed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The files do not hash to the root of the checkpoint.
    #[error("the files do not give the checkpoint's root")]
    RootMismatch,
    /// The last bundle's entries are not those of the last leaf tile.
    #[error("{path} disagrees with the leaf tile beside it")]
    BundleMismatch {
        /// The bundle's path.
        path: String,
    },
}

/// A file to write, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileFile {
    /// Its coordinates.
    pub tile: Tile,
    /// Its path below the log's prefix.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl TileFile {
    fn new(tile: Tile, bytes: Vec<u8>) -> Self {
        Self {
            tile,
            path: tile.path(),
            bytes,
        }
    }
}

/// A log's right edge: enough to append, to give the root, and to write every new or grown file.
#[derive(Clone, Debug, Default)]
pub struct LogWriter {
    frontier: Frontier,
    /// Size when the files were last taken.
    taken: u64,
    bundle: Vec<u8>,
    /// The partial tile of each level, lowest first; empty right after a tile was filled.
    partial: Vec<Vec<u8>>,
    filled: Vec<TileFile>,
}

impl LogWriter {
    /// A log without entries.
    pub fn new() -> Self {
        Self {
            frontier: Frontier::new(),
            ..Self::default()
        }
    }

    /// Restores the end of a log of `head.size` entries from its partial tiles and its last
    /// bundle, and checks both against `head.root`.
    ///
    /// # Errors
    /// [`WriteError::Read`], [`WriteError::RootMismatch`], [`WriteError::BundleMismatch`], or
    /// [`WriteError::Full`] for a size out of range.
    pub fn restore<R: TileReader>(reader: &R, head: &TreeHead) -> Result<Self, WriteError> {
        let mut writer = Self {
            taken: head.size,
            ..Self::default()
        };
        for level in 0..=MAX_TILE_LEVEL {
            let kind = TileKind::Hashes(level);
            let index = kind.count(head.size) / TILE_WIDTH;
            let bytes = match Tile::in_tree(kind, index, head.size) {
                Some(tile) => read_hashes(reader, &tile)?,
                None => Vec::new(),
            };
            writer.partial.push(bytes);
        }
        let mut nodes = Vec::with_capacity(u64::BITS as usize);
        for bytes in writer.partial.iter().rev() {
            let mut edge = Frontier::new();
            for hash in hashes(bytes) {
                edge.push(hash)?;
            }
            nodes.extend_from_slice(edge.nodes());
        }
        writer.frontier = Frontier::from_nodes(head.size, nodes)?;
        if writer.frontier.root() != head.root {
            return Err(WriteError::RootMismatch);
        }
        writer.bundle = restore_bundle(reader, head.size, &writer.partial[0])?;
        Ok(writer)
    }

    /// Number of entries, including those whose files were not taken yet.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Size and root as of the last append.
    pub fn head(&self) -> TreeHead {
        self.frontier.head()
    }

    /// Appends an entry and gives its index.
    ///
    /// # Errors
    /// [`WriteError::EntryTooLong`] or [`WriteError::Full`]; nothing has changed then.
    pub fn append(&mut self, entry: &[u8]) -> Result<u64, WriteError> {
        if entry.len() > MAX_ENTRY_LEN {
            return Err(WriteError::EntryTooLong(entry.len()));
        }
        let index = self.frontier.size();
        let Self {
            frontier,
            partial,
            filled,
            ..
        } = self;
        frontier.push_with(leaf_hash(entry), |level, hash| {
            if level.is_multiple_of(TILE_HEIGHT) {
                push_hash(partial, filled, (level / TILE_HEIGHT, index >> level), hash);
            }
        })?;
        let appended = append_entry(&mut self.bundle, entry);
        debug_assert_eq!(appended, Ok(()), "the length was checked");
        if self.size().is_multiple_of(TILE_WIDTH) {
            let bytes = std::mem::take(&mut self.bundle);
            // The next bundle will be about as large.
            self.bundle.reserve(bytes.len());
            let tile = Tile::in_tree(TileKind::Entries, index / TILE_WIDTH, self.size());
            self.filled
                .extend(tile.map(|tile| TileFile::new(tile, bytes)));
        }
        Ok(index)
    }

    /// Every file that is new or has grown since the last call (or the restore): full tiles in
    /// the order they were filled, then the partial ones as they are now.
    ///
    /// Write them durably before the checkpoint of [`Self::head`] is signed.
    pub fn take_files(&mut self) -> Vec<TileFile> {
        let mut files = std::mem::take(&mut self.filled);
        let size = self.size();
        for tile in growth(self.taken, size).filter(|tile| !tile.is_full()) {
            let bytes = match tile.kind() {
                TileKind::Entries => Some(&self.bundle),
                TileKind::Hashes(level) => self.partial.get(usize::from(level)),
            };
            files.extend(bytes.map(|bytes| TileFile::new(tile, bytes.clone())));
        }
        self.taken = size;
        files
    }
}

/// Appends a hash to its level's partial tile, and sets the tile aside once it is full. `at` is
/// the tile level and the hash's index in that level.
fn push_hash(partial: &mut Vec<Vec<u8>>, filled: &mut Vec<TileFile>, at: (u8, u64), hash: &Digest) {
    let (level, index) = at;
    while partial.len() <= usize::from(level) {
        partial.push(Vec::with_capacity(FULL_TILE_BYTES));
    }
    let bytes = &mut partial[usize::from(level)];
    bytes.extend_from_slice(hash.as_bytes());
    if bytes.len() == FULL_TILE_BYTES {
        let bytes = std::mem::replace(bytes, Vec::with_capacity(FULL_TILE_BYTES));
        let kind = TileKind::Hashes(level);
        let size = (index + 1).checked_shl(u32::from(level) * u32::from(TILE_HEIGHT));
        let tile = size.and_then(|size| Tile::in_tree(kind, index / TILE_WIDTH, size));
        filled.extend(tile.map(|tile| TileFile::new(tile, bytes)));
    }
}

/// Reads the last, partial bundle and checks its entries against the leaf tile.
fn restore_bundle<R: TileReader>(
    reader: &R,
    size: u64,
    leaves: &[u8],
) -> Result<Vec<u8>, WriteError> {
    let Some(tile) = Tile::in_tree(TileKind::Entries, size / TILE_WIDTH, size) else {
        return Ok(Vec::new());
    };
    let bundle = read_bundle(reader, &tile)?;
    let entries = Entries::new(&bundle).map_while(Result::ok);
    if !entries.map(leaf_hash).eq(hashes(leaves)) {
        return Err(WriteError::BundleMismatch { path: tile.path() });
    }
    Ok(bundle)
}
