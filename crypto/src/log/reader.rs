//! Any hash of a tree, read from its tiles: roots, proofs and the edge for a writer.

use std::cell::RefCell;
use std::collections::BTreeMap;

use thiserror::Error;

use super::merkle::{HashReader, MAX_TREE_SIZE, MerkleError, node_hash};
use super::tile::{TILE_HEIGHT, TILE_WIDTH, Tile, TileError, TileKind, append_entry, parse_bundle};
use crate::digest::{DIGEST_LEN, Digest};

/// Tiles kept while one proof is made. A proof over 2^63 entries touches two per level.
const CACHED_TILES: usize = 32;

/// Where a log's files are: a folder, a store, an archive, a peer's answers.
pub trait TileReader {
    /// The bytes at `path` (below the log's prefix, `/` between parts), `None` if there are none.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
}

impl TileReader for BTreeMap<String, Vec<u8>> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.get(path).cloned()
    }
}

impl<R: TileReader + ?Sized> TileReader for &R {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        (**self).read(path)
    }
}

/// Why a hash cannot be read from a log's tiles.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The file is not there, nor the full tile that may have replaced it.
    #[error("{path} is missing")]
    Missing {
        /// The file's path.
        path: String,
    },
    /// The file is there and malformed.
    #[error("{path}: {error}")]
    Malformed {
        /// The file's path.
        path: String,
        /// What is wrong with it.
        error: TileError,
    },
    /// The question makes no sense for this tree.
    #[error(transparent)]
    Merkle(#[from] MerkleError),
}

/// Reads the tile, or the full tile that a log may have put in its place, cut to the width.
///
/// # Errors
/// [`ReadError::Missing`] or, for hash tiles, [`ReadError::Malformed`].
pub fn read_hashes<R: TileReader>(reader: &R, tile: &Tile) -> Result<Vec<u8>, ReadError> {
    let (path, mut bytes, found) = match reader.read(&tile.path()) {
        Some(bytes) => (tile.path(), bytes, *tile),
        None => {
            let full = tile.full();
            let missing = || ReadError::Missing { path: tile.path() };
            (
                full.path(),
                reader.read(&full.path()).ok_or_else(missing)?,
                full,
            )
        }
    };
    found
        .check_hashes(&bytes)
        .map_err(|error| ReadError::Malformed { path, error })?;
    bytes.truncate(usize::from(tile.width()) * DIGEST_LEN);
    Ok(bytes)
}

/// Reads the bundle, or the start of the full bundle that a log may have put in its place.
///
/// # Errors
/// [`ReadError::Missing`] or [`ReadError::Malformed`].
pub fn read_bundle<R: TileReader>(reader: &R, tile: &Tile) -> Result<Vec<u8>, ReadError> {
    let (path, bytes) = match reader.read(&tile.path()) {
        Some(bytes) => {
            let checked = parse_bundle(&bytes, tile.width()).map(|_| ());
            let path = tile.path();
            return checked
                .map(|()| bytes)
                .map_err(|error| ReadError::Malformed { path, error });
        }
        None => {
            let path = tile.full().path();
            let bytes = reader
                .read(&path)
                .ok_or(ReadError::Missing { path: tile.path() })?;
            (path, bytes)
        }
    };
    let cut = parse_bundle(&bytes, tile.full().width()).and_then(|entries| {
        let mut start = Vec::new();
        for entry in entries.iter().take(tile.width().into()) {
            append_entry(&mut start, entry)?;
        }
        Ok(start)
    });
    cut.map_err(|error| ReadError::Malformed { path, error })
}

/// The hash at `position` of a hash tile's bytes; `None` past its end.
pub fn hash_at(tile: &[u8], position: usize) -> Option<Digest> {
    let bytes = tile.get(position * DIGEST_LEN..)?.first_chunk()?;
    Some(Digest(*bytes))
}

/// All hashes of a tile whose length was checked.
pub fn hashes(tile: &[u8]) -> impl Iterator<Item = Digest> + '_ {
    tile.chunks_exact(DIGEST_LEN)
        .map_while(|chunk| chunk.try_into().ok().map(Digest))
}

/// Root of a complete subtree whose 2^k nodes are given; `None` if their number is another.
/// Works in place: `nodes` is left with unspecified contents.
pub fn roll_up(nodes: &mut [Digest]) -> Option<Digest> {
    if !nodes.len().is_power_of_two() {
        return None;
    }
    let mut width = nodes.len();
    while width > 1 {
        width /= 2;
        for i in 0..width {
            nodes[i] = node_hash(&nodes[2 * i], &nodes[2 * i + 1]);
        }
    }
    nodes.first().copied()
}

/// The tree of the first `size` entries of a log, read from its tiles as they are now.
///
/// Build it for the size of the checkpoint beside the tiles. Proofs for smaller sizes come from
/// the same tiles, so a log may delete the partial tiles it has outgrown.
pub struct TileTree<R> {
    reader: R,
    size: u64,
    cache: RefCell<BTreeMap<(u8, u64), Vec<u8>>>,
}

impl<R: TileReader> TileTree<R> {
    /// The tree of `size` entries behind `reader`.
    ///
    /// # Errors
    /// [`MerkleError::SizeOutOfRange`].
    pub fn new(reader: R, size: u64) -> Result<Self, MerkleError> {
        if size > MAX_TREE_SIZE {
            return Err(MerkleError::SizeOutOfRange(size));
        }
        Ok(Self {
            reader,
            size,
            cache: RefCell::new(BTreeMap::new()),
        })
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn with_tile<T>(
        &self,
        level: u8,
        index: u64,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, ReadError> {
        let mut cache = self.cache.borrow_mut();
        if let Some(bytes) = cache.get(&(level, index)) {
            return Ok(look(bytes));
        }
        let tile = Tile::in_tree(TileKind::Hashes(level), index, self.size).ok_or(
            MerkleError::IndexOutOfRange {
                index: index.saturating_mul(TILE_WIDTH),
                size: self.size,
            },
        )?;
        let bytes = read_hashes(&self.reader, &tile)?;
        let seen = look(&bytes);
        if cache.len() == CACHED_TILES {
            cache.pop_first();
        }
        cache.insert((level, index), bytes);
        Ok(seen)
    }
}

impl<R: TileReader> HashReader for TileTree<R> {
    type Error = ReadError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, ReadError> {
        let outside = MerkleError::IndexOutOfRange {
            index,
            size: self.size,
        };
        let end = index
            .checked_add(1)
            .filter(|end| u32::from(level) < u64::BITS && *end <= self.size >> level);
        if end.is_none() {
            return Err(outside.into());
        }
        let inner = level % TILE_HEIGHT;
        let first = index << inner;
        let start = (first % TILE_WIDTH) as usize;
        let found = self.with_tile(level / TILE_HEIGHT, first / TILE_WIDTH, |tile| {
            let width = 1usize << inner;
            let mut nodes = [Digest([0; DIGEST_LEN]); TILE_WIDTH as usize / 2];
            for (i, node) in nodes[..width].iter_mut().enumerate() {
                *node = hash_at(tile, start + i)?;
            }
            roll_up(&mut nodes[..width])
        })?;
        found.ok_or(outside.into())
    }
}

/// Leaf hashes in memory: the same proofs without tiles, for small trees and for checks.
impl HashReader for [Digest] {
    type Error = MerkleError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, MerkleError> {
        let size = self.len() as u64;
        let outside = MerkleError::IndexOutOfRange { index, size };
        let width = 1u64.checked_shl(level.into()).ok_or(outside)?;
        let start = index.checked_mul(width).ok_or(outside)?;
        let end = start
            .checked_add(width)
            .filter(|end| *end <= size)
            .ok_or(outside)?;
        roll_up(&mut self[start as usize..end as usize].to_vec()).ok_or(outside)
    }
}
