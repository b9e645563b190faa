//! The table of attacks: each is made by somebody who holds the log's key and the hospital's, and
//! is found, in the words that a person reads. A clean log gives no finding.

use super::super::compare::{Old, compare, describe as compared};
use super::*;
use crate::audit::record::{CaseNote, ReportRecord};
use crate::audit::verify::tests::world::{Log, seal};
use crate::audit::verify::{Remark, describe as verified};
use crate::document::report::Report;
use crate::member::Credential;
use crypto::digest::Digest;

/// The verdict in words, in one line each.
fn words(archives: &[&Files]) -> String {
    let (verdict, _) = ask(archives, &Ask::of(Question::Complete));
    verified(&verdict)
}

/// Whether the verdict fails, with these words.
fn fails(archives: &[&Files], with: &str) {
    let words = words(archives);
    assert!(words.starts_with("NOT VERIFIED: "), "{words}");
    let found = words.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(found.contains(with), "{with}: {words}");
}

/// Whether the verdict holds, with this finding.
fn finds(archives: &[&Files], what: &str) {
    let words = words(archives);
    assert!(!words.starts_with("NOT VERIFIED"), "{words}");
    let found = words.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(found.contains(what), "{what}: {words}");
}

/// What the comparison of an archive with one that was kept says.
fn against(old: &Files, new: &Files) -> String {
    let input = Input {
        label: "new",
        source: new,
    };
    let verdict = verify(&[input], Options::default());
    let options = (&verdict, Options::default());
    let words = compared(&compare(Old::Archive(old), &input, options));
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes a log's entries anew, as given, under its own key.
fn rewrite(log: &mut Log, order: &[usize]) {
    let entries = log.entries.clone();
    let payloads = log.payloads.clone();
    let records = log.records.clone();
    log.writer = Default::default();
    log.files = Files::new();
    (log.entries, log.payloads, log.records) = Default::default();
    for at in order {
        log.push(
            entries[*at].clone(),
            payloads[*at].clone(),
            records[*at].clone(),
        );
    }
}

/// A world with one case on both sides, its archives, and the hospital's checkpoint as it was
/// cosigned then.
fn read() -> (World, Files, Files) {
    let mut world = World::new();
    world.whole_case();
    let (hospital, reader) = (world.archive(true), world.archive(false));
    (world, hospital, reader)
}

#[test]
fn a_clean_log_gives_no_finding() {
    let (mut world, hospital, reader) = read();
    world.now += 86_400;
    let end = world.hospital.writer.size();
    world.review((0, end), world::HOSPITAL_GRANTS);
    for archives in [[&hospital, &reader], [&world.archive(true), &reader]] {
        let (verdict, answer) = ask(&archives, &Ask::of(Question::Complete));
        assert!(verdict.holds());
        let mut remarks = verdict.archives.iter().flat_map(|report| &report.remarks);
        assert!(remarks.all(|noted| noted.remark.is_gap()));
        assert!(answer.is_complete(), "{}", answer.closing());
    }
    assert!(against(&hospital, &world.archive(true)).starts_with("CONSISTENT: "));
}

#[test]
fn edited() {
    let (world, mut archive, _) = read();
    let path = "log/tile/entries/000.p/4";
    let bundle = archive.get_mut(path).expect("a bundle");
    let last = bundle.len() - 1;
    bundle[last] ^= 1;
    seal(&mut archive, &world.hospital);
    fails(
        &[&archive],
        "FAILURE tree: log/tile/entries/000.p/4: 1 of its hashes or entries are wrong, the first \
         at position 3",
    );
}

#[test]
fn deleted() {
    let (mut world, old, _) = read();
    rewrite(&mut world.hospital, &[0, 1, 2]);
    world.idle(true);
    // Its old checkpoint does not fit, and a new one is not the log that was kept.
    let mut kept = world.archive(true);
    kept.insert("log/checkpoint".to_owned(), old["log/checkpoint"].clone());
    seal(&mut kept, &world.hospital);
    fails(
        &[&kept],
        "FAILURE tree: log/checkpoint: its root is given neither by the entries nor by the tiles",
    );
    let words = against(&old, &world.archive(true));
    assert!(words.starts_with("FORKED: "), "{words}");
}

#[test]
fn reordered() {
    let (mut world, old, _) = read();
    rewrite(&mut world.hospital, &[0, 1, 3, 2]);
    let mut kept = world.archive(true);
    fails(&[&kept], "access without a receipt before it");
    kept.insert("log/checkpoint".to_owned(), old["log/checkpoint"].clone());
    seal(&mut kept, &world.hospital);
    fails(&[&kept], "its root is given neither by the entries nor by");
    let words = against(&old, &world.archive(true));
    assert!(words.starts_with("FORKED: "), "{words}");
}

#[test]
fn truncated() {
    let (mut world, old, reader) = read();
    rewrite(&mut world.hospital, &[0, 1, 2]);
    let cut = world.archive(true);
    let words = against(&old, &cut);
    assert!(words.starts_with("ROLLED BACK: the log had 4 entries and now has 3."));
    // Cut before the grant, the reader's log tells.
    rewrite(&mut world.hospital, &[0]);
    let cut = world.archive(true);
    fails(
        &[&cut, &reader],
        "the log sued.example/log accepted a grant (its entry 1) that this log does not hold",
    );
}

#[test]
fn forked_to_two_regulators() {
    let (mut one, mut other) = (World::new(), World::new());
    let granted = one.grant();
    other.idle(true);
    let (to_one, to_other) = (one.archive(true), other.archive(true));
    // Each archive holds by itself; the two together, or either with what the reader keeps, do not.
    assert!(!words(&[&to_one]).starts_with("NOT VERIFIED"));
    assert!(!words(&[&to_other]).starts_with("NOT VERIFIED"));
    fails(
        &[&to_one, &to_other],
        "two archives of this log hold different trees at size 2",
    );
    let words = against(&to_one, &to_other);
    assert!(words.starts_with("FORKED: the log signed two roots for size 2: "));
    one.accept(&granted);
    fails(
        &[&to_other, &one.archive(false)],
        "the log nord.example/log showed this node another tree of size 2",
    );
}

#[test]
fn back_dated_by_five_minutes() {
    // Beside its neighbours in the log.
    let mut world = World::new();
    world.now += 600;
    world.idle(true);
    world.now -= 301;
    world.idle(true);
    fails(
        &[&world.archive(true)],
        "its time lies 299900000 microseconds before that of an earlier entry",
    );
    // Against a cosignature on the tree before it, where nothing was logged in between.
    let mut world = World::new();
    world.grant();
    world.now += 300;
    let shown = world.prove(true, 1, true);
    world.now -= 300;
    world.idle(true);
    let mut archive = world.archive(true);
    archive.insert("proofs/1.tlog-proof".to_owned(), shown);
    seal(&mut archive, &world.hospital);
    finds(
        &[&archive],
        "its time lies 299 s before a cosignature on a tree that lacks it",
    );
}

#[test]
fn an_old_snapshot_restored() {
    let (mut world, old, reader) = read();
    // The disk of before the receipt comes back, and the log goes on from there.
    rewrite(&mut world.hospital, &[0, 1]);
    world.now += 3_600;
    world.idle(true);
    world.idle(true);
    let restored = world.archive(true);
    let words = against(&old, &restored);
    assert!(words.starts_with("FORKED: the log signed two roots for size 4: "));
    // Without anything kept, the reader's side of the case tells.
    fails(
        &[&restored, &reader],
        "the log sued.example/log says that access began (its entry 2); this log has no receipt",
    );
}

#[test]
fn never_logged_on_one_side() {
    let (_, hospital, reader) = read();
    let mut other = World::new();
    other.idle(true);
    fails(
        &[&other.archive(true), &reader],
        "accepted a grant (its entry 1) that this log does not hold",
    );
    let mut other = World::new();
    other.idle(false);
    fails(
        &[&hospital, &other.archive(false)],
        "the log sued.example/log does not hold that entry at index 1",
    );
}

#[test]
fn images_swapped_under_a_report() {
    let signed_over = |root: [u8; 32]| {
        let mut world = World::new();
        let mut grant = world::grant(world.hospital.writer.size());
        if let Some(prepared) = &mut grant.prepared {
            prepared.manifest_root = vec![8; 32];
        }
        let granted = world.grant_as(&grant, world::HOSPITAL_GRANTS);
        let accepted = world.accept(&granted);
        world.receipt(&granted, accepted);
        let report = Report {
            version: 1,
            grant_hash: granted.hash.as_bytes().to_vec(),
            manifest_root: root.to_vec(),
            ..Report::default()
        };
        let record = ReportRecord {
            report: world::envelope(&report, 22),
            ..ReportRecord::default()
        };
        let header = world::header(Kind::ReportReceived).with_grant(granted.hash);
        let index = world.append(true, header, Record::ReportReceived(record));
        let mut archive = world.archive(true);
        let payload = world.hospital.payloads[index as usize].clone();
        archive.insert(format!("openings/{index}.bin"), payload);
        seal(&mut archive, &world.hospital);
        archive
    };
    assert!(!words(&[&signed_over([8; 32])]).starts_with("NOT VERIFIED"));
    fails(
        &[&signed_over([9; 32])],
        "FAILURE openings: openings/3.bin (entry 3): the set of images under the report does not \
         match",
    );
}

#[test]
fn a_credential_used_after_its_end() {
    let mut world = World::new();
    let hash = Digest::sha256(&world.genesis);
    let ended = Credential {
        not_after: START,
        ..world::reader_credential(hash, &world.reader)
    };
    let envelope = world::credential_envelope(&ended);
    world.credentials.insert(2, envelope);
    world.grant();
    fails(
        &[&world.archive(true)],
        "no credential of the reader was valid at that time",
    );
    // Whether one was taken back before its end is said not to be checked.
    let clean = World::new().archive(true);
    finds(
        &[&clean],
        "not checked: whether a credential was suspended or revoked",
    );
}

#[test]
fn a_review_that_never_came() {
    let (mut world, ..) = read();
    world.now += 45 * 86_400;
    let record = Record::CaseClosed(CaseNote::default());
    world.append(true, world::header(Kind::CaseClosed), record);
    let archive = world.archive(true);
    finds(
        &[&archive],
        "no review of the entries from 0 on between 2027-01-15 and 2027-03-01, due by 2027-02-15",
    );
    let (verdict, _) = ask(&[&archive], &Ask::of(Question::Reviews));
    let mut remarks = verdict.archives[0].remarks.iter();
    assert!(remarks.any(|noted| matches!(noted.remark, Remark::ReviewMissed(_))));
}
