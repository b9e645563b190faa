//! Sealing a value that rests outside the segment files: index records, payloads, the root key.
//!
//! XChaCha20-Poly1305 with a random 24-byte nonce. One key seals records for years, so their
//! number has no bound we could state; with ChaCha20-Poly1305's 12-byte nonce, random choice is
//! safe for some 2^32 records only. Deriving a key per record by HKDF would do as well, and is
//! what XChaCha's HChaCha20 step is, in one primitive and one place.
//!
//! Sealed bytes: nonce (24) ‖ ciphertext ‖ tag (16). What the value is and where it lies goes into
//! the associated data, so that a record copied to another key of the index does not open.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use crypto::keys::SymmetricKey;
use zeroize::Zeroizing;

use super::random::{self, EntropyError};

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// How many bytes a sealed value is longer than its plaintext.
pub const OVERHEAD_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// The sealed bytes were changed, moved, cut, or sealed under another key: which of these, an
/// AEAD does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("seal is broken")]
pub struct BrokenSeal;

/// Seals `plaintext` under `key`, bound to `place`.
///
/// # Errors
/// `EntropyError` when the operating system gives no randomness.
pub fn seal(key: &SymmetricKey, place: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, EntropyError> {
    let nonce: [u8; NONCE_BYTES] = random::bytes()?;
    let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD_BYTES);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plaintext);
    let tag = XChaCha20Poly1305::new(key.as_bytes().into())
        .encrypt_inout_detached(
            &XNonce::from(nonce),
            place,
            (&mut sealed[NONCE_BYTES..]).into(),
        )
        .expect("a value is shorter than the 256 GiB that ChaCha20 can seal");
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// Opens what [`seal`] made for the same key and place.
///
/// # Errors
/// `BrokenSeal`.
pub fn open(
    key: &SymmetricKey,
    place: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, BrokenSeal> {
    let (nonce, rest) = sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(BrokenSeal)?;
    let (body, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(BrokenSeal)?;
    let mut plaintext = Zeroizing::new(body.to_vec());
    XChaCha20Poly1305::new(key.as_bytes().into())
        .decrypt_inout_detached(
            &XNonce::from(*nonce),
            place,
            plaintext.as_mut_slice().into(),
            &Tag::from(*tag),
        )
        .map_err(|_| BrokenSeal)?;
    Ok(plaintext)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SymmetricKey {
        SymmetricKey::from_bytes(&[byte; 32])
    }

    #[test]
    fn opens_only_whole_in_place_and_under_its_key() {
        let sealed = seal(&key(1), b"here", b"value").unwrap();
        assert_eq!(sealed.len(), 5 + OVERHEAD_BYTES);
        assert_eq!(
            open(&key(1), b"here", &sealed).unwrap().as_slice(),
            b"value"
        );
        assert_eq!(open(&key(2), b"here", &sealed), Err(BrokenSeal));
        assert_eq!(open(&key(1), b"there", &sealed), Err(BrokenSeal));
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(
                open(&key(1), b"here", &flipped),
                Err(BrokenSeal),
                "byte {at}"
            );
            assert_eq!(
                open(&key(1), b"here", &sealed[..at]),
                Err(BrokenSeal),
                "cut {at}"
            );
        }
    }

    #[test]
    fn two_seals_of_one_value_differ() {
        let first = seal(&key(1), b"", b"").unwrap();
        assert_ne!(first, seal(&key(1), b"", b"").unwrap());
        assert!(open(&key(1), b"", &first).unwrap().is_empty());
    }

    /// The AEAD vector of draft-irtf-cfrg-xchacha-03, appendix A.3.1, through `open`.
    #[test]
    fn published_vector() {
        let mut key_bytes = [0; 32];
        for (at, byte) in key_bytes.iter_mut().enumerate() {
            *byte = 0x80 + at as u8;
        }
        let mut sealed: Vec<u8> = (0x40..0x58).collect();
        sealed.extend(hex(concat!(
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb",
            "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452",
            "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9",
            "21f9664c97637da9768812f615c68b13b52e",
            "c0875924c1c7987947deafd8780acf49",
        )));
        let place = hex("50515253c0c1c2c3c4c5c6c7");
        let opened = open(&SymmetricKey::from_bytes(&key_bytes), &place, &sealed).unwrap();
        assert!(opened.starts_with(b"Ladies and Gentlemen of the class of '99"));
        assert!(opened.ends_with(b"sunscreen would be it."));
    }

    fn hex(text: &str) -> Vec<u8> {
        let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
        text.as_bytes()
            .chunks(2)
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect()
    }
}
