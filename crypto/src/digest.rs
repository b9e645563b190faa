//! SHA-256 digests, labelled and keyed digests, and the one list of their labels.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::keys::SymmetricKey;

/// Bytes in a digest.
pub const DIGEST_LEN: usize = 32;

/// Every label that [`tagged`] or [`hmac()`] is called with, in any crate.
///
/// A label says what a digest means. Two purposes never share one, so a digest made for one
/// purpose cannot be passed off as another's. A changed meaning takes a new number, not new bytes
/// under the old one.
pub mod labels {
    /// Commitment to an object's sealing key and internal id (`segment::key_commitment`).
    pub const OBJECT_KEY_COMMITMENT: &str = "radmesh/object-key-commitment/1";

    /// Check of a key file without a passphrase (`keyfile`): catches damage, keeps no one out.
    pub const KEY_FILE_CHECK: &str = "radmesh/key-file-check/1";

    /// A field of a log entry (`protocol::audit::entry`).
    pub const COMMITMENT: &str = "radmesh/entry-commitment/1";
    /// A release manifest's root (`protocol::transfer::manifest`).
    pub const MANIFEST_ROOT: &str = "radmesh/manifest-root/1";
    /// Commitment to a release key (`protocol::document::grant`).
    pub const RELEASE_KEY_COMMITMENT: &str = "radmesh/release-key-commitment/1";
    /// A salted plaintext digest (`protocol::transfer::manifest`).
    pub const PLAINTEXT: &str = "radmesh/plaintext/1";
    /// A hospital's identifier for a study (HMAC of its Study Instance UID).
    pub const STUDY_ID: &str = "radmesh/study-id/1";
    /// A hospital's identifier for an order (HMAC of its accession number and patient).
    pub const ORDER_ID: &str = "radmesh/order-id/1";
    /// A hospital's identifier for a patient (HMAC of the identifier with its issuer).
    pub const SUBJECT_ID: &str = "radmesh/subject-id/1";

    /// All labels above; a test holds them unique and well formed.
    pub const ALL: &[&str] = &[
        OBJECT_KEY_COMMITMENT,
        KEY_FILE_CHECK,
        COMMITMENT,
        MANIFEST_ROOT,
        RELEASE_KEY_COMMITMENT,
        PLAINTEXT,
        STUDY_ID,
        ORDER_ID,
        SUBJECT_ID,
    ];
}

/// A SHA-256 output, or an HMAC-SHA-256 output that is stored or compared as a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; DIGEST_LEN]);

/// Why a text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DigestError {
    /// Not exactly 64 characters.
    #[error("a digest is 64 hexadecimal characters, not {0}")]
    Length(usize),
    /// A character other than `0-9a-f`. Upper case is refused: a digest has one spelling.
    #[error("character {0} of the digest is not lower-case hexadecimal")]
    Character(usize),
}

impl Digest {
    /// SHA-256 of `bytes` (FIPS 180-4).
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; DIGEST_LEN] {
        &self.0
    }

    /// Parses 64 lower-case hexadecimal characters.
    ///
    /// # Errors
    /// [`DigestError`] says whether the length or a character is wrong.
    pub fn from_hex(text: &str) -> Result<Self, DigestError> {
        hex_decode_32(text).map(Self)
    }

    /// 64 lower-case hexadecimal characters.
    pub fn to_hex(&self) -> String {
        hex_encode(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// SHA-256 over bytes that arrive in pieces (a file that does not fit in memory).
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// An empty hash.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces, equal to [`Digest::sha256`] of their concatenation.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// SHA-256(u16be label length ‖ label ‖ for each part: u64be length ‖ part).
///
/// Lengths are part of the input, so moving a byte from one part to its neighbour changes the
/// digest, and so does adding an empty part.
pub fn tagged(label: &'static str, parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    frame(label, parts, |bytes| hash.update(bytes));
    Digest(hash.finalize().into())
}

/// HMAC-SHA-256 under `key` over the same framing as [`tagged`].
///
/// Use it wherever the input could be guessed (UIDs, patient numbers, accession numbers).
pub fn hmac(key: &SymmetricKey, label: &'static str, parts: &[&[u8]]) -> Digest {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes())
        .expect("HMAC takes a key of any length");
    frame(label, parts, |bytes| mac.update(bytes));
    Digest(mac.finalize().into_bytes().into())
}

fn frame(label: &'static str, parts: &[&[u8]], mut feed: impl FnMut(&[u8])) {
    let label_len = u16::try_from(label.len()).expect("labels are short constants of this program");
    feed(&label_len.to_be_bytes());
    feed(label.as_bytes());
    for part in parts {
        feed(&(part.len() as u64).to_be_bytes());
        feed(part);
    }
}

/// Lower-case hexadecimal of `bytes`. Not constant time: for public values only.
pub(crate) fn hex_encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// 64 lower-case hexadecimal characters to 32 bytes. For public values only.
pub(crate) fn hex_decode_32(text: &str) -> Result<[u8; 32], DigestError> {
    let text = text.as_bytes();
    if text.len() != 64 {
        return Err(DigestError::Length(text.len()));
    }
    let nibble = |at: usize| match text[at] {
        digit @ b'0'..=b'9' => Ok(digit - b'0'),
        digit @ b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(DigestError::Character(at)),
    };
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = nibble(2 * index)? << 4 | nibble(2 * index + 1)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &str = "radmesh/test/1";

    #[test]
    fn sha256_of_abc() {
        // FIPS 180-4, example "abc".
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::sha256(b"abc").to_hex(), text);
        assert_eq!(Digest::from_hex(text), Ok(Digest::sha256(b"abc")));
        assert_eq!(format!("{:?}", Digest::sha256(b"abc")), text);
        let mut hasher = Hasher::new();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), Digest::sha256(b"abc"));
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let text = Digest::sha256(b"abc").to_hex();
        assert_eq!(Digest::from_hex(&text[1..]), Err(DigestError::Length(63)));
        assert_eq!(
            Digest::from_hex(&text.to_uppercase()),
            Err(DigestError::Character(0))
        );
        let spaced = text.replacen('a', " ", 1);
        assert_eq!(Digest::from_hex(&spaced), Err(DigestError::Character(1)));
    }

    #[test]
    fn tagged_is_the_documented_framing() {
        let mut bytes = vec![0, 14];
        bytes.extend_from_slice(b"radmesh/test/1");
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 2, b'a', b'b']);
        bytes.extend_from_slice(&[0; 8]);
        assert_eq!(tagged(LABEL, &[b"ab", b""]), Digest::sha256(&bytes));
    }

    #[test]
    fn hmac_is_hmac_over_the_same_framing() {
        // RFC 2104 by hand: H(K ^ opad ‖ H(K ^ ipad ‖ text)), K padded to a block of 64.
        let key = SymmetricKey::from_bytes(&[0x0b; 32]);
        let pad = |with: u8| {
            let mut block = [with; 64];
            block[..32].fill(0x0b ^ with);
            block.to_vec()
        };
        let mut inner = pad(0x36);
        inner.extend_from_slice(&[0, 14]);
        inner.extend_from_slice(LABEL.as_bytes());
        inner.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 2, b'a', b'b']);
        let mut outer = pad(0x5c);
        outer.extend_from_slice(Digest::sha256(&inner).as_bytes());
        assert_eq!(hmac(&key, LABEL, &[b"ab"]), Digest::sha256(&outer));
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        let key = SymmetricKey::from_bytes(&[1; 32]);
        let inputs: [&[&[u8]]; 5] = [
            &[b"ab", b"c"],
            &[b"a", b"bc"],
            &[b"abc"],
            &[b"abc", b""],
            &[],
        ];
        for (index, left) in inputs.iter().enumerate() {
            for right in &inputs[index + 1..] {
                assert_ne!(tagged(LABEL, left), tagged(LABEL, right));
                assert_ne!(hmac(&key, LABEL, left), hmac(&key, LABEL, right));
            }
        }
        assert_ne!(tagged(LABEL, &[b"a"]), tagged("radmesh/test/2", &[b"a"]));
        let other = SymmetricKey::from_bytes(&[2; 32]);
        assert_ne!(hmac(&key, LABEL, &[b"a"]), hmac(&other, LABEL, &[b"a"]));
    }

    #[test]
    fn labels_are_unique_and_carry_a_version() {
        for (index, label) in labels::ALL.iter().enumerate() {
            assert!(
                !labels::ALL[..index].contains(label),
                "{label} stands twice"
            );
            let version = label
                .strip_prefix("radmesh/")
                .and_then(|rest| rest.rsplit_once('/'));
            assert!(
                version.is_some_and(|(_, n)| n.parse::<u8>().is_ok()),
                "{label}"
            );
        }
    }
}
