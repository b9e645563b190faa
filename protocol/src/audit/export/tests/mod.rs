//! Whole archives in memory, everything opened or nothing, and strings that attack every form.

mod forms;
mod hostile;
mod sides;

use crypto::digest::Digest;
use prost::Message as _;
use serde_json::Value;

use super::*;
use crate::audit::archive::FileName;
use crate::audit::entry::Openings;
use crate::audit::header::{Action, Header, Kind};
use crate::audit::record::{CaseRecord, Record, StudyRecord};
use crate::audit::verify::tests::world::{Files, World, seal};
use crate::audit::verify::{Input, Options, verify};
use crate::time::Wall;

/// A header as a node would write it.
fn header(kind: Kind, action: Action) -> Header {
    let wall = Wall {
        unix_us: 0,
        uncertainty_us: 0,
    };
    Header::new(kind, action, "Nord Hospital", wall)
}

/// A study, its case, and the same case's release from grant to access.
fn told() -> World {
    let mut world = World::new();
    let study = Record::StudyReceived(StudyRecord {
        study: vec![1; 16],
        study_uid: "1.2.826.0.1".to_owned(),
        patient: "17^^^NORD".to_owned(),
        objects: 3,
        bytes: 1024,
        ..StudyRecord::default()
    });
    world.append(true, header(Kind::StudyReceived, Action::Create), study);
    let case = Record::CaseOpened(CaseRecord {
        case: vec![2; 16],
        studies: vec![vec![1; 16]],
        ..CaseRecord::default()
    });
    world.append(true, header(Kind::CaseOpened, Action::Create), case);
    world.case = vec![2; 16];
    world.whole_case();
    world
}

/// The archive of a log with every payload disclosed.
fn disclosed(world: &mut World, hospital: bool) -> Files {
    let mut files = world.archive(hospital);
    let log = world.log(hospital);
    for (index, payload) in (0..).zip(&log.payloads) {
        files.insert(FileName::Opening(index).to_string(), payload.clone());
    }
    seal(&mut files, log);
    files
}

/// The events of an archive that verifies.
fn events(files: &Files) -> Vec<Event> {
    let input = Input {
        label: "0",
        source: files,
    };
    let verdict = verify(&[input], Options::default());
    assert!(
        verdict.holds(),
        "{}",
        crate::audit::verify::describe(&verdict)
    );
    let mut events = Vec::new();
    let walked = walk(
        (&input, &verdict.archives[0]),
        Standing::Verified,
        &mut |event| {
            events.push(event.clone());
            Ok(())
        },
    );
    let walked = walked.expect("it takes all");
    assert_eq!(walked.entries, events.len() as u64);
    assert_eq!(walked.unread, 0);
    events
}

/// A message that is JSON.
fn json(form: Form, event: &Event) -> Value {
    let bytes = form.message(event);
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
    serde_json::from_slice(&bytes).expect("JSON")
}

fn text(form: Form, event: &Event) -> String {
    String::from_utf8(form.message(event)).expect("UTF-8")
}

/// One event of this kind.
fn of(events: &[Event], kind: Kind) -> &Event {
    let found = events.iter().find(|event| event.kind == Some(kind));
    found.expect("an entry of that kind")
}

/// Openings with only the fields that `keep` names.
fn only(payload: &[u8], keep: &[crate::audit::entry::Field]) -> Vec<u8> {
    let mut openings = Openings::decode_bytes(payload).expect("a payload");
    let kept = |field: i32| keep.iter().any(|keep| *keep as i32 == field);
    openings.openings.retain(|opening| kept(opening.field));
    openings.encode_to_vec()
}

#[test]
fn every_entry_becomes_one_message_that_names_it() {
    let mut world = told();
    let files = world.archive(true);
    let leaves: Vec<Digest> = world
        .hospital
        .entries
        .iter()
        .map(|entry| crypto::log::merkle::leaf_hash(entry))
        .collect();
    let events = events(&files);
    assert_eq!(events.len(), leaves.len());
    for (index, (event, leaf)) in events.iter().zip(&leaves).enumerate() {
        let entry = format!("nord.example/log#{index}");
        let line = json(Form::JsonLines, event);
        assert_eq!(line["entry"], entry.as_str());
        assert_eq!(line["leaf"], leaf.to_hex().as_str());
        for form in Form::ALL {
            assert!(text(form, event).contains(&entry), "{form}");
        }
    }
}

#[test]
fn a_walk_stops_when_nobody_takes_more() {
    let mut world = told();
    let files = world.archive(true);
    let input = Input {
        label: "0",
        source: &files,
    };
    let verdict = verify(&[input], Options::default());
    let mut taken = 0;
    let of = (&input, &verdict.archives[0]);
    let walked = walk(of, Standing::NotPinned, &mut |_| {
        taken += 1;
        if taken == 2 { Err(Stopped) } else { Ok(()) }
    });
    assert_eq!((walked, taken), (Err(Stopped), 2));
}

#[test]
fn what_is_missing_is_counted() {
    let mut world = told();
    let mut files = world.archive(true);
    let bundle = files.keys().find(|path| path.contains("tile/entries"));
    let bundle = bundle.expect("a bundle").clone();
    files.remove(&bundle);
    let input = Input {
        label: "0",
        source: &files,
    };
    let verdict = verify(&[input], Options::default());
    assert!(!verdict.holds());
    let mut report = verdict.archives[0].clone();
    report.size = world.hospital.writer.size();
    let walked = walk((&input, &report), Standing::NotVerified, &mut |_| Ok(()));
    let walked = walked.expect("all");
    assert_eq!((walked.entries, walked.unread), (0, report.size));
}

#[test]
fn a_form_is_named_as_it_is_asked_for() {
    for form in Form::ALL {
        assert_eq!(form.to_string().parse(), Ok(form));
    }
    assert_eq!("pdf".parse::<Form>(), Err(NoForm));
}
