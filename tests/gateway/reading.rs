//! The desk: claims what is offered, fetches it, lets pydicom and dicomweb-client compare it,
//! reports, and goes on until nothing is left.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::Network;
use serde_json::{Value, json};

/// A message that was lost is said again within a minute.
const STEP: Duration = Duration::from_secs(150);
/// All images of some studies to the desk, or into Python and back.
const FETCH: Duration = Duration::from_secs(300);
/// Cases read at the same time: the demo's desk has 16 slots.
const AT_ONCE: usize = 8;
/// The desk.
const READER: &str = "reader";

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Instances.
    pub instances: usize,
    /// Frames of those with pixels.
    pub frames: usize,
}

/// Reads cases until `instances` of the folder's files have been compared.
pub fn read_all(network: &Network, folder: &Path, instances: usize) -> Result<Compared> {
    let (mut read, mut total) = (BTreeSet::new(), Compared::default());
    while total.instances < instances {
        let offers = offers(network, &read)?;
        let mut fences = Vec::new();
        for offer in offers {
            fences.push(claim(network, &offer)?);
            read.insert(offer);
        }
        for fence in &fences {
            fetched(network, *fence)?;
        }
        let compared = compare(network, folder)?;
        total.instances += compared.instances;
        total.frames += compared.frames;
        for fence in fences {
            report(network, fence)?;
        }
    }
    Ok(total)
}

/// The offers at the desk that were not read yet; there is at least one.
fn offers(network: &Network, read: &BTreeSet<String>) -> Result<Vec<String>> {
    network.wait(READER, &json!({ "cmd": "offers" }), STEP, |answer| {
        let offers = answer["offers"].as_array()?.iter();
        let offers = offers.filter_map(|offer| offer["offer"].as_str());
        let fresh = offers.filter(|offer| !read.contains(*offer));
        let fresh: Vec<String> = fresh.take(AT_ONCE).map(str::to_owned).collect();
        (!fresh.is_empty()).then_some(fresh)
    })
}

/// Claims an offer and gives the fence of the lease.
fn claim(network: &Network, offer: &str) -> Result<u64> {
    network.ask(READER, &json!({ "cmd": "claim", "offer": offer }))?;
    network.wait(READER, &json!({ "cmd": "leases" }), STEP, |answer| {
        let mut leases = answer["leases"].as_array()?.iter();
        leases.find(|lease| lease["offer"] == offer)?["fence"].as_u64()
    })
}

/// Waits until all images of a lease are at the desk.
fn fetched(network: &Network, fence: u64) -> Result<()> {
    let ends = ["all-images", "fetch-failed"];
    let event = network.wait(READER, &json!({ "cmd": "events" }), FETCH, |answer| {
        let mut events = answer["events"].as_array()?.iter();
        let ended = |event: &&Value| {
            let step = event["step"].as_str().unwrap_or_default();
            ends.contains(&step) && event["fence"] == fence
        };
        events.find(ended).cloned()
    })?;
    ensure!(event["step"] == "all-images", "{event}");
    Ok(())
}

/// Has Python compare all that the desk shows with the folder's files.
fn compare(network: &Network, folder: &Path) -> Result<Compared> {
    let (url, token) = network.dicomweb(READER)?;
    let mut command = Command::new(harness::python()?);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway/compare.py"))
        .arg(url)
        .arg(token)
        .arg(folder);
    let output = harness::run(&mut command, network.folder(), FETCH)?;
    let told = format!("{}\n{}", output.stdout, output.stderr);
    ensure!(output.status.success(), "{}: {told}", output.status);
    let line = output.stdout.lines().last().unwrap_or_default();
    let numbers = line.split(|c: char| !c.is_ascii_digit());
    let numbers: Vec<usize> = numbers.filter_map(|number| number.parse().ok()).collect();
    match numbers[..] {
        [instances, frames] => Ok(Compared { instances, frames }),
        _ => Err(anyhow::anyhow!("no counts: {told}")),
    }
}

/// Reports, and waits until the desk has purged the images.
fn report(network: &Network, fence: u64) -> Result<()> {
    let report = json!({
        "cmd": "report", "fence": fence, "template": "free-text", "final": true,
        "sections": [
            { "name": "findings", "text": "The images were compared with what was sent." },
            { "name": "impression", "text": "No statement about a patient." },
        ],
    });
    network.ask(READER, &report)?;
    let cases = json!({ "cmd": "cases" });
    let case = network.wait("hospital-a", &cases, STEP, |answer| {
        let mut cases = answer["cases"].as_array()?.iter();
        let case = cases.find(|case| case["fence"] == fence)?;
        (case["state"] == "delivered").then(|| case["case"].clone())
    });
    let case = case.context("the report was not delivered")?;
    let close = json!({ "cmd": "case-close", "case": case, "reason": "compared" });
    network.ask("hospital-a", &close)?;
    let gone = |answer: &Value| {
        let mut leases = answer["leases"].as_array()?.iter();
        (!leases.any(|lease| lease["fence"] == fence)).then_some(())
    };
    let purged = network.wait(READER, &json!({ "cmd": "leases" }), STEP, gone);
    purged.context("the desk did not purge")
}
