//! What the play tells: its own steps, those of the nodes, and refusals.

use anyhow::Context as _;
use serde_json::Value;

use super::{Story, now_ms, text};
use crate::control::wire::Request;
use crate::demo::report::{Refusal, Step};
use crate::demo::world::Who;

/// Steps of the nodes' own timelines that are shown.
const SHOWN: [&str; 12] = [
    "case",
    "offer",
    "prepared",
    "granted",
    "lease",
    "fetch",
    "first-image",
    "all-images",
    "served",
    "purged",
    "refused",
    "denied",
];

impl Story<'_> {
    pub(super) fn refusal(&mut self, what: &str, event: &Value) {
        let named = event["rules"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let named: Vec<&str> = named.iter().filter_map(Value::as_str).collect();
        let reason = format!("{} [{}]", text(event, "reason"), named.join(", "));
        self.summary.refusals.push(Refusal {
            what: what.to_owned(),
            reason,
        });
    }

    /// Adds a refusal that was seen elsewhere.
    pub(in crate::demo) fn refuse(&mut self, refusal: Refusal) {
        self.summary.refusals.push(refusal);
    }

    /// Adds a step of the demo's own.
    pub(in crate::demo) fn step(&mut self, node: &'static str, step: String, bytes: u64) {
        let ms = now_ms().saturating_sub(self.began_ms);
        self.summary.timeline.push(Step {
            step,
            node,
            ms,
            bytes,
        });
    }

    /// Adds what a node's own timeline says since the beginning, in order of time.
    pub(super) async fn take_steps(&mut self, who: Who) -> anyhow::Result<()> {
        let events = self.network.ask(who, &Request::Events { since: 0 }).await?;
        for event in events["events"].as_array().context("no events")? {
            let (name, ms) = (
                text(event, "step"),
                event["ms"].as_u64().unwrap_or_default(),
            );
            if !SHOWN.contains(&name) || ms < self.began_ms {
                continue;
            }
            let state = text(event, "state");
            let step = format!("{name} {state}").trim_end().to_owned();
            let (ms, bytes) = (
                ms - self.began_ms,
                event["bytes"].as_u64().unwrap_or_default(),
            );
            let node = who.name();
            match self.summary.timeline.last_mut() {
                // The files of a release are one step, at the time of the last.
                Some(last) if name == "served" && last.step == name && last.node == node => {
                    last.ms = ms;
                    last.bytes += bytes;
                }
                Some(_) | None => self.summary.timeline.push(Step {
                    step,
                    node,
                    ms,
                    bytes,
                }),
            }
        }
        self.summary.timeline.sort_by_key(|step| step.ms);
        Ok(())
    }
}

/// Whether an event names a rule.
pub(super) fn rules(event: &Value, rule: &str) -> bool {
    event["rules"]
        .as_array()
        .is_some_and(|rules| rules.iter().any(|named| named == rule))
}
