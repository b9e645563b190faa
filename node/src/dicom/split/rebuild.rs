//! The way back: header and bulk values to the bytes that were received.

use super::source::{Source, Wire};
use super::{BulkRange, SplitError, walk};
use crate::dicom::syntax::TransferSyntax;
use dicom_dictionary_std::tags;
use std::io::{self, Cursor, Read, Write};

/// Why a data set cannot be rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// A bulk value or the output failed.
    #[error("rebuilding the data set failed: {0}")]
    Io(io::ErrorKind),
    /// Offsets do not ascend or lie outside the header: the record is damaged.
    #[error("the bulk offsets do not fit the header")]
    Offsets,
    /// A bulk value is shorter than its record says.
    #[error("bulk value {index} is shorter than recorded")]
    Short {
        /// Position in the list of bulk values.
        index: usize,
    },
}

impl From<io::Error> for RebuildError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// Writes the data set: `header` with each bulk value at its place. `value` opens the bulk
/// value of a given index.
///
/// # Errors
/// [`RebuildError`]; `out` then holds part of a data set and must be dropped.
pub fn rebuild<R: Read, W: Write>(
    header: &[u8],
    bulks: &[BulkRange],
    mut value: impl FnMut(usize) -> io::Result<R>,
    out: &mut W,
) -> Result<(), RebuildError> {
    let mut from = 0;
    for (index, bulk) in bulks.iter().enumerate() {
        let before = header
            .get(from..bulk.header_offset)
            .ok_or(RebuildError::Offsets)?;
        out.write_all(before)?;
        let copied = io::copy(&mut value(index)?.take(bulk.length), out)?;
        if copied != bulk.length {
            return Err(RebuildError::Short { index });
        }
        from = bulk.header_offset;
    }
    out.write_all(header.get(from..).ok_or(RebuildError::Offsets)?)?;
    Ok(())
}

/// The header as a data set of its own: without the elements whose values were cut out, and
/// without padding. Any reader can parse it.
///
/// # Errors
/// [`RebuildError::Offsets`].
pub fn header_without_bulk(
    header: &[u8],
    bulks: &[BulkRange],
    padding: usize,
) -> Result<Vec<u8>, RebuildError> {
    let end = header
        .len()
        .checked_sub(padding)
        .ok_or(RebuildError::Offsets)?;
    let mut out = Vec::with_capacity(end);
    let mut from = 0;
    for bulk in bulks {
        out.extend_from_slice(
            header
                .get(from..bulk.element_offset)
                .ok_or(RebuildError::Offsets)?,
        );
        from = bulk.header_offset;
    }
    out.extend_from_slice(header.get(from..end).ok_or(RebuildError::Offsets)?);
    Ok(out)
}

/// Takes Specific Character Set (0008,0005) out of a data set that [`header_without_bulk`] gave,
/// and returns its value; `None` if the data set has none. Whoever parses what is left gets text
/// as bytes, and decodes it by [`Charsets`](super::Charsets).
///
/// # Errors
/// [`SplitError`], for bytes that no split gave.
pub fn take_charset(
    data_set: &mut Vec<u8>,
    syntax: &TransferSyntax,
) -> Result<Option<Vec<u8>>, SplitError> {
    let wire = Wire::of(syntax.encoding)?;
    let mut source = Source::new(Cursor::new(data_set.as_slice()), 0)?;
    while source.position() < source.end() {
        let start = source.position() as usize;
        let header = source.element(wire)?;
        match header.len.get() {
            Some(length) if header.tag == tags::SPECIFIC_CHARACTER_SET => {
                let value = source.value(length as usize)?;
                let end = source.position() as usize;
                drop(source);
                data_set.drain(start..end);
                return Ok(Some(value));
            }
            Some(length) if !walk::is_sequence(&header) => source.skip(u64::from(length))?,
            Some(_) | None => walk::skip_sequence(&mut source, &header, wire, None)?,
        }
    }
    Ok(None)
}
