//! Two verifiers that share no code, one in Python from the formats' specifications alone: each
//! altered archive is refused by both, for the same files.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::Network;

/// Ten thousand mutants on a busy machine; 300 take some seconds.
const BOUND: Duration = Duration::from_secs(3_600);
/// The same changes in every run.
const SEED: &str = "20260722";

#[test]
fn a_second_verifier_agrees_on_mutants() -> Result<()> {
    let network = Network::start()?;
    let count = if harness::long() { 10_000 } else { 300 };
    let mut command = Command::new(harness::python()?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("audit/mutants.py"));
    command.args(["--genesis", &network.genesis()?, "--seed", SEED]);
    command.args(["--count", &count.to_string(), "--auditor"]);
    command.arg(harness::binary("radmesh-audit")?);
    command.arg("--scratch").arg(network.folder());
    for node in [super::HOSPITAL, "hospital-b", super::READER, "unlicensed"] {
        command.arg(network.archives().join(node));
    }
    // A log of more than one tile: the upper levels are altered too.
    command.arg(super::long_log(&network)?);
    let run = harness::run(
        command.env("PYTHONDONTWRITEBYTECODE", "1"),
        network.folder(),
        BOUND,
    )?;
    ensure!(run.status.success(), "{run:?}");
    let counted = format!("{count} mutants, 0 disagreements, ");
    ensure!(run.stdout.contains(&counted), "{run:?}");
    Ok(())
}
