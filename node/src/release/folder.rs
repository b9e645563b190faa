//! The folder of releases: sealed manifests, sealed header packs, and lists of files.
//!
//! A name is absent or names a whole, synced file: write aside, `fdatasync`, rename, `fsync` the
//! folder.

use super::ReleaseError;
use super::files::{LIST_MAX, ReleaseFiles};
use super::source::SourceFault;
use crypto::digest::Digest;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Files of the node's user alone: sizes and times speak too.
const FILE_MODE: u32 = 0o600;
/// Folders of the node's user alone.
const FOLDER_MODE: u32 = 0o700;
/// The ending of files in the making.
const MAKING: &str = "tmp";

/// Tells files in the making of one process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The folder `releases` of a data folder.
#[derive(Clone, Debug)]
pub struct ReleaseFolder {
    path: PathBuf,
}

impl ReleaseFolder {
    /// Opens or makes the folder, and removes what a crash left in the making.
    ///
    /// # Errors
    /// [`ReleaseError::Disk`].
    pub fn open(path: &Path) -> Result<Self, ReleaseError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(FOLDER_MODE);
        builder.create(path).map_err(ReleaseError::disk("create"))?;
        for entry in fs::read_dir(path).map_err(ReleaseError::disk("list"))? {
            let found = entry.map_err(ReleaseError::disk("list"))?.path();
            if found.extension().is_some_and(|ending| ending == MAKING) {
                fs::remove_file(&found).map_err(ReleaseError::disk("remove"))?;
            }
        }
        let folder = Self {
            path: path.to_owned(),
        };
        folder.sweep()?;
        Ok(folder)
    }

    /// Removes sealed files that no list names: their release was not finished.
    fn sweep(&self) -> Result<(), ReleaseError> {
        let (mut sealed, mut named) = (BTreeSet::new(), BTreeSet::new());
        for entry in fs::read_dir(&self.path).map_err(ReleaseError::disk("list"))? {
            let name = entry.map_err(ReleaseError::disk("list"))?.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Ok(digest) = Digest::from_hex(name) {
                sealed.insert(digest);
            }
            let list = name.strip_suffix(".files").map(Digest::from_hex);
            let Some(Ok(manifest)) = list else { continue };
            match self.files(&manifest) {
                Ok(Some(files)) => named.extend([files.manifest, files.headers]),
                Ok(None) => {}
                Err(error) => {
                    // What a damaged list named is not known: nothing is removed.
                    tracing::error!(release = %manifest, %error, "no sweep of releases");
                    return Ok(());
                }
            }
        }
        for digest in sealed.difference(&named) {
            let path = self.path.join(digest.to_hex());
            fs::remove_file(path).map_err(ReleaseError::disk("remove"))?;
        }
        Ok(())
    }

    /// A new file in the making.
    pub(super) fn begin(&self) -> Result<Making, ReleaseError> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{number}.{MAKING}"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        let file = options.open(&path).map_err(ReleaseError::disk("create"))?;
        Ok(Making {
            file,
            path,
            done: false,
        })
    }

    /// Gives a file in the making its name, durably.
    pub(super) fn keep(&self, mut making: Making, name: &str) -> Result<(), ReleaseError> {
        making
            .file
            .sync_data()
            .map_err(ReleaseError::disk("sync"))?;
        fs::rename(&making.path, self.path.join(name)).map_err(ReleaseError::disk("rename"))?;
        making.done = true;
        let folder = File::open(&self.path).map_err(ReleaseError::disk("open"))?;
        folder.sync_all().map_err(ReleaseError::disk("sync"))
    }

    /// Keeps the list of a release's files. The last step: from now on it can be served.
    pub(super) fn keep_files(&self, files: &ReleaseFiles) -> Result<(), ReleaseError> {
        let mut making = self.begin()?;
        making.write(files.to_text().as_bytes())?;
        self.keep(making, &format!("{}.files", files.manifest))
    }

    /// The list of the release whose sealed manifest has this digest; `None` if there is none.
    ///
    /// # Errors
    /// [`ReleaseError::Disk`], [`ReleaseError::Damaged`].
    pub fn files(&self, manifest: &Digest) -> Result<Option<ReleaseFiles>, ReleaseError> {
        let path = self.path.join(format!("{manifest}.files"));
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ReleaseError::disk("open")(error)),
        };
        let mut text = String::new();
        let read = file.take(LIST_MAX + 1).read_to_string(&mut text);
        match read {
            Ok(_) if text.len() as u64 <= LIST_MAX => {
                ReleaseFiles::parse(&text, manifest).map(Some)
            }
            Ok(_) => Err(ReleaseError::Damaged),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(ReleaseError::Damaged),
            Err(error) => Err(ReleaseError::disk("read")(error)),
        }
    }

    /// Opens a sealed manifest or header pack.
    ///
    /// # Errors
    /// [`SourceFault`].
    pub fn open_sealed(&self, digest: &Digest) -> Result<File, SourceFault> {
        File::open(self.path.join(digest.to_hex())).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                return SourceFault::Unknown("release file");
            }
            SourceFault::Io(error.kind())
        })
    }

    /// Removes every release that is not in `live`: a crash may have come before it was removed.
    ///
    /// # Errors
    /// [`ReleaseError::Disk`], [`ReleaseError::Damaged`].
    pub fn retain(&self, live: &BTreeSet<Digest>) -> Result<(), ReleaseError> {
        for entry in fs::read_dir(&self.path).map_err(ReleaseError::disk("list"))? {
            let name = entry.map_err(ReleaseError::disk("list"))?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".files"));
            let Some(Ok(manifest)) = name.map(Digest::from_hex) else {
                continue;
            };
            if live.contains(&manifest) {
                continue;
            }
            match self.remove(&manifest) {
                // What it named is not known: it goes with the sweep of what no list names.
                Err(ReleaseError::Damaged) => {
                    let list = self.path.join(format!("{manifest}.files"));
                    fs::remove_file(list).map_err(ReleaseError::disk("remove"))?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Removes a release that can no longer be granted or fetched. What is absent is success.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn remove(&self, manifest: &Digest) -> Result<(), ReleaseError> {
        let Some(files) = self.files(manifest)? else {
            return Ok(());
        };
        // The list goes last: as long as it is there, a crash leaves something to remove again.
        let names = [
            files.headers.to_hex(),
            manifest.to_hex(),
            format!("{manifest}.files"),
        ];
        for name in names {
            match fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(ReleaseError::disk("remove")(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// A file in the making. Dropped without a name, it is removed.
pub(super) struct Making {
    file: File,
    path: PathBuf,
    done: bool,
}

impl Making {
    /// Appends.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ReleaseError> {
        self.file
            .write_all(bytes)
            .map_err(ReleaseError::disk("write"))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if !self.done {
            // Nobody was told of it; what cannot be removed now goes at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}
