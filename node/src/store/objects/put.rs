//! Taking an object in: new, a duplicate, or another object under a known UID.
//!
//! ```text
//! 1  limits, reserve                        nothing written
//! 2  seal each bulk value into tmp/         crash: temporary files, swept at start
//! 3  sync, rename into sealed/, sync        crash: sealed files without a record, swept
//! 4  one synced batch of records            crash before: as 3; after: the object is there
//! 5  the table in memory, then the answer
//! ```

use std::io::{Read, Seek};

use crypto::digest::Digest;

use super::record::{FileRecord, HeaderRecord, InstanceRecord, ObjectRecord};
use super::seal::{self, Placed};
use super::table::StudySummary;
use super::{
    BULKS_MAX, BulkSpec, FRAMES_MAX, HEADER_BYTES_MAX, ObjectId, ObjectMeta, TEXT_BYTES_MAX,
};
use crate::store::error::{Limit, StoreError};
use crate::store::index::{Batch, Family};
use crate::store::{Store, labels};
use crypto::segment;

/// What became of an object. Whatever it says is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is stored.
    New(ObjectId),
    /// The same bytes are already stored under this UID.
    Duplicate(ObjectId),
    /// Other bytes are stored under this UID and stay; these are in quarantine.
    Conflict(ObjectId),
}

/// Where an object's records lie in the index.
pub(super) struct Names {
    pub study: Digest,
    pub series: [u8; 16],
    pub instance: Digest,
}

impl Names {
    /// The object's key: study name (32) ‖ series name (16) ‖ object id (16).
    pub(super) fn object(&self, id: ObjectId) -> Vec<u8> {
        [self.study.0.as_slice(), &self.series, &id.0].concat()
    }

    /// The prefix of the keys of this series' objects.
    fn series_prefix(&self) -> Vec<u8> {
        [self.study.0.as_slice(), &self.series].concat()
    }
}

impl Store {
    /// Stores an object durably, or says that it is there.
    ///
    /// `header` is the dataset without the values of `bulks`; their bytes are read from `source`
    /// once, or twice when the UID is known and the bytes differ. Memory: a few segments.
    ///
    /// # Errors
    /// `StoreError::Limit` or `Source` for what the caller gave, `OutOfSpace` and `TableFull`
    /// before anything is written, `QuarantineFull`, or the disk's and the index's refusals. After
    /// an error nothing was acknowledged; the object may be there (after an error from the
    /// index's write), and putting it again is then a duplicate.
    pub fn put<S: Read + Seek>(
        &self,
        meta: &ObjectMeta,
        header: &[u8],
        bulks: &[BulkSpec],
        source: &mut S,
    ) -> Result<Put, StoreError> {
        check_limits(meta, header, bulks)?;
        let sealed = bulks.iter().map(|bulk| segment::sealed_len(bulk.length));
        let needed = sealed.fold(header.len() as u64, u64::saturating_add);
        self.options.reserve.check(&self.layout.folder, needed)?;
        let names = self.names(meta);
        if let Some(known) = self.instance(&names.instance)? {
            return self.put_known((meta, header), bulks, source, &known);
        }
        self.table.get_or_room(&names.study)?;
        let mut placed = Placed::new(&self.layout, &self.locks);
        let parts = seal::seal(&mut placed, meta, header, bulks, source)?;
        let record = ObjectRecord::new(meta, parts, header);
        match self.commit(meta, header, &names, &record) {
            Ok(None) => {
                placed.keep();
                Ok(Put::New(record.id))
            }
            Err(error) => {
                placed.leave();
                Err(error)
            }
            // Another thread stored this UID while this one sealed: its bytes stay.
            Ok(Some(known)) => {
                drop(placed);
                self.put_known((meta, header), bulks, source, &known)
            }
        }
    }

    /// The records of a new object in one synced batch, unless the UID was taken meanwhile.
    fn commit(
        &self,
        meta: &ObjectMeta,
        header: &[u8],
        names: &Names,
        record: &ObjectRecord,
    ) -> Result<Option<InstanceRecord>, StoreError> {
        let _instance = self.locks.instance(&names.instance)?;
        if let Some(known) = self.instance(&names.instance)? {
            return Ok(Some(known));
        }
        let _study = self.locks.study(&names.study)?;
        let before = self.table.get_or_room(&names.study)?;
        let series = names.series_prefix();
        let new_series = self
            .index
            .scan::<ObjectRecord>(Family::Objects, &series)?
            .next()
            .is_none();
        let summary = before.unwrap_or_else(|| StudySummary::empty(meta));
        let summary = summary.with(meta, record.length(), new_series);
        let key = names.object(record.id);
        let instance = InstanceRecord {
            duplicate: self.duplicate_name(meta, &record.dataset),
            object: key.clone(),
        };
        let mut batch = Batch::default();
        self.index
            .put(&mut batch, Family::Instances, &names.instance.0, &instance)?;
        self.index
            .put(&mut batch, Family::Studies, &names.study.0, &summary)?;
        self.put_object(&mut batch, Family::Objects, &key, (record, header))?;
        self.index.commit(batch)?;
        self.table.write()?.insert(names.study, summary);
        Ok(None)
    }

    /// The records that an object has in its family, whether stored or quarantined.
    pub(super) fn put_object(
        &self,
        batch: &mut Batch,
        family: Family,
        key: &[u8],
        (record, header): (&ObjectRecord, &[u8]),
    ) -> Result<(), StoreError> {
        self.index.put(batch, family, key, record)?;
        let header = HeaderRecord(header.to_vec());
        self.index
            .put(batch, Family::Headers, &record.id.0, &header)?;
        for part in &record.parts {
            let file = FileRecord {
                length: part.sealed_length(),
                owner: key.to_vec(),
            };
            self.index
                .put(batch, Family::Files, &part.sealed.0, &file)?;
        }
        Ok(())
    }

    pub(super) fn instance(&self, name: &Digest) -> Result<Option<InstanceRecord>, StoreError> {
        Ok(self.index.get(Family::Instances, &name.0)?)
    }

    pub(super) fn names(&self, meta: &ObjectMeta) -> Names {
        let series = meta.series_uid.expose().as_bytes();
        let series = self.root.name(labels::SERIES, &[series]);
        let mut short = [0; 16];
        short.copy_from_slice(&series.0[..16]);
        Names {
            study: self.study_name(meta.study_uid.expose()),
            series: short,
            instance: self
                .root
                .name(labels::INSTANCE, &[meta.sop_uid.expose().as_bytes()]),
        }
    }

    pub(super) fn study_name(&self, study_uid: &str) -> Digest {
        self.root.name(labels::STUDY, &[study_uid.as_bytes()])
    }

    /// The name under which the same UID with the same bytes is known again.
    pub(super) fn duplicate_name(&self, meta: &ObjectMeta, dataset: &Digest) -> Digest {
        let parts = [
            meta.sop_uid.expose().as_bytes(),
            dataset.as_bytes().as_slice(),
        ];
        self.root.name(labels::DUPLICATE, &parts)
    }
}

fn check_limits(meta: &ObjectMeta, header: &[u8], bulks: &[BulkSpec]) -> Result<(), StoreError> {
    let refuse = |limit| Err(StoreError::Limit(limit));
    if header.len() > HEADER_BYTES_MAX {
        return refuse(Limit::Header(header.len()));
    }
    if bulks.len() > BULKS_MAX {
        return refuse(Limit::Bulks(bulks.len()));
    }
    let uids = [&meta.study_uid, &meta.series_uid, &meta.sop_uid].map(|uid| uid.expose().len());
    let plain = [
        &meta.sop_class_uid,
        &meta.transfer_syntax_uid,
        &meta.modality,
    ]
    .map(String::len);
    let fields = meta.study.all().map(|field| field.expose().len());
    let longest = uids
        .into_iter()
        .chain(plain)
        .chain(fields)
        .max()
        .unwrap_or(0);
    if longest > TEXT_BYTES_MAX {
        return refuse(Limit::Text(longest));
    }
    for bulk in bulks {
        if bulk.length > segment::MAX_PLAIN_LEN {
            return refuse(Limit::Bulk(bulk.length));
        }
        if bulk.header_offset > header.len() as u64 {
            return refuse(Limit::Place);
        }
        if bulk.frames.len() > FRAMES_MAX {
            return refuse(Limit::Frames(bulk.frames.len()));
        }
        let inside = |end: u64| end <= bulk.length;
        let ends = bulk
            .frames
            .iter()
            .map(|frame| frame.offset.checked_add(frame.length));
        if !ends.into_iter().all(|end| end.is_some_and(inside)) {
            return refuse(Limit::FrameRange);
        }
    }
    Ok(())
}
