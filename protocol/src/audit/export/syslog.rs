//! An audit message as a syslog message (RFC 5424), framed for a stream under TLS (RFC 5425), as
//! IHE's transaction ITI-20 and PS3.15 A.6 want it.
//!
//! ```text
//! length SP <85>1 time host radmesh - DICOM+RFC3881 - BOM xml
//! ```
//! Facility 10 (security), severity 5 (notice), 4 (warning) for what did not succeed: PS3.15 A.6
//! allows both. The time is the entry's, and the host the log's origin, so that a message of an
//! entry is the same whenever it is sent. PS3.15 A.6 asks receivers for 32,768 bytes; a message is
//! shorter, whatever its strings.

use super::event::Event;

/// The facility of security and authorisation messages (RFC 5424, 6.2.1).
const FACILITY: u8 = 10;
/// Normal but significant.
const NOTICE: u8 = 5;
/// Something did not succeed.
const WARNING: u8 = 4;
/// What the message is: XML by PS3.15 A.5 (PS3.15 A.6).
const MSGID: &str = "DICOM+RFC3881";
/// The longest HOSTNAME (RFC 5424, section 6).
const HOST_MAX: usize = 255;
/// What every receiver that conforms to PS3.15 A.6 takes, in bytes.
pub const MESSAGE_MAX: usize = 32_768;

/// The syslog message with an XML document.
pub(super) fn message(event: &Event, xml: &str) -> Vec<u8> {
    let severity = if event.outcome() == "0" {
        NOTICE
    } else {
        WARNING
    };
    let priority = FACILITY * 8 + severity;
    let (time, host) = (event.time(), host(&event.place.origin));
    // The mark says that the text is UTF-8 (RFC 5424, 6.4).
    format!("<{priority}>1 {time} {host} radmesh - {MSGID} - \u{feff}{xml}").into_bytes()
}

/// Octet counting (RFC 5425, 4.3.1).
#[must_use]
pub fn frame(message: &[u8]) -> Vec<u8> {
    let mut out = format!("{} ", message.len()).into_bytes();
    out.extend_from_slice(message);
    out
}

/// A HOSTNAME: printable US-ASCII without spaces, or the nil value.
fn host(origin: &str) -> String {
    let printable = origin.chars().filter(char::is_ascii_graphic);
    let host: String = printable.take(HOST_MAX).collect();
    if host.is_empty() {
        "-".to_owned()
    } else {
        host
    }
}
