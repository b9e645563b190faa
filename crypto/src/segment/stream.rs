//! Sealing in one pass from pieces of any size, and opening by index.

use zeroize::Zeroizing;

use super::{
    MAX_PLAIN_LEN, SALT_LEN, SEALED_SEGMENT_LEN, SEGMENT_LEN, SegmentCipher, SegmentError,
    StreamLength, segment_count,
};

/// Seals one object from front to back, holding at most one segment in memory.
///
/// Dropping it before [`Sealer::finish`] leaves a file without a last segment, which never opens
/// as a whole.
pub struct Sealer {
    cipher: SegmentCipher,
    /// Written once, before the first segment.
    salt: Option<[u8; SALT_LEN]>,
    /// Plaintext that is not sealed yet: until more comes, a full segment may be the last one.
    pending: Zeroizing<Vec<u8>>,
    /// Index of the segment that `pending` will be.
    index: u64,
}

impl Sealer {
    /// Begins an object whose `cipher` was made with `salt`, which must be fresh.
    pub fn new(cipher: SegmentCipher, salt: [u8; SALT_LEN]) -> Self {
        Self {
            cipher,
            salt: Some(salt),
            pending: Zeroizing::new(Vec::with_capacity(SEGMENT_LEN)),
            index: 0,
        }
    }

    /// Plaintext bytes taken in so far.
    pub fn plain_len(&self) -> u64 {
        self.index * SEGMENT_LEN as u64 + self.pending.len() as u64
    }

    /// Takes in the next plaintext and appends to `out` whatever became sealed by it.
    ///
    /// # Errors
    /// [`SegmentError::WrongTotal`] past the declared length, [`SegmentError::TooLong`] past
    /// [`MAX_PLAIN_LEN`]; nothing of `plain` was taken in then.
    pub fn push(&mut self, mut plain: &[u8], out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let total = self.plain_len().saturating_add(plain.len() as u64);
        match self.cipher.length() {
            StreamLength::Known(declared) if total > declared => {
                return Err(SegmentError::WrongTotal {
                    declared,
                    actual: total,
                });
            }
            StreamLength::Known(_) | StreamLength::Unknown => {}
        }
        if total > MAX_PLAIN_LEN {
            return Err(SegmentError::TooLong(total));
        }
        self.emit_salt(out);
        while !plain.is_empty() {
            if self.pending.len() == SEGMENT_LEN {
                self.seal_pending(false, out)?;
            }
            if self.pending.is_empty() && plain.len() > SEGMENT_LEN {
                // A whole segment with more behind it needs no copy through `pending`.
                let (segment, rest) = plain.split_at(SEGMENT_LEN);
                self.seal(segment, false, out)?;
                plain = rest;
            } else {
                let room = SEGMENT_LEN - self.pending.len();
                let (head, rest) = plain.split_at(room.min(plain.len()));
                self.pending.extend_from_slice(head);
                plain = rest;
            }
        }
        Ok(())
    }

    /// Seals the last segment and returns the plaintext length.
    ///
    /// # Errors
    /// [`SegmentError::WrongTotal`] if fewer bytes came than were declared.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<u64, SegmentError> {
        let actual = self.plain_len();
        match self.cipher.length() {
            StreamLength::Known(declared) if actual != declared => {
                return Err(SegmentError::WrongTotal { declared, actual });
            }
            StreamLength::Known(_) | StreamLength::Unknown => {}
        }
        self.emit_salt(out);
        self.seal_pending(true, out)?;
        Ok(actual)
    }

    fn emit_salt(&mut self, out: &mut Vec<u8>) {
        if let Some(salt) = self.salt.take() {
            out.extend_from_slice(&salt);
        }
    }

    fn seal_pending(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let mut pending = std::mem::take(&mut self.pending);
        let sealed = self.seal(&pending, last, out);
        pending.clear();
        self.pending = pending;
        sealed
    }

    /// Copies `plain` behind `out` and seals it there.
    fn seal(&mut self, plain: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let start = out.len();
        out.reserve(plain.len() + super::TAG_LEN);
        out.extend_from_slice(plain);
        match self
            .cipher
            .seal_detached(self.index, last, &mut out[start..])
        {
            Ok(tag) => out.extend_from_slice(&tag),
            Err(error) => {
                // No plaintext may leave in what the caller takes for ciphertext.
                out[start..].fill(0);
                out.truncate(start);
                return Err(error);
            }
        }
        self.index += 1;
        Ok(())
    }
}

/// Opens the segments of one object by index, in any order and from any thread.
pub struct Opener {
    cipher: SegmentCipher,
    plain_len: u64,
}

impl Opener {
    /// For an object of `plain_len` bytes: the length in its manifest, or for a spool the one
    /// that [`super::plain_len_of`] finds from the file's length.
    ///
    /// # Errors
    /// [`SegmentError::WrongTotal`] if another length is bound into the key,
    /// [`SegmentError::TooLong`] above [`MAX_PLAIN_LEN`].
    pub fn new(cipher: SegmentCipher, plain_len: u64) -> Result<Self, SegmentError> {
        if plain_len > MAX_PLAIN_LEN {
            return Err(SegmentError::TooLong(plain_len));
        }
        match cipher.length() {
            StreamLength::Known(declared) if declared != plain_len => {
                Err(SegmentError::WrongTotal {
                    declared,
                    actual: plain_len,
                })
            }
            StreamLength::Known(_) | StreamLength::Unknown => Ok(Self { cipher, plain_len }),
        }
    }

    /// Total plaintext bytes.
    pub fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// Segments of the object; never zero.
    pub fn segment_count(&self) -> u64 {
        segment_count(self.plain_len)
    }

    /// Verifies sealed segment `index`, decrypts it in place and cuts its tag off.
    ///
    /// # Errors
    /// [`SegmentError`]; `buf` is then unchanged and still ciphertext.
    pub fn open(&self, index: u64, buf: &mut Vec<u8>) -> Result<(), SegmentError> {
        self.cipher.open_segment(index, self.is_last(index), buf)
    }

    /// [`Self::open`] on a slice: the plaintext is its head, the tag stays behind it.
    ///
    /// # Errors
    /// [`SegmentError`]; `sealed` is then unchanged and still ciphertext.
    pub fn open_slice<'a>(
        &self,
        index: u64,
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], SegmentError> {
        self.cipher.open_slice(index, self.is_last(index), sealed)
    }

    /// Opens adjacent sealed segments, `first` and on, as they lie in the file, and leaves their
    /// joined plaintext in `buf`.
    ///
    /// # Errors
    /// [`SegmentError`] names the first segment that fails; `buf` is then empty.
    pub fn open_run(&self, first: u64, buf: &mut Vec<u8>) -> Result<(), SegmentError> {
        let opened = self.open_run_slice(first, buf);
        if opened.is_err() {
            // Segments before the failed one are plaintext that nobody asked for alone.
            buf.fill(0);
        }
        buf.truncate(*opened.as_ref().unwrap_or(&0));
        opened.map(|_| ())
    }

    fn open_run_slice(&self, first: u64, buf: &mut [u8]) -> Result<usize, SegmentError> {
        let mut plain_end = 0;
        let mut start = 0;
        let mut index = first;
        while start < buf.len() {
            let end = buf.len().min(start + SEALED_SEGMENT_LEN);
            let plain_len = self.open_slice(index, &mut buf[start..end])?.len();
            buf.copy_within(start..start + plain_len, plain_end);
            plain_end += plain_len;
            start = end;
            index = index.saturating_add(1);
        }
        Ok(plain_end)
    }

    fn is_last(&self, index: u64) -> bool {
        index.saturating_add(1) == self.segment_count()
    }
}
