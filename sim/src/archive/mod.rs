//! Whole, valid audit archives of any size from a seed, for measurement: a hospital's log of orders
//! and studies, some of which are read elsewhere.
//!
//! Real: every byte of every entry's encoding, its commitments and nonce, grants and receipts with
//! their envelopes, the readers' own entries with proofs from the readers' own logs, tiles,
//! checkpoint, cosignatures of three of four witnesses, the papers that the council signed, and the
//! archive's signed list. Made up: what is committed to. No payload is sealed, because none is in
//! an archive: an entry's payload digest is that of the payload before it would be sealed.
//!
//! Entries go to a [`Shelf`] as they are made. What is held grows with the number of files alone,
//! as the list of them does.

mod members;
mod story;

use std::collections::BTreeMap;

use crypto::digest::Digest;
use crypto::log::merkle::{MerkleError, TreeHead, inclusion_proof};
use crypto::log::proof::LogProof;
use crypto::log::reader::{ReadError, TileReader, TileTree};
use crypto::log::tile::{TILE_WIDTH, Tile, TileKind};
use crypto::log::writer::{LogWriter, TileFile, WriteError};
use protocol::audit::archive::name::LOG_PREFIX;
use protocol::audit::archive::{FileName, Listed, Manifest, NOTE_PATH};
use protocol::audit::entry::{EntryDraft, EntryError};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::consortium::EPOCH_S;
use members::Members;

/// Time between two entries. Ten million of them fit into the life of the members' papers.
const STEP_US: u64 = 2_000_000;
/// Most entries: the credentials must hold at the last one.
pub const ENTRIES_MAX: u64 = (members::LIFE_S - 2 * 86_400) * 1_000_000 / STEP_US;
/// One study in so many is read elsewhere, unless said otherwise: with this, the list of a log of
/// ten million entries is within its bound ([`protocol::audit::archive::NOTE_MAX`]).
pub const STUDIES_A_RELEASE: u64 = 50;

/// Where an archive's files go, and are read back from.
pub trait Shelf {
    /// Why a file cannot be written.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Writes a file that is not there yet, under a path of an archive.
    ///
    /// # Errors
    /// The shelf's own.
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Reads a file back; `None` if it cannot be.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
}

/// An archive in memory, for tests.
impl Shelf for BTreeMap<String, Vec<u8>> {
    type Error = std::convert::Infallible;

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Self::Error> {
        self.insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.get(path).cloned()
    }
}

/// What is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Entries in the log; from 1 to [`ENTRIES_MAX`].
    pub entries: u64,
    /// One study in so many is read elsewhere; 1 for all of them.
    pub studies_a_release: u64,
    /// Everything follows from it.
    pub seed: u64,
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// SHA-256 of the consortium's genesis, to pin.
    pub genesis: Digest,
    /// The log's size and root.
    pub head: TreeHead,
    /// Releases granted, each with its receipt.
    pub releases: u64,
    /// Files, the list of them counted.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Why an archive is not made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError<E: std::error::Error + 'static> {
    /// Too few or too many entries.
    #[error("{0} entries are asked for: from 1 to {ENTRIES_MAX} can be made")]
    Entries(u64),
    /// Not one study in none.
    #[error("one study in 0 is asked for: name a number from 1 on")]
    Releases,
    /// A file cannot be written.
    #[error("{0}")]
    Shelf(#[source] E),
    /// A file that was written does not read back.
    #[error("what was written does not read back: {0}")]
    Lost(#[from] ReadError),
    /// An entry or a tree that the log's format refuses.
    #[error("{0}")]
    Log(#[from] WriteError),
    /// A tree that is full.
    #[error("{0}")]
    Tree(#[from] MerkleError),
    /// An entry that the format refuses.
    #[error("{0}")]
    Entry(#[from] EntryError),
}

/// Makes the archive of a hospital's log.
///
/// # Errors
/// [`MakeError`]; what was written until then stays on the shelf.
pub fn make<S: Shelf>(plan: Plan, shelf: &mut S) -> Result<Made, MakeError<S::Error>> {
    if plan.entries == 0 || plan.entries > ENTRIES_MAX {
        return Err(MakeError::Entries(plan.entries));
    }
    if plan.studies_a_release == 0 {
        return Err(MakeError::Releases);
    }
    let mut rng = ChaCha20Rng::seed_from_u64(plan.seed);
    let members = Members::found(&mut rng);
    let mut maker = Maker {
        manifest: Manifest::new(members.hospital.origin.clone(), plan.entries),
        members,
        plan,
        shelf,
        rng,
        writer: LogWriter::new(),
        edge: BTreeMap::new(),
        granted: Vec::new(),
        now_us: EPOCH_S * 1_000_000,
        bytes: 0,
    };
    story::tell(&mut maker)?;
    maker.finish()
}

/// An archive that is being made.
struct Maker<'a, S> {
    plan: Plan,
    shelf: &'a mut S,
    members: Members,
    rng: ChaCha20Rng,
    writer: LogWriter,
    /// The last partial tile of each kind: an archive has only those of its own size.
    edge: BTreeMap<TileKind, TileFile>,
    /// Entries that granted a release: each gets a proof from the finished log.
    granted: Vec<u64>,
    manifest: Manifest,
    now_us: u64,
    bytes: u64,
}

impl<S: Shelf> Maker<'_, S> {
    /// Entries that are still to be made.
    fn left(&self) -> u64 {
        self.plan.entries.saturating_sub(self.writer.size())
    }

    /// Appends an entry; writes what it fills.
    fn append(&mut self, draft: &EntryDraft) -> Result<u64, MakeError<S::Error>> {
        let entry = draft.finish(Digest::sha256(draft.payload()))?;
        let index = self.writer.append(&entry)?;
        self.now_us += STEP_US;
        if self.writer.size().is_multiple_of(TILE_WIDTH) || self.left() == 0 {
            for file in self.writer.take_files() {
                let kind = file.tile.kind();
                if file.tile.is_full() {
                    self.edge.remove(&kind);
                    self.put(FileName::Tile(file.tile), &file.bytes)?;
                } else {
                    self.edge.insert(kind, file);
                }
            }
        }
        Ok(index)
    }

    fn put(&mut self, name: FileName, bytes: &[u8]) -> Result<(), MakeError<S::Error>> {
        self.shelf
            .write(&name.to_string(), bytes)
            .map_err(MakeError::Shelf)?;
        self.manifest.add(name, Listed::of(bytes));
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn finish(mut self) -> Result<Made, MakeError<S::Error>> {
        let head = self.writer.head();
        for (kind, file) in std::mem::take(&mut self.edge) {
            // A level whose last tile was filled has no partial one.
            if Tile::in_tree(kind, file.tile.index(), head.size) == Some(file.tile) {
                self.put(FileName::Tile(file.tile), &file.bytes)?;
            }
        }
        let signed = self.members.cosigned(head, self.now_us / 1_000_000 + 1);
        self.put(FileName::Checkpoint, &signed.encode())?;
        for (name, bytes) in std::mem::take(&mut self.members.papers) {
            self.put(name, &bytes)?;
        }
        let granted = std::mem::take(&mut self.granted);
        for index in &granted {
            // A tree is only looked at: the shelf is written to in between.
            let tree = TileTree::new(Tiles(&*self.shelf), head.size)?;
            let proof = LogProof {
                extra: None,
                index: *index,
                path: inclusion_proof(&tree, *index, head.size)?,
                checkpoint: signed.clone(),
            };
            self.put(FileName::Proof(*index), &proof.encode())?;
        }
        let note = self
            .manifest
            .note(&self.members.sign(&self.manifest.text()));
        self.shelf
            .write(NOTE_PATH, &note)
            .map_err(MakeError::Shelf)?;
        Ok(Made {
            genesis: self.members.genesis,
            head,
            releases: granted.len() as u64,
            files: self.manifest.files().count() as u64 + 1,
            bytes: self.bytes + note.len() as u64,
        })
    }
}

/// A shelf as the log's mathematics reads it.
struct Tiles<'a, S>(&'a S);

impl<S: Shelf> TileReader for Tiles<'_, S> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.read(&format!("{LOG_PREFIX}{path}"))
    }
}

#[cfg(test)]
mod tests;
