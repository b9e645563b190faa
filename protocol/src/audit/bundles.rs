//! The entries of an archive, in order, as far as their bundles are there.

use std::collections::BTreeSet;

use crypto::log::reader::read_bundle;
use crypto::log::tile::{TILE_WIDTH, Tile, TileKind, parse_bundle};

use super::archive::FileName;
use super::verify::{LogFiles, Source};

/// What stands at an index.
pub(super) enum Found<'a> {
    /// An entry's exact bytes. Nothing is said of them.
    Entry(u64, &'a [u8]),
    /// From the first index up to the second, itself not included, nothing can be read.
    Gap(u64, u64),
}

/// Gives everything of a log of `size` entries to `each`, one bundle in memory. The size is only a
/// claim, files are not: the time that it takes is that of the bundles that are there.
///
/// # Errors
/// What `each` gives, as soon as it does.
pub(super) fn entries<E>(
    source: &dyn Source,
    size: u64,
    mut each: impl FnMut(Found<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let count = TileKind::Entries.count(size);
    let mut bundles = BTreeSet::new();
    source.each_path(&mut |path| {
        if let Some(FileName::Tile(tile)) = FileName::parse(path)
            && tile.kind() == TileKind::Entries
            && tile.index() < count
        {
            bundles.insert(tile.index());
        }
    });
    let mut next = 0;
    for bundle in bundles {
        let Some(tile) = Tile::in_tree(TileKind::Entries, bundle, size) else {
            continue;
        };
        let first = bundle * TILE_WIDTH;
        if next < first {
            each(Found::Gap(next, first))?;
        }
        next = first + u64::from(tile.width());
        let bytes = read_bundle(&LogFiles(source), &tile).unwrap_or_default();
        match parse_bundle(&bytes, tile.width()) {
            Err(_) => each(Found::Gap(first, next))?,
            Ok(entries) => {
                for (index, entry) in (first..).zip(entries) {
                    each(Found::Entry(index, entry))?;
                }
            }
        }
    }
    match next < size {
        true => each(Found::Gap(next, size)),
        false => Ok(()),
    }
}
