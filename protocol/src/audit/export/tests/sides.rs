//! Who is source and who is destination, what is sealed, and what is said only when it is opened.

use super::*;
use crate::audit::entry::Field;

/// The agents of an AuditEvent, as (role or participation code, who, requestor).
fn agents(event: &Event) -> Vec<(String, String, bool)> {
    let resource = json(Form::Fhir, event);
    let agents = resource["agent"].as_array().expect("agents");
    let one = |agent: &Value| {
        let who = &agent["who"];
        let masked = &who["extension"][0]["valueCode"];
        let id = who["identifier"]["value"].as_str().or(masked.as_str());
        (
            agent["type"]["coding"][0]["code"]
                .as_str()
                .expect("a code")
                .to_owned(),
            id.unwrap_or("?").to_owned(),
            agent["requestor"].as_bool().expect("a requestor"),
        )
    };
    agents.iter().map(one).collect()
}

#[test]
fn source_and_destination_swap_between_create_and_read() {
    let mut world = told();
    let hospital = events(&disclosed(&mut world, true));
    let reader = events(&disclosed(&mut world, false));
    // A study comes: whoever sends it is the client, and the source.
    let received = agents(of(&hospital, Kind::StudyReceived));
    assert_eq!(received[0].0, "110153");
    assert!(received[0].2, "the sender asks");
    assert_eq!(
        &received[1],
        &("110152".into(), "nord.example/log".into(), false)
    );
    // A desk reads: the client is the destination, in both logs.
    let owner = agents(of(&hospital, Kind::AccessBegun));
    assert_eq!(
        &owner[0],
        &("110153".into(), "nord.example/log".into(), false)
    );
    assert_eq!(owner[1].0, "110152");
    let desk = agents(of(&reader, Kind::AccessBegun));
    assert_eq!(desk[0].0, "110153");
    assert_eq!(
        &desk[1],
        &("110152".into(), "sued.example/log".into(), false)
    );
    // The reader asked, and both logs name the same person.
    assert_eq!(owner[2].0, "IRCP");
    assert!(owner[2].2);
    assert_eq!(owner[2], desk[2]);
    // Each names the other by its node's key.
    assert_eq!(owner[1].1.len(), 64);
    assert_ne!(owner[1].1, desk[0].1);
}

#[test]
fn what_is_opened_is_said_and_nothing_else() {
    let mut world = told();
    let sealed = events(&world.archive(true));
    let opened = events(&disclosed(&mut world, true));
    let profile =
        |events: &[Event], kind| json(Form::Fhir, of(events, kind))["meta"]["profile"][0].clone();
    let balp = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
    let named = |name: &str| Value::String(format!("{balp}{name}"));
    assert_eq!(profile(&sealed, Kind::StudyReceived), named("Create"));
    assert_eq!(
        profile(&opened, Kind::StudyReceived),
        named("PatientCreate")
    );
    assert_eq!(profile(&sealed, Kind::AccessBegun), named("Read"));
    for form in Form::ALL {
        for event in &sealed {
            let text = text(form, event);
            assert!(
                !text.contains("17^^^NORD") && !text.contains("1.2.826"),
                "{text}"
            );
        }
        let study = text(form, of(&opened, Kind::StudyReceived));
        assert!(
            study.contains("17^^^NORD") && study.contains("1.2.826.0.1"),
            "{study}"
        );
    }
    let study = json(Form::JsonLines, of(&sealed, Kind::StudyReceived));
    assert_eq!(study["patient"], Value::Null);
    assert_eq!(study["sealed"], serde_json::json!(["record", "facts"]));
    let data = json(Form::Fhir, of(&sealed, Kind::StudyReceived))["entity"][0].clone();
    assert_eq!(data["what"]["extension"][0]["valueCode"], "masked");
}

#[test]
fn a_release_is_of_the_patient_of_its_case() {
    let mut world = told();
    let opened = events(&disclosed(&mut world, true));
    let granted = json(Form::JsonLines, of(&opened, Kind::ReleaseGranted));
    assert_eq!(granted["patient"], "17^^^NORD");
    assert_eq!(granted["studies"], serde_json::json!(["1.2.826.0.1"]));
    assert_eq!(granted["dicom"]["clause"], "PS3.15 A.5.3.11");
    // The case alone names nobody if its study stays sealed.
    let mut files = disclosed(&mut world, true);
    files.remove(&FileName::Opening(1).to_string());
    seal(&mut files, &world.hospital);
    let partly = events(&files);
    let granted = json(Form::JsonLines, of(&partly, Kind::ReleaseGranted));
    assert_eq!(granted["patient"], Value::Null);
    assert_eq!(granted["studies_not_named"], 1);
}

#[test]
fn an_opening_of_another_entry_says_nothing() {
    let mut world = told();
    let mut files = disclosed(&mut world, true);
    let study = files[&FileName::Opening(1).to_string()].clone();
    files.insert(FileName::Opening(2).to_string(), study);
    let input = Input {
        label: "0",
        source: &files,
    };
    let verdict = verify(&[input], Options::default());
    assert!(!verdict.holds());
    let mut wrong = Vec::new();
    let of = (&input, &verdict.archives[0]);
    let walked = walk(of, Standing::NotVerified, &mut |event| {
        wrong.push(event.clone());
        Ok(())
    });
    walked.expect("all");
    let case = json(Form::JsonLines, &wrong[2]);
    assert_eq!(case["patient"], Value::Null);
    assert_eq!(case["verification"], "not-verified");
    for form in Form::ALL {
        let text = text(form, &wrong[2]);
        let encoded = "bm90LXZlcmlmaWVk";
        assert!(
            text.contains("not-verified") || text.contains(encoded),
            "{text}"
        );
    }
}

#[test]
fn one_opened_field_leaves_the_others_sealed() {
    let mut world = told();
    let mut files = world.archive(true);
    let payload = only(&world.hospital.payloads[1], &[Field::Facts]);
    files.insert(FileName::Opening(1).to_string(), payload);
    seal(&mut files, &world.hospital);
    let events = events(&files);
    let study = json(Form::JsonLines, of(&events, Kind::StudyReceived));
    assert_eq!(study["sealed"], serde_json::json!(["record"]));
    assert_eq!(study["studies"], serde_json::json!([]));
}
