//! One node for each data folder.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::files::{self, FileError};

/// Why the data folder cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The system refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another node runs on it.
    #[error("{}: another node runs on this data folder: stop it first", .0.display())]
    Taken(PathBuf),
}

/// Held while the node runs; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock(#[expect(dead_code, reason = "an open file is the lock")] File);

impl DataLock {
    /// Takes the folder, made if it is absent.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let file = folder.join("node.lock");
        let at = |source| FileError::System {
            file: file.clone(),
            source,
        };
        files::create_secret_folder(folder)?;
        let opened = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&file)
            .map_err(at)?;
        match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(opened)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Taken(folder.to_owned())),
            Err(error) => Err(at(error.into()).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_node_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = DataLock::take(folder.path()).expect("free");
        let second = DataLock::take(folder.path());
        assert!(matches!(second, Err(LockError::Taken(taken)) if taken == folder.path()));
        drop(first);
        assert!(DataLock::take(folder.path()).is_ok());
    }
}
