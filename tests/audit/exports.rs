//! What `radmesh-audit export` writes, in the hands of validators that share no code with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use harness::{Network, Output};

use super::{BOUND, copy_folder};

pub const FORMS: [&str; 5] = ["dicom", "syslog", "fhir", "csv", "jsonl"];

#[test]
fn other_systems_accept_every_message() -> Result<()> {
    let network = Network::start()?;
    let nodes = ["hospital-a", "hospital-b", "reader", "unlicensed"];
    let archives = nodes.map(|node| network.archives().join(node));
    let mut told: Option<BTreeSet<String>> = None;
    for form in FORMS {
        let file = network.folder().join(format!("all.{form}"));
        let exported = export(&network, form, &archives, Some(&file))?;
        ensure!(exported.status.success(), "{form}: {exported:?}");
        let accepted = check(&network, form, &file)?;
        ensure!(accepted.status.success(), "{form}: {accepted:?}");
        let lines = |start: &str| -> BTreeSet<String> {
            let lines = accepted.stdout.lines();
            lines
                .filter_map(|line| line.strip_prefix(start).map(str::to_owned))
                .collect()
        };
        let entries = lines("entry ");
        ensure!(entries.len() > 20, "{form}: {} entries", entries.len());
        // Every form tells the same entries.
        ensure!(
            told.get_or_insert_with(|| entries.clone()) == &entries,
            "{form}"
        );
        if form == "fhir" {
            let patterns = lines("pattern ");
            ensure!(
                patterns.contains("Create") && patterns.contains("Read"),
                "{patterns:?}"
            );
        }
        // What is there is never written over.
        let before = fs::read(&file)?;
        let again = export(&network, form, &archives, Some(&file))?;
        ensure!(again.status.code() == Some(2), "{again:?}");
        ensure!(fs::read(&file)? == before, "{form} was written over");
    }
    Ok(())
}

#[test]
fn what_does_not_verify_is_exported_only_when_asked() -> Result<()> {
    let network = Network::start()?;
    let copy = network.folder().join("altered");
    copy_folder(&network.archives().join("reader"), &copy)?;
    let entries = copy.join("log/tile/entries/000.p");
    let mut bundles = fs::read_dir(&entries)?;
    let bundle = bundles.next().context("no bundle")??.path();
    let mut bytes = fs::read(&bundle)?;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&bundle, bytes)?;
    let archives = [copy];
    let refused = export(&network, "jsonl", &archives, None)?;
    ensure!(refused.status.code() == Some(1), "{refused:?}");
    ensure!(refused.stdout.is_empty(), "{refused:?}");

    let file = network.folder().join("unverified.jsonl");
    let mut command = command(&network, "jsonl", &archives)?;
    command.arg("--unverified").arg("--out").arg(&file);
    let exported = harness::run(&mut command, network.folder(), BOUND)?;
    ensure!(exported.status.code() == Some(1), "{exported:?}");
    let lines = fs::read_to_string(&file)?;
    ensure!(lines.lines().count() > 3, "{lines}");
    let marked = |line: &str| line.contains("\"verification\":\"not-verified\"");
    ensure!(lines.lines().all(marked), "{lines}");
    Ok(())
}

fn command(network: &Network, form: &str, archives: &[PathBuf]) -> Result<Command> {
    let mut command = Command::new(harness::binary("radmesh-audit")?);
    command.args(["export", "--as", form, "--genesis", &network.genesis()?]);
    command.args(archives);
    Ok(command)
}

pub fn export(
    network: &Network,
    form: &str,
    archives: &[PathBuf],
    out: Option<&Path>,
) -> Result<Output> {
    let mut command = command(network, form, archives)?;
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    harness::run(&mut command, network.folder(), BOUND)
}

pub fn check(network: &Network, form: &str, file: &Path) -> Result<Output> {
    let mut command = Command::new(harness::python()?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("audit/exports.py"));
    command.arg(form).arg(file);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    harness::run(&mut command, network.folder(), BOUND)
}
