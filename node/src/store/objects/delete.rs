//! Deleting a study: its records durably, then its files.

use super::record::ObjectRecord;
use super::seal;
use crate::store::Store;
use crate::store::durable;
use crate::store::error::StoreError;
use crate::store::index::{Batch, Family};

impl Store {
    /// Deletes a study with all its objects, and returns how many there were. Object keys go with
    /// the records, so that a sealed file that outlives them (a crash in between; the sweep
    /// removes it) opens no more. Quarantined objects stay until they are discarded.
    ///
    /// # Errors
    /// `StoreError::Unknown` when there is no such study; after `Index` nothing or all of its
    /// records are gone; after `Disk` the records are, and the sweep takes the files.
    pub fn delete_study(&self, study_uid: &str) -> Result<usize, StoreError> {
        let name = self.study_name(study_uid);
        let _study = self.locks.study(&name)?;
        if !self.table.read()?.contains_key(&name) {
            return Err(StoreError::Unknown("study"));
        }
        let mut batch = Batch::default();
        let mut records = Vec::new();
        for item in self.index.scan::<ObjectRecord>(Family::Objects, &name.0)? {
            let (key, record) = item?;
            let sop_uid = record.sop_uid.expose().as_bytes();
            let instance = self.root.name(crate::store::labels::INSTANCE, &[sop_uid]);
            batch.delete(Family::Instances, &instance.0);
            self.delete_object(&mut batch, Family::Objects, &key, &record);
            records.push(record);
        }
        batch.delete(Family::Studies, &name.0);
        self.index.commit(batch)?;
        self.table.write()?.remove(&name);
        for record in &records {
            self.remove_files(record)?;
        }
        Ok(records.len())
    }

    /// Takes back what `put_object` wrote.
    pub(super) fn delete_object(
        &self,
        batch: &mut Batch,
        family: Family,
        key: &[u8],
        record: &ObjectRecord,
    ) {
        batch.delete(family, key);
        batch.delete(Family::Headers, &record.id.0);
        for part in &record.parts {
            batch.delete(Family::Files, &part.sealed.0);
        }
    }

    pub(super) fn remove_files(&self, record: &ObjectRecord) -> Result<(), StoreError> {
        for part in &record.parts {
            durable::remove(&seal::path_of(&self.layout, &part.sealed))?;
        }
        Ok(())
    }
}
