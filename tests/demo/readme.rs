//! README's network by hand: its commands, as they stand there, in an empty folder.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// Three nodes and one case; a lost message is said again within a minute.
const BOUND: Duration = Duration::from_secs(300);
/// The section that is run.
const SECTION: &str = "## A network of your own";
/// The ports that it names; other tests run beside this one.
const PORTS: [u16; 5] = [47_001, 47_002, 47_003, 47_004, 47_005];

/// The shell blocks of the section, one after the other.
fn commands() -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md"))?;
    let (_, section) = readme.split_once(SECTION).context("no such section")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let blocks: Vec<&str> = section
        .split("```sh\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .collect();
    ensure!(blocks.len() > 4, "{} blocks of commands", blocks.len());
    Ok(blocks.concat())
}

/// A port that is free for UDP and TCP. The sockets are kept until all are chosen.
fn free_port() -> Result<(u16, (TcpListener, UdpSocket))> {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let port = tcp.local_addr()?.port();
        if let Ok(udp) = UdpSocket::bind(("127.0.0.1", port)) {
            return Ok((port, (tcp, udp)));
        }
    }
}

#[test]
fn the_network_of_the_readme_can_be_built_by_hand() -> Result<()> {
    let folder = TempDir::new()?;
    let mut script = commands()?;
    let chosen = PORTS
        .iter()
        .map(|_| free_port())
        .collect::<Result<Vec<_>>>()?;
    for (written, (free, _)) in PORTS.iter().zip(&chosen) {
        let before = script.clone();
        script = script.replace(&written.to_string(), &free.to_string());
        ensure!(script != before, "port {written} is not in it");
    }
    drop(chosen);
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
    std::os::unix::fs::symlink(configs.canonicalize()?, folder.path().join("configs"))?;
    let binaries = harness::binary("radmesh")?;
    let binaries = binaries.parent().context("a binary in no folder")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let ending = "trap 'kill $(jobs -p); wait' EXIT\n";
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &format!("{ending}{script}")])
        .env("PATH", format!("{}:{path}", binaries.display()));
    let output = harness::run(&mut shell, folder.path(), BOUND)?;
    ensure!(output.status.success(), "{output:?}");
    ensure!(output.stdout.contains("VERIFIED: 2 archives"), "{output:?}");
    Ok(())
}
