//! Encapsulated pixel data: finding the fragments, and taking their item headers out again.

use super::SplitError;
use super::frames::{FRAMES_MAX, Fragment};
use super::source::{Source, Wire};
use dicom_core::header::SequenceItemHeader;
use std::io::{Read, Seek};

/// Most fragments in one value; it bounds the list at 16 MiB.
pub const FRAGMENTS_MAX: usize = 1 << 20;

/// What was found in an encapsulated value.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// Entries of the Basic Offset Table; empty if it is empty or no table of 32-bit numbers.
    pub(super) table: Vec<u32>,
    pub(super) list: Vec<Fragment>,
}

/// Walks the items of an encapsulated value from its first byte to the byte after its delimiter
/// (PS3.5 section A.4).
///
/// # Errors
/// [`SplitError::BadItem`], [`SplitError::Truncated`], [`SplitError::TooManyFragments`].
pub(super) fn scan<R: Read + Seek>(
    source: &mut Source<R>,
    wire: Wire,
) -> Result<Fragments, SplitError> {
    let start = source.position();
    let mut found = Fragments::default();
    let mut is_table = true;
    loop {
        let position = source.position();
        let length = match source.item(wire)? {
            SequenceItemHeader::Item { len } => {
                len.get().ok_or(SplitError::BadItem { position })?
            }
            SequenceItemHeader::SequenceDelimiter => return Ok(found),
            SequenceItemHeader::ItemDelimiter => return Err(SplitError::BadItem { position }),
        };
        if is_table {
            is_table = false;
            found.table = read_table(source, length)?;
            continue;
        }
        if found.list.len() == FRAGMENTS_MAX {
            return Err(SplitError::TooManyFragments);
        }
        found.list.push(Fragment {
            offset: position - start,
            length,
        });
        source.skip(u64::from(length))?;
    }
}

fn read_table<R: Read + Seek>(source: &mut Source<R>, length: u32) -> Result<Vec<u32>, SplitError> {
    if !length.is_multiple_of(4) || length as usize > FRAMES_MAX * 4 {
        source.skip(u64::from(length))?;
        return Ok(Vec::new());
    }
    let value = source.value(length as usize)?;
    let (entries, _) = value.as_chunks::<4>();
    Ok(entries
        .iter()
        .map(|entry| u32::from_le_bytes(*entry))
        .collect())
}

/// Takes the 8-byte item headers out of a run of fragments that passes by in pieces, so that a
/// frame's codestream remains.
#[derive(Debug, Default)]
pub struct Stripper {
    header: [u8; 8],
    filled: usize,
    left: u32,
}

impl Stripper {
    /// A stripper at the start of a frame's range.
    pub fn new() -> Self {
        Self::default()
    }

    /// The content bytes of `piece`, in order, without copying. Call with each next piece.
    pub fn strip<'a>(&mut self, mut piece: &'a [u8], mut content: impl FnMut(&'a [u8])) {
        while !piece.is_empty() {
            if self.left > 0 {
                let take = piece.len().min(self.left as usize);
                content(&piece[..take]);
                self.left -= take as u32;
                piece = &piece[take..];
            } else {
                let take = piece.len().min(8 - self.filled);
                self.header[self.filled..self.filled + take].copy_from_slice(&piece[..take]);
                self.filled += take;
                piece = &piece[take..];
                if self.filled == 8 {
                    let [.., a, b, c, d] = self.header;
                    self.left = u32::from_le_bytes([a, b, c, d]);
                    self.filled = 0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripping_is_the_same_for_every_cut() {
        let mut run = Vec::new();
        for part in [&b"abc"[..], b"", b"defgh"] {
            run.extend([0xfe, 0xff, 0x00, 0xe0]);
            run.extend((part.len() as u32).to_le_bytes());
            run.extend(part);
        }
        for cut in 1..=run.len() {
            let mut stripper = Stripper::new();
            let mut content = Vec::new();
            for piece in run.chunks(cut) {
                stripper.strip(piece, |bytes| content.extend_from_slice(bytes));
            }
            assert_eq!(content, b"abcdefgh", "cut at {cut}");
        }
    }
}
