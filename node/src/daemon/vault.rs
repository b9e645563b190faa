//! The store as the log and releases see it.

use std::io;
use std::sync::Arc;

use crypto::digest::Digest;
use protocol::ids::{StudyId, SubjectId};
use protocol::transfer::manifest::{Bulk, Frame, SealedFile};

use crate::driver::log::{PayloadFault, PayloadStore, Sealed, Unsealed, frame, unframe};
use crate::release::{ReleaseSource, SealedRead, SourceFault, SourceObject};
use crate::store::objects::{ObjectId, ObjectRecord, Part};
use crate::store::payloads::SealedPayload;
use crate::store::{Store, StoreError};

/// Whose key seals payloads that concern no patient.
const OWN: &[u8] = b"radmesh/node";

/// The store behind the traits of the log and of releases. Clones share it.
#[derive(Clone)]
pub struct Vault(pub Arc<Store>);

impl PayloadStore for Vault {
    fn seal(
        &self,
        index: u64,
        subject: Option<SubjectId>,
        openings: &[u8],
    ) -> Result<Sealed, PayloadFault> {
        let name = subject.as_ref().map_or(OWN, |subject| subject.as_bytes().as_slice());
        let framed = frame(subject, openings);
        let sealed = self.0.subjects().seal_payload(name, &index.to_be_bytes(), &framed);
        let sealed = sealed.map_err(PayloadFault::of)?;
        Ok(Sealed { digest: sealed.digest, bytes: sealed.bytes })
    }

    fn keep(&self, payloads: Vec<(u64, Vec<u8>)>) -> Result<(), PayloadFault> {
        let sealed: Vec<(u64, SealedPayload)> =
            payloads.into_iter().map(|(at, bytes)| (at, SealedPayload::of(bytes))).collect();
        let named = sealed.iter().map(|(at, payload)| (*at, payload));
        self.0.payloads().put(named).map_err(PayloadFault::of)
    }

    fn sealed(&self, index: u64) -> Result<Vec<u8>, PayloadFault> {
        let found = self.0.payloads().get(index).map_err(PayloadFault::of)?;
        let none = || PayloadFault(format!("that of entry {index} is missing"));
        Ok(found.ok_or_else(none)?.bytes)
    }

    fn open(&self, index: u64, sealed: &[u8]) -> Result<Unsealed, PayloadFault> {
        let opened = self.0.subjects().open_payload(&index.to_be_bytes(), sealed);
        let opened = opened.map_err(PayloadFault::of)?;
        unframe(&opened).ok_or_else(|| PayloadFault(format!("that of entry {index} is damaged")))
    }
}

impl ReleaseSource for Vault {
    fn objects(&self, study: &StudyId) -> Result<Vec<SourceObject>, SourceFault> {
        let records = self.0.objects(*study).map_err(|e| fault(&e))?;
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
        self.0.header(ObjectId(*object)).map_err(|e| fault(&e))
    }

    fn open(&self, digest: &Digest) -> Result<Box<dyn SealedRead>, SourceFault> {
        Ok(Box::new(self.0.sealed_file(digest).map_err(|e| fault(&e))?))
    }
}

fn bulk(part: &Part) -> Bulk {
    let frames = part.frames.iter();
    Bulk {
        tag: part.tag,
        vr: String::from_utf8_lossy(&part.vr).into_owned(),
        header_offset: part.header_offset,
        encapsulated: part.encapsulated,
        frames: frames.map(|f| Frame { offset: f.offset, length: f.length }).collect(),
        file: Some(SealedFile {
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
