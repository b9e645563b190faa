//! What a disk can refuse, said so that an operator can mend it; and how much room is left.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// One refused operation on the data folder: what was tried, on which path, and why it failed.
///
/// Paths in the data folder are digests, counters and fixed words, so that printing one cannot
/// print anything about a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskError {
    /// The kind of failure, which decides the mend.
    pub cause: Cause,
    /// The operation, as a verb phrase ("write", "rename into place").
    pub action: &'static str,
    /// The file or folder it was tried on.
    pub path: PathBuf,
    /// The operating system's error number, where there was one.
    pub errno: Option<i32>,
}

/// Why the disk refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No block or inode is left (ENOSPC, EDQUOT).
    Full,
    /// The file system is mounted read-only (EROFS).
    ReadOnly,
    /// The process may not do this (EACCES, EPERM).
    Denied,
    /// The path is not there (ENOENT).
    Missing,
    /// Something is already there under this name (EEXIST).
    Exists,
    /// No file descriptor is left (EMFILE, ENFILE).
    TooManyFiles,
    /// The file is shorter than what was read from it.
    Truncated,
    /// The device failed (EIO), or gave an error this list does not name.
    Io,
}

impl Cause {
    fn of(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Truncated;
        }
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::Full,
            Some(Errno::ROFS) => Self::ReadOnly,
            Some(Errno::ACCESS | Errno::PERM) => Self::Denied,
            Some(Errno::NOENT) => Self::Missing,
            Some(Errno::EXIST | Errno::NOTEMPTY) => Self::Exists,
            Some(Errno::MFILE | Errno::NFILE) => Self::TooManyFiles,
            Some(_) | None => Self::Io,
        }
    }

    /// What is wrong and what an operator does about it, in one line.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Full => (
                "disk full",
                "free space or raise the quota, then start again",
            ),
            Self::ReadOnly => (
                "read-only file system",
                "check the disk, then mount it writable",
            ),
            Self::Denied => (
                "permission denied",
                "give the node's user access to the data folder",
            ),
            Self::Missing => ("not found", "restore the file from a backup"),
            Self::Exists => ("already exists", "move it away; radmesh did not make it"),
            Self::TooManyFiles => ("too many open files", "raise the limit (LimitNOFILE)"),
            Self::Truncated => ("file too short", "restore the file from a backup"),
            Self::Io => (
                "I/O error",
                "check the disk and its cable; do not trust this copy",
            ),
        }
    }
}

impl DiskError {
    /// Wraps an operating system error with what was being done to which path.
    pub fn new(action: &'static str, path: &Path, error: &io::Error) -> Self {
        Self {
            cause: Cause::of(error),
            action,
            path: path.to_path_buf(),
            errno: error.raw_os_error(),
        }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, mend) = self.cause.words();
        write!(f, "{what}: cannot {} {}", self.action, self.path.display())?;
        if let Some(errno) = self.errno {
            write!(f, " (error {errno})")?;
        }
        write!(f, ": {mend}")
    }
}

impl std::error::Error for DiskError {}

/// Maps an `io::Result` to a `DiskError` at the call site.
pub trait DiskContext<T> {
    /// Adds what was tried (`action`) and on what (`path`).
    ///
    /// # Errors
    /// The same failure, with its context.
    fn at(self, action: &'static str, path: &Path) -> Result<T, DiskError>;
}

impl<T> DiskContext<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, DiskError> {
        self.map_err(|error| DiskError::new(action, path, &error))
    }
}

/// Size and room of the file system under a path, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Used plus what an unprivileged process may still use (as `df` counts).
    pub total: u64,
    /// What an unprivileged process may still use.
    pub available: u64,
}

/// Asks the file system under `path` how much room it has (`statvfs`).
///
/// # Errors
/// `DiskError` when the path is not there or the file system does not answer.
pub fn room(path: &Path) -> Result<Room, DiskError> {
    let stat = rustix::fs::statvfs(path)
        .map_err(io::Error::from)
        .at("measure", path)?;
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    Ok(Room {
        total: used
            .saturating_add(stat.f_bavail)
            .saturating_mul(stat.f_frsize),
        available: stat.f_bavail.saturating_mul(stat.f_frsize),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(errno: Errno) -> DiskError {
        DiskError::new("write", Path::new("/d/x"), &io::Error::from(errno))
    }

    #[test]
    fn names_cause_and_mend() {
        assert_eq!(of(Errno::NOSPC).cause, Cause::Full);
        assert_eq!(of(Errno::DQUOT).cause, Cause::Full);
        assert_eq!(of(Errno::ROFS).cause, Cause::ReadOnly);
        assert_eq!(of(Errno::IO).cause, Cause::Io);
        assert_eq!(of(Errno::STALE).cause, Cause::Io);
        let line = of(Errno::NOSPC).to_string();
        assert_eq!(
            line,
            "disk full: cannot write /d/x (error 28): \
             free space or raise the quota, then start again"
        );
        assert!(!of(Errno::IO).to_string().contains('\n'));
    }

    #[test]
    fn measures_room() {
        let folder = tempfile::tempdir().unwrap();
        let room = room(folder.path()).unwrap();
        assert!(room.total >= room.available && room.total > 0);
        let missing = super::room(&folder.path().join("absent")).unwrap_err();
        assert_eq!(missing.cause, Cause::Missing);
    }
}
