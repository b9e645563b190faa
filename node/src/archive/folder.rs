//! An archive in a folder, as the verifier reads it: listed once, read in bounds, links never
//! followed.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use protocol::audit::verify::{ReadError, Source};

/// Most files that are listed: twice what the largest list can name.
const FILES_MAX: usize = 1 << 20;
/// Deepest folder: a tile's number has at most seven groups below `log/tile/entries`.
const DEPTH_MAX: usize = 12;

/// Why a folder cannot be opened as an archive.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system cannot list it.
    #[error("{}: {source}; name a folder that `radmesh audit export` wrote", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// The system's complaint.
        source: io::Error,
    },
    /// Too many files, or folders too deep.
    #[error("{}: more files or deeper folders than an archive has", .0.display())]
    NotAnArchive(PathBuf),
}

/// An archive in a folder.
pub struct Folder {
    root: PathBuf,
    /// Every path, and whether it is a regular file.
    paths: BTreeMap<String, bool>,
}

impl Folder {
    /// Lists a folder.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open(root: &Path) -> Result<Self, FolderError> {
        let mut paths = BTreeMap::new();
        let mut open = vec![(root.to_owned(), String::new(), 0)];
        while let Some((path, prefix, depth)) = open.pop() {
            let failed = |source| FolderError::List {
                path: path.clone(),
                source,
            };
            for item in path.read_dir().map_err(failed)? {
                let item = item.map_err(failed)?;
                let kind = item.file_type().map_err(failed)?;
                // A name that is not UTF-8 is no archive's: it is listed as something, and refused.
                let inner = format!("{prefix}{}", item.file_name().to_string_lossy());
                if kind.is_dir() {
                    open.push((item.path(), format!("{inner}/"), depth + 1));
                } else {
                    paths.insert(inner, kind.is_file());
                }
                if depth > DEPTH_MAX || paths.len() + open.len() > FILES_MAX {
                    return Err(FolderError::NotAnArchive(root.to_owned()));
                }
            }
        }
        Ok(Self {
            root: root.to_owned(),
            paths,
        })
    }
}

impl Source for Folder {
    fn paths(&self) -> Vec<String> {
        self.paths.keys().cloned().collect()
    }

    fn read(&self, path: &str, max: u64) -> Result<Vec<u8>, ReadError> {
        match self.paths.get(path) {
            None => Err(ReadError::Missing),
            Some(false) => Err(ReadError::Unreadable),
            Some(true) => {
                let mut bytes = Vec::new();
                let file = std::fs::File::open(self.root.join(path));
                file.and_then(|file| file.take(max.saturating_add(1)).read_to_end(&mut bytes))
                    .map_err(|_| ReadError::Unreadable)?;
                if bytes.len() as u64 > max {
                    Err(ReadError::TooLarge)
                } else {
                    Ok(bytes)
                }
            }
        }
    }
}
