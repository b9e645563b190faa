//! Sealing to one recipient's key: HPKE (RFC 9180), base mode, one message per box.
//!
//! ```text
//! u16be suite ‖ encapsulated key 32 ‖ ciphertext ‖ tag 16
//! ```
//!
//! Suite 1 is DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305. The suite travels with
//! the box so that a post-quantum one can be added under another number.
//!
//! Base mode says nothing about the sender: a box is always carried inside a signed envelope.
//! Auth mode is not used, because whoever steals the *recipient's* key could then forge senders.
//! A box is as forward secret as its recipient key is short-lived: seal to prekeys.

use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::{AgreementPublic, AgreementSecret, KEY_LEN};

/// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305 (RFC 9180, section 7).
pub const SUITE_X25519: u16 = 1;
/// Bytes that a box is longer than its plaintext.
pub const OVERHEAD_LEN: usize = 2 + KEY_LEN + TAG_LEN;

const TAG_LEN: usize = 16;

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Why a box is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HpkeError {
    /// Shorter than [`OVERHEAD_LEN`].
    #[error("the sealed box is cut short")]
    Truncated,
    /// A suite that this program does not speak.
    #[error("suite {0} of the sealed box is not known")]
    UnknownSuite(u16),
    /// Another recipient, other `info` or `aad`, or changed bytes: they cannot be told apart.
    #[error("the sealed box does not open")]
    Open,
}

/// Seals `plaintext` to `recipient`. `info` separates the purpose and context of the key, `aad`
/// is bound to the ciphertext; the recipient must give both byte for byte.
///
/// `rng` yields the ephemeral key (RFC 9180, 4.1): the same randomness for two boxes gives both
/// away.
pub fn seal_to<R: CryptoRng>(
    recipient: &AgreementPublic,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    rng: &mut R,
) -> Vec<u8> {
    let key = PublicKey::from_bytes(recipient.as_bytes()).expect("an X25519 key has 32 bytes");
    let mut sealed = vec![0; OVERHEAD_LEN + plaintext.len()];
    let (suite, rest) = sealed.split_at_mut(2);
    let (enc, rest) = rest.split_at_mut(KEY_LEN);
    let (body, tag) = rest.split_at_mut(plaintext.len());
    body.copy_from_slice(plaintext);
    let (encapped, made) = hpke::single_shot_seal_inout_detached_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &key, info, InOutBuf::from(body), aad, rng)
    // `AgreementPublic` admits no point of small order, so that the agreement cannot be zero, and
    // a slice in memory is shorter than the cipher's limit of 256 GiB.
    .expect("a checked key and a message that fits in memory");
    suite.copy_from_slice(&SUITE_X25519.to_be_bytes());
    enc.copy_from_slice(&encapped.to_bytes());
    tag.copy_from_slice(&made.to_bytes());
    sealed
}

/// Opens a box that was sealed to `secret`'s public half with the same `info` and `aad`.
///
/// # Errors
/// [`HpkeError`]. Which of key, context and bytes was wrong is not knowable.
pub fn open(
    secret: &AgreementSecret,
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, HpkeError> {
    let (suite, rest) = sealed.split_first_chunk().ok_or(HpkeError::Truncated)?;
    let suite = u16::from_be_bytes(*suite);
    if suite != SUITE_X25519 {
        return Err(HpkeError::UnknownSuite(suite));
    }
    let (enc, rest) = rest
        .split_first_chunk::<KEY_LEN>()
        .ok_or(HpkeError::Truncated)?;
    let (body, tag) = rest
        .split_last_chunk::<TAG_LEN>()
        .ok_or(HpkeError::Truncated)?;
    let open_error = |_| HpkeError::Open;
    let key = PrivateKey::from_bytes(&*secret.to_bytes()).map_err(open_error)?;
    let enc = EncappedKey::from_bytes(enc).map_err(open_error)?;
    let tag = AeadTag::<ChaCha20Poly1305>::from_bytes(tag).map_err(open_error)?;
    let mut plaintext = Zeroizing::new(body.to_vec());
    hpke::single_shot_open_inout_detached::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &key,
        &enc,
        info,
        InOutBuf::from(plaintext.as_mut_slice()),
        aad,
        &tag,
    )
    .map_err(open_error)?;
    Ok(plaintext)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use rand_chacha::ChaCha20Rng;
    use rand_core::{SeedableRng as _, TryCryptoRng, TryRng};

    use super::*;

    /// Yields the published ephemeral key material and nothing else.
    struct Published(Vec<u8>);

    impl TryRng for Published {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            unreachable!("key material is drawn as bytes")
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            unreachable!("key material is drawn as bytes")
        }

        fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
            dst.copy_from_slice(&self.0);
            Ok(())
        }
    }

    impl TryCryptoRng for Published {}

    fn recipient() -> AgreementSecret {
        AgreementSecret::from_bytes(&[9; 32])
    }

    fn sealed() -> Vec<u8> {
        let rng = &mut ChaCha20Rng::from_seed([1; 32]);
        seal_to(&recipient().public(), b"info", b"aad", b"release key", rng)
    }

    #[test]
    fn rfc_9180_a_2_1_base_mode() {
        let unhex = |text: &str| hex::decode(text).unwrap();
        let info = unhex("4f6465206f6e2061204772656369616e2055726e");
        let secret = unhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
        let public = unhex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
        let ephemeral = unhex("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b");
        let plaintext = b"Beauty is truth, truth beauty";
        let expected = unhex(concat!(
            "0001",
            "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
            "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db",
            "21993c62ce81883d2dd1b51a28",
        ));
        let secret = AgreementSecret::from_bytes(&secret.try_into().unwrap());
        assert_eq!(secret.public().as_bytes().as_slice(), public);
        let rng = &mut Published(ephemeral);
        assert_eq!(
            seal_to(&secret.public(), &info, b"Count-0", plaintext, rng),
            expected
        );
        assert_eq!(
            **open(&secret, &info, b"Count-0", &expected).unwrap(),
            *plaintext
        );
    }

    #[test]
    fn key_info_and_aad_must_all_match() {
        let sealed = sealed();
        assert_eq!(sealed.len(), OVERHEAD_LEN + 11);
        assert_eq!(
            **open(&recipient(), b"info", b"aad", &sealed).unwrap(),
            *b"release key"
        );
        let other = AgreementSecret::from_bytes(&[8; 32]);
        let refused = [
            open(&other, b"info", b"aad", &sealed),
            open(&recipient(), b"inf0", b"aad", &sealed),
            open(&recipient(), b"info", b"", &sealed),
            // Moving a byte between the two must not go unnoticed.
            open(&recipient(), b"infoa", b"ad", &sealed),
        ];
        for answer in refused {
            assert_eq!(answer.unwrap_err(), HpkeError::Open);
        }
    }

    #[test]
    fn every_cut_addition_and_flipped_bit_is_refused() {
        let sealed = sealed();
        let refused = |bytes: &[u8]| open(&recipient(), b"info", b"aad", bytes).unwrap_err();
        for len in 0..sealed.len() {
            let expected = if len < OVERHEAD_LEN {
                HpkeError::Truncated
            } else {
                HpkeError::Open
            };
            assert_eq!(refused(&sealed[..len]), expected, "{len}");
        }
        assert_eq!(refused(&[&sealed[..], &[0]].concat()), HpkeError::Open);
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                0 | 1 => HpkeError::UnknownSuite(u16::from_be_bytes([changed[0], changed[1]])),
                _ => HpkeError::Open,
            };
            assert_eq!(refused(&changed), expected, "bit {bit}");
        }
    }

    #[test]
    fn a_known_agreement_is_refused() {
        // A small-order encapsulated key makes the shared secret zero (RFC 9180, 7.1.4).
        for first in [0, 1] {
            let mut sealed = sealed();
            sealed[2..34].fill(0);
            sealed[2] = first;
            let answer = open(&recipient(), b"info", b"aad", &sealed);
            assert_eq!(answer.unwrap_err(), HpkeError::Open);
        }
    }

    #[test]
    fn two_boxes_of_one_message_share_nothing() {
        let rng = &mut ChaCha20Rng::from_seed([1; 32]);
        let mut seal = || seal_to(&recipient().public(), b"", b"", b"", rng);
        let (first, second) = (seal(), seal());
        assert_eq!(first.len(), OVERHEAD_LEN);
        assert_ne!(first[2..34], second[2..34]);
        assert_ne!(first[34..], second[34..]);
    }
}
