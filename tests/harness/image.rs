//! Crash images: the files that a power cut would leave, at any moment of a run. The format is in
//! `tests/faults/shadow.c`, which writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};

const MAGIC: u32 = u32::from_le_bytes(*b"RMS1");
/// magic, kind, length of the body.
const HEAD_BYTES: usize = 16;
/// A folder inside itself would be a fault of the journal; no program under test goes deeper.
const DEPTH_MAX: usize = 64;

/// Inode and birth time.
type Id = (u64, u64);

/// Everything that became durable in a run, in order.
#[derive(Debug)]
pub struct Journal {
    records: Vec<Record>,
}

#[derive(Debug)]
enum Record {
    File {
        id: Id,
        size: u64,
        extents: Vec<(u64, Vec<u8>)>,
    },
    Folder {
        id: Id,
        names: Vec<(Entry, String)>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    File(Id),
    Folder(Id),
}

impl Journal {
    /// Reads a journal that may still be growing: a record that is cut short at the end is not in
    /// it yet.
    ///
    /// # Errors
    /// Where the file cannot be read or is not a journal.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
        let mut records = Vec::new();
        let mut rest = Bytes(&bytes);
        while rest.0.len() >= HEAD_BYTES {
            let (magic, kind, size) = (rest.u32()?, rest.u32()?, rest.size()?);
            if magic != MAGIC {
                bail!("record {}: not a journal", records.len());
            }
            if rest.0.len() < size {
                break;
            }
            records.push(record(kind, Bytes(rest.take(size)?))?);
        }
        Ok(Self { records })
    }

    /// How many times something became durable. An acknowledgement seen by a test is covered by the
    /// images from the length read after it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing became durable, the start included.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Makes the files that a power cut after the first `moment` records would leave, in the empty
    /// or absent folder `into`.
    ///
    /// # Errors
    /// Where `moment` is 0 or past the end, or the files cannot be made.
    pub fn image(&self, moment: usize, into: &Path) -> Result<()> {
        let records = self
            .records
            .get(..moment)
            .context("the journal is shorter")?;
        let Some(Record::Folder { id: root, .. }) = records.first() else {
            bail!("no record of the root: moments count from 1");
        };
        let (mut files, mut folders) = (BTreeMap::new(), BTreeMap::new());
        for record in records {
            match record {
                Record::File { id, size, extents } => {
                    let content: &mut Vec<u8> = files.entry(*id).or_default();
                    content.resize(usize::try_from(*size)?, 0);
                    for (at, bytes) in extents {
                        let at = usize::try_from(*at)?;
                        let place = content.get_mut(at..at + bytes.len());
                        place
                            .context("an extent past the end")?
                            .copy_from_slice(bytes);
                    }
                }
                Record::Folder { id, names } => {
                    folders.insert(*id, names);
                }
            }
        }
        State { files, folders }.write(*root, into, 0)
    }

    /// The moments at which the names or contents under the root differ from the moment before,
    /// from 1.
    #[must_use]
    pub fn moments(&self) -> Vec<usize> {
        let changes = |record: &Record| match record {
            Record::File { extents, .. } => !extents.is_empty(),
            Record::Folder { .. } => true,
        };
        let start = self.start();
        let later = self.records.iter().enumerate().skip(start);
        let later = later
            .filter(|(_, record)| changes(record))
            .map(|(at, _)| at + 1);
        std::iter::once(start)
            .filter(|start| *start > 0)
            .chain(later)
            .collect()
    }

    /// The records that describe what was there before the first run: the root's, and once each of
    /// what is below.
    fn start(&self) -> usize {
        let mut known = BTreeSet::new();
        for (at, record) in self.records.iter().enumerate() {
            let (id, below) = match record {
                Record::File { id, .. } => (*id, Vec::new()),
                Record::Folder { id, names } => (*id, names.iter().map(|(e, _)| e.id()).collect()),
            };
            // The root is first; everything else of the start has been named by a folder and not
            // yet been seen.
            if at > 0 && !known.remove(&id) {
                return at;
            }
            known.extend(below);
            if known.is_empty() {
                return at + 1;
            }
        }
        self.records.len()
    }
}

impl Entry {
    fn id(self) -> Id {
        match self {
            Self::File(id) | Self::Folder(id) => id,
        }
    }
}

struct State<'a> {
    files: BTreeMap<Id, Vec<u8>>,
    folders: BTreeMap<Id, &'a Vec<(Entry, String)>>,
}

impl State<'_> {
    fn write(&self, folder: Id, into: &Path, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            bail!("folders nest more than {DEPTH_MAX} deep");
        }
        std::fs::create_dir_all(into).with_context(|| format!("{}", into.display()))?;
        for (entry, name) in self.folders.get(&folder).into_iter().copied().flatten() {
            let path = into.join(name);
            match entry {
                Entry::File(id) => {
                    let content = self.files.get(id).map_or(&[][..], Vec::as_slice);
                    std::fs::write(&path, content)
                        .with_context(|| format!("{}", path.display()))?;
                }
                Entry::Folder(id) => self.write(*id, &path, depth + 1)?,
            }
        }
        Ok(())
    }
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(n)
            .context("a record is too short")?;
        self.0 = rest;
        Ok(taken)
    }
    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into()?))
    }
    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into()?))
    }
    fn size(&mut self) -> Result<usize> {
        Ok(usize::try_from(self.u64()?)?)
    }
    fn id(&mut self) -> Result<Id> {
        Ok((self.u64()?, self.u64()?))
    }
}

fn record(kind: u32, mut body: Bytes<'_>) -> Result<Record> {
    let id = body.id()?;
    match u8::try_from(kind)? {
        b'F' => {
            let (size, count) = (body.u64()?, body.u64()?);
            let mut extents = Vec::new();
            for _ in 0..count {
                let (at, length) = (body.u64()?, body.size()?);
                extents.push((at, body.take(length)?.to_vec()));
            }
            Ok(Record::File { id, size, extents })
        }
        b'D' => {
            let mut names = Vec::new();
            for _ in 0..body.u64()? {
                let (kind, id, length) = (body.u64()?, body.id()?, body.size()?);
                let name = String::from_utf8(body.take(length)?.to_vec())?;
                let folder = kind == u64::from(b'D');
                names.push((
                    if folder {
                        Entry::Folder(id)
                    } else {
                        Entry::File(id)
                    },
                    name,
                ));
            }
            Ok(Record::Folder { id, names })
        }
        other => bail!("a record of kind {other}"),
    }
}
