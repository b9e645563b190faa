//! A DICOM audit message, exactly in the schema of PS3.15 A.5.1 (2025e): the order of elements, the
//! names of attributes, and either a name or a query for every object.
//!
//! The message is one line: a line end in a value is not possible, see [`super::text::line`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::event::Event;
use super::parties::{self, Party, Who};
use super::table::{About, Code, DCM, OVERRIDE, RADMESH, Rest, STUDY_UID};
use super::{details, text};

/// RFC 3881's own codes, as PS3.15 A.5.1.2.4 names them.
const RFC_3881: &str = "RFC-3881";
/// AuditSourceTypeCode: application server process.
const APPLICATION_SERVER: &str = "4";
/// NetworkAccessPointTypeCode and the participant's address: a URI.
const URI: &str = "5";

/// The message.
pub(super) fn message(event: &Event) -> String {
    let mut xml = Xml(r#"<?xml version="1.0" encoding="UTF-8"?><AuditMessage>"#.to_owned());
    identification(&mut xml, event);
    for party in parties::of(event) {
        participant(&mut xml, &party);
    }
    let source = [
        ("AuditEnterpriseSiteID", event.header.source.as_str()),
        ("AuditSourceID", &event.place.origin),
    ];
    xml.open("AuditSourceIdentification", &source);
    xml.empty("AuditSourceTypeCode", &[("csd-code", APPLICATION_SERVER)]);
    xml.close("AuditSourceIdentification");
    objects(&mut xml, event);
    log_entry(&mut xml, event);
    xml.close("AuditMessage");
    xml.0
}

fn identification(xml: &mut Xml, event: &Event) {
    let row = event.row();
    let time = event.time();
    let of = [
        ("EventActionCode", event.action()),
        ("EventDateTime", &time),
        ("EventOutcomeIndicator", event.outcome()),
    ];
    xml.open("EventIdentification", &of);
    xml.code("EventID", (row.event.code, DCM, row.event.text));
    for code in row.detail.iter().chain(emergency(event).iter()) {
        xml.code("EventTypeCode", (code.code, DCM, code.text));
    }
    let name = event.name();
    let words = name.replace('-', " ");
    xml.code("EventTypeCode", (&name, RADMESH, &words));
    if event.outcome() != "0" {
        xml.open("EventOutcomeDescription", &[]);
        xml.text(event.outcome_name());
        if let Some(reason) = &event.opened.reason {
            xml.text(": ");
            xml.text(reason);
        }
        xml.close("EventOutcomeDescription");
    }
    xml.close("EventIdentification");
}

/// The code of an emergency override, for an entry with that flag.
pub(super) fn emergency(event: &Event) -> Option<Code> {
    event.header.emergency.then_some(OVERRIDE)
}

fn participant(xml: &mut Xml, party: &Party) {
    let mut of = vec![("UserID", party.who.id())];
    if let Who::Own(_, organisation) = &party.who
        && !organisation.is_empty()
    {
        of.push(("UserName", organisation));
    }
    of.push((
        "UserIsRequestor",
        if party.asked { "true" } else { "false" },
    ));
    let point = party.who.access_point();
    if let Some(point) = &point {
        of.push(("NetworkAccessPointID", point));
        of.push(("NetworkAccessPointTypeCode", URI));
    }
    match party.role {
        Some(role) => {
            xml.open("ActiveParticipant", &of);
            xml.code("RoleIDCode", (role.code().code, DCM, role.code().text));
            xml.close("ActiveParticipant");
        }
        None => xml.empty("ActiveParticipant", &of),
    }
}

/// The studies and the patient, where they are opened.
fn objects(xml: &mut Xml, event: &Event) {
    let row = event.row();
    if row.about == About::Node {
        return;
    }
    // PS3.15 A.5.1.2.3: 1 origination, 6 access or use.
    let stage = match row.rest {
        Some(Rest::Create) => "1",
        Some(Rest::Read) | None => "6",
    };
    for study in &event.opened.studies {
        let of = [
            ("ParticipantObjectID", study.as_str()),
            ("ParticipantObjectTypeCode", "2"),
            ("ParticipantObjectTypeCodeRole", "3"),
            ("ParticipantObjectDataLifeCycle", stage),
        ];
        xml.open("ParticipantObjectIdentification", &of);
        let id = (STUDY_UID.code, DCM, STUDY_UID.text);
        xml.code("ParticipantObjectIDTypeCode", id);
        xml.name("Study");
        xml.close("ParticipantObjectIdentification");
    }
    if let Some(patient) = &event.opened.patient {
        let of = [
            ("ParticipantObjectID", patient.as_str()),
            ("ParticipantObjectTypeCode", "1"),
            ("ParticipantObjectTypeCodeRole", "1"),
        ];
        xml.open("ParticipantObjectIdentification", &of);
        let id = ("2", RFC_3881, "Patient Number");
        xml.code("ParticipantObjectIDTypeCode", id);
        xml.name("Patient");
        xml.close("ParticipantObjectIdentification");
    }
}

/// Where the entry stands, with everything that has no place of its own; and the grant.
fn log_entry(xml: &mut Xml, event: &Event) {
    let entry = event.entry();
    let of = [
        ("ParticipantObjectID", entry.as_str()),
        ("ParticipantObjectTypeCode", "2"),
        ("ParticipantObjectTypeCodeRole", "13"),
    ];
    xml.open("ParticipantObjectIdentification", &of);
    let id = ("log-entry", RADMESH, "Log origin and index");
    xml.code("ParticipantObjectIDTypeCode", id);
    xml.name("Log entry");
    for (name, value) in details::of(event) {
        let value = STANDARD.encode(value);
        let pair = [("type", name), ("value", value.as_str())];
        xml.empty("ParticipantObjectDetail", &pair);
    }
    xml.close("ParticipantObjectIdentification");
    if !event.header.grant_hash.is_empty() {
        let hash = text::hex(&details::cut(&event.header.grant_hash));
        let of = [
            ("ParticipantObjectID", hash.as_str()),
            ("ParticipantObjectTypeCode", "2"),
            ("ParticipantObjectTypeCodeRole", "13"),
        ];
        xml.open("ParticipantObjectIdentification", &of);
        let id = ("grant", RADMESH, "SHA-256 of the grant");
        xml.code("ParticipantObjectIDTypeCode", id);
        xml.name("Grant");
        xml.close("ParticipantObjectIdentification");
    }
}

/// XML being written.
struct Xml(String);

impl Xml {
    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0.push('<');
        self.0 += name;
        for (attribute, value) in attributes {
            self.0.push(' ');
            self.0 += attribute;
            self.0 += "=\"";
            self.text(value);
            self.0.push('"');
        }
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.0.push('>');
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.0 += "/>";
    }

    fn close(&mut self, name: &str) {
        self.0 += "</";
        self.0 += name;
        self.0.push('>');
    }

    fn code(&mut self, element: &str, (code, scheme, meaning): (&str, &str, &str)) {
        let of = [
            ("csd-code", code),
            ("codeSystemName", scheme),
            ("originalText", meaning),
        ];
        self.empty(element, &of);
    }

    fn name(&mut self, name: &str) {
        self.open("ParticipantObjectName", &[]);
        self.text(name);
        self.close("ParticipantObjectName");
    }

    fn text(&mut self, value: &str) {
        for c in value.chars() {
            match c {
                '&' => self.0 += "&amp;",
                '<' => self.0 += "&lt;",
                '>' => self.0 += "&gt;",
                '"' => self.0 += "&quot;",
                '\'' => self.0 += "&apos;",
                other => self.0.push(other),
            }
        }
    }
}
