//! The log's files: the commit point, and the published folder.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crypto::digest::DIGEST_LEN;
use crypto::log::reader::TileReader;
use crypto::log::tile::{self, Entries, Tile, TileKind};
use crypto::note::MAX_NOTE_LEN;

use crate::store::Layout;
use crate::store::disk::{Cause, DiskContext, DiskError};
use crate::store::durable;

/// The published checkpoint, below `log/`.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// The published cosigned checkpoint, below `log/`.
pub(super) const COSIGNED: &str = "cosigned";
/// Longest bundle: 256 entries of 65,535 bytes with their lengths.
const TILE_BYTES_MAX: u64 = 256 * (65_535 + 2);

/// Where the log's files are, and how each is written.
#[derive(Debug, Clone)]
pub(super) struct Files {
    temporary: PathBuf,
    journal: PathBuf,
    log: PathBuf,
}

impl Files {
    pub(super) fn new(layout: &Layout) -> Self {
        Self {
            temporary: layout.temporary.clone(),
            journal: layout.folder.join("journal"),
            log: layout.folder.join("log"),
        }
    }

    pub(super) fn create_folders(&self) -> Result<(), DiskError> {
        durable::create_folder(&self.journal)?;
        durable::create_folder(&self.log)
    }

    /// Whether nothing was ever committed or published here.
    pub(super) fn is_fresh(&self) -> Result<bool, DiskError> {
        let published = fs::read_dir(&self.log)
            .at("list", &self.log)?
            .next()
            .is_some();
        let staged = fs::metadata(self.stage_path()).is_ok_and(|stage| stage.len() > 0);
        Ok(!published && !staged)
    }

    pub(super) fn commit_path(&self) -> PathBuf {
        self.journal.join(CHECKPOINT)
    }

    pub(super) fn stage_path(&self) -> PathBuf {
        self.journal.join("stage")
    }

    pub(super) fn published(&self, name: &str) -> PathBuf {
        self.log.join(name)
    }

    /// The commit point: replaced as a whole, durably.
    pub(super) fn commit(&self, note: &[u8]) -> Result<(), DiskError> {
        durable::replace(&self.temporary, &self.commit_path(), note)
    }

    /// A published note that must survive.
    pub(super) fn publish_durably(&self, name: &str, note: &[u8]) -> Result<(), DiskError> {
        durable::replace(&self.temporary, &self.published(name), note)
    }

    pub(super) fn read_note(path: &Path) -> Result<Option<Vec<u8>>, DiskError> {
        durable::read_if_there(path, MAX_NOTE_LEN as u64)
    }

    /// Writes a published file without syncing it: readers see it whole or not at all, a power
    /// cut may take it.
    pub(super) fn place(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let below = Path::new(path);
        durable::make_folders(&self.log, durable::parent(below))?;
        durable::place_unsynced(&self.temporary, &self.log.join(below), bytes)
    }

    /// Syncs every tile that differs between the two sizes, the folders that name them, and the
    /// published checkpoint.
    pub(super) fn sync_grown(&self, old: u64, new: u64) -> Result<(), DiskError> {
        let mut folders = BTreeSet::from([self.log.clone()]);
        for tile in tile::growth(old, new) {
            let path = self.log.join(tile.path());
            durable::sync_file(&path)?;
            let above = path
                .ancestors()
                .skip(1)
                .take_while(|above| *above != self.log);
            folders.extend(above.map(Path::to_path_buf));
        }
        durable::sync_file(&self.published(CHECKPOINT))?;
        for folder in &folders {
            durable::sync_folder(folder)?;
        }
        Ok(())
    }

    /// Removes the narrower copies of every tile that differs between the two sizes. Not synced:
    /// one that comes back is removed the next time.
    pub(super) fn prune(&self, old: u64, new: u64) -> Result<(), DiskError> {
        for tile in tile::growth(old, new) {
            let folder = self.partial_folder(&tile);
            for (width, path) in widths(&folder)? {
                if tile.is_full() || width < tile.width() {
                    durable::remove(&path)?;
                }
            }
            if tile.is_full() {
                remove_folder(&folder)?;
            }
        }
        Ok(())
    }

    /// A file of the log by its C2SP path; a partial tile that a wider one replaced is cut from it.
    /// `None` when there is neither.
    pub(super) fn find(&self, path: &str) -> Result<Option<Vec<u8>>, DiskError> {
        if let Some(bytes) = durable::read_if_there(&self.log.join(path), TILE_BYTES_MAX)? {
            return Ok(Some(bytes));
        }
        let Ok(tile) = Tile::parse(path) else {
            return Ok(None);
        };
        if tile.is_full() {
            return Ok(None);
        }
        let wider = widths(&self.partial_folder(&tile))?;
        let partial = wider.into_iter().filter(|(width, _)| *width > tile.width());
        let full = self.log.join(tile.full().path());
        // From wide to wider: the narrowest may be replaced between the listing and the reading.
        for path in partial.map(|(_, path)| path).chain([full]) {
            if let Some(bytes) = durable::read_if_there(&path, TILE_BYTES_MAX)? {
                return Ok(cut(&tile, bytes));
            }
        }
        Ok(None)
    }

    /// The folder of a tile's partial forms: `<tile>.p`.
    fn partial_folder(&self, tile: &Tile) -> PathBuf {
        let mut path = self.log.join(tile.full().path()).into_os_string();
        path.push(".p");
        path.into()
    }
}

impl TileReader for Files {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self.find(path) {
            Ok(found) => found,
            Err(error) => {
                // The caller reports the tile as missing; the cause is said here.
                tracing::error!(%error, "a file of the log cannot be read");
                None
            }
        }
    }
}

/// The first `tile.width()` hashes or entries of a wider tile; `None` when it is malformed.
fn cut(tile: &Tile, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let width = usize::from(tile.width());
    match tile.kind() {
        TileKind::Hashes(_) => {
            bytes.truncate(width * DIGEST_LEN);
            Some(bytes)
        }
        TileKind::Entries => {
            let mut bundle = Vec::new();
            for entry in Entries::new(&bytes).take(width) {
                tile::append_entry(&mut bundle, entry.ok()?).ok()?;
            }
            Some(bundle)
        }
    }
}

/// The partial tiles in a folder, narrowest first; none when it is not there.
fn widths(folder: &Path) -> Result<Vec<(u16, PathBuf)>, DiskError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(DiskError::new("list", folder, &error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.at("list", folder)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(width) = name.and_then(|name| name.parse().ok()) {
            found.push((width, path));
        }
    }
    found.sort();
    Ok(found)
}

fn remove_folder(folder: &Path) -> Result<(), DiskError> {
    match fs::remove_dir(folder).at("remove", folder) {
        Ok(()) => Ok(()),
        // Absent, or something of somebody else's is in it.
        Err(error) if matches!(error.cause, Cause::Missing | Cause::Exists) => Ok(()),
        Err(error) => Err(error),
    }
}
