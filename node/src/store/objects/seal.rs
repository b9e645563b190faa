//! From plaintext in a source to sealed files in place: one pass, two segments of memory.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crypto::digest::{Digest, Hasher};
use crypto::segment::{self, SALT_LEN, SEGMENT_LEN, SegmentCipher, TAG_LEN};
use protocol::transfer::manifest;

use super::locks::Locks;
use super::record::{self, Part};
use super::{BulkSpec, ObjectId, ObjectMeta};
use crate::store::durable::{self, TempFile};
use crate::store::error::{Limit, StoreError};
use crate::store::{Layout, random};

/// An object's bulk, sealed and in place, not yet in the index.
pub(super) struct SealedParts {
    pub id: ObjectId,
    pub parts: Vec<Part>,
    pub dataset: Digest,
}

/// Sealed files whose record is still to come. Dropped without [`Placed::keep`], they are removed.
pub(super) struct Placed<'a> {
    locks: &'a Locks,
    layout: &'a Layout,
    files: Vec<Digest>,
    kept: bool,
}

/// Where a sealed file lies: two folders of 256 each keep every folder small.
pub(super) fn path_of(layout: &Layout, file: &Digest) -> PathBuf {
    layout.sealed.join(below(file))
}

fn below(file: &Digest) -> PathBuf {
    let name = file.to_hex();
    Path::new(&name[..2]).join(&name[2..4]).join(&name)
}

impl<'a> Placed<'a> {
    pub(super) fn new(layout: &'a Layout, locks: &'a Locks) -> Self {
        Self {
            locks,
            layout,
            files: Vec::new(),
            kept: false,
        }
    }

    /// The record is committed: the files stay.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }

    /// Nobody knows whether the record is committed: it may be there after the next start, whatever
    /// the disk said, and its files must be there too. They stay, and stay in flight for as long as
    /// this process runs, so that no sweep takes them before then.
    pub(super) fn leave(mut self) {
        self.kept = true;
        self.files.clear();
    }

    /// Syncs a finished file and gives it its name. A crash on the way leaves a temporary file,
    /// or a sealed file without a record; both are swept.
    fn place(&mut self, file: TempFile, name: Digest) -> Result<(), StoreError> {
        self.locks.in_flight()?.insert(name);
        self.files.push(name);
        let path = path_of(self.layout, &name);
        let below = below(&name);
        let folders = durable::make_folders(&self.layout.sealed, durable::parent(&below))?;
        file.persist(&path)?;
        for folder in folders {
            durable::sync_folder(&folder)?;
        }
        Ok(())
    }
}

impl Drop for Placed<'_> {
    fn drop(&mut self) {
        if !self.kept {
            for file in &self.files {
                // What cannot be removed here has no record, and the next sweep tries again.
                let _ = durable::remove(&path_of(self.layout, file));
            }
        }
        if let Ok(mut in_flight) = self.locks.in_flight() {
            for file in &self.files {
                in_flight.remove(file);
            }
        }
    }
}

/// Seals all bulk values of an object and puts the files in place.
///
/// # Errors
/// `StoreError::Source`, `Disk` or `Entropy`; `placed` removes what was put in place.
pub(super) fn seal<S: Read + Seek>(
    placed: &mut Placed<'_>,
    meta: &ObjectMeta,
    header: &[u8],
    bulks: &[BulkSpec],
    source: &mut S,
) -> Result<SealedParts, StoreError> {
    let mut parts = Vec::with_capacity(bulks.len());
    let mut digests = Vec::with_capacity(bulks.len());
    for bulk in bulks {
        let (part, digest) = seal_one(placed, bulk, source)?;
        parts.push(part);
        digests.push(digest);
    }
    let dataset = record::dataset_digest(&meta.transfer_syntax_uid, header, bulks, &digests);
    Ok(SealedParts {
        id: ObjectId(random::bytes()?),
        parts,
        dataset,
    })
}

/// The dataset digest alone, for an object whose UID is known already.
///
/// # Errors
/// `StoreError::Source`.
pub(super) fn digest_only<S: Read + Seek>(
    meta: &ObjectMeta,
    header: &[u8],
    bulks: &[BulkSpec],
    source: &mut S,
) -> Result<Digest, StoreError> {
    let mut buffer = Vec::with_capacity(SEGMENT_LEN);
    let mut digests = Vec::with_capacity(bulks.len());
    for bulk in bulks {
        let mut hasher = Hasher::new();
        seek(source, bulk)?;
        for index in 0..segment::segment_count(bulk.length) {
            fill(source, bulk.length, index, &mut buffer)?;
            hasher.update(&buffer);
        }
        digests.push(hasher.finish());
    }
    Ok(record::dataset_digest(
        &meta.transfer_syntax_uid,
        header,
        bulks,
        &digests,
    ))
}

/// Returns the part and SHA-256 of its plaintext.
fn seal_one<S: Read + Seek>(
    placed: &mut Placed<'_>,
    bulk: &BulkSpec,
    source: &mut S,
) -> Result<(Part, Digest), StoreError> {
    let (id, key) = (random::bytes()?, random::key()?);
    let segment_salt: [u8; SALT_LEN] = random::bytes()?;
    let cipher = SegmentCipher::new(&key, id, segment_salt, bulk.length);
    let mut file = TempFile::create(&placed.layout.temporary)?;
    let (mut plain, mut sealed) = (Hasher::new(), Hasher::new());
    file.write(&segment_salt)?;
    sealed.update(&segment_salt);
    let count = segment::segment_count(bulk.length);
    let mut buffer = Vec::with_capacity(SEGMENT_LEN + TAG_LEN);
    seek(source, bulk)?;
    for index in 0..count {
        fill(source, bulk.length, index, &mut buffer)?;
        plain.update(&buffer);
        cipher
            .seal_segment(index, index + 1 == count, &mut buffer)
            .map_err(|_| StoreError::Limit(Limit::Bulk(bulk.length)))?;
        sealed.update(&buffer);
        file.write(&buffer)?;
    }
    let (digest, name) = (plain.finish(), sealed.finish());
    placed.place(file, name)?;
    let salt = random::bytes()?;
    let part = Part {
        tag: bulk.tag,
        vr: bulk.vr,
        header_offset: bulk.header_offset,
        encapsulated: bulk.encapsulated,
        length: bulk.length,
        id,
        key,
        salt,
        plaintext: manifest::plain_digest(&salt, &digest),
        sealed: name,
        frames: bulk.frames.clone(),
    };
    Ok((part, digest))
}

fn seek<S: Seek>(source: &mut S, bulk: &BulkSpec) -> Result<(), StoreError> {
    let sought = source.seek(SeekFrom::Start(bulk.source_offset));
    sought
        .map(drop)
        .map_err(|error| StoreError::Source(error.kind()))
}

/// Reads segment `index` of a value of `length` bytes into the reused buffer.
fn fill<S: Read>(
    source: &mut S,
    length: u64,
    index: u64,
    buffer: &mut Vec<u8>,
) -> Result<(), StoreError> {
    buffer.resize(segment::segment_plain_len(length, index), 0);
    source
        .read_exact(buffer)
        .map_err(|error| StoreError::Source(error.kind()))
}
