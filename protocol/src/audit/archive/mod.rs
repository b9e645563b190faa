//! The audit archive: a folder with one log and all that proves it, verifiable offline and
//! anywhere.
//!
//! ```text
//! archive.note                    signed note: the list of all other files
//! log/checkpoint  log/tile/…      the log itself (C2SP tlog-tiles), with its cosigned checkpoint
//! trust/genesis.env               the consortium's genesis
//! trust/credentials/<serial>.env  credentials, exact envelopes
//! trust/quorum.policy             which witnesses must cosign (C2SP tlog-policy), and
//! trust/quorum.envelope           what the council signed of that file
//! trust/policy.cedar              the policy in force, and
//! trust/schema.cedarschema        the schema that it was validated against
//! grants/<index>.env              the exact grant of a granted or accepted release
//! proofs/<index>.tlog-proof       this log's cosigned proof of a granted release
//! receipts/<index>.env            the receipt, with
//! receipts/<index>.entry .proof   the entry and proof of the reader's log that it names
//! peer/<index>.entry .proof       the owner's entry and cosigned proof of an accepted grant
//! openings/<index>.bin            a disclosed payload; none by default
//! ```
//! `<index>` is the entry's index in this log. `archive.note` is signed by the log's key; its text
//! is
//!
//! ```text
//! radmesh-archive/1
//! <origin>
//! <tree size>
//! <SHA-256, hexadecimal> <length in bytes> <path>      one line per file, sorted by path
//! ```
//! The text can never be read as a checkpoint: its first line is not the log's name. The note has
//! one accepted spelling and one signature line, so every byte of every file is covered, and what
//! is not listed is refused.

pub mod attach;
mod lines;
pub mod name;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crypto::digest::Digest;
use crypto::note::{KeyName, NoteError, NoteSignature, VerifierKey, parse_signature_block};

pub use name::FileName;

/// Path of the note that lists all other files.
pub const NOTE_PATH: &str = "archive.note";

/// The longest such note, in bytes: half a million files of about 110 bytes a line.
pub const NOTE_MAX: u64 = 64 << 20;

/// Why an archive's note is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Longer than [`NOTE_MAX`].
    #[error("the note has {0} bytes; at most {NOTE_MAX} are accepted")]
    TooLong(u64),
    /// Not UTF-8.
    #[error("the note is not UTF-8")]
    NotUtf8,
    /// The signature block is missing or malformed.
    #[error("the signature block is malformed: {0}")]
    Signatures(NoteError),
    /// More or fewer signature lines than one.
    #[error("the note has {0} signature lines; it must have exactly the log's own")]
    SignatureCount(usize),
    /// The first line is not this format's.
    #[error("the note is not of an archive format that this release knows")]
    Version,
    /// The origin is not usable as a key name.
    #[error("the note's origin is malformed")]
    Origin,
    /// The tree size is malformed.
    #[error("the note's tree size is malformed")]
    Size,
    /// A line of the list (from 1, the version's line) is not "digest length path".
    #[error("line {0} of the note is malformed")]
    Line(usize),
    /// A line names a file that an archive does not have.
    #[error("line {0} of the note names a file that no archive has")]
    Path(usize),
    /// A line's path does not follow the one before it.
    #[error("line {0} of the note is out of order")]
    Order(usize),
    /// The bytes read, but are not what is written for their content.
    #[error("the note is not in its one spelling")]
    NotCanonical,
    /// The signature is not by the log's key, or does not verify.
    #[error("the note is not signed by the log's key: {0}")]
    Signature(NoteError),
}

/// What the note says of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Number of its bytes.
    pub length: u64,
}

impl Listed {
    /// What is to be listed of a file with these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            digest: Digest::sha256(bytes),
            length: bytes.len() as u64,
        }
    }
}

/// The list of an archive's files.
///
/// One that is made holds its files by path. One that was read holds the note's own text and where
/// each line starts, so that a list of half a million files takes little more memory than its note.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The log's origin, which is also the name of its key.
    pub origin: KeyName,
    /// The tree size of `log/checkpoint`.
    pub size: u64,
    /// Every file but the note, by path.
    files: Files,
}

#[derive(Clone, Debug)]
enum Files {
    Made(BTreeMap<String, (FileName, Listed)>),
    Read(lines::Lines),
}

impl Manifest {
    /// A list without files.
    #[must_use]
    pub fn new(origin: KeyName, size: u64) -> Self {
        Self {
            origin,
            size,
            files: Files::Made(BTreeMap::new()),
        }
    }

    /// Lists a file.
    pub fn add(&mut self, name: FileName, listed: Listed) {
        if let Files::Read(lines) = &self.files {
            let files = lines
                .iter()
                .map(|(path, name, listed)| (path.to_owned(), (name, listed)));
            self.files = Files::Made(files.collect());
        }
        if let Files::Made(files) = &mut self.files {
            files.insert(name.to_string(), (name, listed));
        }
    }

    /// Every file, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, FileName, Listed)> {
        let (made, read) = match &self.files {
            Files::Made(files) => (Some(files), None),
            Files::Read(lines) => (None, Some(lines)),
        };
        let made = made.into_iter().flatten();
        let made = made.map(|(path, (name, listed))| (path.as_str(), *name, *listed));
        made.chain(read.into_iter().flat_map(lines::Lines::iter))
    }

    /// What is listed of one file.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Listed> {
        match &self.files {
            Files::Made(files) => files.get(path).map(|(_, listed)| *listed),
            Files::Read(lines) => lines.get(path),
        }
    }

    /// The text that the log's key signs.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = lines::first(&self.origin, self.size);
        for (path, _, listed) in self.files() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{} {} {path}", listed.digest, listed.length);
        }
        text
    }

    /// The note's bytes, given the signature over [`Manifest::text`] under the origin's name.
    #[must_use]
    pub fn note(&self, signature: &NoteSignature) -> Vec<u8> {
        format!("{}\n{}", self.text(), signature.line()).into_bytes()
    }
}

/// Two lists are equal if they say the same, made or read.
impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        self.origin == other.origin && self.size == other.size && self.files().eq(other.files())
    }
}

impl Eq for Manifest {}

/// An archive's note as read. Holding one says nothing about whether its signature verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveNote {
    /// The list.
    pub manifest: Manifest,
    signature: NoteSignature,
}

impl ArchiveNote {
    /// Reads the one accepted spelling.
    ///
    /// # Errors
    /// Every [`ArchiveError`] but [`ArchiveError::Signature`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ArchiveError> {
        if bytes.len() as u64 > NOTE_MAX {
            return Err(ArchiveError::TooLong(bytes.len() as u64));
        }
        Self::read(bytes.to_vec())
    }

    /// Reads the one accepted spelling, and keeps the bytes instead of copying them.
    ///
    /// # Errors
    /// Every [`ArchiveError`] but [`ArchiveError::Signature`].
    pub fn read(bytes: Vec<u8>) -> Result<Self, ArchiveError> {
        if bytes.len() as u64 > NOTE_MAX {
            return Err(ArchiveError::TooLong(bytes.len() as u64));
        }
        let mut text = String::from_utf8(bytes).map_err(|_| ArchiveError::NotUtf8)?;
        let unsigned = ArchiveError::Signatures(NoteError::NoSignatureBlock);
        let end = text.find("\n\n").ok_or(unsigned)?;
        let block = &text[end + 2..];
        let signatures = parse_signature_block(block).map_err(ArchiveError::Signatures)?;
        let [signature] = signatures.as_slice() else {
            return Err(ArchiveError::SignatureCount(signatures.len()));
        };
        let canonical = signature.line() == block;
        let signature = signature.clone();
        text.truncate(end + 1);
        let (manifest, spelled) = lines::read(text)?;
        if !canonical || !spelled {
            return Err(ArchiveError::NotCanonical);
        }
        Ok(Self {
            manifest,
            signature,
        })
    }

    /// Checks the signature by the log's key, whose name must be the origin.
    ///
    /// # Errors
    /// [`ArchiveError::Signature`].
    pub fn verify(&self, log: &VerifierKey) -> Result<(), ArchiveError> {
        if *log.name() != self.manifest.origin {
            return Err(ArchiveError::Signature(NoteError::NoTrustedSignature));
        }
        let verified = match &self.manifest.files {
            Files::Read(lines) => log.verify(lines.text(), &self.signature),
            Files::Made(_) => log.verify(&self.manifest.text(), &self.signature),
        };
        verified.map_err(ArchiveError::Signature)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
