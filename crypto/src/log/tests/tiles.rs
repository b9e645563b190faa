//! Files: grown in steps, restored, proved from, and read by `tlog_tiles`.

use tlog_tiles::{TileHashReader, TileReader as TheirReader};

use super::{Files, entry, grow, log_of};
use crate::digest::Digest;
use crate::log::fuzz::{fuzz_bundle, fuzz_tile_path};
use crate::log::merkle::{
    Frontier, HashReader, MerkleError, TreeHead, consistency_proof, inclusion_proof, leaf_hash,
    tree_root,
};
use crate::log::reader::{ReadError, TileTree};
use crate::log::tile::*;
use crate::log::writer::{LogWriter, WriteError};

/// The same files under the names of Go's checksum database: a height in every path.
struct Theirs<'a>(&'a Files);

impl TheirReader for Theirs<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let ours = |tile: &tlog_tiles::Tile| tile.path().replacen("tile/8/", "tile/", 1);
        Ok(tiles
            .iter()
            .map(|tile| self.0[&ours(tile)].clone())
            .collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn plain(proof: &[Digest]) -> Vec<[u8; 32]> {
    proof.iter().map(|hash| hash.0).collect()
}

#[test]
fn tlog_tiles_reads_our_files_and_makes_our_proofs() {
    for size in [1, 2, 255, 256, 257, 511, 512, 600, 66_000] {
        let (files, signed) = log_of(size);
        let tree = TileTree::new(&files, size).expect("in range");
        assert_eq!(tree_root(&tree, size), Ok(signed.head().root));
        let theirs = Theirs(&files);
        let reader = TileHashReader::new(size, tlog_tiles::Hash(signed.head().root.0), &theirs);
        for index in [0, 1, size / 3, size / 2, size - 1]
            .into_iter()
            .filter(|i| *i < size)
        {
            let ours = inclusion_proof(&tree, index, size).expect("tiles are there");
            let theirs = tlog_tiles::prove_record(size, index, &reader).expect("tiles are there");
            assert_eq!(
                plain(&ours),
                theirs.iter().map(|hash| hash.0).collect::<Vec<_>>()
            );
            let old = index + 1;
            let ours = consistency_proof(&tree, old, size).expect("tiles are there");
            let theirs = tlog_tiles::prove_tree(size, old, &reader).expect("tiles are there");
            assert_eq!(
                plain(&ours),
                theirs.iter().map(|hash| hash.0).collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn growth_and_paths_agree_with_tlog_tiles() {
    for (old, new) in [
        (0, 1),
        (0, 70_000),
        (255, 256),
        (256, 257),
        (300, 300),
        (65_535, 65_537),
    ] {
        let ours = growth(old, new).filter(|tile| tile.kind() != TileKind::Entries);
        let theirs = tlog_tiles::Tile::new_tiles(8, old, new);
        let theirs = theirs
            .iter()
            .map(|tile| tile.path().replacen("tile/8/", "tile/", 1));
        assert!(ours.map(|tile| tile.path()).eq(theirs), "{old} to {new}");
    }
    let path = b"tile/3/x001/x234/067.p/12";
    for at in 0..path.len() {
        for change in *b"019x/.p-" {
            let mut path = path.to_vec();
            path[at] = change;
            fuzz_tile_path(&path);
            let text = std::str::from_utf8(&path).expect("ASCII");
            let theirs = tlog_tiles::Tile::from_path(&text.replacen("tile/", "tile/8/", 1));
            // They take levels that no tree below 2^63 entries has, and a width of 0.
            if Tile::parse(text).is_ok() {
                assert!(theirs.is_ok(), "{text}");
            } else if let Ok(theirs) = theirs {
                assert!(
                    theirs.level() > MAX_TILE_LEVEL || theirs.width() == 0,
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn files_do_not_depend_on_the_steps_of_growth() {
    let (mut writer, mut files) = (LogWriter::new(), Files::new());
    let mut size = 0;
    while size < 1_500 {
        size += 1 + size * 37 % 191;
        grow(&mut writer, &mut files, size);
        let (whole, signed) = log_of(size);
        assert_eq!(writer.head(), *signed.head());
        for tile in tiles(size) {
            assert_eq!(files[&tile.path()], whole[&tile.path()], "{tile} at {size}");
        }
        // Nothing else is ever written but what a log of some smaller size consists of.
        for path in files.keys() {
            let tile = Tile::parse(path).expect("a tile path");
            assert!(belongs(&tile, size), "{path} at {size}");
        }
        assert!(writer.take_files().is_empty());
    }
}

#[test]
fn a_restored_writer_goes_on_as_if_it_had_never_stopped() {
    for size in [0, 1, 2, 255, 256, 257, 300, 511, 512, 513, 65_536, 65_800] {
        let (files, signed) = log_of(size);
        let mut writer = LogWriter::restore(&files, signed.head()).expect("the files are whole");
        assert_eq!(writer.head(), *signed.head());
        assert!(writer.take_files().is_empty());
        let mut grown = files.clone();
        grow(&mut writer, &mut grown, size + 300);
        let (whole, later) = log_of(size + 300);
        assert_eq!(writer.head(), *later.head());
        for tile in tiles(size + 300) {
            assert_eq!(
                grown[&tile.path()],
                whole[&tile.path()],
                "{tile} from {size}"
            );
        }
        // A log may delete a partial tile once the full one is there (c2sp.org/tlog-tiles).
        let full: Vec<Tile> = tiles(size + 300).filter(Tile::is_full).collect();
        let outgrown = |tile: Tile| !tile.is_full() && full.contains(&tile.full());
        grown.retain(|path, _| !Tile::parse(path).is_ok_and(outgrown));
        let again = LogWriter::restore(&grown, signed.head()).expect("the full tiles serve");
        assert_eq!(again.head(), *signed.head());
    }
}

#[test]
fn a_writer_is_not_restored_from_files_that_disagree() {
    let (files, signed) = log_of(300);
    let restore = |files: &Files| LogWriter::restore(files, signed.head()).map(|w| w.head());
    let without = |path: &str| {
        let mut files = files.clone();
        files.remove(path);
        restore(&files)
    };
    for path in ["tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"] {
        let missing = ReadError::Missing { path: path.into() };
        assert_eq!(without(path), Err(WriteError::Read(missing)));
    }
    let changed = |path: &str, at: usize| {
        let mut files = files.clone();
        files.get_mut(path).expect("a file")[at] ^= 1;
        restore(&files)
    };
    assert_eq!(
        changed("tile/0/001.p/44", 40),
        Err(WriteError::RootMismatch)
    );
    assert_eq!(changed("tile/1/000.p/1", 0), Err(WriteError::RootMismatch));
    let path = "tile/entries/001.p/44".to_owned();
    assert_eq!(
        changed(&path, 2),
        Err(WriteError::BundleMismatch { path: path.clone() })
    );
    let mut files = files.clone();
    files.get_mut(&path).expect("a file").pop();
    let error = TileError::Truncated(43);
    assert_eq!(
        restore(&files),
        Err(WriteError::Read(ReadError::Malformed { path, error }))
    );
    let head = TreeHead {
        size: 1 << 63,
        root: signed.head().root,
    };
    let range = MerkleError::SizeOutOfRange(1 << 63);
    assert!(matches!(
        LogWriter::restore(&files, &head),
        Err(WriteError::Read(_) | WriteError::Full(_))
    ));
    assert_eq!(TileTree::new(&files, 1 << 63).err(), Some(range));
}

#[test]
fn an_entry_that_is_too_long_changes_nothing() {
    let (mut writer, mut files) = (LogWriter::new(), Files::new());
    grow(&mut writer, &mut files, 5);
    let head = writer.head();
    let long = vec![0; MAX_ENTRY_LEN + 1];
    assert_eq!(
        writer.append(&long),
        Err(WriteError::EntryTooLong(MAX_ENTRY_LEN + 1))
    );
    assert_eq!((writer.head(), writer.take_files().len()), (head, 0));
    assert_eq!(writer.append(&long[1..]), Ok(5));
}

#[test]
fn every_node_and_no_other_is_read_from_tiles() {
    let size = 66_000;
    let (files, _) = log_of(size);
    let tree = TileTree::new(&files, size).expect("in range");
    let leaves: Vec<Digest> = (0..size).map(|index| leaf_hash(&entry(index))).collect();
    for level in 0..17 {
        for index in [0, 1, 2, 255, (size >> level) - 1]
            .into_iter()
            .filter(|i| *i < size >> level)
        {
            let mut edge = Frontier::new();
            let range = (index << level) as usize..((index + 1) << level) as usize;
            leaves[range]
                .iter()
                .try_for_each(|leaf| edge.push(*leaf))
                .expect("in range");
            assert_eq!(
                tree.node(level, index),
                Ok(edge.root()),
                "level {level} index {index}"
            );
        }
        let index = size >> level;
        let outside = ReadError::Merkle(MerkleError::IndexOutOfRange { index, size });
        assert_eq!(tree.node(level, index), Err(outside), "level {level}");
    }
    assert!(
        tree.node(64, 0).is_err() && tree.node(255, 1).is_err() && tree.node(0, u64::MAX).is_err()
    );
}

#[test]
fn missing_and_short_tiles_are_named() {
    let (mut files, _) = log_of(600);
    let proof =
        |files: &Files| inclusion_proof(&TileTree::new(files, 600).expect("range"), 300, 600);
    let whole = proof(&files).expect("tiles are there");
    // Deleting a partial tile is fine if a full one stands in for it, and only then.
    let path = "tile/0/002.p/88".to_owned();
    let partial = files.remove(&path).expect("a file");
    assert_eq!(
        proof(&files),
        Err(ReadError::Missing { path: path.clone() })
    );
    let mut full = partial.clone();
    full.resize(8192, 0xaa);
    files.insert("tile/0/002".into(), full);
    assert_eq!(proof(&files), Ok(whole));
    files.insert(path.clone(), partial[1..].to_vec());
    let error = TileError::TileLength {
        expected: 2816,
        found: 2815,
    };
    assert_eq!(proof(&files), Err(ReadError::Malformed { path, error }));
}

#[test]
fn damaged_bundles_do_not_panic() {
    let (files, _) = log_of(256);
    let bundle = &files["tile/entries/000"];
    for width in [0u8, 9, 254, 255] {
        let mut data = [&[width], bundle.as_slice()].concat();
        fuzz_bundle(&data);
        for at in (1..data.len()).step_by(7) {
            data[at] ^= 0xff;
            fuzz_bundle(&data);
            fuzz_bundle(&data[..at]);
        }
    }
    fuzz_bundle(&[]);
}
