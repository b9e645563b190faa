//! The shared corpus of real and malformed files: where it is, and what must hold for each file.

use super::part10::{self, Part10Error};
use super::split::{self, InflateError, Split, SplitError};
use super::syntax::{self, Encoding};
use std::fs::{self, File};
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bound on what a deflated corpus file may become; the bomb in it would reach 1 GiB.
const INFLATED_MAX: u64 = 64 << 20;

/// The files under `../shared/data/NAME`. `None` (and a note by name) on a machine without
/// `../shared`; a failure where it should be.
pub(crate) fn files(name: &str) -> Option<Vec<PathBuf>> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let required = std::env::var_os("RADMESH_REQUIRE_CORPUS").is_some_and(|v| v == "1");
    if !shared.exists() && !required {
        skipped(name);
        return None;
    }
    let mut found = Vec::new();
    let mut folders = vec![shared.join("data").join(name)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the corpus is readable") {
            let path = entry.expect("the corpus is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if !path
                .extension()
                .is_some_and(|e| e == "tsv" || e == "md" || e == "txt")
            {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 100, "the corpus {name} is incomplete");
    found.sort();
    Some(found)
}

#[allow(clippy::print_stderr, reason = "a skipped corpus is reported by name")]
fn skipped(name: &str) {
    eprintln!("skipped: corpus {name}");
}

#[derive(Debug, PartialEq)]
enum Refusal {
    File(Part10Error),
    Inflate(InflateError),
    Split(SplitError),
}

/// Splits a file as an import does, and checks that the rebuild gives the same bytes.
fn split_and_rebuild(path: &Path) -> Result<Split, Refusal> {
    let mut file = File::open(path).expect("the corpus is readable");
    let found = part10::read(&mut file).map_err(Refusal::File)?;
    let mut dataset = Vec::new();
    file.seek(SeekFrom::Start(found.dataset_offset))
        .expect("seekable");
    let mut table_row = found.syntax;
    if table_row.encoding == Encoding::Deflated {
        split::inflate(file, &mut dataset, INFLATED_MAX).map_err(Refusal::Inflate)?;
        table_row = syntax::find(syntax::EXPLICIT_LITTLE).expect("in the table");
    } else {
        file.read_to_end(&mut dataset)
            .expect("the corpus is readable");
    }
    let result = split::split(Cursor::new(&dataset), 0, table_row).map_err(Refusal::Split)?;
    let mut rebuilt = Vec::new();
    let value = |index: usize| {
        let bulk = &result.bulks[index];
        Ok(&dataset[bulk.source_offset as usize..][..bulk.length as usize])
    };
    split::rebuild(&result.header, &result.bulks, value, &mut rebuilt).expect("our own split");
    assert!(
        rebuilt == dataset,
        "{} is not rebuilt bit for bit",
        path.display()
    );
    check_frames(&result, path);
    Ok(result)
}

/// Frames lie inside their value and do not overlap.
fn check_frames(result: &Split, path: &Path) {
    for bulk in &result.bulks {
        let mut end = 0;
        for frame in &bulk.frames {
            assert!(frame.offset >= end, "{}", path.display());
            end = frame.offset + frame.length;
        }
        assert!(end <= bulk.length, "{}", path.display());
    }
}

/// Column `name` of a tab-separated file as (file, value).
fn column(table: &Path, name: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(table).expect("the corpus has its tables");
    let mut lines = text.lines();
    let heads: Vec<_> = lines.next().expect("a head").split('\t').collect();
    let index = heads
        .iter()
        .position(|head| *head == name)
        .expect("the column");
    lines
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .map(|cells| {
            (
                cells[0].to_owned(),
                cells.get(index).copied().unwrap_or("").to_owned(),
            )
        })
        .collect()
}

/// Files of the corpus that are no storable instance: directories, data sets without the UIDs
/// of an instance, and one whose encoding is not the one that it declares.
const REFUSED: &[&str] = &[
    "charset/chrSQEncoding.dcm",
    "charset/chrSQEncoding1.dcm",
    "dicomdir-pydicom/DICOMDIR",
    "dicomdir-pydicom/DICOMDIR-bigEnd",
    "dicomdir-pydicom/DICOMDIR-empty.dcm",
    "dicomdir-pydicom/DICOMDIR-implicit",
    "dicomdir-pydicom/DICOMDIR-nooffset",
    "dicomdir-pydicom/DICOMDIR-nopatient",
    "dicomdir-pydicom/DICOMDIR-reordered",
    "dicomdir-pydicom/TINY_ALPHA/DICOMDIR",
    "htj2k-jpegls-variants/HTJ2KLossless_08_RGB.dcm",
    "htj2k-jpegls-variants/HTJ2K_08_RGB.dcm",
    "htj2k-jpegls-variants/JLSL_08_07_0_1F.dcm",
    "htj2k-jpegls-variants/JLSL_16_15_1_1F.dcm",
    "htj2k-jpegls-variants/JLSL_RGB_ILV0.dcm",
    "htj2k-jpegls-variants/JLSL_RGB_ILV1.dcm",
    "htj2k-jpegls-variants/JLSL_RGB_ILV2.dcm",
    "htj2k-jpegls-variants/JLSN_RGB_ILV0.dcm",
    "nibabel-nicom/decimal_rescale.dcm",
    "pydicom-misc/JPEGLSNearLossless_08.dcm",
    "pydicom-misc/JPEGLSNearLossless_16.dcm",
    "pydicom-misc/SC_rgb_jls_lossy_line.dcm",
    "pydicom-misc/SC_rgb_jls_lossy_sample.dcm",
    "pydicom-misc/SC_rgb_jpeg.dcm",
    "pydicom-misc/UN_sequence.dcm",
    "pydicom-misc/nested_priv_SQ.dcm",
    "pydicom-misc/priv_SQ.dcm",
];

#[test]
fn real_files_split_and_rebuild() {
    let Some(files) = files("dicom") else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/dicom");
    let studies: std::collections::BTreeMap<_, _> = column(&root.join("MANIFEST.tsv"), "study_uid")
        .into_iter()
        .collect();
    let mut refused = Vec::new();
    for path in &files {
        let name = path
            .strip_prefix(&root)
            .expect("under the root")
            .display()
            .to_string();
        match split_and_rebuild(path) {
            Ok(result) => {
                let study = studies.get(&name).expect("every file is in the manifest");
                assert_eq!(result.identifiers.study.as_str(), study, "{name}");
            }
            Err(reason) => refused.push((name, reason)),
        }
    }
    let unexpected: Vec<_> = refused
        .iter()
        .filter(|(name, _)| !REFUSED.contains(&name.as_str()))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert_eq!(refused.len(), REFUSED.len());
}

#[test]
fn malformed_files_end_as_expected() {
    let Some(files) = files("malformed") else {
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/malformed");
    let expected: std::collections::BTreeMap<_, _> = column(&root.join("EXPECT.tsv"), "may")
        .into_iter()
        .collect();
    for path in &files {
        let name = path
            .strip_prefix(&root)
            .expect("under the root")
            .display()
            .to_string();
        let outcome = split_and_rebuild(path);
        match expected
            .get(&name)
            .map(String::as_str)
            .unwrap_or("error or ok")
        {
            "error"
            | "error, no stack overflow"
            | "limit error"
            | "must not silently mix"
            | "reject"
            | "reject UID" => assert!(outcome.is_err(), "{name}"),
            "ok" | "ok as DICOM" | "ok, preamble not kept" | "ok, replacement characters" => {
                assert_eq!(outcome.err(), None, "{name}");
            }
            "metadata ok, pixels error" => {
                let split = outcome.expect("the header is sound");
                assert!(
                    split.bulks.iter().all(|bulk| bulk.frame_problem.is_some()),
                    "{name}"
                );
            }
            // Either is right; what counts is that it ends, in bounded memory, bit for bit.
            _ => {}
        }
    }
}
