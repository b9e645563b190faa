//! An AuditEvent of FHIR R4 (4.0.1), and by the patterns of IHE's Basic Audit Log Patterns (BALP,
//! 3:5.7.3) where what happened is a create or a read.
//!
//! BALP wants who and where of both ends. What is sealed or not logged is said in FHIR's own way
//! (the extension data-absent-reason, `masked` or `unknown`). A pattern is claimed for success
//! alone: failures are recorded differently, BALP says. Its `data` slice takes every entity of type
//! 2, and may have one: the log entry and the grant are entities of type 4, other.

use serde_json::{Map, Value, json};

use super::event::Event;
use super::parties::{self, Party, Who};
use super::table::{About, Code, Rest};
use super::{details, dicom, text};

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const BALP: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

/// The resource.
pub(super) fn message(event: &Event) -> Value {
    let row = event.row();
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("resourceType", json!("AuditEvent"));
    put("meta", meta(event));
    let dicom = dcm(row.event);
    let mut subtypes = Vec::new();
    match row.rest {
        Some(rest) => {
            let system = "http://terminology.hl7.org/CodeSystem/audit-event-type";
            put("type", coding(system, ("rest", "Restful Operation")));
            let system = "http://hl7.org/fhir/restful-interaction";
            subtypes.push(coding(system, (rest.code(), rest.code())));
            subtypes.push(dicom);
        }
        None => {
            put("type", dicom);
        }
    }
    let more = row.detail.iter().copied().chain(dicom::emergency(event));
    subtypes.extend(more.map(dcm));
    let name = event.name();
    let words = name.replace('-', " ");
    subtypes.push(coding("urn:radmesh:kind", (&name, &words)));
    put("subtype", Value::Array(subtypes));
    put("action", json!(event.action()));
    put("recorded", json!(event.time()));
    put("outcome", json!(event.outcome()));
    if event.outcome() != "0" {
        let reason = event.opened.reason.as_deref();
        let words = reason.map_or_else(
            || event.outcome_name().to_owned(),
            |reason| format!("{}: {reason}", event.outcome_name()),
        );
        put("outcomeDesc", json!(words));
    }
    if !event.header.purpose.is_empty() {
        put("purposeOfEvent", json!([purpose(&event.header.purpose)]));
    }
    let agents = parties::of(event);
    let agents = agents.iter().map(|party| agent(party, row.rest));
    put("agent", Value::Array(agents.collect()));
    put("source", source(event));
    put("entity", Value::Array(entities(event)));
    Value::Object(out)
}

/// The pattern that is claimed, and the mark of what does not verify.
fn meta(event: &Event) -> Value {
    let standing = event.standing.name();
    let tag = json!([{ "system": "urn:radmesh:verification", "code": standing }]);
    let claimed = event.row().rest.filter(|_| event.outcome() == "0");
    let Some(rest) = claimed else {
        return json!({ "tag": tag });
    };
    let name = match (rest, event.opened.patient.is_some()) {
        (Rest::Create, false) => "Create",
        (Rest::Create, true) => "PatientCreate",
        (Rest::Read, false) => "Read",
        (Rest::Read, true) => "PatientRead",
    };
    json!({ "profile": [format!("{BALP}{name}")], "tag": tag })
}

fn coding(system: &str, (code, display): (&str, &str)) -> Value {
    json!({ "system": system, "code": code, "display": display })
}

fn dcm(code: Code) -> Value {
    coding(DCM, (code.code, code.text))
}

/// A purpose of use is a code of HL7 v3 ActReason; anything else is only text.
fn purpose(purpose: &str) -> Value {
    let is_code = purpose.len() <= 16 && purpose.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code {
        let system = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
        json!({ "coding": [{ "system": system, "code": purpose }] })
    } else {
        json!({ "text": purpose })
    }
}

/// Says in FHIR's way why something that must be there is not.
fn absent(who: &Who) -> Value {
    let why = if *who == Who::NotLogged {
        "unknown"
    } else {
        "masked"
    };
    json!({ "extension": [{ "url": ABSENT, "valueCode": why }] })
}

fn who(who: &Who) -> Value {
    let identified =
        |system: &str, value: &str| json!({ "identifier": { "system": system, "value": value } });
    match who {
        Who::Own(origin, organisation) => {
            let mut own = identified("urn:radmesh:log", origin);
            if !organisation.is_empty() {
                own["display"] = json!(organisation);
            }
            own
        }
        Who::Node(key) => identified("urn:radmesh:node", key),
        Who::Person(key) => identified("urn:radmesh:person", key),
        Who::System(name) => json!({ "display": name }),
        Who::Sealed | Who::NotLogged => absent(who),
    }
}

fn agent(party: &Party, rest: Option<Rest>) -> Value {
    let mut out = Map::new();
    // Of a person BALP wants what they are to the data: its author, or who receives it.
    let kind = match (party.role, rest) {
        (Some(role), _) => dcm(role.code()),
        (None, Some(Rest::Create)) => coding(PARTICIPATION, ("AUT", "author (originator)")),
        (None, Some(Rest::Read) | None) => coding(PARTICIPATION, ("IRCP", "information recipient")),
    };
    out.insert("type".to_owned(), json!({ "coding": [kind] }));
    out.insert("who".to_owned(), who(&party.who));
    out.insert("requestor".to_owned(), json!(party.asked));
    if party.role.is_some() {
        let network = match party.who.access_point() {
            // http://hl7.org/fhir/network-type: 5 is a URI.
            Some(point) => json!({ "address": point, "type": "5" }),
            None => absent(&party.who),
        };
        out.insert("network".to_owned(), network);
    }
    Value::Object(out)
}

fn source(event: &Event) -> Value {
    let own = Who::Own(event.place.origin.clone(), event.header.source.clone());
    let mut source = json!({ "observer": who(&own) });
    if !event.header.source.is_empty() {
        source["site"] = json!(event.header.source);
    }
    let system = "http://terminology.hl7.org/CodeSystem/security-source-type";
    source["type"] = json!([coding(system, ("4", "Application Server"))]);
    source
}

fn entities(event: &Event) -> Vec<Value> {
    let mut all = Vec::new();
    let about = event.row().about;
    if about != About::Node {
        all.push(data(event, about));
    }
    if let Some(patient) = &event.opened.patient {
        all.push(json!({
            "what": { "type": "Patient", "identifier": { "value": patient } },
            "type": coding(ENTITY_TYPE, ("1", "Person")),
            "role": coding(OBJECT_ROLE, ("1", "Patient")),
        }));
    }
    let details = details::of(event);
    let details = details
        .iter()
        .map(|(name, value)| json!({ "type": name, "valueString": value }));
    all.push(json!({
        "what": { "identifier": { "system": "urn:radmesh:log-entry", "value": event.entry() } },
        "type": coding(ENTITY_TYPE, ("4", "Other")),
        "name": "Log entry",
        "detail": details.collect::<Vec<_>>(),
    }));
    if !event.header.grant_hash.is_empty() {
        let hash = text::hex(&details::cut(&event.header.grant_hash));
        all.push(json!({
            "what": { "identifier": { "system": "urn:radmesh:grant", "value": hash } },
            "type": coding(ENTITY_TYPE, ("4", "Other")),
            "name": "Grant",
        }));
    }
    all
}

/// The one entity for what was created or read: the study, a case of several, a report.
fn data(event: &Event, about: About) -> Value {
    let opened = &event.opened;
    let identified =
        |system: &str, value: &str| json!({ "identifier": { "system": system, "value": value } });
    let what = match (
        about,
        &opened.report,
        opened.studies.as_slice(),
        &opened.case,
    ) {
        (About::Report, Some(report), _, _) => identified("urn:radmesh:report", report),
        (_, _, [study], _) if opened.more_studies == 0 => {
            identified("urn:dicom:uid", &format!("urn:oid:{study}"))
        }
        (_, _, _, Some(case)) => identified("urn:radmesh:case", case),
        (_, _, _, None) if event.sealed.is_empty() => absent(&Who::NotLogged),
        (_, _, _, None) => absent(&Who::Sealed),
    };
    let role = match about {
        About::Report => ("3", "Report"),
        About::Node | About::Study => ("4", "Domain Resource"),
    };
    let mut data = json!({
        "what": what,
        "type": coding(ENTITY_TYPE, ("2", "System Object")),
        "role": coding(OBJECT_ROLE, role),
    });
    let studies = opened.studies.iter();
    let studies = studies.map(|uid| json!({ "type": "study", "valueString": uid }));
    let studies: Vec<Value> = studies.collect();
    if !studies.is_empty() {
        data["detail"] = Value::Array(studies);
    }
    data
}
