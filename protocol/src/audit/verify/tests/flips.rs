//! No byte of any file is free: each is changed in turn, and so are the files themselves.

use super::world::{Files, World, seal};
use super::*;
use crate::audit::archive::{ArchiveError, NOTE_PATH};
use crypto::note::NoteError;

fn small() -> (World, Files) {
    let mut world = World::new();
    world.whole_case();
    let archive = world.archive(true);
    (world, archive)
}

/// A changed list blames the files that it lists before its own signature: only the whole run names
/// the list.
fn quick(archive: &Files, path: &str) -> Verdict {
    let input = [Input {
        label: "0",
        source: archive,
    }];
    verify(
        &input,
        Options {
            stop_early: path != NOTE_PATH,
            ..Options::default()
        },
    )
}

/// Changes every byte of every file of an archive and demands that its file is named.
fn flip_every_byte(mut archive: Files) -> usize {
    assert!(verdict(&[&archive]).holds());
    let paths: Vec<String> = archive.keys().cloned().collect();
    let mut flipped = 0;
    for path in paths {
        for at in 0..archive[&path].len() {
            // One bit in turn, so that every bit position is tried over the file.
            let bit = 1 << (at % 8);
            archive.get_mut(&path).expect("listed")[at] ^= bit;
            let found = quick(&archive, &path);
            archive.get_mut(&path).expect("listed")[at] ^= bit;
            let named = found.archives[0]
                .failures
                .iter()
                .any(|failure| failure.file == path);
            assert!(
                named,
                "byte {at} of {path} changed and not named: {}",
                describe(&found)
            );
            flipped += 1;
        }
    }
    flipped
}

#[test]
fn every_byte_of_every_file_is_covered() {
    let (mut world, hospital) = small();
    assert!(flip_every_byte(hospital) > 5_000);
    assert!(flip_every_byte(world.archive(false)) > 5_000);
}

#[test]
fn a_changed_byte_is_found_even_if_the_list_is_signed_anew() {
    // A hospital that holds its own log key lists the changed file: what is behind the list must
    // still fail.
    let (world, archive) = small();
    for (path, bytes) in &archive {
        // The schema explains the policy and is bound by nothing else.
        if path == NOTE_PATH || path == "trust/schema.cedarschema" {
            continue;
        }
        // The policy is long, and one hash binds it all.
        let step = if path == "trust/policy.cedar" { 997 } else { 7 };
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = archive.clone();
            changed.get_mut(path).expect("listed")[at] ^= 1 << (at % 8);
            seal(&mut changed, &world.hospital);
            let found = verdict(&[&changed]);
            let other = |noted: &Noted| noted.remark == Remark::OtherPolicy;
            let said = found.archives[0].remarks.iter().any(other);
            // Another policy text is no fault, but it is said that decisions were made under
            // another one.
            assert!(
                !found.holds() || (path == "trust/policy.cedar" && said),
                "{path} byte {at}"
            );
        }
    }
}

#[test]
fn a_missing_file_is_named_and_an_unlisted_one_refused() {
    let (_, archive) = small();
    for path in archive.keys() {
        let mut fewer = archive.clone();
        fewer.remove(path);
        let found = quick(&fewer, "");
        let failure = &found.archives[0].failures[0];
        assert_eq!((&failure.file, &failure.fault), (path, &Fault::Missing));
    }
    for extra in [
        "notes.txt",
        "grants/2.env",
        "log/tile/0/001.p/1",
        "openings/1.bin",
        ".hidden",
    ] {
        let mut more = archive.clone();
        more.insert(extra.to_owned(), b"x".to_vec());
        assert!(failures(&more).contains(&(Check::Files, extra.to_owned(), Fault::Unlisted)));
    }
}

#[test]
fn a_listed_file_that_belongs_to_no_entry_is_refused() {
    let (world, archive) = small();
    for stray in [
        "grants/0.env",
        "openings/99.bin",
        "peer/1.proof",
        "proofs/3.tlog-proof",
    ] {
        let mut more = archive.clone();
        more.insert(stray.to_owned(), b"x".to_vec());
        seal(&mut more, &world.hospital);
        assert_eq!(only(&more), (Check::Files, stray.to_owned(), Fault::Stray));
    }
    let mut more = archive.clone();
    more.insert("log/tile/0/001.p/1".to_owned(), vec![0; 32]);
    seal(&mut more, &world.hospital);
    assert_eq!(only(&more).1, "log/tile/0/001.p/1");
}

#[test]
fn swapped_files_are_named() {
    let (_, mut archive) = small();
    let (one, other) = ("receipts/2.entry", "receipts/2.env");
    let first = archive
        .insert(one.to_owned(), archive[other].clone())
        .expect("there");
    archive.insert(other.to_owned(), first);
    let found = failures(&archive);
    for path in [one, other] {
        let named = found
            .iter()
            .any(|(check, file, _)| *check == Check::Files && file == path);
        assert!(named, "{found:?}");
    }
}

#[test]
fn the_note_has_one_spelling() {
    let (world, archive) = small();
    let note = String::from_utf8(archive[NOTE_PATH].clone()).expect("text");
    let blank = note.find("\n\n").expect("a note") + 1;
    let (text, line) = (&note[..blank], &note[blank + 1..]);
    let doubled = format!("{text}\n{line}{line}");
    let padded = format!("{}A=\n", line.trim_end());
    type Expected = fn(&ArchiveError) -> bool;
    let spelled: [(String, Expected); 8] = [
        (note.replace('\n', "\r\n"), |e| {
            matches!(e, ArchiveError::Signatures(_))
        }),
        (format!("{note}\n"), |e| {
            matches!(e, ArchiveError::Signatures(_))
        }),
        (note.trim_end().to_owned(), |e| {
            matches!(e, ArchiveError::Signatures(NoteError::Unterminated))
        }),
        (doubled, |e| matches!(e, ArchiveError::SignatureCount(2))),
        (format!("{text}\n{padded}"), |e| {
            matches!(e, ArchiveError::Signatures(_))
        }),
        (note.replace("/log\n4\n", "/log\n04\n"), |e| {
            matches!(e, ArchiveError::NotCanonical)
        }),
        (note.replacen("archive/1", "archive/2", 1), |e| {
            matches!(e, ArchiveError::Version)
        }),
        (text.to_owned(), |e| {
            matches!(e, ArchiveError::Signatures(_))
        }),
    ];
    for (spelling, expected) in spelled {
        let mut archive = archive.clone();
        archive.insert(NOTE_PATH.to_owned(), spelling.clone().into_bytes());
        let found = failures(&archive);
        let Some((Check::Note, _, Fault::Archive(error))) = found.first() else {
            panic!("{found:?}")
        };
        assert!(expected(error), "{error} for {spelling:?}");
    }
    // Signed by another key of the same name.
    let mut other = archive.clone();
    let mut thief = World::new().hospital;
    thief.writer = world.hospital.writer.clone();
    thief.key = world::key(99);
    seal(&mut other, &thief);
    let fault = ArchiveError::Signature(NoteError::BadSignature(world.hospital.name.clone()));
    let found = only(&other);
    // The key's ID differs, so the line is not even a claim by the log's key.
    assert_eq!(
        found,
        (Check::Note, NOTE_PATH.to_owned(), Fault::Archive(fault))
    );
}
