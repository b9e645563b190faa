//! Images on their way in: spooled sealed, cut in two, put durably, told to the core. Only then does
//! the sender hear of success.

use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

use protocol::ids::StudyId;
use serde_json::json;

use crate::control::timeline::Timeline;
use crate::dicom::part10;
use crate::dicom::scp::{Incoming, IncomingMeta, StoreOutcome, StoreRefusal, StoreSink};
use crate::dicom::split::{BulkRange, Identifiers, Split, inflate, split};
use crate::dicom::syntax::{self, Encoding, TransferSyntax};
use crate::driver::{AskError, DriverHandle, clock};
use crate::store::objects::{BulkSpec, Frame, ObjectMeta, Put, StudyFields};
use crate::store::spool::{SpoolReader, SpoolWriter};
use crate::store::{Store, StoreError};

/// The largest inflated data set: what the SCP takes of one that is not deflated.
const INFLATED_MAX: u64 = 16 << 30;

/// The gateway's way into the store. Clones share it.
#[derive(Clone)]
pub struct Ingest {
    store: Arc<Store>,
    driver: DriverHandle,
    timeline: Timeline,
}

impl Ingest {
    /// A way in.
    #[must_use]
    pub fn new(store: Arc<Store>, driver: DriverHandle, timeline: Timeline) -> Self {
        Self { store, driver, timeline }
    }

    /// Takes one DICOM file. Blocks.
    ///
    /// # Errors
    /// [`StoreRefusal`].
    pub fn file(&self, path: &Path) -> Result<StoreOutcome, StoreRefusal> {
        let broken = |_| StoreRefusal::Processing;
        let mut file = std::fs::File::open(path).map_err(broken)?;
        let head = part10::read(&mut file).map_err(|_| StoreRefusal::CannotUnderstand)?;
        file.seek(std::io::SeekFrom::Start(head.dataset_offset)).map_err(broken)?;
        let mut spool = self.store.spool().begin().map_err(|e| refusal(&e))?;
        let mut chunk = vec![0; 64 << 10];
        loop {
            match file.read(&mut chunk).map_err(broken)? {
                0 => break,
                count => spool.write(&chunk[..count]).map_err(|e| refusal(&e))?,
            }
        }
        Ok(self.take(spool, head.syntax, None))
    }

    fn take(
        &self,
        spool: SpoolWriter,
        syntax: &'static TransferSyntax,
        announced: Option<&IncomingMeta>,
    ) -> StoreOutcome {
        match self.try_take(spool, syntax, announced) {
            Ok((put, bytes)) => self.told(put, bytes),
            Err(refused) => StoreOutcome::Refused(refused),
        }
    }

    fn try_take(
        &self,
        spool: SpoolWriter,
        syntax: &'static TransferSyntax,
        announced: Option<&IncomingMeta>,
    ) -> Result<(Put, u64), StoreRefusal> {
        let reader = spool.finish().map_err(|e| refusal(&e))?;
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
        let Split { identifiers, header, bulks, .. } = cut;
        let meta = meta_of(identifiers, syntax);
        let bulks: Vec<BulkSpec> = bulks.into_iter().map(bulk_of).collect();
        let put = self.store.put(&meta, header, &bulks, &mut reader).map_err(|e| refusal(&e))?;
        Ok((put, bytes))
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
        let plain = syntax::find(dicom_dictionary_std::uids::EXPLICIT_VR_LITTLE_ENDIAN)
            .ok_or(StoreRefusal::Processing)?;
        let mut writer = Writing(self.store.spool().begin().map_err(|e| refusal(&e))?);
        inflate(reader, &mut writer, INFLATED_MAX).map_err(|_| StoreRefusal::CannotUnderstand)?;
        Ok((writer.0.finish().map_err(|e| refusal(&e))?, plain))
    }

    fn told(&self, put: Put, bytes: u64) -> StoreOutcome {
        match put {
            Put::Stored(study) => {
                let detail = json!({ "study": study.to_string() });
                self.timeline.note("stored", bytes, detail);
                self.tell(study);
                StoreOutcome::Stored
            }
            Put::Duplicate(_) => StoreOutcome::Duplicate,
            Put::Conflict => StoreOutcome::Refused(StoreRefusal::Conflict),
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
        let spool = self.store.spool().begin().map_err(|e| refusal(&e))?;
        Ok(Box::new(Arriving { ingest: self.clone(), spool, meta }))
    }
}

/// One instance on its way in.
struct Arriving {
    ingest: Ingest,
    spool: SpoolWriter,
    meta: IncomingMeta,
}

impl Incoming for Arriving {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreRefusal> {
        self.spool.write(bytes).map_err(|e| refusal(&e))
    }

    fn finish(self: Box<Self>) -> StoreOutcome {
        let Self { ingest, spool, meta } = *self;
        ingest.take(spool, meta.syntax, Some(&meta))
    }
}

/// A spool as the inflater writes it.
struct Writing(SpoolWriter);

impl std::io::Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn refusal(error: &StoreError) -> StoreRefusal {
    tracing::error!(%error, "the store refuses an instance");
    match error {
        StoreError::OutOfSpace { .. } | StoreError::TableFull(_) | StoreError::QuarantineFull => {
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
            .map(|frame| Frame { offset: frame.offset, length: frame.length })
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
