//! One process owns a data folder: an exclusive `flock` for as long as the process lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::disk::{DiskContext, DiskError};

/// The name of the lock file in the data folder. Its content means nothing.
const LOCK: &str = "lock";

/// Why the data folder could not be locked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Another process holds the folder.
    #[error(
        "data folder {} is in use by another radmesh process: stop that one, \
         or give this node a folder of its own", .0.display()
    )]
    InUse(PathBuf),
    /// The lock file could not be opened or locked.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Holds the data folder. The kernel lets go when the process ends, however it ends, so there is
/// no stale lock to clean.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the folder, or says that it is taken; never waits.
    ///
    /// # Errors
    /// `LockError::InUse` naming the folder, or the disk's refusal.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(LOCK);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .at("open", &path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::InUse(folder.to_path_buf())),
            Err(TryLockError::Error(error)) => Err(DiskError::new("lock", &path, &error).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_which_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let error = FolderLock::take(folder.path()).unwrap_err();
        assert_eq!(error, LockError::InUse(folder.path().to_path_buf()));
        assert!(!error.to_string().contains('\n'));
        drop(first);
        FolderLock::take(folder.path()).unwrap();
    }
}
