//! A report as a DICOM Basic Text SR (PS3.3 A.35.1): what a PACS keeps beside the images.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crypto::digest::Digest;
use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use protocol::io::Delivery;

use super::part10;
use super::syntax;
use super::uid::Uid;
use crate::driver::clock;
use crate::store::objects::StudySummary;

/// A file that is removed when this is dropped.
#[derive(Debug)]
pub struct TemporaryFile(PathBuf);

impl TemporaryFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // The next start empties the folder of temporary files.
        let _ = fs::remove_file(&self.0);
    }
}

/// Why no report was written.
#[derive(Debug, thiserror::Error)]
pub enum SrError {
    /// The study's identifier is none.
    #[error("the study's identifier cannot be used")]
    Study,
    /// The file cannot be written.
    #[error("writing the report failed: {0}")]
    Write(#[from] io::Error),
}

/// Writes the report of a case into `folder`. The same report gives the same SOP Instance UID, so
/// that a repeated delivery is one object at the receiver.
///
/// # Errors
/// [`SrError`].
pub fn write(
    folder: &Path,
    study: &StudySummary,
    delivery: &Delivery,
    text: &str,
) -> Result<TemporaryFile, SrError> {
    let digest = Digest::sha256(&delivery.report);
    let class = Uid::parse(uids::BASIC_TEXT_SR_STORAGE).map_err(|_| SrError::Study)?;
    let instance = uid_of(&digest, 0);
    let syntax = syntax::find(syntax::EXPLICIT_LITTLE).ok_or(SrError::Study)?;
    let mut bytes = part10::head(&class, &instance, syntax);
    bytes.extend(data_set(
        study,
        (&class, &instance, &uid_of(&digest, 1)),
        text,
    ));
    let name = digest.to_hex();
    let file = TemporaryFile(folder.join(format!("{}.sr.tmp", name.get(..32).unwrap_or("report"))));
    fs::write(&file.0, bytes)?;
    Ok(file)
}

/// A UID under `2.25` from a digest (PS3.5 annex B.2); `part` tells the report's from its series'.
fn uid_of(digest: &Digest, part: u8) -> Uid {
    let hashed = Digest::sha256(&[digest.as_bytes().as_slice(), &[part]].concat());
    let mut number = [0; 16];
    number.copy_from_slice(&hashed.as_bytes()[..16]);
    // Version 8 and variant bits make the number a UUID (RFC 9562).
    number[6] = number[6] & 0x0f | 0x80;
    number[8] = number[8] & 0x3f | 0x80;
    Uid::from_u128(u128::from_be_bytes(number))
}

fn data_set(study: &StudySummary, ids: (&Uid, &Uid, &Uid), text: &str) -> Vec<u8> {
    let (class, instance, series) = ids;
    let fields = &study.fields;
    let (date, time) = date_and_time();
    let mut set = Elements::default();
    set.text(tags::SPECIFIC_CHARACTER_SET, "CS", "ISO_IR 192");
    set.text(tags::SOP_CLASS_UID, "UI", class.as_str());
    set.text(tags::SOP_INSTANCE_UID, "UI", instance.as_str());
    set.text(tags::STUDY_DATE, "DA", fields.date.expose());
    set.text(tags::CONTENT_DATE, "DA", &date);
    set.text(tags::STUDY_TIME, "TM", fields.time.expose());
    set.text(tags::CONTENT_TIME, "TM", &time);
    set.text(tags::ACCESSION_NUMBER, "SH", fields.accession.expose());
    set.text(tags::MODALITY, "CS", "SR");
    set.text(tags::MANUFACTURER, "LO", "radmesh");
    set.text(tags::REFERRING_PHYSICIAN_NAME, "PN", "");
    set.text(tags::STUDY_DESCRIPTION, "LO", fields.description.expose());
    set.sequence(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, None);
    set.text(tags::PATIENT_NAME, "PN", fields.patient_name.expose());
    set.text(tags::PATIENT_ID, "LO", fields.patient_id.expose());
    set.text(
        tags::ISSUER_OF_PATIENT_ID,
        "LO",
        fields.patient_id_issuer.expose(),
    );
    set.text(tags::PATIENT_BIRTH_DATE, "DA", fields.birth_date.expose());
    set.text(tags::PATIENT_SEX, "CS", fields.sex.expose());
    set.text(tags::STUDY_INSTANCE_UID, "UI", study.study_uid.expose());
    set.text(tags::SERIES_INSTANCE_UID, "UI", series.as_str());
    set.text(tags::STUDY_ID, "SH", "");
    set.text(tags::SERIES_NUMBER, "IS", "1");
    set.text(tags::INSTANCE_NUMBER, "IS", "1");
    set.text(tags::VALUE_TYPE, "CS", "CONTAINER");
    set.sequence(
        tags::CONCEPT_NAME_CODE_SEQUENCE,
        Some(code("18748-4", "LN", "Diagnostic imaging report")),
    );
    set.text(tags::CONTINUITY_OF_CONTENT, "CS", "SEPARATE");
    set.sequence(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, None);
    set.text(tags::COMPLETION_FLAG, "CS", "COMPLETE");
    // The signature that counts is the envelope's; DICOM's flag would claim another.
    set.text(tags::VERIFICATION_FLAG, "CS", "UNVERIFIED");
    set.sequence(tags::CONTENT_SEQUENCE, Some(content(text)));
    set.0
}

/// The one content item: the report's text.
fn content(text: &str) -> Vec<u8> {
    let mut item = Elements::default();
    item.text(tags::RELATIONSHIP_TYPE, "CS", "CONTAINS");
    item.text(tags::VALUE_TYPE, "CS", "TEXT");
    item.sequence(
        tags::CONCEPT_NAME_CODE_SEQUENCE,
        Some(code("121111", "DCM", "Summary")),
    );
    item.long_text(tags::TEXT_VALUE, text);
    item.0
}

fn code(value: &str, scheme: &str, meaning: &str) -> Vec<u8> {
    let mut item = Elements::default();
    item.text(tags::CODE_VALUE, "SH", value);
    item.text(tags::CODING_SCHEME_DESIGNATOR, "SH", scheme);
    item.text(tags::CODE_MEANING, "LO", meaning);
    item.0
}

fn date_and_time() -> (String, String) {
    let seconds = i64::try_from(clock::wall().unix_s()).unwrap_or(0);
    let now = time::OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let date = format!(
        "{:04}{:02}{:02}",
        now.year(),
        u8::from(now.month()),
        now.day()
    );
    (
        date,
        format!("{:02}{:02}{:02}", now.hour(), now.minute(), now.second()),
    )
}

/// Elements in Explicit VR Little Endian, in the order in which they are added.
#[derive(Default)]
struct Elements(Vec<u8>);

impl Elements {
    fn head(&mut self, tag: Tag, vr: &str) {
        self.0.extend(tag.group().to_le_bytes());
        self.0.extend(tag.element().to_le_bytes());
        self.0.extend(vr.as_bytes());
    }

    fn text(&mut self, tag: Tag, vr: &str, text: &str) {
        let padded = text.len().next_multiple_of(2);
        // The store's texts are at most 4 KiB.
        let Ok(length) = u16::try_from(padded) else {
            return;
        };
        self.head(tag, vr);
        self.0.extend(length.to_le_bytes());
        self.padded(text, padded, if vr == "UI" { 0 } else { b' ' });
    }

    fn long_text(&mut self, tag: Tag, text: &str) {
        let padded = text.len().next_multiple_of(2);
        // Reports are at most 256 KiB.
        let Ok(length) = u32::try_from(padded) else {
            return;
        };
        self.head(tag, "UT");
        self.0.extend([0, 0]);
        self.0.extend(length.to_le_bytes());
        self.padded(text, padded, b' ');
    }

    fn padded(&mut self, text: &str, padded: usize, padding: u8) {
        self.0.extend(text.as_bytes());
        self.0
            .extend(std::iter::repeat_n(padding, padded - text.len()));
    }

    /// A sequence of one item, or of none.
    fn sequence(&mut self, tag: Tag, item: Option<Vec<u8>>) {
        let item = item.unwrap_or_default();
        self.head(tag, "SQ");
        self.0.extend([0, 0]);
        if item.is_empty() {
            self.0.extend(0_u32.to_le_bytes());
            return;
        }
        let Ok(length) = u32::try_from(item.len()) else {
            self.0.extend(0_u32.to_le_bytes());
            return;
        };
        self.0.extend((length + 8).to_le_bytes());
        self.0.extend([0xfe, 0xff, 0x00, 0xe0]);
        self.0.extend(length.to_le_bytes());
        self.0.extend(item);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::dicom::split::split;
    use crate::phi::Phi;
    use crate::store::objects::StudyFields;
    use protocol::audit::record::OrderRecord;
    use protocol::ids::{CaseId, NodeId};

    fn study() -> StudySummary {
        StudySummary {
            study_uid: Phi::new("1.2.3".to_owned()),
            fields: StudyFields {
                patient_id: Phi::new("P1".to_owned()),
                patient_name: Phi::new("PHANTOM^RADMESH".to_owned()),
                accession: Phi::new("A1".to_owned()),
                ..StudyFields::default()
            },
            modalities: vec!["CT".to_owned()],
            series: 1,
            objects: 1,
            bytes: 1,
            first_arrival_ms: 0,
            last_arrival_ms: 0,
            patient_conflict: false,
        }
    }

    fn delivery(report: &[u8]) -> Delivery {
        Delivery {
            case: CaseId::from_bytes([1; 16]),
            studies: Vec::new(),
            order: OrderRecord::default(),
            report: report.to_vec(),
            reader: NodeId::from_bytes([2; 32]),
        }
    }

    #[test]
    fn a_report_is_a_dicom_file_of_its_study() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = write(
            folder.path(),
            &study(),
            &delivery(b"one"),
            "No haemorrhage. Größe 3 mm",
        )
        .expect("written");
        let mut opened = File::open(file.path()).expect("there");
        let head = part10::read(&mut opened).expect("a DICOM file");
        let cut = split(opened, head.dataset_offset, head.syntax).expect("a data set");
        let ids = cut.identifiers;
        assert_eq!(ids.sop_class.as_str(), uids::BASIC_TEXT_SR_STORAGE);
        assert_eq!(Some(&ids.sop_instance), head.sop_instance.as_ref());
        assert_eq!((ids.study.as_str(), ids.modality.as_str()), ("1.2.3", "SR"));
        assert_eq!(ids.patient_name.expose(), "PHANTOM^RADMESH");
        let path = file.path().to_owned();
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn the_same_report_is_the_same_object() {
        let folder = tempfile::tempdir().expect("a folder");
        let instance = |report: &[u8]| {
            let file = write(folder.path(), &study(), &delivery(report), "text").expect("written");
            let mut opened = File::open(file.path()).expect("there");
            part10::read(&mut opened)
                .expect("a DICOM file")
                .sop_instance
        };
        assert_eq!(instance(b"one"), instance(b"one"));
        assert_ne!(instance(b"one"), instance(b"two"));
    }
}
