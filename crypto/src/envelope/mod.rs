//! Signed envelopes: the exact bytes that were signed, with who signed them.
//!
//! The signature covers DSSE's pre-authentication encoding ([`pae`]), so a payload of one type
//! cannot be presented as another. The container is a strict binary one: every envelope has one
//! encoding, and it is stored and forwarded as received, never re-encoded.
//!
//! ```text
//! "RME1" ‖ u16be type length ‖ type ‖ u32be payload length ‖ payload
//!        ‖ u8 n ‖ n × ( key 32 ‖ signature 64 ), keys strictly ascending
//! ```

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use thiserror::Error;

use crate::digest::Digest;
use crate::keys::{KEY_LEN, KeyError, SIGNATURE_LEN, SigningKey, VerifyingKey};

/// First bytes of an encoded envelope; the digit is the format's version.
pub const MAGIC: &[u8; 4] = b"RME1";
/// Longest payload type in bytes: room for a media type with a version.
pub const MAX_TYPE_LEN: usize = 128;
/// Longest payload in bytes. The largest signed record is a membership list; pixels never travel
/// in an envelope.
pub const MAX_PAYLOAD_LEN: usize = 1 << 20;
/// Most signatures: a council of 16. Verifying them all over the longest payload takes tens of
/// milliseconds, which bounds what a hostile peer can make us do.
pub const MAX_SIGNATURES: usize = 16;
/// Longest encoded envelope in bytes; a reader allocates no more than this.
pub const MAX_ENCODED_LEN: usize =
    4 + 2 + MAX_TYPE_LEN + 4 + MAX_PAYLOAD_LEN + 1 + MAX_SIGNATURES * (KEY_LEN + SIGNATURE_LEN);

/// Why an envelope is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// The bytes end inside a field.
    #[error("the envelope is cut short")]
    Truncated,
    /// The bytes do not start with [`MAGIC`].
    #[error("not an envelope of a known version")]
    Magic,
    /// The payload type is empty or longer than [`MAX_TYPE_LEN`].
    #[error("a payload type has 1 to 128 characters, not {0}")]
    TypeLength(usize),
    /// The payload type has a character outside `!` to `~`.
    #[error("character {0} of the payload type is not visible ASCII")]
    TypeCharacter(usize),
    /// The payload is longer than [`MAX_PAYLOAD_LEN`].
    #[error("the payload has {0} bytes, more than an envelope may carry")]
    PayloadLength(usize),
    /// No signature at all.
    #[error("the envelope is not signed")]
    Unsigned,
    /// More than [`MAX_SIGNATURES`].
    #[error("{0} signatures are more than an envelope may carry")]
    TooManySignatures(usize),
    /// The keys are not strictly ascending: a second encoding, or one signer counted twice.
    #[error("the signatures are not in order of their keys, or a key signed twice")]
    SignatureOrder,
    /// Bytes after the last signature.
    #[error("{0} bytes follow the envelope")]
    TrailingBytes(usize),
    /// The key of a signature is refused.
    #[error("signature {index}: {error}")]
    Key {
        /// Position of the signature, from 0.
        index: usize,
        /// What is wrong with its key.
        error: KeyError,
    },
    /// The payload type is not the one asked for.
    #[error("the envelope holds another type of payload")]
    WrongType,
    /// A signature does not verify. One bad signature refuses the whole envelope.
    #[error("the signature by {0} does not verify")]
    BadSignature(VerifyingKey),
    /// The wanted signer is not among the signers.
    #[error("{0} did not sign the envelope")]
    NotSignedBy(VerifyingKey),
    /// Fewer allowed signers than the threshold, or a threshold of zero.
    #[error("{have} of the allowed keys signed, {need} must")]
    Threshold {
        /// Allowed keys that signed.
        have: usize,
        /// Allowed keys that must sign.
        need: usize,
    },
}

/// One signature over [`pae`] of the envelope's type and payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Who signed.
    pub key: VerifyingKey,
    /// Ed25519 (RFC 8032).
    pub signature: [u8; SIGNATURE_LEN],
}

/// A typed payload and its signatures. Made by [`Envelope::sign`], [`Envelope::new`] or
/// [`Envelope::decode`], which all hold the bounds of this module.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// What the payload is; visible ASCII, ends in a version.
    pub payload_type: String,
    /// The exact bytes that were signed.
    pub payload: Vec<u8>,
    /// In ascending order of their keys.
    pub signatures: Vec<Signature>,
}

/// DSSE pre-authentication encoding, version 1: the bytes that are signed.
///
/// `"DSSEv1" SP len(type) SP type SP len(payload) SP payload`, lengths in decimal without leading
/// zeros (DSSE protocol.md, "Signature Definition").
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    let mut encoded = Vec::with_capacity(head.len() + payload.len());
    encoded.extend_from_slice(head.as_bytes());
    encoded.extend_from_slice(payload);
    encoded
}

/// Names an envelope: SHA-256 of its exact bytes, signatures included.
///
/// A log entry that holds this digest commits to the envelope as it was sent.
pub fn digest_of(encoded: &[u8]) -> Digest {
    Digest::sha256(encoded)
}

impl Envelope {
    /// Puts together an envelope whose signatures were made elsewhere (a token, a key service, an
    /// offline council member), over [`pae`]. Signatures may come in any order; they are not
    /// verified here.
    ///
    /// # Errors
    /// What [`Self::decode`] would refuse in the encoding.
    pub fn new(
        payload_type: &str,
        payload: Vec<u8>,
        mut signatures: Vec<Signature>,
    ) -> Result<Self, EnvelopeError> {
        check_type(payload_type.as_bytes())?;
        check_payload_len(payload.len())?;
        check_signature_count(signatures.len())?;
        signatures.sort_by_key(|signature| signature.key);
        check_order(&signatures)?;
        Ok(Self {
            payload_type: payload_type.to_owned(),
            payload,
            signatures,
        })
    }

    /// Signs `payload` with each of `keys`.
    ///
    /// # Errors
    /// A bound of this module, [`EnvelopeError::Unsigned`] without a key, and
    /// [`EnvelopeError::SignatureOrder`] if a key is given twice.
    pub fn sign(
        payload_type: &str,
        payload: Vec<u8>,
        keys: &[&SigningKey],
    ) -> Result<Self, EnvelopeError> {
        check_type(payload_type.as_bytes())?;
        check_payload_len(payload.len())?;
        check_signature_count(keys.len())?;
        let message = pae(payload_type, &payload);
        let by = |key: &&SigningKey| Signature {
            key: key.verifying_key(),
            signature: key.sign(&message),
        };
        Self::new(payload_type, payload, keys.iter().map(by).collect())
    }

    /// Adds a signature that was made elsewhere over [`pae`] of this type and payload.
    ///
    /// # Errors
    /// [`EnvelopeError::BadSignature`], [`EnvelopeError::SignatureOrder`] if this key signed
    /// before, [`EnvelopeError::TooManySignatures`].
    pub fn add(&mut self, signature: Signature) -> Result<(), EnvelopeError> {
        signature
            .key
            .verify_strict(
                &pae(&self.payload_type, &self.payload),
                &signature.signature,
            )
            .map_err(|_| EnvelopeError::BadSignature(signature.key))?;
        check_signature_count(self.signatures.len() + 1)?;
        match self
            .signatures
            .binary_search_by_key(&signature.key, |other| other.key)
        {
            Ok(_) => Err(EnvelopeError::SignatureOrder),
            Err(place) => {
                self.signatures.insert(place, signature);
                Ok(())
            }
        }
    }

    /// The one encoding of this envelope.
    pub fn encode(&self) -> Vec<u8> {
        let signatures_len = self.signatures.len() * (KEY_LEN + SIGNATURE_LEN);
        let fixed = MAGIC.len() + 2 + 4 + 1;
        let mut out = Vec::with_capacity(
            fixed + self.payload_type.len() + self.payload.len() + signatures_len,
        );
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(self.payload_type.len() as u16).to_be_bytes());
        out.extend_from_slice(self.payload_type.as_bytes());
        out.extend_from_slice(&(self.payload.len() as u32).to_be_bytes());
        out.extend_from_slice(&self.payload);
        out.push(self.signatures.len() as u8);
        for Signature { key, signature } in &self.signatures {
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(signature);
        }
        out
    }

    /// Decodes the one accepted encoding; whatever is accepted re-encodes to the same bytes.
    /// Signatures are not verified here.
    ///
    /// # Errors
    /// [`EnvelopeError`] names the first field that is wrong.
    pub fn decode(encoded: &[u8]) -> Result<Self, EnvelopeError> {
        let mut reader = Reader(encoded);
        if reader.array::<4>()? != *MAGIC {
            return Err(EnvelopeError::Magic);
        }
        let type_len = usize::from(u16::from_be_bytes(reader.array()?));
        check_type_len(type_len)?;
        let payload_type = check_type(reader.take(type_len)?)?.to_owned();
        let payload_len = u32::from_be_bytes(reader.array()?) as usize;
        check_payload_len(payload_len)?;
        let payload = reader.take(payload_len)?.to_vec();
        let [count] = reader.array()?;
        check_signature_count(usize::from(count))?;
        let mut signatures = Vec::with_capacity(usize::from(count));
        for index in 0..usize::from(count) {
            let key = VerifyingKey::from_bytes(&reader.array()?)
                .map_err(|error| EnvelopeError::Key { index, error })?;
            signatures.push(Signature {
                key,
                signature: reader.array()?,
            });
        }
        check_order(&signatures)?;
        match reader.0.len() {
            0 => Ok(Self {
                payload_type,
                payload,
                signatures,
            }),
            trailing => Err(EnvelopeError::TrailingBytes(trailing)),
        }
    }

    /// Verifies every signature strictly and returns who signed.
    ///
    /// Being signed says nothing about being allowed: check the keys, or use
    /// [`Self::verify_by`] or [`Self::verify_threshold`].
    ///
    /// # Errors
    /// [`EnvelopeError::WrongType`], [`EnvelopeError::BadSignature`] for the first signature that
    /// fails, [`EnvelopeError::Unsigned`], [`EnvelopeError::SignatureOrder`].
    pub fn verify(&self, expected_type: &str) -> Result<BTreeSet<VerifyingKey>, EnvelopeError> {
        if self.payload_type != expected_type {
            return Err(EnvelopeError::WrongType);
        }
        check_signature_count(self.signatures.len())?;
        check_order(&self.signatures)?;
        let message = pae(&self.payload_type, &self.payload);
        for Signature { key, signature } in &self.signatures {
            key.verify_strict(&message, signature)
                .map_err(|_| EnvelopeError::BadSignature(*key))?;
        }
        Ok(self
            .signatures
            .iter()
            .map(|signature| signature.key)
            .collect())
    }

    /// Verifies every signature, and that `signer` is among the signers.
    ///
    /// # Errors
    /// As [`Self::verify`], and [`EnvelopeError::NotSignedBy`].
    pub fn verify_by(
        &self,
        expected_type: &str,
        signer: &VerifyingKey,
    ) -> Result<(), EnvelopeError> {
        // Looked up first: a stranger's envelope costs no signature check.
        if self
            .signatures
            .iter()
            .all(|signature| signature.key != *signer)
        {
            return Err(EnvelopeError::NotSignedBy(*signer));
        }
        self.verify(expected_type).map(|_| ())
    }

    /// Verifies every signature, and that at least `threshold` of `allowed` signed. Returns the
    /// allowed keys that signed; signatures by others are verified but do not count.
    ///
    /// # Errors
    /// As [`Self::verify`], and [`EnvelopeError::Threshold`], always for a threshold of zero.
    pub fn verify_threshold(
        &self,
        expected_type: &str,
        allowed: &BTreeSet<VerifyingKey>,
        threshold: usize,
    ) -> Result<BTreeSet<VerifyingKey>, EnvelopeError> {
        let mut signers = self.verify(expected_type)?;
        signers.retain(|key| allowed.contains(key));
        if threshold == 0 || signers.len() < threshold {
            return Err(EnvelopeError::Threshold {
                have: signers.len(),
                need: threshold,
            });
        }
        Ok(signers)
    }
}

fn check_type_len(len: usize) -> Result<(), EnvelopeError> {
    match len {
        1..=MAX_TYPE_LEN => Ok(()),
        _ => Err(EnvelopeError::TypeLength(len)),
    }
}

fn check_type(bytes: &[u8]) -> Result<&str, EnvelopeError> {
    check_type_len(bytes.len())?;
    if let Some(at) = bytes.iter().position(|byte| !byte.is_ascii_graphic()) {
        return Err(EnvelopeError::TypeCharacter(at));
    }
    std::str::from_utf8(bytes).map_err(|error| EnvelopeError::TypeCharacter(error.valid_up_to()))
}

fn check_payload_len(len: usize) -> Result<(), EnvelopeError> {
    if len > MAX_PAYLOAD_LEN {
        Err(EnvelopeError::PayloadLength(len))
    } else {
        Ok(())
    }
}

fn check_signature_count(count: usize) -> Result<(), EnvelopeError> {
    match count {
        0 => Err(EnvelopeError::Unsigned),
        1..=MAX_SIGNATURES => Ok(()),
        _ => Err(EnvelopeError::TooManySignatures(count)),
    }
}

fn check_order(signatures: &[Signature]) -> Result<(), EnvelopeError> {
    let ascending = signatures.is_sorted_by(|left, right| left.key < right.key);
    if ascending {
        Ok(())
    } else {
        Err(EnvelopeError::SignatureOrder)
    }
}

/// The bytes not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], EnvelopeError> {
        let (head, tail) = self
            .0
            .split_at_checked(len)
            .ok_or(EnvelopeError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], EnvelopeError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(EnvelopeError::Truncated)?;
        self.0 = tail;
        Ok(*head)
    }
}
