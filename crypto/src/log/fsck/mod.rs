//! Recompute a whole log and name every file that disagrees with the signed root.
//!
//! Two passes. Upwards: hash every entry, every leaf tile and every tile above, each level from
//! the best evidence below it. Downwards, only where something disagreed: the signed root decides
//! which hashes are true, so a changed entry is told from a changed tile. What the root cannot
//! decide (both were changed) is reported against both files.
//!
//! [`check_leaves`] does nearly all the hashing and may be run for disjoint ranges in parallel.

use std::ops::Range;

use thiserror::Error;

use super::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use super::merkle::leaf_hash;
use super::reader::{ReadError, TileReader, hashes, read_bundle, read_hashes, roll_up};
use super::tile::{CHECKPOINT_PATH, TILE_WIDTH, Tile, TileError, TileKind, parse_bundle, tiles};
use crate::digest::Digest;
use crate::note::VerifierKey;

mod blame;

use blame::Check;

/// Most findings in a report. A log that is all wrong needs no longer list, and a checkpoint that
/// claims 2^62 entries must not keep an auditor busy for ever.
pub const MAX_FINDINGS: usize = 10_000;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The file is not there.
    #[error("missing")]
    Missing,
    /// A log of this size has no such file: it holds something unsigned, or something else.
    #[error("not part of a log of this size")]
    Unexpected,
    /// The bytes are not those of a tile or bundle of this width.
    #[error(transparent)]
    Malformed(#[from] TileError),
    /// The checkpoint is malformed, or not signed by this log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The signed root is given neither by the entries nor by the tiles.
    #[error("its root is given neither by the entries nor by the tiles")]
    RootMismatch,
    /// The signed root proves `count` of the file's hashes or entries wrong, `first` being the
    /// position of the first (from 0).
    #[error("{count} of its hashes or entries are wrong, the first at position {first}")]
    Wrong {
        /// Position in the file, from 0.
        first: u16,
        /// Number of wrong positions.
        count: u16,
    },
    /// The file does not hash to what is signed above it; which position is wrong is unknown.
    #[error("it does not hash to what the signed root demands")]
    NotUnderRoot,
    /// It disagrees with the file below or above it; the signed root cannot tell which is wrong.
    #[error("it disagrees with its neighbour at {count} positions, the first being {first}")]
    Disagrees {
        /// Position in the file, from 0.
        first: u16,
        /// Number of positions.
        count: u16,
    },
}

/// A file and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Path below the log's prefix.
    pub path: String,
    /// What is wrong.
    pub problem: Problem,
}

/// The outcome of a whole check. The log is intact only if [`Report::intact`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// What the log states, if that much could be read.
    pub checkpoint: Option<Checkpoint>,
    /// Entries that were read and hashed.
    pub entries: u64,
    /// Every disagreement found, up to [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// Whether there were more.
    pub truncated: bool,
}

impl Report {
    /// Whether every file is there and agrees with the signed root.
    pub fn intact(&self) -> bool {
        self.findings.is_empty() && !self.truncated
    }

    fn add(&mut self, path: String, problem: impl Into<Problem>) {
        if self.findings.len() == MAX_FINDINGS {
            self.truncated = true;
            return;
        }
        self.findings.push(Finding {
            path,
            problem: problem.into(),
        });
    }

    fn unreadable(&mut self, error: &ReadError) {
        match error {
            ReadError::Missing { path } => self.add(path.clone(), Problem::Missing),
            ReadError::Malformed { path, error } => self.add(path.clone(), *error),
            // Only tiles within the tree are asked for.
            ReadError::Merkle(_) => (),
        }
    }
}

/// Checks a whole log in one thread: checkpoint, every bundle and tile, then the listing.
///
/// `listing` is every path found at `checkpoint` and below `tile/`; `visit` gets every entry of a
/// readable bundle with its index, whether or not it is the signed one.
pub fn fsck<R: TileReader>(
    reader: &R,
    log: &VerifierKey,
    listing: impl IntoIterator<Item = String>,
    visit: impl FnMut(u64, &[u8]),
) -> Report {
    match open(reader, log) {
        Err(report) => report,
        Ok(signed) => {
            let size = signed.head().size;
            let run = check_leaves(reader, size, 0..size.div_ceil(TILE_WIDTH), visit);
            finish(reader, &signed, vec![run], listing)
        }
    }
}

/// Reads the checkpoint and checks the log's signature.
///
/// # Errors
/// The report to give: its one finding is about the checkpoint.
pub fn open<R: TileReader>(reader: &R, log: &VerifierKey) -> Result<SignedCheckpoint, Report> {
    let mut report = Report::default();
    match reader
        .read(CHECKPOINT_PATH)
        .map(|bytes| SignedCheckpoint::open(&bytes, log))
    {
        Some(Ok(signed)) => return Ok(signed),
        Some(Err(error)) => report.add(CHECKPOINT_PATH.into(), error),
        None => report.add(CHECKPOINT_PATH.into(), Problem::Missing),
    }
    Err(report)
}

/// What a tile says of itself and what is below it says of the same positions.
#[derive(Clone, Debug, Default)]
struct Evidence {
    stored: Option<Vec<Digest>>,
    computed: Option<Vec<Digest>>,
}

/// The evidence of a tile rolled up, so that it need not be kept.
#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    stored: Option<Digest>,
    computed: Option<Digest>,
}

impl Summary {
    /// The root that the level above builds on: from below if possible.
    fn best(&self) -> Option<Digest> {
        self.computed.or(self.stored)
    }
}

impl Evidence {
    fn summary(&self) -> Summary {
        let stored = self
            .stored
            .as_ref()
            .and_then(|nodes| roll_up(&mut nodes.clone()));
        let computed = match &self.computed {
            same if *same == self.stored => stored,
            Some(nodes) => roll_up(&mut nodes.clone()),
            None => None,
        };
        Summary { stored, computed }
    }
}

/// Outcome of [`check_leaves`] for a range of bundles.
#[derive(Debug, Default)]
pub struct LeafRun {
    first: u64,
    full: Vec<Summary>,
    edge: Evidence,
    report: Report,
}

/// Hashes the entries of bundles `range` (numbers, from 0) and compares them with the leaf tiles.
pub fn check_leaves<R: TileReader>(
    reader: &R,
    size: u64,
    range: Range<u64>,
    mut visit: impl FnMut(u64, &[u8]),
) -> LeafRun {
    let mut run = LeafRun {
        first: range.start,
        ..LeafRun::default()
    };
    for index in range {
        if run.report.truncated {
            break;
        }
        let evidence = leaf_evidence(reader, size, index, Some(&mut run.report), &mut visit);
        let width = evidence
            .computed
            .as_ref()
            .or(evidence.stored.as_ref())
            .map_or(0, Vec::len);
        if (index + 1).saturating_mul(TILE_WIDTH) <= size {
            run.full.push(evidence.summary());
        } else if width > 0 {
            run.edge = evidence;
        }
    }
    run
}

/// Joins the leaf runs (which must cover every bundle once), checks the levels above, finds what
/// is to blame for every disagreement, and checks the listing.
pub fn finish<R: TileReader>(
    reader: &R,
    signed: &SignedCheckpoint,
    mut runs: Vec<LeafRun>,
    listing: impl IntoIterator<Item = String>,
) -> Report {
    runs.sort_by_key(|run| run.first);
    let mut check = Check {
        reader,
        head: *signed.head(),
        levels: vec![Vec::new()],
        edges: vec![Evidence::default()],
        report: Report {
            checkpoint: Some(signed.checkpoint().clone()),
            ..Report::default()
        },
    };
    for run in runs {
        check.report.entries += run.report.entries;
        check.report.truncated |= run.report.truncated;
        for finding in run.report.findings {
            check.report.add(finding.path, finding.problem);
        }
        check.levels[0].extend(run.full);
        if run.edge.stored.is_some() || run.edge.computed.is_some() {
            check.edges[0] = run.edge;
        }
    }
    if !check.report.truncated {
        check.climb();
        check.descend();
    }
    check.list(listing);
    check.report
}

/// Reads a bundle and its leaf tile; notes in `report`, if given, what cannot be read.
fn leaf_evidence<R: TileReader>(
    reader: &R,
    size: u64,
    index: u64,
    mut report: Option<&mut Report>,
    visit: &mut impl FnMut(u64, &[u8]),
) -> Evidence {
    let mut evidence = Evidence::default();
    if let Some(tile) = Tile::in_tree(TileKind::Hashes(0), index, size) {
        evidence.stored = stored_hashes(reader, &tile, report.as_deref_mut());
    }
    let Some(tile) = Tile::in_tree(TileKind::Entries, index, size) else {
        return evidence;
    };
    let bundle = read_bundle(reader, &tile);
    let entries = match &bundle {
        Ok(bundle) => parse_bundle(bundle, tile.width()).unwrap_or_default(),
        Err(error) => {
            if let Some(report) = report {
                report.unreadable(error);
            }
            return evidence;
        }
    };
    for (at, entry) in (index * TILE_WIDTH..).zip(&entries) {
        visit(at, entry);
    }
    if let Some(report) = report {
        report.entries += entries.len() as u64;
    }
    evidence.computed = Some(entries.into_iter().map(leaf_hash).collect());
    evidence
}

fn stored_hashes<R: TileReader>(
    reader: &R,
    tile: &Tile,
    report: Option<&mut Report>,
) -> Option<Vec<Digest>> {
    match read_hashes(reader, tile) {
        Ok(bytes) => Some(hashes(&bytes).collect()),
        Err(error) => {
            if let Some(report) = report {
                report.unreadable(&error);
            }
            None
        }
    }
}

/// The paths that a log of `size` entries consists of, the checkpoint first.
pub fn expected_paths(size: u64) -> impl Iterator<Item = String> {
    std::iter::once(CHECKPOINT_PATH.to_owned()).chain(tiles(size).map(|tile| tile.path()))
}
