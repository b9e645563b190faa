//! Entries in the forms that other systems read: DICOM PS3.15 A.5 XML, the same in syslog frames,
//! FHIR R4 AuditEvents, CSV and JSON Lines.
//!
//! ```text
//! verified archive ─ walk ─ event: header, what is opened, what is sealed ─ one message each
//! ```
//! Pure: a [`Source`](super::verify::Source) gives bytes, whoever asks writes them. A message says
//! what its entry says, and where it stands (origin and index), so that it can be traced back to
//! the log. What is sealed is said to be sealed; nothing is guessed. Memory is bounded whatever the
//! log's length: one bundle of entries, and at most [`HELD_MAX`] each of studies, cases and grants,
//! by which later entries of the same release are named.
//!
//! Strings of strangers reach every form. They are cut, and cleaned of what no form can carry, when
//! the event is made (`text::line`); each form escapes what is left.

mod csv;
mod details;
mod dicom;
mod event;
mod fhir;
mod held;
mod jsonl;
mod parties;
pub mod syslog;
mod table;
mod text;
mod walk;

use std::fmt;
use std::str::FromStr;

pub use event::{Event, Side, Standing};
pub use held::HELD_MAX;
pub use walk::{Stopped, Walked, walk};

/// A form to export in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// DICOM PS3.15 A.5 audit messages, one XML document a line.
    Dicom,
    /// The same as RFC 5424 syslog messages, framed for TLS by RFC 5425.
    Syslog,
    /// FHIR R4 AuditEvent, one JSON object a line (NDJSON).
    Fhir,
    /// RFC 4180 with a header row.
    Csv,
    /// One JSON object a line, with everything that the event has.
    JsonLines,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Dicom,
        Self::Syslog,
        Self::Fhir,
        Self::Csv,
        Self::JsonLines,
    ];

    /// The name by which it is asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dicom => "dicom",
            Self::Syslog => "syslog",
            Self::Fhir => "fhir",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    /// What stands before the first message.
    #[must_use]
    pub fn opening(self) -> Vec<u8> {
        match self {
            Self::Dicom | Self::Syslog | Self::Fhir | Self::JsonLines => Vec::new(),
            Self::Csv => csv::head().into_bytes(),
        }
    }

    /// One event as one message, with its end.
    #[must_use]
    pub fn message(self, event: &Event) -> Vec<u8> {
        let line = |text: String| format!("{text}\n").into_bytes();
        match self {
            Self::Dicom => line(dicom::message(event)),
            Self::Syslog => syslog::frame(&syslog::message(event, &dicom::message(event))),
            Self::Fhir => line(fhir::message(event).to_string()),
            Self::Csv => csv::row(event).into_bytes(),
            Self::JsonLines => line(jsonl::message(event).to_string()),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a form")]
pub struct NoForm;

impl FromStr for Form {
    type Err = NoForm;

    fn from_str(text: &str) -> Result<Self, NoForm> {
        let mut all = Self::ALL.into_iter();
        all.find(|form| form.name() == text).ok_or(NoForm)
    }
}

#[cfg(test)]
mod tests;
