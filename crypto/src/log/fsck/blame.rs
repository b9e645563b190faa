//! Which file is to blame: the levels above the leaves, upwards and then down again.

use std::collections::BTreeSet;

use super::{Evidence, Problem, Report, Summary, leaf_evidence, stored_hashes};
use crate::digest::{DIGEST_LEN, Digest};
use crate::log::merkle::{Frontier, TreeHead};
use crate::log::reader::TileReader;
use crate::log::tile::{CHECKPOINT_PATH, TILE_WIDTH, Tile, TileKind, belongs, kinds, parse_bundle};

/// A check in progress.
pub(super) struct Check<'a, R> {
    pub(super) reader: &'a R,
    pub(super) head: TreeHead,
    /// Summaries of the full tiles of each level, lowest level first.
    pub(super) levels: Vec<Vec<Summary>>,
    /// The partial tile of each level.
    pub(super) edges: Vec<Evidence>,
    pub(super) report: Report,
}

impl<R: TileReader> Check<'_, R> {
    pub(super) fn climb(&mut self) {
        for level in kinds(self.head.size).filter_map(hash_level).skip(1) {
            let count = TileKind::Hashes(level).count(self.head.size);
            let (mut full, mut edge) = (Vec::new(), Evidence::default());
            for index in 0..count.div_ceil(TILE_WIDTH) {
                let evidence = self.evidence(level, index, true);
                if (index + 1) * TILE_WIDTH <= count {
                    full.push(evidence.summary());
                } else {
                    edge = evidence;
                }
            }
            self.levels.push(full);
            self.edges.push(edge);
        }
    }

    /// Evidence on a tile, read anew.
    fn evidence(&mut self, level: u8, index: u64, report: bool) -> Evidence {
        let size = self.head.size;
        let Some(below) = level.checked_sub(1) else {
            return leaf_evidence(self.reader, size, index, None, &mut |_, _| ());
        };
        let Some(tile) = Tile::in_tree(TileKind::Hashes(level), index, size) else {
            return Evidence::default();
        };
        let report = if report { Some(&mut self.report) } else { None };
        let stored = stored_hashes(self.reader, &tile, report);
        let start = (index * TILE_WIDTH) as usize;
        let summaries = &self.levels[usize::from(below)];
        let computed = (0..usize::from(tile.width()))
            .map(|i| {
                let best = summaries.get(start + i).and_then(Summary::best);
                best.or_else(|| stored.as_ref().and_then(|nodes| nodes.get(i).copied()))
            })
            .collect();
        Evidence { stored, computed }
    }

    /// The root from the partial tiles of all levels, or `None` if one of them is unknown.
    fn edge_root(&self, pick: impl Fn(&Evidence) -> Option<&Vec<Digest>>) -> Option<Digest> {
        let mut nodes = Vec::new();
        for (level, edge) in self.edges.iter().enumerate().rev() {
            let width = TileKind::Hashes(level as u8).count(self.head.size) % TILE_WIDTH;
            if width > 0 {
                let mut part = Frontier::new();
                for node in pick(edge)?.iter().take(width as usize) {
                    part.push(*node).ok()?;
                }
                nodes.extend_from_slice(part.nodes());
            }
        }
        Some(Frontier::from_nodes(self.head.size, nodes).ok()?.root())
    }

    pub(super) fn descend(&mut self) {
        let computed = |edge: &Evidence| -> Option<Vec<Digest>> { edge.computed.clone() };
        let stored = |edge: &Evidence| -> Option<Vec<Digest>> { edge.stored.clone() };
        let from_entries = self.edge_root(|edge| edge.computed.as_ref());
        let from_tiles = self.edge_root(|edge| edge.stored.as_ref());
        let root = Some(self.head.root);
        let agreed = |edge: &Evidence| {
            edge.stored
                .clone()
                .filter(|s| edge.computed.as_ref() == Some(s))
        };
        let truth_of: &dyn Fn(&Evidence) -> Option<Vec<Digest>> = if from_entries == root {
            &computed
        } else if from_tiles == root {
            &stored
        } else {
            self.report
                .add(CHECKPOINT_PATH.into(), Problem::RootMismatch);
            &agreed
        };
        let mut truths: Vec<Option<Vec<Digest>>> = Vec::new();
        for edge in &self.edges {
            truths.push(truth_of(edge));
        }
        // What is known to be true of the tiles of the level above, by position in the level.
        let mut above: Vec<Option<Digest>> = Vec::new();
        for level in (0..self.levels.len()).rev() {
            let mut here = Vec::new();
            for index in 0..self.levels[level].len() {
                let truth = above.get(index).copied().flatten();
                let nodes = self.judge(level as u8, index as u64, truth);
                match nodes {
                    Some(nodes) if level > 0 => here.extend(nodes.into_iter().map(Some)),
                    _ if level > 0 => here.resize(here.len() + TILE_WIDTH as usize, None),
                    _ => (),
                }
            }
            let edge = std::mem::take(&mut self.edges[level]);
            if edge.stored.is_some() || edge.computed.is_some() {
                let truth = truths[level].take();
                self.blame(
                    level as u8,
                    self.levels[level].len() as u64,
                    &edge,
                    truth.as_deref(),
                );
                here.extend(truth.into_iter().flatten().map(Some));
            }
            above = here;
        }
    }

    /// Settles one full tile whose root is known to be `truth`, if known; gives its true hashes.
    fn judge(&mut self, level: u8, index: u64, truth: Option<Digest>) -> Option<Vec<Digest>> {
        let summary = self.levels[usize::from(level)][index as usize];
        let agreed = summary.stored.is_some() && summary.stored == summary.computed;
        if agreed && (truth.is_none() || truth == summary.stored) {
            // Leaves are at the bottom: nothing below needs them.
            return if level == 0 {
                None
            } else {
                self.evidence(level, index, false).stored
            };
        }
        let evidence = self.evidence(level, index, false);
        let found = if truth.is_some() && truth == summary.computed {
            evidence.computed.clone()
        } else if truth.is_some() && truth == summary.stored {
            evidence.stored.clone()
        } else {
            if truth.is_some() {
                self.not_under_root(level, index, &evidence);
            }
            None
        };
        if found.is_some() || truth.is_none() {
            self.blame(level, index, &evidence, found.as_deref());
        }
        found
    }

    fn not_under_root(&mut self, level: u8, index: u64, evidence: &Evidence) {
        let size = self.head.size;
        let tile = Tile::in_tree(TileKind::Hashes(level), index, size);
        if let (Some(tile), Some(_)) = (tile, &evidence.stored) {
            self.report.add(tile.path(), Problem::NotUnderRoot);
        }
        let bundle = Tile::in_tree(TileKind::Entries, index, size).filter(|_| level == 0);
        if let (Some(bundle), Some(_)) = (bundle, &evidence.computed) {
            self.report.add(bundle.path(), Problem::NotUnderRoot);
        }
    }

    /// Names the files that differ from the truth, or from each other if it is not known.
    fn blame(&mut self, level: u8, index: u64, evidence: &Evidence, truth: Option<&[Digest]>) {
        let (stored, computed) = (evidence.stored.as_deref(), evidence.computed.as_deref());
        let tile = Tile::in_tree(TileKind::Hashes(level), index, self.head.size);
        let bundle = Tile::in_tree(TileKind::Entries, index, self.head.size);
        let sides = [
            (tile, stored, computed),
            (bundle.filter(|_| level == 0), computed, stored),
        ];
        for (file, own, other) in sides {
            let (Some(file), Some(own)) = (file, own) else {
                continue;
            };
            let Some(reference) = truth.or(other) else {
                continue;
            };
            let Some((first, count)) = differences(own, reference) else {
                continue;
            };
            let problem = match truth {
                Some(_) => Problem::Wrong { first, count },
                None => Problem::Disagrees { first, count },
            };
            self.report.add(file.path(), problem);
        }
    }

    pub(super) fn list(&mut self, listing: impl IntoIterator<Item = String>) {
        for path in listing.into_iter().collect::<BTreeSet<String>>() {
            if path == CHECKPOINT_PATH {
                continue;
            }
            let tile = Tile::parse(&path)
                .ok()
                .filter(|tile| belongs(tile, self.head.size));
            let Some(tile) = tile else {
                self.report.add(path, Problem::Unexpected);
                continue;
            };
            let current = Tile::in_tree(tile.kind(), tile.index(), self.head.size);
            if let Some(current) = current.filter(|current| *current != tile) {
                self.check_outgrown(&tile, &current);
            }
        }
    }

    /// A partial tile that a log may keep must be the start of the tile that outgrew it.
    fn check_outgrown(&mut self, tile: &Tile, current: &Tile) {
        let (Some(old), Some(new)) = (
            self.reader.read(&tile.path()),
            self.reader.read(&current.path()),
        ) else {
            return;
        };
        let well_formed = match tile.kind() {
            TileKind::Hashes(_) => tile.check_hashes(&old),
            TileKind::Entries => parse_bundle(&old, tile.width()).map(|_| ()),
        };
        if let Err(error) = well_formed {
            self.report.add(tile.path(), error);
        } else if !new.starts_with(&old) {
            let first = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
            let first = match tile.kind() {
                TileKind::Hashes(_) => first / DIGEST_LEN,
                TileKind::Entries => 0,
            };
            self.report.add(
                tile.path(),
                Problem::Disagrees {
                    first: first as u16,
                    count: 1,
                },
            );
        }
    }
}

fn hash_level(kind: TileKind) -> Option<u8> {
    match kind {
        TileKind::Entries => None,
        TileKind::Hashes(level) => Some(level),
    }
}

/// First differing position and number of differences; `None` if there are none.
fn differences(a: &[Digest], b: &[Digest]) -> Option<(u16, u16)> {
    let mut differing = (0u16..).zip(a.iter().zip(b)).filter(|(_, (a, b))| a != b);
    let (first, _) = differing.next()?;
    Some((first, 1 + differing.count() as u16))
}
