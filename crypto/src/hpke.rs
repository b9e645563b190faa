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
