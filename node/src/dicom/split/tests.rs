//! Splitting attacked by hand-made data sets; the corpus is in `dicom::corpus`.

use super::*;
use crate::dicom::syntax;
use crate::dicom::uid::UidError;
use std::io::Cursor;

/// An element in Explicit VR Little Endian with a 16-bit length.
fn short(group: u16, element: u16, vr: &str, value: &[u8]) -> Vec<u8> {
    let mut out = [group.to_le_bytes(), element.to_le_bytes()].concat();
    out.extend(vr.as_bytes());
    out.extend((value.len() as u16).to_le_bytes());
    out.extend(value);
    out
}

/// An element in Explicit VR Little Endian with a 32-bit length of `length`.
fn long(group: u16, element: u16, vr: &str, length: u32, value: &[u8]) -> Vec<u8> {
    let mut out = [group.to_le_bytes(), element.to_le_bytes()].concat();
    out.extend(vr.as_bytes());
    out.extend([0, 0]);
    out.extend(length.to_le_bytes());
    out.extend(value);
    out
}

fn item(element: u16, length: u32, value: &[u8]) -> Vec<u8> {
    let mut out = [0xfffe_u16.to_le_bytes(), element.to_le_bytes()].concat();
    out.extend(length.to_le_bytes());
    out.extend(value);
    out
}

const UNDEFINED: u32 = u32::MAX;

/// A small instance followed by `rest`.
fn dataset(rest: &[u8]) -> Vec<u8> {
    let mut out = short(0x0008, 0x0016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0");
    out.extend(short(0x0008, 0x0018, "UI", b"2.25.30\0"));
    out.extend(short(0x0010, 0x0020, "LO", b"P1"));
    out.extend(short(0x0020, 0x000d, "UI", b"2.25.10\0"));
    out.extend(short(0x0020, 0x000e, "UI", b"2.25.20\0"));
    out.extend(rest);
    out
}

fn split_explicit(bytes: &[u8]) -> Result<Split, SplitError> {
    let row = syntax::find(syntax::EXPLICIT_LITTLE).expect("in the table");
    split(Cursor::new(bytes), 0, row)
}

fn error_of(rest: &[u8]) -> SplitError {
    split_explicit(&dataset(rest)).expect_err("the data set is wrong")
}

#[test]
fn large_values_become_bulk_and_come_back() {
    let big = vec![7; (1 << 20) + 2];
    let mut rest = long(0x0029, 0x1010, "OB", big.len() as u32, &big);
    rest.extend(short(0x0040, 0x2001, "LO", b"after "));
    rest.extend(long(0x7fe0, 0x0010, "OW", 4, &[1, 2, 3, 4]));
    rest.extend([0; 5]);
    let bytes = dataset(&rest);
    let result = split_explicit(&bytes).expect("sound");
    assert_eq!(result.padding, 5);
    let found: Vec<_> = result
        .bulks
        .iter()
        .map(|b| (b.tag, b.length, b.encapsulated))
        .collect();
    let private = (Tag(0x0029, 0x1010), (1 << 20) + 2, false);
    assert_eq!(found, [private, (tags::PIXEL_DATA, 4, false)]);
    assert_eq!(result.bulks[0].frame_problem, None);
    assert_eq!(
        result.bulks[1].frame_problem,
        Some(FrameProblem::NoGeometry)
    );

    let value = |n: usize| {
        let bulk = &result.bulks[n];
        Ok(&bytes[bulk.source_offset as usize..][..bulk.length as usize])
    };
    let mut rebuilt = Vec::new();
    rebuild(&result.header, &result.bulks, value, &mut rebuilt).expect("sound");
    assert!(rebuilt == bytes);
    let short_value = |_: usize| Ok(&b"x"[..]);
    let shortened = rebuild(&result.header, &result.bulks, short_value, &mut Vec::new());
    assert_eq!(shortened, Err(RebuildError::Short { index: 0 }));

    let alone = header_without_bulk(&result.header, &result.bulks, result.padding).expect("ours");
    assert_eq!(alone, dataset(&short(0x0040, 0x2001, "LO", b"after ")));
}

#[test]
fn identity_must_be_there_once_and_be_one() {
    let twice = short(0x0010, 0x0020, "LO", b"P2");
    assert_eq!(
        error_of(&twice),
        SplitError::Conflict {
            tag: tags::PATIENT_ID
        }
    );
    assert!(split_explicit(&dataset(&short(0x0010, 0x0020, "LO", b"P1"))).is_ok());
    let missing = short(0x0008, 0x0016, "UI", b"1.2\0");
    let result = split_explicit(&missing).err();
    assert_eq!(
        result,
        Some(SplitError::MissingUid {
            tag: tags::SOP_INSTANCE_UID
        })
    );
    let mut path = missing;
    path.extend(short(0x0008, 0x0018, "UI", b"../../1\0"));
    let reason = UidError::Character { position: 2 };
    let invalid = SplitError::InvalidUid {
        tag: tags::SOP_INSTANCE_UID,
        reason,
    };
    assert_eq!(split_explicit(&path).err(), Some(invalid));
    let pixels = long(0x7fe0, 0x0010, "OW", 2, &[0; 2]);
    let duplicate = SplitError::DuplicateBulk {
        tag: tags::PIXEL_DATA,
    };
    assert_eq!(error_of(&[pixels.clone(), pixels].concat()), duplicate);
}

#[test]
fn lengths_that_lie_are_found_without_allocating() {
    let start = dataset(&[]).len() as u64;
    let truncated = |position| SplitError::Truncated {
        position: start + position,
    };
    assert_eq!(
        error_of(&long(0x0042, 0x0011, "OB", UNDEFINED - 1, &[0])),
        truncated(12)
    );
    assert_eq!(
        error_of(&short(0x0042, 0x0010, "LO", b"x")[..5]),
        truncated(0)
    );
    let undefined = SplitError::UndefinedLength {
        tag: Tag(0x0042, 0x0011),
    };
    assert_eq!(
        error_of(&long(0x0042, 0x0011, "UT", UNDEFINED, &[0])),
        undefined
    );
    // An item longer than its sequence, with enough data after it.
    let mut rest = long(0x0040, 0x0275, "SQ", 8, &item(0xe000, 16, &[]));
    rest.extend(short(0x0040, 0x2001, "LO", &[b' '; 40]));
    assert_eq!(
        error_of(&rest),
        SplitError::Overrun {
            position: start + 20
        }
    );
    // A value longer than its item.
    let inner = short(0x0008, 0x0100, "SH", b"12345678");
    let mut rest = long(0x0040, 0x0275, "SQ", 16, &item(0xe000, 8, &inner));
    rest.extend([0; 40]);
    assert_eq!(
        error_of(&rest),
        SplitError::Overrun {
            position: start + 28
        }
    );
    assert_eq!(
        error_of(&item(0xe000, 0, &[])),
        SplitError::BadItem { position: start }
    );
    let field = long(
        0x0032,
        0x1060,
        "UN",
        FIELD_MAX + 1,
        &vec![0; FIELD_MAX as usize + 1],
    );
    let too_long = SplitError::FieldTooLong {
        tag: tags::REQUESTED_PROCEDURE_DESCRIPTION,
    };
    assert_eq!(error_of(&field), too_long);
    let foreign = SplitError::ForeignGroup {
        tag: tags::TRANSFER_SYNTAX_UID,
    };
    assert_eq!(error_of(&short(0x0002, 0x0010, "UI", b"1\0")), foreign);
}

#[test]
fn nesting_is_bounded_and_the_bound_is_reachable() {
    let nest = |levels: usize| {
        let open = [
            long(0x0040, 0xa730, "SQ", UNDEFINED, &[]),
            item(0xe000, UNDEFINED, &[]),
        ];
        let close = [item(0xe00d, 0, &[]), item(0xe0dd, 0, &[])].concat();
        [open.concat().repeat(levels), close.repeat(levels)].concat()
    };
    assert!(split_explicit(&dataset(&nest(DEPTH_MAX / 2))).is_ok());
    assert_eq!(error_of(&nest(DEPTH_MAX / 2 + 1)), SplitError::TooDeep);
}

#[test]
fn header_is_bounded() {
    let block = long(0x0029, 0x1010, "OB", 1 << 20, &vec![0; 1 << 20]);
    assert_eq!(error_of(&block.repeat(17)), SplitError::HeaderTooLarge);
}

#[test]
fn sequences_are_walked_in_every_form() {
    // Unknown VR with undefined length is implicit inside, whatever is around it.
    let mut implicit = [0x0008_u16.to_le_bytes(), 0x0050_u16.to_le_bytes()].concat();
    implicit.extend(2_u32.to_le_bytes());
    implicit.extend(b"A7");
    let inner = [
        item(0xe000, UNDEFINED, &implicit),
        item(0xe00d, 0, &[]),
        item(0xe000, 0, &[]),
        item(0xe0dd, 0, &[]),
    ];
    let rest = long(0x0040, 0x0275, "UN", UNDEFINED, &inner.concat());
    let result = split_explicit(&dataset(&rest)).expect("sound");
    assert_eq!(result.identifiers.accession.expose(), "A7");
    // Only the first item of the request counts, and only what stands directly in it.
    let second = [
        item(0xe000, 0, &[]),
        item(0xe000, 10, &short(0x0008, 0x0050, "SH", b"A8")),
    ];
    let rest = long(0x0040, 0x0275, "SQ", 26, &second.concat());
    let result = split_explicit(&dataset(&rest)).expect("sound");
    assert_eq!(result.identifiers.accession.expose(), "");
}

#[test]
fn encapsulated_value_runs_to_its_delimiter() {
    let mut rest = short(0x0028, 0x0008, "IS", b"2 ");
    let value = [
        item(0xe000, 0, &[]),
        item(0xe000, 2, b"ab"),
        item(0xe000, 4, b"cdef"),
        item(0xe0dd, 0, &[]),
    ]
    .concat();
    rest.extend(long(0x7fe0, 0x0010, "OB", UNDEFINED, &value));
    rest.extend(short(0xfffc, 0xfffc, "LO", b"pad "));
    let result = split_explicit(&dataset(&rest)).expect("sound");
    let bulk = &result.bulks[0];
    assert_eq!((bulk.encapsulated, bulk.length), (true, value.len() as u64));
    let frames = [
        FrameRange {
            offset: 8,
            length: 10,
        },
        FrameRange {
            offset: 18,
            length: 12,
        },
    ];
    assert_eq!(bulk.frames, frames);
}

#[test]
fn identifiers_print_no_patient() {
    let result = split_explicit(&dataset(&short(0x0008, 0x1030, "LO", b"SECRET"))).expect("sound");
    let printed = format!("{:?}", result.identifiers);
    assert!(
        !printed.contains("SECRET") && !printed.contains("P1"),
        "{printed}"
    );
}
