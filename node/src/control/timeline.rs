//! The node's recent past, for people and the demo: a bounded ring of steps without patient data.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};

/// Steps kept: some hours of a busy node; an older one is in the log.
const STEPS_MAX: usize = 4_096;

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Its number, from 1; never reused while the node runs.
    pub seq: u64,
    /// Milliseconds since 1970, UTC.
    pub ms: u64,
    /// What happened.
    pub step: &'static str,
    /// Details; nothing here names a patient.
    #[serde(flatten)]
    pub detail: Map<String, Value>,
    /// Bytes that moved, where some did.
    pub bytes: u64,
}

#[derive(Default)]
struct Ring {
    last: u64,
    steps: VecDeque<Step>,
}

/// The ring; clones share it.
#[derive(Clone, Default)]
pub struct Timeline(Arc<Mutex<Ring>>);

impl Timeline {
    /// Notes a step. `detail` is an object; other JSON is kept under `detail`.
    pub fn note(&self, step: &'static str, bytes: u64, detail: Value) {
        let ms = crate::driver::clock::wall().unix_us / 1_000;
        let detail = match detail {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Map::from_iter([("detail".to_owned(), other)])
            }
        };
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.last += 1;
        let seq = ring.last;
        if ring.steps.len() == STEPS_MAX {
            ring.steps.pop_front();
        }
        ring.steps.push_back(Step {
            seq,
            ms,
            step,
            detail,
            bytes,
        });
    }

    /// The steps after number `since`, oldest first.
    #[must_use]
    pub fn since(&self, since: u64) -> Vec<Step> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.steps
            .iter()
            .filter(|step| step.seq > since)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_ring_is_bounded_and_numbers_go_on() {
        let timeline = Timeline::default();
        for _ in 0..STEPS_MAX + 3 {
            timeline.note("step", 0, Value::Null);
        }
        let steps = timeline.since(0);
        assert_eq!(steps.len(), STEPS_MAX);
        assert_eq!(steps.first().map(|step| step.seq), Some(4));
        timeline.note("last", 7, json!({ "state": "open" }));
        let after = timeline.since(STEPS_MAX as u64 + 3);
        assert_eq!(after.len(), 1);
        assert_eq!(
            (after[0].bytes, after[0].detail["state"].as_str()),
            (7, Some("open"))
        );
    }
}
