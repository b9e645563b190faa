//! The store: sealed files by digest, and the index that says what they are.
//!
//! ```text
//! data folder (one process, by `lock`)
//!   format        which layout this is                     loss: the folder is not opened
//!   root-key      key of keys, under the master key        loss: everything
//!   index/        RocksDB: objects, headers, payloads, kv  loss: objects; the log names payloads
//!   subjects/     RocksDB: payload keys, per subject       loss: payloads (meant so, for erasure)
//!   sealed/ab/cd/ bulk values, named by their own SHA-256  loss: that bulk value, and it is told
//!   tmp/          files in the making                      loss: nothing; emptied at each start
//!   journal/      the log's commit point and stage         see `crate::journal`
//!   log/          the log as C2SP tiles                    see `crate::journal`
//! ```
//!
//! An attacker who can write here can destroy, and can put an older copy of the whole folder
//! back; he can read nothing and forge nothing, as every record and segment is sealed and bound to
//! its place. Going back as a whole is what the log's witnesses notice.
//!
//! What survives `kill -9` and power loss: everything for which a call returned `Ok`. An object is
//! its sealed files (synced, renamed, folder synced) and then one synced batch of index records. A
//! crash between the two leaves files that no record names: [`Store::sweep`] removes them.
//!
//! All calls block; none may be made on an async executor's own threads.

pub mod codec;
pub mod disk;
pub mod durable;
mod error;
pub mod index;
pub mod kv;
pub(crate) mod labels;
mod lock;
pub mod objects;
pub mod payloads;
mod random;
pub mod root;
mod sealing;
pub mod space;
pub mod spool;
pub mod subjects;
mod version;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::{Limit, StoreError};
pub use lock::LockError;
pub use random::EntropyError;
pub use version::VersionError;

use disk::{DiskContext, DiskError};
use index::{Family, Index};
use kv::Entries;
use lock::FolderLock;
use objects::locks::Locks;
use objects::table::StudyTable;
use payloads::Payloads;
use root::{MasterKey, RootKey};
use space::Reserve;
use spool::Spool;
use subjects::Subjects;

/// The families of the main index; subjects' keys have a database of their own, so that a backup
/// of the index does not keep what erasure must destroy.
const FAMILIES: &[Family] = &[
    Family::Objects,
    Family::Headers,
    Family::Instances,
    Family::Files,
    Family::Studies,
    Family::Quarantine,
    Family::Payloads,
    Family::Derived,
    Family::Kv,
];

/// What an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// Room on the disk that is never used for new objects.
    pub reserve: Reserve,
    /// Studies kept in the table in memory, and so in the store. A further one is refused.
    pub studies_max: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        // At about 1 KiB a study in memory, 200,000 studies take 200 MiB: some years of a
        // middle-sized hospital, on a machine of 4 GiB.
        Self {
            reserve: Reserve::default(),
            studies_max: 200_000,
        }
    }
}

/// Where things lie in the data folder.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The data folder.
    pub folder: PathBuf,
    /// Files in the making.
    pub temporary: PathBuf,
    /// Sealed bulk files.
    pub sealed: PathBuf,
}

/// The open data folder. One for each process and folder; share it in an `Arc`.
pub struct Store {
    layout: Layout,
    options: StoreOptions,
    root: Arc<RootKey>,
    index: Arc<Index>,
    subjects: Subjects,
    table: StudyTable,
    locks: Locks,
    /// Last: other fields are closed before the folder is let go.
    _lock: FolderLock,
}

impl Store {
    /// Opens the data folder, or makes one of an empty or absent folder. The steps, in order, and
    /// what a crash after each leaves: lock (nothing), temporary folder, root key, format marker
    /// (still fresh: the same steps run again), databases (made as needed).
    ///
    /// # Errors
    /// `StoreError::Lock` when another process has it, `Version` for a foreign or newer folder,
    /// `Root` for a wrong master key, `Index` for damage, `Disk`, or `TableFull`.
    pub fn open(
        folder: &Path,
        master: &MasterKey,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        let layout = Layout {
            folder: folder.to_path_buf(),
            temporary: folder.join("tmp"),
            sealed: folder.join("sealed"),
        };
        if !folder.exists() {
            durable::create_folder(folder)?;
        }
        let lock = FolderLock::take(folder)?;
        let fresh = is_fresh(folder)?;
        durable::create_folder(&layout.temporary)?;
        durable::sweep_temporary(&layout.temporary)?;
        let marked = version::check(folder, fresh)?;
        let root = Arc::new(RootKey::open(folder, &layout.temporary, master, !marked)?);
        version::mark(folder, &layout.temporary)?;
        durable::create_folder(&layout.sealed)?;
        let index = Arc::new(Index::open(&folder.join("index"), FAMILIES, &root)?);
        let subjects = Subjects::open(&folder.join("subjects"), Arc::clone(&root))?;
        let table = StudyTable::load(&index, options.studies_max)?;
        let locks = Locks::default();
        Ok(Self {
            layout,
            options,
            root,
            index,
            subjects,
            table,
            locks,
            _lock: lock,
        })
    }

    /// Where things lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The sealed payloads of log entries.
    pub fn payloads(&self) -> Payloads {
        Payloads::new(Arc::clone(&self.index))
    }

    /// Per-subject keys, and sealing under them.
    pub fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// Small values that exist nowhere else (counters, settings, prekeys).
    pub fn kv(&self) -> Entries {
        Entries::new(Arc::clone(&self.index), Arc::clone(&self.root), Family::Kv)
    }

    /// Values computed from the log, which may be dropped and computed again.
    pub fn derived(&self) -> Entries {
        Entries::new(
            Arc::clone(&self.index),
            Arc::clone(&self.root),
            Family::Derived,
        )
    }

    /// The maker of sealed temporary files.
    pub fn spool(&self) -> Spool {
        Spool::new(self.layout.clone(), self.options.reserve)
    }

    /// Copies the index, as of now, into `target` for a backup (absent, same file system).
    /// Subjects' keys are not in it.
    ///
    /// # Errors
    /// `StoreError::Index`.
    pub fn checkpoint_index(&self, target: &Path) -> Result<(), StoreError> {
        Ok(self.index.checkpoint(target)?)
    }
}

/// Whether a locked folder holds nothing but what opening a fresh one makes before the marker.
fn is_fresh(folder: &Path) -> Result<bool, DiskError> {
    const BEFORE_THE_MARKER: [&str; 4] = ["lock", "tmp", "root-key", "lost+found"];
    let entries: io::Result<Vec<_>> = fs::read_dir(folder).at("list", folder)?.collect();
    let names = entries.at("list", folder)?;
    Ok(names.iter().all(|entry| {
        BEFORE_THE_MARKER
            .iter()
            .any(|expected| entry.file_name() == *expected)
    }))
}

#[cfg(test)]
pub(crate) mod tests;
