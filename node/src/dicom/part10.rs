//! DICOM files (PS3.10): the head that goes before a data set, and finding the data set in a file.

use super::syntax::{self, TransferSyntax};
use super::uid::{Uid, UidError};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::decode::Decode;
use dicom_encoding::decode::explicit_le::ExplicitVRLittleEndianDecoder;
use std::io::{self, Read, Seek, SeekFrom};

/// Implementation Class UID of this program, a fixed number under 2.25 (PS3.7 section D.3.3.2).
pub const IMPLEMENTATION_CLASS: &str = "2.25.271482031916375940226618570214951304127";

/// Implementation Version Name of this program, at most 16 characters.
pub const IMPLEMENTATION_VERSION: &str = concat!("RADMESH_", env!("CARGO_PKG_VERSION"));

/// Length of the preamble, which is written as zeros: a foreign one can hold a program.
const PREAMBLE_LEN: usize = 128;

/// Longest file meta information that is read. Usual ones have 200 bytes; private information
/// may be added to it.
const META_MAX: u64 = 256 * 1024;

/// Longest value that is read from file meta information.
const META_VALUE_MAX: u32 = 1024;

/// Where a file's data set is, and what the file says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part10 {
    /// The data set's transfer syntax: as the file says, or as the first element of a bare data
    /// set shows.
    pub syntax: &'static TransferSyntax,
    /// Media Storage SOP Class UID, if the file has one.
    pub sop_class: Option<Uid>,
    /// Media Storage SOP Instance UID, if the file has one.
    pub sop_instance: Option<Uid>,
    /// First byte of the data set, from the beginning of the file.
    pub dataset_offset: u64,
}

/// Why a file cannot be taken for a DICOM file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Part10Error {
    /// The file could not be read.
    #[error("reading the file failed: {0}")]
    Read(io::ErrorKind),
    /// Neither a DICOM file nor a bare data set.
    #[error("the file is no DICOM file")]
    NotDicom,
    /// The file ends inside its meta information.
    #[error("the file meta information is truncated")]
    Truncated,
    /// Meta information longer than it can reasonably be.
    #[error("the file meta information is too long")]
    TooLong,
    /// A UID of the meta information is none.
    #[error("element {tag} of the file meta information is no identifier: {reason}")]
    InvalidUid {
        /// The element.
        tag: Tag,
        /// The rule that it breaks.
        reason: UidError,
    },
    /// The meta information names no transfer syntax.
    #[error("the file names no transfer syntax")]
    NoTransferSyntax,
    /// A transfer syntax that this node does not take.
    #[error("the transfer syntax is not supported")]
    UnknownTransferSyntax,
}

impl From<io::Error> for Part10Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Self::Truncated
        } else {
            Self::Read(error.kind())
        }
    }
}

/// The bytes before the data set: preamble, `DICM`, and file meta information with our
/// implementation's identity (PS3.10 section 7.1).
pub fn head(sop_class: &Uid, sop_instance: &Uid, syntax: &TransferSyntax) -> Vec<u8> {
    let mut meta = Vec::with_capacity(256);
    // File Meta Information Version is OB: two reserved bytes and a 32-bit length.
    meta.extend(b"\x02\x00\x01\x00OB\0\0\x02\0\0\0\x00\x01");
    put(
        &mut meta,
        tags::MEDIA_STORAGE_SOP_CLASS_UID,
        b"UI",
        sop_class.as_str(),
    );
    put(
        &mut meta,
        tags::MEDIA_STORAGE_SOP_INSTANCE_UID,
        b"UI",
        sop_instance.as_str(),
    );
    put(&mut meta, tags::TRANSFER_SYNTAX_UID, b"UI", syntax.uid);
    put(
        &mut meta,
        tags::IMPLEMENTATION_CLASS_UID,
        b"UI",
        IMPLEMENTATION_CLASS,
    );
    put(
        &mut meta,
        tags::IMPLEMENTATION_VERSION_NAME,
        b"SH",
        IMPLEMENTATION_VERSION,
    );
    let mut head = vec![0; PREAMBLE_LEN];
    head.extend(b"DICM\x02\x00\x00\x00UL\x04\x00");
    head.extend((meta.len() as u32).to_le_bytes());
    head.extend(meta);
    head
}

/// Appends a short text element in Explicit VR Little Endian, padded to an even length.
fn put(out: &mut Vec<u8>, tag: Tag, vr: &[u8; 2], text: &str) {
    let padded = text.len().next_multiple_of(2);
    out.extend(tag.group().to_le_bytes());
    out.extend(tag.element().to_le_bytes());
    out.extend(vr);
    // The texts are UIDs and our own name: at most 64 bytes.
    out.extend((padded as u16).to_le_bytes());
    out.extend(text.as_bytes());
    if padded > text.len() {
        out.push(if vr == b"UI" { 0 } else { b' ' });
    }
}

/// Finds the data set of a file. Lenient as to the container: the preamble may be missing, the
/// group length may be wrong, and a bare data set is recognised by its first element.
///
/// # Errors
/// [`Part10Error`].
pub fn read<R: Read + Seek>(source: &mut R) -> Result<Part10, Part10Error> {
    let mut start = Vec::with_capacity(PREAMBLE_LEN + 4);
    source.seek(SeekFrom::Start(0))?;
    source
        .by_ref()
        .take(PREAMBLE_LEN as u64 + 4)
        .read_to_end(&mut start)?;
    if start.get(PREAMBLE_LEN..) == Some(b"DICM") {
        return read_meta(source, PREAMBLE_LEN as u64 + 4);
    }
    match start.as_slice() {
        [b'D', b'I', b'C', b'M', ..] => read_meta(source, 4),
        [0x02, 0x00, _, 0x00, ..] => read_meta(source, 0),
        _ => Ok(Part10 {
            syntax: guess_syntax(&start).ok_or(Part10Error::NotDicom)?,
            sop_class: None,
            sop_instance: None,
            dataset_offset: 0,
        }),
    }
}

/// The transfer syntax of a bare data set, by its first element: a group from 0004 to 0010, with
/// or without a VR after the tag.
fn guess_syntax(start: &[u8]) -> Option<&'static TransferSyntax> {
    let [a, b, _, _, v, r, _, _, ..] = *start else {
        return None;
    };
    let explicit = VR::from_binary([v, r]).is_some();
    let group = 0x0004..=0x0010;
    if group.contains(&u16::from_le_bytes([a, b])) {
        syntax::find(if explicit {
            syntax::EXPLICIT_LITTLE
        } else {
            syntax::IMPLICIT_LITTLE
        })
    } else if explicit && group.contains(&u16::from_be_bytes([a, b])) {
        syntax::find(syntax::EXPLICIT_BIG)
    } else {
        None
    }
}

/// Reads group 0002 from `start` on; the data set begins with the first element of another
/// group, whatever the group length says.
fn read_meta<R: Read + Seek>(source: &mut R, start: u64) -> Result<Part10, Part10Error> {
    source.seek(SeekFrom::Start(start))?;
    let mut source = io::BufReader::with_capacity(1024, source.take(META_MAX));
    let decoder = ExplicitVRLittleEndianDecoder::default();
    let (mut at, mut syntax, mut sop_class, mut sop_instance) = (start, None, None, None);
    loop {
        if at - start >= META_MAX {
            return Err(Part10Error::TooLong);
        }
        let mut group = [0; 2];
        let read = io::copy(&mut source.by_ref().take(2), &mut &mut group[..])?;
        if read == 0 || group != [0x02, 0x00] {
            break;
        }
        let (header, header_len) = decoder
            .decode_header(&mut (&group[..]).chain(&mut source))
            .map_err(|_| Part10Error::Truncated)?;
        let length = header.len.get().ok_or(Part10Error::NotDicom)?;
        at += header_len as u64 + u64::from(length);
        let mut value = Vec::new();
        let wanted = matches!(
            header.tag,
            tags::TRANSFER_SYNTAX_UID
                | tags::MEDIA_STORAGE_SOP_CLASS_UID
                | tags::MEDIA_STORAGE_SOP_INSTANCE_UID
        );
        if wanted && length <= META_VALUE_MAX {
            source
                .by_ref()
                .take(u64::from(length))
                .read_to_end(&mut value)?;
        } else {
            io::copy(
                &mut source.by_ref().take(u64::from(length)),
                &mut io::sink(),
            )?;
        }
        let uid = || {
            Uid::from_value(&value).map_err(|reason| Part10Error::InvalidUid {
                tag: header.tag,
                reason,
            })
        };
        match header.tag {
            tags::TRANSFER_SYNTAX_UID => syntax = Some(uid()?),
            tags::MEDIA_STORAGE_SOP_CLASS_UID => sop_class = uid().ok(),
            tags::MEDIA_STORAGE_SOP_INSTANCE_UID => sop_instance = uid().ok(),
            _ => {}
        }
    }
    let syntax = syntax.ok_or(Part10Error::NoTransferSyntax)?;
    let syntax = syntax::find(syntax.as_str()).ok_or(Part10Error::UnknownTransferSyntax)?;
    Ok(Part10 {
        syntax,
        sop_class,
        sop_instance,
        dataset_offset: at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn file(dataset: &[u8]) -> Vec<u8> {
        let (class, instance) = (Uid::parse("1.2.3"), Uid::parse("2.25.1"));
        let syntax = syntax::find(syntax::EXPLICIT_LITTLE).expect("in the table");
        let mut file = head(&class.expect("valid"), &instance.expect("valid"), syntax);
        file.extend(dataset);
        file
    }

    #[test]
    fn what_is_written_is_found() {
        let file = file(b"\x08\x00\x05\x00CS\x00\x00");
        let found = read(&mut Cursor::new(&file)).expect("our own file");
        assert_eq!(found.syntax.uid, syntax::EXPLICIT_LITTLE);
        assert_eq!(found.sop_class, Uid::parse("1.2.3").ok());
        assert_eq!(found.sop_instance, Uid::parse("2.25.1").ok());
        assert_eq!(found.dataset_offset as usize, file.len() - 8);
        let bare_meta = read(&mut Cursor::new(&file[132..])).expect("no preamble");
        assert_eq!(bare_meta.dataset_offset + 132, found.dataset_offset);
    }

    #[test]
    fn dicom_rs_reads_our_head() {
        let file = file(b"\x08\x00\x05\x00CS\x00\x00");
        let table = dicom_object::FileMetaTable::from_reader(Cursor::new(&file[128..]));
        let table = table.expect("a file that dicom-rs reads");
        assert_eq!(table.transfer_syntax(), syntax::EXPLICIT_LITTLE);
        assert_eq!(
            table.implementation_class_uid.trim_end_matches('\0'),
            IMPLEMENTATION_CLASS
        );
        assert!(IMPLEMENTATION_VERSION.len() <= 16);
        assert!(Uid::parse(IMPLEMENTATION_CLASS).is_ok());
    }

    #[test]
    fn bare_data_sets_are_recognised() {
        let of = |bytes: &[u8]| read(&mut Cursor::new(bytes)).map(|found| found.syntax.uid);
        assert_eq!(
            of(b"\x08\x00\x05\x00CS\x00\x00"),
            Ok(syntax::EXPLICIT_LITTLE)
        );
        assert_eq!(
            of(b"\x08\x00\x05\x00\x00\x00\x00\x00"),
            Ok(syntax::IMPLICIT_LITTLE)
        );
        assert_eq!(of(b"\x00\x08\x00\x05CS\x00\x00"), Ok(syntax::EXPLICIT_BIG));
        assert_eq!(of(b""), Err(Part10Error::NotDicom));
        assert_eq!(of(b"PK\x03\x04 a zip file"), Err(Part10Error::NotDicom));
    }

    #[test]
    fn bad_meta_is_named() {
        let meta = |rest: &[u8]| {
            let mut file = vec![0; 128];
            file.extend(b"DICM");
            file.extend(rest);
            read(&mut Cursor::new(file)).map(|found| found.syntax.uid)
        };
        assert_eq!(meta(b""), Err(Part10Error::NoTransferSyntax));
        assert_eq!(
            meta(b"\x02\x00\x10\x00UI\x06\x001.2.3\0"),
            Err(Part10Error::UnknownTransferSyntax)
        );
        assert_eq!(meta(b"\x02\x00\x10\x00U"), Err(Part10Error::Truncated));
        let path = Part10Error::InvalidUid {
            tag: tags::TRANSFER_SYNTAX_UID,
            reason: UidError::Character { position: 2 },
        };
        assert_eq!(meta(b"\x02\x00\x10\x00UI\x06\x00../etc"), Err(path));
    }
}
