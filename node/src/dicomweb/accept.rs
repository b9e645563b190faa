//! The Accept header of DICOMweb (PS3.18 section 8.7.4): what a client takes, in which wrapping.

use crate::dicom::syntax::{EXPLICIT_LITTLE, OCTETS};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// Media type of whole instances.
pub(super) const DICOM: &str = "application/dicom";

/// Most media ranges that are looked at.
const RANGES_MAX: usize = 64;

/// How the answer is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// `multipart/related`, one part each.
    Multipart,
    /// The one part alone.
    Single,
}

/// One media range of the header.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MediaRange {
    wrapping: Wrapping,
    /// Type of a part, in lower case; `*/*` takes all.
    media: String,
    /// The transfer syntax asked for; `*` takes the stored one.
    syntax: Option<String>,
    /// Whether the range is `*/*`, which leaves the wrapping to us.
    any: bool,
}

impl MediaRange {
    fn parse(text: &str) -> Option<Self> {
        let mut pieces = split_quoted(text, ';').into_iter();
        let outer = pieces.next()?.trim().to_ascii_lowercase();
        let (mut part, mut syntax, mut quality) = (None, None, true);
        for piece in pieces {
            let Some((name, value)) = piece.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "type" => part = Some(value.to_ascii_lowercase()),
                "transfer-syntax" => syntax = Some(value.to_owned()),
                "q" => quality = value.parse().map_or(true, |q: f32| q > 0.0),
                _ => {}
            }
        }
        if !quality {
            return None;
        }
        let any = outer == "*/*";
        Some(if outer == "multipart/related" || any {
            let media = part.unwrap_or_else(|| "*/*".to_owned());
            Self {
                wrapping: Wrapping::Multipart,
                media,
                syntax,
                any,
            }
        } else {
            Self {
                wrapping: Wrapping::Single,
                media: outer,
                syntax,
                any,
            }
        })
    }

    fn takes_media(&self, media: &str) -> bool {
        let class = media.split('/').next().unwrap_or_default();
        self.media == "*/*" || self.media == media || self.media == format!("{class}/*")
    }
}

/// What a client accepts; a missing header accepts everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accept(Vec<MediaRange>);

impl Accept {
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let mut ranges: Vec<_> = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| split_quoted(value, ','))
            .take(RANGES_MAX)
            .filter_map(MediaRange::parse)
            .collect();
        if !headers.contains_key(ACCEPT) {
            ranges.extend(MediaRange::parse("*/*"));
        }
        Self(ranges)
    }

    /// Wrapping for whole instances in their stored syntax, or `None` if that is not accepted.
    /// No transfer syntax in the header means the stored one: nothing is transcoded here.
    pub(super) fn instances(&self, stored: &str) -> Option<Wrapping> {
        let takes = |range: &&MediaRange| {
            range.takes_media(DICOM)
                && range
                    .syntax
                    .as_deref()
                    .is_none_or(|asked| asked == "*" || asked == stored)
        };
        self.0.iter().find(takes).map(|range| range.wrapping)
    }

    /// Wrapping for pixels that are kept as `media` in transfer syntax `stored`. Octets are asked
    /// for under Explicit VR Little Endian or without a syntax; a `*` takes whatever is stored.
    pub(super) fn pixels(&self, media: &str, stored: &str) -> Option<Wrapping> {
        let stored = if media == OCTETS {
            EXPLICIT_LITTLE
        } else {
            stored
        };
        let takes = |range: &&MediaRange| match range.syntax.as_deref() {
            Some("*") => range.takes_media(media) || range.media == OCTETS,
            Some(asked) => range.takes_media(media) && asked == stored,
            None => range.takes_media(media),
        };
        self.0.iter().find(takes).map(|range| range.wrapping)
    }

    /// Whether the client takes DICOM JSON.
    pub(super) fn json(&self) -> bool {
        let json = ["application/dicom+json", "application/json"];
        self.0
            .iter()
            .any(|range| range.any || json.iter().any(|media| range.takes_media(media)))
    }
}

/// Splits at `mark` outside of double quotes.
fn split_quoted(text: &str, mark: char) -> Vec<&str> {
    let (mut pieces, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if c == mark && !quoted {
            pieces.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    pieces.push(&text[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    const JLS: &str = "1.2.840.10008.1.2.4.80";

    fn accept(text: &str) -> Accept {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, text.parse().expect("a header value"));
        Accept::from_headers(&headers)
    }

    #[test]
    fn instances_are_wrapped_as_asked() {
        let multi = Some(Wrapping::Multipart);
        assert_eq!(
            Accept::from_headers(&HeaderMap::new()).instances(JLS),
            multi
        );
        let single = accept("application/dicom; transfer-syntax=*").instances(JLS);
        assert_eq!(single, Some(Wrapping::Single));
        let quoted = "multipart/related; type=\"application/dicom\"";
        assert_eq!(accept(quoted).instances(JLS), multi);
        let other = format!("{quoted}; transfer-syntax={EXPLICIT_LITTLE}");
        assert_eq!(accept(&other).instances(JLS), None);
        assert_eq!(accept("text/html").instances(JLS), None);
        assert_eq!(accept("application/dicom;q=0").instances(JLS), None);
    }

    #[test]
    fn pixels_follow_type_and_syntax() {
        let (jls, octets) = (
            |text| accept(text).pixels("image/jls", JLS),
            |text| accept(text).pixels(OCTETS, "1.2.840.10008.1.2"),
        );
        let multi = Some(Wrapping::Multipart);
        assert_eq!(jls("multipart/related; type=\"image/jls\""), multi);
        assert_eq!(jls("multipart/related; type=image/*"), multi);
        assert_eq!(
            jls("multipart/related; type=application/octet-stream"),
            None
        );
        let star = "multipart/related; type=application/octet-stream; transfer-syntax=*";
        assert_eq!(jls(star), multi);
        assert_eq!(octets(star), multi);
        assert_eq!(octets("application/octet-stream"), Some(Wrapping::Single));
        let named = "multipart/related; type=\"application/octet-stream\"; \
                     transfer-syntax=1.2.840.10008.1.2.1";
        assert_eq!(octets(named), multi);
        assert_eq!(octets("multipart/related; type=\"image/jpeg\""), None);
    }

    #[test]
    fn json_is_found_among_others() {
        assert!(accept("text/html, application/json;q=0.5").json());
        assert!(accept("application/dicom+json").json());
        assert!(accept("*/*").json());
        assert!(!accept("multipart/related; type=\"application/dicom+xml\"").json());
    }
}
