//! The only file that creates, replaces and removes files in the data folder.
//!
//! A name is either absent or names a whole, synced file. The sequence of system calls is
//!
//! ```text
//! replace(path):  open(tmp, O_CREAT|O_EXCL|O_WRONLY, 0600)  write…  fdatasync(tmp)
//!                 rename(tmp, path)  fsync(parent)
//! ```
//!
//! A crash before `rename` leaves a file in the temporary folder, which the next start removes
//! ([`sweep_temporary`]). A crash after `rename` and before `fsync(parent)` leaves the old file or
//! the new one, never a mixture; nobody was told that the new one is there. After `fsync(parent)`
//! it is there. The temporary folder lies in the data folder, so that `rename` never crosses file
//! systems.
//!
//! Known gap: after a failed `fdatasync` the kernel may drop the dirty pages and let the next one
//! succeed. So a failed write is never repeated on the same file: the temporary file is removed
//! and the caller starts over with the bytes it still holds.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::{Cause, DiskContext, DiskError};

/// Files of the node's user alone: what is in them is sealed, but sizes and times speak too.
const FILE_MODE: u32 = 0o600;
/// Folders of the node's user alone.
const FOLDER_MODE: u32 = 0o700;
/// The ending of every file in the making. Nothing else in the data folder ends so.
const TEMPORARY: &str = "tmp";

/// Distinguishes temporary files of one process; the folder lock keeps other processes out.
static NEXT_TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// A file in the making. Dropped without [`TempFile::persist`], it is removed.
#[derive(Debug)]
pub struct TempFile {
    file: File,
    path: PathBuf,
    done: bool,
}

impl TempFile {
    /// Creates an empty file in `folder`, readable by the node's user alone.
    ///
    /// # Errors
    /// `DiskError` from the creation.
    pub fn create(folder: &Path) -> Result<Self, DiskError> {
        let number = NEXT_TEMPORARY.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}-{number}.{TEMPORARY}", std::process::id()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&path)
            .at("create", &path)?;
        Ok(Self {
            file,
            path,
            done: false,
        })
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// `DiskError` from the write; the file is then of no use.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_all(bytes).at("write", &self.path)
    }

    /// Makes the bytes durable (`fdatasync`), then moves the file to `target`, replacing what was
    /// there. The parent's entry is *not* synced: call [`sync_folder`], or use
    /// [`TempFile::persist`], before telling anyone.
    ///
    /// # Errors
    /// `DiskError`; the temporary file is removed and `target` is as it was, or (when only the
    /// report of the rename failed) already new.
    pub fn rename(mut self, target: &Path) -> Result<(), DiskError> {
        self.file.sync_data().at("sync", &self.path)?;
        fs::rename(&self.path, target).at("rename into place", target)?;
        self.done = true;
        Ok(())
    }

    /// [`TempFile::rename`] and the parent folder's `fsync`: after this the name is durable.
    ///
    /// # Errors
    /// `DiskError`; the name is then absent, old or new, but whole.
    pub fn persist(self, target: &Path) -> Result<(), DiskError> {
        self.rename(target)?;
        sync_folder(parent(target))
    }

    /// Moves the file to `target` without syncing anything: visible at once and whole for readers,
    /// but lost or torn by a power cut. Only for bytes that can be made again from a durable
    /// source, and that are made again on the next start.
    ///
    /// # Errors
    /// `DiskError` from the rename.
    pub fn place_unsynced(mut self, target: &Path) -> Result<(), DiskError> {
        fs::rename(&self.path, target).at("rename into place", target)?;
        self.done = true;
        Ok(())
    }

    /// Unlinks the name and keeps the open file: its bytes go when the last handle is closed,
    /// with the process if need be.
    ///
    /// # Errors
    /// `DiskError` from the removal.
    pub fn into_anonymous(mut self) -> Result<File, DiskError> {
        fs::remove_file(&self.path).at("remove", &self.path)?;
        self.done = true;
        self.file
            .try_clone()
            .at("duplicate the handle of", &self.path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.done {
            // Nobody was told of this file; if it cannot be removed, the next start does it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Replaces `target` durably by a file that holds `bytes`. `temporary` is the folder for files in
/// the making, on the same file system.
///
/// # Errors
/// `DiskError`; `target` is then absent, old or new, but whole.
pub fn replace(temporary: &Path, target: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let mut file = TempFile::create(temporary)?;
    file.write(bytes)?;
    file.persist(target)
}

/// Replaces `target` by `bytes` without syncing ([`TempFile::place_unsynced`]).
///
/// # Errors
/// `DiskError` from the write or the rename.
pub fn place_unsynced(temporary: &Path, target: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let mut file = TempFile::create(temporary)?;
    file.write(bytes)?;
    file.place_unsynced(target)
}

/// Makes a file's bytes durable that was placed unsynced.
///
/// # Errors
/// `DiskError` from opening or syncing.
pub fn sync_file(path: &Path) -> Result<(), DiskError> {
    File::open(path)
        .at("open", path)?
        .sync_data()
        .at("sync", path)
}

/// Makes the names in a folder durable (`fsync` on the folder).
///
/// # Errors
/// `DiskError` from opening or syncing.
pub fn sync_folder(path: &Path) -> Result<(), DiskError> {
    File::open(path)
        .at("open", path)?
        .sync_all()
        .at("sync", path)
}

/// Creates `path` if it is absent, and makes its name durable in its parent. The parent must be
/// there.
///
/// # Errors
/// `DiskError`; `Cause::Exists` when something that is no folder has the name.
pub fn create_folder(path: &Path) -> Result<(), DiskError> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Ok(()) => sync_folder(parent(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(DiskError::new("create folder", path, &error)),
    }
}

/// Creates every missing folder of `root`/`below` (`root` must be there) without syncing, and
/// returns the folders whose entries have to be synced before a name below them is durable. Made
/// before a file's own sync, the new folders are mostly on disk by then, and those syncs are cheap.
///
/// # Errors
/// As [`create_folder`].
pub fn make_folders(root: &Path, below: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let mut unsynced = Vec::new();
    let mut path = root.to_path_buf();
    for part in below.components() {
        let above = path.clone();
        path.push(part);
        match DirBuilder::new().mode(FOLDER_MODE).create(&path) {
            Ok(()) => unsynced.push(above),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) => return Err(DiskError::new("create folder", &path, &error)),
        }
    }
    Ok(unsynced)
}

/// Removes a file; an absent one is success. The removal is durable only after the parent's sync,
/// so that a crash may bring the file back: callers remove only what a sweep would remove.
///
/// # Errors
/// `DiskError` from the removal.
pub fn remove(path: &Path) -> Result<(), DiskError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(DiskError::new("remove", path, &error)),
    }
}

/// Removes every file in the making from `temporary`. Run at start, under the folder lock.
/// Returns how many there were.
///
/// # Errors
/// `DiskError` from reading the folder or removing a file.
pub fn sweep_temporary(temporary: &Path) -> Result<usize, DiskError> {
    let mut removed = 0;
    for entry in fs::read_dir(temporary).at("list", temporary)? {
        let path = entry.at("list", temporary)?.path();
        if path.extension().is_some_and(|ending| ending == TEMPORARY) {
            remove(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// `DiskError`; `Cause::Io` without an errno when the file is longer than `limit`.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, DiskError> {
    let file = File::open(path).at("open", path)?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, limit + 1), &mut bytes).at("read", path)?;
    if bytes.len() as u64 > limit {
        return Err(DiskError {
            cause: Cause::Io,
            action: "read within its size limit",
            path: path.to_path_buf(),
            errno: None,
        });
    }
    Ok(bytes)
}

/// [`read`], with `None` for an absent file.
///
/// # Errors
/// As [`read`], but for absence.
pub fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, DiskError> {
    match read(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.cause == Cause::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folder that holds `path`'s name.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("x");
        replace(folder.path(), &target, b"one").unwrap();
        replace(folder.path(), &target, b"two").unwrap();
        assert_eq!(read(&target, 3).unwrap(), b"two");
        assert_eq!(read(&target, 2).unwrap_err().cause, Cause::Io);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_abandoned_file_is_removed_at_once_or_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = TempFile::create(folder.path()).unwrap();
        file.write(b"half").unwrap();
        let path = file.path.clone();
        drop(file);
        assert!(!path.exists());
        fs::write(folder.path().join("77-0.tmp"), b"half").unwrap();
        fs::write(folder.path().join("keep"), b"whole").unwrap();
        assert_eq!(sweep_temporary(folder.path()).unwrap(), 1);
        assert!(folder.path().join("keep").exists());
    }

    #[test]
    fn a_refused_rename_leaves_nothing_under_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("absent/x");
        let error = replace(folder.path(), &target, b"one").unwrap_err();
        assert_eq!(error.cause, Cause::Missing);
        assert_eq!(error.action, "rename into place");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn folders_are_created_once_and_files_do_not_pass_for_folders() {
        let root = tempfile::tempdir().unwrap();
        let below = Path::new("a/b");
        let unsynced = make_folders(root.path(), below).unwrap();
        assert_eq!(unsynced, [root.path().to_path_buf(), root.path().join("a")]);
        assert!(make_folders(root.path(), below).unwrap().is_empty());
        create_folder(&root.path().join("a")).unwrap();
        fs::write(root.path().join("f"), b"").unwrap();
        assert_eq!(
            create_folder(&root.path().join("f")).unwrap_err().cause,
            Cause::Exists
        );
    }

    #[test]
    fn an_anonymous_file_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = TempFile::create(folder.path())
            .unwrap()
            .into_anonymous()
            .unwrap();
        file.write_all(b"gone with the process").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
