//! The core's events, as steps of the timeline and lines of the log of what goes on.

use protocol::io::Event;
use serde_json::json;

use crate::control::timeline::Timeline;

/// Notes one event.
pub(super) fn tell(timeline: &Timeline, event: &Event) {
    tracing::info!(?event, "event");
    let (step, detail) = match event {
        Event::CaseState { case, state } => {
            ("case", json!({ "case": case.to_string(), "state": state }))
        }
        Event::StudyWaits { study, reason } => (
            "study-waits",
            json!({ "study": study.to_string(), "reason": reason }),
        ),
        Event::Refused {
            case,
            node,
            rules,
            reason,
        } => (
            "refused",
            json!({ "case": case.to_string(), "node": node.to_string(), "rules": rules,
                    "reason": reason }),
        ),
        Event::Granted { case, fence, node } => (
            "granted",
            json!({ "case": case.to_string(), "fence": fence.0, "node": node.to_string() }),
        ),
        Event::OfferState {
            offer,
            state,
            owner,
            urgency,
        } => (
            "offer",
            json!({ "offer": offer.to_string(), "state": state, "owner": owner.to_string(),
                    "urgency": urgency.name() }),
        ),
        Event::Denied {
            offer,
            rules,
            reason,
        } => (
            "denied",
            json!({ "offer": offer.to_string(), "rules": rules, "reason": reason }),
        ),
        Event::GrantRefused { offer, reason } => (
            "grant-refused",
            json!({ "offer": offer.to_string(), "reason": reason }),
        ),
        Event::LeaseState {
            fence,
            owner,
            state,
        } => (
            "lease",
            json!({ "fence": fence.0, "owner": owner.to_string(), "state": state }),
        ),
    };
    timeline.note(step, 0, detail);
}
