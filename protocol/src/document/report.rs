//! A report: text and codes over exactly the images of one grant. Signed by the person.

use super::is_sized;
use crate::limits;
use crate::wire::bounds::{first_wrong, is_language, is_text};

/// The report's state, as in HL7 OBR-25.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum ReportState {
    /// Not a state; refused.
    Unspecified = 0,
    /// P.
    Preliminary = 1,
    /// F.
    Final = 2,
}

/// One section of a report.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct Section {
    /// `indication`, `technique`, `findings` or `impression`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its text.
    #[prost(string, tag = "2")]
    pub text: String,
}

/// Payload of a report.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct Report {
    /// Format: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// SHA-256 of the exact grant envelope.
    #[prost(bytes = "vec", tag = "2")]
    pub grant_hash: Vec<u8>,
    /// The manifest's root: neither side can swap the images under the report.
    #[prost(bytes = "vec", tag = "3")]
    pub manifest_root: Vec<u8>,
    /// Internal identifiers of the objects that were opened, 16 bytes each, concatenated in order.
    #[prost(bytes = "vec", tag = "4")]
    pub opened: Vec<u8>,
    /// [`ReportState`].
    #[prost(enumeration = "ReportState", tag = "5")]
    pub state: i32,
    /// Template identifier.
    #[prost(string, tag = "6")]
    pub template: String,
    /// Language (BCP 47).
    #[prost(string, tag = "7")]
    pub language: String,
    /// Sections in the template's order.
    #[prost(message, repeated, tag = "8")]
    pub sections: Vec<Section>,
    /// When it was signed, microseconds since the Unix epoch.
    #[prost(uint64, tag = "9")]
    pub signed_us: u64,
    /// The grant's fence.
    #[prost(uint64, tag = "10")]
    pub fence: u64,
}

super::document!(
    Report,
    "report",
    "application/vnd.radmesh.report.v1",
    limits::REPORT_MAX,
    |report| {
        first_wrong(&[
            (is_sized(&report.grant_hash, 32), "grant_hash"),
            (is_sized(&report.manifest_root, 32), "manifest_root"),
            (report.opened.len().is_multiple_of(16), "opened"),
            (is_text(&report.template), "template"),
            (is_language(&report.language), "language"),
            (are_sections(&report.sections), "sections"),
        ])
    }
);

/// As many sections as a report may have, each with a short name. Their text is bounded by the
/// envelope.
fn are_sections(sections: &[Section]) -> bool {
    sections.len() <= limits::SECTIONS_MAX && sections.iter().all(|section| is_text(&section.name))
}
