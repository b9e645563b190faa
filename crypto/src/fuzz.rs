//! One entry per parser of outside bytes, for fuzzers and for replaying their corpora.
//!
//! Each takes arbitrary bytes, must return, and panics only if a promise is broken.

use crate::envelope::{Envelope, MAX_ENCODED_LEN};
use crate::keyfile::KeyFile;
use crate::keys::{AgreementPublic, AgreementSecret, SymmetricKey, VerifyingKey};
use crate::segment::{
    Opener, SALT_LEN, SegmentCipher, StreamLength, plain_len_of, sealed_len, segment_count,
    segment_range,
};
use crate::{digest, hpke};

/// Whatever decodes has one encoding, and verification of it returns.
pub fn fuzz_envelope(data: &[u8]) {
    let Ok(envelope) = Envelope::decode(data) else {
        return;
    };
    assert!(data.len() <= MAX_ENCODED_LEN);
    assert_eq!(envelope.encode(), data, "an envelope with two encodings");
    if let Ok(signers) = envelope.verify(&envelope.payload_type) {
        assert_eq!(
            signers.len(),
            envelope.signatures.len(),
            "a signer counted twice"
        );
    }
}

/// Whatever parses is bounded; derives no key, so that a run stays fast.
pub fn fuzz_keyfile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(file) = KeyFile::parse(text) else {
        return;
    };
    if !file.is_protected()
        && let Ok(secret) = file.reveal()
    {
        let written = KeyFile::plain(file.kind(), &secret).expect("what was read can be written");
        assert_eq!(*written, text, "a key file with two texts");
    }
}

/// No bytes open that were not sealed to this key.
pub fn fuzz_hpke(data: &[u8]) {
    let secret = AgreementSecret::from_bytes(&[7; 32]);
    let _ = hpke::open(&secret, b"fuzz", b"", data);
}

/// Keys and digests have one spelling.
pub fn fuzz_keys(data: &[u8]) {
    if let Some(bytes) = data.first_chunk::<32>() {
        if let Ok(key) = VerifyingKey::from_bytes(bytes) {
            assert_eq!(VerifyingKey::from_hex(&key.to_hex()), Ok(key));
        }
        if let Ok(key) = AgreementPublic::from_bytes(bytes) {
            assert_eq!(key.as_bytes(), bytes);
        }
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(parsed) = digest::Digest::from_hex(text)
    {
        assert_eq!(parsed.to_hex(), text, "a digest with two spellings");
    }
}

/// A sealed file of any bytes has a consistent layout or none, and does not open.
pub fn fuzz_segments(data: &[u8]) {
    let Some(plain_len) = plain_len_of(data.len() as u64) else {
        return;
    };
    assert_eq!(
        sealed_len(plain_len),
        data.len() as u64,
        "two layouts for one file"
    );
    let Some(salt) = data.first_chunk::<SALT_LEN>() else {
        return;
    };
    let key = SymmetricKey::from_bytes(&[7; 32]);
    let cipher = SegmentCipher::new(&key, [7; 16], *salt, StreamLength::Unknown);
    let opener = Opener::new(cipher, plain_len).expect("a layout within bounds");
    for index in 0..segment_count(plain_len) {
        let range = segment_range(plain_len, index);
        let mut segment = data[range.start as usize..range.end as usize].to_vec();
        let _ = opener.open(index, &mut segment);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_entry_panics_on_noise(data in prop::collection::vec(any::<u8>(), 0..512)) {
            fuzz_envelope(&data);
            fuzz_keyfile(&data);
            fuzz_hpke(&data);
            fuzz_keys(&data);
            fuzz_segments(&data);
        }
    }
}
