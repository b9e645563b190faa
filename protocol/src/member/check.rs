//! What a country, a language, a modality or a short text may look like: one rule for credentials
//! and for configuration.

use crate::limits;

/// Longest language tag in bytes (RFC 5646, 4.4.1 asks for 35).
pub const LANGUAGE_MAX: usize = 35;

/// Longest modality in bytes: a DICOM code string (PS3.5, 6.2, VR CS).
pub const MODALITY_MAX: usize = 16;

/// Two upper-case letters (ISO 3166-1 alpha-2). Whether the country exists is not asked.
#[must_use]
pub fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// A language tag (BCP 47): subtags of letters and digits, the first in lower case, as in `de` or
/// `pt-BR`.
#[must_use]
pub fn is_language(text: &str) -> bool {
    let subtag = |tag: &str| {
        (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let primary = text.split('-').next().unwrap_or_default();
    text.len() <= LANGUAGE_MAX
        && (2..=8).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_lowercase())
        && text.split('-').all(subtag)
}

/// A DICOM modality such as `CT`: a code string of upper-case letters, digits and underscores.
#[must_use]
pub fn is_modality(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=MODALITY_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// A name or code: not empty, bounded, without control characters and without blanks at its ends.
#[must_use]
pub fn is_text(text: &str) -> bool {
    (1..=limits::TEXT_MAX).contains(&text.len())
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

/// Strictly ascending, so that a list has one spelling, and within [`limits::LIST_MAX`].
#[must_use]
pub fn is_sorted_list<T: Ord>(list: &[T]) -> bool {
    list.len() <= limits::LIST_MAX && list.is_sorted_by(|left, right| left < right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_shapes_pass() {
        assert!(is_country("DE") && !is_country("de") && !is_country("DEU") && !is_country("D1"));
        assert!(is_language("de") && is_language("pt-BR") && is_language("zh-Hant-TW"));
        assert!(!is_language("DE") && !is_language("d") && !is_language("de-") && !is_language(""));
        assert!(is_modality("CT") && is_modality("IO_3D") && !is_modality("ct"));
        assert!(!is_modality("") && !is_modality(&"A".repeat(17)));
        assert!(is_text("Nord Hospital") && !is_text(" Nord") && !is_text("a\nb") && !is_text(""));
        assert!(!is_text(&"x".repeat(257)));
    }

    #[test]
    fn a_list_has_one_spelling() {
        assert!(is_sorted_list::<u8>(&[]) && is_sorted_list(&[1, 2]));
        assert!(!is_sorted_list(&[1, 1]) && !is_sorted_list(&[2, 1]));
        assert!(!is_sorted_list(&(0..=limits::LIST_MAX).collect::<Vec<_>>()));
    }
}
