//! The store as the log and releases see it.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use crypto::digest::Digest;
use protocol::ids::{StudyId, SubjectId};
use protocol::transfer::manifest::{self, Bulk, Frame};

use super::names::Names;
use crate::driver::log::{PayloadFault, PayloadSeal, Unsealed, frame, unframe};
use crate::phi::Phi;
use crate::release::{ReleaseSource, SealedRead, SourceFault, SourceObject};
use crate::store::objects::{ObjectId, ObjectRecord, Part, SealedFile, StudySummary};
use crate::store::payloads::SealedPayload;
use crate::store::subjects::PayloadError;
use crate::store::{Store, StoreError};

/// Whose key seals payloads that concern no patient.
const OWN: &[u8] = b"radmesh/node";

/// The store behind the traits of the log and of releases. Clones share it.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    names: Names,
    /// Study Instance UIDs by identifier, as many as the store has studies.
    known: Mutex<BTreeMap<StudyId, Phi<String>>>,
}

impl Vault {
    /// A vault over a store.
    #[must_use]
    pub fn new(store: Arc<Store>, names: Names) -> Self {
        Self(Arc::new(Inner {
            store,
            names,
            known: Mutex::default(),
        }))
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The names that this hospital gives.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.0.names
    }

    /// A study's identifier, from its Study Instance UID; remembers which it is.
    pub fn learn(&self, study_uid: &str) -> StudyId {
        let id = self.0.names.study(study_uid);
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .entry(id)
            .or_insert_with(|| Phi::new(study_uid.to_owned()));
        id
    }

    /// All studies.
    ///
    /// # Errors
    /// `StoreError::Poisoned`.
    pub fn studies(&self) -> Result<Vec<(StudyId, StudySummary)>, StoreError> {
        let studies = self.0.store.studies(usize::MAX, |_| true)?;
        let named = |study: StudySummary| (self.learn(study.study_uid.expose()), study);
        Ok(studies.into_iter().map(named).collect())
    }

    /// One study.
    ///
    /// # Errors
    /// `StoreError::Unknown` or `Poisoned`.
    pub fn study(&self, study: &StudyId) -> Result<StudySummary, StoreError> {
        let uid = self.uid(study)?;
        self.0
            .store
            .study(uid.expose())?
            .ok_or(StoreError::Unknown("study"))
    }

    fn uid(&self, study: &StudyId) -> Result<Phi<String>, StoreError> {
        let find = || {
            let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(study).cloned()
        };
        if let Some(uid) = find() {
            return Ok(uid);
        }
        // After a start nothing is known yet; listing learns all of it.
        self.studies()?;
        find().ok_or(StoreError::Unknown("study"))
    }
}

impl PayloadSeal for Vault {
    fn seal(
        &self,
        index: u64,
        subject: Option<SubjectId>,
        openings: &[u8],
    ) -> Result<SealedPayload, PayloadFault> {
        let name = subject
            .as_ref()
            .map_or(OWN, |subject| subject.as_bytes().as_slice());
        let framed = frame(subject, openings);
        let sealed = self
            .store()
            .subjects()
            .seal_payload(name, &index.to_be_bytes(), &framed);
        sealed.map_err(PayloadFault::of)
    }

    fn open(&self, index: u64, sealed: &[u8]) -> Result<Unsealed, PayloadFault> {
        let opened = self
            .store()
            .subjects()
            .open_payload(&index.to_be_bytes(), sealed);
        let opened = opened.map_err(|error| match error {
            PayloadError::Erased => PayloadFault::Erased,
            PayloadError::Newer(_) | PayloadError::Seal | PayloadError::Index(_) => {
                PayloadFault::of(error)
            }
        })?;
        let damaged = || PayloadFault::Failed(format!("that of entry {index} is damaged"));
        unframe(&opened).ok_or_else(damaged)
    }
}

impl ReleaseSource for Vault {
    fn objects(&self, study: &StudyId) -> Result<Vec<SourceObject>, SourceFault> {
        let uid = self.uid(study).map_err(|e| fault(&e))?;
        let records = self.store().objects(uid.expose()).map_err(|e| fault(&e))?;
        let mut series = 0;
        let mut objects = Vec::with_capacity(records.len());
        let mut before: Option<&ObjectRecord> = None;
        for record in &records {
            if before.is_some_and(|before| before.series_uid != record.series_uid) {
                series += 1;
            }
            before = Some(record);
            objects.push(SourceObject {
                object_id: record.id.0,
                series,
                transfer_syntax: record.transfer_syntax_uid.clone(),
                header_length: record.header_length,
                bulks: record.parts.iter().map(bulk).collect(),
            });
        }
        Ok(objects)
    }

    fn header(&self, _study: &StudyId, object: &[u8; 16]) -> Result<Vec<u8>, SourceFault> {
        self.store()
            .header(ObjectId(*object))
            .map_err(|e| fault(&e))
    }

    fn open(&self, digest: &Digest) -> Result<Box<dyn SealedRead>, SourceFault> {
        let file = self.store().open_sealed(digest).map_err(|e| fault(&e))?;
        Ok(Box::new(Reading { file, position: 0 }))
    }
}

/// A sealed file that is read from front to back, from any place.
struct Reading {
    file: SealedFile,
    position: u64,
}

impl Read for Reading {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.file.length().saturating_sub(self.position);
        let count = left.min(out.len() as u64) as usize;
        if let Some(out) = out.get_mut(..count).filter(|out| !out.is_empty()) {
            self.file
                .read_at(self.position, out)
                .map_err(io::Error::other)?;
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Reading {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.file.length().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

fn bulk(part: &Part) -> Bulk {
    let frames = part.frames.iter();
    Bulk {
        tag: part.tag,
        vr: String::from_utf8_lossy(&part.vr).into_owned(),
        header_offset: part.header_offset,
        encapsulated: part.encapsulated,
        frames: frames
            .map(|f| Frame {
                offset: f.offset,
                length: f.length,
            })
            .collect(),
        file: Some(manifest::SealedFile {
            digest: part.sealed.as_bytes().to_vec(),
            plain_length: part.length,
            file_id: part.id.to_vec(),
            key: part.key.as_bytes().to_vec(),
            key_commitment: part.commitment().as_bytes().to_vec(),
            plain_salt: part.salt.to_vec(),
            plain_digest: part.plaintext.as_bytes().to_vec(),
        }),
    }
}

fn fault(error: &StoreError) -> SourceFault {
    match error {
        StoreError::Unknown(what) => SourceFault::Unknown(what),
        StoreError::Source(kind) => SourceFault::Io(*kind),
        StoreError::Lock(_)
        | StoreError::Version(_)
        | StoreError::Root(_)
        | StoreError::Index(_)
        | StoreError::Damaged(_)
        | StoreError::Poisoned => SourceFault::Damaged,
        StoreError::Disk(_)
        | StoreError::Entropy(_)
        | StoreError::OutOfSpace { .. }
        | StoreError::TableFull(_)
        | StoreError::Limit(_)
        | StoreError::QuarantineFull => SourceFault::Io(io::ErrorKind::Other),
    }
}
