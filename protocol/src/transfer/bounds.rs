//! Counts what a manifest would make a decoder allocate, before anything is decoded.
//!
//! An empty message costs two bytes on the wire and a hundred in memory: a bound on the bytes alone
//! would let a hospital make a desk allocate gigabytes.

use bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::manifest::ManifestError;
use crate::limits;

/// Field number of an object in a manifest, and of a bulk in an object: both 5.
const NESTED: u32 = 5;
/// Field number of a frame in a bulk.
const FRAME: u32 = 5;

/// Bulk values in one release: four for each object that a study may have.
const BULKS_MAX: usize = 4 * limits::OBJECTS_MAX;
/// Frames in one release: a hundred minutes of ultrasound at 60 frames a second, with room.
const FRAMES_MAX: usize = 1 << 20;

/// What was counted so far.
#[derive(Default)]
struct Counts {
    objects: usize,
    bulks: usize,
    frames: usize,
}

/// Refuses manifest bytes that hold more objects, bulks or frames than a release may have.
///
/// # Errors
/// [`ManifestError::TooMany`], [`ManifestError::TooDeep`], or [`ManifestError::Malformed`].
pub(super) fn check(bytes: &[u8]) -> Result<(), ManifestError> {
    let mut counts = Counts::default();
    each(bytes, NESTED, &mut |object| {
        counts.objects += 1;
        if counts.objects > limits::OBJECTS_MAX {
            return Err(ManifestError::TooMany(counts.objects));
        }
        each(object, NESTED, &mut |bulk| {
            counts.bulks += 1;
            each(bulk, FRAME, &mut |_| {
                counts.frames += 1;
                if counts.frames > FRAMES_MAX {
                    Err(ManifestError::TooDeep)
                } else {
                    Ok(())
                }
            })?;
            if counts.bulks > BULKS_MAX {
                Err(ManifestError::TooDeep)
            } else {
                Ok(())
            }
        })
    })
}

/// Calls `found` with the bytes of each length-delimited field of this number.
fn each(
    mut bytes: &[u8],
    number: u32,
    found: &mut dyn FnMut(&[u8]) -> Result<(), ManifestError>,
) -> Result<(), ManifestError> {
    let malformed = |_| ManifestError::Malformed("not a manifest");
    while bytes.has_remaining() {
        let (tag, wire_type) = decode_key(&mut bytes).map_err(malformed)?;
        if tag != number || wire_type != WireType::LengthDelimited {
            let context = DecodeContext::default();
            skip_field(wire_type, tag, &mut bytes, context).map_err(malformed)?;
            continue;
        }
        let length = decode_varint(&mut bytes).map_err(malformed)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= bytes.len());
        let length = length.ok_or(ManifestError::Malformed("not a manifest"))?;
        let (inner, rest) = bytes.split_at(length);
        found(inner)?;
        bytes = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::manifest::{Bulk, Frame, Manifest, Object};
    use prost::Message as _;

    #[test]
    fn empty_objects_are_counted_before_they_are_made() {
        let many = [0x2a, 0x00].repeat(limits::OBJECTS_MAX + 1);
        assert_eq!(
            check(&many),
            Err(ManifestError::TooMany(limits::OBJECTS_MAX + 1))
        );
    }

    #[test]
    fn nested_counts_add_up_over_all_objects() {
        let bulk = Bulk {
            frames: vec![Frame::default(); 1_000],
            ..Bulk::default()
        };
        let object = Object {
            bulks: vec![bulk; 10],
            ..Object::default()
        };
        let manifest = Manifest {
            objects: vec![object; 106],
            ..Manifest::default()
        };
        assert_eq!(
            check(&manifest.encode_to_vec()),
            Err(ManifestError::TooDeep)
        );
    }

    #[test]
    fn cut_bytes_are_malformed() {
        assert_eq!(
            check(&[0x2a, 0x05, 0]),
            Err(ManifestError::Malformed("not a manifest"))
        );
    }
}
