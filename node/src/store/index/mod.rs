//! The index: what exists, in RocksDB. This folder's files are the only ones that name it.
//!
//! Keys are random ids, counters, digests of ciphertext, or keyed digests of identifiers; values
//! are sealed. So what lies in RocksDB's files says how much there is, and nothing about whom.
//!
//! A value is: record version (1) ‖ sealed record. The seal binds the column family, the version
//! and the key, so a record that was moved, swapped or relabelled does not open.
//!
//! What survives: [`Index::commit`] returns after the write-ahead log is synced (`fdatasync`), and
//! a batch is there whole or not at all. A crash before that may leave the batch or not; nobody
//! was told.

mod error;
mod options;

use std::path::{Path, PathBuf};

use crypto::keys::SymmetricKey;
use rocksdb::{ColumnFamily, DB, Direction, FlushOptions, IteratorMode, ReadOptions, WriteBatch};

pub use error::IndexError;

use super::codec::{self, RecordError, Stored};
use super::root::RootKey;
use super::{durable, labels, sealing};

/// The column families. Each holds one type of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Objects of a study: study name (32) ‖ series name (16) ‖ object id (16).
    Objects,
    /// Headers: object id (16).
    Headers,
    /// Which object holds a SOP Instance UID: instance name (32).
    Instances,
    /// Which object owns a sealed file: the file's digest (32).
    Files,
    /// Summaries of studies: study name (32).
    Studies,
    /// Objects whose UID was already taken by other bytes: instance name (32) ‖ duplicate name
    /// (32).
    Quarantine,
    /// Sealed payloads of log entries: log index (u64be).
    Payloads,
    /// What can be computed again from the log: entry name (32).
    Derived,
    /// Small things that cannot: entry name (32).
    Kv,
    /// Subjects' payload keys, in a database of their own: subject name (32).
    SubjectKeys,
}

impl Family {
    /// The column family's name on disk.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Headers => "headers",
            Self::Instances => "instances",
            Self::Files => "files",
            Self::Studies => "studies",
            Self::Quarantine => "quarantine",
            Self::Payloads => "payloads",
            Self::Derived => "derived",
            Self::Kv => "kv",
            Self::SubjectKeys => "subject_keys",
        }
    }
}

/// One RocksDB database with sealed values.
pub struct Index {
    db: DB,
    path: PathBuf,
    /// One key a family, so that a value does not open in another family even by mistake.
    keys: Vec<(Family, SymmetricKey)>,
}

/// Writes that become durable together.
#[derive(Default)]
pub struct Batch {
    changes: Vec<(Family, Vec<u8>, Option<Vec<u8>>)>,
}

/// One record of a scan with its key, or why it does not open.
pub type Scanned<T> = Result<(Box<[u8]>, T), IndexError>;

impl Index {
    /// Opens or creates the database in `path`, whose parent must be there.
    ///
    /// # Errors
    /// `IndexError::Corrupt` when RocksDB's files are damaged, `Disk` when the disk refuses.
    pub fn open(path: &Path, families: &[Family], root: &RootKey) -> Result<Self, IndexError> {
        durable::create_folder(path)?;
        let opened =
            DB::open_cf_descriptors(&options::database(), path, options::families(families));
        let db = opened.map_err(|error| IndexError::new(path, "open", &error))?;
        let key = |family: &Family| (*family, root.derive(labels::VALUES, family.name()));
        Ok(Self {
            db,
            path: path.to_path_buf(),
            keys: families.iter().map(key).collect(),
        })
    }

    /// Reads and opens one record.
    ///
    /// # Errors
    /// `IndexError::Record` when it does not open, `Corrupt` or `Disk` from RocksDB.
    pub fn get<T: Stored>(&self, family: Family, key: &[u8]) -> Result<Option<T>, IndexError> {
        let found = self.db.get_cf_opt(self.handle(family)?, key, &checked());
        match found.map_err(|error| self.error("read", &error))? {
            Some(value) => self.open_value(family, key, &value).map(Some),
            None => Ok(None),
        }
    }

    /// Whether a record is there; its seal is not looked at.
    ///
    /// # Errors
    /// As [`Index::get`].
    pub fn contains(&self, family: Family, key: &[u8]) -> Result<bool, IndexError> {
        let found = self
            .db
            .get_pinned_cf_opt(self.handle(family)?, key, &checked());
        Ok(found.map_err(|error| self.error("read", &error))?.is_some())
    }

    /// The records whose key begins with `prefix` (all, for an empty one), in key order.
    ///
    /// # Errors
    /// Each item carries its own: a record that does not open does not hide the next one.
    pub fn scan<'a, T: Stored + 'a>(
        &'a self,
        family: Family,
        prefix: &'a [u8],
    ) -> Result<impl Iterator<Item = Scanned<T>> + 'a, IndexError> {
        let mode = IteratorMode::From(prefix, Direction::Forward);
        let items = self
            .db
            .iterator_cf_opt(self.handle(family)?, checked(), mode);
        let opened = items.map(move |item| {
            let (key, value) = item.map_err(|error| self.error("read", &error))?;
            if !key.starts_with(prefix) {
                return Ok(None);
            }
            self.open_value(family, &key, &value)
                .map(|record| Some((key, record)))
        });
        Ok(opened.map_while(Result::transpose))
    }

    /// Seals a record into the batch.
    ///
    /// # Errors
    /// `IndexError::Entropy` when no nonce can be had.
    pub fn put<T: Stored>(
        &self,
        batch: &mut Batch,
        family: Family,
        key: &[u8],
        record: &T,
    ) -> Result<(), IndexError> {
        let plain = codec::encode(record);
        let place = place(family, T::VERSION, key);
        let mut value = vec![T::VERSION];
        value.extend(sealing::seal(self.key(family)?, &place, &plain)?);
        batch.changes.push((family, key.to_vec(), Some(value)));
        Ok(())
    }

    /// Writes the batch and syncs. When this returns, all of it survives a power cut.
    ///
    /// # Errors
    /// `IndexError`; then the batch may be there after the next start or not, but not in part.
    pub fn commit(&self, batch: Batch) -> Result<(), IndexError> {
        let mut writes = WriteBatch::default();
        for (family, key, value) in batch.changes {
            let handle = self.handle(family)?;
            match value {
                Some(value) => writes.put_cf(handle, key, value),
                None => writes.delete_cf(handle, key),
            }
        }
        let written = self.db.write_opt(writes, &options::synced());
        written.map_err(|error| self.error("write", &error))
    }

    /// Rewrites a family's files so that deleted values are no longer in them, nor in the
    /// write-ahead log. What the file system keeps of removed files is beyond our reach.
    ///
    /// # Errors
    /// `IndexError` from the flush.
    pub fn purge(&self, families: &[Family]) -> Result<(), IndexError> {
        // All families are flushed: a log file stays as long as one of them needs it.
        let all: Result<Vec<_>, _> = self
            .keys
            .iter()
            .map(|(family, _)| self.handle(*family))
            .collect();
        let flushed = self.db.flush_cfs_opt(&all?, &FlushOptions::default());
        flushed.map_err(|error| self.error("flush", &error))?;
        for family in families {
            self.db
                .compact_range_cf(self.handle(*family)?, None::<&[u8]>, None::<&[u8]>);
        }
        Ok(())
    }

    /// Copies the database, as of now, into `target` (absent, on the same file system) by hard
    /// links, for a backup.
    ///
    /// # Errors
    /// `IndexError` from RocksDB.
    pub fn checkpoint(&self, target: &Path) -> Result<(), IndexError> {
        let made = rocksdb::checkpoint::Checkpoint::new(&self.db)
            .and_then(|checkpoint| checkpoint.create_checkpoint(target));
        made.map_err(|error| self.error("copy", &error))
    }

    /// A value as it lies in RocksDB, for tests that look for it elsewhere.
    #[cfg(test)]
    pub(super) fn raw(&self, family: Family, key: &[u8]) -> Vec<u8> {
        self.db
            .get_cf(self.handle(family).unwrap(), key)
            .unwrap()
            .unwrap()
    }

    fn open_value<T: Stored>(
        &self,
        family: Family,
        key: &[u8],
        value: &[u8],
    ) -> Result<T, IndexError> {
        let record = |problem| IndexError::Record { family, problem };
        let (&version, sealed) = value.split_first().ok_or(record(RecordError::Short))?;
        if version > T::VERSION {
            // Said before the seal is tried: a newer program may seal otherwise.
            return Err(record(RecordError::Newer {
                found: version,
                known: T::VERSION,
            }));
        }
        let plain = sealing::open(self.key(family)?, &place(family, version, key), sealed)
            .map_err(|_| record(RecordError::Seal))?;
        codec::decode(version, &plain).map_err(record)
    }

    fn handle(&self, family: Family) -> Result<&ColumnFamily, IndexError> {
        self.db
            .cf_handle(family.name())
            .ok_or_else(|| self.not_opened(family))
    }

    fn key(&self, family: Family) -> Result<&SymmetricKey, IndexError> {
        let found = self.keys.iter().find(|(named, _)| *named == family);
        found
            .map(|(_, key)| key)
            .ok_or_else(|| self.not_opened(family))
    }

    fn not_opened(&self, family: Family) -> IndexError {
        let detail = format!("family '{}' was not opened", family.name());
        IndexError::Refused {
            path: self.path.clone(),
            detail,
        }
    }

    fn error(&self, action: &'static str, error: &rocksdb::Error) -> IndexError {
        IndexError::new(&self.path, action, error)
    }
}

impl Batch {
    /// Whether the batch changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Removes a record with the batch; an absent one is no error.
    pub fn delete(&mut self, family: Family, key: &[u8]) {
        self.changes.push((family, key.to_vec(), None));
    }
}

/// Associated data of a value: family name ‖ 0 ‖ version ‖ key.
fn place(family: Family, version: u8, key: &[u8]) -> Vec<u8> {
    let mut place = Vec::with_capacity(family.name().len() + 2 + key.len());
    place.extend_from_slice(family.name().as_bytes());
    place.push(0);
    place.push(version);
    place.extend_from_slice(key);
    place
}

/// Every block that is read is checked against its checksum.
fn checked() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    options
}

#[cfg(test)]
mod tests;
