//! Finds one release in archives: its entries in every log, its grant, and what is disclosed of
//! it. It trusts nothing that it reads: an opening that does not match its commitment is not held.

use std::collections::BTreeSet;

use crypto::digest::Digest;
use crypto::envelope::Envelope;
use crypto::log::merkle::leaf_hash;
use crypto::log::reader::read_bundle;
use crypto::log::tile::{TILE_WIDTH, Tile, TileKind, parse_bundle};

use super::{ExplainError, Release};
use crate::audit::archive::FileName;
use crate::audit::entry::{Entry, Openings};
use crate::audit::header::{Header, Kind};
use crate::audit::verify::{Input, LogFiles, Source, Verdict};
use crate::document;
use crate::document::grant::Grant;
use crate::time::Wall;

/// Most entries of one release that are told: a release has about ten, and one for each time its
/// lease was resumed.
pub const ENTRIES_MAX: usize = 1_000;

/// What is disclosed of an entry.
pub(super) enum Disclosed {
    /// Nothing.
    Sealed,
    /// These openings; each matches its commitment.
    Opened(Openings),
    /// Something that is not the entry's.
    Refused,
}

/// An entry of the release.
pub(super) struct Step {
    /// The archive's number.
    pub(super) archive: usize,
    pub(super) index: u64,
    /// `None` for a kind that this release does not know.
    pub(super) kind: Option<Kind>,
    pub(super) header: Header,
    pub(super) disclosed: Disclosed,
    /// The hospital's entry, as the reader's log keeps it.
    pub(super) copy: bool,
}

impl Step {
    /// When, by its own account.
    pub(super) const fn wall(&self) -> Wall {
        Wall {
            unix_us: self.header.time_us,
            uncertainty_us: self.header.uncertainty_us,
        }
    }

    /// What is opened of it.
    pub(super) const fn openings(&self) -> Option<&Openings> {
        match &self.disclosed {
            Disclosed::Opened(openings) => Some(openings),
            Disclosed::Sealed | Disclosed::Refused => None,
        }
    }
}

/// A release as found.
pub(super) struct Found {
    /// SHA-256 of its grant; `None` for a refusal.
    pub(super) grant_hash: Option<Digest>,
    /// The hospital's entry that decided it, or the reader's copy of that.
    pub(super) decided: Option<Step>,
    /// The exact grant, if an archive has it.
    pub(super) grant: Option<Grant>,
    /// Every other entry of it, in all the logs, by time.
    pub(super) steps: Vec<Step>,
    /// Entries beyond [`ENTRIES_MAX`].
    pub(super) more: u64,
}

/// Finds a release.
pub(super) fn find(
    inputs: &[Input<'_>],
    verdict: &Verdict,
    release: Release,
) -> Result<Found, ExplainError> {
    let mut found = Found {
        grant_hash: None,
        decided: None,
        grant: None,
        steps: Vec::new(),
        more: 0,
    };
    match release {
        Release::Grant(hash) => found.grant_hash = Some(hash),
        Release::Entry(index) => match named(inputs, verdict, index)? {
            Named::Grant(hash) => found.grant_hash = Some(hash),
            Named::Refusal(step) => found.decided = Some(*step),
        },
    }
    if let Some(hash) = found.grant_hash {
        for (archive, input) in inputs.iter().enumerate() {
            let size = size(verdict, archive);
            each(input.source, size, |index, bytes| {
                found.take((archive, index), input.source, (bytes, hash));
            });
        }
        if found.steps.is_empty() && found.decided.is_none() {
            return Err(ExplainError::Unknown(release));
        }
    }
    let key = |step: &Step| (step.header.time_us, step.archive, step.index);
    found.steps.sort_by_key(key);
    Ok(found)
}

impl Found {
    /// Takes an entry, if it is one of the release with this grant.
    pub(super) fn take(
        &mut self,
        at: (usize, u64),
        source: &dyn Source,
        (bytes, hash): (&[u8], Digest),
    ) {
        let entry = Entry::decode_bytes(bytes).ok();
        let Some(entry) = entry.filter(|entry| entry.header().grant_hash == hash.as_bytes()) else {
            return;
        };
        let step = step(at, source, &entry);
        let decides = step.kind == Some(Kind::ReleaseGranted);
        if decides || step.kind == Some(Kind::GrantAccepted) {
            self.grant = self
                .grant
                .take()
                .or_else(|| grant(source, step.index, hash));
        }
        if step.kind == Some(Kind::GrantAccepted) && self.decided.is_none() {
            self.decided = copy(at, source, hash);
        }
        if decides {
            // The log's own entry stands before a copy of it; of two archives of one log the one
            // that discloses more.
            let known = self.decided.as_ref();
            let better = known.is_none_or(|known| {
                known.copy || (known.openings().is_none() && step.openings().is_some())
            });
            if better {
                self.decided = Some(step);
            }
        } else if self.steps.len() < ENTRIES_MAX {
            self.steps.push(step);
        } else {
            self.more += 1;
        }
    }
}

/// What an index names.
enum Named {
    Grant(Digest),
    Refusal(Box<Step>),
}

/// The release that the entry at this index decides, in whichever log.
fn named(inputs: &[Input<'_>], verdict: &Verdict, index: u64) -> Result<Named, ExplainError> {
    let (mut grants, mut refusals) = (BTreeSet::new(), Vec::new());
    let mut leaves = BTreeSet::new();
    for (archive, input) in inputs.iter().enumerate() {
        let found = entry_at(input.source, size(verdict, archive), index);
        let Some((leaf, entry)) = found else { continue };
        let header = entry.header();
        let hash = header.grant_hash.as_slice().try_into().ok().map(Digest);
        if header.kind == Kind::ReleaseGranted as i32 {
            grants.extend(hash);
        } else if header.kind == Kind::ReleaseRefused as i32 && leaves.insert(leaf) {
            refusals.push(step((archive, index), input.source, &entry));
        }
    }
    if grants.is_empty() && refusals.is_empty() {
        // Without the hospital's archive the reader's log still has the grant with its fence.
        for (archive, input) in inputs.iter().enumerate() {
            each(input.source, size(verdict, archive), |own, bytes| {
                grants.extend(fenced(input.source, (own, bytes), index));
            });
        }
    }
    let count = grants.len() + refusals.len();
    match (grants.pop_first(), refusals.pop()) {
        (Some(hash), None) if count == 1 => Ok(Named::Grant(hash)),
        (None, Some(step)) if count == 1 => Ok(Named::Refusal(Box::new(step))),
        (None, None) => Err(ExplainError::Unknown(Release::Entry(index))),
        (Some(_), _) | (None, Some(_)) => Err(ExplainError::Several { index, count }),
    }
}

/// The grant that an entry of the reader's log accepted, if it has this fence.
fn fenced(source: &dyn Source, (index, bytes): (u64, &[u8]), fence: u64) -> Option<Digest> {
    let header = Entry::decode_bytes(bytes).ok()?.header();
    if header.kind != Kind::GrantAccepted as i32 {
        return None;
    }
    let hash = header.grant_hash.as_slice().try_into().ok().map(Digest)?;
    let grant = grant(source, index, hash)?;
    (grant.fence == fence).then_some(hash)
}

/// The exact grant that an entry commits to. Whether its signature holds, the verification says.
fn grant(source: &dyn Source, index: u64, hash: Digest) -> Option<Grant> {
    let name = FileName::Grant(index);
    let bytes = source.read(&name.to_string(), name.max_len()).ok()?;
    if Digest::sha256(&bytes) != hash {
        return None;
    }
    document::decode(&Envelope::decode(&bytes).ok()?.payload).ok()
}

/// The hospital's entry, as the reader's log keeps it with its own.
fn copy((archive, index): (usize, u64), source: &dyn Source, hash: Digest) -> Option<Step> {
    let name = FileName::PeerEntry(index);
    let bytes = source.read(&name.to_string(), name.max_len()).ok()?;
    let header = Entry::decode_bytes(&bytes).ok()?.header();
    let same = header.grant_hash == hash.as_bytes() && header.kind == Kind::ReleaseGranted as i32;
    same.then_some(Step {
        archive,
        index,
        kind: Some(Kind::ReleaseGranted),
        header,
        disclosed: Disclosed::Sealed,
        copy: true,
    })
}

fn step((archive, index): (usize, u64), source: &dyn Source, entry: &Entry) -> Step {
    let header = entry.header();
    Step {
        archive,
        index,
        kind: Kind::try_from(header.kind).ok(),
        header,
        disclosed: disclosed(source, index, entry),
        copy: false,
    }
}

/// What the archive discloses of an entry, held against its commitments.
fn disclosed(source: &dyn Source, index: u64, entry: &Entry) -> Disclosed {
    let name = FileName::Opening(index);
    let path = name.to_string();
    if source.read(&path, 0) == Err(crate::audit::verify::ReadError::Missing) {
        return Disclosed::Sealed;
    }
    let bytes = source.read(&path, name.max_len()).ok();
    let openings = bytes.and_then(|bytes| Openings::decode_bytes(&bytes).ok());
    let holds = |openings: &Openings| {
        let mut all = openings.openings.iter();
        all.all(|opening| entry.check_opening(opening).is_ok())
    };
    openings
        .filter(holds)
        .map_or(Disclosed::Refused, Disclosed::Opened)
}

fn size(verdict: &Verdict, archive: usize) -> u64 {
    let report = verdict.archives.get(archive);
    report.map_or(0, |report| report.size)
}

/// The entry at an index, and its leaf.
fn entry_at(source: &dyn Source, size: u64, index: u64) -> Option<(Digest, Entry)> {
    if index >= size {
        return None;
    }
    let tile = Tile::in_tree(TileKind::Entries, index / TILE_WIDTH, size)?;
    let bundle = read_bundle(&LogFiles(source), &tile).ok()?;
    let entries = parse_bundle(&bundle, tile.width()).ok()?;
    let bytes = entries.get(usize::try_from(index % TILE_WIDTH).ok()?)?;
    Some((leaf_hash(bytes), Entry::decode_bytes(bytes).ok()?))
}

/// Every entry of a bundle that is there: a size is only a claim, files are not.
fn each(source: &dyn Source, size: u64, mut visit: impl FnMut(u64, &[u8])) {
    let mut bundles = BTreeSet::new();
    for name in source
        .paths()
        .iter()
        .filter_map(|path| FileName::parse(path))
    {
        if let FileName::Tile(tile) = name
            && tile.kind() == TileKind::Entries
        {
            bundles.insert(tile.index());
        }
    }
    for bundle in bundles {
        let Some(tile) = Tile::in_tree(TileKind::Entries, bundle, size) else {
            continue;
        };
        let bytes = read_bundle(&LogFiles(source), &tile).unwrap_or_default();
        let entries = parse_bundle(&bytes, tile.width()).unwrap_or_default();
        for (index, entry) in (bundle * TILE_WIDTH..).zip(entries) {
            visit(index, entry);
        }
    }
}
