//! Which files an archive has, read from the node's log and written in order.

use std::path::{Path, PathBuf};

use crypto::log::checkpoint::{CheckpointError, SignedCheckpoint};
use crypto::log::proof::LogProof;
use crypto::log::reader::{ReadError, TileReader, read_bundle, read_hashes};
use crypto::log::tile::{TILE_WIDTH, TileKind, parse_bundle, tiles};
use crypto::note::NoteSignature;
use protocol::audit::archive::{FileName, Listed, Manifest, attach};
use protocol::audit::entry::{Entry, EntryError, Openings};
use protocol::audit::header::Kind;
use protocol::audit::record::{Record, RecordError};
use zeroize::Zeroizing;

use super::write::{Staged, WriteError};

/// The files of the `trust` folder, exact bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustFiles {
    /// The genesis envelope.
    pub genesis: Vec<u8>,
    /// Every credential envelope that the node relied on, renewed ones too, by serial number.
    pub credentials: Vec<(u64, Vec<u8>)>,
    /// The quorum file.
    pub quorum: Vec<u8>,
    /// What the council signed of it.
    pub quorum_paper: Vec<u8>,
    /// The policy text.
    pub policy: Vec<u8>,
    /// The schema text.
    pub schema: Vec<u8>,
}

/// Where an export reads. The log may grow meanwhile: what the checkpoint covers stays readable.
pub trait ExportSource {
    /// What can go wrong on the node's side.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The log's latest checkpoint that a quorum cosigned, with its cosignatures: a signed note.
    ///
    /// # Errors
    /// The node's own.
    fn checkpoint(&self) -> Result<Vec<u8>, Self::Error>;

    /// The bytes of a tile or bundle, by its path below the log's prefix (`tile/…`); `None` if
    /// there are none.
    ///
    /// # Errors
    /// The node's own.
    fn tile(&self, path: &str) -> Result<Option<Vec<u8>>, Self::Error>;

    /// The opened payload of an entry: an encoded [`Openings`]; `None` if it was erased. Nothing of
    /// it but the exact envelopes and proofs of a release goes into the archive.
    ///
    /// # Errors
    /// The node's own.
    fn payload(&self, index: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Self::Error>;

    /// The openings of an entry that are disclosed with the archive, in their one encoding; none
    /// unless the source says otherwise.
    ///
    /// # Errors
    /// The node's own.
    fn opening(&self, index: u64, entry: &Entry) -> Result<Option<Vec<u8>>, Self::Error> {
        let _ = (index, entry);
        Ok(None)
    }

    /// Genesis, credentials, quorum file as the council signed it, and policy.
    ///
    /// # Errors
    /// The node's own.
    fn trust(&self) -> Result<TrustFiles, Self::Error>;

    /// Signs the text of `archive.note` with the log's key, under the log's name.
    ///
    /// # Errors
    /// The node's own.
    fn sign(&self, text: &str) -> Result<NoteSignature, Self::Error>;
}

/// Why an export fails. Nothing is left in the target then.
#[derive(Debug, thiserror::Error)]
pub enum ExportError<E: std::error::Error + 'static> {
    /// The node cannot give what is asked for.
    #[error("the log cannot be read: {0}")]
    Source(#[source] E),
    /// The checkpoint is refused.
    #[error("the log's checkpoint is refused: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A tile is missing or malformed.
    #[error("the log's files are damaged: {0}")]
    Tiles(#[from] ReadError),
    /// An entry is malformed.
    #[error("entry {index} is refused: {error}")]
    Entry {
        /// Its index.
        index: u64,
        /// What is wrong.
        error: EntryError,
    },
    /// An entry's payload was erased, or is not what it should be.
    #[error("entry {index} cannot be proved to others: {error}")]
    Record {
        /// Its index.
        index: u64,
        /// What is wrong.
        error: RecordError,
    },
    /// The folder cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The folder.
    pub folder: PathBuf,
    /// The log's origin.
    pub origin: String,
    /// Entries in it.
    pub entries: u64,
    /// Files, `archive.note` counted.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Writes the archive of a log into `folder`, which must be absent or empty. Report text, patient
/// data and other payloads stay at home, but for openings that the source discloses.
///
/// # Errors
/// [`ExportError`]; the target is as it was.
pub fn export<S: ExportSource>(
    source: &S,
    folder: &Path,
) -> Result<Exported, ExportError<S::Error>> {
    let checkpoint = source.checkpoint().map_err(ExportError::Source)?;
    let signed = SignedCheckpoint::parse(&checkpoint)?;
    let stated = signed.checkpoint();
    let mut archive = Archive {
        source,
        manifest: Manifest::new(stated.origin.clone(), stated.head.size),
        signed: signed.clone(),
        staged: Staged::create(folder)?,
        bytes: 0,
    };
    archive.put(FileName::Checkpoint, &checkpoint)?;
    archive.trust()?;
    archive.log()?;
    archive.finish(folder)
}

/// An export on its way.
struct Archive<'a, S> {
    source: &'a S,
    manifest: Manifest,
    signed: SignedCheckpoint,
    staged: Staged,
    bytes: u64,
}

impl<S: ExportSource> Archive<'_, S> {
    fn put(&mut self, name: FileName, bytes: &[u8]) -> Result<(), WriteError> {
        self.staged.write(&name.to_string(), bytes)?;
        self.manifest.add(name, Listed::of(bytes));
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn trust(&mut self) -> Result<(), ExportError<S::Error>> {
        let trust = self.source.trust().map_err(ExportError::Source)?;
        self.put(FileName::Genesis, &trust.genesis)?;
        self.put(FileName::Quorum, &trust.quorum)?;
        self.put(FileName::QuorumPaper, &trust.quorum_paper)?;
        self.put(FileName::Policy, &trust.policy)?;
        self.put(FileName::Schema, &trust.schema)?;
        for (serial, envelope) in &trust.credentials {
            self.put(FileName::Credential(*serial), envelope)?;
        }
        Ok(())
    }

    /// The log's own files, and with each bundle what hangs on its entries.
    fn log(&mut self) -> Result<(), ExportError<S::Error>> {
        let tiles_of = Tiles(self.source);
        for tile in tiles(self.manifest.size) {
            match tile.kind() {
                TileKind::Hashes(_) => {
                    let bytes = read_hashes(&tiles_of, &tile)?;
                    self.put(FileName::Tile(tile), &bytes)?;
                }
                TileKind::Entries => {
                    let bundle = read_bundle(&tiles_of, &tile)?;
                    self.put(FileName::Tile(tile), &bundle)?;
                    let malformed = |error| ReadError::Malformed {
                        path: tile.path(),
                        error,
                    };
                    let entries = parse_bundle(&bundle, tile.width()).map_err(malformed)?;
                    for (index, entry) in (tile.index() * TILE_WIDTH..).zip(entries) {
                        self.entry(index, entry)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What hangs on one entry.
    fn entry(&mut self, index: u64, bytes: &[u8]) -> Result<(), ExportError<S::Error>> {
        let entry =
            Entry::decode_bytes(bytes).map_err(|error| ExportError::Entry { index, error })?;
        if let Some(opening) = self
            .source
            .opening(index, &entry)
            .map_err(ExportError::Source)?
        {
            self.put(FileName::Opening(index), &opening)?;
        }
        let kind = entry.header().kind;
        let attached = [
            Kind::ReleaseGranted,
            Kind::GrantAccepted,
            Kind::ReceiptAccepted,
        ];
        if attached.iter().all(|attached| *attached as i32 != kind) {
            return Ok(());
        }
        let refused = |error| ExportError::Record { index, error };
        let payload = self.source.payload(index).map_err(ExportError::Source)?;
        let payload = payload.ok_or(refused(RecordError::Missing))?;
        let openings = Openings::decode_bytes(&payload)
            .map_err(|error| ExportError::Entry { index, error })?;
        let record = Record::decode(kind, &openings).map_err(refused)?;
        for (name, bytes) in attach::files(index, &record) {
            self.put(name, bytes)?;
        }
        if attach::needs_proof(&record) {
            let size = self.manifest.size;
            let proof = LogProof::make(Tiles(self.source), size, index, self.signed.clone())?;
            self.put(FileName::Proof(index), &proof.encode())?;
        }
        Ok(())
    }

    fn finish(mut self, folder: &Path) -> Result<Exported, ExportError<S::Error>> {
        let signature = self
            .source
            .sign(&self.manifest.text())
            .map_err(ExportError::Source)?;
        let note = self.manifest.note(&signature);
        self.staged
            .write(protocol::audit::archive::NOTE_PATH, &note)?;
        self.bytes += note.len() as u64;
        self.staged.publish()?;
        Ok(Exported {
            folder: folder.to_owned(),
            origin: self.manifest.origin.to_string(),
            entries: self.manifest.size,
            files: self.manifest.files().count() as u64 + 1,
            bytes: self.bytes,
        })
    }
}

/// The source as the log's mathematics reads it.
struct Tiles<'a, S>(&'a S);

impl<S: ExportSource> TileReader for Tiles<'_, S> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        // A file that cannot be read is missing from the archive, and the export says which.
        self.0.tile(path).ok().flatten()
    }
}
