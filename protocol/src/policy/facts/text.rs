//! The canonical text of facts: what is logged, and what an auditor reads back to decide again.
//!
//! ```text
//! radmesh-facts/1
//! key=value     keys ascending; a list has one line an item, ascending
//! ```
//!
//! In a value, a backslash and every control character are written `\u{hex}`. Equal facts have
//! equal texts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{CountryEvidence, Facts};
use crate::limits;
use crate::urgency::Urgency;

/// The first line.
const HEADER: &str = "radmesh-facts/1";

/// Why a text is not the canonical text of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// Longer than [`limits::MESSAGE_MAX`].
    #[error("the facts are longer than any that are written")]
    TooLong,
    /// The first line is another.
    #[error("not facts of a known version")]
    Header,
    /// A line that is not `key=value`, or with a malformed escape.
    #[error("line {0} of the facts is malformed")]
    Line(usize),
    /// A key that is missing, stands twice, or has an impossible value.
    #[error("`{0}` of the facts is missing, repeated or malformed")]
    Field(&'static str),
    /// Readable, but written otherwise (order, spelling, an unknown key).
    #[error("the facts are not in their canonical form")]
    NotCanonical,
}

impl Facts {
    /// The one text of these facts. The order of lists does not matter.
    #[must_use]
    pub fn canonical_text(&self) -> String {
        let mut out = format!("{HEADER}\n");
        one(&mut out, "credential_valid", flag(self.credential_valid));
        one(&mut out, "desk_country", &self.desk_country);
        one(
            &mut out,
            "desk_country_evidence",
            self.desk_country_evidence.name(),
        );
        one(&mut out, "hospital_country", &self.hospital_country);
        one(
            &mut out,
            "hospital_organisation",
            &self.hospital_organisation,
        );
        many(&mut out, "languages", &self.languages);
        many(&mut out, "licences", &self.licences);
        many(&mut out, "modalities", &self.modalities);
        one(&mut out, "now_unix_s", &self.now_unix_s.to_string());
        one(&mut out, "patient_jurisdiction", &self.patient_jurisdiction);
        one(&mut out, "purpose", &self.purpose);
        one(&mut out, "reader_organisation", &self.reader_organisation);
        one(&mut out, "report_language", &self.report_language);
        one(&mut out, "resident", flag(self.resident));
        many(&mut out, "study_modalities", &self.study_modalities);
        many(&mut out, "subspecialties", &self.subspecialties);
        one(&mut out, "subspecialty", &self.subspecialty);
        one(&mut out, "urgency", self.urgency.name());
        out
    }

    /// Reads the canonical text and nothing else.
    ///
    /// # Errors
    /// [`FactsError`] names the first thing that is wrong.
    pub fn parse_canonical(text: &str) -> Result<Self, FactsError> {
        if text.len() > limits::MESSAGE_MAX {
            return Err(FactsError::TooLong);
        }
        let mut values = Values::parse(text)?;
        let facts = Self {
            credential_valid: values.flag("credential_valid")?,
            desk_country: values.one("desk_country")?,
            desk_country_evidence: values
                .named("desk_country_evidence", CountryEvidence::from_name)?,
            hospital_country: values.one("hospital_country")?,
            hospital_organisation: values.one("hospital_organisation")?,
            languages: values.many("languages"),
            licences: values.many("licences"),
            modalities: values.many("modalities"),
            now_unix_s: values.named("now_unix_s", |number| number.parse().ok())?,
            patient_jurisdiction: values.one("patient_jurisdiction")?,
            purpose: values.one("purpose")?,
            reader_organisation: values.one("reader_organisation")?,
            report_language: values.one("report_language")?,
            resident: values.flag("resident")?,
            study_modalities: values.many("study_modalities"),
            subspecialties: values.many("subspecialties"),
            subspecialty: values.one("subspecialty")?,
            urgency: values.named("urgency", Urgency::from_name)?,
        };
        if facts.canonical_text() == text {
            Ok(facts)
        } else {
            Err(FactsError::NotCanonical)
        }
    }
}

const fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn one(out: &mut String, key: &str, value: &str) {
    out.push_str(key);
    out.push('=');
    for character in value.chars() {
        if character == '\\' || character.is_control() {
            // Writing to a String does not fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out.push('\n');
}

fn many(out: &mut String, key: &str, values: &[String]) {
    for value in values.iter().collect::<BTreeSet<_>>() {
        one(out, key, value);
    }
}

/// The lines of a text, taken out key by key.
struct Values(BTreeMap<String, Vec<String>>);

impl Values {
    fn parse(text: &str) -> Result<Self, FactsError> {
        let mut lines = text.split('\n').enumerate();
        if lines.next().is_none_or(|(_, line)| line != HEADER) {
            return Err(FactsError::Header);
        }
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        // After the last newline comes one empty piece; anywhere else it is malformed.
        for (index, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let (key, value) = line.split_once('=').ok_or(FactsError::Line(index + 1))?;
            let value = unescape(value).ok_or(FactsError::Line(index + 1))?;
            values.entry(key.to_owned()).or_default().push(value);
        }
        Ok(Self(values))
    }

    fn many(&mut self, key: &str) -> Vec<String> {
        self.0.remove(key).unwrap_or_default()
    }

    fn one(&mut self, key: &'static str) -> Result<String, FactsError> {
        match <[String; 1]>::try_from(self.many(key)) {
            Ok([value]) => Ok(value),
            Err(_) => Err(FactsError::Field(key)),
        }
    }

    fn named<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, FactsError> {
        read(&self.one(key)?).ok_or(FactsError::Field(key))
    }

    fn flag(&mut self, key: &'static str) -> Result<bool, FactsError> {
        self.named(key, |value| match value {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }
}

/// Undoes the escapes of one value; `None` for an escape that is none.
fn unescape(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.push_str(plain);
        let (code, after) = escaped.strip_prefix("u{")?.split_once('}')?;
        out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}
