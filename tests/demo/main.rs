//! The demo as a whole: real processes on the default input (or the synthetic CT alone, on a
//! machine without it), and its archives in the hands of the regulator's tool.

mod readme;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

/// The demo starts six processes and reads some twenty studies.
const BOUND: Duration = Duration::from_secs(900);

/// The slices of the synthetic CT.
const SLICES: u64 = 120;

/// pydicom's images, where the set-up has fetched them.
fn images() -> Option<PathBuf> {
    let folder = harness::place::cache()?.join("demo-images");
    folder.is_dir().then_some(folder)
}

#[test]
fn the_demo_verifies_and_so_do_its_archives() -> Result<()> {
    let folder = TempDir::new()?;
    let (summary, archives) = (
        folder.path().join("demo.json"),
        folder.path().join("archives"),
    );
    let mut demo = Command::new(harness::binary("radmesh")?);
    demo.arg("demo")
        .arg("--json")
        .arg(&summary)
        .arg("--export")
        .arg(&archives);
    if let Some(images) = images() {
        demo.arg("--input").arg(images);
    }
    let output = harness::run(&mut demo, folder.path(), BOUND)?;
    ensure!(output.status.success(), "{output:?}");

    let told: Value = serde_json::from_slice(&std::fs::read(&summary)?)?;
    assert_eq!(told["verified"], true, "{told}");
    assert!(told["objects"].as_u64() >= Some(SLICES));
    assert!(told["bytes"].as_u64() > Some(SLICES * 512 * 1_024));
    assert!(told["first_image_ms"].as_u64() <= told["all_images_ms"].as_u64());
    let refusals = told["refusals"].as_array().context("no refusals")?;
    let reasons: Vec<&str> = refusals
        .iter()
        .filter_map(|one| one["reason"].as_str())
        .collect();
    for reason in [
        "licence-required",
        "resident-stays-home",
        "log/tile/entries",
    ] {
        let found = reasons.iter().any(|told| told.contains(reason));
        assert!(found, "no refusal by {reason}: {reasons:?}");
    }
    assert_eq!(refusals.len(), 3);
    let steps = told["timeline"].as_array().context("no timeline")?;
    for step in ["granted", "first-image", "all-images", "purged"] {
        assert!(
            steps.iter().any(|told| told["step"] == step),
            "no step {step}"
        );
    }

    let mut audit = Command::new(harness::binary("radmesh-audit")?);
    let genesis = told["genesis"].as_str().context("no genesis")?;
    audit.args(["verify", "--genesis", genesis]);
    for node in ["hospital-a", "hospital-b", "reader", "unlicensed"] {
        audit.arg(archives.join(node));
    }
    let verified = harness::run(&mut audit, folder.path(), BOUND)?;
    ensure!(verified.status.success(), "{verified:?}");
    Ok(())
}
