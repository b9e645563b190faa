//! Whether a log is still the log that it was: an archive against a checkpoint kept earlier, or
//! against another archive.
//!
//! Both checkpoints must be signed by the log's key. That the newer tree begins with the older
//! one is proved from the newer archive's tiles (RFC 6962, section 2.1.2); that it does not, by the
//! root that they give at the older size. Two
//! roots of one size under one key prove that the log forked, whatever the archives hold.

use crypto::digest::Digest;
use crypto::log::checkpoint::{CheckpointError, SignedCheckpoint};
use crypto::log::merkle::{TreeHead, consistency_proof, tree_root, verify_consistency};
use crypto::log::reader::TileTree;
use crypto::note::{KeyName, MAX_NOTE_LEN, NoteError, VerifierKey};

use super::text::paragraph;
use crate::audit::archive::FileName;
use crate::audit::verify::trust::Trust;
use crate::audit::verify::{Check, Input, LogFiles, Options, Report, Source, Status, Verdict};

/// Longest checkpoint file that is read, in bytes.
pub const CHECKPOINT_MAX: u64 = MAX_NOTE_LEN as u64;

/// What was kept from earlier.
#[derive(Clone, Copy)]
pub enum Old<'a> {
    /// The bytes of a checkpoint (a signed note).
    Checkpoint(&'a [u8]),
    /// Another archive.
    Archive(&'a dyn Source),
}

/// Which of the two checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Side {
    /// The one kept from earlier.
    #[error("old")]
    Old,
    /// The archive's.
    #[error("new")]
    New,
}

/// What a comparison gives. It is no error: thiserror only writes the words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Outcome {
    /// The same tree.
    #[error("SAME LOG: size {0}, the same root; nothing was added.")]
    Same(u64),
    /// The newer tree begins with the older one.
    #[error("CONSISTENT: the same log, grown from size {from} to {to}; its old entries stand.")]
    Grown {
        /// The older size.
        from: u64,
        /// The newer size.
        to: u64,
    },
    /// The newer tree begins otherwise.
    #[error(
        "REWRITTEN: at size {size} the log had the root {old}; its first {size} entries now have \
         the root {new}. Both checkpoints are signed by the log."
    )]
    Rewritten {
        /// The older size.
        size: u64,
        /// The root that was signed then.
        old: Digest,
        /// The root of as many entries now.
        new: Digest,
    },
    /// The newer tree is smaller.
    #[error("ROLLED BACK: the log had {from} entries and now has {to}. {}", rolled(.begins))]
    RolledBack {
        /// The older size.
        from: u64,
        /// The newer size.
        to: u64,
        /// Whether the older tree begins with the newer one; `None` if only a checkpoint was kept.
        begins: Option<bool>,
    },
    /// Two trees of one size.
    #[error("FORKED: the log signed two roots for size {size}: {old} and {new}.")]
    Forked {
        /// The size of both.
        size: u64,
        /// The root kept from earlier.
        old: Digest,
        /// The archive's root.
        new: Digest,
    },
    /// Another origin.
    #[error("OTHER LOG: the old checkpoint is of {old}, the archive of {new}.")]
    OtherOrigin {
        /// The origin kept from earlier.
        old: KeyName,
        /// The archive's.
        new: KeyName,
    },
    /// The same origin under another key.
    #[error("OTHER LOG: the old checkpoint is of {0} too, but not signed by the archive's key.")]
    OtherKey(KeyName),
    /// A signature of the log's own key does not verify.
    #[error("BAD SIGNATURE: the {side} checkpoint: {error}.")]
    BadSignature {
        /// Whose.
        side: Side,
        /// What is wrong.
        error: CheckpointError,
    },
    /// A checkpoint cannot be read.
    #[error("NOTHING TO COMPARE: the {side} checkpoint: {error}.")]
    Unreadable {
        /// Whose.
        side: Side,
        /// What is wrong.
        error: CheckpointError,
    },
    /// There is no checkpoint.
    #[error("NOTHING TO COMPARE: there is no {0} checkpoint.")]
    Missing(Side),
    /// No credential names the archive's log.
    #[error("NOTHING TO COMPARE: no credential in the archive names the key of {0}.")]
    UnknownKey(KeyName),
    /// The newer archive's tree does not hold, so nothing can be computed from it.
    #[error(
        "NOT PROVEN: the archive's own tiles do not give its signed root, so its first {0} entries \
         cannot be held against the old root."
    )]
    BrokenTree(u64),
}

/// What can be said of a log that is smaller than it was.
const fn rolled(begins: &Option<bool>) -> &'static str {
    match begins {
        None => "Whether what is left stands as it was cannot be said from what was kept.",
        Some(true) => "What is left is the beginning of what was.",
        Some(false) => "What is left is not the beginning of what was: it was rewritten as well.",
    }
}

impl Outcome {
    /// The log is still the log that it was.
    #[must_use]
    pub const fn is_consistent(&self) -> bool {
        match self {
            Self::Same(_) | Self::Grown { .. } => true,
            Self::Rewritten { .. }
            | Self::RolledBack { .. }
            | Self::Forked { .. }
            | Self::OtherOrigin { .. }
            | Self::OtherKey(_)
            | Self::BadSignature { .. }
            | Self::Unreadable { .. }
            | Self::Missing(_)
            | Self::UnknownKey(_)
            | Self::BrokenTree(_) => false,
        }
    }

    /// One word for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Same(_) => "same",
            Self::Grown { .. } => "grown",
            Self::Rewritten { .. } => "rewritten",
            Self::RolledBack { .. } => "rolled-back",
            Self::Forked { .. } => "forked",
            Self::OtherOrigin { .. } | Self::OtherKey(_) => "other-log",
            Self::BadSignature { .. } => "bad-signature",
            Self::Unreadable { .. } | Self::Missing(_) | Self::UnknownKey(_) => "nothing",
            Self::BrokenTree(_) => "not-proven",
        }
    }

    /// The two checkpoints together prove it to anybody.
    const fn needs_proof(&self) -> bool {
        match self {
            Self::Rewritten { .. } | Self::RolledBack { .. } | Self::Forked { .. } => true,
            Self::Same(_)
            | Self::Grown { .. }
            | Self::OtherOrigin { .. }
            | Self::OtherKey(_)
            | Self::BadSignature { .. }
            | Self::Unreadable { .. }
            | Self::Missing(_)
            | Self::UnknownKey(_)
            | Self::BrokenTree(_) => false,
        }
    }
}

/// A comparison, and the two checkpoints as they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What it gives.
    pub outcome: Outcome,
    /// The old checkpoint's text, if it reads.
    pub old: Option<String>,
    /// The archive's.
    pub new: Option<String>,
}

/// Compares what was kept with an archive that was verified to `verdict` under `options`.
#[must_use]
pub fn compare(
    old: Old<'_>,
    input: &Input<'_>,
    (verdict, options): (&Verdict, Options),
) -> Comparison {
    let (old_read, new_read) = (read_old(old), read(input.source, Side::New));
    let text = |read: &Result<SignedCheckpoint, Outcome>| {
        let bytes = read.as_ref().ok().map(SignedCheckpoint::encode);
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let (old_text, new_text) = (text(&old_read), text(&new_read));
    let outcome = match (old_read, new_read) {
        (Err(outcome), _) | (_, Err(outcome)) => outcome,
        (Ok(before), Ok(now)) => {
            let trust = Trust::open(input.source, options, &mut Report::new(input.label));
            let tree = verdict
                .archives
                .first()
                .map(|report| report.status(Check::Tree));
            let intact = matches!(tree, Some(Status::Holds(_)));
            key(&trust, &now)
                .and_then(|log| signatures(&log, &before, &now))
                .map_or_else(
                    |outcome| outcome,
                    |()| judge((old, &before), (input.source, &now), intact),
                )
        }
    };
    Comparison {
        outcome,
        old: old_text,
        new: new_text,
    }
}

/// Describes a comparison: the sentence, and both checkpoints where they are a proof.
#[must_use]
pub fn describe(comparison: &Comparison) -> String {
    let mut out = String::new();
    paragraph(&mut out, &comparison.outcome.to_string());
    if comparison.outcome.needs_proof() {
        let both = [("old", &comparison.old), ("new", &comparison.new)];
        for (which, text) in both {
            if let Some(text) = text {
                out.push_str(&format!("\nthe {which} checkpoint, as signed:\n\n{text}"));
            }
        }
    }
    out
}

fn read_old(old: Old<'_>) -> Result<SignedCheckpoint, Outcome> {
    match old {
        Old::Archive(source) => read(source, Side::Old),
        Old::Checkpoint(bytes) => parse(bytes, Side::Old),
    }
}

fn read(source: &dyn Source, side: Side) -> Result<SignedCheckpoint, Outcome> {
    let name = FileName::Checkpoint;
    let bytes = source.read(&name.to_string(), name.max_len());
    parse(&bytes.map_err(|_| Outcome::Missing(side))?, side)
}

fn parse(bytes: &[u8], side: Side) -> Result<SignedCheckpoint, Outcome> {
    SignedCheckpoint::parse(bytes).map_err(|error| Outcome::Unreadable { side, error })
}

/// The archive's log key: of those that its credentials name, the one that signed.
fn key(trust: &Trust, now: &SignedCheckpoint) -> Result<VerifierKey, Outcome> {
    let origin = &now.checkpoint().origin;
    let keys = trust.log_keys(origin);
    if let Some(key) = keys.iter().find(|key| now.verify_log(key).is_ok()) {
        return Ok(key.clone());
    }
    let Some(key) = keys.first() else {
        return Err(Outcome::UnknownKey(origin.clone()));
    };
    Err(match now.verify_log(key) {
        Ok(()) => Outcome::UnknownKey(origin.clone()),
        Err(error) => Outcome::BadSignature {
            side: Side::New,
            error,
        },
    })
}

/// Whether the same key signed both.
fn signatures(
    log: &VerifierKey,
    before: &SignedCheckpoint,
    now: &SignedCheckpoint,
) -> Result<(), Outcome> {
    let (old, new) = (&before.checkpoint().origin, &now.checkpoint().origin);
    if old != new {
        let (old, new) = (old.clone(), new.clone());
        return Err(Outcome::OtherOrigin { old, new });
    }
    match before.verify_log(log) {
        Ok(()) => Ok(()),
        Err(CheckpointError::Note(NoteError::NoTrustedSignature)) => {
            Err(Outcome::OtherKey(old.clone()))
        }
        Err(error) => Err(Outcome::BadSignature {
            side: Side::Old,
            error,
        }),
    }
}

/// Compares two trees that one key signed.
fn judge(
    (old, before): (Old<'_>, &SignedCheckpoint),
    (source, now): (&dyn Source, &SignedCheckpoint),
    intact: bool,
) -> Outcome {
    let (before, now) = (*before.head(), *now.head());
    if before.size == now.size {
        return if before.root == now.root {
            Outcome::Same(now.size)
        } else {
            Outcome::Forked {
                size: now.size,
                old: before.root,
                new: now.root,
            }
        };
    }
    if before.size > now.size {
        let begins = match old {
            Old::Checkpoint(_) => None,
            Old::Archive(old) => begins(old, now, before),
        };
        return Outcome::RolledBack {
            from: before.size,
            to: now.size,
            begins,
        };
    }
    if begins(source, before, now) == Some(true) {
        return Outcome::Grown {
            from: before.size,
            to: now.size,
        };
    }
    match root_of(source, now.size, before.size).filter(|_| intact) {
        None => Outcome::BrokenTree(before.size),
        Some(root) => Outcome::Rewritten {
            size: before.size,
            old: before.root,
            new: root,
        },
    }
}

/// Whether the larger tree begins with the smaller one, by the larger one's tiles; `None` if they
/// do not give its root.
fn begins(source: &dyn Source, small: TreeHead, large: TreeHead) -> Option<bool> {
    let files = LogFiles(source);
    let tree = TileTree::new(&files, large.size).ok()?;
    let proof = consistency_proof(&tree, small.size, large.size).ok()?;
    if verify_consistency(&small, &large, &proof).is_ok() {
        return Some(true);
    }
    (tree_root(&tree, large.size) == Ok(large.root)).then_some(false)
}

/// The root of the first `size` entries, by the tiles of a log of `whole` entries.
fn root_of(source: &dyn Source, whole: u64, size: u64) -> Option<Digest> {
    let files = LogFiles(source);
    let tree = TileTree::new(&files, whole).ok()?;
    tree_root(&tree, size).ok()
}
