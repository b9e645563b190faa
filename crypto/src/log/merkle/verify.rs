//! Checking proofs: needs no tree, only what the verifier holds.

use super::{MerkleError, TreeHead, check_index, check_length, check_order, empty_root, node_hash};
use crate::digest::Digest;

/// Checks that a leaf is entry `index` of the tree with this size and root (RFC 9162, 2.1.3.2).
///
/// # Errors
/// Every [`MerkleError`] but those about an old tree.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), MerkleError> {
    check_index(index, size)?;
    check_length(inclusion_proof_len(index, size), proof)?;
    let (mut position, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if position & 1 == 1 || position == last {
            hash = node_hash(sibling, &hash);
            // A node without a right sibling moves up unhashed until it is a right child.
            let lift = position.trailing_zeros();
            position = position.checked_shr(lift).unwrap_or(0);
            last = last.checked_shr(lift).unwrap_or(0);
        } else {
            hash = node_hash(&hash, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    if hash == *root {
        Ok(())
    } else {
        Err(MerkleError::RootMismatch)
    }
}

/// Checks that `old` is a prefix of `new` (RFC 9162, section 2.1.4.2).
///
/// An empty old tree is a prefix of every tree; equal sizes need equal roots; both take an empty
/// proof and no other.
///
/// # Errors
/// [`MerkleError::SizeOrder`], [`MerkleError::SizeOutOfRange`], [`MerkleError::ProofLength`],
/// [`MerkleError::OldRootMismatch`] or [`MerkleError::RootMismatch`].
pub fn verify_consistency(
    old: &TreeHead,
    new: &TreeHead,
    proof: &[Digest],
) -> Result<(), MerkleError> {
    check_order(old.size, new.size)?;
    check_length(consistency_proof_len(old.size, new.size), proof)?;
    if old.size == 0 {
        let empty = old.root == empty_root();
        return if empty {
            Ok(())
        } else {
            Err(MerkleError::OldRootMismatch)
        };
    }
    if old.size == new.size {
        return if old.root == new.root {
            Ok(())
        } else {
            Err(MerkleError::RootMismatch)
        };
    }
    let lift = old.size.trailing_zeros();
    let (mut position, mut last) = ((old.size - 1) >> lift, (new.size - 1) >> lift);
    let whole = old.size.is_power_of_two();
    let (first, rest) = match proof.split_first() {
        _ if whole => (&old.root, proof),
        Some(split) => split,
        None => {
            return Err(MerkleError::ProofLength {
                expected: 1,
                found: 0,
            });
        }
    };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if position & 1 == 1 || position == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            let lift = position.trailing_zeros();
            position = position.checked_shr(lift).unwrap_or(0);
            last = last.checked_shr(lift).unwrap_or(0);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    if old_hash != old.root {
        return Err(MerkleError::OldRootMismatch);
    }
    if new_hash == new.root {
        Ok(())
    } else {
        Err(MerkleError::RootMismatch)
    }
}

/// Number of hashes in an inclusion proof: one per level at which the node has a sibling.
fn inclusion_proof_len(index: u64, size: u64) -> usize {
    // Below the level where the paths of this leaf and the last part, every level has a sibling;
    // above it, only those where the path turns right.
    let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    (inner + border) as usize
}

/// Number of hashes in a consistency proof.
fn consistency_proof_len(old: u64, new: u64) -> usize {
    if old == 0 || old == new {
        return 0;
    }
    let lift = old.trailing_zeros();
    let (position, last) = ((old - 1) >> lift, (new - 1) >> lift);
    let inner = u64::BITS - (position ^ last).leading_zeros();
    let border = position.checked_shr(inner).unwrap_or(0).count_ones();
    (inner + border) as usize + usize::from(!old.is_power_of_two())
}
