//! The log's files: C2SP tiles, the signed checkpoint that commits them, and the cosigned one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crypto::log::checkpoint::SignedCheckpoint;
use crypto::log::reader::{TileReader, read_bundle};
use crypto::log::tile::{TILE_WIDTH, Tile, TileKind, growth, parse_bundle};
use crypto::note::{MAX_NOTE_LEN, VerifierKey};

use super::LogError;
use crate::files::FileError;

/// The newest checkpoint that the log signed: the commit point.
const CHECKPOINT: &str = "checkpoint";

/// The newest checkpoint with a quorum's cosignatures.
const COSIGNED: &str = "cosigned";

/// The longest tile: an entry bundle of 256 entries of at most 65,535 bytes, with their lengths.
const TILE_MAX: u64 = 256 * (65_535 + 2);

/// The folder of a log. Clones share it.
#[derive(Clone, Debug)]
pub struct LogFiles(Arc<Path>);

impl LogFiles {
    /// The folder, made if it is absent.
    pub(super) fn open(folder: &Path) -> Result<Self, LogError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        Ok(Self(Arc::from(folder)))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The checkpoint that commits the log; `None` for a log without entries.
    pub(super) fn checkpoint(
        &self,
        log: &VerifierKey,
    ) -> Result<Option<SignedCheckpoint>, LogError> {
        self.note(CHECKPOINT, log)
    }

    /// The newest cosigned checkpoint.
    pub(super) fn cosigned(&self, log: &VerifierKey) -> Result<Option<SignedCheckpoint>, LogError> {
        self.note(COSIGNED, log)
    }

    fn note(&self, name: &str, log: &VerifierKey) -> Result<Option<SignedCheckpoint>, LogError> {
        let file = self.0.join(name);
        if !file.exists() {
            return Ok(None);
        }
        let bytes = crate::files::read(&file, MAX_NOTE_LEN as u64)?;
        Ok(Some(SignedCheckpoint::open(&bytes, log)?))
    }

    /// Writes tiles durably.
    pub(super) fn write_tiles(&self, tiles: &[(String, Vec<u8>)]) -> Result<(), LogError> {
        for (path, bytes) in tiles {
            let file = self.0.join(path);
            if let Some(folder) = file.parent().filter(|folder| !folder.exists()) {
                make_folders(&self.0, folder).map_err(at(folder))?;
            }
            replace(&file, bytes)?;
        }
        Ok(())
    }

    /// Commits: from here on the tree of this checkpoint is the log.
    pub(super) fn commit(&self, signed: &SignedCheckpoint) -> Result<(), LogError> {
        Ok(replace(&self.0.join(CHECKPOINT), &signed.encode())?)
    }

    /// Keeps a cosigned checkpoint.
    pub(super) fn keep_cosigned(&self, signed: &SignedCheckpoint) -> Result<(), LogError> {
        Ok(replace(&self.0.join(COSIGNED), &signed.encode())?)
    }

    /// Takes away the partial tiles of a log of `old` entries that one of `new` has wider: without
    /// this every batch would leave a copy of the newest entries behind.
    pub(super) fn prune(&self, old: u64, new: u64) {
        for tile in growth(old, new) {
            let before = Tile::in_tree(tile.kind(), tile.index(), old);
            if let Some(before) = before.filter(|before| before.width() < tile.width()) {
                // What stays behind only takes room, and the log may keep it.
                let _ = fs::remove_file(self.0.join(before.path()));
            }
        }
    }

    /// The exact entry at `index` of a log of `size` entries.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn entry(&self, index: u64, size: u64) -> Result<Vec<u8>, LogError> {
        let tile = Tile::in_tree(TileKind::Entries, index / TILE_WIDTH, size)
            .ok_or(LogError::NotCovered(index))?;
        let bundle = read_bundle(self, &tile)?;
        let entries = parse_bundle(&bundle, tile.width()).map_err(|error| {
            crypto::log::reader::ReadError::Malformed {
                path: tile.path(),
                error,
            }
        })?;
        let entry = entries.get((index % TILE_WIDTH) as usize);
        Ok(entry.ok_or(LogError::NotCovered(index))?.to_vec())
    }
}

impl TileReader for LogFiles {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        crate::files::read(&self.0.join(path), TILE_MAX).ok()
    }
}

fn at(file: &Path) -> impl FnOnce(io::Error) -> FileError + use<'_> {
    |source| FileError::System {
        file: file.to_owned(),
        source,
    }
}

/// Makes the folders down to `folder`, each synced into the one above it.
fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    let mut missing: Vec<PathBuf> = folder
        .ancestors()
        .take_while(|above| *above != root && !above.exists())
        .map(Path::to_owned)
        .collect();
    while let Some(next) = missing.pop() {
        match fs::create_dir(&next) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        File::open(next.parent().unwrap_or(root))?.sync_all()?;
    }
    Ok(())
}

/// Puts a whole new content in place of a file, durably: after a power cut it has the old or the new.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temporary = file.with_extension("new");
    let written = || -> io::Result<()> {
        let mut open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temporary)?;
        open.write_all(bytes)?;
        open.sync_all()?;
        fs::rename(&temporary, file)?;
        File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    written().map_err(at(file))
}
