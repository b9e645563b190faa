//! The table of studies in memory: decrypted at start, so that worklists, wildcards and date
//! ranges need no readable index on disk.

use std::collections::BTreeMap;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crypto::digest::Digest;

use super::{ObjectMeta, StudyFields};
use crate::phi::Phi;
use crate::store::codec::{Reader, RecordError, Stored, Writer};
use crate::store::error::StoreError;
use crate::store::index::{Family, Index, IndexError};

/// Distinct modalities listed of one study; DICOM defines some 80, a study has one to four.
const MODALITIES_MAX: usize = 16;

/// What is known of a study without opening its objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudySummary {
    /// Study Instance UID.
    pub study_uid: Phi<String>,
    /// As in the first object that came.
    pub fields: StudyFields,
    /// Distinct modalities, sorted.
    pub modalities: Vec<String>,
    /// Number of series.
    pub series: u64,
    /// Number of objects.
    pub objects: u64,
    /// Plaintext bytes of headers and bulk.
    pub bytes: u64,
    /// When the first object arrived: milliseconds since 1970, UTC.
    pub first_arrival_ms: u64,
    /// When the latest object arrived.
    pub last_arrival_ms: u64,
    /// Objects of this study name different patients: a person must look before anyone reads it.
    pub patient_conflict: bool,
}

impl StudySummary {
    /// The summary with one more object. `new_series`: the object is its series' first.
    pub(super) fn with(self, meta: &ObjectMeta, length: u64, new_series: bool) -> Self {
        let same_patient = self.fields.patient_id == meta.study.patient_id
            && self.fields.patient_id_issuer == meta.study.patient_id_issuer;
        let mut modalities = self.modalities;
        if let Err(at) = modalities.binary_search(&meta.modality)
            && modalities.len() < MODALITIES_MAX
        {
            modalities.insert(at, meta.modality.clone());
        }
        Self {
            modalities,
            series: self.series + u64::from(new_series),
            objects: self.objects + 1,
            bytes: self.bytes.saturating_add(length),
            first_arrival_ms: self.first_arrival_ms.min(meta.received_ms),
            last_arrival_ms: self.last_arrival_ms.max(meta.received_ms),
            patient_conflict: self.patient_conflict || !same_patient,
            study_uid: self.study_uid,
            fields: self.fields,
        }
    }

    /// The summary of a study without objects, as its first object describes it.
    pub(super) fn empty(meta: &ObjectMeta) -> Self {
        Self {
            study_uid: meta.study_uid.clone(),
            fields: meta.study.clone(),
            modalities: Vec::new(),
            series: 0,
            objects: 0,
            bytes: 0,
            first_arrival_ms: meta.received_ms,
            last_arrival_ms: meta.received_ms,
            patient_conflict: false,
        }
    }
}

impl Stored for StudySummary {
    const VERSION: u8 = 1;

    fn encode(&self, writer: &mut Writer) {
        writer.text(self.study_uid.expose());
        for field in self.fields.all() {
            writer.text(field.expose());
        }
        writer.count(self.modalities.len());
        for modality in &self.modalities {
            writer.text(modality);
        }
        writer.u64(self.series);
        writer.u64(self.objects);
        writer.u64(self.bytes);
        writer.u64(self.first_arrival_ms);
        writer.u64(self.last_arrival_ms);
        writer.u8(u8::from(self.patient_conflict));
    }

    fn decode(_version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        let study_uid = Phi::new(reader.text()?);
        let mut fields = StudyFields::default();
        for field in fields.all_mut() {
            *field = Phi::new(reader.text()?);
        }
        let count = reader.count(4)?;
        Ok(Self {
            study_uid,
            fields,
            modalities: (0..count)
                .map(|_| reader.text())
                .collect::<Result<_, _>>()?,
            series: reader.u64()?,
            objects: reader.u64()?,
            bytes: reader.u64()?,
            first_arrival_ms: reader.u64()?,
            last_arrival_ms: reader.u64()?,
            patient_conflict: reader.flag()?,
        })
    }
}

/// All studies, by their name in the index.
pub struct StudyTable {
    studies: RwLock<BTreeMap<Digest, StudySummary>>,
    studies_max: usize,
}

impl StudyTable {
    /// Opens every summary.
    ///
    /// # Errors
    /// `StoreError::Index` when one does not open, `TableFull` when there are more than may be.
    pub(in crate::store) fn load(index: &Index, studies_max: usize) -> Result<Self, StoreError> {
        let mut studies = BTreeMap::new();
        for item in index.scan::<StudySummary>(Family::Studies, b"")? {
            let (key, summary) = item?;
            let problem = RecordError::Value("study name");
            let name = <[u8; 32]>::try_from(&*key).map_err(|_| IndexError::Record {
                family: Family::Studies,
                problem,
            })?;
            if studies.len() == studies_max {
                return Err(StoreError::TableFull(studies_max));
            }
            studies.insert(Digest(name), summary);
        }
        Ok(Self {
            studies: RwLock::new(studies),
            studies_max,
        })
    }

    /// The study's summary, if it is there; `TableFull` when it is not and cannot be added.
    pub(super) fn get_or_room(&self, name: &Digest) -> Result<Option<StudySummary>, StoreError> {
        let studies = self.read()?;
        let found = studies.get(name).cloned();
        if found.is_none() && studies.len() >= self.studies_max {
            return Err(StoreError::TableFull(self.studies_max));
        }
        Ok(found)
    }

    pub(super) fn read(
        &self,
    ) -> Result<RwLockReadGuard<'_, BTreeMap<Digest, StudySummary>>, StoreError> {
        self.studies.read().map_err(|_| StoreError::Poisoned)
    }

    pub(super) fn write(
        &self,
    ) -> Result<RwLockWriteGuard<'_, BTreeMap<Digest, StudySummary>>, StoreError> {
        self.studies.write().map_err(|_| StoreError::Poisoned)
    }
}
