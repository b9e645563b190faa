//! The right edge of a tree: append in amortised constant time, root in O(log n).

use super::{
    HashReader, MerkleError, TreeHead, check_length, check_size, complete_subtrees, empty_root,
    node_hash,
};
use crate::digest::Digest;

/// The right edge of a growing tree: one hash per complete subtree, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Digest>,
}

impl Frontier {
    /// The edge of the empty tree.
    pub fn new() -> Self {
        Self {
            size: 0,
            nodes: Vec::with_capacity(64),
        }
    }

    /// Takes the hashes of the complete subtrees of a tree of `size` entries, largest first.
    ///
    /// # Errors
    /// [`MerkleError::SizeOutOfRange`], or [`MerkleError::ProofLength`] if there is not exactly one
    /// hash for each set bit of `size`.
    pub fn from_nodes(size: u64, nodes: Vec<Digest>) -> Result<Self, MerkleError> {
        check_size(size)?;
        check_length(size.count_ones() as usize, &nodes)?;
        Ok(Self { size, nodes })
    }

    /// Reads the edge of the tree of `size` entries.
    ///
    /// # Errors
    /// [`MerkleError::SizeOutOfRange`], or the reader's.
    pub fn read<R: HashReader + ?Sized>(reader: &R, size: u64) -> Result<Self, R::Error> {
        check_size(size)?;
        let mut nodes = Vec::with_capacity(64);
        for (level, index) in complete_subtrees(0, size) {
            nodes.push(reader.node(level, index)?);
        }
        Ok(Self { size, nodes })
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, largest subtree first.
    pub fn nodes(&self) -> &[Digest] {
        &self.nodes
    }

    /// Appends a leaf.
    ///
    /// # Errors
    /// [`MerkleError::SizeOutOfRange`] if the tree is full.
    pub fn push(&mut self, leaf: Digest) -> Result<(), MerkleError> {
        self.push_with(leaf, |_, _| ())
    }

    /// Appends a leaf and hands over every subtree it completes, from the leaf (level 0) upwards.
    ///
    /// # Errors
    /// [`MerkleError::SizeOutOfRange`] if the tree is full; nothing has changed then.
    pub fn push_with(
        &mut self,
        leaf: Digest,
        mut completed: impl FnMut(u8, &Digest),
    ) -> Result<(), MerkleError> {
        check_size(self.size + 1)?;
        let mut hash = leaf;
        completed(0, &hash);
        let mut level = 0;
        while (self.size >> level) & 1 == 1 {
            // One node is kept per set bit of the size, so there is one here.
            let Some(left) = self.nodes.pop() else { break };
            hash = node_hash(&left, &hash);
            level += 1;
            completed(level, &hash);
        }
        self.nodes.push(hash);
        self.size += 1;
        Ok(())
    }

    /// The tree's root.
    pub fn root(&self) -> Digest {
        bag(&self.nodes)
    }

    /// Size and root together.
    pub fn head(&self) -> TreeHead {
        TreeHead {
            size: self.size,
            root: self.root(),
        }
    }
}

/// Root over complete subtrees of falling size, largest first.
pub(super) fn bag(nodes: &[Digest]) -> Digest {
    let mut nodes = nodes.iter().rev();
    let Some(last) = nodes.next() else {
        return empty_root();
    };
    nodes.fold(*last, |right, left| node_hash(left, &right))
}
