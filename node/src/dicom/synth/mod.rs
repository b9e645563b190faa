//! A synthetic CT study: a phantom of a trunk, for demonstrations, tests and benchmarks.
//!
//! Everything follows from the seed: pixels, identifiers and dates. Equal settings give equal
//! bytes on every machine, since geometry uses only the four operations and noise comes from a
//! seeded stream. The patient is plainly fictitious.

mod phantom;

use super::part10;
use super::syntax::{self, TransferSyntax};
use super::uid::Uid;
use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use phantom::{COLUMNS, INTERCEPT, PIXEL_SPACING_MM, Phantom, ROWS, SLICE_SPACING_MM};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Most slices: enough for 4 m of patient, and file names of four digits.
pub const SLICES_MAX: u32 = 4000;

/// Which study to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SynthConfig {
    /// Everything follows from it.
    pub seed: u64,
    /// Number of slices, 1 to [`SLICES_MAX`].
    pub slices: u32,
}

/// A study that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynthStudy {
    /// Study Instance UID.
    pub study: Uid,
    /// The files, from the feet to the head.
    pub files: Vec<PathBuf>,
}

/// Why no study was written.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// No slice, or too many.
    #[error("a study has 1 to {SLICES_MAX} slices, not {slices}")]
    Slices {
        /// Slices asked for.
        slices: u32,
    },
    /// The folder or a file in it cannot be written.
    #[error("writing the study failed: {0}")]
    Write(#[from] io::Error),
}

/// Writes the study into `folder`, which is made if it is not there.
///
/// # Errors
/// [`SynthError`]; files that were written before it remain.
pub fn write_study(config: SynthConfig, folder: &Path) -> Result<SynthStudy, SynthError> {
    if config.slices == 0 || config.slices > SLICES_MAX {
        return Err(SynthError::Slices {
            slices: config.slices,
        });
    }
    fs::create_dir_all(folder)?;
    let ids = Ids::new(config.seed);
    let phantom = Phantom::new(config.seed);
    let mut files = Vec::with_capacity(config.slices as usize);
    for index in 0..config.slices {
        let path = folder.join(format!("CT{:04}.dcm", index + 1));
        let instance = ids.instance(index);
        let mut file = File::create(&path)?;
        file.write_all(&part10::head(&ct_class(), &instance, explicit_little()))?;
        file.write_all(&data_set(config, &ids, &instance, &phantom, index))?;
        files.push(path);
    }
    Ok(SynthStudy {
        study: ids.study,
        files,
    })
}

fn ct_class() -> Uid {
    Uid::parse(uids::CT_IMAGE_STORAGE).expect("a UID of the standard")
}

fn explicit_little() -> &'static TransferSyntax {
    syntax::find(syntax::EXPLICIT_LITTLE).expect("the table has the default syntaxes")
}

/// Stream of the generator that gives the study's own identifiers; those of instances follow.
const STREAM_STUDY: u64 = 1;
const STREAM_INSTANCES: u64 = 1 << 32;

/// The study's identifiers: 122 random bits each, as in a version-4 UUID (PS3.5 section B.2).
struct Ids {
    seed: u64,
    study: Uid,
    series: Uid,
    frame_of_reference: Uid,
}

impl Ids {
    fn new(seed: u64) -> Self {
        let mut stream = stream(seed, STREAM_STUDY);
        let mut draw = || draw_uid(&mut stream);
        Self {
            seed,
            study: draw(),
            series: draw(),
            frame_of_reference: draw(),
        }
    }

    fn instance(&self, index: u32) -> Uid {
        draw_uid(&mut stream(self.seed, STREAM_INSTANCES + u64::from(index)))
    }
}

/// The generator for `seed`, at one of its independent streams.
fn stream(seed: u64, stream: u64) -> ChaCha12Rng {
    let mut generator = ChaCha12Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    generator
}

fn draw_uid(stream: &mut ChaCha12Rng) -> Uid {
    let number = u128::from(stream.next_u64()) << 64 | u128::from(stream.next_u64());
    Uid::from_u128(number & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62)
}

/// One slice's data set in Explicit VR Little Endian: the CT Image IOD (PS3.3 section A.3).
fn data_set(
    config: SynthConfig,
    ids: &Ids,
    instance: &Uid,
    phantom: &Phantom,
    index: u32,
) -> Vec<u8> {
    let mut out = DataSet(Vec::with_capacity(2 * ROWS * COLUMNS + 4096));
    put_identity(&mut out, config, instance);
    put_acquisition(&mut out, ids, index);
    put_image(&mut out);
    out.pixels(&phantom.slice(config, index));
    out.0
}

/// Groups 0008 and 0010: what it is, and of whom.
fn put_identity(out: &mut DataSet, config: SynthConfig, instance: &Uid) {
    let patient_id = format!("RADMESH-PHANTOM-{}", config.seed);
    out.text(tags::SPECIFIC_CHARACTER_SET, "CS", "ISO_IR 192");
    out.text(tags::IMAGE_TYPE, "CS", "ORIGINAL\\PRIMARY\\AXIAL");
    out.text(tags::SOP_CLASS_UID, "UI", uids::CT_IMAGE_STORAGE);
    out.text(tags::SOP_INSTANCE_UID, "UI", instance.as_str());
    for tag in [
        tags::STUDY_DATE,
        tags::SERIES_DATE,
        tags::ACQUISITION_DATE,
        tags::CONTENT_DATE,
    ] {
        out.text(tag, "DA", "20260115");
    }
    for tag in [
        tags::STUDY_TIME,
        tags::SERIES_TIME,
        tags::ACQUISITION_TIME,
        tags::CONTENT_TIME,
    ] {
        out.text(tag, "TM", "083000");
    }
    out.text(
        tags::ACCESSION_NUMBER,
        "SH",
        &format!("RM{:010}", config.seed % 10_000_000_000),
    );
    out.text(tags::MODALITY, "CS", "CT");
    out.text(tags::MANUFACTURER, "LO", "radmesh");
    out.text(tags::REFERRING_PHYSICIAN_NAME, "PN", "");
    out.text(
        tags::STUDY_DESCRIPTION,
        "LO",
        "CT chest and abdomen (synthetic)",
    );
    out.text(tags::SERIES_DESCRIPTION, "LO", "Phantom, axial 1 mm");
    out.text(tags::MANUFACTURER_MODEL_NAME, "LO", "synthetic phantom");
    out.text(tags::PATIENT_NAME, "PN", "PHANTOM^RADMESH");
    out.text(tags::PATIENT_ID, "LO", &patient_id);
    out.text(tags::PATIENT_BIRTH_DATE, "DA", "19700101");
    out.text(tags::PATIENT_SEX, "CS", "O");
}

/// Groups 0018 and 0020: how it was taken, and where it belongs.
fn put_acquisition(out: &mut DataSet, ids: &Ids, index: u32) {
    let number = (index + 1).to_string();
    let z = f64::from(index) * SLICE_SPACING_MM;
    let corner = |length: usize| -(length as f64) * PIXEL_SPACING_MM / 2.0;
    let position = format!("{}\\{}\\{z}", corner(COLUMNS), corner(ROWS));
    out.text(tags::BODY_PART_EXAMINED, "CS", "CHEST");
    out.text(tags::SLICE_THICKNESS, "DS", &SLICE_SPACING_MM.to_string());
    out.text(tags::KVP, "DS", "120");
    out.text(tags::PATIENT_POSITION, "CS", "HFS");
    out.text(tags::STUDY_INSTANCE_UID, "UI", ids.study.as_str());
    out.text(tags::SERIES_INSTANCE_UID, "UI", ids.series.as_str());
    out.text(tags::STUDY_ID, "SH", "1");
    out.text(tags::SERIES_NUMBER, "IS", "1");
    out.text(tags::ACQUISITION_NUMBER, "IS", "1");
    out.text(tags::INSTANCE_NUMBER, "IS", &number);
    out.text(tags::IMAGE_POSITION_PATIENT, "DS", &position);
    out.text(tags::IMAGE_ORIENTATION_PATIENT, "DS", "1\\0\\0\\0\\1\\0");
    out.text(
        tags::FRAME_OF_REFERENCE_UID,
        "UI",
        ids.frame_of_reference.as_str(),
    );
    out.text(tags::POSITION_REFERENCE_INDICATOR, "LO", "");
    out.text(tags::SLICE_LOCATION, "DS", &z.to_string());
}

/// Group 0028: how the pixels are to be read.
fn put_image(out: &mut DataSet) {
    let spacing = format!("{PIXEL_SPACING_MM}\\{PIXEL_SPACING_MM}");
    out.number(tags::SAMPLES_PER_PIXEL, 1);
    out.text(tags::PHOTOMETRIC_INTERPRETATION, "CS", "MONOCHROME2");
    out.number(tags::ROWS, ROWS as u16);
    out.number(tags::COLUMNS, COLUMNS as u16);
    out.text(tags::PIXEL_SPACING, "DS", &spacing);
    out.number(tags::BITS_ALLOCATED, 16);
    out.number(tags::BITS_STORED, 12);
    out.number(tags::HIGH_BIT, 11);
    out.number(tags::PIXEL_REPRESENTATION, 0);
    out.text(tags::WINDOW_CENTER, "DS", "40\\-600");
    out.text(tags::WINDOW_WIDTH, "DS", "400\\1500");
    out.text(tags::RESCALE_INTERCEPT, "DS", &INTERCEPT.to_string());
    out.text(tags::RESCALE_SLOPE, "DS", "1");
    out.text(tags::RESCALE_TYPE, "LO", "HU");
    out.text(
        tags::WINDOW_CENTER_WIDTH_EXPLANATION,
        "LO",
        "SOFT TISSUE\\LUNG",
    );
}

/// A data set being written; elements must come in ascending order.
struct DataSet(Vec<u8>);

impl DataSet {
    fn head(&mut self, tag: Tag, vr: &str) {
        self.0.extend(tag.group().to_le_bytes());
        self.0.extend(tag.element().to_le_bytes());
        self.0.extend(vr.as_bytes());
    }

    fn text(&mut self, tag: Tag, vr: &str, text: &str) {
        let padded = text.len().next_multiple_of(2);
        self.head(tag, vr);
        // All texts here are short.
        self.0.extend((padded as u16).to_le_bytes());
        self.0.extend(text.as_bytes());
        let padding = if vr == "UI" { 0 } else { b' ' };
        self.0
            .extend(std::iter::repeat_n(padding, padded - text.len()));
    }

    fn number(&mut self, tag: Tag, number: u16) {
        self.head(tag, "US");
        self.0.extend(2_u16.to_le_bytes());
        self.0.extend(number.to_le_bytes());
    }

    fn pixels(&mut self, values: &[u16]) {
        self.head(tags::PIXEL_DATA, "OW");
        self.0.extend([0, 0]);
        self.0.extend((2 * values.len() as u32).to_le_bytes());
        self.0
            .extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dicom::split;

    #[test]
    fn a_study_is_valid_distinct_and_the_same_again() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let config = SynthConfig { seed: 7, slices: 3 };
        let study = write_study(config, folder.path()).expect("written");
        let again = write_study(config, &folder.path().join("again")).expect("written");
        assert_eq!(study.study, again.study);
        let mut instances = std::collections::BTreeSet::new();
        for (path, same) in study.files.iter().zip(&again.files) {
            let bytes = fs::read(path).expect("written");
            assert!(bytes == fs::read(same).expect("written"));
            let mut file = File::open(path).expect("written");
            let found = part10::read(&mut file).expect("a DICOM file");
            let split = split::split(file, found.dataset_offset, found.syntax).expect("sound");
            assert_eq!(split.identifiers.study, study.study);
            assert_eq!(split.identifiers.patient_name.expose(), "PHANTOM^RADMESH");
            assert_eq!(split.bulks.len(), 1);
            assert_eq!(
                (split.bulks[0].length, split.bulks[0].frames.len()),
                (524_288, 1)
            );
            instances.insert(split.identifiers.sop_instance);
        }
        assert_eq!(instances.len(), 3);
        let other = write_study(SynthConfig { seed: 8, slices: 1 }, folder.path());
        assert_ne!(other.expect("written").study, study.study);
    }

    #[test]
    fn slices_are_bounded() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        for slices in [0, SLICES_MAX + 1] {
            let refused = write_study(SynthConfig { seed: 1, slices }, folder.path());
            assert!(matches!(refused, Err(SynthError::Slices { slices: s }) if s == slices));
        }
    }
}
