//! Signed notes and verifier keys (c2sp.org/signed-note), types 01 (Ed25519) and 04 (cosignature).
//!
//! A note is text that ends in a newline, a blank line, and one line per signature. Parsing is
//! strict: one accepted spelling per note, so that [`Note::encode`] gives back the bytes read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::keys::{SIGNATURE_LEN, SigningKey};

mod key;

use key::{KEY_ID_LEN, cosigned_message, key_id};
pub use key::{KeyId, KeyName, KeyType, VerifierKey};

/// Largest note that is read: 16 post-quantum signature lines of 6.7 kB, and as much again.
pub const MAX_NOTE_LEN: usize = 256 * 1024;
/// Most signature lines in a note. The specification asks for 16 at least; each costs one
/// signature check only if its key is known.
pub const MAX_SIGNATURES: usize = 64;
/// Longest key name, in bytes: what the length octet of an ML-DSA cosignature can express.
pub const MAX_NAME_LEN: usize = 255;
/// Latest time a cosignature may carry (c2sp.org/tlog-cosignature: 2^63 - 1).
pub const MAX_TIME: u64 = i64::MAX as u64;

const LINE_START: &str = "\u{2014} ";
const TIME_LEN: usize = 8;

/// Why a note, a signature line or a verifier key is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_LEN`].
    #[error("the note is longer than {MAX_NOTE_LEN} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the note is not UTF-8")]
    NotUtf8,
    /// A control character other than newline, at this byte.
    #[error("control character at byte {0}")]
    ControlCharacter(usize),
    /// No blank line, or nothing after it: the text carries no signature.
    #[error("the note carries no signature block")]
    NoSignatureBlock,
    /// The last line has no newline.
    #[error("the last line does not end in a newline")]
    Unterminated,
    /// A line of the signature block (counted from 0) is not "— name base64".
    #[error("signature line {0} is malformed")]
    SignatureLine(usize),
    /// More than [`MAX_SIGNATURES`] lines.
    #[error("more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// Empty, too long, or with a space, a plus or a control character.
    #[error("not a key name")]
    KeyName,
    /// Not `name+hex8+base64`.
    #[error("malformed verifier key")]
    VerifierKey,
    /// A verifier key of a type other than 01 and 04.
    #[error("signature type {0:#04x} is not supported")]
    UnsupportedType(u8),
    /// The key ID in a verifier key is not the one its content hashes to.
    #[error("the verifier key's ID does not match its content")]
    KeyIdMismatch,
    /// The public key is no acceptable Ed25519 point.
    #[error("the verifier key's public key is invalid")]
    PublicKey,
    /// Two different trusted keys share a name and an ID, so no signature can be attributed.
    #[error("two trusted keys are both called {0}")]
    AmbiguousKey(KeyName),
    /// A signature by a trusted key does not verify: the whole note is refused.
    #[error("the signature by {0} does not verify")]
    BadSignature(KeyName),
    /// No signature is by a trusted key.
    #[error("no signature by a trusted key")]
    NoTrustedSignature,
    /// A cosignature time above [`MAX_TIME`].
    #[error("time {0} is out of range")]
    Time(u64),
}

/// One signature line: who claims to have signed, and the bytes after the key ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    key_id: KeyId,
    blob: Vec<u8>,
}

impl NoteSignature {
    /// A type 01 signature by `key` over `text`.
    pub fn ed25519(text: &str, name: &KeyName, key: &SigningKey) -> Self {
        Self {
            name: name.clone(),
            key_id: key_id(name, KeyType::Ed25519, &key.verifying_key()),
            blob: key.sign(text.as_bytes()).to_vec(),
        }
    }

    /// A type 04 cosignature by `key` over `text`, stating `time` in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`NoteError::Time`] above [`MAX_TIME`].
    pub fn cosignature(
        text: &str,
        name: &KeyName,
        key: &SigningKey,
        time: u64,
    ) -> Result<Self, NoteError> {
        if time > MAX_TIME {
            return Err(NoteError::Time(time));
        }
        let mut blob = Vec::with_capacity(TIME_LEN + SIGNATURE_LEN);
        blob.extend_from_slice(&time.to_be_bytes());
        blob.extend_from_slice(&key.sign(cosigned_message(time, text).as_bytes()));
        let key_id = key_id(name, KeyType::Cosignature, &key.verifying_key());
        Ok(Self {
            name: name.clone(),
            key_id,
            blob,
        })
    }

    /// Parses one line without its newline.
    ///
    /// # Errors
    /// [`NoteError::SignatureLine`] 0.
    pub fn parse_line(line: &str) -> Result<Self, NoteError> {
        let bad = || NoteError::SignatureLine(0);
        let rest = line.strip_prefix(LINE_START).ok_or_else(bad)?;
        let (name, text) = rest.split_once(' ').ok_or_else(bad)?;
        let name = KeyName::new(name).map_err(|_| bad())?;
        let bytes = STANDARD.decode(text).map_err(|_| bad())?;
        let (id, blob) = bytes.split_first_chunk::<KEY_ID_LEN>().ok_or_else(bad)?;
        if blob.is_empty() {
            return Err(bad());
        }
        Ok(Self {
            name,
            key_id: KeyId(*id),
            blob: blob.to_vec(),
        })
    }

    /// The line with its newline.
    pub fn line(&self) -> String {
        let mut bytes = self.key_id.0.to_vec();
        bytes.extend_from_slice(&self.blob);
        format!("{LINE_START}{} {}\n", self.name, STANDARD.encode(bytes))
    }

    /// Who claims to have signed.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The claimed key's ID.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The bytes after the key ID, whose form the key's type gives.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

/// Parses a block of signature lines, each ending in a newline (a witness's answer).
///
/// # Errors
/// [`NoteError::NoSignatureBlock`] if empty, and what [`Note::parse`] says of lines.
pub fn parse_signature_block(block: &str) -> Result<Vec<NoteSignature>, NoteError> {
    if block.is_empty() {
        return Err(NoteError::NoSignatureBlock);
    }
    let lines = block.strip_suffix('\n').ok_or(NoteError::Unterminated)?;
    let mut signatures = Vec::new();
    for (number, line) in lines.split('\n').enumerate() {
        if number == MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        let parsed = NoteSignature::parse_line(line);
        signatures.push(parsed.map_err(|_| NoteError::SignatureLine(number))?);
    }
    Ok(signatures)
}

/// A signature that verified, and by which trusted key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'a> {
    /// The trusted key.
    pub key: &'a VerifierKey,
    /// Seconds since the Unix epoch, stated by a cosignature.
    pub time: Option<u64>,
}

/// A text and its signatures. Holding one says nothing about whether the signatures verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A note with its first signature.
    ///
    /// # Errors
    /// [`NoteError::Unterminated`], [`NoteError::ControlCharacter`], [`NoteError::TooLong`].
    pub fn new(text: String, first: NoteSignature) -> Result<Self, NoteError> {
        check_characters(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Unterminated);
        }
        Ok(Self {
            text,
            signatures: vec![first],
        })
    }

    /// Parses a note; the text ends at the last blank line.
    ///
    /// # Errors
    /// Every [`NoteError`] up to [`NoteError::TooManySignatures`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_LEN {
            return Err(NoteError::TooLong);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::NotUtf8)?;
        check_characters(whole)?;
        let blank = whole.rfind("\n\n").ok_or(NoteError::NoSignatureBlock)?;
        let signatures = parse_signature_block(&whole[blank + 2..])?;
        Ok(Self {
            text: whole[..=blank].to_owned(),
            signatures,
        })
    }

    /// The note's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.text.clone();
        out.push('\n');
        for signature in &self.signatures {
            out.push_str(&signature.line());
        }
        out.into_bytes()
    }

    /// The signed text, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signature lines, in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a line; a line by the same key (name and ID) is replaced in place. The text is never
    /// touched, so no other signature is disturbed.
    ///
    /// # Errors
    /// [`NoteError::TooManySignatures`].
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        let same =
            |s: &&mut NoteSignature| s.name == signature.name && s.key_id == signature.key_id;
        if let Some(old) = self.signatures.iter_mut().find(same) {
            *old = signature;
        } else if self.signatures.len() == MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        } else {
            self.signatures.push(signature);
        }
        Ok(())
    }

    /// Checks every signature that claims to be by a trusted key, in the order of the lines.
    ///
    /// Lines by other keys are ignored, even if they share a name or an ID with a trusted one. A
    /// key that signed twice is reported twice.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] if one by a trusted key fails, [`NoteError::AmbiguousKey`],
    /// [`NoteError::NoTrustedSignature`].
    pub fn verify<'a>(&self, trusted: &'a [VerifierKey]) -> Result<Vec<Verified<'a>>, NoteError> {
        let mut verified = Vec::new();
        for signature in &self.signatures {
            let mut claimed = trusted.iter().filter(|key| key.claims(signature));
            let Some(key) = claimed.next() else { continue };
            if claimed.any(|other| other != key) {
                return Err(NoteError::AmbiguousKey(key.name().clone()));
            }
            let time = key.verify(&self.text, signature)?;
            verified.push(Verified { key, time });
        }
        if verified.is_empty() {
            return Err(NoteError::NoTrustedSignature);
        }
        Ok(verified)
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.len() > MAX_NOTE_LEN {
        return Err(NoteError::TooLong);
    }
    match text.bytes().position(|b| b < b' ' && b != b'\n') {
        Some(at) => Err(NoteError::ControlCharacter(at)),
        None => Ok(()),
    }
}
