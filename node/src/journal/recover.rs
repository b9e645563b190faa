//! Opening a log: what the last process left is brought to a settled state, or refused.

use std::path::Path;
use std::sync::Arc;

use crypto::log::checkpoint::{Checkpoint, SignedCheckpoint};
use crypto::log::merkle::{TreeHead, empty_root};
use crypto::log::writer::LogWriter as Tree;
use crypto::note::VerifierKey;

use super::files::{self, Files};
use super::reader::Shared;
use super::stage::{Frame, Stage};
use super::{BATCH_ENTRIES_MAX, Journal, JournalError, LogIdentity};
use crate::store::Layout;
use crate::store::payloads::Payloads;

/// Tiles this far behind the end are looked at for narrower copies that a crash left: what one
/// settling covers at most is far below it for entries of usual length.
const PRUNE_BEHIND: u64 = 65_536;

pub(super) fn open(
    layout: &Layout,
    identity: LogIdentity,
    payloads: Payloads,
) -> Result<(Journal, TreeHead), JournalError> {
    let files = Files::new(layout);
    files.create_folders()?;
    let verifier = identity.verifier();
    let committed = commit_point(&files, &identity, &verifier)?;
    let head = *committed.head();
    let cosigned = read_signed(&files.published(files::COSIGNED), &verifier)?;
    if let Some(ahead) = cosigned.as_ref().map(|signed| signed.head().size)
        && ahead > head.size
    {
        return Err(JournalError::Behind {
            size: head.size,
            cosigned: ahead,
        });
    }
    let stage = Stage::open(&files.stage_path())?;
    let bytes = stage.read()?;
    let (tree, settled) = replay(&files, &bytes, &head)?;
    let shared = Arc::new(Shared::new(
        files.clone(),
        verifier,
        committed.clone(),
        cosigned,
    ));
    let mut journal = Journal {
        identity,
        files,
        stage,
        tree,
        payloads,
        shared,
        settled,
        closed: false,
    };
    finish(&mut journal, &committed)?;
    Ok((journal, head))
}

/// Steps 3 to 6 once more. The checkpoint is written again: after a failed sync, the copy that was
/// read may be in memory only.
fn finish(journal: &mut Journal, committed: &SignedCheckpoint) -> Result<(), JournalError> {
    journal.files.commit(&committed.encode())?;
    journal.apply()?;
    journal.publish(committed)?;
    journal.settle()?;
    // A crash between emptying the stage and pruning leaves narrower tiles near the end.
    let size = journal.size();
    journal
        .files
        .prune(size.saturating_sub(PRUNE_BEHIND), size)?;
    // Payloads of a batch that was never committed are about nothing.
    journal.payloads.discard(size, BATCH_ENTRIES_MAX as u64)?;
    Ok(())
}

/// The signed checkpoint on disk; for a folder without a log, a new one of size zero.
fn commit_point(
    files: &Files,
    identity: &LogIdentity,
    verifier: &VerifierKey,
) -> Result<SignedCheckpoint, JournalError> {
    let path = files.commit_path();
    if let Some(signed) = read_signed(&path, verifier)? {
        return Ok(signed);
    }
    if !files.is_fresh()? {
        return Err(JournalError::NoCheckpoint(path));
    }
    let head = TreeHead {
        size: 0,
        root: empty_root(),
    };
    let signed = Checkpoint {
        origin: identity.origin.clone(),
        head,
    }
    .sign(&identity.key);
    // A crash before this leaves empty folders: still without a log.
    files.commit(&signed.encode())?;
    Ok(signed)
}

fn read_signed(
    path: &Path,
    verifier: &VerifierKey,
) -> Result<Option<SignedCheckpoint>, JournalError> {
    let Some(note) = Files::read_note(path)? else {
        return Ok(None);
    };
    match SignedCheckpoint::open(&note, verifier) {
        Ok(signed) => Ok(Some(signed)),
        Err(error) => Err(JournalError::Checkpoint {
            path: path.to_path_buf(),
            error,
        }),
    }
}

/// Rebuilds the tree of `head` from the settled tiles and the staged frames that lead to it. Gives
/// it with the size up to which the tiles are synced.
fn replay(files: &Files, stage: &[u8], head: &TreeHead) -> Result<(Tree, u64), JournalError> {
    let mut frames = Frame::parse_all(stage);
    // A frame beyond the checkpoint was never committed.
    frames.retain(|frame| frame.to.size <= head.size);
    let base = frames.first().map_or(*head, |frame| frame.from);
    let mut tree = Tree::restore(files, &base)?;
    for frame in &frames {
        if frame.from != tree.head() {
            return Err(JournalError::Lost {
                committed: head.size,
                found: tree.size(),
            });
        }
        for entry in &frame.entries {
            tree.append(entry)?;
        }
        if tree.head() != frame.to {
            return Err(JournalError::Root {
                size: frame.to.size,
            });
        }
    }
    if tree.size() != head.size {
        return Err(JournalError::Lost {
            committed: head.size,
            found: tree.size(),
        });
    }
    if tree.head() != *head {
        return Err(JournalError::Root { size: head.size });
    }
    Ok((tree, base.size))
}
