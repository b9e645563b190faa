//! A folder that appears complete and durable, or not at all.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A log is personal data: nobody but the node's own user reads its archive.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Why a folder is not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Something is there.
    #[error("{}: is not empty; name a folder that is empty or does not exist", .0.display())]
    NotEmpty(PathBuf),
    /// An export is on its way, or died.
    #[error("{}: another export writes here; if it was cut off, remove it", .0.display())]
    Staged(PathBuf),
    /// The path has no last part.
    #[error("{}: does not name a folder", .0.display())]
    NoName(PathBuf),
    /// The system refuses.
    #[error("{}: cannot be written: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// The system's complaint.
        source: io::Error,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |source| WriteError::Io { path, source }
}

/// Whether an archive could be written here: the folder must be absent or empty.
///
/// # Errors
/// [`WriteError::NotEmpty`], or the system's.
pub fn is_free(target: &Path) -> Result<(), WriteError> {
    match target.read_dir() {
        Ok(mut items) => match items.next() {
            None => Ok(()),
            Some(_) => Err(WriteError::NotEmpty(target.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(WriteError::NotEmpty(target.to_owned()))
        }
        Err(error) => Err(at(target)(error)),
    }
}

/// A folder beside its target, renamed onto it when it is complete. Dropped before that, it is
/// removed.
pub(super) struct Staged {
    target: PathBuf,
    partial: PathBuf,
    folders: BTreeSet<PathBuf>,
    published: bool,
}

impl Staged {
    /// Starts beside `target`, which must be absent or empty.
    pub(super) fn create(target: &Path) -> Result<Self, WriteError> {
        is_free(target)?;
        let name = target
            .file_name()
            .ok_or_else(|| WriteError::NoName(target.to_owned()))?;
        let mut partial_name = name.to_owned();
        partial_name.push(".partial");
        let partial = target.with_file_name(partial_name);
        if let Some(parent) = parent(target) {
            std::fs::create_dir_all(parent).map_err(at(parent))?;
        }
        match DirBuilder::new().mode(FOLDER_MODE).create(&partial) {
            Ok(()) => (),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(WriteError::Staged(partial));
            }
            Err(error) => return Err(at(&partial)(error)),
        }
        let folders = BTreeSet::from([partial.clone()]);
        Ok(Self {
            target: target.to_owned(),
            partial,
            folders,
            published: false,
        })
    }

    /// Writes one file and syncs it. `path` is one of an archive's, so it cannot lead out.
    pub(super) fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let file = self.partial.join(path);
        let mut missing = Vec::new();
        for folder in file.ancestors().skip(1) {
            if self.folders.contains(folder) {
                break;
            }
            missing.push(folder.to_owned());
        }
        for folder in missing.into_iter().rev() {
            DirBuilder::new()
                .mode(FOLDER_MODE)
                .create(&folder)
                .map_err(at(&folder))?;
            self.folders.insert(folder);
        }
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(FILE_MODE);
        let mut opened = options.open(&file).map_err(at(&file))?;
        opened.write_all(bytes).map_err(at(&file))?;
        opened.sync_all().map_err(at(&file))
    }

    /// Syncs every folder, renames onto the target, and syncs the folder around it.
    pub(super) fn publish(&mut self) -> Result<(), WriteError> {
        // Deepest first: a folder's own entry stands in the one above.
        for folder in self.folders.iter().rev() {
            sync_folder(folder)?;
        }
        std::fs::rename(&self.partial, &self.target).map_err(at(&self.target))?;
        self.published = true;
        sync_folder(parent(&self.target).unwrap_or(Path::new(".")))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed stays as `.partial`, which is never taken for an archive.
            let _ = std::fs::remove_dir_all(&self.partial);
        }
    }
}

fn parent(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
}

fn sync_folder(folder: &Path) -> Result<(), WriteError> {
    File::open(folder)
        .and_then(|opened| opened.sync_all())
        .map_err(at(folder))
}
