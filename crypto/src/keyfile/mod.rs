//! A secret at rest: one short text file, sealed under a passphrase or plainly marked as not.
//!
//! ```text
//! radmesh-key/1
//! kind: person
//! argon2id: m=65536 t=3 p=4 salt=<hex 32 bytes>      or      unprotected: check=<hex 32 bytes>
//! data: <base64 of ciphertext ‖ tag>                         data: <base64 of the secret>
//! ```
//!
//! Sealing: key = Argon2id (RFC 9106, version 0x13) of passphrase and salt; ChaCha20-Poly1305
//! (RFC 8439) under that key with an all-zero nonce, which is sound because a fresh salt makes
//! every key single-use; associated data = the three lines above `data`, so that neither kind nor
//! parameters can be exchanged. The check of an unprotected file is a labelled digest that catches
//! damage; it keeps no one out.
//!
//! Every file has one accepted text. What a hostile file can make us spend on opening it is
//! bounded by [`KdfParams`]' limits.

mod kdf;
#[cfg(test)]
mod tests;
mod text;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{Nonce, Tag};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::digest::{Digest, labels, tagged};

pub use kdf::KdfParams;
use kdf::derive;
use text::{parse_protection, write_head};

/// First line of a key file.
pub const HEADER: &str = "radmesh-key/1";
/// Longest secret in bytes: an escrow share or a bundle of keys fits many times over.
pub const MAX_SECRET_LEN: usize = 4096;
/// Longest kind in characters.
pub const MAX_KIND_LEN: usize = 32;
/// Longest key file in bytes; a reader loads no more than this.
pub const MAX_TEXT_LEN: usize = 8192;

const SALT_LEN: usize = 32;
const TAG_LEN: usize = 16;

/// Why a key file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyFileError {
    /// Longer than [`MAX_TEXT_LEN`].
    #[error("{0} bytes are more than a key file has")]
    TextLength(usize),
    /// The first line is not [`HEADER`].
    #[error("not a key file of a known version")]
    Version,
    /// This line, from 1, is missing or not as the format demands.
    #[error("line {0} of the key file is malformed")]
    Line(usize),
    /// The kind is empty, too long, or not of `a-z 0-9 -`.
    #[error("a kind has 1 to 32 of the characters a-z, 0-9 and -")]
    Kind,
    /// The secret is empty or longer than [`MAX_SECRET_LEN`].
    #[error("a key file holds 1 to 4096 bytes, not {0}")]
    SecretLength(usize),
    /// The Argon2id parameters are outside the limits of [`KdfParams`].
    #[error("the key derivation parameters are out of bounds: {0:?}")]
    Params(KdfParams),
    /// The memory that the parameters ask for cannot be had.
    #[error("not enough memory to derive the key")]
    OutOfMemory,
    /// A passphrase of no characters protects nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// Wrong passphrase, or changed file: they cannot be told apart.
    #[error("wrong passphrase, or the key file was changed")]
    Open,
    /// A passphrase was given for a file that has none. It may have been put in place of one
    /// that had.
    #[error("the key file is not protected by a passphrase")]
    Unprotected,
    /// The file needs a passphrase.
    #[error("the key file is protected by a passphrase")]
    Protected,
    /// The check of an unprotected file does not match.
    #[error("the key file is damaged")]
    Damaged,
}

/// A parsed key file, still closed.
pub struct KeyFile {
    kind: String,
    protection: Protection,
    /// The lines above `data`, as they stand: the associated data.
    head: String,
    /// Ciphertext and tag, or the bare secret.
    data: Zeroizing<Vec<u8>>,
}

enum Protection {
    Passphrase {
        params: KdfParams,
        salt: [u8; SALT_LEN],
    },
    None {
        check: Digest,
    },
}

impl KeyFile {
    /// The text of a file that holds `secret` under `passphrase`. `kind` says what the key is
    /// for, so that no key is taken for another.
    ///
    /// # Errors
    /// A bound of this module, [`KeyFileError::EmptyPassphrase`] or
    /// [`KeyFileError::OutOfMemory`].
    pub fn seal<R: CryptoRng + ?Sized>(
        kind: &str,
        secret: &[u8],
        passphrase: &[u8],
        params: KdfParams,
        rng: &mut R,
    ) -> Result<String, KeyFileError> {
        check_kind(kind)?;
        check_secret_len(secret.len())?;
        let mut salt = [0; SALT_LEN];
        rng.fill_bytes(&mut salt);
        let cipher = derive(passphrase, params, &salt)?;
        let protection = Protection::Passphrase { params, salt };
        let head = write_head(kind, &protection);
        let mut data = Zeroizing::new(secret.to_vec());
        let tag = cipher
            .encrypt_inout_detached(
                &Nonce::default(),
                head.as_bytes(),
                data.as_mut_slice().into(),
            )
            .map_err(|_| KeyFileError::SecretLength(secret.len()))?;
        data.extend_from_slice(&tag);
        Ok(format!("{head}data: {}\n", STANDARD.encode(&*data)))
    }

    /// The text of a file that holds `secret` in the open, for an operator who chose so. The file
    /// itself must then be readable by nobody else.
    ///
    /// # Errors
    /// [`KeyFileError::Kind`] or [`KeyFileError::SecretLength`].
    pub fn plain(kind: &str, secret: &[u8]) -> Result<Zeroizing<String>, KeyFileError> {
        check_kind(kind)?;
        check_secret_len(secret.len())?;
        let head = write_head(
            kind,
            &Protection::None {
                check: check_of(kind, secret),
            },
        );
        let data = Zeroizing::new(STANDARD.encode(secret));
        let mut text = Zeroizing::new(String::with_capacity(head.len() + data.len() + 7));
        text.push_str(&head);
        text.push_str("data: ");
        text.push_str(&data);
        text.push('\n');
        Ok(text)
    }

    /// The secret of a protected file: [`Self::parse`] and [`Self::unlock`].
    ///
    /// # Errors
    /// As those two; [`KeyFileError::Unprotected`] for a file without a passphrase.
    pub fn open(text: &str, passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        Self::parse(text)?.unlock(passphrase)
    }

    /// The secret of an unprotected file: [`Self::parse`] and [`Self::reveal`].
    ///
    /// # Errors
    /// As those two; [`KeyFileError::Protected`] for a file with a passphrase.
    pub fn open_plain(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        Self::parse(text)?.reveal()
    }

    /// Parses the one accepted text of a file; derives nothing yet.
    ///
    /// # Errors
    /// [`KeyFileError`] names the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        if text.len() > MAX_TEXT_LEN {
            return Err(KeyFileError::TextLength(text.len()));
        }
        let mut rest = text;
        let mut next_line = |number| {
            let (line, tail) = rest.split_once('\n').ok_or(KeyFileError::Line(number))?;
            rest = tail;
            Ok(line)
        };
        let header = next_line(1).map_err(|_: KeyFileError| KeyFileError::Version)?;
        if header != HEADER {
            return Err(KeyFileError::Version);
        }
        let kind = next_line(2)?
            .strip_prefix("kind: ")
            .ok_or(KeyFileError::Line(2))?;
        check_kind(kind)?;
        let protection = parse_protection(next_line(3)?)?;
        let data = next_line(4)?
            .strip_prefix("data: ")
            .ok_or(KeyFileError::Line(4))?;
        if !rest.is_empty() {
            return Err(KeyFileError::Line(5));
        }
        let data = Zeroizing::new(STANDARD.decode(data).map_err(|_| KeyFileError::Line(4))?);
        let tag_len = match protection {
            Protection::Passphrase { .. } => TAG_LEN,
            Protection::None { .. } => 0,
        };
        check_secret_len(data.len().saturating_sub(tag_len))?;
        let head = write_head(kind, &protection);
        Ok(Self {
            kind: kind.to_owned(),
            protection,
            head,
            data,
        })
    }

    /// What the key is for. Not authentic before the file was opened.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether a passphrase is needed.
    pub fn is_protected(&self) -> bool {
        matches!(self.protection, Protection::Passphrase { .. })
    }

    /// The secret of a protected file.
    ///
    /// # Errors
    /// [`KeyFileError::Open`] for a wrong passphrase or a changed file,
    /// [`KeyFileError::Unprotected`], [`KeyFileError::EmptyPassphrase`],
    /// [`KeyFileError::OutOfMemory`].
    pub fn unlock(&self, passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let Protection::Passphrase { params, salt } = &self.protection else {
            return Err(KeyFileError::Unprotected);
        };
        let (body, tag) = self
            .data
            .split_last_chunk::<TAG_LEN>()
            .ok_or(KeyFileError::Open)?;
        let mut secret = Zeroizing::new(body.to_vec());
        derive(passphrase, *params, salt)?
            .decrypt_inout_detached(
                &Nonce::default(),
                self.head.as_bytes(),
                secret.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| KeyFileError::Open)?;
        Ok(secret)
    }

    /// The secret of an unprotected file.
    ///
    /// # Errors
    /// [`KeyFileError::Protected`], or [`KeyFileError::Damaged`] if the check does not match.
    pub fn reveal(&self) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        match self.protection {
            Protection::Passphrase { .. } => Err(KeyFileError::Protected),
            Protection::None { check } if check != check_of(&self.kind, &self.data) => {
                Err(KeyFileError::Damaged)
            }
            Protection::None { .. } => Ok(self.data.clone()),
        }
    }
}

fn check_kind(kind: &str) -> Result<(), KeyFileError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fine = (1..=MAX_KIND_LEN).contains(&kind.len()) && kind.bytes().all(allowed);
    if fine {
        Ok(())
    } else {
        Err(KeyFileError::Kind)
    }
}

fn check_secret_len(len: usize) -> Result<(), KeyFileError> {
    match len {
        1..=MAX_SECRET_LEN => Ok(()),
        _ => Err(KeyFileError::SecretLength(len)),
    }
}

fn check_of(kind: &str, secret: &[u8]) -> Digest {
    tagged(labels::KEY_FILE_CHECK, &[kind.as_bytes(), secret])
}
