//! Questions to the store: studies, objects, headers, and the bytes of sealed files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use crypto::digest::Digest;
use crypto::segment::{self, Opener, SALT_LEN, SEALED_SEGMENT_LEN, SegmentCipher};
use zeroize::Zeroizing;

use super::record::{FileRecord, HeaderRecord, ObjectRecord, Part};
use super::seal;
use super::table::StudySummary;
use super::{Damage, ObjectId, Problem};
use crate::store::Store;
use crate::store::disk::{Cause, DiskContext, DiskError};
use crate::store::error::StoreError;
use crate::store::index::Family;

impl Store {
    /// The studies that `wanted` picks, newest arrival first, at most `limit`.
    ///
    /// # Errors
    /// `StoreError::Poisoned`.
    pub fn studies(
        &self,
        limit: usize,
        wanted: impl Fn(&StudySummary) -> bool,
    ) -> Result<Vec<StudySummary>, StoreError> {
        let table = self.table.read()?;
        let mut found: Vec<&StudySummary> = table.values().filter(|study| wanted(study)).collect();
        found.sort_by_key(|study| (std::cmp::Reverse(study.last_arrival_ms), &study.study_uid));
        Ok(found.into_iter().take(limit).cloned().collect())
    }

    /// One study's summary.
    ///
    /// # Errors
    /// `StoreError::Poisoned`.
    pub fn study(&self, study_uid: &str) -> Result<Option<StudySummary>, StoreError> {
        Ok(self.table.read()?.get(&self.study_name(study_uid)).cloned())
    }

    /// How many studies there are.
    ///
    /// # Errors
    /// `StoreError::Poisoned`.
    pub fn study_count(&self) -> Result<usize, StoreError> {
        Ok(self.table.read()?.len())
    }

    /// A study's objects, by series number, series, instance number, instance. Empty when there is
    /// no such study.
    ///
    /// # Errors
    /// `StoreError::Index` when a record does not open.
    pub fn objects(&self, study_uid: &str) -> Result<Vec<ObjectRecord>, StoreError> {
        let name = self.study_name(study_uid);
        let found = self.index.scan::<ObjectRecord>(Family::Objects, &name.0)?;
        let mut records: Vec<_> = found
            .map(|item| item.map(|(_, record)| record))
            .collect::<Result<_, _>>()?;
        records.sort_by_cached_key(ObjectRecord::order);
        Ok(records)
    }

    /// An object's header: its dataset without the values of its bulk elements.
    ///
    /// # Errors
    /// `StoreError::Unknown`, or `Index` when it does not open.
    pub fn header(&self, id: ObjectId) -> Result<Vec<u8>, StoreError> {
        let found: Option<HeaderRecord> = self.index.get(Family::Headers, &id.0)?;
        found
            .map(|header| header.0)
            .ok_or(StoreError::Unknown("object"))
    }

    /// Opens a sealed file that a record owns, to send its ciphertext as it lies there.
    ///
    /// # Errors
    /// `StoreError::Unknown` when no record owns it, `Damaged` when it is missing or has another
    /// length, `Disk`.
    pub fn open_sealed(&self, file: &Digest) -> Result<SealedFile, StoreError> {
        let owned: Option<FileRecord> = self.index.get(Family::Files, &file.0)?;
        let length = owned.ok_or(StoreError::Unknown("sealed file"))?.length;
        let path = seal::path_of(&self.layout, file);
        let damaged = |problem| {
            StoreError::Damaged(Damage {
                file: *file,
                problem,
            })
        };
        let opened = match File::open(&path).at("open", &path) {
            Ok(opened) => opened,
            Err(DiskError {
                cause: Cause::Missing,
                ..
            }) => return Err(damaged(Problem::Missing)),
            Err(error) => return Err(error.into()),
        };
        if opened.metadata().at("measure", &path)?.len() != length {
            return Err(damaged(Problem::Length));
        }
        Ok(SealedFile {
            file: opened,
            name: *file,
            length,
        })
    }

    /// Opens a bulk value for reading its plaintext here: for the hospital's own screens and for
    /// rebuilding the object.
    ///
    /// # Errors
    /// As [`Store::open_sealed`].
    pub fn open_plain(&self, part: &Part) -> Result<PlainFile, StoreError> {
        PlainFile::new(self.open_sealed(&part.sealed)?, part)
    }
}

/// A sealed file's ciphertext, readable at any offset and from several threads.
#[derive(Debug)]
pub struct SealedFile {
    file: File,
    name: Digest,
    length: u64,
}

impl SealedFile {
    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The file's name: SHA-256 of all its bytes.
    pub fn name(&self) -> &Digest {
        &self.name
    }

    /// Fills `buffer` with the bytes at `offset`.
    ///
    /// # Errors
    /// `StoreError::Damaged` when the file ends within the range, `Disk` otherwise.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
        self.file.read_exact_at(buffer, offset).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                return Damage {
                    file: self.name,
                    problem: Problem::Length,
                }
                .into();
            }
            let path = self.name.to_hex();
            DiskError::new("read sealed file", path.as_ref(), &error).into()
        })
    }
}

/// A bulk value's plaintext, opened segment by segment; one segment is held.
pub struct PlainFile {
    file: SealedFile,
    opener: Opener,
    position: u64,
    /// Index and plaintext of the segment that was opened last.
    held: Option<(u64, Zeroizing<Vec<u8>>)>,
}

impl PlainFile {
    fn new(file: SealedFile, part: &Part) -> Result<Self, StoreError> {
        let mut salt = [0; SALT_LEN];
        file.read_at(0, &mut salt)?;
        let cipher = SegmentCipher::new(&part.key, part.id, salt, part.length);
        let damaged = |_| Damage {
            file: file.name,
            problem: Problem::Length,
        };
        let opener = Opener::new(cipher, part.length).map_err(damaged)?;
        Ok(Self {
            file,
            opener,
            position: 0,
            held: None,
        })
    }

    /// Plaintext bytes.
    pub fn length(&self) -> u64 {
        self.opener.plain_len()
    }

    /// The plaintext of segment `index`; empty past the end.
    ///
    /// # Errors
    /// `StoreError::Damaged` naming the segment, or `Disk`.
    pub fn segment(&mut self, index: u64) -> Result<&[u8], StoreError> {
        if self.held.as_ref().is_none_or(|(held, _)| *held != index) {
            let range = segment::segment_range(self.length(), index);
            let mut buffer = match self.held.take() {
                Some((_, buffer)) => buffer,
                None => Zeroizing::new(Vec::with_capacity(SEALED_SEGMENT_LEN)),
            };
            buffer.resize((range.end - range.start) as usize, 0);
            self.file.read_at(range.start, &mut buffer)?;
            if !buffer.is_empty() {
                let problem = Problem::Segment(index);
                let damaged = |_| Damage {
                    file: self.file.name,
                    problem,
                };
                self.opener.open(index, &mut buffer).map_err(damaged)?;
            }
            self.held = Some((index, buffer));
        }
        Ok(self
            .held
            .as_ref()
            .map_or(&[], |(_, plain)| plain.as_slice()))
    }
}

impl Read for PlainFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.length() {
            return Ok(0);
        }
        let size = segment::SEGMENT_LEN as u64;
        let (index, within) = (self.position / size, (self.position % size) as usize);
        let plain = self.segment(index).map_err(io::Error::other)?;
        let available = plain.get(within..).unwrap_or(&[]);
        let count = available.len().min(out.len());
        out[..count].copy_from_slice(&available[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for PlainFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = crate::store::spool::seek_to(to, self.position, self.length())?;
        Ok(self.position)
    }
}
