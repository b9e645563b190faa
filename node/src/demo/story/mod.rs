//! One case from the PACS to the delivered report, and what is refused on the way.

mod reading;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::control::wire::Request;
use crate::demo::pacs::{self, Study};
use crate::demo::process::Network;
use crate::demo::report::Summary;
use crate::demo::web::Viewer;
use crate::demo::world::{HOSPITAL_A_AE, HOSPITAL_B_AE, Who};
use crate::driver::clock;
use reading::Reading;
use steps::rules;

/// How long one step of a case may take: a desk says again once a minute that it is on duty, and
/// a message that was lost is said again within a minute.
const STEP: Duration = Duration::from_secs(150);

/// The play.
pub(in crate::demo) struct Story<'a> {
    network: &'a Network,
    viewer: Viewer,
    summary: &'a mut Summary,
    began_ms: u64,
    /// Studies by the name that the hospital gives them.
    studies: BTreeMap<String, Study>,
    read: BTreeSet<String>,
}

fn now_ms() -> u64 {
    clock::wall().unix_us / 1_000
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

impl<'a> Story<'a> {
    /// A play in a network that runs.
    pub(in crate::demo) async fn new(
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
    pub(in crate::demo) async fn first(&mut self, study: &Study) -> anyhow::Result<()> {
        self.began_ms = now_ms();
        let refused = self.send(study).await?;
        ensure!(
            refused.is_empty(),
            "the hospital refuses the CT: {refused:?}"
        );
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

    /// Sends the other studies, and reads each as its offer comes. Gives what the hospital refused.
    pub(in crate::demo) async fn others(
        &mut self,
        studies: &[Study],
    ) -> anyhow::Result<Vec<(PathBuf, String)>> {
        let (mut refused, mut stored) = (Vec::new(), 0);
        for study in studies {
            let of_study = self.send(study).await?;
            stored += usize::from(of_study.len() < study.instances.len());
            refused.extend(of_study);
        }
        for _ in 0..stored {
            let offer = self.offer().await?;
            self.read(&offer).await?;
        }
        Ok(refused)
    }

    /// Hospital B gets a study that must stay in its country.
    pub(in crate::demo) async fn resident(&mut self, study: &Study) -> anyhow::Result<()> {
        const RULE: &str = "resident-stays-home";
        let to = self.network.dicom(Who::HospitalB).await?;
        let (_, refused) = pacs::send(study, HOSPITAL_B_AE, to).await?;
        ensure!(
            refused.is_empty(),
            "hospital B refuses the study: {refused:?}"
        );
        let reader = self.network.world().node(Who::Reader)?.to_string();
        let event = self.refused(Who::HospitalB, &reader, RULE).await?;
        self.refusal(
            "a study of hospital B (KR) that must stay in its country, to a desk in DE",
            &event,
        );
        Ok(())
    }

    /// Sends a study to hospital A. Gives what it refused.
    async fn send(&mut self, study: &Study) -> anyhow::Result<Vec<(PathBuf, String)>> {
        let before = self.last(Who::HospitalA).await?;
        let to = self.network.dicom(Who::HospitalA).await?;
        let (stored, refused) = pacs::send(study, HOSPITAL_A_AE, to).await?;
        if stored.instances.is_empty() {
            return Ok(refused);
        }
        let modalities: Vec<&str> = stored.modalities.iter().map(String::as_str).collect();
        let (objects, modality) = (stored.instances.len(), modalities.join("/"));
        self.step(
            "pacs",
            format!("sent and stored: {objects} {modality} objects"),
            stored.bytes(),
        );
        let events = self
            .network
            .ask(Who::HospitalA, &Request::Events { since: before })
            .await?;
        let events = events["events"].as_array().context("no events")?.iter();
        let events = events.filter(|event| text(event, "step") == "stored");
        let names: BTreeSet<&str> = events.map(|event| text(event, "study")).collect();
        let Some(name) = names.first().filter(|_| names.len() == 1) else {
            bail!("the hospital stored {} studies and got one", names.len());
        };
        self.studies.insert((*name).to_owned(), stored);
        Ok(refused)
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
        ensure!(rules(&passed, RULE), "passed over for another reason");
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
}
