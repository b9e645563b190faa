//! Each promise of one archive, broken in turn by somebody who holds the keys that they should
//! hold.

use std::collections::BTreeMap;

use super::world::{self, Files, World, header, seal};
use super::*;
use crate::audit::archive::NOTE_PATH;
use crate::audit::entry::EntryError;
use crate::audit::header::{Header, Kind};
use crate::audit::record::{AccessRecord, CaseNote, Record, ReportRecord};
use crate::document::DocumentError;
use crate::document::grant::Grant;
use crate::member::{Credential, MemberError};
use crypto::envelope::{Envelope, EnvelopeError};
use crypto::log::checkpoint::CheckpointError;
use crypto::log::fsck::Problem;
use crypto::log::proof::{LogProof, ProofError};
use crypto::log::quorum::QuorumError;
use crypto::note::NoteError;

pub(super) fn fault(found: &[(Check, String, Fault)], check: Check, file: &str) -> Fault {
    let hit = found.iter().find(|(c, f, _)| *c == check && f == file);
    hit.map(|(_, _, fault)| fault.clone())
        .unwrap_or_else(|| panic!("{found:?}"))
}

/// Replaces a file and signs the list anew: the attacker is the log's own controller.
pub(super) fn with(world: &World, archive: &Files, path: &str, bytes: &[u8]) -> Files {
    let mut changed = archive.clone();
    changed.insert(path.to_owned(), bytes.to_vec());
    seal(&mut changed, &world.hospital);
    changed
}

#[test]
fn a_grant_without_a_receipt_is_a_finding_and_access_to_it_a_failure() {
    let mut world = World::new();
    let granted = world.grant();
    let found = verdict(&[&world.archive(true)]);
    assert!(found.holds());
    let noted = Noted {
        check: Check::Receipts,
        entry: Some(granted.fence),
        remark: Remark::GrantWithoutReceipt,
    };
    assert!(found.archives[0].remarks.contains(&noted));
    let begun = world.begin(true, &granted);
    let archive = world.archive(true);
    let file = "log/tile/entries/000.p/3".to_owned();
    assert_eq!(
        only(&archive),
        (Check::Access, file, Fault::AccessWithoutReceipt)
    );
    assert_eq!(
        verdict(&[&archive]).archives[0].failures[0].entry,
        Some(begun)
    );
}

#[test]
fn bytes_that_moved_without_a_receipt_are_access() {
    let mut world = World::new();
    let granted = world.grant();
    let ended = header(Kind::AccessEnded).with_grant(granted.hash);
    let record = Record::AccessEnded(AccessRecord::default());
    world.append(true, ended.clone(), record.clone());
    assert_eq!(failures(&world.archive(true)), []);
    world.append(true, ended.with_volume(1, 1), record);
    assert_eq!(only(&world.archive(true)).2, Fault::AccessWithoutReceipt);
    // Of a grant that the log does not hold.
    let signed = header(Kind::ReportSigned).with_grant(Digest::sha256(b"another"));
    let mut world = World::new();
    world.append(true, signed, Record::ReportSigned(ReportRecord::default()));
    assert_eq!(only(&world.archive(true)).2, Fault::UnknownGrant);
}

#[test]
fn a_receipt_must_be_of_its_grant_and_by_its_person() {
    let mut world = World::new();
    let (one, two) = (world.grant(), world.grant());
    let accepted = world.accept(&one);
    // Of another grant, and of an entry of the reader's log that accepted another one.
    world.receipt_as(&two, &world::receipt(&one, accepted), 22);
    let found = failures(&world.archive(true));
    assert_eq!(
        fault(&found, Check::Receipts, "receipts/3.env"),
        Fault::Mismatch("grant")
    );
    let entry = fault(&found, Check::Receipts, "receipts/3.entry");
    assert_eq!(entry, Fault::Mismatch("grant of the entry"));

    let mut world = World::new();
    let granted = world.grant();
    let accepted = world.accept(&granted);
    world.receipt_as(&granted, &world::receipt(&granted, accepted), 23);
    let person = world::key(22).verifying_key();
    let source = EnvelopeError::NotSignedBy(person);
    let document = Fault::Document(DocumentError::Envelope {
        what: "receipt",
        source,
    });
    let archive = world.archive(true);
    assert_eq!(
        only(&archive),
        (Check::Receipts, "receipts/2.env".to_owned(), document)
    );
}

#[test]
fn a_receipt_of_no_grant_is_counted() {
    let mut world = World::new();
    let granted = world.grant();
    let accepted = world.accept(&granted);
    let mut other = granted.clone();
    other.hash = Digest::sha256(b"never granted");
    world.receipt_as(&other, &world::receipt(&granted, accepted), 22);
    let found = verdict(&[&world.archive(true)]);
    assert_eq!(found.archives[0].counts.receipts_without_grant, 1);
    let faults = faults_of(&found.archives[0]);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].2, Fault::UnknownGrant);
}

#[test]
fn a_grant_must_name_its_place_its_log_and_its_reader() {
    let good = world::grant(1);
    let mutated: [(Grant, Fault); 7] = [
        (
            Grant {
                fence: 2,
                ..good.clone()
            },
            Fault::Mismatch("fence"),
        ),
        (
            Grant {
                log_origin: "x".into(),
                ..good.clone()
            },
            Fault::Mismatch("log of the owner"),
        ),
        (
            Grant {
                credential: 3,
                ..good.clone()
            },
            Fault::NoCredential("reader"),
        ),
        (
            Grant {
                person: vec![1; 32],
                ..good.clone()
            },
            Fault::Mismatch("person"),
        ),
        (
            Grant {
                node: vec![1; 32],
                ..good.clone()
            },
            Fault::Mismatch("desk"),
        ),
        (
            Grant {
                owner: good.node.clone(),
                ..good.clone()
            },
            Fault::NoCredential("owner"),
        ),
        (
            Grant {
                version: 2,
                ..good.clone()
            },
            Fault::Document(DocumentError::Version("grant", 2)),
        ),
    ];
    for (grant, expected) in mutated {
        let mut world = World::new();
        world.grant_as(&grant, world::HOSPITAL_GRANTS);
        let found = only(&world.archive(true));
        assert_eq!(found, (Check::Grants, "grants/1.env".to_owned(), expected));
    }
}

#[test]
fn a_grant_needs_a_rule_and_the_hospitals_signature() {
    let good = world::grant(1);
    let mut world = World::new();
    world.grant_as(
        &Grant {
            rules: Vec::new(),
            ..good.clone()
        },
        world::HOSPITAL_GRANTS,
    );
    assert_eq!(only(&world.archive(true)).2, Fault::NoRule);

    let mut world = World::new();
    world.grant_as(&good, 10);
    let source = EnvelopeError::NotSignedBy(world::key(world::HOSPITAL_GRANTS).verifying_key());
    let unsigned = Fault::Document(DocumentError::Envelope {
        what: "grant",
        source,
    });
    assert_eq!(only(&world.archive(true)).2, unsigned);
}

#[test]
fn the_header_says_what_the_grant_says() {
    let mut world = World::new();
    let granted = world.grant();
    let Some(Record::ReleaseGranted(record)) = world.hospital.records.pop() else {
        panic!()
    };
    let mut world = World::new();
    let header = Header {
        rules: vec!["another".to_owned()],
        to_country: "FR".to_owned(),
        ..header(Kind::ReleaseGranted).with_grant(granted.hash)
    };
    world.append(true, header, Record::ReleaseGranted(record));
    let faults: Vec<Fault> = failures(&world.archive(true))
        .into_iter()
        .map(|f| f.2)
        .collect();
    let expected = [
        "policy hash",
        "list of rules",
        "country of the data",
        "country of the desk",
        "volume in bytes",
        "volume in instances",
    ];
    assert_eq!(faults, expected.map(Fault::Mismatch));
    // The reader's archive alone shows it too, by what it keeps of the owner's log.
    world.accept(&granted);
    let found = failures(&world.archive(false));
    let named = |what| {
        (
            Check::Peers,
            "peer/1.entry".to_owned(),
            Fault::Mismatch(what),
        )
    };
    assert_eq!(found, expected.map(named));
}

#[test]
fn the_volume_logged_is_that_of_the_release() {
    let (bytes, objects) = world::VOLUME;
    for (volume, what) in [
        ((bytes * 2, objects), "volume in bytes"),
        ((0, objects), "volume in bytes"),
        ((bytes, objects * 2), "volume in instances"),
        ((bytes, 0), "volume in instances"),
    ] {
        let mut world = World::new();
        world.volume = volume;
        let granted = world.grant();
        world.accept(&granted);
        // In the owner's log, and in what the reader keeps of it.
        let expected = Fault::Mismatch(what);
        let owner = world.archive(true);
        let found = only(&owner);
        assert_eq!(
            found,
            (Check::Grants, "grants/1.env".to_owned(), expected.clone())
        );
        assert_eq!(verdict(&[&owner]).archives[0].failures[0].entry, Some(1));
        let found = only(&world.archive(false));
        assert_eq!(found, (Check::Peers, "peer/1.entry".to_owned(), expected));
    }
    // Exact counts stay sealed: another number in the same bucket is the same.
    let mut world = World::new();
    world.volume = (bytes + 1, objects + 1);
    world.grant();
    assert_eq!(failures(&world.archive(true)), []);
}

#[test]
fn a_credential_that_had_ended_is_found() {
    let mut world = World::new();
    let hash = Digest::sha256(&world.genesis);
    let ended = Credential {
        not_after: world::START,
        ..world::reader_credential(hash, &world.reader)
    };
    world
        .credentials
        .insert(2, world::credential_envelope(&ended));
    world.grant();
    assert_eq!(only(&world.archive(true)).2, Fault::NoCredential("reader"));
}

#[test]
fn a_credential_needs_its_council() {
    let mut world = World::new();
    world.whole_case();
    let archive = world.archive(true);
    let file = "trust/credentials/2.env";
    let payload = Envelope::decode(&archive[file])
        .expect("an envelope")
        .payload;
    let sign = |keys: &[u8]| {
        let keys: Vec<_> = keys.iter().map(|number| world::key(*number)).collect();
        let by: Vec<_> = keys.iter().collect();
        let envelope = Envelope::sign(crate::member::CREDENTIAL_TYPE, payload.clone(), &by);
        envelope.expect("within bounds").encode()
    };
    for (keys, have) in [(&[1][..], 1), (&[1, 77], 1), (&[77, 78], 0)] {
        let found = failures(&with(&world, &archive, file, &sign(keys)));
        let short = EnvelopeError::Threshold { have, need: 2 };
        let expected = Fault::Member(MemberError::Envelope(short));
        assert_eq!(fault(&found, Check::Credentials, file), expected);
        // What rests on the credential falls with it.
        let grant = fault(&found, Check::Grants, "grants/1.env");
        assert_eq!(grant, Fault::NoCredential("reader"));
    }
    let moved = with(&world, &archive, "trust/credentials/9.env", &archive[file]);
    assert_eq!(only(&moved).2, Fault::OtherSerial(2));
}

#[test]
fn a_log_or_a_witness_without_credential_is_found() {
    let mut world = World::new();
    world.credentials.remove(&1);
    let found = failures(&world.archive(true));
    let origin = world.hospital.name.to_string();
    let unknown = fault(&found, Check::Credentials, "log/checkpoint");
    assert_eq!(unknown, Fault::UnknownLog(origin));

    let mut world = World::new();
    world.credentials.remove(&3);
    let found = only(&world.archive(true));
    assert_eq!(found.2, Fault::UnknownWitness("w1".to_owned()));
}

#[test]
fn a_wrong_witness_makes_no_quorum() {
    let mut world = World::new();
    world.grant();
    // The council signed for a witness that is no member.
    world.quorum = format!("witness w1 {}\nquorum w1\n", world::witness_vkey(32));
    let found = failures(&world.archive(true));
    assert_eq!(found[0].2, Fault::UnknownWitness("w1".to_owned()));
    let short = "w1 has 0 of 1 needed; absent: w1".to_owned();
    let expected = Fault::Shortfall(short);
    assert_eq!(fault(&found, Check::Quorum, "log/checkpoint"), expected);
    assert_eq!(
        fault(&found, Check::Grants, "proofs/1.tlog-proof"),
        expected
    );
}

#[test]
fn a_cosignature_of_another_tree_refuses_the_checkpoint() {
    let mut world = World::new();
    let archive = world.archive(true);
    world.idle(true);
    let lines = |checkpoint: &[u8]| {
        let text = String::from_utf8(checkpoint.to_vec()).expect("text");
        text.lines()
            .map(|line| format!("{line}\n"))
            .collect::<Vec<_>>()
    };
    let mut mixed = lines(&archive["log/checkpoint"]);
    let cosignature = mixed.len() - 1;
    mixed[cosignature] = lines(&world.archive(true)["log/checkpoint"])[cosignature].clone();
    let mut changed = archive;
    changed.insert("log/checkpoint".to_owned(), mixed.concat().into_bytes());
    let witness = world::witness_vkey(world::WITNESS).name().clone();
    let bad = CheckpointError::Note(NoteError::BadSignature(witness));
    let found = fault(&failures(&changed), Check::Quorum, "log/checkpoint");
    assert_eq!(found, Fault::Quorum(QuorumError::Checkpoint(bad)));
}

#[test]
fn reordered_entries_do_not_give_the_old_checkpoint() {
    let mut world = World::new();
    world.whole_case();
    let old = world.archive(true);
    let mut order: Vec<usize> = (0..world.hospital.entries.len()).collect();
    order.swap(2, 3);
    let hospital = &mut world.hospital;
    let taken = (
        hospital.entries.clone(),
        hospital.payloads.clone(),
        hospital.records.clone(),
    );
    hospital.writer = Default::default();
    (hospital.entries, hospital.payloads, hospital.records) = Default::default();
    hospital.files = BTreeMap::new();
    for at in order {
        let (entry, payload) = (taken.0[at].clone(), taken.1[at].clone());
        hospital.push(entry, payload, taken.2[at].clone());
    }
    let mut changed = world.archive(true);
    changed.insert("log/checkpoint".to_owned(), old["log/checkpoint"].clone());
    seal(&mut changed, &world.hospital);
    let found = failures(&changed);
    let tree = found.iter().any(|(check, file, fault)| {
        *check == Check::Tree
            && file == "log/checkpoint"
            && *fault == Fault::Tree(Problem::RootMismatch)
    });
    assert!(tree, "{found:?}");
    // Access stands before its receipt now, and that is found as well.
    assert!(
        found
            .iter()
            .any(|(_, _, fault)| *fault == Fault::AccessWithoutReceipt)
    );
}

#[test]
fn a_log_cut_or_rewritten_after_a_proof_is_found() {
    let mut world = World::new();
    world.whole_case();
    let archive = world.archive(true);
    let file = "proofs/1.tlog-proof";
    let forked = || (Check::Grants, file.to_owned(), Fault::Forked(5));
    // The same grant in a tree that went on otherwise.
    let mut other = World::new();
    other.grant();
    for _ in 0..3 {
        other.idle(true);
    }
    let shown = other.archive(true)[file].clone();
    assert_eq!(only(&with(&world, &archive, file, &shown)), forked());
    // The same log before its tail was cut.
    let mut longer = World::new();
    longer.whole_case();
    longer.idle(true);
    let shown = longer.archive(true)[file].clone();
    assert_eq!(only(&with(&world, &archive, file, &shown)), forked());
}

#[test]
fn notes_and_proofs_with_odd_line_ends_are_refused() {
    let mut world = World::new();
    world.whole_case();
    let archive = world.archive(true);
    for path in ["log/checkpoint", "proofs/1.tlog-proof", "receipts/2.proof"] {
        let text = String::from_utf8(archive[path].clone()).expect("text");
        let padded = format!("{}=\n", text.trim_end());
        for changed in [
            text.replace('\n', "\r\n"),
            format!("{text}\n"),
            text.trim_end().to_owned(),
            padded,
            text.replacen('\n', " \n", 1),
            format!("\u{feff}{text}"),
        ] {
            let found = failures(&with(&world, &archive, path, changed.as_bytes()));
            assert!(
                found.iter().any(|(_, file, _)| file == path),
                "{path} {changed:?}"
            );
        }
    }
    let path = "proofs/1.tlog-proof";
    let mut proof = LogProof::parse(&archive[path]).expect("a proof");
    proof.index = 2;
    let found = only(&with(&world, &archive, path, &proof.encode()));
    assert_eq!(found.2, Fault::Mismatch("index"));
    let found = only(&with(&world, &archive, path, b"c2sp.org/tlog-proof@v2\n"));
    assert_eq!(found.2, Fault::Proof(ProofError::Format));
}

#[test]
fn the_first_entry_starts_the_node_and_entries_are_canonical() {
    let mut world = World::new();
    world.hospital.writer = Default::default();
    world.hospital.entries.clear();
    world.idle(true);
    let found = failures(&world.archive(true));
    assert_eq!(found[0].2, Fault::FirstEntry);

    let mut world = World::new();
    let mut entry = world.hospital.entries[0].clone();
    // A second `version` field: decodes to the same, and is not what is written.
    entry.extend_from_slice(&[8, 1]);
    world
        .hospital
        .push(entry, Vec::new(), Record::CaseClosed(CaseNote::default()));
    let found = only(&world.archive(true));
    assert_eq!(found.2, Fault::Entry(EntryError::NotCanonical));
}

#[test]
fn a_list_of_another_tree_is_refused() {
    let mut world = World::new();
    world.whole_case();
    let mut archive = world.archive(true);
    world.idle(true);
    seal(&mut archive, &world.hospital);
    let other = Fault::OtherTree("nord.example/log at size 5".to_owned());
    assert_eq!(only(&archive), (Check::Note, NOTE_PATH.to_owned(), other));
}
