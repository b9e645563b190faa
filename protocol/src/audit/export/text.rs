//! Strings of strangers, and times.

use crate::audit::verify::text::utc;

/// Longest text of a clear header, an identifier or a name, in characters: what is legal is
/// shorter.
pub(super) const TEXT_MAX: usize = 160;
/// Longest UID, in characters (PS3.5 6.2, VR UI).
pub(super) const UID_MAX: usize = 64;
/// Longest reason in words, in characters.
pub(super) const REASON_MAX: usize = 512;

/// 9999-12-31T23:59:59.999999Z, in microseconds since the Unix epoch: the last time that FHIR's
/// instant and RFC 5424 can write. The JSON Lines have the number itself.
const LAST_US: u64 = 253_402_300_799_999_999;

/// One line of at most `longest` characters that every form can carry: what XML 1.0 forbids
/// (section 2.2), what moves a cursor or the direction of writing, and line ends become U+FFFD;
/// space around goes. `None` if nothing is left.
pub(super) fn line(text: &str, longest: usize) -> Option<String> {
    let text = text.trim();
    let safe = text
        .chars()
        .take(longest)
        .map(|c| if odd(c) { '\u{fffd}' } else { c });
    let mut out: String = safe.collect();
    if text.chars().nth(longest).is_some() {
        out.pop();
        out.push('…');
    }
    (!out.is_empty()).then_some(out)
}

/// Bytes that should be text.
pub(super) fn bytes(text: &[u8], longest: usize) -> Option<String> {
    // Four bytes a character at most: the rest is not looked at.
    let text = &text[..text.len().min(longest.saturating_mul(4).saturating_add(4))];
    line(&String::from_utf8_lossy(text), longest)
}

fn odd(c: char) -> bool {
    let nowhere = c as u32 & 0xfffe == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}');
    nowhere
        || c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time as RFC 3339 writes it, in UTC, to the microsecond.
pub(super) fn time(time_us: u64) -> String {
    let time_us = time_us.min(LAST_US);
    let seconds = utc(time_us / 1_000_000);
    let whole = seconds.strip_suffix('Z').unwrap_or(&seconds);
    format!("{whole}.{:06}Z", time_us % 1_000_000)
}

/// Percent-encodes what RFC 3986 does not let stand in a path, so that any name makes a URI.
pub(super) fn in_uri(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(byte as char);
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}
