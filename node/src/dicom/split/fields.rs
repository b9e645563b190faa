//! The few elements that a node reads from a header: identifiers, and what frames need.

use super::SplitError;
use super::source::Wire;
use super::text::Charsets;
use crate::dicom::uid::Uid;
use crate::phi::Phi;
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use std::collections::BTreeMap;

/// Longest value that is read as a field. Names and descriptions are under 1 KiB; free text
/// (reason for the study) is longer in practice than its VR allows.
pub const FIELD_MAX: u32 = 16 * 1024;

/// The modality of what names none: Other.
const OTHER: &str = "OT";

/// Reason for Study, retired and still sent by many modalities.
const REASON_FOR_STUDY: Tag = Tag(0x0032, 0x1030);

/// Elements read from the top level of a data set.
const FIELDS: &[Tag] = &[
    tags::SPECIFIC_CHARACTER_SET,
    tags::SOP_CLASS_UID,
    tags::SOP_INSTANCE_UID,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::ACCESSION_NUMBER,
    tags::MODALITY,
    tags::MANUFACTURER,
    tags::MANUFACTURER_MODEL_NAME,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::STUDY_DESCRIPTION,
    tags::SERIES_DESCRIPTION,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::BODY_PART_EXAMINED,
    tags::STUDY_INSTANCE_UID,
    tags::SERIES_INSTANCE_UID,
    tags::STUDY_ID,
    tags::SERIES_NUMBER,
    tags::INSTANCE_NUMBER,
    tags::SAMPLES_PER_PIXEL,
    tags::PHOTOMETRIC_INTERPRETATION,
    tags::NUMBER_OF_FRAMES,
    tags::ROWS,
    tags::COLUMNS,
    tags::BITS_ALLOCATED,
    REASON_FOR_STUDY,
    tags::REQUESTED_PROCEDURE_DESCRIPTION,
    tags::REASON_FOR_THE_REQUESTED_PROCEDURE,
];

/// Elements that also count when they stand in the first item of Request Attributes Sequence
/// (0040,0275), where modalities put what the order said.
const REQUEST_FIELDS: &[Tag] = &[
    tags::ACCESSION_NUMBER,
    tags::REQUESTED_PROCEDURE_DESCRIPTION,
    tags::REASON_FOR_THE_REQUESTED_PROCEDURE,
    tags::SCHEDULED_PROCEDURE_STEP_DESCRIPTION,
];

/// What frames need. `frames` is 1 when the element is absent, an error when it is no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry {
    /// Rows (0028,0010).
    pub rows: Option<u16>,
    /// Columns (0028,0011).
    pub columns: Option<u16>,
    /// Samples per Pixel (0028,0002).
    pub samples: Option<u16>,
    /// Bits Allocated (0028,0100).
    pub bits_allocated: Option<u16>,
    /// Number of Frames (0028,0008).
    pub frames: Result<u32, BadNumber>,
    /// Photometric Interpretation (0028,0004).
    pub photometric: String,
}

/// A number element that holds no usable number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a number")]
pub struct BadNumber;

/// What the node knows of one instance from its header. Text is decoded to Unicode, padding
/// removed, otherwise as received; an absent element is an empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifiers {
    /// SOP Class UID (0008,0016).
    pub sop_class: Uid,
    /// SOP Instance UID (0008,0018).
    pub sop_instance: Uid,
    /// Study Instance UID (0020,000D).
    pub study: Uid,
    /// Series Instance UID (0020,000E).
    pub series: Uid,
    /// Patient ID (0010,0020).
    pub patient_id: Phi<String>,
    /// Issuer of Patient ID (0010,0021).
    pub patient_id_issuer: Phi<String>,
    /// Patient's Name (0010,0010), all component groups.
    pub patient_name: Phi<String>,
    /// Patient's Birth Date (0010,0030), `YYYYMMDD` when well-formed.
    pub patient_birth_date: Phi<String>,
    /// Patient's Sex (0010,0040).
    pub patient_sex: Phi<String>,
    /// Accession Number (0008,0050), or that of the request.
    pub accession: Phi<String>,
    /// Referring Physician's Name (0008,0090).
    pub referring_physician: Phi<String>,
    /// Study ID (0020,0010).
    pub study_id: Phi<String>,
    /// Study Date (0008,0020).
    pub study_date: Phi<String>,
    /// Study Time (0008,0030).
    pub study_time: Phi<String>,
    /// Study Description (0008,1030).
    pub study_description: Phi<String>,
    /// Series Description (0008,103E).
    pub series_description: Phi<String>,
    /// Requested Procedure Description (0032,1060), of the data set or of the request; failing
    /// both, the scheduled step's description.
    pub requested_procedure: Phi<String>,
    /// Reason for the Requested Procedure (0040,1002), or the retired Reason for Study.
    pub reason: Phi<String>,
    /// Modality (0008,0060); of an object that names none, `OT` (Other, PS3.3 section C.7.3.1.1.1).
    pub modality: String,
    /// Body Part Examined (0018,0015).
    pub body_part: String,
    /// Manufacturer (0008,0070).
    pub manufacturer: String,
    /// Manufacturer's Model Name (0008,1090).
    pub model: String,
    /// Series Number (0020,0011).
    pub series_number: Option<i32>,
    /// Instance Number (0020,0013).
    pub instance_number: Option<i32>,
    /// Dimensions of the image, if it is one.
    pub geometry: Geometry,
}

impl Identifiers {
    /// Whether the data set is the instance that a peer announced.
    pub fn is(&self, sop_class: &Uid, sop_instance: &Uid) -> bool {
        self.sop_class == *sop_class && self.sop_instance == *sop_instance
    }
}

/// Raw values as they were met.
#[derive(Debug, Default)]
pub(super) struct Fields {
    values: BTreeMap<Tag, Phi<Vec<u8>>>,
    request: BTreeMap<Tag, Phi<Vec<u8>>>,
}

impl Fields {
    /// Whether the top-level element `tag` is to be read.
    pub(super) fn wants(tag: Tag) -> bool {
        FIELDS.contains(&tag)
    }

    /// Takes a top-level value.
    ///
    /// # Errors
    /// [`SplitError::Conflict`] when the element was there before with another value: which of
    /// two patients is meant is not ours to guess.
    pub(super) fn take(&mut self, tag: Tag, value: Vec<u8>) -> Result<(), SplitError> {
        match self.values.get(&tag) {
            Some(before) if *before.expose() != value => Err(SplitError::Conflict { tag }),
            Some(_) => Ok(()),
            None => {
                self.values.insert(tag, Phi::new(value));
                Ok(())
            }
        }
    }

    /// Whether the element `tag` of the request's first item is to be read.
    pub(super) fn wants_request(tag: Tag) -> bool {
        REQUEST_FIELDS.contains(&tag)
    }

    /// Takes a value of the request's first item; the first of its kind counts.
    pub(super) fn take_request(&mut self, tag: Tag, value: Vec<u8>) {
        self.request.entry(tag).or_insert(Phi::new(value));
    }

    fn raw(&self, tag: Tag) -> &[u8] {
        self.values.get(&tag).map_or(&[], |value| value.expose())
    }

    fn uid(&self, tag: Tag) -> Result<Uid, SplitError> {
        let Some(value) = self.values.get(&tag) else {
            return Err(SplitError::MissingUid { tag });
        };
        Uid::from_value(value.expose()).map_err(|reason| SplitError::InvalidUid { tag, reason })
    }

    fn u16(&self, tag: Tag, wire: Wire) -> Option<u16> {
        <[u8; 2]>::try_from(self.raw(tag))
            .ok()
            .map(|bytes| wire.u16(bytes))
    }

    fn integer(&self, tag: Tag) -> Option<Result<i32, BadNumber>> {
        let text = std::str::from_utf8(self.raw(tag)).map(|text| text.trim_matches(['\0', ' ']));
        match text {
            Ok("") => None,
            Ok(text) => Some(text.parse().map_err(|_| BadNumber)),
            Err(_) => Some(Err(BadNumber)),
        }
    }

    /// Dimensions as far as they were met.
    pub(super) fn geometry(&self, wire: Wire) -> Geometry {
        let frames = match self.integer(tags::NUMBER_OF_FRAMES) {
            None => Ok(1),
            Some(Ok(count)) if count > 0 => u32::try_from(count).map_err(|_| BadNumber),
            Some(Ok(_) | Err(_)) => Err(BadNumber),
        };
        let photometric = String::from_utf8_lossy(self.raw(tags::PHOTOMETRIC_INTERPRETATION));
        Geometry {
            rows: self.u16(tags::ROWS, wire),
            columns: self.u16(tags::COLUMNS, wire),
            samples: self.u16(tags::SAMPLES_PER_PIXEL, wire),
            bits_allocated: self.u16(tags::BITS_ALLOCATED, wire),
            frames,
            photometric: photometric.trim_matches(['\0', ' ']).to_owned(),
        }
    }

    /// Decodes everything.
    ///
    /// # Errors
    /// [`SplitError::MissingUid`] and [`SplitError::InvalidUid`] for the four that an instance
    /// must have.
    pub(super) fn identifiers(&self, wire: Wire) -> Result<Identifiers, SplitError> {
        let charsets = Charsets::from_value(self.raw(tags::SPECIFIC_CHARACTER_SET));
        let text = |tag| charsets.decode(self.raw(tag));
        let phi = |tag| Phi::new(text(tag));
        let requested = |tag: Tag| {
            let own = text(tag);
            if own.is_empty() {
                self.request_text(&charsets, tag)
            } else {
                own
            }
        };
        let first = |texts: [String; 2]| {
            Phi::new(
                texts
                    .into_iter()
                    .find(|text| !text.is_empty())
                    .unwrap_or_default(),
            )
        };
        Ok(Identifiers {
            sop_class: self.uid(tags::SOP_CLASS_UID)?,
            sop_instance: self.uid(tags::SOP_INSTANCE_UID)?,
            study: self.uid(tags::STUDY_INSTANCE_UID)?,
            series: self.uid(tags::SERIES_INSTANCE_UID)?,
            patient_id: phi(tags::PATIENT_ID),
            patient_id_issuer: phi(tags::ISSUER_OF_PATIENT_ID),
            patient_name: phi(tags::PATIENT_NAME),
            patient_birth_date: phi(tags::PATIENT_BIRTH_DATE),
            patient_sex: phi(tags::PATIENT_SEX),
            accession: Phi::new(requested(tags::ACCESSION_NUMBER)),
            referring_physician: phi(tags::REFERRING_PHYSICIAN_NAME),
            study_id: phi(tags::STUDY_ID),
            study_date: phi(tags::STUDY_DATE),
            study_time: phi(tags::STUDY_TIME),
            study_description: phi(tags::STUDY_DESCRIPTION),
            series_description: phi(tags::SERIES_DESCRIPTION),
            requested_procedure: first([
                requested(tags::REQUESTED_PROCEDURE_DESCRIPTION),
                self.request_text(&charsets, tags::SCHEDULED_PROCEDURE_STEP_DESCRIPTION),
            ]),
            reason: first([
                requested(tags::REASON_FOR_THE_REQUESTED_PROCEDURE),
                text(REASON_FOR_STUDY),
            ]),
            modality: Some(text(tags::MODALITY))
                .filter(|modality| !modality.is_empty())
                .unwrap_or_else(|| OTHER.to_owned()),
            body_part: text(tags::BODY_PART_EXAMINED),
            manufacturer: text(tags::MANUFACTURER),
            model: text(tags::MANUFACTURER_MODEL_NAME),
            series_number: self.integer(tags::SERIES_NUMBER).and_then(Result::ok),
            instance_number: self.integer(tags::INSTANCE_NUMBER).and_then(Result::ok),
            geometry: self.geometry(wire),
        })
    }

    fn request_text(&self, charsets: &Charsets, tag: Tag) -> String {
        self.request
            .get(&tag)
            .map(|value| charsets.decode(value.expose()))
            .unwrap_or_default()
    }
}
