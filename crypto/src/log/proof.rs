//! `.tlog-proof` files (c2sp.org/tlog-proof@v1): one entry's place in a cosigned log, offline.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::checkpoint::{CheckpointError, SignedCheckpoint};
use super::merkle::{MAX_PROOF_LEN, MerkleError, inclusion_proof, leaf_hash, verify_inclusion};
use super::quorum::{Evaluation, Quorum, QuorumError};
use super::reader::{ReadError, TileReader, TileTree};
use super::text;
use crate::digest::Digest;
use crate::note::{MAX_NOTE_LEN, VerifierKey};

/// File name extension, without the dot.
pub const EXTENSION: &str = "tlog-proof";
/// Longest extra data, before base64.
pub const MAX_EXTRA_LEN: usize = 64 * 1024;
/// Longest proof file: checkpoint, extra data in base64, path and first lines.
pub const MAX_FILE_LEN: usize = MAX_NOTE_LEN + 2 * MAX_EXTRA_LEN;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Why a proof file is refused before anything is checked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// Longer than [`MAX_FILE_LEN`].
    #[error("the proof is longer than {MAX_FILE_LEN} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the proof is not UTF-8")]
    NotUtf8,
    /// The first line is not this format's.
    #[error("not a c2sp.org/tlog-proof@v1 file")]
    Format,
    /// The extra data is empty, too long, or not base64.
    #[error("the extra data is malformed")]
    Extra,
    /// The index line is missing or malformed.
    #[error("the index is malformed")]
    Index,
    /// A line of the path (from 0) is not base64 of 32 bytes.
    #[error("hash {0} of the path is malformed")]
    Hash(usize),
    /// More than [`MAX_PROOF_LEN`] hashes.
    #[error("the path has more than {MAX_PROOF_LEN} hashes")]
    PathTooLong,
    /// There is no blank line and no checkpoint after it.
    #[error("the proof ends before its checkpoint")]
    NoCheckpoint,
    /// The checkpoint is malformed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// A proof file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// Unauthenticated context; never empty.
    pub extra: Option<Vec<u8>>,
    /// Index of the entry in the log.
    pub index: u64,
    /// Hashes from the leaf's sibling to a child of the root.
    pub path: Vec<Digest>,
    /// The log's checkpoint with its cosignatures.
    pub checkpoint: SignedCheckpoint,
}

impl LogProof {
    /// Makes the proof for entry `index` from the log's tiles.
    ///
    /// The tiles may belong to a larger tree; give its size as `tiles_size`.
    ///
    /// # Errors
    /// [`ReadError`], also if the index is not covered by the checkpoint.
    pub fn make<R: TileReader>(
        reader: R,
        tiles_size: u64,
        index: u64,
        checkpoint: SignedCheckpoint,
    ) -> Result<Self, ReadError> {
        let tree = TileTree::new(reader, tiles_size)?;
        let path = inclusion_proof(&tree, index, checkpoint.head().size)?;
        Ok(Self {
            extra: None,
            index,
            path,
            checkpoint,
        })
    }

    /// Parses a file; accepts what [`Self::encode`] writes and nothing else.
    ///
    /// # Errors
    /// Any [`ProofError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > MAX_FILE_LEN {
            return Err(ProofError::TooLong);
        }
        let mut rest = std::str::from_utf8(bytes).map_err(|_| ProofError::NotUtf8)?;
        if next_line(&mut rest) != Some(FIRST_LINE) {
            return Err(ProofError::Format);
        }
        let mut line = next_line(&mut rest);
        let mut extra = None;
        if let Some(data) = line.and_then(|line| line.strip_prefix("extra ")) {
            let data = STANDARD.decode(data).map_err(|_| ProofError::Extra)?;
            if data.is_empty() || data.len() > MAX_EXTRA_LEN {
                return Err(ProofError::Extra);
            }
            extra = Some(data);
            line = next_line(&mut rest);
        }
        let index = line
            .and_then(|line| line.strip_prefix("index "))
            .and_then(text::decimal)
            .ok_or(ProofError::Index)?;
        let mut path = Vec::new();
        loop {
            match next_line(&mut rest) {
                None => return Err(ProofError::NoCheckpoint),
                Some("") => break,
                Some(_) if path.len() == MAX_PROOF_LEN => return Err(ProofError::PathTooLong),
                Some(hash) => path.push(text::hash(hash).ok_or(ProofError::Hash(path.len()))?),
            }
        }
        let checkpoint = SignedCheckpoint::parse(rest.as_bytes())?;
        Ok(Self {
            extra,
            index,
            path,
            checkpoint,
        })
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = format!("{FIRST_LINE}\n");
        if let Some(extra) = &self.extra {
            out += &format!("extra {}\n", STANDARD.encode(extra));
        }
        out += &format!("index {}\n", self.index);
        for hash in &self.path {
            out += &text::encode_hash(hash);
            out.push('\n');
        }
        out.push('\n');
        let mut out = out.into_bytes();
        out.extend_from_slice(&self.checkpoint.encode());
        out
    }

    /// Makes all checks, offline: the log signed, the entry is in its tree, the quorum cosigned.
    pub fn verify(&self, entry: &[u8], log: &VerifierKey, quorum: &Quorum) -> Verdict {
        let head = self.checkpoint.head();
        let leaf = leaf_hash(entry);
        Verdict {
            index: self.index,
            size: head.size,
            signed: self.checkpoint.verify_log(log),
            included: verify_inclusion(&leaf, self.index, head.size, &self.path, &head.root),
            witnessed: quorum.evaluate(&self.checkpoint, log),
        }
    }
}

/// What each check of a proof found. The proof is good only if [`Verdict::holds`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// Index of the entry, by the proof.
    pub index: u64,
    /// Size of the tree, by the checkpoint.
    pub size: u64,
    /// Whether the log signed the checkpoint.
    pub signed: Result<(), CheckpointError>,
    /// Whether the entry is in the tree that the checkpoint states.
    pub included: Result<(), MerkleError>,
    /// Which witnesses cosigned, and whether they are a quorum.
    pub witnessed: Result<Evaluation, QuorumError>,
}

impl Verdict {
    /// Whether every check holds.
    pub fn holds(&self) -> bool {
        let quorum = self.witnessed.as_ref().is_ok_and(Evaluation::satisfied);
        self.signed.is_ok() && self.included.is_ok() && quorum
    }
}

/// One line per check.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.signed {
            Ok(()) => writeln!(f, "signed by the log: yes, at size {}", self.size)?,
            Err(error) => writeln!(f, "signed by the log: NO: {error}")?,
        }
        match &self.included {
            Ok(()) => writeln!(f, "entry in the log: yes, at index {}", self.index)?,
            Err(error) => writeln!(f, "entry in the log: NO: {error}")?,
        }
        match &self.witnessed {
            Ok(found) => {
                let yes = if found.satisfied() { "yes" } else { "NO" };
                let names: Vec<&str> = found.counted.keys().map(String::as_str).collect();
                writeln!(f, "witnessed by a quorum: {yes}: [{}]", names.join(", "))?;
                found
                    .shortfalls
                    .iter()
                    .try_for_each(|short| writeln!(f, "  {short}"))
            }
            Err(error) => writeln!(f, "witnessed by a quorum: NO: {error}"),
        }
    }
}

fn next_line<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let (line, after) = rest.split_once('\n')?;
    *rest = after;
    Some(line)
}
