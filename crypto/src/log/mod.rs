//! The audit log's mathematics: hashes, tiles, checkpoints, cosignatures, quorums and proofs.
//!
//! Words: an *entry* is opaque bytes; its *leaf* is the entry's hash; a *tree* of size n covers
//! the first n entries; a *checkpoint* is a log's signed statement of its origin, size and root;
//! a *cosignature* is a witness's statement that it saw that checkpoint grow from the last one it
//! saw. An entry is *pending* while only the writer has it, *integrated* once a signed checkpoint
//! covers it, and *witnessed* once that checkpoint meets the quorum.
//!
//! | layer | module | specification (C2SP unless said) |
//! |---|---|---|
//! | hashes and proofs | [`merkle`] | RFC 6962, section 2.1; RFC 9162, section 2.1 |
//! | files | [`tile`], [`writer`], [`reader`] | tlog-tiles |
//! | statements | [`checkpoint`], [`cosign`] | tlog-checkpoint, tlog-cosignature |
//! | trust | [`quorum`], [`proof`] | tlog-policy, tlog-proof |
//! | audit | [`fsck`] | none: recompute everything, name each file that disagrees |
//!
//! Deliberately absent: HTTP, files, clocks, and any meaning of an entry.

pub mod checkpoint;
pub mod cosign;
pub mod fsck;
#[doc(hidden)]
pub mod fuzz;
pub mod merkle;
pub mod proof;
pub mod quorum;
pub mod reader;
pub mod tile;
pub mod witness;
pub mod writer;

mod text;

#[cfg(test)]
mod tests;
