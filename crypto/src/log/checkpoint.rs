//! Checkpoints: a log's signed statement of its origin, size and root (c2sp.org/tlog-checkpoint).
//!
//! The body is exactly three lines. Extension lines are refused: the specification discourages
//! them, and a type 06 cosignature would not cover them.

use thiserror::Error;

use super::merkle::{MAX_TREE_SIZE, TreeHead, empty_root};
use super::text;
use crate::keys::SigningKey;
use crate::note::{KeyName, KeyType, Note, NoteError, NoteSignature, VerifierKey};

/// Why a checkpoint is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// The note around it is malformed or its signatures do not hold.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not three lines.
    #[error("a checkpoint has three lines, not {0}")]
    Lines(usize),
    /// The origin is not usable as a key name.
    #[error("the checkpoint's origin is not a key name")]
    Origin,
    /// The size is not a decimal below 2^63.
    #[error("the checkpoint's size is malformed")]
    Size,
    /// The root is not base64 of 32 bytes, or is not the empty root though the size is 0.
    #[error("the checkpoint's root is malformed")]
    Root,
    /// The log's key has another name than the checkpoint's origin.
    #[error("the checkpoint is of {found}, not of {expected}")]
    OtherLog {
        /// Name of the trusted key.
        expected: KeyName,
        /// Origin in the checkpoint.
        found: KeyName,
    },
    /// The key given for the log is not of type 01.
    #[error("the log's key is not an Ed25519 note key")]
    KeyType,
}

/// What a log states: the tree of its first entries. Its origin is also its key's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: KeyName,
    /// Size in entries and root.
    pub head: TreeHead,
}

impl Checkpoint {
    /// The three lines that are signed.
    pub fn body(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.head.size,
            text::encode_hash(&self.head.root)
        )
    }

    /// Parses a body; accepts what [`Self::body`] writes and nothing else.
    ///
    /// # Errors
    /// [`CheckpointError::Lines`], [`CheckpointError::Origin`], [`CheckpointError::Size`],
    /// [`CheckpointError::Root`].
    pub fn parse_body(body: &str) -> Result<Self, CheckpointError> {
        let lines = body.bytes().filter(|b| *b == b'\n').count();
        let mut parts = body.split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return Err(CheckpointError::Lines(lines));
        };
        let origin = KeyName::new(origin).map_err(|_| CheckpointError::Origin)?;
        let size = text::decimal(size)
            .filter(|size| *size <= MAX_TREE_SIZE)
            .ok_or(CheckpointError::Size)?;
        let root = text::hash(root).ok_or(CheckpointError::Root)?;
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::Root);
        }
        Ok(Self {
            origin,
            head: TreeHead { size, root },
        })
    }

    /// Signs as the log, under the name of the origin.
    pub fn sign(self, key: &SigningKey) -> SignedCheckpoint {
        let text = self.body();
        let signature = NoteSignature::ed25519(&text, &self.origin, key);
        let note = Note::new(text, signature).expect("a checkpoint's body is a note's text");
        SignedCheckpoint {
            checkpoint: self,
            note,
        }
    }
}

/// A checkpoint in its note. Holding one says nothing about whether the signatures verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    /// Parses the file `checkpoint`.
    ///
    /// # Errors
    /// [`CheckpointError::Note`] for the note, the others for the body.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse_body(note.text())?;
        Ok(Self { checkpoint, note })
    }

    /// Parses, and checks that the log signed it.
    ///
    /// # Errors
    /// Those of [`Self::parse`] and [`Self::verify_log`].
    pub fn open(bytes: &[u8], log: &VerifierKey) -> Result<Self, CheckpointError> {
        let signed = Self::parse(bytes)?;
        signed.verify_log(log)?;
        Ok(signed)
    }

    /// Checks the log's own signature. The key's name must be the origin.
    ///
    /// # Errors
    /// [`CheckpointError::KeyType`], [`CheckpointError::OtherLog`], or
    /// [`CheckpointError::Note`] if the signature is missing or does not verify.
    pub fn verify_log(&self, log: &VerifierKey) -> Result<(), CheckpointError> {
        if log.kind() != KeyType::Ed25519 {
            return Err(CheckpointError::KeyType);
        }
        if *log.name() != self.checkpoint.origin {
            return Err(CheckpointError::OtherLog {
                expected: log.name().clone(),
                found: self.checkpoint.origin.clone(),
            });
        }
        self.note.verify(std::slice::from_ref(log))?;
        Ok(())
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.note.encode()
    }

    /// What is stated.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Size and root stated.
    pub fn head(&self) -> &TreeHead {
        &self.checkpoint.head
    }

    /// The note with all its signature lines.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Adds a cosignature line; the signed text does not change.
    ///
    /// Check the line first ([`super::cosign::verify`]): a bad line by a trusted witness makes
    /// every verifier refuse the whole note.
    ///
    /// # Errors
    /// [`NoteError::TooManySignatures`].
    pub fn add(&mut self, cosignature: NoteSignature) -> Result<(), NoteError> {
        self.note.add(cosignature)
    }
}
