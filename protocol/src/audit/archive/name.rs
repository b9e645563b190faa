//! Names of the files in an archive: one spelling each, and how large each may be.

use std::fmt;

use crypto::envelope;
use crypto::log::proof;
use crypto::log::quorum;
use crypto::log::tile::{CHECKPOINT_PATH, MAX_ENTRY_LEN, TILE_WIDTH, Tile, TileKind};
use crypto::note::MAX_NOTE_LEN;

/// Folder of the log's own files, a C2SP tlog-tiles prefix.
pub const LOG_PREFIX: &str = "log/";

/// Longest policy or schema text, in bytes: a hundred pages of rules.
const TEXT_MAX: u64 = 1 << 20;
/// Longest disclosed payload, in bytes: a record holds at most three envelopes, and is shown once
/// as a whole and once by its fields.
const OPENING_MAX: u64 = 8 << 20;

/// One file of an archive, but for the note that lists them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileName {
    /// `log/checkpoint`: the log's checkpoint with its cosignatures.
    Checkpoint,
    /// `log/tile/…`: hashes and entries.
    Tile(Tile),
    /// `trust/genesis.env`: the consortium's genesis.
    Genesis,
    /// `trust/credentials/<serial>.env`.
    Credential(u64),
    /// `trust/quorum.policy`: C2SP tlog-policy.
    Quorum,
    /// `trust/quorum.envelope`: what the council signed of it.
    QuorumPaper,
    /// `trust/policy.cedar`: the policy in force.
    Policy,
    /// `trust/schema.cedarschema`: the schema that it is validated against.
    Schema,
    /// `grants/<index>.env`: the exact grant envelope of a granted or accepted release.
    Grant(u64),
    /// `receipts/<index>.env`: the receipt of an accepted receipt's entry.
    Receipt(u64),
    /// `receipts/<index>.entry`: the entry of the reader's log that the receipt names.
    ReceiptEntry(u64),
    /// `receipts/<index>.proof`: its proof from the reader's log.
    ReceiptProof(u64),
    /// `peer/<index>.entry`: the owner's entry of an accepted grant.
    PeerEntry(u64),
    /// `peer/<index>.proof`: its proof from the owner's log, cosigned.
    PeerProof(u64),
    /// `proofs/<index>.tlog-proof`: this log's own cosigned proof of a granted release.
    Proof(u64),
    /// `openings/<index>.bin`: a disclosed payload.
    Opening(u64),
}

impl FileName {
    /// Reads a path; refuses every spelling but the one that is written.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let name = match path {
            "trust/genesis.env" => Self::Genesis,
            "trust/quorum.policy" => Self::Quorum,
            "trust/quorum.envelope" => Self::QuorumPaper,
            "trust/policy.cedar" => Self::Policy,
            "trust/schema.cedarschema" => Self::Schema,
            other => Self::parse_numbered(other)?,
        };
        (name.to_string() == path).then_some(name)
    }

    fn parse_numbered(path: &str) -> Option<Self> {
        if let Some(inner) = path.strip_prefix(LOG_PREFIX) {
            return match inner {
                CHECKPOINT_PATH => Some(Self::Checkpoint),
                tile => Tile::parse(tile).ok().map(Self::Tile),
            };
        }
        let (folder, file) = path.rsplit_once('/')?;
        let (number, extension) = file.split_once('.')?;
        let number = number.parse().ok()?;
        match (folder, extension) {
            ("trust/credentials", "env") => Some(Self::Credential(number)),
            ("grants", "env") => Some(Self::Grant(number)),
            ("receipts", "env") => Some(Self::Receipt(number)),
            ("receipts", "entry") => Some(Self::ReceiptEntry(number)),
            ("receipts", "proof") => Some(Self::ReceiptProof(number)),
            ("peer", "entry") => Some(Self::PeerEntry(number)),
            ("peer", "proof") => Some(Self::PeerProof(number)),
            ("proofs", proof::EXTENSION) => Some(Self::Proof(number)),
            ("openings", "bin") => Some(Self::Opening(number)),
            _ => None,
        }
    }

    /// The most bytes that the file may have: a verifier reads no more.
    #[must_use]
    pub fn max_len(&self) -> u64 {
        match self {
            Self::Checkpoint => MAX_NOTE_LEN as u64,
            Self::Tile(tile) => match tile.kind() {
                TileKind::Entries => TILE_WIDTH * (2 + MAX_ENTRY_LEN as u64),
                TileKind::Hashes(_) => TILE_WIDTH * 32,
            },
            Self::Genesis
            | Self::Credential(_)
            | Self::QuorumPaper
            | Self::Grant(_)
            | Self::Receipt(_) => envelope::MAX_ENCODED_LEN as u64,
            Self::Quorum => quorum::MAX_POLICY_LEN as u64,
            Self::Policy | Self::Schema => TEXT_MAX,
            Self::ReceiptEntry(_) | Self::PeerEntry(_) => MAX_ENTRY_LEN as u64,
            Self::ReceiptProof(_) | Self::PeerProof(_) | Self::Proof(_) => {
                proof::MAX_FILE_LEN as u64
            }
            Self::Opening(_) => OPENING_MAX,
        }
    }

    /// The entry that the file belongs to, for files that belong to one.
    #[must_use]
    pub const fn entry(&self) -> Option<u64> {
        match self {
            Self::Checkpoint
            | Self::Tile(_)
            | Self::Genesis
            | Self::Credential(_)
            | Self::Quorum
            | Self::QuorumPaper
            | Self::Policy
            | Self::Schema => None,
            Self::Grant(index)
            | Self::Receipt(index)
            | Self::ReceiptEntry(index)
            | Self::ReceiptProof(index)
            | Self::PeerEntry(index)
            | Self::PeerProof(index)
            | Self::Proof(index)
            | Self::Opening(index) => Some(*index),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => write!(f, "{LOG_PREFIX}{CHECKPOINT_PATH}"),
            Self::Tile(tile) => write!(f, "{LOG_PREFIX}{}", tile.path()),
            Self::Genesis => f.write_str("trust/genesis.env"),
            Self::Credential(serial) => write!(f, "trust/credentials/{serial}.env"),
            Self::Quorum => f.write_str("trust/quorum.policy"),
            Self::QuorumPaper => f.write_str("trust/quorum.envelope"),
            Self::Policy => f.write_str("trust/policy.cedar"),
            Self::Schema => f.write_str("trust/schema.cedarschema"),
            Self::Grant(index) => write!(f, "grants/{index}.env"),
            Self::Receipt(index) => write!(f, "receipts/{index}.env"),
            Self::ReceiptEntry(index) => write!(f, "receipts/{index}.entry"),
            Self::ReceiptProof(index) => write!(f, "receipts/{index}.proof"),
            Self::PeerEntry(index) => write!(f, "peer/{index}.entry"),
            Self::PeerProof(index) => write!(f, "peer/{index}.proof"),
            Self::Proof(index) => write!(f, "proofs/{index}.{}", proof::EXTENSION),
            Self::Opening(index) => write!(f, "openings/{index}.bin"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        let tile = Tile::in_tree(TileKind::Entries, 0, 5).expect("in the tree");
        for name in [
            FileName::Checkpoint,
            FileName::Tile(tile),
            FileName::Genesis,
            FileName::Credential(7),
            FileName::Quorum,
            FileName::QuorumPaper,
            FileName::Policy,
            FileName::Schema,
            FileName::Grant(0),
            FileName::Receipt(1),
            FileName::ReceiptEntry(2),
            FileName::ReceiptProof(3),
            FileName::PeerEntry(4),
            FileName::PeerProof(5),
            FileName::Proof(u64::MAX),
            FileName::Opening(9),
        ] {
            assert_eq!(FileName::parse(&name.to_string()), Some(name));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for path in [
            "",
            "archive.note",
            "grants/01.env",
            "grants/+1.env",
            "grants/1.env/",
            "grants//1.env",
            "./grants/1.env",
            "grants/../grants/1.env",
            "grants/1.ENV",
            "grants/18446744073709551616.env",
            "log/tile/entries/000.p/05",
            "log/Checkpoint",
            "trust/credentials/.env",
            "openings/1.bin.txt",
        ] {
            assert_eq!(FileName::parse(path), None, "{path}");
        }
    }
}
