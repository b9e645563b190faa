//! RFC 6962 Merkle trees: hashes, proofs made from a [`HashReader`], proofs checked, and the
//! right edge ([`Frontier`]) that appends and gives the root.

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::digest::Digest;

mod frontier;
mod verify;

pub use frontier::Frontier;
pub use verify::{verify_consistency, verify_inclusion};

/// Largest tree: sizes and indexes stay below 2^63, as in every other implementation we meet.
pub const MAX_TREE_SIZE: u64 = i64::MAX as u64;
/// Most hashes in a proof over such a tree.
pub const MAX_PROOF_LEN: usize = 63;

const LEAF_PREFIX: u8 = 0x00;
const NODE_PREFIX: u8 = 0x01;

/// Why a proof does not hold, or cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MerkleError {
    /// The index is not below the tree size.
    #[error("index {index} is not in a tree of size {size}")]
    IndexOutOfRange {
        /// Index asked for, from 0.
        index: u64,
        /// Tree size in entries.
        size: u64,
    },
    /// The old size is larger than the new one.
    #[error("old size {old} is larger than new size {new}")]
    SizeOrder {
        /// Old tree size in entries.
        old: u64,
        /// New tree size in entries.
        new: u64,
    },
    /// A size above [`MAX_TREE_SIZE`].
    #[error("tree size {0} is out of range")]
    SizeOutOfRange(u64),
    /// The proof does not have the length that these sizes call for.
    #[error("the proof has {found} hashes where {expected} are needed")]
    ProofLength {
        /// Hashes needed.
        expected: usize,
        /// Hashes given.
        found: usize,
    },
    /// The proof leads to another root than the tree's.
    #[error("the proof does not lead to the tree's root")]
    RootMismatch,
    /// The proof leads to another root than the old tree's.
    #[error("the proof does not lead to the old tree's root")]
    OldRootMismatch,
}

/// Hash of an entry: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Digest {
    let hash = Sha256::new()
        .chain_update([LEAF_PREFIX])
        .chain_update(entry);
    Digest(hash.finalize().into())
}

/// Hash of two subtrees: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut input = [NODE_PREFIX; 65];
    input[1..33].copy_from_slice(left.as_bytes());
    input[33..].copy_from_slice(right.as_bytes());
    Digest(Sha256::digest(input).into())
}

/// Root of the tree without entries: SHA-256 of nothing.
pub fn empty_root() -> Digest {
    Digest::sha256(&[])
}

/// Gives the hash of any complete subtree of a tree.
pub trait HashReader {
    /// Why a hash cannot be had.
    type Error: From<MerkleError>;

    /// Hash over the 2^level entries from index · 2^level on.
    ///
    /// # Errors
    /// Whatever the storage behind it says.
    fn node(&self, level: u8, index: u64) -> Result<Digest, Self::Error>;
}

/// Root of the first `size` entries.
///
/// # Errors
/// [`MerkleError::SizeOutOfRange`], or the reader's.
pub fn tree_root<R: HashReader + ?Sized>(reader: &R, size: u64) -> Result<Digest, R::Error> {
    check_size(size)?;
    if size == 0 {
        return Ok(empty_root());
    }
    range_root(reader, 0, size)
}

/// Proof that entry `index` is in the tree of `size` entries: hashes from the leaf's sibling to a
/// child of the root (RFC 6962, section 2.1.1).
///
/// # Errors
/// [`MerkleError::IndexOutOfRange`], [`MerkleError::SizeOutOfRange`], or the reader's.
pub fn inclusion_proof<R: HashReader + ?Sized>(
    reader: &R,
    index: u64,
    size: u64,
) -> Result<Vec<Digest>, R::Error> {
    check_index(index, size)?;
    let (mut start, mut end) = (0, size);
    let mut from_root = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            from_root.push(range_root(reader, middle, end)?);
            end = middle;
        } else {
            from_root.push(range_root(reader, start, middle)?);
            start = middle;
        }
    }
    from_root.reverse();
    Ok(from_root)
}

/// Proof that the tree of `old` entries is a prefix of the tree of `new` (RFC 6962, section
/// 2.1.2). Empty if `old` is 0 or equals `new`.
///
/// # Errors
/// [`MerkleError::SizeOrder`], [`MerkleError::SizeOutOfRange`], or the reader's.
pub fn consistency_proof<R: HashReader + ?Sized>(
    reader: &R,
    old: u64,
    new: u64,
) -> Result<Vec<Digest>, R::Error> {
    check_order(old, new)?;
    let mut from_root = Vec::new();
    if old == 0 || old == new {
        return Ok(from_root);
    }
    let (mut start, mut end) = (0, new);
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            from_root.push(range_root(reader, middle, end)?);
            end = middle;
        } else {
            from_root.push(range_root(reader, start, middle)?);
            start = middle;
        }
    }
    // The old tree ends where this subtree ends. If it is the whole old tree, the verifier has
    // its root already.
    if start != 0 {
        from_root.push(range_root(reader, start, end)?);
    }
    from_root.reverse();
    Ok(from_root)
}

/// A tree's size in entries and its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root.
    pub root: Digest,
}

/// The complete subtrees that make up entries `start..end`, left to right, as (level, index).
/// `start` must be a multiple of the largest of them, as it is for every subtree of a tree.
fn complete_subtrees(start: u64, end: u64) -> impl Iterator<Item = (u8, u64)> {
    let mut at = start;
    std::iter::from_fn(move || {
        let level = (end - at).checked_ilog2()? as u8;
        let index = at >> level;
        at += 1 << level;
        Some((level, index))
    })
}

fn range_root<R: HashReader + ?Sized>(
    reader: &R,
    start: u64,
    end: u64,
) -> Result<Digest, R::Error> {
    let mut nodes = Vec::with_capacity(64);
    for (level, index) in complete_subtrees(start, end) {
        nodes.push(reader.node(level, index)?);
    }
    Ok(frontier::bag(&nodes))
}

/// Largest power of two below `n`; `n` is at least 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

fn check_size(size: u64) -> Result<(), MerkleError> {
    if size > MAX_TREE_SIZE {
        Err(MerkleError::SizeOutOfRange(size))
    } else {
        Ok(())
    }
}

fn check_index(index: u64, size: u64) -> Result<(), MerkleError> {
    check_size(size)?;
    if index >= size {
        Err(MerkleError::IndexOutOfRange { index, size })
    } else {
        Ok(())
    }
}

fn check_order(old: u64, new: u64) -> Result<(), MerkleError> {
    check_size(new)?;
    if old > new {
        Err(MerkleError::SizeOrder { old, new })
    } else {
        Ok(())
    }
}

fn check_length(expected: usize, hashes: &[Digest]) -> Result<(), MerkleError> {
    let found = hashes.len();
    if expected == found {
        Ok(())
    } else {
        Err(MerkleError::ProofLength { expected, found })
    }
}
