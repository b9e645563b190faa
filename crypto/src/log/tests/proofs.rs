//! `.tlog-proof` files. The specification's example elides its signatures, so there is no whole
//! published file; `public.rs` makes one from a public log, and `tlog-scales` reads our files in
//! the integration tests.

use super::{Files, cosigned, entry, log_of, log_verifier, three_of_four};
use crate::digest::Digest;
use crate::log::checkpoint::CheckpointError;
use crate::log::fuzz::fuzz_proof;
use crate::log::merkle::{
    HashReader, MerkleError, TreeHead, inclusion_proof, leaf_hash, node_hash, tree_root,
};
use crate::log::proof::*;
use crate::note::NoteError;

fn proof_of(size: u64, index: u64) -> (Files, LogProof) {
    let (files, signed) = log_of(size);
    let signed = cosigned(*signed.head(), [0, 1, 2]);
    let proof = LogProof::make(&files, size, index, signed).expect("tiles are there");
    (files, proof)
}

#[test]
fn every_entry_of_a_log_is_proved() {
    for index in [0, 1, 255, 256, 599] {
        let (_, proof) = proof_of(600, index);
        let read = LogProof::parse(&proof.encode()).expect("our own file");
        assert_eq!(read, proof);
        let verdict = read.verify(&entry(index), &log_verifier(), &three_of_four());
        assert!(verdict.holds(), "{verdict}");
    }
    let (_, proof) = proof_of(1, 0);
    assert!(
        proof
            .verify(&entry(0), &log_verifier(), &three_of_four())
            .holds()
    );
}

#[test]
fn a_proof_for_an_earlier_checkpoint_comes_from_later_tiles() {
    let (files, _) = log_of(1_000);
    let (_, earlier) = log_of(300);
    let signed = cosigned(*earlier.head(), [1, 2, 3]);
    let proof = LogProof::make(&files, 1_000, 299, signed.clone()).expect("tiles are there");
    assert!(
        proof
            .verify(&entry(299), &log_verifier(), &three_of_four())
            .holds()
    );
    let range = MerkleError::IndexOutOfRange {
        index: 300,
        size: 300,
    };
    assert_eq!(
        LogProof::make(&files, 1_000, 300, signed),
        Err(range.into())
    );
}

#[test]
fn each_check_fails_alone_and_says_so() {
    let (_, proof) = proof_of(600, 300);
    let verify =
        |proof: &LogProof, entry: &[u8]| proof.verify(entry, &log_verifier(), &three_of_four());
    let other = verify(&proof, &entry(301));
    assert_eq!(other.included, Err(MerkleError::RootMismatch));
    assert!(!other.holds() && other.signed.is_ok() && other.witnessed.is_ok());
    let moved = verify(
        &LogProof {
            index: 301,
            ..proof.clone()
        },
        &entry(300),
    );
    assert_eq!(moved.included, Err(MerkleError::RootMismatch));
    let beyond = verify(
        &LogProof {
            index: 600,
            ..proof.clone()
        },
        &entry(300),
    );
    assert_eq!(
        beyond.included,
        Err(MerkleError::IndexOutOfRange {
            index: 600,
            size: 600
        })
    );
    let few = LogProof {
        checkpoint: cosigned(*proof.checkpoint.head(), [0, 3]),
        ..proof.clone()
    };
    let few = verify(&few, &entry(300));
    assert!(!few.holds() && few.included.is_ok() && few.signed.is_ok());
    assert_eq!(
        few.to_string(),
        "signed by the log: yes, at size 600\n\
        entry in the log: yes, at index 300\n\
        witnessed by a quorum: NO: [w0, w3]\n  \
        all-witnesses has 2 of 3 needed; absent: w1, w2\n"
    );
    let impostor = crate::keys::SigningKey::from_seed(&[8; 32]);
    let forged = proof.checkpoint.checkpoint().clone().sign(&impostor);
    let forged = verify(
        &LogProof {
            checkpoint: forged,
            ..proof
        },
        &entry(300),
    );
    let unsigned = CheckpointError::Note(NoteError::NoTrustedSignature);
    assert_eq!((forged.holds(), forged.signed), (false, Err(unsigned)));
}

#[test]
fn extra_data_is_carried_and_not_trusted() {
    let (_, mut proof) = proof_of(10, 4);
    proof.extra = Some(b"context".to_vec());
    let bytes = proof.encode();
    assert!(bytes.starts_with(b"c2sp.org/tlog-proof@v1\nextra Y29udGV4dA==\nindex 4\n"));
    assert_eq!(LogProof::parse(&bytes).as_ref(), Ok(&proof));
    assert!(
        proof
            .verify(&entry(4), &log_verifier(), &three_of_four())
            .holds()
    );
}

#[test]
fn malformed_proofs_have_exact_errors() {
    let (_, proof) = proof_of(10, 4);
    let text = String::from_utf8(proof.encode()).expect("text");
    let parse = |text: &str| LogProof::parse(text.as_bytes()).map(|_| ());
    let with = |from: &str, to: &str| parse(&text.replacen(from, to, 1));
    assert_eq!(with("@v1", "@v2"), Err(ProofError::Format));
    assert_eq!(parse(""), Err(ProofError::Format));
    for index in [
        "index 04", "index  4", "index", "Index 4", "index -4", "index 4 ",
    ] {
        assert_eq!(with("index 4", index), Err(ProofError::Index), "{index}");
    }
    for extra in ["extra ", "extra AAA", "extra AAB="] {
        assert_eq!(
            with("index", &format!("{extra}\nindex")),
            Err(ProofError::Extra),
            "{extra}"
        );
    }
    assert_eq!(
        with("index 4\n", "index 4\nAAAA\n"),
        Err(ProofError::Hash(0))
    );
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".repeat(64);
    assert_eq!(
        with("index 4\n", &format!("index 4\n{hash}")),
        Err(ProofError::PathTooLong)
    );
    assert_eq!(
        parse("c2sp.org/tlog-proof@v1\nindex 4\n"),
        Err(ProofError::NoCheckpoint)
    );
    assert_eq!(
        with("\n10\n", "\n010\n"),
        Err(ProofError::Checkpoint(CheckpointError::Size))
    );
    let long = vec![b'a'; MAX_FILE_LEN + 1];
    assert_eq!(LogProof::parse(&long).map(|_| ()), Err(ProofError::TooLong));
}

#[test]
fn no_byte_of_a_proof_can_change_unnoticed() {
    let (_, proof) = proof_of(10, 4);
    let bytes = proof.encode();
    for at in 0..bytes.len() {
        for change in [0x01, 0x20, 0x80] {
            let mut bytes = bytes.clone();
            bytes[at] ^= change;
            fuzz_proof(&bytes);
            let Ok(changed) = LogProof::parse(&bytes) else {
                continue;
            };
            let verdict = changed.verify(&entry(4), &log_verifier(), &three_of_four());
            // A changed name or key ID makes a witness a stranger: with 3 of 4 needed and three
            // there, every one counts.
            assert!(!verdict.holds(), "byte {at} ^ {change:#x}");
        }
    }
}

/// A tree whose entries are all the same: every subtree of a level has one hash.
struct Alike([Digest; 64]);

impl HashReader for Alike {
    type Error = MerkleError;

    fn node(&self, level: u8, _: u64) -> Result<Digest, MerkleError> {
        Ok(self.0[usize::from(level)])
    }
}

#[test]
fn a_proof_of_one_entry_of_ten_million_has_two_kilobytes() {
    const SIZE: u64 = 10_000_000;
    const MAX: usize = 2_048;
    let mut hashes = [leaf_hash(b"entry"); 64];
    for level in 1..64 {
        hashes[level] = node_hash(&hashes[level - 1], &hashes[level - 1]);
    }
    let tree = Alike(hashes);
    let root = tree_root(&tree, SIZE).expect("in range");
    let head = TreeHead { size: SIZE, root };
    // Every witness that there is cosigned, one more than a quorum needs.
    let checkpoint = cosigned(head, [0, 1, 2, 3]);
    let mut longest = 0;
    for index in [0, 1, SIZE / 2, (1 << 23) - 1, 1 << 23, SIZE - 1] {
        let proof = LogProof {
            extra: None,
            index,
            path: inclusion_proof(&tree, index, SIZE).expect("in range"),
            checkpoint: checkpoint.clone(),
        };
        let verdict = proof.verify(b"entry", &log_verifier(), &three_of_four());
        assert!(verdict.holds(), "{verdict}");
        longest = longest.max(proof.path.len());
        let bytes = proof.encode();
        assert!(bytes.len() <= MAX, "{} bytes at {index}", bytes.len());
    }
    assert_eq!(longest, 24, "no path in such a tree is longer");
}
