//! Names of keys, and the public keys that signatures are checked against.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{MAX_NAME_LEN, MAX_TIME, NoteError, NoteSignature};
use crate::digest::Digest;
use crate::keys::{SIGNATURE_LEN, VerifyingKey};

/// Bytes in a key ID.
pub(super) const KEY_ID_LEN: usize = 4;

/// The name of a key: no Unicode space, no plus, no control character, 1 to 255 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`NoteError::KeyName`].
    pub fn new(name: &str) -> Result<Self, NoteError> {
        let forbidden = |c: char| c.is_whitespace() || c == '+' || c < ' ';
        if name.is_empty() || name.len() > MAX_NAME_LEN || name.contains(forbidden) {
            return Err(NoteError::KeyName);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// First four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key): an identifier, not a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; KEY_ID_LEN]);

/// Signature types of c2sp.org/signed-note that this program makes and checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyType {
    /// 01: Ed25519 over the note text. Logs sign their checkpoints with it.
    Ed25519,
    /// 04: timestamped Ed25519 cosignature (c2sp.org/tlog-cosignature). Witnesses use it.
    Cosignature,
}

impl KeyType {
    /// The type's identifier byte.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Cosignature => 0x04,
        }
    }
}

/// A named public key that notes are checked against, written `name+hex8(id)+base64(type ‖ key)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifierKey {
    name: KeyName,
    kind: KeyType,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Names a public key for one use.
    pub fn new(name: KeyName, kind: KeyType, key: VerifyingKey) -> Self {
        Self { name, kind, key }
    }

    /// Parses a verifier key. The hexadecimal must be lower case and the base64 canonical.
    ///
    /// # Errors
    /// [`NoteError::VerifierKey`], [`NoteError::KeyName`], [`NoteError::UnsupportedType`],
    /// [`NoteError::PublicKey`] or [`NoteError::KeyIdMismatch`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::VerifierKey);
        };
        let name = KeyName::new(name)?;
        let material = STANDARD.decode(key).map_err(|_| NoteError::VerifierKey)?;
        let kind = match material.first() {
            None => return Err(NoteError::VerifierKey),
            Some(0x01) => KeyType::Ed25519,
            Some(0x04) => KeyType::Cosignature,
            Some(other) => return Err(NoteError::UnsupportedType(*other)),
        };
        let bytes = material[1..]
            .try_into()
            .map_err(|_| NoteError::VerifierKey)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| NoteError::PublicKey)?;
        let parsed = Self { name, kind, key };
        let expected = hex8(parsed.key_id());
        if id.len() != expected.len() || !id.bytes().all(is_lower_hex) {
            return Err(NoteError::VerifierKey);
        }
        if id != expected {
            return Err(NoteError::KeyIdMismatch);
        }
        Ok(parsed)
    }

    /// The key's name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// What the key signs.
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// The public key itself.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The ID that this key's signature lines start with.
    pub fn key_id(&self) -> KeyId {
        key_id(&self.name, self.kind, &self.key)
    }

    /// Whether `signature` claims to be by this key (name and ID).
    pub fn claims(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.key_id == self.key_id()
    }

    /// Checks one signature over `text`. Gives the time stated in it, for a cosignature.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`], whatever is wrong with it.
    pub fn verify(&self, text: &str, signature: &NoteSignature) -> Result<Option<u64>, NoteError> {
        let bad = || NoteError::BadSignature(self.name.clone());
        if !self.claims(signature) {
            return Err(bad());
        }
        let (time, sig) = match self.kind {
            KeyType::Ed25519 => (None, signature.blob.as_slice()),
            KeyType::Cosignature => {
                let (time, sig) = signature.blob.split_first_chunk().ok_or_else(bad)?;
                (Some(u64::from_be_bytes(*time)), sig)
            }
        };
        let sig: &[u8; SIGNATURE_LEN] = sig.try_into().map_err(|_| bad())?;
        let checked = match time {
            None => self.key.verify_strict(text.as_bytes(), sig),
            Some(time) if time > MAX_TIME => return Err(bad()),
            Some(time) => self
                .key
                .verify_strict(cosigned_message(time, text).as_bytes(), sig),
        };
        checked.map(|()| time).map_err(|_| bad())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.kind.byte()];
        material.extend_from_slice(self.key.as_bytes());
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex8(self.key_id()),
            STANDARD.encode(material)
        )
    }
}

/// What a type 04 signature signs: two header lines, then the whole text.
pub(super) fn cosigned_message(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

pub(super) fn key_id(name: &KeyName, kind: KeyType, key: &VerifyingKey) -> KeyId {
    let mut input = name.as_str().as_bytes().to_vec();
    input.extend_from_slice(&[b'\n', kind.byte()]);
    input.extend_from_slice(key.as_bytes());
    let [a, b, c, d, ..] = Digest::sha256(&input).0;
    KeyId([a, b, c, d])
}

fn hex8(id: KeyId) -> String {
    format!("{:08x}", u32::from_be_bytes(id.0))
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
