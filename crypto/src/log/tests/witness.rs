//! The witness's decision, one test per status of c2sp.org/tlog-witness.

use super::{Files, grow, log_verifier, signed};
use crate::keys::SigningKey;
use crate::log::checkpoint::SignedCheckpoint;
use crate::log::fuzz::fuzz_proof;
use crate::log::merkle::{MerkleError, TreeHead, consistency_proof};
use crate::log::reader::TileTree;
use crate::log::witness::*;
use crate::log::writer::LogWriter;

struct History {
    files: Files,
    heads: Vec<TreeHead>,
}

fn history(sizes: &[u64]) -> History {
    let (mut writer, mut files, mut heads) = (LogWriter::new(), Files::new(), Vec::new());
    for size in sizes {
        grow(&mut writer, &mut files, *size);
        heads.push(writer.head());
    }
    History { files, heads }
}

impl History {
    fn request(&self, old: u64, new: &TreeHead) -> AddCheckpoint {
        let last = self.heads.last().expect("heads").size;
        let tree = TileTree::new(&self.files, last).expect("in range");
        let proof = consistency_proof(&tree, old, new.size).expect("tiles are there");
        AddCheckpoint {
            old,
            proof,
            checkpoint: signed(*new),
        }
    }
}

#[test]
fn consistent_growth_is_cosigned_from_nothing_on() {
    let log = history(&[3, 300, 300, 70_000]);
    let mut held = None;
    for head in &log.heads {
        let old = held.map_or(0, |held: TreeHead| held.size);
        let request = log.request(old, head);
        assert_eq!(AddCheckpoint::parse(&request.encode()), Ok(request.clone()));
        assert_eq!(
            decide(&request, Some(&log_verifier()), held.as_ref()),
            Ok(*head)
        );
        held = Some(*head);
    }
}

#[test]
fn every_refusal_has_its_status() {
    let log = history(&[3, 300]);
    let (small, large) = (log.heads[0], log.heads[1]);
    let key = log_verifier();
    let request = log.request(3, &large);
    let refused =
        |request: &AddCheckpoint, held| decide(request, Some(&key), held).expect_err("refused");
    assert_eq!(decide(&request, None, None), Err(Refusal::UnknownOrigin));
    let forged = request
        .checkpoint
        .checkpoint()
        .clone()
        .sign(&SigningKey::from_seed(&[9; 32]));
    let unsigned = AddCheckpoint {
        checkpoint: forged,
        ..request.clone()
    };
    assert_eq!(refused(&unsigned, Some(&small)).status(), 403);
    let shrunk = AddCheckpoint {
        old: 300,
        proof: vec![],
        checkpoint: signed(small),
    };
    assert_eq!(
        refused(&shrunk, Some(&large)),
        Refusal::OldSize { old: 300, new: 3 }
    );
    assert_eq!(
        refused(&request, Some(&large)),
        Refusal::Conflict { held: 300 }
    );
    assert_eq!(refused(&request, None), Refusal::Conflict { held: 0 });
    let fork = TreeHead {
        size: 300,
        root: small.root,
    };
    let same_size = AddCheckpoint {
        old: 300,
        proof: vec![],
        checkpoint: signed(fork),
    };
    assert_eq!(
        refused(&same_size, Some(&large)),
        Refusal::Conflict { held: 300 }
    );
    let fork = AddCheckpoint {
        checkpoint: signed(fork),
        ..request.clone()
    };
    assert_eq!(
        refused(&fork, Some(&small)),
        Refusal::Inconsistent(MerkleError::RootMismatch)
    );
    let other = TreeHead {
        size: 3,
        root: large.root,
    };
    let rewritten = Refusal::Inconsistent(MerkleError::OldRootMismatch);
    assert_eq!(refused(&request, Some(&other)), rewritten);
    let statuses = [
        Refusal::UnknownOrigin.status(),
        Refusal::Conflict { held: 0 }.status(),
    ];
    assert_eq!(statuses, [404, 409]);
    assert_eq!(
        (rewritten.status(), refused(&shrunk, Some(&large)).status()),
        (422, 400)
    );
}

#[test]
fn the_specifications_example_request_is_read() {
    // c2sp.org/tlog-witness, section add-checkpoint.
    let body = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\n\
        example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhc\
        yv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/\
        V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";
    let request = AddCheckpoint::parse(body.as_bytes()).expect("the example");
    assert_eq!((request.old, request.proof.len()), (20_852_014, 4));
    assert_eq!(request.encode(), body.as_bytes());
}

#[test]
fn malformed_requests_have_exact_errors() {
    let body = history(&[3, 300])
        .request(3, &history(&[300]).heads[0])
        .encode();
    let text = String::from_utf8(body.clone()).expect("text");
    let parse = |text: &str| AddCheckpoint::parse(text.as_bytes()).map(|_| ());
    for old in [
        "old 03\n", "old -3\n", "old  3\n", "Old 3\n", "3\n", "old 3 \n",
    ] {
        assert_eq!(
            parse(&text.replacen("old 3\n", old, 1)),
            Err(RequestError::Old),
            "{old}"
        );
    }
    assert_eq!(parse("old 3\n"), Err(RequestError::NoCheckpoint));
    assert_eq!(
        parse(&text.replacen('\n', "\nAAAA\n", 1)),
        Err(RequestError::Hash(0))
    );
    let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n".repeat(64);
    let long = text.replacen('\n', &format!("\n{hash}"), 1);
    assert_eq!(parse(&long), Err(RequestError::ProofTooLong));
    let huge = vec![b'a'; MAX_REQUEST_LEN + 1];
    assert_eq!(
        AddCheckpoint::parse(&huge).map(|_| ()),
        Err(RequestError::TooLong)
    );
    for at in 0..body.len() {
        let mut body = body.clone();
        body[at] ^= 0x10;
        fuzz_proof(&body);
    }
    assert!(SignedCheckpoint::parse(&body).is_err());
}

#[test]
fn conflict_bodies() {
    assert_eq!(parse_conflict(conflict_body(50).as_bytes()), Ok(50));
    for bad in ["", "50", "\n", "050\n", "50\n\n", "-1\n"] {
        assert_eq!(
            parse_conflict(bad.as_bytes()),
            Err(RequestError::Old),
            "{bad:?}"
        );
    }
}
