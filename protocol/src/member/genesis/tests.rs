//! A genesis is signed by exactly its council, and a minority never decides.

use super::*;
use crate::member::credential::tests::key;
use crate::member::issue::Paper;

/// A genesis of a council with these keys.
pub(crate) fn genesis(threshold: usize, keys: &[u8]) -> Genesis {
    let member = |number: &u8| CouncilMember {
        organisation: format!("Hospital {number}"),
        country: "DE".to_owned(),
        key: key(*number).verifying_key(),
    };
    let mut council: Vec<CouncilMember> = keys.iter().map(member).collect();
    council.sort_by_key(|member| member.key);
    Genesis {
        name: "Reading Network".to_owned(),
        threshold,
        council,
        created: 1,
    }
}

/// Its envelope, signed by these keys.
pub(crate) fn signed(genesis: &Genesis, keys: &[u8]) -> Vec<u8> {
    let keys: Vec<_> = keys.iter().map(|number| key(*number)).collect();
    Paper::Genesis(genesis.clone())
        .sign(&keys.iter().collect::<Vec<_>>())
        .unwrap()
}

#[test]
fn all_founders_sign_and_nobody_else() {
    let founded = genesis(2, &[101, 102, 103]);
    let envelope = signed(&founded, &[101, 102, 103]);
    let (opened, hash) = Genesis::open(&envelope).unwrap();
    assert_eq!(
        (opened.clone(), hash),
        (founded.clone(), Digest::sha256(&envelope))
    );
    assert_eq!(Genesis::open_pinned(&envelope, &hash), Ok(opened));
    let other = Digest::sha256(b"other");
    assert_eq!(
        Genesis::open_pinned(&envelope, &other),
        Err(GenesisError::NotPinned {
            found: hash,
            pinned: other
        })
    );
    for (signers, signed_count) in [
        (&[101_u8, 102][..], 2),
        (&[101, 102, 103, 104], 3),
        (&[104], 0),
    ] {
        let refused = Genesis::open(&signed(&founded, signers));
        let error = GenesisError::Founders {
            signed: signed_count,
            members: 3,
        };
        assert_eq!(refused, Err(error));
    }
}

#[test]
fn a_paper_of_another_type_is_no_genesis() {
    let payload = genesis(1, &[101]).encode();
    let envelope = Envelope::sign("application/x", payload, &[&key(101)])
        .unwrap()
        .encode();
    assert_eq!(
        Genesis::open(&envelope),
        Err(GenesisError::Envelope(EnvelopeError::WrongType))
    );
}

#[test]
fn a_threshold_is_a_majority() {
    for (members, threshold, fits) in [
        (1, 1, true),
        (1, 0, false),
        (1, 2, false),
        (2, 1, false),
        (2, 2, true),
        (3, 1, false),
        (3, 2, true),
        (4, 2, false),
        (4, 3, true),
        (16, 9, true),
        (16, usize::MAX, false),
    ] {
        let keys: Vec<u8> = (101..101 + members as u8).collect();
        let expected = match fits {
            true => Ok(()),
            false => Err(GenesisError::Threshold { threshold, members }),
        };
        assert_eq!(genesis(threshold, &keys).check(), expected);
    }
}

#[test]
fn impossible_content_is_refused() {
    type Change = fn(&mut Genesis);
    let cases: [(Change, GenesisError); 6] = [
        (|g| g.name.clear(), GenesisError::Field("name")),
        (|g| g.council.clear(), GenesisError::CouncilSize(0)),
        (|g| g.council.reverse(), GenesisError::CouncilOrder),
        (
            |g| g.council[1] = g.council[0].clone(),
            GenesisError::CouncilOrder,
        ),
        (
            |g| g.council[0].country = "X".to_owned(),
            GenesisError::Field("country"),
        ),
        (
            |g| g.council[1].organisation = g.council[0].organisation.clone(),
            GenesisError::RepeatedOrganisation,
        ),
    ];
    for (change, error) in cases {
        let mut founded = genesis(2, &[101, 102, 103]);
        change(&mut founded);
        assert_eq!(Genesis::decode(&founded.encode()), Err(error));
    }
    let many: Vec<u8> = (101..118).collect();
    assert_eq!(
        genesis(16, &many).check(),
        Err(GenesisError::CouncilSize(17))
    );
}

#[test]
fn there_is_one_encoding() {
    let bytes = genesis(2, &[101, 102]).encode();
    assert_eq!(Genesis::decode(&bytes), Ok(genesis(2, &[101, 102])));
    let unknown = [bytes.as_slice(), &[0xa2, 0x06, 0x00]].concat();
    assert_eq!(Genesis::decode(&unknown), Err(GenesisError::NotCanonical));
    let newer = [bytes.as_slice(), &[0x08, 0x02]].concat();
    assert_eq!(Genesis::decode(&newer), Err(GenesisError::Version(2)));
    assert_eq!(Genesis::decode(b"\xff"), Err(GenesisError::Malformed));
}
