//! Ed25519 signing keys, X25519 agreement keys and symmetric keys.
//!
//! One key, one use: transport, log, hospital, council, person and desk prekey are separate keys,
//! and none is ever converted between curves. Secrets have no `Debug`, no `Clone`, and are
//! overwritten when dropped.

#[cfg(test)]
mod tests;

use std::fmt;

use ed25519_dalek::Signer as _;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::digest::{DigestError, hex_decode_32, hex_encode};

/// Bytes in any key of this module.
pub const KEY_LEN: usize = 32;
/// Bytes in an Ed25519 signature.
pub const SIGNATURE_LEN: usize = 64;

/// Why a key or a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The text is not 64 lower-case hexadecimal characters.
    #[error("the key's text is malformed: {0}")]
    Text(#[from] DigestError),
    /// The bytes are no point of the curve.
    #[error("the bytes are not a point of the curve")]
    InvalidPoint,
    /// A second spelling of a key that has a shorter, canonical one.
    #[error("the key is not in its canonical encoding")]
    NonCanonical,
    /// A point of small order: anybody can sign for it, or the agreed secret is known to all.
    #[error("the key has small order")]
    WeakKey,
    /// The signature does not verify under strict rules.
    #[error("the signature does not verify")]
    BadSignature,
}

/// An Ed25519 secret key (RFC 8032).
#[derive(ZeroizeOnDrop)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// A fresh key from the caller's randomness.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = Zeroizing::new([0; KEY_LEN]);
        rng.fill_bytes(&mut *seed);
        Self::from_seed(&seed)
    }

    /// The key whose RFC 8032 private key is `seed`.
    pub fn from_seed(seed: &[u8; KEY_LEN]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The RFC 8032 private key, for sealing into a key file and nothing else.
    pub fn seed(&self) -> Zeroizing<[u8; KEY_LEN]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// A deterministic signature over `message` (RFC 8032, section 5.1.6).
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(message).to_bytes()
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key().to_bytes())
    }
}

/// An Ed25519 public key, checked when it was made: a canonical point that is not of small order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifyingKey([u8; KEY_LEN]);

impl VerifyingKey {
    /// Checks and takes 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::InvalidPoint`], [`KeyError::NonCanonical`] or [`KeyError::WeakKey`].
    pub fn from_bytes(bytes: &[u8; KEY_LEN]) -> Result<Self, KeyError> {
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::InvalidPoint)?;
        // RFC 8032, 5.1.3 refuses y >= p and a sign on x = 0; the decompression does not.
        if key.to_edwards().compress().to_bytes() != *bytes {
            return Err(KeyError::NonCanonical);
        }
        if key.is_weak() {
            return Err(KeyError::WeakKey);
        }
        Ok(Self(*bytes))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// Parses 64 lower-case hexadecimal characters.
    ///
    /// # Errors
    /// [`KeyError::Text`], or what [`Self::from_bytes`] refuses.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&hex_decode_32(text)?)
    }

    /// 64 lower-case hexadecimal characters.
    pub fn to_hex(&self) -> String {
        hex_encode(&self.0)
    }

    /// Verifies a signature so that every strict verifier gives the same answer.
    ///
    /// Refuses an `s` that is not reduced, and a small-order or non-canonical `R`: signatures are
    /// kept as legal evidence, and must not be accepted by one reader and refused by the next.
    ///
    /// # Errors
    /// [`KeyError::BadSignature`], whichever check failed.
    pub fn verify_strict(
        &self,
        message: &[u8],
        signature: &[u8; SIGNATURE_LEN],
    ) -> Result<(), KeyError> {
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(&self.0).map_err(|_| KeyError::InvalidPoint)?;
        key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature))
            .map_err(|_| KeyError::BadSignature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// An X25519 secret key (RFC 7748): the private half of an HPKE recipient key.
#[derive(ZeroizeOnDrop)]
pub struct AgreementSecret(StaticSecret);

impl AgreementSecret {
    /// A fresh key from the caller's randomness.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        rng.fill_bytes(&mut *bytes);
        Self::from_bytes(&bytes)
    }

    /// Takes any 32 bytes; clamping happens when the key is used (RFC 7748, section 5).
    pub fn from_bytes(bytes: &[u8; KEY_LEN]) -> Self {
        Self(StaticSecret::from(*bytes))
    }

    /// The secret bytes, for sealing into a key file and for decapsulation.
    pub fn to_bytes(&self) -> Zeroizing<[u8; KEY_LEN]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> AgreementPublic {
        AgreementPublic(PublicKey::from(&self.0).to_bytes())
    }
}

/// An X25519 public key, checked when it was made: canonical and not of small order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgreementPublic([u8; KEY_LEN]);

impl AgreementPublic {
    /// Checks and takes 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::NonCanonical`] for u >= 2^255 - 19 or a set top bit, [`KeyError::WeakKey`] for
    /// a point with which every agreement yields zero (RFC 9180, section 7.1.4).
    pub fn from_bytes(bytes: &[u8; KEY_LEN]) -> Result<Self, KeyError> {
        let above_p = bytes[0] >= 0xed && bytes[1..31].iter().all(|b| *b == 0xff);
        if bytes[31] > 0x7f || (bytes[31] == 0x7f && above_p) {
            return Err(KeyError::NonCanonical);
        }
        // A clamped scalar is a multiple of eight, so small-order points and no others give zero.
        let probe = StaticSecret::from([1; KEY_LEN]);
        if !probe
            .diffie_hellman(&PublicKey::from(*bytes))
            .was_contributory()
        {
            return Err(KeyError::WeakKey);
        }
        Ok(Self(*bytes))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// 64 lower-case hexadecimal characters.
    pub fn to_hex(&self) -> String {
        hex_encode(&self.0)
    }
}

impl fmt::Debug for AgreementPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// A 256-bit secret for sealing, wrapping or keyed hashing. Equality takes constant time.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SymmetricKey([u8; KEY_LEN]);

impl SymmetricKey {
    /// A fresh key from the caller's randomness.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut key = Self([0; KEY_LEN]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// Takes a copy; the caller's own copy is the caller's to overwrite.
    pub fn from_bytes(bytes: &[u8; KEY_LEN]) -> Self {
        Self(*bytes)
    }

    /// The secret bytes.
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl PartialEq for SymmetricKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SymmetricKey {}
