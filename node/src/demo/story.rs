//! One case from the PACS to the delivered report, and what is refused on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::pacs::{self, Study};
use super::process::Network;
use super::report::{Refusal, Step, Summary};
use super::web::Viewer;
use super::world::{HOSPITAL_A_AE, HOSPITAL_B_AE, Who};
use crate::control::wire::{Request, SectionText};
use crate::driver::clock;

/// How long one step of a case may take: a desk says again once a minute that it is on duty, and
/// a message that was lost is said again within a minute.
const STEP: Duration = Duration::from_secs(150);
/// How long a study's images may take to the desk: 1 GiB at 2 MiB/s, and a step.
const FETCH: Duration = Duration::from_secs(660);

/// The language in which hospital A wants its reports.
const LANGUAGE: &str = "de";

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

/// The play.
pub(super) struct Story<'a> {
    network: &'a Network,
    viewer: Viewer,
    summary: &'a mut Summary,
    began_ms: u64,
    /// Studies by the name that the hospital gives them.
    studies: BTreeMap<String, &'a Study>,
    read: BTreeSet<String>,
}

/// A lease that was read to its end.
struct Reading {
    fence: u64,
    claimed_ms: u64,
}

fn now_ms() -> u64 {
    clock::wall().unix_us / 1_000
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

impl<'a> Story<'a> {
    /// A play in a network that runs.
    pub(super) async fn new(
        network: &'a Network,
        summary: &'a mut Summary,
    ) -> anyhow::Result<Self> {
        let (url, token) = network.dicomweb(Who::Reader).await?;
        let viewer = Viewer::open(&url, &token)?;
        let (studies, read) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self {
            network,
            viewer,
            summary,
            began_ms: now_ms(),
            studies,
            read,
        })
    }

    /// Follows one study from its first image to the purge at the desk; the reader without a
    /// licence tries for it too.
    pub(super) async fn first(&mut self, study: &'a Study) -> anyhow::Result<()> {
        self.began_ms = now_ms();
        self.send(study).await?;
        let offer = self.offer().await?;
        self.unlicensed(&offer).await?;
        let Reading { fence, claimed_ms } = self.read(&offer).await?;
        for (step, into) in [("first-image", true), ("all-images", false)] {
            let reached = |event: &Value| text(event, "step") == step && event["fence"] == fence;
            let event = self
                .network
                .event(Who::Reader, step, (STEP, reached))
                .await?;
            let after = event["ms"]
                .as_u64()
                .unwrap_or_default()
                .saturating_sub(claimed_ms);
            match into {
                true => self.summary.first_image_ms = after,
                false => self.summary.all_images_ms = after,
            }
        }
        for who in [Who::HospitalA, Who::Reader, Who::Unlicensed] {
            self.take_steps(who).await?;
        }
        Ok(())
    }

    /// Sends the other studies, and reads each as its offer comes.
    pub(super) async fn others(&mut self, studies: &'a [Study]) -> anyhow::Result<()> {
        for study in studies {
            self.send(study).await?;
        }
        for _ in studies {
            let offer = self.offer().await?;
            self.read(&offer).await?;
        }
        Ok(())
    }

    /// Hospital B gets a study that must stay in its country.
    pub(super) async fn resident(&mut self, study: &Study) -> anyhow::Result<()> {
        const RULE: &str = "resident-stays-home";
        let to = self.network.dicom(Who::HospitalB).await?;
        pacs::send(study, HOSPITAL_B_AE, to).await?;
        let reader = self.network.world().node(Who::Reader)?.to_string();
        let event = self.refused(Who::HospitalB, &reader, RULE).await?;
        self.refusal(
            "a study of hospital B (KR) that must stay in its country, to a desk in DE",
            &event,
        );
        Ok(())
    }

    async fn send(&mut self, study: &'a Study) -> anyhow::Result<()> {
        let before = self.last(Who::HospitalA).await?;
        let to = self.network.dicom(Who::HospitalA).await?;
        pacs::send(study, HOSPITAL_A_AE, to).await?;
        let (objects, modality) = (study.instances.len(), &study.modality);
        self.step(
            "pacs",
            format!("sent and stored: {objects} {modality} objects"),
            study.bytes(),
        );
        let events = self
            .network
            .ask(Who::HospitalA, &Request::Events { since: before })
            .await?;
        let events = events["events"].as_array().context("no events")?;
        let stored = events
            .iter()
            .filter(|event| text(event, "step") == "stored");
        let names: BTreeSet<&str> = stored.map(|event| text(event, "study")).collect();
        let Some(name) = names.first().filter(|_| names.len() == 1) else {
            bail!("the hospital stored {} studies and got one", names.len());
        };
        self.studies.insert((*name).to_owned(), study);
        Ok(())
    }

    /// The number of a node's last event.
    async fn last(&self, who: Who) -> anyhow::Result<u64> {
        let events = self.network.ask(who, &Request::Events { since: 0 }).await?;
        let last = events["events"].as_array().and_then(|events| events.last());
        Ok(last
            .and_then(|event| event["seq"].as_u64())
            .unwrap_or_default())
    }

    /// The next offer at the desk that was not read yet.
    async fn offer(&self) -> anyhow::Result<String> {
        let fresh = |answer: &Value| {
            let offers = answer["offers"]
                .as_array()?
                .iter()
                .map(|offer| text(offer, "offer"));
            offers
                .into_iter()
                .find(|offer| !self.read.contains(*offer))
                .map(str::to_owned)
        };
        let waited = self
            .network
            .wait(Who::Reader, &Request::Offers {}, "an offer", (STEP, fresh));
        match waited.await {
            Ok(offer) => Ok(offer),
            Err(error) => Err(error.context(self.unoffered().await)),
        }
    }

    /// Why no offer comes, in the hospital's words.
    async fn unoffered(&self) -> String {
        let events = self
            .network
            .ask(Who::HospitalA, &Request::Events { since: 0 })
            .await;
        let events = events.unwrap_or_default();
        let none = Vec::new();
        let waits = events["events"].as_array().unwrap_or(&none).iter().rev();
        let waits = waits.filter(|event| ["study-waits", "refused"].contains(&text(event, "step")));
        let reasons: Vec<&str> = waits.map(|event| text(event, "reason")).take(4).collect();
        format!("hospital-a says: {}", reasons.join("; "))
    }

    /// Claims, fetches, compares, reports, closes.
    async fn read(&mut self, offer: &str) -> anyhow::Result<Reading> {
        self.read.insert(offer.to_owned());
        let claimed_ms = now_ms();
        let claim = Request::Claim {
            offer: offer.to_owned(),
            owner: None,
        };
        self.network.ask(Who::Reader, &claim).await?;
        let leased = |answer: &Value| {
            let mut leases = answer["leases"].as_array()?.iter();
            leases.find(|lease| text(lease, "offer") == offer)?["fence"].as_u64()
        };
        let wait = (STEP, leased);
        let fence = self
            .network
            .wait(Who::Reader, &Request::Leases {}, "a lease", wait)
            .await?;
        self.fetched(fence).await?;
        let (case, study) = self.case(fence).await?;
        let (objects, bytes) = self.viewer.compare(study).await?;
        self.summary.objects += objects;
        self.summary.bytes += bytes;
        self.step(
            "viewer",
            format!("compared over DICOMweb: {objects} objects, all equal"),
            bytes,
        );
        self.report(fence).await?;
        self.closed(&case).await?;
        // The desk forgets the lease when the hospital has acknowledged the purge.
        let gone = |answer: &Value| {
            let mut leases = answer["leases"].as_array()?.iter();
            (!leases.any(|lease| lease["fence"] == fence)).then_some(())
        };
        let wait = (STEP, gone);
        self.network
            .wait(Who::Reader, &Request::Leases {}, "the purge", wait)
            .await?;
        self.step(
            "reader",
            "images purged at the desk, acknowledged".to_owned(),
            0,
        );
        Ok(Reading { fence, claimed_ms })
    }

    async fn fetched(&self, fence: u64) -> anyhow::Result<()> {
        let ended = |event: &Value| {
            ["all-images", "fetch-failed"].contains(&text(event, "step")) && event["fence"] == fence
        };
        let event = self
            .network
            .event(Who::Reader, "all images", (FETCH, ended))
            .await?;
        match text(&event, "step") {
            "all-images" => Ok(()),
            _ => bail!("the desk could not fetch: {}", text(&event, "reason")),
        }
    }

    /// The case that was granted under this fence, and its study.
    async fn case(&self, fence: u64) -> anyhow::Result<(String, &'a Study)> {
        let cases = self.network.ask(Who::HospitalA, &Request::Cases {}).await?;
        let cases = cases["cases"].as_array().context("no cases")?;
        let case = cases.iter().find(|case| case["fence"] == fence);
        let case = case.context("the hospital has no case under this fence")?;
        let name = case["studies"][0].as_str().unwrap_or_default();
        let study = self
            .studies
            .get(name)
            .context("a case of a study that nobody sent")?;
        Ok((text(case, "case").to_owned(), *study))
    }

    async fn report(&mut self, fence: u64) -> anyhow::Result<()> {
        let section = |name: &str, text: &str| SectionText {
            name: name.into(),
            text: text.into(),
        };
        let request = Request::Report {
            fence,
            owner: None,
            template: "free-text".to_owned(),
            language: Some(LANGUAGE.to_owned()),
            sections: vec![
                section(
                    "findings",
                    "Demonstration. The images are complete and readable.",
                ),
                section("impression", "No statement about a patient."),
            ],
            is_final: true,
        };
        self.network.ask(Who::Reader, &request).await?;
        self.step("reader", "report signed".to_owned(), 0);
        Ok(())
    }

    /// Waits for the report's delivery; where nobody acknowledges it, a person closes the case.
    async fn closed(&mut self, case: &str) -> anyhow::Result<()> {
        let state = |states: &'static [&'static str]| {
            move |answer: &Value| {
                let mut cases = answer["cases"].as_array()?.iter();
                let case = cases.find(|found| text(found, "case") == case)?;
                let found = states.iter().find(|state| **state == text(case, "state"))?;
                Some(*found)
            }
        };
        let who = Who::HospitalA;
        let wait = (STEP, state(&["delivered", "closed"]));
        let reached = self
            .network
            .wait(who, &Request::Cases {}, "the delivery", wait)
            .await?;
        if reached == "delivered" {
            let reason = "the report is in the folder of the demo's PACS".to_owned();
            let close = Request::CaseClose {
                case: case.to_owned(),
                reason,
            };
            self.network.ask(who, &close).await?;
            let wait = (STEP, state(&["closed"]));
            self.network
                .wait(who, &Request::Cases {}, "the closing", wait)
                .await?;
        }
        self.step("hospital-a", "report delivered, case closed".to_owned(), 0);
        Ok(())
    }

    /// The reader without a licence: passed over when offers go out, and denied when it claims
    /// the other's.
    async fn unlicensed(&mut self, offer: &str) -> anyhow::Result<()> {
        const RULE: &str = "licence-required";
        let node = self.network.world().node(Who::Unlicensed)?.to_string();
        let passed = self.refused(Who::HospitalA, &node, RULE).await?;
        let owner = Some(self.network.world().node(Who::HospitalA)?.to_string());
        let claim = Request::Claim {
            offer: offer.to_owned(),
            owner,
        };
        self.network.ask(Who::Unlicensed, &claim).await?;
        let denied = |event: &Value| {
            text(event, "step") == "denied" && text(event, "offer") == offer && rules(event, RULE)
        };
        let denied = self
            .network
            .event(Who::Unlicensed, "a denial", (STEP, denied))
            .await?;
        anyhow::ensure!(rules(&passed, RULE), "passed over for another reason");
        self.refusal(
            "a claim by the reader without a licence, who was not asked either",
            &denied,
        );
        Ok(())
    }

    async fn refused(&self, who: Who, node: &str, rule: &str) -> anyhow::Result<Value> {
        let fits = |event: &Value| {
            text(event, "step") == "refused" && text(event, "node") == node && rules(event, rule)
        };
        self.network.event(who, "a refusal", (STEP, fits)).await
    }

    fn refusal(&mut self, what: &str, event: &Value) {
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
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.summary.refusals.push(refusal);
    }

    /// Adds a step of the demo's own.
    pub(super) fn step(&mut self, node: &'static str, step: String, bytes: u64) {
        let ms = now_ms().saturating_sub(self.began_ms);
        self.summary.timeline.push(Step {
            step,
            node,
            ms,
            bytes,
        });
    }

    /// Adds what a node's own timeline says since the beginning, in order of time.
    async fn take_steps(&mut self, who: Who) -> anyhow::Result<()> {
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
fn rules(event: &Value, rule: &str) -> bool {
    event["rules"]
        .as_array()
        .is_some_and(|rules| rules.iter().any(|named| named == rule))
}
