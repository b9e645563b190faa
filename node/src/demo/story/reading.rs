//! One case at the desk: claimed, fetched, compared, reported, closed, purged.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{STEP, Story, now_ms, text};
use crate::control::wire::{Request, SectionText};
use crate::demo::pacs::Study;
use crate::demo::world::Who;

/// How long a study's images may take to the desk: 1 GiB at 2 MiB/s, and a step.
const FETCH: Duration = Duration::from_secs(660);

/// The language in which hospital A wants its reports.
const LANGUAGE: &str = "de";

/// A lease that was read to its end.
pub(super) struct Reading {
    pub(super) fence: u64,
    pub(super) claimed_ms: u64,
}

impl Story<'_> {
    /// Claims, fetches, compares, reports, closes.
    pub(super) async fn read(&mut self, offer: &str) -> anyhow::Result<Reading> {
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
        let (objects, bytes) = self.viewer.compare(&study).await?;
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
    async fn case(&self, fence: u64) -> anyhow::Result<(String, Study)> {
        let cases = self.network.ask(Who::HospitalA, &Request::Cases {}).await?;
        let cases = cases["cases"].as_array().context("no cases")?;
        let case = cases.iter().find(|case| case["fence"] == fence);
        let case = case.context("the hospital has no case under this fence")?;
        let name = case["studies"][0].as_str().unwrap_or_default();
        let study = self
            .studies
            .get(name)
            .context("a case of a study that nobody sent")?;
        Ok((text(case, "case").to_owned(), study.clone()))
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
}
