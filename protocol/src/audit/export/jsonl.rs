//! One JSON object with everything that the event has, in our own words; `null` where an entry has
//! nothing, and the names of what is sealed.

use serde_json::{Map, Value, json};

use super::event::Event;
use super::parties::{self, Party, Who};
use super::{details, text};

/// The object.
pub(super) fn message(event: &Event) -> Value {
    let mut all = Map::new();
    for part in [place(event), happened(event), clear(event), opened(event)] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}

/// Where the entry stands, and what that is worth.
fn place(event: &Event) -> Value {
    json!({
        "version": 1,
        "verification": event.standing.name(),
        "entry": event.entry(),
        "origin": event.place.origin,
        "index": event.place.index,
        "leaf": event.place.leaf.to_hex(),
    })
}

/// What happened, when, and between whom.
fn happened(event: &Event) -> Value {
    let row = event.row();
    json!({
        "time": event.time(),
        "time_us": event.header.time_us,
        "uncertainty_us": event.header.uncertainty_us,
        "kind": event.name(),
        "kind_number": event.header.kind,
        "action": event.logged_action(),
        "outcome": event.outcome_name(),
        "dicom": {
            "event": row.event.code,
            "meaning": row.event.text,
            "action": event.action(),
            "outcome": event.outcome(),
            "clause": format!("PS3.15 {}", row.clause),
        },
        "participants": parties::of(event).iter().map(participant).collect::<Vec<_>>(),
    })
}

/// The rest of the clear header.
fn clear(event: &Event) -> Value {
    let header = &event.header;
    let text = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    let digest = |bytes: &[u8]| text(&text::hex(&details::cut(bytes)));
    json!({
        "organisation": text(&header.source),
        "from_country": text(&header.from_country),
        "to_country": text(&header.to_country),
        "legal_role": text(&header.legal_role),
        "basis": text(&header.basis),
        "purpose": text(&header.purpose),
        "policy": digest(&header.policy_hash),
        "rules": text(&header.rules.join(" ")),
        "revocation_list": header.revocation_version,
        "urgency": text(details::urgency(event)),
        "emergency": header.emergency,
        "bytes_at_most": details::at_most(header.bytes_bucket),
        "instances_at_most": details::at_most(header.instances_bucket),
        "grant": digest(&header.grant_hash),
    })
}

/// What is opened, and what is sealed.
fn opened(event: &Event) -> Value {
    let opened = &event.opened;
    json!({
        "person": opened.person,
        "credential": opened.credential,
        "peer": opened.peer,
        "patient": opened.patient,
        "studies": opened.studies,
        "studies_not_named": opened.more_studies,
        "case": opened.case,
        "bytes": opened.counts.map(|counts| counts.0),
        "instances": opened.counts.map(|counts| counts.1),
        "purged": opened.purged,
        "report": opened.report,
        "destination": opened.destination,
        "software": opened.software,
        "reason": opened.reason,
        "sealed": event.sealed,
    })
}

fn participant(party: &Party) -> Value {
    let (what, id) = match &party.who {
        Who::Own(origin, _) => ("this-node", Some(origin)),
        Who::Node(key) => ("node", Some(key)),
        Who::Person(key) => ("person", Some(key)),
        Who::System(name) => ("system", Some(name)),
        Who::Sealed => ("sealed", None),
        Who::NotLogged => ("not-logged", None),
    };
    json!({
        "what": what,
        "id": id,
        "role": party.role.map(|role| role.code().text),
        "requestor": party.asked,
    })
}
