//! WADO-RS: single frames and bulk values (PS3.18 sections 10.4.1.1.3 to 10.4.1.1.6).

use super::Pages;
use super::accept::{Accept, Wrapping};
use super::error::WebError;
use super::multipart::{Part, Parts, respond};
use super::source::{ByteStream, Instance, SourceError};
use super::wado::Answer;
use crate::dicom::split::{BulkRange, Stripper};
use crate::dicom::syntax::{EXPLICIT_LITTLE, Encoding, OCTETS};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use bytes::{Bytes, BytesMut};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use futures::stream::{self, StreamExt};
use std::ops::Range;
use std::sync::Arc;

/// Most frames in one request; viewers ask for one to some tens.
const FRAMES_ASKED_MAX: usize = 1024;

/// How bytes at rest become the bytes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As they are.
    Plain,
    /// Fragments without their item headers.
    Fragments,
    /// Big-endian words of this many bytes, turned around: octets travel little-endian
    /// (PS3.18 section 8.7.3.3.1).
    Words(usize),
}

/// Frames by a list of numbers from 1, in the order asked for.
pub(super) async fn frames(
    State(pages): State<Pages>,
    Path((study, series, instance, list)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Answer {
    let numbers = parse_list(&list)?;
    let instance = one(&pages, [&study, &series, &instance]).await?;
    let (bulk, value) = pixel_value(&instance).ok_or(WebError::NotFound)?;
    let ranges: Option<Vec<_>> = numbers.iter().map(|n| value.frames.get(n - 1)).collect();
    let ranges = ranges.ok_or(WebError::NotFound)?;
    let ranges = ranges
        .iter()
        .map(|frame| frame.offset..frame.offset + frame.length)
        .collect();
    let form = form(&instance, value);
    let (media, syntax) = labels(&instance, value);
    answer(
        pages,
        instance,
        &headers,
        Wanted {
            bulk,
            ranges,
            form,
            media,
            syntax,
        },
    )
    .await
}

/// A whole bulk value. That of an encapsulated image is all of its frames (PS3.18 section
/// 10.4.1.1.5).
pub(super) async fn bulkdata(
    State(pages): State<Pages>,
    Path((study, series, instance, tag)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Answer {
    let tag = u32::from_str_radix(&tag, 16).map_err(|_| WebError::NotFound)?;
    let tag = Tag((tag >> 16) as u16, (tag & 0xffff) as u16);
    let instance = one(&pages, [&study, &series, &instance]).await?;
    let found = instance
        .bulks
        .iter()
        .enumerate()
        .find(|(_, bulk)| bulk.tag == tag);
    let (bulk, value) = found.ok_or(WebError::NotFound)?;
    let form = form(&instance, value);
    let (media, syntax) = labels(&instance, value);
    let ranges = if form == Form::Fragments && !value.frames.is_empty() {
        value
            .frames
            .iter()
            .map(|frame| frame.offset..frame.offset + frame.length)
            .collect()
    } else {
        std::iter::once(0..value.length).collect()
    };
    answer(
        pages,
        instance,
        &headers,
        Wanted {
            bulk,
            ranges,
            form,
            media,
            syntax,
        },
    )
    .await
}

/// What of a bulk value is to be sent.
struct Wanted {
    bulk: usize,
    ranges: Vec<Range<u64>>,
    form: Form,
    media: &'static str,
    syntax: &'static str,
}

async fn answer(
    pages: Pages,
    instance: Arc<Instance>,
    headers: &HeaderMap,
    wanted: Wanted,
) -> Answer {
    let Wanted {
        bulk,
        ranges,
        form,
        media,
        syntax,
    } = wanted;
    let accepted = Accept::from_headers(headers).pixels(media, syntax);
    let wrapping = accepted.ok_or(WebError::NotAcceptable)?;
    if wrapping == Wrapping::Single && ranges.len() > 1 {
        return Err(WebError::NotAcceptable);
    }
    let part = move |range: Range<u64>| {
        let (pages, instance) = (pages.clone(), Arc::clone(&instance));
        async move {
            let stored = pages.open(&instance, bulk, range).await?;
            let content_type = format!("{media}; transfer-syntax={syntax}");
            Ok::<_, SourceError>(Part {
                content_type,
                content: reform(stored, form),
            })
        }
    };
    let mut ranges = ranges.into_iter();
    let first = part(ranges.next().ok_or(WebError::NotFound)?).await?;
    let rest: Parts = stream::iter(ranges).then(part).boxed();
    Ok(respond(wrapping, media, first, rest))
}

async fn one(pages: &Pages, path: [&String; 3]) -> Result<Arc<Instance>, WebError> {
    let found = pages.select(&path.map(String::as_str)).await?;
    found.into_iter().next().ok_or(WebError::NotFound)
}

/// The instance's pixel value and its place.
fn pixel_value(instance: &Instance) -> Option<(usize, &BulkRange)> {
    instance.bulks.iter().enumerate().find(|(_, bulk)| {
        matches!(
            bulk.tag,
            tags::PIXEL_DATA | tags::FLOAT_PIXEL_DATA | tags::DOUBLE_FLOAT_PIXEL_DATA
        )
    })
}

/// Numbers from 1, separated by commas.
fn parse_list(list: &str) -> Result<Vec<usize>, WebError> {
    let numbers: Result<Vec<usize>, _> = list.split(',').map(|n| n.trim().parse()).collect();
    match numbers {
        Ok(numbers) if numbers.len() <= FRAMES_ASKED_MAX && !numbers.contains(&0) => Ok(numbers),
        Ok(_) | Err(_) => Err(WebError::BadFrames),
    }
}

fn form(instance: &Instance, value: &BulkRange) -> Form {
    if value.encapsulated {
        return Form::Fragments;
    }
    if instance.syntax.encoding != Encoding::ExplicitBig {
        return Form::Plain;
    }
    // Samples of 32 and 64 bits are turned as a whole, though OW counts in words of 16.
    let bits = if value.tag == tags::PIXEL_DATA {
        instance.bits_allocated
    } else {
        None
    };
    match (value.vr, bits) {
        (VR::OW, Some(32)) => Form::Words(4),
        (VR::OW, Some(64)) => Form::Words(8),
        (VR::OW, _) => Form::Words(2),
        (VR::OF | VR::OL, _) => Form::Words(4),
        (VR::OD | VR::OV, _) => Form::Words(8),
        // Other values over 1 MiB are octets, text or sequences.
        (_, _) => Form::Plain,
    }
}

/// Media type and transfer syntax of a value's content.
fn labels(instance: &Instance, value: &BulkRange) -> (&'static str, &'static str) {
    if value.encapsulated {
        (instance.syntax.media_type, instance.syntax.uid)
    } else {
        (OCTETS, EXPLICIT_LITTLE)
    }
}

/// Turns bytes at rest into content, piece by piece.
fn reform(stored: ByteStream, form: Form) -> ByteStream {
    match form {
        Form::Plain => stored,
        Form::Fragments => {
            let mut stripper = Stripper::new();
            let strip = move |piece: Result<Bytes, SourceError>| {
                let mut content = Vec::new();
                let outcome = piece.map(|piece| {
                    stripper.strip(&piece, |bytes| content.push(Ok(piece.slice_ref(bytes))));
                });
                content.extend(outcome.err().map(Err));
                stream::iter(content)
            };
            stored.flat_map(strip).boxed()
        }
        Form::Words(size) => {
            let mut carry = BytesMut::new();
            let turn = move |piece: Result<Bytes, SourceError>| {
                carry.extend_from_slice(&piece?);
                let whole = carry.len() - carry.len() % size;
                let mut words = carry.split_to(whole);
                words.chunks_exact_mut(size).for_each(<[u8]>::reverse);
                Ok(words.freeze())
            };
            stored.map(turn).boxed()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_frames() {
        assert_eq!(parse_list("1"), Ok(vec![1]));
        assert_eq!(parse_list("3,1,3"), Ok(vec![3, 1, 3]));
        let long = vec!["1"; FRAMES_ASKED_MAX + 1].join(",");
        for bad in ["", "0", "1,", "-1", "1;2", "99999999999999999999999", &long] {
            assert_eq!(parse_list(bad), Err(WebError::BadFrames), "{bad}");
        }
    }

    #[tokio::test]
    async fn words_are_turned_across_pieces() {
        let pieces = [&b"\x01"[..], b"\x02\x03", b"\x04"].map(|p| Ok(Bytes::from_static(p)));
        let turned = reform(stream::iter(pieces).boxed(), Form::Words(2));
        let all: Vec<_> = turned.map(|piece| piece.expect("no error")).collect().await;
        assert_eq!(all.concat(), [2, 1, 4, 3]);
    }
}
