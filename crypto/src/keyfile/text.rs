//! The lines of a key file that are not secret.

use super::{HEADER, KdfParams, KeyFileError, Protection};
use crate::digest::{Digest, hex_decode_32, hex_encode};

/// The lines above `data`, which are also the associated data.
pub(super) fn write_head(kind: &str, protection: &Protection) -> String {
    let protection = match protection {
        Protection::Passphrase {
            params:
                KdfParams {
                    memory_kib,
                    passes,
                    lanes,
                },
            salt,
        } => {
            let salt = hex_encode(salt);
            format!("argon2id: m={memory_kib} t={passes} p={lanes} salt={salt}")
        }
        Protection::None { check } => format!("unprotected: check={check}"),
    };
    format!("{HEADER}\nkind: {kind}\n{protection}\n")
}

/// Parses line 3.
pub(super) fn parse_protection(line: &str) -> Result<Protection, KeyFileError> {
    let malformed = KeyFileError::Line(3);
    if let Some(check) = line.strip_prefix("unprotected: check=") {
        let check = Digest::from_hex(check).map_err(|_| malformed)?;
        return Ok(Protection::None { check });
    }
    let fields = line.strip_prefix("argon2id: ").ok_or(malformed)?;
    let mut fields = fields.split(' ');
    let mut next = |name: &str| {
        fields
            .next()
            .and_then(|field| field.strip_prefix(name))
            .ok_or(malformed)
    };
    let params = KdfParams {
        memory_kib: parse_number(next("m=")?).ok_or(malformed)?,
        passes: parse_number(next("t=")?).ok_or(malformed)?,
        lanes: parse_number(next("p=")?).ok_or(malformed)?,
    };
    let salt = hex_decode_32(next("salt=")?).map_err(|_| malformed)?;
    if fields.next().is_some() {
        return Err(malformed);
    }
    Ok(Protection::Passphrase {
        params: params.check()?,
        salt,
    })
}

/// Decimal without sign or leading zeros.
fn parse_number(text: &str) -> Option<u32> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if canonical { text.parse().ok() } else { None }
}
