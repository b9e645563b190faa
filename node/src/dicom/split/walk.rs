//! Finds the end of a sequence without recursion, and refuses one that lies about its lengths.

use super::SplitError;
use super::fields::{FIELD_MAX, Fields};
use super::source::{Source, Wire};
use dicom_core::header::{DataElementHeader, Length, SequenceItemHeader};
use dicom_core::{Tag, VR};
use std::io::{Read, Seek};

/// Deepest nesting of sequences, counting each sequence and each item as one level. Structured
/// reports reach about 20 content items; 64 sequences leave room and keep a reader that
/// recurses (viewers do) far from its stack's end.
pub const DEPTH_MAX: usize = 128;

/// What a level of nesting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Items.
    Sequence,
    /// Elements.
    Item,
    /// Fragments: items that hold plain bytes.
    Fragments,
}

/// One open level: where it must end, if it said so, and how its headers are written.
#[derive(Debug, Clone, Copy)]
struct Level {
    kind: Kind,
    /// Set when the length is explicit; otherwise a delimiter ends it.
    end: Option<u64>,
    /// No byte of the level may lie at or past this.
    bound: u64,
    wire: Wire,
}

/// Whether an element's value is a sequence that has to be walked.
///
/// A value of unknown VR and undefined length is a sequence in Implicit VR Little Endian
/// (PS3.5 section 6.2.2, note 4); with a length it is opaque.
pub(super) fn is_sequence(header: &DataElementHeader) -> bool {
    header.vr == VR::SQ || (header.vr == VR::UN && header.len.is_undefined())
}

/// Moves `source` from the first byte of a sequence's value to the byte after it. `request`
/// takes the fields of the first item that it asks for.
///
/// # Errors
/// [`SplitError::TooDeep`], [`SplitError::Overrun`], [`SplitError::BadItem`],
/// [`SplitError::UndefinedLength`] or [`SplitError::Truncated`].
pub(super) fn skip_sequence<R: Read + Seek>(
    source: &mut Source<R>,
    header: &DataElementHeader,
    wire: Wire,
    mut request: Option<&mut Fields>,
) -> Result<(), SplitError> {
    let mut stack = Vec::with_capacity(8);
    open_sequence(source, &mut stack, header, wire)?;
    let mut first_item = true;
    while let Some(top) = stack.last().copied() {
        if top.end == Some(source.position()) {
            stack.pop();
        } else if source.position() >= top.bound {
            return Err(past_bound(source, &top));
        } else {
            match top.kind {
                Kind::Sequence | Kind::Fragments => step_items(source, &mut stack, top)?,
                Kind::Item => {
                    let wanted = first_item && stack.len() == 2;
                    let fields = if wanted { request.as_deref_mut() } else { None };
                    step_element(source, &mut stack, top, fields)?;
                }
            }
        }
        first_item = first_item && !(stack.len() == 1 && top.kind == Kind::Item);
    }
    Ok(())
}

/// The error for a level whose content does not fit: the data ended, or its parent did.
fn past_bound<R: Read + Seek>(source: &Source<R>, level: &Level) -> SplitError {
    let position = source.position();
    if level.bound == source.end() && position == level.bound {
        SplitError::Truncated { position }
    } else {
        SplitError::Overrun { position }
    }
}

fn push(stack: &mut Vec<Level>, level: Level) -> Result<(), SplitError> {
    if stack.len() >= DEPTH_MAX {
        return Err(SplitError::TooDeep);
    }
    stack.push(level);
    Ok(())
}

/// The end of a value of `length` that starts here and must fit its parent.
fn value_end<R: Read + Seek>(
    source: &Source<R>,
    length: Length,
    bound: u64,
) -> Result<Option<u64>, SplitError> {
    let Some(length) = length.get() else {
        return Ok(None);
    };
    let end = source.reach(u64::from(length))?;
    if end > bound {
        return Err(SplitError::Overrun {
            position: source.position(),
        });
    }
    Ok(Some(end))
}

fn open_sequence<R: Read + Seek>(
    source: &Source<R>,
    stack: &mut Vec<Level>,
    header: &DataElementHeader,
    wire: Wire,
) -> Result<(), SplitError> {
    let bound = stack.last().map_or(source.end(), |parent| parent.bound);
    let end = value_end(source, header.len, bound)?;
    let wire = if header.vr == VR::UN {
        Wire::ImplicitLittle
    } else {
        wire
    };
    push(
        stack,
        Level {
            kind: Kind::Sequence,
            end,
            bound: end.unwrap_or(bound),
            wire,
        },
    )
}

/// One item header inside a sequence or between fragments.
fn step_items<R: Read + Seek>(
    source: &mut Source<R>,
    stack: &mut Vec<Level>,
    top: Level,
) -> Result<(), SplitError> {
    let position = source.position();
    match source.item(top.wire)? {
        SequenceItemHeader::Item { len } if top.kind == Kind::Sequence => {
            let end = value_end(source, len, top.bound)?;
            let bound = end.unwrap_or(top.bound);
            push(
                stack,
                Level {
                    kind: Kind::Item,
                    end,
                    bound,
                    wire: top.wire,
                },
            )
        }
        SequenceItemHeader::Item { len } => match value_end(source, len, top.bound)? {
            Some(end) => source.seek_to(end),
            None => Err(SplitError::BadItem { position }),
        },
        SequenceItemHeader::SequenceDelimiter if top.end.is_none() => {
            stack.pop();
            Ok(())
        }
        SequenceItemHeader::SequenceDelimiter | SequenceItemHeader::ItemDelimiter => {
            Err(SplitError::BadItem { position })
        }
    }
}

/// One element inside an item.
fn step_element<R: Read + Seek>(
    source: &mut Source<R>,
    stack: &mut Vec<Level>,
    top: Level,
    request: Option<&mut Fields>,
) -> Result<(), SplitError> {
    let position = source.position();
    let header = source.element(top.wire)?;
    if header.tag.group() == 0xfffe {
        let closes = header.tag == Tag(0xfffe, 0xe00d) && top.end.is_none();
        return if closes {
            stack.pop();
            Ok(())
        } else {
            Err(SplitError::BadItem { position })
        };
    }
    if is_sequence(&header) {
        return open_sequence(source, stack, &header, top.wire);
    }
    match value_end(source, header.len, top.bound)? {
        Some(end) => match request {
            Some(fields) if Fields::wants_request(header.tag) && header.len.0 <= FIELD_MAX => {
                fields.take_request(header.tag, source.value(header.len.0 as usize)?);
                Ok(())
            }
            Some(_) | None => source.seek_to(end),
        },
        // Encapsulated pixels of an icon; any other plain value needs a length.
        None if matches!(header.vr, VR::OB | VR::OW) => {
            let fragments = Level {
                kind: Kind::Fragments,
                end: None,
                ..top
            };
            push(stack, fragments)
        }
        None => Err(SplitError::UndefinedLength { tag: header.tag }),
    }
}
