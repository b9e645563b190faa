//! Strings of strangers: markup, formulas, line ends, control characters, and more than is read.

use super::*;
use crate::audit::record::NodeRecord;
use crate::limits;

/// What an attacker would like to see taken for something else.
const HOSTILE: [&str; 12] = [
    "\"/><EventID csd-code='1'/>",
    "]]>&amp;<!--",
    "=HYPERLINK(\"http://x\",\"y\")",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "one\r\ntwo\nthree",
    "nul \0 bell \u{7} escape \u{1b}[2J",
    "\u{202e}txt.exe\u{2066}\u{feff}\u{ffff}\u{fffe}",
    "\",\"verification\":\"verified\",\"x\":\"",
    "a,b\"c",
];

/// An event whose every text is this one.
fn filled(text: &str) -> Event {
    let mut world = told();
    let mut header = header(Kind::StudyReceived, Action::Create);
    for field in [
        &mut header.source,
        &mut header.from_country,
        &mut header.to_country,
        &mut header.legal_role,
        &mut header.basis,
        &mut header.purpose,
    ] {
        *field = text.to_owned();
    }
    header.rules = vec![text.to_owned(); 3];
    header.policy_hash = vec![7; 500];
    header.grant_hash = vec![8; 500];
    let record = Record::StudyReceived(StudyRecord {
        study: vec![3; 16],
        study_uid: text.to_owned(),
        patient: text.to_owned(),
        ..StudyRecord::default()
    });
    let index = world.append(true, header, record);
    let events = events(&disclosed(&mut world, true));
    let mut event = events[index as usize].clone();
    let clean = super::super::text::line(text, 512);
    event.opened.reason = clean.clone();
    event.opened.destination = clean;
    event
}

#[test]
fn no_string_gets_out_of_its_place() {
    for hostile in HOSTILE {
        let event = filled(hostile);
        let xml = text(Form::Dicom, &event);
        let starts = xml.matches("<EventID ").count();
        assert_eq!((starts, xml.lines().count()), (1, 1), "{xml}");
        assert!(!xml.contains("<!--") && !xml.contains("]]>"), "{xml}");
        for form in [Form::Fhir, Form::JsonLines] {
            json(form, &event);
        }
        assert_eq!(json(Form::JsonLines, &event)["verification"], "verified");
        for form in Form::ALL {
            let text = text(form, &event);
            let text = text.trim_end_matches(['\r', '\n']);
            let odd = |c: char| c.is_control() || "\u{202e}\u{2066}\u{ffff}\u{fffe}".contains(c);
            assert!(!text.contains(odd), "{form}: {text:?}");
        }
    }
}

#[test]
fn no_field_of_a_csv_is_a_formula() {
    for hostile in HOSTILE {
        let row = text(Form::Csv, &filled(hostile));
        let mut inside = false;
        let mut starts = true;
        for c in row.chars() {
            if starts && !inside {
                assert!(!"=+-@\t".contains(c), "{row}");
            }
            match c {
                '"' => {
                    inside = !inside;
                    continue;
                }
                ',' if !inside => starts = true,
                _ => starts = false,
            }
        }
        assert!(!row.contains("\"=") && !row.contains("\"+"), "{row}");
    }
}

#[test]
fn a_message_is_short_whatever_its_strings() {
    // The worst character for each escape: six bytes of XML, four of UTF-8 in base64.
    for worst in ["\"", "'", "\u{10ffff}\u{10000}", "\u{1f600}"] {
        let mut event = filled(&worst.repeat(200));
        let long = super::super::text::line(&worst.repeat(600), 512);
        event.opened.reason = long;
        let uid = super::super::text::line(&worst.repeat(200), super::super::text::UID_MAX)
            .expect("text");
        event.opened.studies = vec![uid; super::super::held::STUDIES_MAX];
        event.header.emergency = true;
        event.header.outcome = 3;
        let length = Form::Syslog.message(&event).len();
        assert!(length <= syslog::MESSAGE_MAX, "{worst}: {length}");
    }
}

#[test]
fn times_that_no_form_can_write_are_cut() {
    let mut event = filled("x");
    for (time_us, told) in [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (u64::MAX, "9999-12-31T23:59:59.999999Z"),
    ] {
        event.header.time_us = time_us;
        assert_eq!(json(Form::Fhir, &event)["recorded"], told);
        assert_eq!(json(Form::JsonLines, &event)["time_us"], time_us);
    }
}

#[test]
fn numbers_of_strangers_are_only_numbers() {
    let mut event = filled("x");
    for number in [0, 1, 5, 64, 65, 66, u32::MAX] {
        event.header.bytes_bucket = number;
        event.header.instances_bucket = number;
        event.header.urgency = number;
        for form in Form::ALL {
            assert!(!form.message(&event).is_empty());
        }
    }
}

#[test]
fn a_case_of_many_studies_names_some_and_counts_the_rest() {
    let mut world = World::new();
    let ids: Vec<Vec<u8>> = (0..40).map(|number| vec![number; 16]).collect();
    for (number, id) in ids.iter().enumerate() {
        let study = Record::StudyReceived(StudyRecord {
            study: id.clone(),
            study_uid: format!("1.2.{number}"),
            patient: if number < 20 { "a" } else { "b" }.to_owned(),
            ..StudyRecord::default()
        });
        world.append(true, header(Kind::StudyReceived, Action::Create), study);
    }
    let case = |studies: Vec<Vec<u8>>| {
        Record::CaseOpened(CaseRecord {
            case: vec![9; 16],
            studies,
            ..CaseRecord::default()
        })
    };
    let opened = || header(Kind::CaseOpened, Action::Create);
    let all = world.append(true, opened(), case(ids.clone()));
    let mixed = world.append(true, opened(), case(vec![ids[0].clone(), ids[39].clone()]));
    let events = events(&disclosed(&mut world, true));
    let line = json(Form::JsonLines, &events[all as usize]);
    assert_eq!(line["studies"].as_array().map(Vec::len), Some(16));
    assert_eq!(
        (&line["studies_not_named"], &line["patient"]),
        (&24.into(), &"a".into())
    );
    // Two patients in one case are named by none of the two.
    let line = json(Form::JsonLines, &events[mixed as usize]);
    assert_eq!(line["patient"], Value::Null);
}

#[test]
fn the_oldest_are_forgotten_and_not_the_newest() {
    let mut held = super::super::held::Held::new();
    let case = |number: u32| number.to_be_bytes().to_vec();
    for number in 0..=HELD_MAX as u32 {
        held.record(&Record::CaseOpened(CaseRecord {
            case: case(number),
            ..CaseRecord::default()
        }));
    }
    assert!(held.case(&case(0)).is_none());
    assert!(held.case(&case(1)).is_some());
    assert!(held.case(&case(HELD_MAX as u32)).is_some());
}

#[test]
fn long_names_of_software_are_cut() {
    let mut world = World::new();
    let record = Record::NodeStopped(NodeRecord {
        software: "x".repeat(limits::ENTRY_MAX / 4),
        ..NodeRecord::default()
    });
    let index = world.append(true, header(Kind::NodeStopped, Action::Execute), record);
    let events = events(&disclosed(&mut world, true));
    let line = json(Form::JsonLines, &events[index as usize]);
    let software = line["software"].as_str().expect("a name");
    assert_eq!(software.chars().count(), 160);
}
