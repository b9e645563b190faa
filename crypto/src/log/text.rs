//! Strict readings shared by the text formats: decimals without leading zeros, base64 hashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::Digest;

/// Reads an ASCII decimal that has exactly one spelling.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let canonical = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

/// Reads canonical base64 of a 32-byte hash.
pub(super) fn hash(text: &str) -> Option<Digest> {
    let bytes = STANDARD.decode(text).ok()?;
    bytes.try_into().ok().map(Digest)
}

/// Writes a hash in base64.
pub(super) fn encode_hash(hash: &Digest) -> String {
    STANDARD.encode(hash.as_bytes())
}
