//! Who gets in, who does not, and that reading order does not decide it.

use super::*;
use crate::member::credential::tests::{at, hospital, key, reader};
use crate::member::genesis::tests::{genesis, signed};
use crate::member::issue::{self, IssueError, Paper};

const DAY: u64 = 24 * 3_600;

/// A roster of a 2 of 3 council with the keys 101, 102, 103.
fn roster() -> Roster {
    let (genesis, hash) =
        Genesis::open(&signed(&genesis(2, &[101, 102, 103]), &[101, 102, 103])).unwrap();
    Roster::new(genesis, hash)
}

/// The credential, for this consortium, signed by these.
fn by(credential: &Credential, signers: &[u8]) -> Vec<u8> {
    let credential = Credential {
        genesis: roster().genesis_hash(),
        ..credential.clone()
    };
    let keys: Vec<_> = signers.iter().map(|number| key(*number)).collect();
    Paper::Credential(Box::new(credential))
        .sign(&keys.iter().collect::<Vec<_>>())
        .unwrap()
}

#[test]
fn enough_of_the_council_admits() {
    let mut roster = roster();
    let envelope = by(&reader(1), &[101, 103]);
    let member = roster.admit(&envelope, at(2 * DAY)).unwrap().clone();
    assert_eq!(member.envelope, envelope);
    assert_eq!(member.digest, Digest::sha256(&envelope));
    let node = reader(1).node;
    assert_eq!(roster.by_node(&node), Some(&member));
    assert_eq!(roster.by_person(&reader(1).person.unwrap()), Some(&member));
    assert_eq!(roster.by_origin("log1.example"), Some(&member));
    assert_eq!(
        roster.by_person(&PersonId::from_bytes(*node.as_bytes())),
        None
    );
    assert_eq!(roster.valid_node(&node, at(2 * DAY)), Ok(&member));
    assert_eq!(
        roster.valid_node(&node, at(0)),
        Err(MemberError::NotYet(node))
    );
    assert_eq!(
        roster.valid_node(&node, at(100 * DAY)),
        Err(MemberError::Expired(node))
    );
    let nobody = hospital(9).node;
    assert_eq!(
        roster.valid_node(&nobody, at(2 * DAY)),
        Err(MemberError::Unknown(nobody))
    );
    assert_eq!(
        roster.valid_kind(&node, MemberKind::Hospital, at(2 * DAY)),
        Err(MemberError::Kind {
            node,
            wanted: "hospital"
        })
    );
}

#[test]
fn too_few_or_strangers_do_not_admit() {
    let mut roster = roster();
    let threshold = |have| EnvelopeError::Threshold { have, need: 2 };
    for (signers, error) in [
        (&[101_u8][..], threshold(1)),
        (&[101, 104], threshold(1)),
        (&[104, 105], threshold(0)),
    ] {
        let refused = roster
            .admit(&by(&reader(1), signers), at(2 * DAY))
            .unwrap_err();
        assert_eq!(refused, MemberError::Envelope(error));
    }
    let mut forged = by(&reader(1), &[101, 102]);
    let place = forged.len() / 2;
    forged[place] ^= 1;
    assert!(roster.admit(&forged, at(2 * DAY)).is_err());
    let other = Paper::Credential(Box::new(reader(1)))
        .sign(&[&key(101), &key(102)])
        .unwrap();
    assert_eq!(
        roster.admit(&other, at(2 * DAY)),
        Err(MemberError::OtherConsortium)
    );
    assert!(roster.is_empty());
}

#[test]
fn a_credential_counts_in_its_time() {
    let mut roster = roster();
    let node = reader(1).node;
    let envelope = by(&reader(1), &[101, 102]);
    assert_eq!(
        roster.admit(&envelope, at(0)),
        Err(MemberError::NotYet(node))
    );
    assert_eq!(
        roster.admit(&envelope, at(100 * DAY)),
        Err(MemberError::Expired(node))
    );
    assert!(roster.admit(&envelope, at(DAY)).is_ok());
}

#[test]
fn the_same_credential_twice_changes_nothing() {
    let mut roster = roster();
    let first = by(&reader(1), &[101, 102]);
    roster.admit(&first, at(2 * DAY)).unwrap();
    // Other signers under the same content: the same credential, kept as it was first seen.
    let again = roster
        .admit(&by(&reader(1), &[102, 103]), at(2 * DAY))
        .unwrap();
    assert_eq!(again.envelope, first);
    let other = Credential {
        serial: 1,
        ..hospital(10)
    };
    assert_eq!(
        roster.admit(&by(&other, &[101, 102]), at(2 * DAY)),
        Err(MemberError::SerialReused(1))
    );
}

#[test]
fn the_newest_wins_in_either_order() {
    let old = by(&reader(1), &[101, 102]);
    let renewed = Credential {
        serial: 50,
        not_before: 3 * DAY,
        ..reader(1)
    };
    let new = by(&renewed, &[101, 102]);
    let mut upward = roster();
    upward.admit(&old, at(4 * DAY)).unwrap();
    assert_eq!(
        upward.admit(&new, at(4 * DAY)).unwrap().credential.serial,
        50
    );
    let mut downward = roster();
    downward.admit(&new, at(4 * DAY)).unwrap();
    let node = renewed.node;
    let superseded = MemberError::Superseded { node, newer: 50 };
    assert_eq!(downward.admit(&old, at(4 * DAY)), Err(superseded.clone()));
    assert_eq!(upward.admit(&old, at(4 * DAY)), Err(superseded));
    assert!(upward.members().eq(downward.members()));
    assert_eq!((upward.len(), downward.len()), (1, 1));
    // A renewal that starts tomorrow does not end what holds today.
    let mut early = roster();
    early.admit(&old, at(2 * DAY)).unwrap();
    assert_eq!(
        early.admit(&new, at(2 * DAY)),
        Err(MemberError::NotYet(node))
    );
    assert!(early.valid_node(&node, at(2 * DAY)).is_ok());
}

#[test]
fn a_renewal_may_change_keys_and_frees_the_old_ones() {
    let mut roster = roster();
    roster
        .admit(&by(&reader(1), &[101, 102]), at(2 * DAY))
        .unwrap();
    let moved = Credential {
        serial: 50,
        log: reader(20).log,
        ..reader(1)
    };
    roster.admit(&by(&moved, &[101, 102]), at(2 * DAY)).unwrap();
    assert_eq!(roster.by_origin("log1.example"), None);
    assert!(roster.by_origin("log20.example").is_some());
    let next = Credential {
        log: reader(1).log,
        ..reader(30)
    };
    assert!(roster.admit(&by(&next, &[101, 102]), at(2 * DAY)).is_ok());
}

#[test]
fn nothing_is_held_twice() {
    let mut roster = roster();
    roster
        .admit(&by(&reader(1), &[101, 102]), at(2 * DAY))
        .unwrap();
    let holder = reader(1).node;
    let taken = |what| Err(MemberError::Taken { what, holder });
    let person = Credential {
        person: reader(1).person,
        ..reader(10)
    };
    assert_eq!(
        roster.admit(&by(&person, &[101, 102]), at(2 * DAY)),
        taken("a key")
    );
    let log = Credential {
        log: reader(1).log,
        ..reader(10)
    };
    assert_eq!(
        roster.admit(&by(&log, &[101, 102]), at(2 * DAY)),
        taken("a key")
    );
    // The same name with a key of its own.
    let origin = Credential {
        log: reader(10).log_key().unwrap().map(|vkey| {
            let name = reader(1).log_key().unwrap().unwrap().name().clone();
            crypto::note::VerifierKey::new(name, vkey.kind(), *vkey.key()).to_string()
        }),
        ..reader(10)
    };
    assert_eq!(
        roster.admit(&by(&origin, &[101, 102]), at(2 * DAY)),
        taken("the log origin")
    );
    assert_eq!(roster.len(), 1);
    // What an expired member held is free.
    let later = Credential {
        not_after: 300 * DAY,
        ..person
    };
    assert!(
        roster
            .admit(&by(&later, &[101, 102]), at(150 * DAY))
            .is_ok()
    );
    assert_eq!(roster.by_node(&holder), None);
    assert_eq!(
        roster
            .by_person(&reader(1).person.unwrap())
            .unwrap()
            .credential
            .node,
        later.node
    );
}

#[test]
fn a_council_key_is_for_the_council() {
    let node = NodeId::from_bytes(*key(103).verifying_key().as_bytes());
    let envelope = by(&Credential { node, ..reader(1) }, &[101, 102]);
    assert_eq!(
        roster().admit(&envelope, at(2 * DAY)),
        Err(MemberError::CouncilKey)
    );
}

#[test]
fn a_paper_collects_signatures_in_any_order() {
    let credential = Credential {
        genesis: roster().genesis_hash(),
        ..reader(1)
    };
    let request = Paper::Credential(Box::new(credential.clone()))
        .request()
        .unwrap();
    assert_eq!(
        issue::read(&request).unwrap(),
        (Paper::Credential(Box::new(credential)), Vec::new())
    );
    let first = issue::add_signature(&request, &key(103)).unwrap();
    let both = issue::add_signature(&first, &key(101)).unwrap();
    assert_eq!(both, by(&reader(1), &[101, 103]));
    let apart = issue::add_signature(&request, &key(101)).unwrap();
    assert_eq!(
        issue::join(&[first.clone(), apart.clone()]),
        Ok(both.clone())
    );
    assert_eq!(
        issue::join(&[request.clone(), both.clone(), apart]),
        Ok(both)
    );
    assert_eq!(
        issue::add_signature(&first, &key(103)),
        Err(IssueError::Envelope(EnvelopeError::SignatureOrder))
    );
    let other = by(&reader(20), &[101]);
    assert_eq!(
        issue::join(&[first.clone(), other]),
        Err(IssueError::Different)
    );
    assert_eq!(issue::join(&[]), Err(IssueError::NotAPaper));
    assert_eq!(
        issue::join(&[request]),
        Err(IssueError::Envelope(EnvelopeError::Unsigned))
    );
    let mut forged = first;
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert!(matches!(
        issue::read(&forged),
        Err(IssueError::Envelope(EnvelopeError::BadSignature(_)))
    ));
}

#[test]
fn only_what_a_council_signs_is_a_paper() {
    assert_eq!(issue::read(b""), Err(IssueError::NotAPaper));
    assert_eq!(issue::read(b"RMR1"), Err(IssueError::NotAPaper));
    assert_eq!(issue::read(b"RMR1\x00\x09abc"), Err(IssueError::NotAPaper));
    assert_eq!(issue::read(b"RMR1\x00\x01aXX"), Err(IssueError::Type));
    let grant = Envelope::sign("application/vnd.radmesh.grant.v1", Vec::new(), &[&key(1)]);
    assert_eq!(issue::read(&grant.unwrap().encode()), Err(IssueError::Type));
    let unfit = Paper::Credential(Box::new(Credential {
        country: String::new(),
        ..reader(1)
    }));
    assert_eq!(
        unfit.request(),
        Err(IssueError::Credential(CredentialError::Field("country")))
    );
}
