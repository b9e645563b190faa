//! Hashes and proofs: the Certificate Transparency reference vectors, and `ct-merkle`.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::Sha256;

use super::entry;
use crate::digest::Digest;
use crate::log::merkle::*;

/// Leaves, roots and proofs of `testonly/` in github.com/transparency-dev/merkle (which took them
/// from the Certificate Transparency reference implementation of RFC 6962).
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(text: &str) -> Digest {
    Digest::from_hex(text).expect("hexadecimal")
}

fn vector_leaves() -> Vec<Digest> {
    LEAVES
        .iter()
        .map(|leaf| leaf_hash(&hex::decode(leaf).expect("hexadecimal")))
        .collect()
}

#[test]
fn roots_of_the_reference_vectors() {
    let leaves = vector_leaves();
    let mut frontier = Frontier::new();
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!(frontier.root(), hex(root), "size {size}");
        assert_eq!(tree_root(leaves.as_slice(), size as u64), Ok(hex(root)));
        if let Some(leaf) = leaves.get(size) {
            assert_eq!(frontier.push(*leaf), Ok(()));
        }
    }
}

#[test]
fn proofs_of_the_reference_vectors() {
    let leaves = vector_leaves();
    let inclusion = inclusion_proof(leaves.as_slice(), 5, 8);
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(inclusion, Ok(expected.map(hex).to_vec()));
    let inclusion = inclusion_proof(leaves.as_slice(), 2, 3);
    assert_eq!(inclusion, Ok(vec![hex(ROOTS[2])]));
    let consistency = consistency_proof(leaves.as_slice(), 6, 8);
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(consistency, Ok(expected.map(hex).to_vec()));
    let consistency = consistency_proof(leaves.as_slice(), 2, 5);
    let expected = [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ];
    assert_eq!(consistency, Ok(expected.map(hex).to_vec()));
}

fn bytes(proof: &[Digest]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// Every index and every pair of sizes up to here.
const SIZES: u64 = 131;

#[test]
fn every_proof_equals_ct_merkle_and_no_damaged_one_passes() {
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut frontier = Frontier::new();
    let (mut leaves, mut heads) = (Vec::new(), vec![frontier.head()]);
    for size in 1..=SIZES {
        tree.push(entry(size - 1));
        leaves.push(leaf_hash(&entry(size - 1)));
        assert_eq!(frontier.push(leaves[size as usize - 1]), Ok(()));
        let new = frontier.head();
        assert_eq!(
            new.root.as_bytes()[..],
            tree.root().as_bytes()[..],
            "root at {size}"
        );
        for index in 0..size {
            let proof = inclusion_proof(leaves.as_slice(), index, size).expect("in range");
            let theirs = tree.prove_inclusion(index as usize);
            assert_eq!(
                bytes(&proof),
                theirs.as_bytes(),
                "inclusion of {index} in {size}"
            );
            let leaf = leaves[index as usize];
            let check = |at, proof: &[Digest]| verify_inclusion(&leaf, at, size, proof, &new.root);
            assert_eq!(check(index, &proof), Ok(()));
            damage(&proof, |bad| assert!(check(index, bad).is_err()));
            if size < 20 {
                for other in (0..size).filter(|other| *other != index) {
                    assert!(
                        check(other, &proof).is_err(),
                        "{index} as {other} in {size}"
                    );
                }
            }
        }
        for old in heads.iter().filter(|head| head.size > 0) {
            let proof = consistency_proof(leaves.as_slice(), old.size, size).expect("in range");
            let theirs = tree.prove_consistency((size - old.size) as usize);
            assert_eq!(
                bytes(&proof),
                theirs.as_bytes(),
                "consistency of {} in {size}",
                old.size
            );
            assert_eq!(verify_consistency(old, &new, &proof), Ok(()));
            damage(&proof, |bad| {
                assert!(verify_consistency(old, &new, bad).is_err())
            });
            let forged = TreeHead {
                root: leaves[0],
                ..*old
            };
            if old.size > 1 {
                let refused = Err(MerkleError::OldRootMismatch);
                let power = old.size.is_power_of_two();
                let got = verify_consistency(&forged, &new, &proof);
                assert!(
                    got == refused || (power && got.is_err()),
                    "{} {size}",
                    old.size
                );
            }
        }
        heads.push(new);
    }
}

/// Calls `refused` with the proof one hash short, one too long, and with one bit flipped.
fn damage(proof: &[Digest], refused: impl Fn(&[Digest])) {
    let mut bad = proof.to_vec();
    bad.push(empty_root());
    refused(&bad);
    let Some(last) = proof.len().checked_sub(1) else {
        return;
    };
    refused(&proof[..last]);
    for at in [0, last / 2, last] {
        let mut bad = proof.to_vec();
        bad[at].0[at % 32] ^= 0x40;
        refused(&bad);
    }
}

#[test]
fn questions_that_make_no_sense_have_their_own_errors() {
    let leaves = vector_leaves();
    let reader = leaves.as_slice();
    let range = MerkleError::IndexOutOfRange { index: 8, size: 8 };
    assert_eq!(inclusion_proof(reader, 8, 8), Err(range));
    assert_eq!(
        inclusion_proof(reader, 0, 0),
        Err(MerkleError::IndexOutOfRange { index: 0, size: 0 })
    );
    let order = MerkleError::SizeOrder { old: 8, new: 7 };
    assert_eq!(consistency_proof(reader, 8, 7), Err(order));
    let head = |size, root| TreeHead { size, root };
    let (empty, full) = (head(0, empty_root()), head(8, hex(ROOTS[8])));
    assert_eq!(verify_consistency(&empty, &full, &[]), Ok(()));
    assert_eq!(verify_consistency(&full, &full, &[]), Ok(()));
    let length = MerkleError::ProofLength {
        expected: 0,
        found: 1,
    };
    assert_eq!(verify_consistency(&full, &full, &leaves[..1]), Err(length));
    assert_eq!(verify_consistency(&empty, &full, &leaves[..1]), Err(length));
    let forged = head(0, leaves[0]);
    assert_eq!(
        verify_consistency(&forged, &full, &[]),
        Err(MerkleError::OldRootMismatch)
    );
    let forged = head(8, leaves[0]);
    assert_eq!(
        verify_consistency(&full, &forged, &[]),
        Err(MerkleError::RootMismatch)
    );
    let huge = MerkleError::SizeOutOfRange(1 << 63);
    assert_eq!(tree_root(reader, 1 << 63), Err(huge));
    assert_eq!(
        verify_inclusion(&leaves[0], 0, 1 << 63, &[], &full.root),
        Err(huge)
    );
    assert_eq!(Frontier::from_nodes(1 << 63, vec![]), Err(huge));
    let nodes = MerkleError::ProofLength {
        expected: 2,
        found: 1,
    };
    assert_eq!(Frontier::from_nodes(3, leaves[..1].to_vec()), Err(nodes));
}

#[test]
fn the_largest_tree_is_full() {
    let nodes = vec![empty_root(); 63];
    let mut frontier = Frontier::from_nodes(MAX_TREE_SIZE, nodes).expect("63 bits");
    let before = frontier.clone();
    assert_eq!(
        frontier.push(empty_root()),
        Err(MerkleError::SizeOutOfRange(1 << 63))
    );
    assert_eq!(frontier, before);
}

#[test]
fn an_edge_read_back_is_the_edge() {
    let leaves: Vec<Digest> = (0..77).map(|i| leaf_hash(&entry(i))).collect();
    let mut frontier = Frontier::new();
    for leaf in &leaves {
        assert_eq!(frontier.push(*leaf), Ok(()));
    }
    assert_eq!(
        Frontier::read(leaves.as_slice(), 77).as_ref(),
        Ok(&frontier)
    );
    assert_eq!(
        Frontier::from_nodes(77, frontier.nodes().to_vec()),
        Ok(frontier)
    );
}
