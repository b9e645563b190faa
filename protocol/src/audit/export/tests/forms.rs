//! What each form looks like, to the letter where a standard has letters.

use super::*;
use crate::audit::header::Outcome;

#[test]
fn a_dicom_message_has_the_schemas_names_in_the_schemas_order() {
    let mut world = told();
    let events = events(&disclosed(&mut world, true));
    let xml = text(Form::Dicom, of(&events, Kind::AccessBegun));
    let begins = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><AuditMessage><EventIdentification \
                  EventActionCode=\"R\" EventDateTime=\"2027-01-15T08:00:";
    assert!(xml.starts_with(begins), "{xml}");
    let id = "<EventID csd-code=\"110103\" codeSystemName=\"DCM\" \
              originalText=\"DICOM Instances Accessed\"/>";
    assert!(xml.contains(id), "{xml}");
    let mut at = 0;
    for element in [
        "<EventIdentification ",
        "<EventTypeCode ",
        "<ActiveParticipant ",
        "<AuditSourceIdentification ",
        "<ParticipantObjectIdentification ",
    ] {
        let found = xml[at..].find(element).expect("in this order");
        at += found;
    }
    assert!(xml.ends_with("</AuditMessage>\n"));
}

#[test]
fn an_emergency_is_an_override_started() {
    let mut event = first(Kind::ReleaseGranted);
    assert!(!text(Form::Dicom, &event).contains("110127"));
    event.header.emergency = true;
    assert!(text(Form::Dicom, &event).contains("\"110127\" codeSystemName=\"DCM\""));
    let fhir = json(Form::Fhir, &event);
    let codes = fhir["subtype"].as_array().expect("subtypes");
    assert!(codes.iter().any(|code| code["code"] == "110127"));
}

#[test]
fn an_outcome_is_told_and_a_failure_claims_no_pattern() {
    let mut event = first(Kind::AccessBegun);
    for (outcome, code) in [
        (Outcome::Success as i32, "0"),
        (Outcome::Refused as i32, "4"),
        (Outcome::Failure as i32, "8"),
        (0, "8"),
        (99, "8"),
    ] {
        event.header.outcome = outcome;
        let fhir = json(Form::Fhir, &event);
        assert_eq!(fhir["outcome"], code);
        assert_eq!(fhir["meta"]["profile"].is_array(), code == "0", "{code}");
        let told = format!("EventOutcomeIndicator=\"{code}\"");
        assert!(text(Form::Dicom, &event).contains(&told));
        let priority = if code == "0" { "<85>1 " } else { "<84>1 " };
        assert!(text(Form::Syslog, &event).contains(priority));
    }
}

#[test]
fn the_action_is_one_that_the_clause_allows() {
    let mut event = first(Kind::CaseCancelled);
    for (logged, told) in [(Action::Delete, "D"), (Action::Execute, "U")] {
        event.header.action = logged as i32;
        assert_eq!(json(Form::Fhir, &event)["action"], told);
    }
    event.header.action = 77;
    assert_eq!(json(Form::Fhir, &event)["action"], "U");
}

#[test]
fn a_kind_of_a_later_release_is_told_by_its_number() {
    let mut event = first(Kind::NodeStarted);
    event.kind = None;
    event.header.kind = 77;
    assert_eq!(json(Form::JsonLines, &event)["kind"], "kind-77");
    assert!(text(Form::Dicom, &event).contains("csd-code=\"kind-77\" codeSystemName=\"RADMESH\""));
}

#[test]
fn a_syslog_frame_counts_its_octets() {
    let mut world = told();
    let mut stream = Vec::new();
    let events = events(&disclosed(&mut world, true));
    for event in &events {
        stream.extend(Form::Syslog.message(event));
    }
    let mut rest = stream.as_slice();
    let mut seen = 0;
    while !rest.is_empty() {
        let space = rest
            .iter()
            .position(|byte| *byte == b' ')
            .expect("a length");
        let length = std::str::from_utf8(&rest[..space]).expect("digits");
        let length: usize = length.parse().expect("digits");
        let message = &rest[space + 1..][..length];
        rest = &rest[space + 1 + length..];
        let message = std::str::from_utf8(message).expect("UTF-8");
        let fields: Vec<&str> = message.splitn(8, ' ').collect();
        assert_eq!(fields[0], "<85>1");
        assert_eq!(
            fields[2..7],
            ["nord.example/log", "radmesh", "-", "DICOM+RFC3881", "-"]
        );
        assert!(fields[7].starts_with("\u{feff}<?xml "));
        seen += 1;
    }
    assert_eq!(seen, events.len());
}

#[test]
fn a_csv_has_one_header_and_rows_of_its_length() {
    let head = String::from_utf8(Form::Csv.opening()).expect("UTF-8");
    let event = first(Kind::AccessBegun);
    let row = text(Form::Csv, &event);
    assert_eq!(head.matches(',').count(), row.matches(',').count());
    assert!(head.ends_with("\r\n") && row.ends_with("\r\n"));
    assert!(Form::JsonLines.opening().is_empty());
}

/// Every kind, with and without what is opened.
#[test]
fn every_kind_has_a_row_that_its_clause_allows() {
    let mut event = first(Kind::AccessBegun);
    for number in 0..256 {
        let Ok(kind) = Kind::try_from(number) else {
            continue;
        };
        event.kind = Some(kind);
        event.header.kind = number;
        let row = event.row();
        assert!(row.clause.starts_with("A.5.3."), "{kind:?}");
        let allowed = match row.clause {
            "A.5.3.1" | "A.5.3.11" => "E",
            // Using an audit log is reading it, and so is exporting what was read.
            "A.5.3.2" | "A.5.3.4" => "R",
            "A.5.3.6" | "A.5.3.13" | "A.5.3.15" => "CRUD",
            "A.5.3.7" => "CRU",
            other => panic!("{other}"),
        };
        assert!(allowed.contains(event.action()), "{kind:?}");
        for form in Form::ALL {
            assert!(!form.message(&event).is_empty());
        }
    }
}

/// An event of this kind, made of a real one.
fn first(kind: Kind) -> Event {
    let mut world = told();
    let events = events(&world.archive(true));
    let mut event = of(&events, Kind::AccessBegun).clone();
    event.kind = Some(kind);
    event.header.kind = kind as i32;
    event
}
