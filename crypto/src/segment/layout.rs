//! Where the segments of an object lie in its sealed file.
//!
//! All functions are total. Above `MAX_PLAIN_LEN` their results saturate; no such object can be
//! sealed or opened.

use std::ops::Range;

use super::{SALT_LEN, SEALED_SEGMENT_LEN, SEGMENT_LEN, TAG_LEN};

const SALT: u64 = SALT_LEN as u64;
const SEGMENT: u64 = SEGMENT_LEN as u64;
const SEALED_SEGMENT: u64 = SEALED_SEGMENT_LEN as u64;
const TAG: u64 = TAG_LEN as u64;

/// Segments of an object of `plain_len` bytes; never zero.
pub fn segment_count(plain_len: u64) -> u64 {
    plain_len.div_ceil(SEGMENT).max(1)
}

/// Bytes of the sealed file: salt, ciphertext and tags.
pub fn sealed_len(plain_len: u64) -> u64 {
    let tags = segment_count(plain_len).saturating_mul(TAG);
    plain_len.saturating_add(tags).saturating_add(SALT)
}

/// The plaintext length of a sealed file of `sealed_len` bytes, `None` if no object seals to that.
pub fn plain_len_of(sealed_len: u64) -> Option<u64> {
    let segments = sealed_len.checked_sub(SALT)?;
    let (full, rest) = (segments / SEALED_SEGMENT, segments % SEALED_SEGMENT);
    match (full, rest) {
        (0, 0) => None,
        (full, 0) => Some(full * SEGMENT),
        (0, TAG) => Some(0),
        // An empty segment after a full one is not how any object ends.
        (_, 1..=TAG) => None,
        (full, rest) => Some(full * SEGMENT + rest - TAG),
    }
}

/// The plaintext bytes that segment `index` holds; empty at the end for an index past the last.
pub fn plain_range(plain_len: u64, index: u64) -> Range<u64> {
    let start = index.saturating_mul(SEGMENT).min(plain_len);
    start..start.saturating_add(SEGMENT).min(plain_len)
}

/// Plaintext bytes in segment `index`, zero past the last.
pub fn segment_plain_len(plain_len: u64, index: u64) -> usize {
    let range = plain_range(plain_len, index);
    (range.end - range.start) as usize
}

/// Where sealed segment `index` lies in the sealed file, tag included; empty at the end of the
/// file for an index past the last.
pub fn segment_range(plain_len: u64, index: u64) -> Range<u64> {
    let end_of_file = sealed_len(plain_len);
    if index >= segment_count(plain_len) {
        return end_of_file..end_of_file;
    }
    let start = index
        .saturating_mul(SEALED_SEGMENT)
        .saturating_add(SALT)
        .min(end_of_file);
    start..start.saturating_add(SEALED_SEGMENT).min(end_of_file)
}

/// The segments that must be fetched to read `plain`, which is cut to the object's end. An empty
/// range needs none.
pub fn segments_for(plain: Range<u64>, plain_len: u64) -> Range<u64> {
    let end = plain.end.min(plain_len);
    if plain.start >= end {
        return 0..0;
    }
    plain.start / SEGMENT..end.div_ceil(SEGMENT)
}
