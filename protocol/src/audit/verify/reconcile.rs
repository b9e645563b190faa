//! Several archives together: what each log keeps of the others must be in the others, and the
//! reverse.

use std::collections::{BTreeMap, BTreeSet};

use crypto::digest::Digest;
use crypto::log::merkle::{TreeHead, empty_root, tree_root};
use crypto::log::reader::{TileTree, read_bundle};
use crypto::log::tile::{TILE_WIDTH, Tile, TileKind, parse_bundle};
use crypto::note::KeyName;

use super::entries::bundle_path;
use super::fault::{Check, Fault};
use super::remark::Remark;
use super::report::Report;
use super::{Input, LogFiles};
use crate::audit::archive::FileName;

/// What a log keeps of an entry of another log: proved by that log's own signature.
pub(super) struct Link {
    /// The entry here that it belongs to.
    pub(super) index: u64,
    /// The grant of both entries.
    pub(super) hash: Digest,
    /// The file with the proof.
    pub(super) proof: FileName,
    /// The other log.
    pub(super) peer: KeyName,
    /// The index of its entry.
    pub(super) peer_index: u64,
    /// SHA-256 of its entry.
    pub(super) entry: Digest,
    /// The tree that it showed.
    pub(super) head: TreeHead,
}

/// Where a grant stands in a log: granted, accepted, its receipt, the first access.
pub(super) type Standing = (Option<u64>, Option<u64>, Option<u64>, Option<u64>);

/// One log's account of its releases and of the other logs.
pub(super) struct Account {
    origin: KeyName,
    /// Its tree, by its own checkpoint.
    pub(super) head: TreeHead,
    links: Vec<Link>,
    releases: BTreeMap<Digest, Standing>,
    /// Trees that it showed with a proof, and the entry that the proof was for.
    pub(super) own_heads: Vec<(TreeHead, u64)>,
}

impl Account {
    /// The account of a log whose tree is not known yet.
    pub(super) fn new(
        origin: &KeyName,
        links: Vec<Link>,
        releases: BTreeMap<Digest, Standing>,
        own_heads: Vec<(TreeHead, u64)>,
    ) -> Self {
        let head = TreeHead {
            size: 0,
            root: empty_root(),
        };
        Self {
            origin: origin.clone(),
            head,
            links,
            releases,
            own_heads,
        }
    }
}

/// Reconciles all archives; an archive whose log could not be read has no account.
pub(super) fn run(inputs: &[Input<'_>], accounts: &[Option<Account>], reports: &mut [Report]) {
    for (at, account) in accounts.iter().enumerate() {
        let Some(account) = account else { continue };
        let mut absent = BTreeSet::new();
        for link in &account.links {
            let mut given = false;
            for (of, peer) in accounts.iter().enumerate() {
                let Some(peer) = peer.as_ref().filter(|peer| peer.origin == link.peer) else {
                    continue;
                };
                given = true;
                reports[at].looked(Check::Reconciled);
                for fault in holds(&inputs[of], peer, link) {
                    let (check, file) = (Check::Reconciled, link.proof);
                    reports[at].fail(check, file, Some(link.index), fault);
                }
            }
            if !given && absent.insert(&link.peer) {
                let remark = Remark::PeerNotGiven(link.peer.clone());
                reports[at].remark(Check::Reconciled, None, remark);
            }
        }
        for (of, peer) in accounts.iter().enumerate() {
            let Some(peer) = peer else { continue };
            if at != of {
                one_sided(account, peer, &mut reports[at]);
            }
            if at < of && account.origin == peer.origin {
                copies(
                    (&inputs[at], account),
                    (&inputs[of], peer),
                    &mut reports[of],
                );
            }
        }
    }
}

/// What is wrong with a link, given the archive of the log that it speaks of.
fn holds(input: &Input<'_>, peer: &Account, link: &Link) -> Vec<Fault> {
    let files = LogFiles(input.source);
    let mut faults = Vec::new();
    let there = entry_at(&files, peer.head.size, link.peer_index);
    if there.is_none_or(|entry| Digest::sha256(&entry) != link.entry) {
        faults.push(Fault::NotInPeer {
            peer: link.peer.clone(),
            index: link.peer_index,
        });
    }
    let size = link.head.size;
    if size > peer.head.size {
        faults.push(Fault::PeerBehind {
            peer: link.peer.clone(),
            size,
        });
    } else if root_at(&files, peer.head.size, size) != Some(link.head.root) {
        faults.push(Fault::PeerForked {
            peer: link.peer.clone(),
            size,
        });
    }
    faults
}

/// The entry at an index of the log behind `files`.
fn entry_at(files: &LogFiles<'_>, size: u64, index: u64) -> Option<Vec<u8>> {
    if index >= size {
        return None;
    }
    let tile = Tile::in_tree(TileKind::Entries, index / TILE_WIDTH, size)?;
    let bundle = read_bundle(files, &tile).ok()?;
    let entries = parse_bundle(&bundle, tile.width()).ok()?;
    entries
        .get((index % TILE_WIDTH) as usize)
        .map(|entry| entry.to_vec())
}

/// The root of the first `size` entries of the log behind `files`.
fn root_at(files: &LogFiles<'_>, tiles_size: u64, size: u64) -> Option<Digest> {
    let tree = TileTree::new(files, tiles_size).ok()?;
    tree_root(&tree, size).ok()
}

/// What the peer's log says of grants of this log that this log does not say itself.
fn one_sided(own: &Account, peer: &Account, report: &mut Report) {
    let size = report.size;
    let accepted =
        |link: &&Link| matches!(link.proof, FileName::PeerProof(_)) && link.peer == own.origin;
    for link in peer.links.iter().filter(accepted) {
        let standing = own.releases.get(&link.hash).copied().unwrap_or_default();
        let (Some(granted), _, receipt, _) = standing else {
            let (peer, index) = (peer.origin.clone(), link.index);
            let file = bundle_path(link.peer_index, size);
            let fault = Fault::NeverGranted { peer, index };
            report.fail(Check::Reconciled, file, Some(link.peer_index), fault);
            continue;
        };
        if receipt.is_some() {
            continue;
        }
        let origin = peer.origin.clone();
        match peer.releases.get(&link.hash) {
            Some((_, _, _, Some(index))) => {
                let file = bundle_path(granted, size);
                let fault = Fault::PeerAccess {
                    peer: origin,
                    index: *index,
                };
                report.fail(Check::Reconciled, file, Some(granted), fault);
            }
            Some(_) | None => {
                let remark = Remark::ReceiptNeverArrived {
                    peer: origin,
                    index: link.index,
                };
                report.remark(Check::Reconciled, Some(granted), remark);
            }
        }
    }
}

/// Two archives of one log: the smaller tree must be the start of the larger one.
fn copies(one: (&Input<'_>, &Account), other: (&Input<'_>, &Account), report: &mut Report) {
    report.looked(Check::Reconciled);
    let (small, large) = if one.1.head.size <= other.1.head.size {
        (one, other)
    } else {
        (other, one)
    };
    let size = small.1.head.size;
    let files = LogFiles(large.0.source);
    if root_at(&files, large.1.head.size, size) != Some(small.1.head.root) {
        let fault = Fault::CopiesDiffer(size);
        report.fail(Check::Reconciled, FileName::Checkpoint, None, fault);
    }
}
