//! A positioned reader over a data set: where we are, where it ends, and no read past that.

use super::SplitError;
use crate::dicom::syntax::Encoding;
use dicom_core::header::{DataElementHeader, SequenceItemHeader};
use dicom_encoding::decode::Decode;
use dicom_encoding::decode::Error as DecodeError;
use dicom_encoding::decode::explicit_be::ExplicitVRBigEndianDecoder;
use dicom_encoding::decode::explicit_le::ExplicitVRLittleEndianDecoder;
use dicom_encoding::decode::implicit_le::StandardImplicitVRLittleEndianDecoder;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};

/// Read-ahead. Headers are small and close together; values are jumped over.
const BUFFER_LEN: usize = 16 * 1024;

/// How one level of a data set writes its element headers. Deflated data sets are inflated
/// before they come here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    ImplicitLittle,
    ExplicitLittle,
    ExplicitBig,
}

impl Wire {
    pub(super) fn of(encoding: Encoding) -> Result<Self, SplitError> {
        match encoding {
            Encoding::ImplicitLittle => Ok(Self::ImplicitLittle),
            Encoding::ExplicitLittle => Ok(Self::ExplicitLittle),
            Encoding::ExplicitBig => Ok(Self::ExplicitBig),
            Encoding::Deflated => Err(SplitError::StillDeflated),
        }
    }

    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::ImplicitLittle | Self::ExplicitLittle => u16::from_le_bytes(bytes),
            Self::ExplicitBig => u16::from_be_bytes(bytes),
        }
    }
}

/// The data set's bytes with a position that is always known.
pub(super) struct Source<R> {
    inner: BufReader<R>,
    at: u64,
    end: u64,
}

impl<R: Read + Seek> Source<R> {
    /// A source from `start` (bytes from the beginning of `inner`) to its end.
    pub(super) fn new(mut inner: R, start: u64) -> Result<Self, SplitError> {
        let end = inner.seek(SeekFrom::End(0))?;
        if start > end {
            return Err(SplitError::Truncated { position: start });
        }
        inner.seek(SeekFrom::Start(start))?;
        Ok(Self {
            inner: BufReader::with_capacity(BUFFER_LEN, inner),
            at: start,
            end,
        })
    }

    /// Bytes from the beginning of the source.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Reads one element header, which must lie before the end.
    pub(super) fn element(&mut self, wire: Wire) -> Result<DataElementHeader, SplitError> {
        let position = self.at;
        let read = match wire {
            Wire::ImplicitLittle => {
                StandardImplicitVRLittleEndianDecoder::new().decode_header(&mut self.inner)
            }
            Wire::ExplicitLittle => {
                ExplicitVRLittleEndianDecoder::default().decode_header(&mut self.inner)
            }
            Wire::ExplicitBig => {
                ExplicitVRBigEndianDecoder::default().decode_header(&mut self.inner)
            }
        };
        let (header, length) = read.map_err(|e| decode_error(&e, position))?;
        self.at += length as u64;
        Ok(header)
    }

    /// Reads one item or delimiter header (always 8 bytes).
    pub(super) fn item(&mut self, wire: Wire) -> Result<SequenceItemHeader, SplitError> {
        let position = self.at;
        let read = match wire {
            Wire::ImplicitLittle | Wire::ExplicitLittle => {
                ExplicitVRLittleEndianDecoder::default().decode_item_header(&mut self.inner)
            }
            Wire::ExplicitBig => {
                ExplicitVRBigEndianDecoder::default().decode_item_header(&mut self.inner)
            }
        };
        let header = read.map_err(|e| decode_error(&e, position))?;
        self.at += 8;
        Ok(header)
    }

    /// Jumps over `length` bytes, which must lie before the end.
    pub(super) fn skip(&mut self, length: u64) -> Result<(), SplitError> {
        let target = self.reach(length)?;
        self.seek_to(target)
    }

    /// Where `length` more bytes end, if that is inside the source.
    pub(super) fn reach(&self, length: u64) -> Result<u64, SplitError> {
        match self.at.checked_add(length) {
            Some(target) if target <= self.end => Ok(target),
            Some(_) | None => Err(SplitError::Truncated { position: self.at }),
        }
    }

    pub(super) fn seek_to(&mut self, target: u64) -> Result<(), SplitError> {
        match i64::try_from(i128::from(target) - i128::from(self.at)) {
            Ok(delta) => self.inner.seek_relative(delta)?,
            Err(_) => {
                self.inner.seek(SeekFrom::Start(target))?;
            }
        }
        self.at = target;
        Ok(())
    }

    /// Goes to `target` after a read that failed, when the reader's own place is unknown.
    pub(super) fn recover_to(&mut self, target: u64) -> Result<(), SplitError> {
        self.inner.seek(SeekFrom::Start(target))?;
        self.at = target;
        Ok(())
    }

    /// Reads a value of `length` bytes that the caller has bounded.
    pub(super) fn value(&mut self, length: usize) -> Result<Vec<u8>, SplitError> {
        self.reach(length as u64)?;
        let mut value = vec![0; length];
        self.inner.read_exact(&mut value)?;
        self.at += length as u64;
        Ok(value)
    }

    /// Copies the bytes from `from` up to `to` into `out`; the position moves to `to`.
    pub(super) fn copy_range<W: Write>(
        &mut self,
        from: u64,
        to: u64,
        out: &mut W,
    ) -> Result<(), SplitError> {
        self.seek_to(from)?;
        let copied = io::copy(&mut self.inner.by_ref().take(to - from), out)?;
        self.at = from + copied;
        if self.at == to {
            Ok(())
        } else {
            Err(SplitError::Truncated { position: self.at })
        }
    }

    /// Whether everything from here to the end is zero. The position is kept.
    pub(super) fn rest_is_zero(&mut self) -> Result<bool, SplitError> {
        let start = self.at;
        let mut zero = true;
        while zero && self.at < self.end {
            let chunk = self.inner.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            zero = chunk.iter().all(|byte| *byte == 0);
            let length = chunk.len();
            self.inner.consume(length);
            self.at += length as u64;
        }
        self.seek_to(start)?;
        Ok(zero)
    }
}

/// The decoder's error in our words: the end of the data, the disk, or bytes that are no header.
fn decode_error(error: &DecodeError, position: u64) -> SplitError {
    let source = std::error::Error::source(error).and_then(|e| e.downcast_ref::<io::Error>());
    match source.map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => SplitError::Truncated { position },
        Some(kind) => SplitError::Read(kind),
        None => SplitError::BadItem { position },
    }
}
