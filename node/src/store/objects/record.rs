//! The records of an object in the index, version 1.

use crypto::digest::{self, Digest};
use crypto::keys::SymmetricKey;
use crypto::segment;
use zeroize::Zeroizing;

use super::{BulkSpec, Frame, ObjectId, ObjectMeta};
use crate::phi::Phi;
use crate::store::codec::{Reader, RecordError, Stored, Writer};
use crate::store::labels;

/// One stored object.
pub struct ObjectRecord {
    /// The store's own name for it.
    pub id: ObjectId,
    /// Study Instance UID.
    pub study_uid: Phi<String>,
    /// Series Instance UID.
    pub series_uid: Phi<String>,
    /// SOP Instance UID.
    pub sop_uid: Phi<String>,
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// Transfer syntax of header and bulk.
    pub transfer_syntax_uid: String,
    /// Modality.
    pub modality: String,
    /// Series number, where it is a number.
    pub series_number: Option<i64>,
    /// Instance number, where it is a number.
    pub instance_number: Option<i64>,
    /// When it had arrived: milliseconds since 1970, UTC.
    pub received_ms: u64,
    /// Bytes of its header.
    pub header_length: u64,
    /// Digest of header and bulk as received ([`dataset_digest`]).
    pub dataset: Digest,
    /// Its bulk values, in the order in which they came.
    pub parts: Vec<Part>,
}

/// One sealed bulk value.
pub struct Part {
    /// The element's tag, group in the upper half.
    pub tag: u32,
    /// The element's value representation.
    pub vr: [u8; 2],
    /// Byte offset in the header at which the element was cut out.
    pub header_offset: u64,
    /// Whether the value is a sequence of fragments.
    pub encapsulated: bool,
    /// Plaintext bytes.
    pub length: u64,
    /// The random id that the segment key is bound to.
    pub id: [u8; 16],
    /// The object key that seals this value and no other.
    pub key: SymmetricKey,
    /// Salt of `plaintext`.
    pub salt: [u8; 32],
    /// Salted digest of the plaintext (`protocol::transfer::manifest::plain_digest`).
    pub plaintext: Digest,
    /// SHA-256 of the sealed file, and its name.
    pub sealed: Digest,
    /// Where each frame lies in the plaintext.
    pub frames: Vec<Frame>,
}

impl Part {
    /// Bytes of the sealed file.
    pub fn sealed_length(&self) -> u64 {
        segment::sealed_len(self.length)
    }

    /// What a manifest carries to bind the key.
    pub fn commitment(&self) -> Digest {
        segment::key_commitment(&self.key, &self.id)
    }
}

/// The digest of a dataset: transfer syntax, header, and each bulk value's place and SHA-256.
pub fn dataset_digest(
    transfer_syntax_uid: &str,
    header: &[u8],
    bulks: &[BulkSpec],
    digests: &[Digest],
) -> Digest {
    let places: Vec<[u8; 22]> = bulks.iter().map(place_of).collect();
    let mut parts: Vec<&[u8]> = vec![transfer_syntax_uid.as_bytes(), header];
    for (place, digest) in places.iter().zip(digests) {
        parts.push(place);
        parts.push(digest.as_bytes());
    }
    digest::tagged(labels::DATASET, &parts)
}

fn place_of(bulk: &BulkSpec) -> [u8; 22] {
    let mut place = [0; 22];
    place[..4].copy_from_slice(&bulk.tag.to_be_bytes());
    place[4..6].copy_from_slice(&bulk.vr);
    place[6..14].copy_from_slice(&bulk.header_offset.to_be_bytes());
    place[14..].copy_from_slice(&bulk.length.to_be_bytes());
    place
}

impl ObjectRecord {
    pub(super) fn new(meta: &ObjectMeta, sealed: super::seal::SealedParts, header: &[u8]) -> Self {
        Self {
            id: sealed.id,
            study_uid: meta.study_uid.clone(),
            series_uid: meta.series_uid.clone(),
            sop_uid: meta.sop_uid.clone(),
            sop_class_uid: meta.sop_class_uid.clone(),
            transfer_syntax_uid: meta.transfer_syntax_uid.clone(),
            modality: meta.modality.clone(),
            series_number: meta.series_number,
            instance_number: meta.instance_number,
            received_ms: meta.received_ms,
            header_length: header.len() as u64,
            dataset: sealed.dataset,
            parts: sealed.parts,
        }
    }

    /// Plaintext bytes of header and bulk.
    pub fn length(&self) -> u64 {
        self.parts.iter().fold(self.header_length, |sum, part| {
            sum.saturating_add(part.length)
        })
    }

    /// The order in which a study's objects are listed: series number, series, instance number,
    /// instance; what has no number comes last.
    pub fn order(&self) -> impl Ord + use<> {
        let last = |number: Option<i64>| (number.is_none(), number);
        (
            last(self.series_number),
            self.series_uid.clone(),
            last(self.instance_number),
            self.sop_uid.clone(),
        )
    }
}

impl Stored for ObjectRecord {
    const VERSION: u8 = 1;

    fn encode(&self, writer: &mut Writer) {
        writer.array(&self.id.0);
        writer.text(self.study_uid.expose());
        writer.text(self.series_uid.expose());
        writer.text(self.sop_uid.expose());
        writer.text(&self.sop_class_uid);
        writer.text(&self.transfer_syntax_uid);
        writer.text(&self.modality);
        writer.optional_i64(self.series_number);
        writer.optional_i64(self.instance_number);
        writer.u64(self.received_ms);
        writer.u64(self.header_length);
        writer.array(&self.dataset.0);
        writer.count(self.parts.len());
        for part in &self.parts {
            encode_part(part, writer);
        }
    }

    fn decode(_version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            id: ObjectId(reader.array()?),
            study_uid: Phi::new(reader.text()?),
            series_uid: Phi::new(reader.text()?),
            sop_uid: Phi::new(reader.text()?),
            sop_class_uid: reader.text()?,
            transfer_syntax_uid: reader.text()?,
            modality: reader.text()?,
            series_number: reader.optional_i64()?,
            instance_number: reader.optional_i64()?,
            received_ms: reader.u64()?,
            header_length: reader.u64()?,
            dataset: Digest(reader.array()?),
            parts: {
                let count = reader.count(PART_BYTES_MIN)?;
                (0..count)
                    .map(|_| decode_part(reader))
                    .collect::<Result<_, _>>()?
            },
        })
    }
}

/// A part without frames: fixed fields only.
const PART_BYTES_MIN: usize = 4 + 2 + 8 + 1 + 8 + 16 + 32 + 32 + 32 + 32 + 4;
const FRAME_BYTES: usize = 16;

fn encode_part(part: &Part, writer: &mut Writer) {
    writer.u32(part.tag);
    writer.array(&part.vr);
    writer.u64(part.header_offset);
    writer.u8(u8::from(part.encapsulated));
    writer.u64(part.length);
    writer.array(&part.id);
    writer.array(part.key.as_bytes());
    writer.array(&part.salt);
    writer.array(&part.plaintext.0);
    writer.array(&part.sealed.0);
    writer.count(part.frames.len());
    for frame in &part.frames {
        writer.u64(frame.offset);
        writer.u64(frame.length);
    }
}

fn decode_part(reader: &mut Reader<'_>) -> Result<Part, RecordError> {
    Ok(Part {
        tag: reader.u32()?,
        vr: reader.array()?,
        header_offset: reader.u64()?,
        encapsulated: reader.flag()?,
        length: reader.u64()?,
        id: reader.array()?,
        key: SymmetricKey::from_bytes(&Zeroizing::new(reader.array()?)),
        salt: reader.array()?,
        plaintext: Digest(reader.array()?),
        sealed: Digest(reader.array()?),
        frames: {
            let count = reader.count(FRAME_BYTES)?;
            let mut frames = Vec::with_capacity(count);
            for _ in 0..count {
                frames.push(Frame {
                    offset: reader.u64()?,
                    length: reader.u64()?,
                });
            }
            frames
        },
    })
}

/// An object's header.
pub(super) struct HeaderRecord(pub Vec<u8>);

impl Stored for HeaderRecord {
    const VERSION: u8 = 1;

    fn encode(&self, writer: &mut Writer) {
        writer.bytes(&self.0);
    }

    fn decode(_version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        reader.bytes().map(|bytes| Self(bytes.to_vec()))
    }
}

/// Which object holds a SOP Instance UID, and which bytes came under it.
pub(super) struct InstanceRecord {
    /// Keyed digest of UID and dataset digest.
    pub duplicate: Digest,
    /// The object's key in `Family::Objects`.
    pub object: Vec<u8>,
}

impl Stored for InstanceRecord {
    const VERSION: u8 = 1;

    fn encode(&self, writer: &mut Writer) {
        writer.array(&self.duplicate.0);
        writer.bytes(&self.object);
    }

    fn decode(_version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            duplicate: Digest(reader.array()?),
            object: reader.bytes()?.to_vec(),
        })
    }
}

/// Which object owns a sealed file.
pub(super) struct FileRecord {
    /// The file's length in bytes.
    pub length: u64,
    /// The owner's key in `Family::Objects` or `Family::Quarantine`.
    pub owner: Vec<u8>,
}

impl Stored for FileRecord {
    const VERSION: u8 = 1;

    fn encode(&self, writer: &mut Writer) {
        writer.u64(self.length);
        writer.bytes(&self.owner);
    }

    fn decode(_version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            length: reader.u64()?,
            owner: reader.bytes()?.to_vec(),
        })
    }
}
