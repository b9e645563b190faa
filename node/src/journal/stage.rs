//! The stage: entries that are committed or about to be, and whose tiles are not synced yet.
//!
//! The file is a row of frames, one a batch:
//!
//! ```text
//! "RMSTAGE1" ‖ from size, from root, to size, to root ‖ u32be count ‖ (u32be length ‖ entry)*
//!            ‖ digest of all that
//! ```
//!
//! The digest tells a whole frame from a torn one. It is not a signature: what a frame says is
//! believed because the tree it leads to has the root of the signed checkpoint.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crypto::digest::{self, DIGEST_LEN, Digest};
use crypto::log::merkle::TreeHead;

use super::error::JournalError;
use crate::store::disk::{DiskContext, DiskError};
use crate::store::{durable, labels};

const MAGIC: &[u8; 8] = b"RMSTAGE1";
/// Longest stage that recovery reads: the settling bound and one batch beyond it, with room for
/// lengths and heads.
const STAGE_READ_MAX: u64 = super::STAGE_BYTES_MAX + 2 * super::BATCH_BYTES_MAX as u64;

/// One batch in the stage.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// The tree before the batch.
    pub from: TreeHead,
    /// The tree after it.
    pub to: TreeHead,
    /// The entries in between.
    pub entries: Vec<&'a [u8]>,
}

impl<'a> Frame<'a> {
    /// A frame's bytes.
    pub(super) fn encode<'e>(
        from: &TreeHead,
        to: &TreeHead,
        entries: impl Iterator<Item = &'e [u8]>,
    ) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for head in [from, to] {
            bytes.extend_from_slice(&head.size.to_be_bytes());
            bytes.extend_from_slice(head.root.as_bytes());
        }
        let count_at = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        let mut count: u32 = 0;
        for entry in entries {
            count += 1;
            // An entry is at most 65,535 bytes: `Journal::check`.
            bytes.extend_from_slice(&(entry.len() as u32).to_be_bytes());
            bytes.extend_from_slice(entry);
        }
        bytes[count_at..count_at + 4].copy_from_slice(&count.to_be_bytes());
        let digest = digest::tagged(labels::STAGE, &[&bytes]);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    /// Takes the first frame off `bytes`; `None` when it is torn.
    fn parse(bytes: &mut &'a [u8]) -> Option<Self> {
        let whole = *bytes;
        let mut rest = whole;
        if take(&mut rest, MAGIC.len())? != MAGIC {
            return None;
        }
        let (from, to) = (head(&mut rest)?, head(&mut rest)?);
        let count = u32::from_be_bytes(*take(&mut rest, 4)?.first_chunk()?);
        let expected = to.size.checked_sub(from.size)?;
        if u64::from(count) != expected || count as usize > super::BATCH_ENTRIES_MAX {
            return None;
        }
        let mut entries = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let length = u32::from_be_bytes(*take(&mut rest, 4)?.first_chunk()?);
            entries.push(take(&mut rest, length as usize)?);
        }
        let signed = &whole[..whole.len() - rest.len()];
        let digest = take(&mut rest, DIGEST_LEN)?;
        if digest::tagged(labels::STAGE, &[signed]).as_bytes() != digest {
            return None;
        }
        *bytes = rest;
        Some(Self { from, to, entries })
    }

    /// All whole frames from the beginning of a stage.
    pub(super) fn parse_all(mut bytes: &'a [u8]) -> Vec<Self> {
        std::iter::from_fn(|| Self::parse(&mut bytes)).collect()
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(count)?;
    *bytes = tail;
    Some(head)
}

fn head(bytes: &mut &[u8]) -> Option<TreeHead> {
    let size = u64::from_be_bytes(*take(bytes, 8)?.first_chunk()?);
    let root = Digest(*take(bytes, DIGEST_LEN)?.first_chunk()?);
    Some(TreeHead { size, root })
}

/// The open stage file.
#[derive(Debug)]
pub(super) struct Stage {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Stage {
    /// Opens the file, or makes an empty one whose name is durable.
    pub(super) fn open(path: &Path) -> Result<Self, DiskError> {
        let there = path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .at("open", path)?;
        if !there {
            durable::sync_folder(durable::parent(path))?;
        }
        let length = file.metadata().at("measure", path)?.len();
        Ok(Self {
            file,
            path: path.to_path_buf(),
            length,
        })
    }

    pub(super) fn read(&self) -> Result<Vec<u8>, DiskError> {
        durable::read(&self.path, STAGE_READ_MAX)
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Appends a frame and syncs it. A crash on the way leaves a torn frame at the end, beyond
    /// the checkpoint.
    pub(super) fn append(&mut self, frame: &[u8]) -> Result<(), JournalError> {
        self.file
            .write_all_at(frame, self.length)
            .at("write", &self.path)?;
        self.file.sync_data().at("sync", &self.path)?;
        self.length += frame.len() as u64;
        Ok(())
    }

    /// Empties the stage, durably.
    pub(super) fn clear(&mut self) -> Result<(), DiskError> {
        if self.length > 0 {
            self.file.set_len(0).at("empty", &self.path)?;
            self.file.sync_all().at("sync", &self.path)?;
            self.length = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u64) -> TreeHead {
        TreeHead {
            size,
            root: Digest::sha256(&size.to_be_bytes()),
        }
    }

    fn frame(from: u64, entries: &[&'static [u8]]) -> Vec<u8> {
        let to = head(from + entries.len() as u64);
        Frame::encode(&head(from), &to, entries.iter().copied())
    }

    #[test]
    fn frames_come_back_and_a_torn_one_ends_them() {
        let first = frame(0, &[b"one", b""]);
        let second = frame(2, &[b"three"]);
        let both = [first.as_slice(), &second].concat();
        let frames = Frame::parse_all(&both);
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].entries, [b"one".as_slice(), b""]);
        assert_eq!((frames[1].from, frames[1].to), (head(2), head(3)));
        for cut in 0..second.len() {
            assert_eq!(
                Frame::parse_all(&both[..first.len() + cut]).len(),
                1,
                "{cut}"
            );
        }
        for at in 0..second.len() {
            let mut flipped = both.clone();
            flipped[first.len() + at] ^= 1;
            assert_eq!(Frame::parse_all(&flipped).len(), 1, "{at}");
        }
    }
}
