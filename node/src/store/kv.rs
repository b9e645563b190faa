//! Small named values, sealed, under keyed names.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::codec::{Reader, RecordError, Stored, Writer};
use super::error::{Limit, StoreError};
use super::index::{Batch, Family, Index, IndexError};
use super::labels;
use super::root::RootKey;

/// Longest value: a state snapshot of a busy hospital's cases.
pub const VALUE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Longest name.
const NAME_BYTES_MAX: usize = 1024;

/// A family of named values. Names may identify (they are keyed in the index, and rest sealed
/// beside their value, so that [`Entries::all`] can give them back).
#[derive(Clone)]
pub struct Entries {
    index: Arc<Index>,
    root: Arc<RootKey>,
    family: Family,
}

/// A value with its name. It may hold a secret, so it is overwritten when dropped.
struct Entry {
    name: Zeroizing<Vec<u8>>,
    value: Zeroizing<Vec<u8>>,
}

impl Stored for Entry {
    const VERSION: u8 = 1;

    fn encode(&self, writer: &mut Writer) {
        writer.bytes(&self.name);
        writer.bytes(&self.value);
    }

    fn decode(_version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        let name = Zeroizing::new(reader.bytes()?.to_vec());
        Ok(Self {
            name,
            value: Zeroizing::new(reader.bytes()?.to_vec()),
        })
    }
}

impl Entries {
    pub(super) fn new(index: Arc<Index>, root: Arc<RootKey>, family: Family) -> Self {
        Self {
            index,
            root,
            family,
        }
    }

    /// The value under `name`.
    ///
    /// # Errors
    /// `IndexError` when it does not open or cannot be read.
    pub fn get(&self, name: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, IndexError> {
        let entry: Option<Entry> = self.index.get(self.family, &self.key(name))?;
        Ok(entry.map(|entry| entry.value))
    }

    /// Stores a value durably, replacing an older one.
    ///
    /// # Errors
    /// `StoreError::Limit` for a value or name that is too long, `Index` from the write.
    pub fn put(&self, name: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.put_all(&[(name, value)])
    }

    /// Stores several values durably, all or none.
    ///
    /// # Errors
    /// As [`Entries::put`].
    pub fn put_all(&self, entries: &[(&[u8], &[u8])]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for (name, value) in entries {
            if value.len() > VALUE_BYTES_MAX || name.len() > NAME_BYTES_MAX {
                return Err(StoreError::Limit(Limit::Value(value.len().max(name.len()))));
            }
            let entry = Entry {
                name: Zeroizing::new(name.to_vec()),
                value: Zeroizing::new(value.to_vec()),
            };
            self.index
                .put(&mut batch, self.family, &self.key(name), &entry)?;
        }
        Ok(self.index.commit(batch)?)
    }

    /// Removes a value durably; an absent one is no error.
    ///
    /// # Errors
    /// `IndexError` from the write.
    pub fn delete(&self, name: &[u8]) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        batch.delete(self.family, &self.key(name));
        self.index.commit(batch)
    }

    /// All names and values whose name begins with `prefix`, sorted by name. Reads the whole
    /// family, so it is for start-up.
    ///
    /// # Errors
    /// `IndexError` of the first record that does not open.
    #[expect(clippy::type_complexity, reason = "a list of names and values")]
    pub fn all(
        &self,
        prefix: &[u8],
    ) -> Result<Vec<(Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>)>, IndexError> {
        let mut found = Vec::new();
        for item in self.index.scan::<Entry>(self.family, b"")? {
            let (_, entry) = item?;
            if entry.name.starts_with(prefix) {
                found.push((entry.name, entry.value));
            }
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(found)
    }

    fn key(&self, name: &[u8]) -> [u8; 32] {
        self.root
            .name(labels::ENTRY, &[self.family.name().as_bytes(), name])
            .0
    }
}
