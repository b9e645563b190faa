//! Query parameters and what they match (PS3.18 section 8.3.4, PS3.4 section C.2.2.2).

use super::super::error::WebError;
use super::super::json::Attributes;
use crate::dicom::uid::Uid;
use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use serde_json::Value;

/// Most results of one answer, whatever the client asks for.
const LIMIT_MAX: usize = 20_000;

/// Most parameters of a query.
const PARAMETERS_MAX: usize = 100;

/// Longest value to match; it bounds the work of wildcards.
const VALUE_MAX: usize = 4096;

const STUDY_UID: &str = "0020000D";

/// Attributes that a client wants besides those of the level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Include {
    all: bool,
    keys: Vec<String>,
}

impl Include {
    pub(super) fn asks_for(&self, key: &str) -> bool {
        self.all || self.keys.iter().any(|k| k == key)
    }
}

/// A parsed query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    conditions: Vec<(String, String)>,
    pub(super) include: Include,
    pub(super) limit: usize,
    pub(super) offset: usize,
}

impl Search {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`WebError::BadQuery`] for what is not understood: a condition that is left out would
    /// show more than was asked for.
    pub(super) fn parse(pairs: &[(String, String)]) -> Result<Self, WebError> {
        let mut search = Self {
            conditions: vec![],
            include: Include::default(),
            limit: LIMIT_MAX,
            offset: 0,
        };
        if pairs.len() > PARAMETERS_MAX {
            return Err(WebError::BadQuery);
        }
        for (name, value) in pairs {
            if value.len() > VALUE_MAX {
                return Err(WebError::BadQuery);
            }
            let number = || value.parse::<usize>().map_err(|_| WebError::BadQuery);
            match name.as_str() {
                "limit" => search.limit = number()?.min(LIMIT_MAX),
                "offset" => search.offset = number()?,
                "includefield" => search.include(value),
                // Fuzzy matching is optional; without it a match is exact.
                "fuzzymatching" => {}
                name => {
                    let key = key(name).ok_or(WebError::BadQuery)?;
                    search.conditions.push((key, value.clone()));
                }
            }
        }
        Ok(search)
    }

    fn include(&mut self, value: &str) {
        for name in value.split(',') {
            match name {
                "all" => self.include.all = true,
                // An attribute that nobody knows cannot be returned.
                name => self.include.keys.extend(key(name)),
            }
        }
        self.include.keys.truncate(PARAMETERS_MAX);
    }

    /// Results after which no more have to be looked for.
    pub(super) fn needed(&self) -> usize {
        self.offset.saturating_add(self.limit)
    }

    /// Whether the query names studies, and not this one.
    pub(super) fn excludes_study(&self, study: &Uid) -> bool {
        let mut conditions = self.conditions.iter().filter(|(key, _)| key == STUDY_UID);
        conditions.any(|(_, value)| !matches_list(value, study.as_str()))
    }

    /// Whether every condition holds.
    pub(super) fn matches(&self, attributes: &Attributes) -> bool {
        self.conditions.iter().all(|(key, wanted)| {
            if wanted.is_empty() || wanted == "*" {
                return true;
            }
            let Some(element) = attributes.get(key) else {
                return false;
            };
            let vr = element
                .get("vr")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let values = element.get("Value").and_then(Value::as_array);
            values.is_some_and(|values| values.iter().any(|v| matches_value(vr, wanted, v)))
        })
    }
}

/// The JSON key of an attribute by its keyword or its eight hexadecimal digits.
fn key(name: &str) -> Option<String> {
    if name.len() == 8 && name.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(name.to_ascii_uppercase());
    }
    let Tag(group, element) = StandardDataDictionary.by_name(name)?.tag();
    Some(format!("{group:04X}{element:04X}"))
}

fn matches_value(vr: &str, wanted: &str, value: &Value) -> bool {
    match (vr, value) {
        ("UI", Value::String(text)) => matches_list(wanted, text),
        ("DA" | "TM" | "DT", Value::String(text)) => matches_range(wanted, text),
        ("PN", Value::Object(groups)) => groups
            .values()
            .filter_map(Value::as_str)
            .any(|group| wildcard(&wanted.to_lowercase(), &group.to_lowercase())),
        (_, Value::String(text)) => wildcard(wanted, text),
        (_, Value::Number(number)) => wanted.trim() == number.to_string(),
        (_, Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => false,
    }
}

/// One of several UIDs, separated by commas or backslashes.
fn matches_list(wanted: &str, text: &str) -> bool {
    wanted.is_empty() || wanted == "*" || wanted.split([',', '\\']).any(|w| w.trim() == text)
}

/// A date or time, or a range of them with an open end.
fn matches_range(wanted: &str, text: &str) -> bool {
    let Some((from, to)) = wanted.split_once('-') else {
        return text.starts_with(wanted);
    };
    // A shorter bound counts for all that begins with it.
    text >= from && (to.is_empty() || text <= to || text.starts_with(to))
}

/// Whether `text` fits `pattern`, in which `*` stands for any characters and `?` for one. The
/// work is bounded by the product of the lengths.
fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to resume when a star has to take one more character.
    let mut resume = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                resume = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            Some(_) | None => match resume {
                Some((star, taken)) => {
                    resume = Some((star, taken + 1));
                    (p, t) = (star, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn search(pairs: &[(&str, &str)]) -> Result<Search, WebError> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        Search::parse(&pairs)
    }

    #[test]
    fn wildcards() {
        for (pattern, text, fits) in [
            ("DOE*", "DOE^JANE", true),
            ("*JANE", "DOE^JANE", true),
            ("D?E^*", "DOE^JANE", true),
            ("*O*A*", "DOE^JANE", true),
            ("DOE", "DOE^JANE", false),
            ("?", "", false),
            ("**", "", true),
            ("*a*a*a*a*a*b", &"a".repeat(500), false),
        ] {
            assert_eq!(wildcard(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn conditions() {
        let Value::Object(attributes) = json!({
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "DOE^JANE"}]},
            "00080020": {"vr": "DA", "Value": ["20260115"]},
            "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
            "00080061": {"vr": "CS", "Value": ["CT", "SR"]},
            "00200011": {"vr": "IS", "Value": [4]},
        }) else {
            panic!("an object");
        };
        for (name, value, fits) in [
            ("PatientName", "doe*", true),
            ("PatientName", "doe", false),
            ("StudyDate", "20260115", true),
            ("StudyDate", "20260101-20260131", true),
            ("StudyDate", "-20260114", false),
            ("StudyDate", "20260115-", true),
            ("StudyInstanceUID", "1.2.4,1.2.3", true),
            ("0020000d", "1.2.4\\1.2.5", false),
            ("ModalitiesInStudy", "SR", true),
            ("ModalitiesInStudy", "MR", false),
            ("SeriesNumber", "4", true),
            ("AccessionNumber", "", true),
            ("AccessionNumber", "A", false),
        ] {
            let search = search(&[(name, value)]).expect("understood");
            assert_eq!(search.matches(&attributes), fits, "{name}={value}");
        }
        let study = Uid::parse("1.2.3").expect("valid");
        assert!(
            search(&[("StudyInstanceUID", "1.2.4")])
                .expect("fine")
                .excludes_study(&study)
        );
        assert!(
            !search(&[("StudyInstanceUID", "1.2.3")])
                .expect("fine")
                .excludes_study(&study)
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for pair in [
            ("NoSuchAttribute", "1"),
            ("limit", "-1"),
            ("offset", "x"),
            ("0010", "1"),
        ] {
            assert_eq!(search(&[pair]), Err(WebError::BadQuery), "{pair:?}");
        }
        let page = search(&[("limit", "5"), ("offset", "10"), ("includefield", "all")]);
        let page = page.expect("understood");
        assert_eq!((page.limit, page.offset, page.needed()), (5, 10, 15));
        assert!(page.include.asks_for("00100020"));
        let one = search(&[("includefield", "PatientAge,00101030")]).expect("understood");
        assert!(one.include.asks_for("00101010") && one.include.asks_for("00101030"));
    }
}
