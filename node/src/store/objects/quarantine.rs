//! Other bytes under a UID that is taken. They are kept sealed, and never replace what is stored:
//! a person decides.

use std::io::{Read, Seek};

use super::put::Put;
use super::record::{InstanceRecord, ObjectRecord};
use super::seal::{self, Placed};
use super::{BulkSpec, ObjectId, ObjectMeta};
use crate::store::Store;
use crate::store::codec::RecordError;
use crate::store::error::StoreError;
use crate::store::index::{Batch, Family, IndexError};

/// Different objects kept under one UID. A sender that changes an object on each try must not
/// fill the disk; a person has enough to decide on with these.
const PER_UID_MAX: usize = 8;

impl Store {
    /// An object whose UID is known: the same bytes, or other ones for the quarantine.
    pub(super) fn put_known<S: Read + Seek>(
        &self,
        (meta, header): (&ObjectMeta, &[u8]),
        bulks: &[BulkSpec],
        source: &mut S,
        known: &InstanceRecord,
    ) -> Result<Put, StoreError> {
        let dataset = seal::digest_only(meta, header, bulks, source)?;
        let duplicate = self.duplicate_name(meta, &dataset);
        if duplicate == known.duplicate {
            return Ok(Put::Duplicate(id_in(&known.object)?));
        }
        let instance = self.names(meta).instance;
        let key = [instance.0, duplicate.0].concat();
        // Held over the sealing: conflicts are rare, and two of the same must not both be kept.
        let _instance = self.locks.instance(&instance)?;
        if let Some(kept) = self.index.get::<ObjectRecord>(Family::Quarantine, &key)? {
            return Ok(Put::Conflict(kept.id));
        }
        let kept = self
            .index
            .scan::<ObjectRecord>(Family::Quarantine, &instance.0)?;
        if kept.take(PER_UID_MAX).count() == PER_UID_MAX {
            return Err(StoreError::QuarantineFull);
        }
        let mut placed = Placed::new(&self.layout, &self.locks);
        let parts = seal::seal(&mut placed, meta, header, bulks, source)?;
        if parts.dataset != dataset {
            // The source gave other bytes on the second reading.
            return Err(StoreError::Source(std::io::ErrorKind::InvalidData));
        }
        let record = ObjectRecord::new(meta, parts, header);
        let mut batch = Batch::default();
        self.put_object(&mut batch, Family::Quarantine, &key, (&record, header))?;
        match self.index.commit(batch) {
            Ok(()) => placed.keep(),
            Err(error) => {
                placed.leave();
                return Err(error.into());
            }
        }
        Ok(Put::Conflict(record.id))
    }

    /// Everything in quarantine, for review.
    ///
    /// # Errors
    /// `StoreError::Index`.
    pub fn quarantined(&self) -> Result<Vec<ObjectRecord>, StoreError> {
        let found = self.index.scan::<ObjectRecord>(Family::Quarantine, b"")?;
        Ok(found
            .map(|item| item.map(|(_, record)| record))
            .collect::<Result<_, _>>()?)
    }

    /// Discards a quarantined object: its records durably, then its files.
    ///
    /// # Errors
    /// `StoreError::Unknown`, `Index` or `Disk`.
    pub fn discard_quarantined(&self, id: ObjectId) -> Result<(), StoreError> {
        for item in self.index.scan::<ObjectRecord>(Family::Quarantine, b"")? {
            let (key, record) = item?;
            if record.id == id {
                let mut batch = Batch::default();
                self.delete_object(&mut batch, Family::Quarantine, &key, &record);
                self.index.commit(batch)?;
                return self.remove_files(&record);
            }
        }
        Err(StoreError::Unknown("quarantined object"))
    }
}

/// The object id at the end of an object's key.
fn id_in(key: &[u8]) -> Result<ObjectId, StoreError> {
    let problem = RecordError::Value("object key");
    let id = key.last_chunk().ok_or(IndexError::Record {
        family: Family::Instances,
        problem,
    })?;
    Ok(ObjectId(*id))
}
