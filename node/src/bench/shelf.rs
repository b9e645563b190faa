//! A made archive on disk. Nothing is synced: what a measurement made can be made again.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sim::archive::Shelf;

/// A folder that takes an archive's files.
pub struct FolderShelf {
    root: PathBuf,
    folders: BTreeSet<PathBuf>,
}

impl FolderShelf {
    /// Files go below `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            folders: BTreeSet::new(),
        }
    }
}

impl Shelf for FolderShelf {
    type Error = io::Error;

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), io::Error> {
        let file = self.root.join(path);
        if let Some(folder) = file.parent()
            && !self.folders.contains(folder)
        {
            fs::create_dir_all(folder)?;
            self.folders.insert(folder.to_owned());
        }
        fs::write(file, bytes)
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.root.join(path)).ok()
    }
}
