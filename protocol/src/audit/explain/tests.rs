//! Releases explained: the same decision, another one, and none for want of what is sealed.

use std::collections::BTreeMap;

use prost::Message as _;

use super::*;
use crate::audit::archive::FileName;
use crate::audit::entry::{Field, Openings};
use crate::audit::header::{Header, Kind, Outcome};
use crate::audit::record::{AccessRecord, Record, ReleaseRecord};
use crate::audit::verify::tests::world::{self, Files, World};
use crate::audit::verify::{Remark, verify};

/// Verifies archives and explains a release of them.
fn explained(
    archives: &[&Files],
    release: Release,
) -> (Verdict, Result<Explanation, ExplainError>) {
    let inputs: Vec<Input<'_>> = archives
        .iter()
        .map(|files| Input {
            label: "archive",
            source: *files,
        })
        .collect();
    let options = Options {
        trust_archive: true,
        ..Options::default()
    };
    let verdict = verify(&inputs, options);
    let explained = explain(&inputs, (&verdict, options), release);
    (verdict, explained)
}

/// The text of an explanation, in one line.
fn words(explanation: &Explanation) -> String {
    let text = describe(explanation);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The hospital's archive with the payloads of these entries disclosed.
fn disclosing(world: &mut World, entries: &[u64]) -> Files {
    let mut files = world.archive(true);
    for index in entries {
        let payload = world.hospital.payloads[*index as usize].clone();
        files.insert(FileName::Opening(*index).to_string(), payload);
    }
    world::seal(&mut files, &world.hospital);
    files
}

/// Ends access in the hospital's log. Gives the index.
fn end(world: &mut World, hash: Digest) -> u64 {
    let header = Header {
        bytes_bucket: 25,
        instances_bucket: 8,
        ..world::header(Kind::AccessEnded).with_grant(hash)
    };
    let record = AccessRecord {
        bytes: 12_345_678,
        objects: 119,
        purged: true,
        ..AccessRecord::default()
    };
    world.append(true, header, Record::AccessEnded(record))
}

#[test]
fn a_whole_case_is_told_and_its_decision_is_the_same() {
    let mut world = World::new();
    let granted = world.whole_case();
    let ended = end(&mut world, granted.hash);
    let hospital = disclosing(&mut world, &[granted.fence, ended]);
    let reader = world.archive(false);
    let (verdict, by_fence) = explained(&[&hospital, &reader], Release::Entry(granted.fence));
    assert!(verdict.accepted());
    let (_, by_hash) = explained(&[&reader, &hospital], Release::Grant(granted.hash));
    let (one, other) = (by_fence.expect("there"), by_hash.expect("there"));
    assert!(one.agrees() && other.agrees());
    let text = words(&one);
    for told in [
        "THE DECISION, MADE AGAIN, IS THE SAME AS LOGGED.",
        "By entry 1 of its log nord.example/log, Nord Hospital granted a release",
        "It was no emergency override.",
        "At 2027-01-15 08:00:03 UTC, by the hospital's clock, which may be off by 0.050 s.",
        "The hospital: Member 1 in DE, by credential 1, which was valid then.",
        "The reader: of Member 2 in DE, by credential 2, valid from",
        "Licensed then, by that credential, in: DE.",
        "The data was in DE and was to be seen from AT: across a border.",
        "Purpose: treatment (TREAT).",
        "Legal basis, as the deciding rules name it: treatment; free movement of personal data",
        "120 objects with 41943040 bytes",
        "33554433 to 67108864 bytes and 65 to 128 objects",
        "The archive holds this very text.",
        "the rule `read-within-eea` decided. In the policy text it permits; legal basis: treatment",
        "the policy permits the release, by the rule read-within-eea",
        "entry 1 of sued.example/log: the reader's side checked the grant and accepted it.",
        "the hospital took in the reader's signed receipt",
        "Moved: 12345678 bytes in 119 files. The desk states that it dropped the images",
        "No log given shows a report.",
        "- what is sealed in entry 2 of nord.example/log: nothing of it is disclosed",
        "- what the reader did with what was seen on the screen: no log can say",
    ] {
        assert!(text.contains(told), "{told}\n{text}");
    }
    #[cfg(feature = "audit")]
    {
        let value = json::of(&Ok(one), &verdict);
        assert_eq!(value["decision"]["result"], "same");
        assert_eq!(value["agrees"], true);
        assert_eq!(value["grant"], granted.hash.to_hex());
    }
}

#[test]
fn a_policy_that_refuses_what_was_granted_is_told() {
    let mut world = World::new();
    // The study was bound to its country, and went abroad.
    world.facts.resident = true;
    let granted = world.grant();
    let archive = disclosing(&mut world, &[granted.fence]);
    let (verdict, explained) = explained(&[&archive], Release::Grant(granted.hash));
    assert!(!verdict.holds());
    let explanation = explained.expect("there");
    let Recomputed::Differs(again, why) = &explanation.decision else {
        panic!("{}", explanation.decision.sentence());
    };
    assert!(!again.allowed);
    assert_eq!(why[0], "the policy refuses what was granted");
    assert!(why[1].ends_with("logged are read-within-eea"), "{why:?}");
    assert!(!explanation.agrees());
    let text = words(&explanation);
    assert!(text.starts_with("THE DECISION, MADE AGAIN, DIFFERS: the policy refuses"));
    assert!(
        text.contains("it must not be seen from another country"),
        "{text}"
    );
}

#[test]
fn facts_that_were_altered_are_not_decided_from() {
    let mut world = World::new();
    let granted = world.grant();
    let mut archive = disclosing(&mut world, &[granted.fence]);
    let path = FileName::Opening(granted.fence).to_string();
    let mut openings = Openings::decode_bytes(&archive[&path]).expect("reads");
    for opening in &mut openings.openings {
        if opening.field == Field::Facts as i32 {
            let text = String::from_utf8(opening.value.clone()).expect("text");
            opening.value = text.replace("languages=de", "languages=fr").into_bytes();
        }
    }
    archive.insert(path, openings.encode_to_vec());
    world::seal(&mut archive, &world.hospital);
    let (verdict, explained) = explained(&[&archive], Release::Entry(granted.fence));
    assert!(!verdict.holds());
    let explanation = explained.expect("there");
    let missing = "the facts: what openings/1.bin discloses is not what the entry commits to";
    assert_eq!(
        explanation.decision,
        Recomputed::Cannot(vec![missing.to_owned()])
    );
    assert!(!words(&explanation).contains("languages fr"));
}

#[test]
fn another_policy_text_decides_nothing() {
    let mut world = World::new();
    let granted = world.grant();
    let mut archive = disclosing(&mut world, &[granted.fence]);
    let permissive = format!("{}\n", world::POLICY);
    archive.insert(
        "trust/policy.cedar".to_owned(),
        permissive.clone().into_bytes(),
    );
    // Swapped by a stranger, it breaks the list of files.
    let (verdict, _) = explained(&[&archive], Release::Entry(granted.fence));
    assert!(!verdict.holds());
    // Swapped by the hospital itself, it is not the text that decided.
    world::seal(&mut archive, &world.hospital);
    let (verdict, explained) = explained(&[&archive], Release::Entry(granted.fence));
    assert!(verdict.holds());
    let explanation = explained.expect("there");
    let Recomputed::Cannot(missing) = &explanation.decision else {
        panic!("{}", explanation.decision.sentence());
    };
    let other = Digest::sha256(permissive.as_bytes()).to_hex();
    assert!(missing[0].contains(&other), "{missing:?}");
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(
        explanation
            .unchecked
            .iter()
            .any(|line| line == &Remark::OtherPolicy.to_string())
    );
}

#[test]
fn what_is_sealed_cannot_be_decided_again() {
    let mut world = World::new();
    let granted = world.whole_case();
    let archive = world.archive(true);
    let (verdict, explained) = explained(&[&archive], Release::Entry(granted.fence));
    assert!(verdict.accepted());
    let explanation = explained.expect("there");
    let missing = "the facts, which are sealed: the hospital can disclose openings/1.bin";
    assert_eq!(
        explanation.decision,
        Recomputed::Cannot(vec![missing.to_owned()])
    );
    let text = words(&explanation);
    assert!(
        text.contains("No log given shows that access ended."),
        "{text}"
    );
    assert!(
        text.contains("what is sealed in entry 1 of nord.example/log"),
        "{text}"
    );
}

#[test]
fn the_reader_alone_can_show_the_release_and_not_the_facts() {
    let mut world = World::new();
    world.idle(true);
    let granted = world.whole_case();
    assert_eq!(granted.fence, 2);
    let reader = world.archive(false);
    let (_, explained) = explained(&[&reader], Release::Entry(granted.fence));
    let explanation = explained.expect("there");
    assert_eq!(explanation.grant, Some(granted.hash));
    let text = words(&explanation);
    assert!(
        text.contains("its entry is told from the copy that sued.example/log keeps"),
        "{text}"
    );
    assert!(
        text.contains("which only the hospital can disclose"),
        "{text}"
    );
}

#[test]
fn a_refusal_is_explained_too() {
    let mut world = World::new();
    world.facts.licences.clear();
    let header = Header {
        outcome: Outcome::Refused as i32,
        rules: vec!["licence-required".to_owned()],
        policy_hash: Digest::sha256(world::POLICY.as_bytes()).as_bytes().to_vec(),
        from_country: "DE".to_owned(),
        to_country: "AT".to_owned(),
        purpose: "TREAT".to_owned(),
        ..world::header(Kind::ReleaseRefused)
    };
    let record = Record::ReleaseRefused(ReleaseRecord::default());
    let index = world.append(true, header, record);
    let archive = disclosing(&mut world, &[index]);
    let (verdict, explained) = explained(&[&archive], Release::Entry(index));
    assert!(verdict.accepted());
    let explanation = explained.expect("there");
    assert!(explanation.agrees(), "{}", words(&explanation));
    let text = words(&explanation);
    assert!(
        text.contains("refused a release of a study to a reader, by rule"),
        "{text}"
    );
    assert!(
        text.contains("the policy refuses the release, by the rule licence-required"),
        "{text}"
    );
}

#[test]
fn only_a_release_that_is_there_and_is_one_is_explained() {
    let mut world = World::new();
    let granted = world.grant();
    let archive = world.archive(true);
    let unknown = Release::Entry(0);
    let found = explained(&[&archive], unknown).1;
    assert_eq!(found, Err(ExplainError::Unknown(unknown)));
    let unknown = Release::Grant(Digest::sha256(b"another"));
    assert_eq!(
        explained(&[&archive], unknown).1,
        Err(ExplainError::Unknown(unknown))
    );
    let mut second = World::forged();
    let mut grant = world::grant(granted.fence);
    grant.lease_us = 1;
    second.grant_as(&grant, world::HOSPITAL_GRANTS);
    let other = second.archive(true);
    let several = ExplainError::Several { index: 1, count: 2 };
    assert_eq!(
        explained(&[&archive, &other], Release::Entry(1)).1,
        Err(several)
    );
    // Two copies of one log are one log.
    assert!(
        explained(&[&archive, &archive], Release::Entry(1))
            .1
            .is_ok()
    );
}

#[test]
fn what_strangers_write_moves_no_cursor() {
    let mut world = World::new();
    world.release = Header {
        source: "\u{1b}[2J\u{202e}North".to_owned(),
        basis: "x\n- FORGED LINE".repeat(500),
        purpose: "a\r\u{7}".to_owned(),
        legal_role: "é".repeat(4_000),
        urgency: u32::MAX,
        ..world.release
    };
    world.volume = (u64::MAX, u64::MAX);
    let granted = world.grant();
    let mut archive = disclosing(&mut world, &[granted.fence]);
    archive.insert("trust/policy.cedar".to_owned(), vec![0xff; 10]);
    let (_, explained) = explained(&[&archive], Release::Grant(granted.hash));
    let text = describe(&explained.expect("there"));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
    assert!(
        !text.contains('\u{202e}') && !text.contains("\n- FORGED"),
        "{text}"
    );
    assert!(text.len() < 20_000, "{}", text.len());
}

#[test]
fn every_file_may_be_missing_empty_or_cut() {
    let mut world = World::new();
    let granted = world.whole_case();
    let archive = disclosing(&mut world, &[granted.fence]);
    for path in archive.keys() {
        for keep in [None, Some(0), Some(2)] {
            let mut changed = archive.clone();
            let bytes = changed.remove(path).expect("there");
            let part = |parts: usize| bytes[..bytes.len().checked_div(parts).unwrap_or(0)].to_vec();
            if let Some(parts) = keep {
                changed.insert(path.clone(), part(parts));
            }
            let (verdict, _) = explained(&[&changed], Release::Entry(granted.fence));
            assert!(!verdict.holds(), "{path}");
        }
    }
}

#[test]
fn a_release_of_endless_entries_is_told_up_to_a_bound() {
    let mut world = World::new();
    let granted = world.grant();
    let begun = world.begin(true, &granted) as usize;
    let bytes = world.hospital.entries[begun].clone();
    let mut found = Found {
        grant_hash: Some(granted.hash),
        decided: None,
        grant: None,
        steps: Vec::new(),
        more: 0,
    };
    let nothing: Files = BTreeMap::new();
    for index in 0..ENTRIES_MAX as u64 + 2 {
        found.take((0, index), &nothing, (&bytes, granted.hash));
    }
    assert_eq!((found.steps.len(), found.more), (ENTRIES_MAX, 2));
}

#[test]
fn a_release_is_named_by_index_or_hash() {
    assert_eq!("17".parse(), Ok(Release::Entry(17)));
    let hash = Digest::sha256(b"grant");
    assert_eq!(hash.to_hex().parse(), Ok(Release::Grant(hash)));
    for text in ["", "-1", "+1", "1.0", "18446744073709551616", "abcd"] {
        assert_eq!(text.parse::<Release>(), Err(NoRelease), "{text}");
    }
}

#[test]
fn ranges_are_those_of_the_buckets() {
    use super::tell::range;
    use crate::audit::header::bucket;
    assert_eq!(range(bucket(0), "byte"), "no bytes");
    assert_eq!(range(bucket(1), "byte"), "1 byte");
    assert_eq!(range(bucket(2), "byte"), "2 bytes");
    assert_eq!(range(bucket(3), "byte"), "3 to 4 bytes");
    assert_eq!(range(bucket(5), "byte"), "5 to 8 bytes");
    assert_eq!(
        range(bucket(u64::MAX), "byte"),
        "9223372036854775809 to 18446744073709551616 bytes"
    );
    assert_eq!(range(66, "byte"), "an impossible number of bytes");
    assert_eq!(range(u32::MAX, "byte"), "an impossible number of bytes");
}
