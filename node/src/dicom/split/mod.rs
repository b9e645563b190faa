//! Cuts a data set into a small header and its bulk values, so that splicing gives back the
//! very bytes that were received.
//!
//! The header is the data set verbatim with the values of bulk elements taken out: pixel data
//! ((7FE0,0008), (7FE0,0009), (7FE0,0010)), any other top-level value over [`INLINE_MAX`], and
//! sequences over [`SEQUENCE_INLINE_MAX`]. The header of a bulk element stays, so a rebuild
//! needs no re-encoding, whatever the transfer syntax. Nothing is recursive, and nothing is
//! allocated by a length that a file claims: header bytes, fields and frame lists have bounds.
//!
//! A deflated data set is inflated first ([`inflate`]) and from then on is Explicit VR Little
//! Endian: what is kept, named and sent on is the inflated form, since an equal stream cannot be
//! promised from another compressor.

mod deflate;
mod error;
mod fields;
mod fragments;
mod frames;
mod rebuild;
mod source;
mod text;
mod walk;

pub use deflate::{InflateError, inflate};
pub use error::SplitError;
pub use fields::{BadNumber, FIELD_MAX, Geometry, Identifiers};
pub use fragments::{FRAGMENTS_MAX, Stripper};
pub use frames::{FRAMES_MAX, FrameProblem, FrameRange};
pub use rebuild::{RebuildError, header_without_bulk, rebuild, take_charset};
pub use text::Charsets;
pub use walk::DEPTH_MAX;

use crate::dicom::syntax::{PixelForm, TransferSyntax};
use dicom_core::header::DataElementHeader;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use fields::Fields;
use frames::OffsetTables;
use source::{Source, Wire};
use std::io::{Read, Seek};

/// Largest header. Structured reports and enhanced multi-frame headers stay under 10 MiB.
pub const HEADER_MAX: usize = 16 << 20;

/// A longer plain value is a bulk value of its own.
pub const INLINE_MAX: u64 = 1 << 20;

/// A longer top-level sequence is a bulk value of its own. Sequences have more room than plain
/// values because a viewer needs the per-frame groups of a multi-frame image as attributes.
pub const SEQUENCE_INLINE_MAX: u64 = 12 << 20;

/// A data set cut in two.
#[derive(Debug, Clone)]
pub struct Split {
    /// What the header says of itself.
    pub identifiers: Identifiers,
    /// The data set without its bulk values, at most [`HEADER_MAX`] bytes.
    pub header: Vec<u8>,
    /// Zero bytes at the end of `header` that pad the data set and are no element.
    pub padding: usize,
    /// The bulk values, in the order of the data set.
    pub bulks: Vec<BulkRange>,
}

/// One value that was left out of the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkRange {
    /// The element.
    pub tag: Tag,
    /// Its value representation as written, or by the dictionary in implicit VR.
    pub vr: VR,
    /// Where the element's own header begins in `Split::header`.
    pub element_offset: usize,
    /// Where in `Split::header` the value is to be inserted.
    pub header_offset: usize,
    /// First byte of the value, from the beginning of the source.
    pub source_offset: u64,
    /// Bytes of the value. For a value of undefined length it includes the delimiter.
    pub length: u64,
    /// Whether the value is a pixel sequence (items and fragments).
    pub encapsulated: bool,
    /// Where each frame lies in the value; empty for what is no pixel data.
    pub frames: Vec<FrameRange>,
    /// Why `frames` is empty, or is one range of several frames.
    pub frame_problem: Option<FrameProblem>,
}

/// Splits the data set that begins at `start` of `source` and reaches to its end, written in
/// `syntax`. Offsets in the result count from the beginning of `source`.
///
/// # Errors
/// [`SplitError`]; an error means that the instance must not be acknowledged.
pub fn split<R: Read + Seek>(
    source: R,
    start: u64,
    syntax: &TransferSyntax,
) -> Result<Split, SplitError> {
    let wire = Wire::of(syntax.encoding)?;
    let mut splitter = Splitter {
        source: Source::new(source, start)?,
        wire,
        video: syntax.pixels == PixelForm::Video,
        fields: Fields::default(),
        extended_offsets: Vec::new(),
        header: Vec::new(),
        kept_from: start,
        bulks: Vec::new(),
        padding: 0,
    };
    while splitter.source.position() < splitter.source.end() && splitter.padding == 0 {
        splitter.element()?;
    }
    splitter.keep_until(splitter.source.end())?;
    Ok(Split {
        identifiers: splitter.fields.identifiers(wire)?,
        header: splitter.header,
        padding: splitter.padding,
        bulks: splitter.bulks,
    })
}

struct Splitter<R> {
    source: Source<R>,
    wire: Wire,
    video: bool,
    fields: Fields,
    extended_offsets: Vec<u64>,
    header: Vec<u8>,
    /// First byte of the source that is not in `header` yet and belongs there.
    kept_from: u64,
    bulks: Vec<BulkRange>,
    padding: usize,
}

impl<R: Read + Seek> Splitter<R> {
    /// One top-level element: its header, and then its value is read, kept or left out.
    fn element(&mut self) -> Result<(), SplitError> {
        let position = self.source.position();
        let header = match self.source.element(self.wire) {
            Ok(header) if header.tag == Tag(0, 0) => return self.zeros_or(position, header.tag),
            Ok(header) => header,
            // Fewer zero bytes than a header has are padding too.
            Err(SplitError::Truncated { .. }) => {
                self.source.recover_to(position)?;
                return self.zeros_or(position, Tag(0, 0));
            }
            Err(error) => return Err(error),
        };
        match header.tag.group() {
            0xfffe => return Err(SplitError::BadItem { position }),
            0x0000 | 0x0002 => return Err(SplitError::ForeignGroup { tag: header.tag }),
            _ => {}
        }
        if is_pixel_data(header.tag) {
            return self.pixel_data(position, &header);
        }
        if walk::is_sequence(&header) {
            return self.sequence(position, &header);
        }
        let Some(length) = header.len.get() else {
            return Err(SplitError::UndefinedLength { tag: header.tag });
        };
        self.plain(position, &header, length)
    }

    /// Accepts the rest of the source as padding if it is all zero.
    fn zeros_or(&mut self, position: u64, tag: Tag) -> Result<(), SplitError> {
        self.source.seek_to(position)?;
        if !self.source.rest_is_zero()? {
            return Err(if tag == Tag(0, 0) && self.source.end() - position >= 8 {
                SplitError::ForeignGroup { tag }
            } else {
                SplitError::Truncated { position }
            });
        }
        self.padding = usize::try_from(self.source.end() - position)
            .map_err(|_| SplitError::HeaderTooLarge)?;
        Ok(())
    }

    fn plain(
        &mut self,
        position: u64,
        header: &DataElementHeader,
        length: u32,
    ) -> Result<(), SplitError> {
        let value_start = self.source.position();
        let value_end = self.source.reach(u64::from(length))?;
        if header.tag == tags::EXTENDED_OFFSET_TABLE {
            self.extended_offsets = self.read_offsets(length)?;
        } else if Fields::wants(header.tag) {
            if length > FIELD_MAX {
                return Err(SplitError::FieldTooLong { tag: header.tag });
            }
            let value = self.source.value(length as usize)?;
            self.fields.take(header.tag, value)?;
        }
        self.source.seek_to(value_end)?;
        if u64::from(length) > INLINE_MAX {
            self.cut(position, value_start, header)?;
        }
        Ok(())
    }

    /// The Extended Offset Table's 64-bit entries, if there are not too many.
    fn read_offsets(&mut self, length: u32) -> Result<Vec<u64>, SplitError> {
        if length as usize > FRAMES_MAX * 8 {
            return Ok(Vec::new());
        }
        let value = self.source.value(length as usize)?;
        let (entries, _) = value.as_chunks::<8>();
        Ok(entries
            .iter()
            .map(|entry| u64::from_le_bytes(*entry))
            .collect())
    }

    fn sequence(&mut self, position: u64, header: &DataElementHeader) -> Result<(), SplitError> {
        let value_start = self.source.position();
        let is_request = header.tag == tags::REQUEST_ATTRIBUTES_SEQUENCE;
        let request = is_request.then_some(&mut self.fields);
        walk::skip_sequence(&mut self.source, header, self.wire, request)?;
        if self.source.position() - value_start > SEQUENCE_INLINE_MAX {
            self.cut(position, value_start, header)?;
        }
        Ok(())
    }

    fn pixel_data(&mut self, position: u64, header: &DataElementHeader) -> Result<(), SplitError> {
        let value_start = self.source.position();
        let geometry = self.fields.geometry(self.wire);
        let (frames, frame_problem) = match header.len.get() {
            None => {
                let fragments = fragments::scan(&mut self.source, self.wire)?;
                let tables = OffsetTables {
                    basic: fragments.table,
                    extended: std::mem::take(&mut self.extended_offsets),
                };
                frames::encapsulated(&geometry, &fragments.list, &tables, self.video)
            }
            Some(length) => {
                self.source.skip(u64::from(length))?;
                let bits = match header.tag {
                    tags::FLOAT_PIXEL_DATA => Some(32),
                    tags::DOUBLE_FLOAT_PIXEL_DATA => Some(64),
                    _ => None,
                };
                frames::native(&geometry, bits, u64::from(length))
            }
        };
        let bulk = self.cut(position, value_start, header)?;
        bulk.encapsulated = header.len.is_undefined();
        bulk.frames = frames;
        bulk.frame_problem = frame_problem;
        Ok(())
    }

    /// Leaves the value from `value_start` to here out of the header; the element's own header
    /// (from `position`) stays.
    fn cut(
        &mut self,
        position: u64,
        value_start: u64,
        header: &DataElementHeader,
    ) -> Result<&mut BulkRange, SplitError> {
        if self.bulks.iter().any(|bulk| bulk.tag == header.tag) {
            return Err(SplitError::DuplicateBulk { tag: header.tag });
        }
        let value_end = self.source.position();
        self.keep_until(value_start)?;
        self.source.seek_to(value_end)?;
        self.kept_from = value_end;
        let header_offset = self.header.len();
        // An element's header has 8 or 12 bytes.
        let element_offset = header_offset - (value_start - position) as usize;
        self.bulks.push(BulkRange {
            tag: header.tag,
            vr: header.vr,
            element_offset,
            header_offset,
            source_offset: value_start,
            length: value_end - value_start,
            encapsulated: false,
            frames: Vec::new(),
            frame_problem: None,
        });
        let last = self.bulks.len() - 1;
        Ok(&mut self.bulks[last])
    }

    /// Appends the source up to `end` to the header.
    fn keep_until(&mut self, end: u64) -> Result<(), SplitError> {
        let more = end - self.kept_from;
        if self.header.len() as u64 + more > HEADER_MAX as u64 {
            return Err(SplitError::HeaderTooLarge);
        }
        self.source
            .copy_range(self.kept_from, end, &mut self.header)?;
        self.kept_from = end;
        Ok(())
    }
}

/// The three elements that carry an image's pixels (PS3.3 section C.7.6.3 and following).
fn is_pixel_data(tag: Tag) -> bool {
    matches!(
        tag,
        tags::PIXEL_DATA | tags::FLOAT_PIXEL_DATA | tags::DOUBLE_FLOAT_PIXEL_DATA
    )
}

#[cfg(test)]
mod tests;
