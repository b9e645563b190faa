//! Worklists as JSON. Nothing here names a patient.

use serde_json::{Value, json};

use crate::driver::{CaseView, LeaseView, OfferView};

/// A case.
#[must_use]
pub fn case(view: &CaseView) -> Value {
    json!({
        "case": view.case.to_string(),
        "state": view.state,
        "studies": view.studies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "fence": view.fence.map(|fence| fence.0),
        "reader": view.reader.map(|node| node.to_string()),
        "urgency": view.urgency.name(),
        "deadline_us": view.deadline_us,
    })
}

/// An offer.
#[must_use]
pub fn offer(view: &OfferView) -> Value {
    json!({
        "offer": view.offer.to_string(),
        "owner": view.owner.to_string(),
        "state": view.state,
        "modality": view.content.modality,
        "body_part": view.content.body_part,
        "subspecialty": view.content.subspecialty,
        "report_language": view.content.report_language,
        "jurisdiction": view.content.jurisdiction,
        "slack_us": view.content.slack_us,
        "urgency": view.urgency.name(),
    })
}

/// A lease.
#[must_use]
pub fn lease(view: &LeaseView) -> Value {
    json!({
        "fence": view.fence.0,
        "owner": view.owner.to_string(),
        "offer": view.offer.to_string(),
        "state": view.state,
    })
}
