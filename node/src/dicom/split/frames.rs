//! Where each frame of a pixel value lies.

use super::fields::Geometry;

/// Most frames that one instance may index: whole-slide tiles reach some 100,000. It bounds the
/// index at 16 MiB, whatever the header claims.
pub const FRAMES_MAX: usize = 1 << 20;

/// One frame, in bytes from the first byte of the bulk value.
///
/// For a native value these are the frame's samples. For an encapsulated value they are its
/// fragments with their 8-byte item headers: `fragments::Stripper` takes those out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRange {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

/// Why a pixel value has no (or no trustworthy) frame index. The value is kept all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameProblem {
    /// Rows, columns, samples or bits are missing or unreadable.
    #[error("the image's dimensions are missing or unreadable")]
    NoGeometry,
    /// Rows, columns, samples or bits are zero.
    #[error("one of the image's dimensions is zero")]
    ZeroGeometry,
    /// Number of Frames is not a number of 1 or more.
    #[error("the number of frames is not a number above zero")]
    FrameCount,
    /// Bits Allocated is neither 1 nor a multiple of 8 up to 64.
    #[error("{bits} bits a sample are not supported")]
    Bits {
        /// Bits Allocated.
        bits: u16,
    },
    /// Packed 1-bit frames that do not begin at a byte.
    #[error("packed one-bit frames do not begin at whole bytes")]
    Unaligned,
    /// The value is shorter than the header promises.
    #[error("the header promises {promised} bytes of pixels, {present} are there")]
    Short {
        /// Bytes that the header promises.
        promised: u64,
        /// Bytes in the value.
        present: u64,
    },
    /// More than [`FRAMES_MAX`] frames, or sizes past 64 bits.
    #[error("too many frames to index")]
    TooMany,
    /// Fragments do not tell one frame from the next; the one range is all of them.
    #[error("{fragments} fragments cannot be divided among {frames} frames")]
    Ambiguous {
        /// Fragments found.
        fragments: usize,
        /// Frames that the header promises.
        frames: u32,
    },
    /// There is no fragment at all.
    #[error("the pixel sequence has no fragment")]
    Empty,
}

/// The index of one pixel value, and what is wrong with it.
pub type FrameIndex = (Vec<FrameRange>, Option<FrameProblem>);

/// Indexes a native value of `length` bytes by arithmetic (PS3.5 section 8.1.1).
pub(super) fn native(geometry: &Geometry, bits: Option<u16>, length: u64) -> FrameIndex {
    match native_size(geometry, bits) {
        Err(problem) => (Vec::new(), Some(problem)),
        Ok((size, count)) => {
            let Some(promised) = size.checked_mul(count as u64) else {
                return (Vec::new(), Some(FrameProblem::TooMany));
            };
            if promised > length {
                let problem = FrameProblem::Short {
                    promised,
                    present: length,
                };
                return (Vec::new(), Some(problem));
            }
            let frames = (0..count as u64).map(|n| FrameRange {
                offset: n * size,
                length: size,
            });
            (frames.collect(), None)
        }
    }
}

/// Bytes a frame and number of frames.
fn native_size(geometry: &Geometry, bits: Option<u16>) -> Result<(u64, usize), FrameProblem> {
    let count = frame_count(geometry)?;
    let (Some(rows), Some(columns)) = (geometry.rows, geometry.columns) else {
        return Err(FrameProblem::NoGeometry);
    };
    let samples = geometry.samples.unwrap_or(1);
    let bits = bits
        .or(geometry.bits_allocated)
        .ok_or(FrameProblem::NoGeometry)?;
    if rows == 0 || columns == 0 || samples == 0 || bits == 0 {
        return Err(FrameProblem::ZeroGeometry);
    }
    let pixels = u64::from(rows) * u64::from(columns);
    if bits == 1 {
        let frame_bits = pixels * u64::from(samples);
        if count > 1 && !frame_bits.is_multiple_of(8) {
            return Err(FrameProblem::Unaligned);
        }
        return Ok((frame_bits.div_ceil(8), count));
    }
    if !bits.is_multiple_of(8) || bits > 64 {
        return Err(FrameProblem::Bits { bits });
    }
    // Subsampled chrominance: two or one and a half values a pixel (PS3.3 section C.7.6.3.1.2).
    let values = match geometry.photometric.as_str() {
        "YBR_FULL_422" | "YBR_PARTIAL_422" if samples == 3 => pixels.checked_mul(2),
        "YBR_PARTIAL_420" if samples == 3 => pixels.checked_mul(3).map(|n| n / 2),
        _ => pixels.checked_mul(u64::from(samples)),
    };
    let size = values.and_then(|n| n.checked_mul(u64::from(bits / 8)));
    size.map(|size| (size, count)).ok_or(FrameProblem::TooMany)
}

/// Number of Frames, which is 1 when absent.
fn frame_count(geometry: &Geometry) -> Result<usize, FrameProblem> {
    match geometry.frames {
        Ok(count) if count as usize > FRAMES_MAX => Err(FrameProblem::TooMany),
        Ok(count) => Ok(count as usize),
        Err(_) => Err(FrameProblem::FrameCount),
    }
}

/// A fragment: its item header's place in the value, and its content's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) offset: u64,
    pub(super) length: u32,
}

impl Fragment {
    fn end(&self) -> u64 {
        self.offset + 8 + u64::from(self.length)
    }
}

/// Offsets of frames from the first fragment's item header, by the table that gave them.
#[derive(Debug, Default)]
pub(super) struct OffsetTables {
    /// Basic Offset Table: the first item of the sequence (PS3.5 section A.4).
    pub(super) basic: Vec<u32>,
    /// Extended Offset Table (7FE0,0001).
    pub(super) extended: Vec<u64>,
}

/// Indexes an encapsulated value: by an offset table that fits the fragments, else one fragment
/// a frame when the counts match, else everything as one frame.
pub(super) fn encapsulated(
    geometry: &Geometry,
    fragments: &[Fragment],
    tables: &OffsetTables,
    video: bool,
) -> FrameIndex {
    let (Some(first), Some(last)) = (fragments.first(), fragments.last()) else {
        return (Vec::new(), Some(FrameProblem::Empty));
    };
    let whole = FrameRange {
        offset: first.offset,
        length: last.end() - first.offset,
    };
    let count = match frame_count(geometry) {
        Ok(_) if video => return (vec![whole], None),
        Ok(1) => return (vec![whole], None),
        Ok(count) => count,
        Err(problem) => return (vec![whole], Some(problem)),
    };
    let basic: Vec<u64> = tables.basic.iter().copied().map(u64::from).collect();
    for table in [tables.extended.as_slice(), basic.as_slice()] {
        if let Some(ranges) = by_table(table, count, fragments) {
            return (ranges, None);
        }
    }
    if fragments.len() == count {
        let ranges = fragments
            .iter()
            .map(|f| FrameRange {
                offset: f.offset,
                length: f.end() - f.offset,
            })
            .collect();
        return (ranges, None);
    }
    let frames = u32::try_from(count).unwrap_or(u32::MAX);
    (
        vec![whole],
        Some(FrameProblem::Ambiguous {
            fragments: fragments.len(),
            frames,
        }),
    )
}

/// Ranges by an offset table, if it has one entry a frame, starts at 0, ascends, and each entry
/// points at a fragment.
fn by_table(table: &[u64], count: usize, fragments: &[Fragment]) -> Option<Vec<FrameRange>> {
    if table.len() != count || table.first() != Some(&0) {
        return None;
    }
    let (base, end) = (fragments.first()?.offset, fragments.last()?.end());
    let mut starts = fragments.iter().map(|f| f.offset - base);
    // Fragments ascend, so one pass over them finds every entry or none.
    if !table
        .iter()
        .all(|entry| starts.any(|start| start == *entry))
    {
        return None;
    }
    let ends = table.iter().skip(1).map(|next| base + next).chain([end]);
    let ranges = table.iter().zip(ends).map(|(start, end)| FrameRange {
        offset: base + start,
        length: end - (base + start),
    });
    Some(ranges.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(rows: u16, columns: u16, frames: u32, bits: u16) -> Geometry {
        Geometry {
            rows: Some(rows),
            columns: Some(columns),
            samples: Some(1),
            bits_allocated: Some(bits),
            frames: Ok(frames),
            photometric: "MONOCHROME2".to_owned(),
        }
    }

    fn range(offset: u64, length: u64) -> FrameRange {
        FrameRange { offset, length }
    }

    #[test]
    fn native_frames_by_arithmetic() {
        let two = geometry(2, 3, 2, 16);
        assert_eq!(
            native(&two, None, 24),
            (vec![range(0, 12), range(12, 12)], None)
        );
        let short = FrameProblem::Short {
            promised: 24,
            present: 23,
        };
        assert_eq!(native(&two, None, 23), (vec![], Some(short)));
        let float = native(&two, Some(32), 48);
        assert_eq!(float, (vec![range(0, 24), range(24, 24)], None));
        let mut ybr = geometry(2, 2, 1, 8);
        ybr.samples = Some(3);
        ybr.photometric = "YBR_FULL_422".to_owned();
        assert_eq!(native(&ybr, None, 8), (vec![range(0, 8)], None));
    }

    #[test]
    fn packed_bits() {
        assert_eq!(
            native(&geometry(3, 3, 1, 1), None, 2),
            (vec![range(0, 2)], None)
        );
        assert_eq!(
            native(&geometry(3, 3, 2, 1), None, 4).1,
            Some(FrameProblem::Unaligned)
        );
        let aligned = (vec![range(0, 2), range(2, 2)], None);
        assert_eq!(native(&geometry(4, 4, 2, 1), None, 4), aligned);
    }

    #[test]
    fn absurd_geometry_is_named_and_allocates_nothing() {
        let cases = [
            (geometry(0, 4, 1, 8), FrameProblem::ZeroGeometry),
            (geometry(4, 4, 1, 0), FrameProblem::ZeroGeometry),
            (geometry(4, 4, 1, 12), FrameProblem::Bits { bits: 12 }),
            (geometry(4, 4, u32::MAX, 8), FrameProblem::TooMany),
            (
                geometry(65535, 65535, 1, 16),
                FrameProblem::Short {
                    promised: 2 * 65535 * 65535,
                    present: 128,
                },
            ),
        ];
        for (geometry, problem) in cases {
            assert_eq!(native(&geometry, None, 128), (vec![], Some(problem)));
        }
    }

    #[test]
    fn encapsulated_frames() {
        let fragments = [
            Fragment {
                offset: 8,
                length: 10,
            },
            Fragment {
                offset: 26,
                length: 2,
            },
            Fragment {
                offset: 36,
                length: 4,
            },
        ];
        let index = |count, basic: &[u32], extended: &[u64]| {
            let tables = OffsetTables {
                basic: basic.to_vec(),
                extended: extended.to_vec(),
            };
            encapsulated(&geometry(4, 4, count, 8), &fragments, &tables, false)
        };
        let by_fragment = vec![range(8, 18), range(26, 10), range(36, 12)];
        assert_eq!(index(3, &[], &[]), (by_fragment.clone(), None));
        assert_eq!(
            index(3, &[0, 28, 18], &[]),
            (by_fragment, None),
            "descending table unused"
        );
        let two = vec![range(8, 28), range(36, 12)];
        assert_eq!(index(2, &[0, 28], &[]), (two.clone(), None));
        assert_eq!(index(2, &[], &[0, 28]), (two, None));
        assert_eq!(index(1, &[0, 28], &[]), (vec![range(8, 40)], None));
        let ambiguous = FrameProblem::Ambiguous {
            fragments: 3,
            frames: 2,
        };
        assert_eq!(
            index(2, &[0, 27], &[]),
            (vec![range(8, 40)], Some(ambiguous))
        );
        let none = encapsulated(&geometry(4, 4, 1, 8), &[], &OffsetTables::default(), false);
        assert_eq!(none, (vec![], Some(FrameProblem::Empty)));
    }
}
