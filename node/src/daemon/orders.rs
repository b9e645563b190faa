//! Orders: one file an order in a folder, or the study's own DICOM header.

use std::path::Path;

use protocol::audit::record::{OrderRecord, StudyRecord};
use protocol::member::check::{is_country, is_language};
use protocol::urgency::Urgency;
use serde::Deserialize;

use super::names::Names;
use crate::config::OrderSource;
use crate::driver::ports::Undone;
use crate::files;

/// Files in an orders folder that are looked at; more are a folder that nobody cleans.
const FILES_MAX: usize = 16_384;

/// The longest order's file: a long history is a tenth of it.
const FILE_MAX: u64 = 64 << 10;

/// What a hospital's configuration says where an order is silent.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// Whose law protects the patient.
    pub jurisdiction: String,
    /// Language of the report.
    pub report_language: String,
}

/// An order's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderFile {
    accession: String,
    /// `id^^^issuer`; where it is given it must be the study's.
    patient: Option<String>,
    #[serde(default)]
    question: String,
    #[serde(default)]
    history: String,
    urgency: Option<String>,
    report_language: Option<String>,
    jurisdiction: Option<String>,
    #[serde(default)]
    resident: bool,
}

/// Finds the order of a study; `None` when there is none yet.
///
/// # Errors
/// [`Undone`] when the folder or an order's file cannot be read.
pub fn find(
    source: &OrderSource,
    study: &StudyRecord,
    reason: &str,
    (names, defaults): (&Names, &Defaults),
) -> Result<Option<OrderRecord>, Undone> {
    let blank = OrderRecord {
        order: names.order(&study.accession, &study.patient).to_vec(),
        accession: study.accession.clone(),
        patient: study.patient.clone(),
        question: String::new(),
        history: String::new(),
        urgency_ordered: Urgency::Routine as u32,
        report_language: defaults.report_language.clone(),
        origin: String::new(),
        jurisdiction: defaults.jurisdiction.clone(),
        resident: false,
    };
    match source {
        OrderSource::DicomHeader => Ok(Some(OrderRecord {
            question: reason.to_owned(),
            origin: "dicom-header".to_owned(),
            ..blank
        })),
        OrderSource::Folder(folder) => {
            let found = in_folder(folder, &study.accession, &study.patient)?;
            found.map(|order| fill(order, blank)).transpose()
        }
    }
}

/// The file of this accession number and patient.
fn in_folder(folder: &Path, accession: &str, patient: &str) -> Result<Option<OrderFile>, Undone> {
    if accession.is_empty() {
        return Ok(None);
    }
    let listed = files::list(folder, "toml", FILES_MAX).map_err(Undone::of)?;
    let listed = listed.ok_or_else(|| Undone("the orders folder has too many files".to_owned()))?;
    for file in listed {
        let text = files::read_text(&file, FILE_MAX).map_err(Undone::of)?;
        // The parser's words could repeat a patient's; a file that does not parse is no order.
        let Ok(order) = toml::from_str::<OrderFile>(&text) else {
            tracing::warn!("an order's file cannot be read and is passed over");
            continue;
        };
        let same = order.patient.as_ref().is_none_or(|named| named == patient);
        if order.accession == accession && same {
            return Ok(Some(order));
        }
    }
    Ok(None)
}

fn fill(order: OrderFile, blank: OrderRecord) -> Result<OrderRecord, Undone> {
    let urgency = match order.urgency.as_deref() {
        None => Urgency::Routine,
        Some(name) => Urgency::from_name(name).ok_or_else(|| {
            Undone("the order's urgency is none of stat, emergent, urgent, routine".to_owned())
        })?,
    };
    let language = order.report_language.unwrap_or(blank.report_language);
    if !is_language(&language) {
        let reason = "the order's report_language is no language tag, as \"de\"";
        return Err(Undone(reason.to_owned()));
    }
    let jurisdiction = order.jurisdiction.unwrap_or(blank.jurisdiction);
    if !is_country(&jurisdiction) {
        let reason = "the order's jurisdiction is no country, as \"DE\"";
        return Err(Undone(reason.to_owned()));
    }
    Ok(OrderRecord {
        question: order.question,
        history: order.history,
        urgency_ordered: urgency as u32,
        report_language: language,
        jurisdiction,
        resident: order.resident,
        origin: "file".to_owned(),
        order: blank.order,
        accession: blank.accession,
        patient: blank.patient,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::keys::SymmetricKey;

    fn world() -> (Names, Defaults, StudyRecord) {
        let defaults = Defaults {
            jurisdiction: "DE".into(),
            report_language: "de".into(),
        };
        let study = StudyRecord {
            accession: "A1".into(),
            patient: "P^^^I".into(),
            ..StudyRecord::default()
        };
        (
            Names::new(&SymmetricKey::from_bytes(&[1; 32])),
            defaults,
            study,
        )
    }

    #[test]
    fn an_order_is_found_by_accession_and_not_of_another_patient() {
        let (names, defaults, study) = world();
        let folder = tempfile::tempdir().expect("a folder");
        let source = OrderSource::Folder(folder.path().to_owned());
        let find = || find(&source, &study, "", (&names, &defaults));
        assert!(matches!(find(), Ok(None)));
        std::fs::write(
            folder.path().join("1.toml"),
            "accession = \"A1\"\npatient = \"other\"\n",
        )
        .expect("written");
        assert!(matches!(find(), Ok(None)));
        std::fs::write(
            folder.path().join("2.toml"),
            "accession = \"A1\"\nurgency = \"stat\"\n",
        )
        .expect("written");
        let order = find().expect("read").expect("found");
        assert_eq!(
            (order.urgency_ordered, order.report_language.as_str()),
            (1, "de")
        );
    }

    #[test]
    fn a_header_stands_for_an_order() {
        let (names, defaults, study) = world();
        let found = find(
            &OrderSource::DicomHeader,
            &study,
            "stroke?",
            (&names, &defaults),
        );
        let order = found.expect("read").expect("made");
        assert_eq!(
            (order.origin.as_str(), order.question.as_str()),
            ("dicom-header", "stroke?")
        );
    }
}
