//! Archives in the hands of others: tlog-scales accepts their tiles and proofs, and no bit of any
//! file can be changed without the auditor's naming that file.
//!
//! Flips are made in memory, in every byte of every file (one bit each, which one follows from its
//! place), and once a file through the real `radmesh-audit`. Of a file of 4 KiB or more a sample
//! with a fixed seed is taken; `RADMESH_LONG=1` takes all of it, and every bit of every byte.

mod duties;
mod exports;
mod flips;
mod second;
mod sizes;
mod witness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::network::{HOSPITAL_AE, PACS_AE};
use harness::{Network, Output};
use serde_json::json;

/// A run of Python or of the auditor over some archives.
const BOUND: Duration = Duration::from_secs(300);
/// The studies whose entries fill a tile of 256, and the log that they make.
const STUDIES: u64 = 60;
const FULL_TILE: u64 = 257;
/// The witness cosigns, and cases are opened after a quiet period of 2 s.
const COSIGNED: Duration = Duration::from_secs(300);
/// The node whose archive is altered: it has granted a release and has its receipt.
const HOSPITAL: &str = "hospital-a";
/// The reader's archive has what a hospital's has not: the other side's entry and proof.
const READER: &str = "reader";

#[test]
fn tlog_scales_accepts_tiles_and_proofs() -> Result<()> {
    let network = Network::start()?;
    let mut archives = vec![long_log(&network)?];
    for node in [HOSPITAL, "hospital-b", READER, "unlicensed"] {
        archives.push(network.archives().join(node));
    }
    let accepted = tlog_scales(&network, &archives)?;
    ensure!(accepted.status.success(), "{accepted:?}");
    assert_eq!(accepted.stdout.lines().count(), archives.len());
    let released = accepted.stdout.lines().nth(1).unwrap_or_default();
    ensure!(released.ends_with(" entries, 1 proofs"), "{accepted:?}");
    assert!(audit(&network, &archives[..1])?.status.success());

    // The oracle is awake: it refuses a tile with one bit changed.
    let copy = network.folder().join("altered");
    copy_folder(&network.archives().join(HOSPITAL), &copy)?;
    let mut partial = fs::read_dir(copy.join("log/tile/0/000.p"))?;
    let tile = partial.next().context("no partial tile")??.path();
    let mut bytes = fs::read(&tile)?;
    bytes[100] ^= 1;
    fs::write(&tile, bytes)?;
    let refused = tlog_scales(&network, &[copy])?;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    Ok(())
}

#[test]
fn no_bit_of_an_archive_can_be_changed() -> Result<()> {
    let network = Network::start()?;
    for node in [HOSPITAL, READER] {
        let archive = network.archives().join(node);
        let tried = flips::all(node, &archive)?;
        ensure!(tried > 10_000, "{node}: {tried} flips only");
    }
    Ok(())
}

#[test]
fn the_auditors_tool_names_the_file() -> Result<()> {
    let network = Network::start()?;
    let archive = network.archives().join(HOSPITAL);
    let whole = audit(&network, std::slice::from_ref(&archive))?;
    ensure!(whole.status.success(), "{whole:?}");
    let files = flips::read(&archive)?;
    for (at, (name, bytes)) in files.iter().enumerate() {
        let middle = bytes.len() / 2;
        let mut flipped = bytes.clone();
        flipped[middle] ^= 1;
        let (mut short, mut long) = (bytes.clone(), bytes.clone());
        short.pop();
        long.push(b'\n');
        let ways = [Some(flipped), Some(short), Some(long), None];
        for (way, altered) in ways.iter().enumerate() {
            let copy = network.folder().join(format!("copy-{at}-{way}"));
            copy_folder(&archive, &copy)?;
            match altered {
                Some(altered) => fs::write(copy.join(name), altered)?,
                None => fs::remove_file(copy.join(name))?,
            }
            named(&audit(&network, &[copy])?, name)?;
        }
    }
    let copy = network.folder().join("copy-more");
    copy_folder(&archive, &copy)?;
    fs::write(copy.join("trust/credentials/7.env"), b"one more")?;
    named(&audit(&network, &[copy])?, "trust/credentials/7.env")
}

/// The auditor says no, and names the file in a line of its own.
fn named(output: &Output, file: &str) -> Result<()> {
    ensure!(output.status.code() == Some(1), "{file}: {output:?}");
    let sentence = output.stdout.starts_with("NOT VERIFIED");
    ensure!(sentence, "{file}: {output:?}");
    let named = output.stdout.lines().any(|line| line.contains(file));
    ensure!(named, "{file} is not named: {output:?}");
    Ok(())
}

/// The hospital's archive when its log is longer than a tile.
fn long_log(network: &Network) -> Result<PathBuf> {
    let radmesh = harness::binary("radmesh")?;
    let images = network.folder().join("images");
    for seed in 0..STUDIES {
        let mut synth = Command::new(&radmesh);
        let seed = (1_000 + seed).to_string();
        synth.args(["study", "synth", "--slices", "1", "--seed", &seed]);
        synth.arg(images.join(seed));
        let made = harness::run(&mut synth, network.folder(), BOUND)?;
        ensure!(made.status.success(), "{made:?}");
    }
    let mut import = Command::new(&radmesh);
    import.args(["study", "import", "--calling", PACS_AE]);
    import.args(["--called", HOSPITAL_AE, "--socket"]);
    import.arg(network.of(HOSPITAL)?.join("control.sock"));
    let sent = harness::run(import.arg(&images), network.folder(), BOUND)?;
    ensure!(sent.status.success(), "{sent:?}");
    let status = json!({ "cmd": "status" });
    network.wait(HOSPITAL, &status, COSIGNED, |status| {
        let size = status["log"]["size"].as_u64()?;
        let cosigned = status["log"]["cosigned"].as_u64()?;
        (size >= FULL_TILE && size == cosigned).then_some(())
    })?;
    let folder = network.folder().join("long");
    network.ask(HOSPITAL, &json!({ "cmd": "export", "dir": folder }))?;
    ensure!(folder.join("log/tile/0/000").is_file(), "no full tile");
    Ok(folder)
}

fn tlog_scales(network: &Network, archives: &[PathBuf]) -> Result<Output> {
    let mut command = Command::new(harness::python()?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("audit/check_tlog.py"));
    harness::run(command.args(archives), network.folder(), BOUND)
}

fn audit(network: &Network, archives: &[PathBuf]) -> Result<Output> {
    let mut command = Command::new(harness::binary("radmesh-audit")?);
    command.args(["verify", "--genesis", &network.genesis()?]);
    command.args(archives);
    harness::run(&mut command, network.folder(), BOUND)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for (name, bytes) in flips::read(from)? {
        let file = to.join(name);
        fs::create_dir_all(file.parent().context("a file in no folder")?)?;
        fs::write(file, bytes)?;
    }
    Ok(())
}
