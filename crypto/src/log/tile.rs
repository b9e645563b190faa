//! Tile coordinates, their paths, and entry bundles (c2sp.org/tlog-tiles).
//!
//! A tile of level L lists up to 256 hashes of complete subtrees of 256^L entries. An entry bundle
//! lists the entries themselves under the same numbering as level 0. The rightmost tile of a level
//! may be partial; it is then named by its width too.

use std::fmt;

use thiserror::Error;

use super::text;
use crate::digest::DIGEST_LEN;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// Tree levels that one tile spans.
pub const TILE_HEIGHT: u8 = 8;
/// Highest tile level that a tree of less than 2^63 entries has.
pub const MAX_TILE_LEVEL: u8 = 7;
/// Longest entry: its length is written in two bytes.
pub const MAX_ENTRY_LEN: usize = u16::MAX as usize;
/// Path of the checkpoint beside the tiles.
pub const CHECKPOINT_PATH: &str = "checkpoint";

const LENGTH_BYTES: usize = 2;
/// "tile/entries/" and seven groups "xNNN/" and ".p/255" fit in this.
const MAX_PATH_LEN: usize = 64;

/// Why a tile path, a tile or a bundle is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TileError {
    /// Not the one spelling of a tile's path.
    #[error("not a tile path")]
    Path,
    /// An entry above [`MAX_ENTRY_LEN`].
    #[error("an entry of {0} bytes is too long")]
    EntryTooLong(usize),
    /// The bundle ends within an entry.
    #[error("the bundle ends within entry {0}")]
    Truncated(usize),
    /// The bundle holds another number of entries than its path says.
    #[error("the bundle holds {found} entries, not {expected}")]
    EntryCount {
        /// Width by its path.
        expected: usize,
        /// Entries in it, counted up to one more than expected.
        found: usize,
    },
    /// The tile is not its width times 32 bytes long.
    #[error("the tile is {found} bytes long, not {expected}")]
    TileLength {
        /// Bytes by its path.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
}

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileKind {
    /// Entries, in a bundle.
    Entries,
    /// Hashes at this tile level, 0 for leaves, at most [`MAX_TILE_LEVEL`].
    Hashes(u8),
}

impl TileKind {
    /// Number of hashes or entries that a tree of `size` entries has at this level.
    pub fn count(self, size: u64) -> u64 {
        match self {
            Self::Entries => size,
            Self::Hashes(level) => size
                .checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))
                .unwrap_or(0),
        }
    }
}

/// The coordinates of one tile or bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile numbered `index` in a tree of `size` entries, as wide as that tree makes it.
    /// `None` if the tree does not reach it.
    pub fn in_tree(kind: TileKind, index: u64, size: u64) -> Option<Self> {
        let start = index.checked_mul(TILE_WIDTH)?;
        let count = kind.count(size).checked_sub(start)?.min(TILE_WIDTH);
        if count == 0 {
            None
        } else {
            Some(Self {
                kind,
                index,
                width: count as u16,
            })
        }
    }

    /// Parses a path; refuses every spelling but the one [`Self::path`] writes.
    ///
    /// # Errors
    /// [`TileError::Path`].
    pub fn parse(path: &str) -> Result<Self, TileError> {
        Self::parse_path(path)
            .filter(|tile| tile.path() == path)
            .ok_or(TileError::Path)
    }

    fn parse_path(path: &str) -> Option<Self> {
        if path.len() > MAX_PATH_LEN {
            return None;
        }
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let kind = match level {
            "entries" => TileKind::Entries,
            digits => {
                let level = u8::try_from(text::decimal(digits)?).ok()?;
                if level > MAX_TILE_LEVEL {
                    return None;
                }
                TileKind::Hashes(level)
            }
        };
        let (number, width) = match rest.split_once(".p/") {
            None => (rest, TILE_WIDTH),
            Some((number, width)) => (number, text::decimal(width)?),
        };
        if width == 0 || width > TILE_WIDTH {
            return None;
        }
        let mut index = 0u64;
        for group in number.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        Some(Self {
            kind,
            index,
            width: width as u16,
        })
    }

    /// The path below the log's prefix: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
    pub fn path(&self) -> String {
        let mut number = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1000);
            rest /= 1000;
        }
        let level = match self.kind {
            TileKind::Entries => "entries".to_owned(),
            TileKind::Hashes(level) => level.to_string(),
        };
        if self.is_full() {
            format!("tile/{level}/{number}")
        } else {
            format!("tile/{level}/{number}.p/{}", self.width)
        }
    }

    /// What it holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its number within the level, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Hashes or entries in it, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it is 256 wide, and so never grows.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == TILE_WIDTH
    }

    /// The full tile with the same number.
    pub fn full(&self) -> Self {
        Self {
            width: TILE_WIDTH as u16,
            ..*self
        }
    }

    /// Checks that `bytes` is exactly this hash tile's length.
    ///
    /// # Errors
    /// [`TileError::TileLength`].
    pub fn check_hashes(&self, bytes: &[u8]) -> Result<(), TileError> {
        let expected = usize::from(self.width) * DIGEST_LEN;
        let found = bytes.len();
        if expected == found {
            Ok(())
        } else {
            Err(TileError::TileLength { expected, found })
        }
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

/// All kinds that a tree of `size` entries has: bundles, then hash levels upwards.
pub fn kinds(size: u64) -> impl Iterator<Item = TileKind> {
    let levels = (0..=MAX_TILE_LEVEL).map(TileKind::Hashes);
    std::iter::once(TileKind::Entries)
        .chain(levels)
        .take_while(move |kind| kind.count(size) > 0)
}

/// Every tile and bundle that a log of `size` entries consists of, and no other.
pub fn tiles(size: u64) -> impl Iterator<Item = Tile> {
    growth(0, size)
}

/// The tiles and bundles to be written when a log grows from `old` to `new` entries.
pub fn growth(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    kinds(new).flat_map(move |kind| {
        let (from, to) = (kind.count(old), kind.count(new));
        let last = if to > from {
            to.div_ceil(TILE_WIDTH)
        } else {
            0
        };
        (from / TILE_WIDTH..last).filter_map(move |index| Tile::in_tree(kind, index, new))
    })
}

/// Whether a log of `size` entries may have this file: part of it, or a narrower partial tile
/// left from a smaller size, which a log may keep (c2sp.org/tlog-tiles, "Partial Tiles").
pub fn belongs(tile: &Tile, size: u64) -> bool {
    Tile::in_tree(tile.kind, tile.index, size).is_some_and(|current| tile.width <= current.width)
}

/// Appends one entry to a bundle: u16be length ‖ entry.
///
/// # Errors
/// [`TileError::EntryTooLong`]; nothing is appended then.
pub fn append_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), TileError> {
    let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong(entry.len()))?;
    bundle.reserve(LENGTH_BYTES + entry.len());
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Walks the entries of a bundle without copying them. Stops after the first error.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Entries<'a> {
    /// Entries of `bundle`, however many there are.
    pub fn new(bundle: &'a [u8]) -> Self {
        Self {
            rest: bundle,
            number: 0,
        }
    }

    fn take(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<LENGTH_BYTES>()?;
        let (entry, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        self.rest = rest;
        Some(entry)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], TileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(entry) = self.take() else {
            self.rest = &[];
            return Some(Err(TileError::Truncated(self.number)));
        };
        self.number += 1;
        Some(Ok(entry))
    }
}

/// Reads a bundle of exactly `width` entries.
///
/// # Errors
/// [`TileError::Truncated`] or [`TileError::EntryCount`].
pub fn parse_bundle(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let expected = usize::from(width);
    let mut entries = Vec::with_capacity(expected);
    for entry in Entries::new(bundle).take(expected + 1) {
        entries.push(entry?);
    }
    let found = entries.len();
    if found == expected {
        Ok(entries)
    } else {
        Err(TileError::EntryCount { expected, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_specification() {
        // c2sp.org/tlog-tiles: index 1234067 is x001/x234/067.
        let tile = Tile {
            kind: TileKind::Hashes(0),
            index: 1_234_067,
            width: 256,
        };
        assert_eq!(tile.path(), "tile/0/x001/x234/067");
        let tile = Tile {
            kind: TileKind::Entries,
            index: 7,
            width: 5,
        };
        assert_eq!(tile.path(), "tile/entries/007.p/5");
        assert_eq!(Tile::parse("tile/entries/007.p/5"), Ok(tile));
    }

    #[test]
    fn a_tree_of_70_000_has_the_tiles_of_the_specification() {
        let count = |kind: TileKind, full: bool| {
            tiles(70_000)
                .filter(|t| t.kind() == kind && t.is_full() == full)
                .count()
        };
        let partial = |kind| tiles(70_000).find(|t| t.kind() == kind && !t.is_full());
        assert_eq!(
            (
                count(TileKind::Hashes(0), true),
                count(TileKind::Hashes(0), false)
            ),
            (273, 1)
        );
        assert_eq!(partial(TileKind::Hashes(0)).map(|t| t.width()), Some(112));
        assert_eq!(
            (
                count(TileKind::Hashes(1), true),
                count(TileKind::Hashes(1), false)
            ),
            (1, 1)
        );
        assert_eq!(partial(TileKind::Hashes(1)).map(|t| t.width()), Some(17));
        assert_eq!(
            (
                count(TileKind::Hashes(2), true),
                count(TileKind::Hashes(2), false)
            ),
            (0, 1)
        );
        assert_eq!(partial(TileKind::Hashes(2)).map(|t| t.width()), Some(1));
        assert_eq!(
            (
                count(TileKind::Entries, true),
                count(TileKind::Entries, false)
            ),
            (273, 1)
        );
        let paths: Vec<String> = tiles(256).map(|t| t.path()).collect();
        assert_eq!(paths, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(tiles(0).count(), 0);
    }

    #[test]
    fn every_other_spelling_of_a_path_is_refused() {
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/1",
            "tile/0/0001",
            "tile/00/001",
            "tile/8/000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x001",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/01",
            "tile/0/001.p/",
            "tile/0/001.p/1/",
            "tile/-1/000",
            "tile/0/001.p/1.p/1",
            "/tile/0/001",
            "tile/data/001",
            "tile/0/ 01",
            "tile/0/+01",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/x001/../002",
            "tile/0/٠٠١",
        ] {
            assert_eq!(Tile::parse(path), Err(TileError::Path), "{path}");
        }
    }

    #[test]
    fn growth_names_what_changed_and_nothing_else() {
        let paths = |a, b| growth(a, b).map(|t| t.path()).collect::<Vec<_>>();
        assert_eq!(paths(0, 1), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
        assert_eq!(
            paths(255, 257),
            [
                "tile/entries/000",
                "tile/entries/001.p/1",
                "tile/0/000",
                "tile/0/001.p/1",
                "tile/1/000.p/1"
            ]
        );
        assert_eq!(paths(257, 258), ["tile/entries/001.p/2", "tile/0/001.p/2"]);
        assert!(paths(300, 300).is_empty());
    }

    #[test]
    fn bundles_are_read_exactly() {
        let mut bundle = Vec::new();
        append_entry(&mut bundle, b"one").expect("short");
        append_entry(&mut bundle, b"").expect("short");
        assert_eq!(bundle, b"\0\x03one\0\0");
        assert_eq!(parse_bundle(&bundle, 2), Ok(vec![&b"one"[..], b""]));
        let count = |expected, found| Err(TileError::EntryCount { expected, found });
        assert_eq!(parse_bundle(&bundle, 1), count(1, 2));
        assert_eq!(parse_bundle(&bundle, 3), count(3, 2));
        assert_eq!(parse_bundle(&bundle[..6], 2), Err(TileError::Truncated(1)));
        assert_eq!(parse_bundle(&bundle[..4], 1), Err(TileError::Truncated(0)));
        let long = vec![0; MAX_ENTRY_LEN + 1];
        assert_eq!(
            append_entry(&mut bundle, &long),
            Err(TileError::EntryTooLong(65_536))
        );
        assert_eq!(bundle.len(), 7);
        assert_eq!(append_entry(&mut bundle, &long[1..]), Ok(()));
    }
}
