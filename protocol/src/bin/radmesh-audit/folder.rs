//! An archive in a folder: what is in it, and bounded reads. Links are never followed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crypto::digest::Digest;
use crypto::log::quorum::MAX_POLICY_LEN;
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
        source: std::io::Error,
    },
    /// A quorum file cannot be read.
    #[error("{}: {source}; name the quorum file that you hold", path.display())]
    Quorum {
        /// The file.
        path: PathBuf,
        /// The system's complaint.
        source: std::io::Error,
    },
    /// A file that was named cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's complaint.
        source: std::io::Error,
    },
    /// A file that was named is too long to be what it should be.
    #[error("{}: longer than {max} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most it may have.
        max: u64,
    },
    /// Too many files, or folders too deep.
    #[error("{}: more files or deeper folders than an archive has", .0.display())]
    NotAnArchive(PathBuf),
}

/// An archive in a folder. Its paths lie behind one another in one text: an archive may have half a
/// million.
pub struct Folder {
    root: PathBuf,
    text: String,
    /// Every path, sorted.
    items: Vec<Item>,
}

/// One path of a folder that is no folder itself.
struct Item {
    start: u32,
    length: u32,
    is_file: bool,
}

impl Folder {
    /// Lists a folder.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open(root: &Path) -> Result<Self, FolderError> {
        let mut folder = Self {
            root: root.to_owned(),
            text: String::new(),
            items: Vec::new(),
        };
        let mut open = vec![(root.to_owned(), String::new(), 0)];
        while let Some((path, prefix, depth)) = open.pop() {
            let enough = || FolderError::NotAnArchive(root.to_owned());
            if depth > DEPTH_MAX {
                return Err(enough());
            }
            list(&path, |name, is_folder, is_file| {
                if is_folder {
                    open.push((path.join(name), format!("{prefix}{name}/"), depth + 1));
                    return (open.len() <= FILES_MAX).then_some(()).ok_or_else(enough);
                }
                folder.add(&prefix, name, is_file).ok_or_else(enough)
            })?;
        }
        let Self { text, items, .. } = &mut folder;
        items.sort_unstable_by(|one, other| one.path(text).cmp(other.path(text)));
        Ok(folder)
    }

    /// Notes a path; `None` if there are too many.
    fn add(&mut self, prefix: &str, name: &str, is_file: bool) -> Option<()> {
        let start = u32::try_from(self.text.len()).ok()?;
        self.text.push_str(prefix);
        self.text.push_str(name);
        self.items.push(Item {
            start,
            length: u32::try_from(prefix.len() + name.len()).ok()?,
            is_file,
        });
        (self.items.len() <= FILES_MAX).then_some(())
    }

    fn find(&self, path: &str) -> Option<&Item> {
        let at = |item: &Item| item.path(&self.text).cmp(path);
        self.items.get(self.items.binary_search_by(at).ok()?)
    }
}

impl Item {
    fn path<'t>(&self, text: &'t str) -> &'t str {
        let start = self.start as usize;
        let path = text.get(start..start + self.length as usize);
        path.unwrap_or_default()
    }
}

impl Source for Folder {
    fn paths(&self) -> Vec<String> {
        let path = |item: &Item| item.path(&self.text).to_owned();
        self.items.iter().map(path).collect()
    }

    fn each_path(&self, see: &mut dyn FnMut(&str)) {
        self.items
            .iter()
            .for_each(|item| see(item.path(&self.text)));
    }

    fn read(&self, path: &str, max: u64) -> Result<Vec<u8>, ReadError> {
        match self.find(path).map(|item| item.is_file) {
            None => Err(ReadError::Missing),
            Some(false) => Err(ReadError::Unreadable),
            Some(true) => {
                let bytes = read(&self.root.join(path), max).map_err(|_| ReadError::Unreadable)?;
                if bytes.len() as u64 > max {
                    Err(ReadError::TooLarge)
                } else {
                    Ok(bytes)
                }
            }
        }
    }
}

/// SHA-256 of a quorum file. One that is longer than a quorum file may be equals none.
///
/// # Errors
/// [`FolderError::Quorum`].
pub fn digest(file: &Path) -> Result<Digest, FolderError> {
    let failed = |source| FolderError::Quorum {
        path: file.to_owned(),
        source,
    };
    read(file, MAX_POLICY_LEN as u64)
        .map(|bytes| Digest::sha256(&bytes))
        .map_err(failed)
}

/// The bytes of a file that may have at most `max`.
///
/// # Errors
/// [`FolderError::File`], [`FolderError::TooLong`].
pub fn small(file: &Path, max: u64) -> Result<Vec<u8>, FolderError> {
    let path = file.to_owned();
    match read(file, max) {
        Err(source) => Err(FolderError::File { path, source }),
        Ok(bytes) if bytes.len() as u64 > max => Err(FolderError::TooLong { path, max }),
        Ok(bytes) => Ok(bytes),
    }
}

/// The first line of a file that may have at most `max` bytes, without its end.
///
/// # Errors
/// [`FolderError::File`], [`FolderError::TooLong`].
pub fn first_line(file: &Path, max: u64) -> Result<String, FolderError> {
    let bytes = small(file, max)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Shows one folder's items: name, whether it is a folder, whether it is a regular file.
#[expect(
    clippy::disallowed_methods,
    reason = "the tool's one way to list an archive"
)]
fn list(
    path: &Path,
    mut see: impl FnMut(&str, bool, bool) -> Result<(), FolderError>,
) -> Result<(), FolderError> {
    let failed = |source| FolderError::List {
        path: path.to_owned(),
        source,
    };
    for item in std::fs::read_dir(path).map_err(failed)? {
        let item = item.map_err(failed)?;
        let kind = item.file_type().map_err(failed)?;
        // A name that is not UTF-8 is no archive's: it is listed as something, and refused.
        let name = item.file_name();
        see(&name.to_string_lossy(), kind.is_dir(), kind.is_file())?;
    }
    Ok(())
}

/// At most one byte more than `max`, so that a longer file shows and costs no memory.
#[expect(
    clippy::disallowed_types,
    reason = "the tool's one way to read an archive"
)]
fn read(path: &Path, max: u64) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let max = max.saturating_add(1);
    // As long as the file says that it is, and one byte to see its end: no room grows in steps.
    let expected = file.metadata()?.len().min(max).saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    file.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make folders")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lists_its_files_and_reads_no_more_than_asked() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(root.path().join("log/tile")).expect("made");
        std::fs::write(root.path().join("archive.note"), b"note").expect("written");
        std::fs::write(root.path().join("log/tile/x"), b"12345").expect("written");
        let folder = Folder::open(root.path()).expect("lists");
        assert_eq!(folder.paths(), ["archive.note", "log/tile/x"]);
        assert_eq!(folder.read("log/tile/x", 5), Ok(b"12345".to_vec()));
        assert_eq!(folder.read("log/tile/x", 4), Err(ReadError::TooLarge));
        assert_eq!(folder.read("log/tile/y", 4), Err(ReadError::Missing));
        // Only what was listed is read: no path leads out.
        assert_eq!(folder.read("../x", 4), Err(ReadError::Missing));
    }

    #[test]
    fn a_quorum_file_is_known_by_its_bytes() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("quorum.policy");
        std::fs::write(&file, b"quorum none\n").expect("written");
        let same = digest(&file).expect("there");
        assert_eq!(same, Digest::sha256(b"quorum none\n"));
        let absent = digest(&root.path().join("absent")).expect_err("absent");
        assert!(absent.to_string().contains("absent: "), "{absent}");
    }

    #[test]
    fn a_small_file_is_read_up_to_its_bound() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("patient");
        std::fs::write(&file, "17^^^NORD\r\nmore").expect("written");
        assert_eq!(first_line(&file, 100).ok().as_deref(), Some("17^^^NORD"));
        assert_eq!(small(&file, 15).ok().map(|bytes| bytes.len()), Some(15));
        assert!(matches!(
            small(&file, 14),
            Err(FolderError::TooLong { max: 14, .. })
        ));
        let absent = small(&root.path().join("absent"), 9);
        assert!(matches!(absent, Err(FolderError::File { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_listed_and_not_followed() {
        let root = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        std::fs::write(outside.path().join("file"), b"x").expect("written");
        let link = |target: &Path, name: &str| {
            std::os::unix::fs::symlink(target, root.path().join(name)).expect("linked");
        };
        link(&outside.path().join("file"), "file");
        link(outside.path(), "folder");
        let folder = Folder::open(root.path()).expect("lists");
        assert_eq!(folder.paths(), ["file", "folder"]);
        assert_eq!(folder.read("file", 9), Err(ReadError::Unreadable));
        assert_eq!(folder.read("folder", 9), Err(ReadError::Unreadable));
    }

    #[test]
    fn what_is_no_folder_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        let error = Folder::open(&root.path().join("absent"))
            .err()
            .expect("absent");
        assert!(error.to_string().contains("absent: "));
        let deep = (0..20).fold(root.path().to_owned(), |path, _| path.join("d"));
        std::fs::create_dir_all(deep).expect("made");
        assert!(matches!(
            Folder::open(root.path()),
            Err(FolderError::NotAnArchive(_))
        ));
    }
}
