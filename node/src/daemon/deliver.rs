//! Delivery of a report into a folder: the exact envelope, and a text that a person can read.

use std::fmt::Write as _;
use std::path::Path;

use crypto::digest::Digest;
use crypto::envelope::Envelope;
use protocol::document::decode;
use protocol::document::report::{Report, ReportState};
use protocol::io::Delivery;

use crate::driver::ports::{Delivered, Undone};
use crate::files::{self, Readers};

/// Writes a report durably. The file's name says the case and nothing of the patient; the same
/// report again gives the same files. Blocks.
///
/// # Errors
/// [`Undone`].
pub fn to_folder(folder: &Path, delivery: &Delivery) -> Result<Delivered, Undone> {
    // It names a patient: a folder that is made here is for the node's user alone. Whoever fetches
    // reports as another user makes the folder first, with the rights that it needs.
    files::create_folder(folder).map_err(Undone::of)?;
    let digest = Digest::sha256(&delivery.report).to_hex();
    let name = format!("{}-{}", delivery.case, digest.get(..16).unwrap_or_default());
    let keep = |ending: &str, bytes: &[u8]| {
        let file = folder.join(format!("{name}.{ending}"));
        files::replace(&file, bytes, Readers::Group).map_err(Undone::of)
    };
    keep("env", &delivery.report)?;
    keep("txt", text(delivery)?.as_bytes())?;
    // Nobody has said that they took it: a folder acknowledges nothing.
    Ok(Delivered {
        destination: format!("folder, {name}"),
        acknowledged: false,
    })
}

/// The report as text. The envelope stays the original.
///
/// # Errors
/// [`Undone`] when the envelope is no report, which the core has checked before.
pub fn text(delivery: &Delivery) -> Result<String, Undone> {
    let envelope = Envelope::decode(&delivery.report).map_err(Undone::of)?;
    let report: Report = decode(&envelope.payload).map_err(Undone::of)?;
    let state = match report.state() {
        ReportState::Final => "FINAL",
        ReportState::Preliminary => "PRELIMINARY",
        ReportState::Unspecified => "UNSPECIFIED",
    };
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(text, "{state} REPORT");
    let _ = writeln!(text, "accession: {}", delivery.order.accession);
    let _ = writeln!(text, "patient: {}", delivery.order.patient);
    let _ = writeln!(text, "case: {}", delivery.case);
    let _ = writeln!(text, "read at node: {}", delivery.reader);
    let _ = writeln!(
        text,
        "template: {}, language: {}",
        report.template, report.language
    );
    for section in &report.sections {
        let _ = writeln!(text, "\n{}\n{}", section.name.to_uppercase(), section.text);
    }
    Ok(text)
}
