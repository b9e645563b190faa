//! Images on their way in: spooled sealed, cut in two, put durably, told to the core. Only then
//! does the sender hear of success.

use std::io::{self, Write as _};

use protocol::ids::StudyId;
use serde_json::json;

use super::vault::Vault;
use crate::control::timeline::Timeline;
use crate::dicom::scp::{Incoming, IncomingMeta, StoreOutcome, StoreRefusal, StoreSink};
use crate::dicom::split::{BulkRange, Identifiers, Split, inflate, split};
use crate::dicom::syntax::{self, Encoding, TransferSyntax};
use crate::driver::{AskError, DriverHandle, clock};
use crate::store::StoreError;
use crate::store::disk::Cause;
use crate::store::index::IndexError;
use crate::store::objects::{BulkSpec, Frame, ObjectMeta, Put, StudyFields};
use crate::store::spool::{self, SpoolError, SpoolFile, SpoolReader};

/// The largest data set, as the SCP takes it.
const INSTANCE_MAX: u64 = 16 << 30;

/// The largest inflated data set: what the SCP takes of one that is not deflated.
const INFLATED_MAX: u64 = 16 << 30;

/// The gateway's way into the store. Clones share it.
#[derive(Clone)]
pub struct Ingest {
    vault: Vault,
    driver: DriverHandle,
    timeline: Timeline,
}

impl Ingest {
    /// A way in.
    #[must_use]
    pub fn new(vault: Vault, driver: DriverHandle, timeline: Timeline) -> Self {
        Self {
            vault,
            driver,
            timeline,
        }
    }

    fn take(
        &self,
        spool: SpoolFile,
        syntax: &'static TransferSyntax,
        announced: Option<&IncomingMeta>,
    ) -> StoreOutcome {
        match self.try_take(spool, syntax, announced) {
            Ok((put, study, bytes)) => self.told(put, study, bytes),
            Err(refused) => StoreOutcome::Refused(refused),
        }
    }

    fn try_take(
        &self,
        spool: SpoolFile,
        syntax: &'static TransferSyntax,
        announced: Option<&IncomingMeta>,
    ) -> Result<(Put, StudyId, u64), StoreRefusal> {
        let reader = spool.into_reader().map_err(|e| spool_refusal(&e))?;
        let (mut reader, syntax) = self.inflated(reader, syntax)?;
        let bytes = reader.length();
        let cut = split(&mut reader, 0, syntax).map_err(|error| {
            tracing::warn!(%error, "an instance cannot be read");
            StoreRefusal::CannotUnderstand
        })?;
        let matches = |meta: &IncomingMeta| cut.identifiers.is(&meta.sop_class, &meta.sop_instance);
        if !announced.is_none_or(matches) {
            return Err(StoreRefusal::Mismatch);
        }
        let Split {
            identifiers,
            header,
            bulks,
            ..
        } = cut;
        let meta = meta_of(identifiers, syntax);
        let bulks: Vec<BulkSpec> = bulks.into_iter().map(bulk_of).collect();
        let study = self.vault.learn(meta.study_uid.expose());
        let store = self.vault.store();
        let put = store
            .put(&meta, &header, &bulks, &mut reader)
            .map_err(|e| refusal(&e))?;
        Ok((put, study, bytes))
    }

    /// A deflated data set is kept inflated: an equal stream cannot be promised back.
    fn inflated(
        &self,
        reader: SpoolReader,
        syntax: &'static TransferSyntax,
    ) -> Result<(SpoolReader, &'static TransferSyntax), StoreRefusal> {
        if syntax.encoding != Encoding::Deflated {
            return Ok((reader, syntax));
        }
        let plain = syntax::find(syntax::EXPLICIT_LITTLE).ok_or(StoreRefusal::Processing)?;
        let spool = self.vault.store().spool();
        let mut writer = spool.create(INFLATED_MAX).map_err(|e| refusal(&e))?;
        inflate(reader, &mut writer, INFLATED_MAX).map_err(|_| StoreRefusal::CannotUnderstand)?;
        Ok((writer.into_reader().map_err(|e| spool_refusal(&e))?, plain))
    }

    fn told(&self, put: Put, study: StudyId, bytes: u64) -> StoreOutcome {
        match put {
            Put::New(_) => {
                let detail = json!({ "study": study.to_string() });
                self.timeline.note("stored", bytes, detail);
                self.tell(study);
                StoreOutcome::Stored
            }
            Put::Duplicate(_) => StoreOutcome::Duplicate,
            Put::Conflict(_) => StoreOutcome::Refused(StoreRefusal::Conflict),
        }
    }

    /// The object is durable whatever the core says; a start looks for studies it has not heard of.
    fn tell(&self, study: StudyId) {
        match self.driver.object_stored(study) {
            Ok(()) | Err(AskError::Stopped(_)) => {}
            Err(AskError::Command(error)) => tracing::warn!(%study, %error, "not noted yet"),
        }
    }
}

impl StoreSink for Ingest {
    fn begin(&self, meta: IncomingMeta) -> Result<Box<dyn Incoming>, StoreRefusal> {
        let spool = self
            .vault
            .store()
            .spool()
            .create(INSTANCE_MAX)
            .map_err(|e| refusal(&e))?;
        Ok(Box::new(Arriving {
            ingest: self.clone(),
            spool,
            meta,
        }))
    }
}

/// One instance on its way in.
struct Arriving {
    ingest: Ingest,
    spool: SpoolFile,
    meta: IncomingMeta,
}

impl Incoming for Arriving {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreRefusal> {
        self.spool.write_all(bytes).map_err(|e| spool_refusal(&e))
    }

    fn finish(self: Box<Self>) -> StoreOutcome {
        let Self {
            ingest,
            spool,
            meta,
        } = *self;
        ingest.take(spool, meta.syntax, Some(&meta))
    }
}

/// What a spool's error says; the disk's own is a fault of ours.
fn spool_refusal(error: &io::Error) -> StoreRefusal {
    match spool::refusal(error) {
        Some(SpoolError::Store(error)) => refusal(error),
        Some(SpoolError::Limit(_)) => StoreRefusal::OutOfResources,
        Some(SpoolError::Segment(_)) | None => {
            tracing::error!(%error, "the spool fails");
            StoreRefusal::Processing
        }
    }
}

fn refusal(error: &StoreError) -> StoreRefusal {
    tracing::error!(%error, "the store refuses an instance");
    match error {
        StoreError::OutOfSpace { .. } | StoreError::TableFull(_) | StoreError::QuarantineFull => {
            StoreRefusal::OutOfResources
        }
        StoreError::Disk(disk) | StoreError::Index(IndexError::Disk(disk))
            if disk.cause == Cause::Full =>
        {
            StoreRefusal::OutOfResources
        }
        StoreError::Limit(_) => StoreRefusal::CannotUnderstand,
        StoreError::Lock(_)
        | StoreError::Version(_)
        | StoreError::Root(_)
        | StoreError::Index(_)
        | StoreError::Disk(_)
        | StoreError::Entropy(_)
        | StoreError::Source(_)
        | StoreError::Unknown(_)
        | StoreError::Damaged(_)
        | StoreError::Poisoned => StoreRefusal::Processing,
    }
}

fn bulk_of(bulk: BulkRange) -> BulkSpec {
    let vr = bulk.vr.to_string();
    let vr = vr.as_bytes().first_chunk().copied().unwrap_or(*b"UN");
    BulkSpec {
        tag: u32::from(bulk.tag.group()) << 16 | u32::from(bulk.tag.element()),
        vr,
        header_offset: bulk.header_offset as u64,
        source_offset: bulk.source_offset,
        length: bulk.length,
        encapsulated: bulk.encapsulated,
        frames: bulk
            .frames
            .iter()
            .map(|frame| Frame {
                offset: frame.offset,
                length: frame.length,
            })
            .collect(),
    }
}

fn meta_of(of: Identifiers, syntax: &TransferSyntax) -> ObjectMeta {
    use crate::phi::Phi;
    ObjectMeta {
        study_uid: Phi::new(of.study.to_string()),
        series_uid: Phi::new(of.series.to_string()),
        sop_uid: Phi::new(of.sop_instance.to_string()),
        sop_class_uid: of.sop_class.to_string(),
        transfer_syntax_uid: syntax.uid.to_owned(),
        modality: of.modality,
        series_number: of.series_number.map(i64::from),
        instance_number: of.instance_number.map(i64::from),
        received_ms: clock::wall().unix_us / 1_000,
        study: StudyFields {
            patient_id: of.patient_id,
            patient_id_issuer: of.patient_id_issuer,
            patient_name: of.patient_name,
            birth_date: of.patient_birth_date,
            sex: of.patient_sex,
            accession: of.accession,
            date: of.study_date,
            time: of.study_time,
            description: of.study_description,
            body_part: Phi::new(of.body_part),
        },
    }
}
