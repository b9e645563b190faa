//! Objects: what the gateway hands in, and how it rests.
//!
//! An object is split before it comes here. Its *header* is the dataset without its bulk values;
//! it rests as one sealed record. Each *bulk* value becomes one file of sealed 64 KiB segments
//! under a random key of its own, named by the SHA-256 of the whole file: what lies there is what
//! is sent, and a segment can be fetched and checked alone.
//!
//! [`put`]: sealed files first, then one synced batch with the object, its header, its instance
//! name, its files' owners and its study's summary. Only then is the caller told.

pub mod delete;
pub mod locks;
pub mod put;
pub mod quarantine;
pub mod read;
pub mod record;
mod seal;
pub mod sweep;
pub mod table;
pub mod verify;

use std::fmt;

use crypto::digest::Digest;

use crate::phi::Phi;

pub use put::Put;
pub use read::{PlainFile, SealedFile};
pub use record::{ObjectRecord, Part};
pub use table::StudySummary;

/// Longest header: values up to 1 MiB each stay in it, and a header of more than a few of them is
/// no header. It is held in memory as a whole.
pub const HEADER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most bulk values of one object. Each is a file.
pub const BULKS_MAX: usize = 64;
/// Most frames of one bulk value: whole-slide tiles; 16 bytes each in the record.
pub const FRAMES_MAX: usize = 1024 * 1024;
/// Longest text in an object's metadata, in bytes: a person name of five components in three
/// spellings stays below it.
pub const TEXT_BYTES_MAX: usize = 4096;

/// A random number that names an object in the store; it says nothing about the object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub [u8; 16]);

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What queries need of a study; texts as in the dataset, decoded to UTF-8.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StudyFields {
    /// (0010,0020).
    pub patient_id: Phi<String>,
    /// (0010,0021).
    pub patient_id_issuer: Phi<String>,
    /// (0010,0010).
    pub patient_name: Phi<String>,
    /// (0010,0030), `YYYYMMDD`.
    pub birth_date: Phi<String>,
    /// (0010,0040).
    pub sex: Phi<String>,
    /// (0008,0050).
    pub accession: Phi<String>,
    /// (0008,0020), `YYYYMMDD`.
    pub date: Phi<String>,
    /// (0008,0030).
    pub time: Phi<String>,
    /// (0008,1030).
    pub description: Phi<String>,
    /// (0018,0015).
    pub body_part: Phi<String>,
}

impl StudyFields {
    /// All fields, in the order in which they are stored.
    pub(in crate::store) fn all(&self) -> [&Phi<String>; 10] {
        [
            &self.patient_id,
            &self.patient_id_issuer,
            &self.patient_name,
            &self.birth_date,
            &self.sex,
            &self.accession,
            &self.date,
            &self.time,
            &self.description,
            &self.body_part,
        ]
    }

    /// As [`StudyFields::all`], to be filled.
    pub(in crate::store) fn all_mut(&mut self) -> [&mut Phi<String>; 10] {
        [
            &mut self.patient_id,
            &mut self.patient_id_issuer,
            &mut self.patient_name,
            &mut self.birth_date,
            &mut self.sex,
            &mut self.accession,
            &mut self.date,
            &mut self.time,
            &mut self.description,
            &mut self.body_part,
        ]
    }
}

/// What an object is, as the gateway read it from the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Study Instance UID (0020,000D).
    pub study_uid: Phi<String>,
    /// Series Instance UID (0020,000E).
    pub series_uid: Phi<String>,
    /// SOP Instance UID (0008,0018).
    pub sop_uid: Phi<String>,
    /// SOP Class UID (0008,0016).
    pub sop_class_uid: String,
    /// Transfer syntax of header and bulk.
    pub transfer_syntax_uid: String,
    /// (0008,0060).
    pub modality: String,
    /// (0020,0011), where it is a number.
    pub series_number: Option<i64>,
    /// (0020,0013), where it is a number.
    pub instance_number: Option<i64>,
    /// When the object had arrived: milliseconds since 1970, UTC.
    pub received_ms: u64,
    /// For the study's summary.
    pub study: StudyFields,
}

/// One bulk value of an object that is being put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkSpec {
    /// The element's tag, group in the upper half.
    pub tag: u32,
    /// The element's value representation, two letters.
    pub vr: [u8; 2],
    /// Byte offset in the header at which the element was cut out.
    pub header_offset: u64,
    /// Byte offset of the value in the source.
    pub source_offset: u64,
    /// The value's length in bytes.
    pub length: u64,
    /// Whether the value is a sequence of fragments (PS3.5 A.4).
    pub encapsulated: bool,
    /// Where each frame lies in the value.
    pub frames: Vec<Frame>,
}

/// A frame's place in its bulk value, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// From the value's first byte.
    pub offset: u64,
    /// The frame's bytes.
    pub length: u64,
}

/// A sealed file that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sealed file {file} is damaged ({problem}): send the object again, or restore the file")]
pub struct Damage {
    /// The file's name: the digest it should have.
    pub file: Digest,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a sealed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is not there.
    #[error("it is missing")]
    Missing,
    /// It has another length.
    #[error("it has another length")]
    Length,
    /// It has another digest.
    #[error("its digest differs")]
    Digest,
    /// A segment does not open under the object's key.
    #[error("segment {0} does not open")]
    Segment(u64),
}

#[cfg(test)]
mod tests;
