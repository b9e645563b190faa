//! The data folder's format marker: which layout the folder has, checked before anything is read.

use std::path::{Path, PathBuf};

use super::disk::DiskError;
use super::durable;

/// The marker's file name in the data folder.
const MARKER: &str = "format";
/// The marker's text, before the number.
const PREFIX: &str = "radmesh-data/";
/// The layout this program writes.
const CURRENT: u32 = 1;
/// Longest marker that is read: prefix, ten digits, newline.
const MARKER_BYTES_MAX: u64 = 32;

/// Why a data folder's format was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// A newer program wrote this folder.
    #[error(
        "data folder {} has format {found}, this program knows up to {CURRENT}: \
         install the newer radmesh again", .folder.display()
    )]
    Newer {
        /// The data folder.
        folder: PathBuf,
        /// The format number found there.
        found: u32,
    },
    /// The marker is there but unreadable, or other files are there without one.
    #[error(
        "{} is not a radmesh data folder: give an empty folder, \
         or restore its file '{MARKER}'", .0.display()
    )]
    Foreign(PathBuf),
    /// The marker could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Checks the marker of a locked data folder. `fresh` says whether the folder holds nothing but
/// what comes before the marker. Returns whether the marker is there.
///
/// # Errors
/// `VersionError`, by what was found.
pub fn check(folder: &Path, fresh: bool) -> Result<bool, VersionError> {
    let foreign = || VersionError::Foreign(folder.to_path_buf());
    let path = folder.join(MARKER);
    let Some(bytes) = durable::read_if_there(&path, MARKER_BYTES_MAX)? else {
        return if fresh { Ok(false) } else { Err(foreign()) };
    };
    let number = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.strip_prefix(PREFIX))
        .and_then(|text| text.strip_suffix('\n'))
        .and_then(|digits| digits.parse::<u32>().ok());
    match number {
        Some(CURRENT) => Ok(true),
        Some(found) if found > CURRENT => Err(VersionError::Newer {
            folder: folder.to_path_buf(),
            found,
        }),
        Some(_) | None => Err(foreign()),
    }
}

/// Writes the marker, if it is not there. A crash before this leaves a folder that still counts
/// as fresh.
///
/// # Errors
/// `VersionError::Disk`.
pub fn mark(folder: &Path, temporary: &Path) -> Result<(), VersionError> {
    let path = folder.join(MARKER);
    if !path.exists() {
        durable::replace(temporary, &path, format!("{PREFIX}{CURRENT}\n").as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_once_and_refuses_what_it_does_not_know() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let foreign = || VersionError::Foreign(path.to_path_buf());
        assert_eq!(check(path, false), Err(foreign()));
        assert_eq!(check(path, true), Ok(false));
        mark(path, path).unwrap();
        assert_eq!(check(path, false), Ok(true));
        std::fs::write(path.join(MARKER), "radmesh-data/2\n").unwrap();
        let newer = VersionError::Newer {
            folder: path.to_path_buf(),
            found: 2,
        };
        assert_eq!(check(path, false), Err(newer));
        for junk in ["radmesh-data/0\n", "radmesh-data/1", "", "x"] {
            std::fs::write(path.join(MARKER), junk).unwrap();
            assert_eq!(check(path, true), Err(foreign()));
        }
    }
}
