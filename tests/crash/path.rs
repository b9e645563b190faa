//! The people on a case's path: who claims and reports at the reader's desk, who closes at the
//! hospital; and what must hold at the path's end.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::book::{self, Seen};
use crate::net::{Net, Node};
use crate::sent::Sender;
use crate::world::Who;

/// What the people did so far.
#[derive(Debug, Default)]
pub struct People {
    claims: Vec<String>,
    reported: BTreeSet<u64>,
    closing: Option<String>,
}

/// The step that the hospital has answered that it closes a case.
pub const CLOSED: &str = "closed";

/// Hears the name of each step when it is seen.
pub type Reached<'a> = &'a (dyn Fn(&str) + Sync);

impl People {
    /// Claims what is offered, reports what is fetched, closes what is delivered, once: whether
    /// every case is closed and the desk holds nothing.
    pub fn look(&mut self, net: &Net<'_>, reached: Reached<'_>) -> Result<bool> {
        let closed = self.cases(&net.hospital, reached)?;
        Ok(self.desk(&net.reader, reached)? && closed)
    }

    /// The hospital's side: whether all cases are closed. It may be down.
    fn cases(&mut self, hospital: &Node<'_>, reached: Reached<'_>) -> Result<bool> {
        let Ok(answer) = hospital.ask(&json!({ "cmd": "cases" })) else {
            return Ok(false);
        };
        let cases = answer["cases"].as_array().context("no cases")?;
        let mut closed = !cases.is_empty();
        for case in cases {
            reached("case");
            let (state, case) = (&case["state"], &case["case"]);
            ensure!(*state != "cancelled", "nobody cancelled a case");
            if *state == "delivered" {
                reached("delivered");
                let request = json!({ "cmd": "case-close", "case": case, "reason": "read" });
                // The hospital may die under it: it is asked again.
                let asked = hospital.ask(&request);
                if asked.is_ok() {
                    reached(CLOSED);
                }
                self.closing = asked.err().map(|error| format!("{error:#}"));
                reached("closing");
            }
            closed &= *state == "closed";
        }
        Ok(closed)
    }

    /// The desk's side, which is up all the time: whether it holds nothing.
    fn desk(&mut self, reader: &Node<'_>, reached: Reached<'_>) -> Result<bool> {
        let offers = reader.ask(&json!({ "cmd": "offers" }))?;
        for offer in offers["offers"].as_array().context("no offers")? {
            reached("offer");
            // What was denied for a while is offered again, and claimed again.
            if offer["state"] == "seen" {
                let request = json!({ "cmd": "claim", "offer": offer["offer"] });
                let asked = reader.ask(&request);
                self.claims.push(format!("{offer} {asked:?}"));
                reached("claimed");
            }
        }
        let leases = reader.ask(&json!({ "cmd": "leases" }))?;
        let leases = leases["leases"].as_array().context("no leases")?;
        for lease in leases {
            let Some(fence) = lease["fence"].as_u64() else {
                continue;
            };
            reached("leased");
            if !self.reported.contains(&fence) && fetched(reader, fence)? {
                reached("fetched");
                reader.ask(&report(fence))?;
                self.reported.insert(fence);
                reached("reported");
            }
        }
        Ok(leases.is_empty())
    }

    /// Where everything stands, for a failure.
    pub fn picture(&self, net: &Net<'_>) -> String {
        let mut text = format!("{self:?}\n");
        for (node, questions) in [
            (&net.hospital, ["status", "cases", "studies", "events"]),
            (&net.reader, ["status", "offers", "leases", "events"]),
        ] {
            for cmd in questions {
                text += &format!("{cmd}: {:?}\n", node.ask(&json!({ "cmd": cmd })));
            }
        }
        text
    }
}

fn fetched(reader: &Node<'_>, fence: u64) -> Result<bool> {
    let events = reader.ask(&json!({ "cmd": "events" }))?;
    let events = events["events"].as_array().context("no events")?;
    let whole = |event: &Value| event["step"] == "all-images" && event["fence"] == fence;
    Ok(events.iter().any(whole))
}

fn report(fence: u64) -> Value {
    json!({
        "cmd": "report", "fence": fence, "template": "free-text", "language": "de", "final": true,
        "sections": [
            { "name": "findings", "text": "Test. The images are complete and readable." },
            { "name": "impression", "text": "No statement about a patient." },
        ],
    })
}

/// What must hold when every case is closed. Stops everybody.
pub fn check(net: &Net<'_>, sender: &Sender, seen: &[Seen]) -> Result<()> {
    let archived = book::export(net)?;
    for checkpoint in seen {
        checkpoint.continues(&archived)?;
    }
    for node in [&net.reader, &net.hospital, &net.witness] {
        node.stop_well()?;
    }
    let data = net.world.data(Who::Hospital);
    let cases = book::cases(net.world, &data)?.closed()?;
    ensure!(cases > 0, "no case");
    let reports = std::fs::read_dir(net.world.reports())?.count();
    ensure!(reports >= cases, "{reports} reports of {cases} cases");
    sender.compare(net.world, &data, &sender.acknowledged)
}
