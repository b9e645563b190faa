//! Sealed temporary files: an object while it arrives, before it is split.
//!
//! The file is unlinked as soon as it is made, and its key lives in memory alone. So nothing
//! readable is on the disk at any time, and a killed process leaves nothing behind at all.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use crypto::segment::{
    Opener, SALT_LEN, SEALED_SEGMENT_LEN, SEGMENT_LEN, SegmentCipher, StreamLength, TAG_LEN,
};
use zeroize::Zeroizing;

use super::disk::{DiskContext, DiskError};
use super::durable::TempFile;
use super::error::StoreError;
use super::space::Reserve;
use super::{Layout, random};

/// Room is asked for again after this many segments (16 MiB): what several spools write between
/// two looks fits into the reserve.
const SEGMENTS_BETWEEN_CHECKS: u64 = 256;

/// Why a spool refused. Comes wrapped in an `io::Error`; see [`refusal`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// More came than the caller allowed.
    #[error("object is longer than the limit of {0} bytes")]
    Limit(u64),
    /// The disk, the reserve, or randomness.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A segment read back is not what was written.
    #[error("temporary file is damaged in segment {0}: check the disk")]
    Segment(u64),
}

/// The spool's own reason inside an error from reading or writing it.
pub fn refusal(error: &io::Error) -> Option<&SpoolError> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// Makes spool files.
#[derive(Clone)]
pub struct Spool {
    layout: Layout,
    reserve: Reserve,
}

impl Spool {
    pub(super) fn new(layout: Layout, reserve: Reserve) -> Self {
        Self { layout, reserve }
    }

    /// A new empty file that takes at most `bytes_max`.
    ///
    /// # Errors
    /// `StoreError::OutOfSpace` when the reserve is touched already, `Disk`, `Entropy`.
    pub fn create(&self, bytes_max: u64) -> Result<SpoolFile, StoreError> {
        self.reserve.check(&self.layout.folder, 0)?;
        let file = TempFile::create(&self.layout.temporary)?.into_anonymous()?;
        let salt: [u8; SALT_LEN] = random::bytes()?;
        let cipher = SegmentCipher::new(
            &random::key()?,
            random::bytes()?,
            salt,
            StreamLength::Unknown,
        );
        Ok(SpoolFile {
            spool: self.clone(),
            file,
            cipher,
            pending: Zeroizing::new(Vec::with_capacity(SEALED_SEGMENT_LEN)),
            index: 0,
            bytes_max,
        })
    }
}

/// A spool being written. At most one segment of plaintext is in memory.
pub struct SpoolFile {
    spool: Spool,
    file: File,
    cipher: SegmentCipher,
    pending: Zeroizing<Vec<u8>>,
    index: u64,
    bytes_max: u64,
}

impl SpoolFile {
    /// Bytes written so far.
    pub fn length(&self) -> u64 {
        self.index * SEGMENT_LEN as u64 + self.pending.len() as u64
    }

    /// Ends writing and begins reading at the first byte.
    ///
    /// # Errors
    /// The last segment's write may fail: see [`refusal`].
    pub fn into_reader(mut self) -> io::Result<SpoolReader> {
        let length = self.length();
        self.seal_pending(true)?;
        let opener = Opener::new(self.cipher, length).map_err(io::Error::other)?;
        Ok(SpoolReader {
            file: self.file,
            opener,
            position: 0,
            held: None,
        })
    }

    fn seal_pending(&mut self, last: bool) -> io::Result<()> {
        if self.index.is_multiple_of(SEGMENTS_BETWEEN_CHECKS) {
            let folder = &self.spool.layout.folder;
            self.spool.reserve.check(folder, 0).map_err(wrap)?;
        }
        let offset = self.index * SEALED_SEGMENT_LEN as u64;
        self.cipher
            .seal_segment(self.index, last, &mut self.pending)
            .map_err(|_| wrap(SpoolError::Segment(self.index)))?;
        let temporary = &self.spool.layout.temporary;
        let written = self
            .file
            .write_all_at(&self.pending, offset)
            .at("write", temporary);
        written.map_err(|error| wrap(StoreError::Disk(error)))?;
        self.pending.clear();
        self.index += 1;
        Ok(())
    }
}

impl Write for SpoolFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.length().saturating_add(bytes.len() as u64) > self.bytes_max {
            return Err(wrap(SpoolError::Limit(self.bytes_max)));
        }
        // A full segment is sealed only when more comes: it could be the last one.
        if self.pending.len() == SEGMENT_LEN && !bytes.is_empty() {
            self.seal_pending(false)?;
        }
        let count = bytes.len().min(SEGMENT_LEN - self.pending.len());
        self.pending.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// Nothing to do: a spool is never durable.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A finished spool. One segment of plaintext is in memory.
pub struct SpoolReader {
    file: File,
    opener: Opener,
    position: u64,
    held: Option<(u64, Zeroizing<Vec<u8>>)>,
}

impl SpoolReader {
    /// Bytes in the spool.
    pub fn length(&self) -> u64 {
        self.opener.plain_len()
    }

    fn segment(&mut self, index: u64) -> io::Result<&[u8]> {
        if self.held.as_ref().is_none_or(|(held, _)| *held != index) {
            let rest = self.length() - index * SEGMENT_LEN as u64;
            let plain = rest.min(SEGMENT_LEN as u64) as usize;
            let mut buffer = Zeroizing::new(vec![0; plain + TAG_LEN]);
            self.file
                .read_exact_at(&mut buffer, index * SEALED_SEGMENT_LEN as u64)?;
            let opened = self.opener.open(index, &mut buffer);
            opened.map_err(|_| wrap(SpoolError::Segment(index)))?;
            self.held = Some((index, buffer));
        }
        Ok(self
            .held
            .as_ref()
            .map_or(&[], |(_, plain)| plain.as_slice()))
    }
}

impl Read for SpoolReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.length() {
            return Ok(0);
        }
        let size = SEGMENT_LEN as u64;
        let (index, within) = (self.position / size, (self.position % size) as usize);
        let available = &self.segment(index)?[within..];
        let count = available.len().min(out.len());
        out[..count].copy_from_slice(&available[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for SpoolReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = seek_to(to, self.position, self.length())?;
        Ok(self.position)
    }
}

/// The new position of a seek; past the end is allowed and reads nothing.
pub(super) fn seek_to(to: SeekFrom, position: u64, length: u64) -> io::Result<u64> {
    let target = match to {
        SeekFrom::Start(offset) => Some(offset),
        SeekFrom::Current(by) => position.checked_add_signed(by),
        SeekFrom::End(by) => length.checked_add_signed(by),
    };
    target.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn wrap(error: impl Into<SpoolError>) -> io::Error {
    let error = error.into();
    let kind = match &error {
        SpoolError::Limit(_) => io::ErrorKind::FileTooLarge,
        SpoolError::Store(StoreError::OutOfSpace { .. }) => io::ErrorKind::StorageFull,
        SpoolError::Store(_) => io::ErrorKind::Other,
        SpoolError::Segment(_) => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}

impl From<DiskError> for SpoolError {
    fn from(error: DiskError) -> Self {
        Self::Store(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::open;

    fn spool(folder: &std::path::Path, bytes_max: u64) -> SpoolFile {
        open(folder).spool().create(bytes_max).unwrap()
    }

    #[test]
    fn what_was_written_is_read_back_at_any_place() {
        let lengths = [0, 1, SEGMENT_LEN, SEGMENT_LEN + 1, 3 * SEGMENT_LEN, 200_001];
        for length in lengths {
            let folder = tempfile::tempdir().unwrap();
            let plain: Vec<u8> = (0..length).map(|at| (at % 253) as u8).collect();
            let mut file = spool(folder.path(), length as u64);
            for piece in plain.chunks(30_011) {
                file.write_all(piece).unwrap();
            }
            assert_eq!(file.length(), length as u64);
            let mut reader = file.into_reader().unwrap();
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            assert!(read == plain, "{length}");
            if length > 10 {
                reader.seek(SeekFrom::End(-5)).unwrap();
                read.clear();
                reader.read_to_end(&mut read).unwrap();
                assert_eq!(read, plain[length - 5..]);
                assert_eq!(
                    reader.seek(SeekFrom::Current(1)).unwrap(),
                    length as u64 + 1
                );
                assert_eq!(reader.read(&mut [0]).unwrap(), 0);
                assert!(reader.seek(SeekFrom::Current(-i64::MAX)).is_err());
            }
        }
    }

    #[test]
    fn more_than_was_allowed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = spool(folder.path(), 10);
        file.write_all(&[1; 10]).unwrap();
        let error = file.write_all(&[1]).unwrap_err();
        assert_eq!(refusal(&error), Some(&SpoolError::Limit(10)));
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn no_file_is_left_and_no_plaintext_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = spool(folder.path(), 1 << 20);
        file.write_all(&b"ROENTGEN".repeat(20_000)).unwrap();
        assert_eq!(
            std::fs::read_dir(folder.path().join("tmp"))
                .unwrap()
                .count(),
            0
        );
        let reader = file.into_reader().unwrap();
        let mut sealed = vec![0; reader.file.metadata().unwrap().len() as usize];
        reader.file.read_exact_at(&mut sealed, 0).unwrap();
        assert!(sealed.len() > 160_000);
        assert!(!sealed.windows(8).any(|window| window == b"ROENTGEN"));
    }

    #[test]
    fn a_changed_byte_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = spool(folder.path(), 1 << 20);
        file.write_all(&[7; SEGMENT_LEN + 9]).unwrap();
        let mut reader = file.into_reader().unwrap();
        reader
            .file
            .write_all_at(&[0], SEALED_SEGMENT_LEN as u64 + 3)
            .unwrap();
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(refusal(&error), Some(&SpoolError::Segment(1)));
    }
}
