//! Small files: read whole within a bound, listed in order, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a file is not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error("{}: {source}", file.display())]
    System {
        /// Which file or folder.
        file: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Longer than such a file is.
    #[error("{}: longer than {most} bytes: not the file that is meant", file.display())]
    TooLong {
        /// Which file.
        file: PathBuf,
        /// The bound.
        most: u64,
    },
    /// Not UTF-8.
    #[error("{}: not a text", .0.display())]
    NotText(PathBuf),
    /// It stands there already, and is never overwritten.
    #[error("{}: exists already, and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// A secret that others on this machine can read.
    #[error("{}: others can read it (mode {mode:03o}): chmod 600 it", file.display())]
    Readable {
        /// Which file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A folder of secrets in which others on this machine can put files.
    #[error("{}: others can write there (mode {mode:03o}): chmod 700 it", file.display())]
    Writable {
        /// Which folder.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl FileError {
    fn system(file: &Path) -> impl FnOnce(io::Error) -> Self + use<'_> {
        |source| Self::System {
            file: file.to_owned(),
            source,
        }
    }
}

/// Reads a file of at most `most` bytes.
///
/// # Errors
/// [`FileError`].
pub fn read(file: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let opened = File::open(file).map_err(FileError::system(file))?;
    let mut bytes = Vec::new();
    opened
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::system(file))?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLong {
            file: file.to_owned(),
            most,
        });
    }
    Ok(bytes)
}

/// Reads a text of at most `most` bytes.
///
/// # Errors
/// [`FileError`].
pub fn read_text(file: &Path, most: u64) -> Result<String, FileError> {
    String::from_utf8(read(file, most)?).map_err(|_| FileError::NotText(file.to_owned()))
}

/// Reads a secret text of at most `most` bytes, which nobody but its owner may be able to read.
///
/// # Errors
/// [`FileError::Readable`], and what [`read_text`] says.
pub fn read_secret(file: &Path, most: u64) -> Result<Zeroizing<String>, FileError> {
    let opened = File::open(file).map_err(FileError::system(file))?;
    // Asked of what was opened, not of the name: the name may change hands in between.
    let mode = opened.metadata().map_err(FileError::system(file))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(FileError::Readable {
            file: file.to_owned(),
            mode,
        });
    }
    // All room at once: a buffer that grows leaves copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most as usize + 1));
    opened
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::system(file))?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLong {
            file: file.to_owned(),
            most,
        });
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| FileError::NotText(file.to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The files of a folder with this ending, ascending by name; `None` if they are more than `most`.
///
/// # Errors
/// [`FileError::System`].
pub fn list(folder: &Path, ending: &str, most: usize) -> Result<Option<Vec<PathBuf>>, FileError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(FileError::system(folder))? {
        let path = entry.map_err(FileError::system(folder))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == ending)
        {
            if found.len() == most {
                return Ok(None);
            }
            found.push(path);
        }
    }
    found.sort();
    Ok(Some(found))
}

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// The user's umask says it.
    Anybody,
    /// The owner, and the folder's group where the folder hands its group on (setgid).
    Group,
    /// The owner alone.
    Owner,
}

/// Writes a new file durably: after this returns the name and the bytes survive a power cut, and
/// until then the name is absent. An existing file is never touched.
///
/// # Errors
/// [`FileError::Exists`] or [`FileError::System`].
pub fn create(file: &Path, bytes: &[u8], readers: Readers) -> Result<(), FileError> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let temporary = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = write_synced(&temporary, bytes, readers).and_then(|()| {
        // Unlike a rename, a link refuses a name that is taken.
        fs::hard_link(&temporary, file)
    });
    let removed = fs::remove_file(&temporary);
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(FileError::Exists(file.to_owned()));
        }
        Err(source) => {
            return Err(FileError::System {
                file: file.to_owned(),
                source,
            });
        }
    }
    removed.map_err(FileError::system(&temporary))?;
    sync_folder(folder)
}

/// Puts a whole new content in place of a file, durably: after a power cut it has the old content
/// or the new one.
///
/// # Errors
/// [`FileError::System`].
pub fn replace(file: &Path, bytes: &[u8], readers: Readers) -> Result<(), FileError> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let temporary = folder.join(format!(".{name}.{}.new", std::process::id()));
    write_synced(&temporary, bytes, readers)
        .and_then(|()| fs::rename(&temporary, file))
        .map_err(FileError::system(file))?;
    sync_folder(folder)
}

fn write_synced(file: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let mode = match readers {
        Readers::Anybody => 0o644,
        Readers::Group => 0o640,
        Readers::Owner => 0o600,
    };
    // One that a dead process of the same number left behind is in the way.
    match fs::remove_file(file) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(file)?;
    opened.write_all(bytes)?;
    opened.sync_all()
}

/// Makes a folder and those above it that are missing, for their owner alone and durably. What is
/// there already keeps its rights.
///
/// # Errors
/// [`FileError::System`].
pub fn create_folder(folder: &Path) -> Result<(), FileError> {
    let above = match folder.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        Some(_) | None => Path::new("."),
    };
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => sync_folder(above),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && above != Path::new(".") => {
            create_folder(above)?;
            create_folder(folder)
        }
        Err(error) => Err(FileError::system(folder)(error)),
    }
}

/// Makes a folder for secrets: its owner's alone. One that is there must not let others write.
///
/// # Errors
/// [`FileError::Writable`] or [`FileError::System`].
pub fn create_secret_folder(folder: &Path) -> Result<(), FileError> {
    create_folder(folder)?;
    check_secret_folder(folder)
}

/// Refuses a folder of secrets in which others could exchange files.
///
/// # Errors
/// [`FileError::Writable`] or [`FileError::System`].
pub fn check_secret_folder(folder: &Path) -> Result<(), FileError> {
    let mode = fs::metadata(folder)
        .map_err(FileError::system(folder))?
        .mode()
        & 0o777;
    if mode & 0o022 != 0 {
        return Err(FileError::Writable {
            file: folder.to_owned(),
            mode,
        });
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> Result<(), FileError> {
    File::open(folder)
        .and_then(|opened| opened.sync_all())
        .map_err(FileError::system(folder))
}
