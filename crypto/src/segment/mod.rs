//! Bulk sealing: 64 KiB segments, each of which can be fetched and verified alone.
//!
//! ```text
//! sealed file = salt 32 ‖ segment*        segment = ciphertext (<= 65536) ‖ tag 16
//! key   = HKDF-SHA256(ikm = object key, salt = salt,
//!                     info = "radmesh/segment/1" ‖ object id 16 ‖ u64be plaintext length)
//! nonce = index, 11 bytes big-endian ‖ 1 for the last segment, else 0
//! ```
//!
//! The nonces are those of STREAM as age lays them out (C2SP age, "Payload"): the index stops
//! reordering, the last flag stops truncation and extension. The total length in the key stops
//! an object from being passed off as a shorter or longer one before its end is seen. The object
//! id stops segments of one object from standing in for those of another. An empty plaintext is
//! one empty last segment.
//!
//! The ciphertext at rest is the ciphertext on the wire: nothing in here depends on who reads.
//!
//! ChaCha20-Poly1305 commits to no key, so one ciphertext can be made to open under two keys.
//! Whoever accepts an object key from another party must check its [`key_commitment`] as well.
//!
//! A spool whose length is not known yet binds [`StreamLength::Unknown`].

mod layout;
mod stream;
#[cfg(test)]
mod tests;

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::digest::{Digest, labels, tagged};
use crate::keys::{KEY_LEN, SymmetricKey};

pub use layout::{
    plain_len_of, plain_range, sealed_len, segment_count, segment_plain_len, segment_range,
    segments_for,
};
pub use stream::{Opener, Sealer};

/// Plaintext bytes in every segment but the last.
pub const SEGMENT_LEN: usize = 64 * 1024;
/// Bytes of a segment's authentication tag.
pub const TAG_LEN: usize = 16;
/// Bytes of a full sealed segment.
pub const SEALED_SEGMENT_LEN: usize = SEGMENT_LEN + TAG_LEN;
/// Bytes of the salt at the start of a sealed file.
pub const SALT_LEN: usize = 32;
/// Bytes of an object's random internal id.
pub const OBJECT_ID_LEN: usize = 16;
/// Longest plaintext in bytes (256 TiB, thousands of times the largest study): every length and
/// offset of a sealed file then fits a `u64` with room to spare, and every index 32 bits.
pub const MAX_PLAIN_LEN: u64 = 1 << 48;

/// Separates this use of an object key from any other.
const INFO: &[u8] = b"radmesh/segment/1";
/// Bound into the key of a spool; no real length reaches it.
const UNKNOWN_LEN: u64 = u64::MAX;

/// Why a segment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SegmentError {
    /// The plaintext is longer than [`MAX_PLAIN_LEN`].
    #[error("{0} bytes are more than one object may hold")]
    TooLong(u64),
    /// No segment of the object has this index and last flag.
    #[error("no segment {index} with last = {last} in this object")]
    Position {
        /// Which segment was asked for.
        index: u64,
        /// Whether it was said to be the last.
        last: bool,
    },
    /// The segment has not the length that its place in the object demands.
    #[error("segment {index} has a plaintext of {len} bytes")]
    Length {
        /// Which segment.
        index: u64,
        /// Plaintext bytes it was given with.
        len: usize,
    },
    /// The sealed segment is shorter than its tag.
    #[error("segment {0} is cut short")]
    Truncated(u64),
    /// Changed bytes, or another key, object, length or place: they cannot be told apart.
    #[error("segment {0} does not open")]
    Open(u64),
    /// The plaintext is not as long as was declared.
    #[error("the object was declared as {declared} bytes and has {actual}")]
    WrongTotal {
        /// Length that is bound into the key.
        declared: u64,
        /// Length that came, or the least it would have been.
        actual: u64,
    },
}

/// The plaintext length that is bound into a segment key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamLength {
    /// Total plaintext bytes, at most [`MAX_PLAIN_LEN`].
    Known(u64),
    /// A spool: the end is known by its last flag alone.
    Unknown,
}

impl From<u64> for StreamLength {
    fn from(plain_len: u64) -> Self {
        Self::Known(plain_len)
    }
}

/// Seals and opens single segments of one object, in place and in any order.
///
/// It is `Sync` and its methods take `&self`: segments can be worked on in parallel.
pub struct SegmentCipher {
    cipher: ChaCha20Poly1305,
    length: StreamLength,
}

impl SegmentCipher {
    /// Derives the segment key. One object key seals one content: a changed content takes a new
    /// object key, never the old one with a new salt.
    pub fn new(
        object_key: &SymmetricKey,
        object_id: [u8; OBJECT_ID_LEN],
        salt: [u8; SALT_LEN],
        plain_len: impl Into<StreamLength>,
    ) -> Self {
        let length = plain_len.into();
        let bound = match length {
            StreamLength::Known(len) => len,
            StreamLength::Unknown => UNKNOWN_LEN,
        };
        let mut key = Zeroizing::new([0; KEY_LEN]);
        Hkdf::<Sha256>::new(Some(&salt), object_key.as_bytes())
            .expand_multi_info(&[INFO, &object_id, &bound.to_be_bytes()], &mut *key)
            .expect("HKDF-SHA256 yields up to 8160 bytes");
        Self {
            cipher: ChaCha20Poly1305::new((&*key).into()),
            length,
        }
    }

    /// The length bound into the key.
    pub fn length(&self) -> StreamLength {
        self.length
    }

    /// Encrypts `buf` in place and appends the tag. Reserve [`TAG_LEN`] bytes beforehand and
    /// nothing is allocated.
    ///
    /// Sealing two contents under one index breaks both; [`Sealer`] never does.
    ///
    /// # Errors
    /// A place or a length that the object does not have; `buf` is then unchanged.
    pub fn seal_segment(
        &self,
        index: u64,
        last: bool,
        buf: &mut Vec<u8>,
    ) -> Result<(), SegmentError> {
        let tag = self.seal_detached(index, last, buf)?;
        buf.extend_from_slice(&tag);
        Ok(())
    }

    /// Verifies a sealed segment, decrypts it in place and cuts the tag off.
    ///
    /// # Errors
    /// [`SegmentError`]; `buf` is then unchanged and still ciphertext.
    pub fn open_segment(
        &self,
        index: u64,
        last: bool,
        buf: &mut Vec<u8>,
    ) -> Result<(), SegmentError> {
        let plain_len = self.open_slice(index, last, buf)?.len();
        buf.truncate(plain_len);
        Ok(())
    }

    /// [`Self::open_segment`] on a slice: the plaintext is its head, the tag stays behind it.
    ///
    /// # Errors
    /// [`SegmentError`]; `sealed` is then unchanged and still ciphertext.
    pub fn open_slice<'a>(
        &self,
        index: u64,
        last: bool,
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], SegmentError> {
        let (body, tag) = sealed
            .split_last_chunk_mut::<TAG_LEN>()
            .ok_or(SegmentError::Truncated(index))?;
        let nonce = self.nonce(index, last, body.len())?;
        self.cipher
            .decrypt_inout_detached(&nonce, &[], (&mut *body).into(), &Tag::from(*tag))
            .map_err(|_| SegmentError::Open(index))?;
        Ok(body)
    }

    /// Encrypts `plain` in place and returns its tag, for callers that own the layout.
    ///
    /// # Errors
    /// As [`Self::seal_segment`].
    pub fn seal_detached(
        &self,
        index: u64,
        last: bool,
        plain: &mut [u8],
    ) -> Result<[u8; TAG_LEN], SegmentError> {
        let nonce = self.nonce(index, last, plain.len())?;
        self.cipher
            .encrypt_inout_detached(&nonce, &[], plain.into())
            .map(Into::into)
            // The cipher's own limit is 256 GiB a message; `nonce` admits 64 KiB.
            .map_err(|_| SegmentError::Length {
                index,
                len: SEGMENT_LEN,
            })
    }

    /// The nonce of a place that this object has, with the length that the place demands.
    fn nonce(&self, index: u64, last: bool, len: usize) -> Result<Nonce, SegmentError> {
        let fits = match self.length {
            StreamLength::Known(total) if total > MAX_PLAIN_LEN => {
                return Err(SegmentError::TooLong(total));
            }
            StreamLength::Known(total) => {
                let count = segment_count(total);
                if index >= count || last != (index + 1 == count) {
                    return Err(SegmentError::Position { index, last });
                }
                len == segment_plain_len(total, index)
            }
            StreamLength::Unknown => {
                if index >= MAX_PLAIN_LEN / SEGMENT_LEN as u64 {
                    return Err(SegmentError::Position { index, last });
                }
                // Only a segment 0 may be both last and empty: one content, one sealed form.
                let shortest = if last {
                    usize::from(index > 0)
                } else {
                    SEGMENT_LEN
                };
                (shortest..=SEGMENT_LEN).contains(&len)
            }
        };
        if !fits {
            return Err(SegmentError::Length { index, len });
        }
        let mut nonce = Nonce::default();
        nonce[3..11].copy_from_slice(&index.to_be_bytes());
        nonce[11] = u8::from(last);
        Ok(nonce)
    }
}

/// Commits to the one key of an object, so that a key that came in a grant can be checked before
/// it is used: a digest of key and id. The key is uniformly random, so the digest gives none of it
/// away.
pub fn key_commitment(object_key: &SymmetricKey, object_id: &[u8; OBJECT_ID_LEN]) -> Digest {
    tagged(
        labels::OBJECT_KEY_COMMITMENT,
        &[object_key.as_bytes(), object_id],
    )
}
