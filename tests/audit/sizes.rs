//! One log, grown to 70,000 entries by what writes a node's log, before tlog-scales at every size
//! up to 1,100 and around each power of 256.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crypto::keys::SigningKey;
use crypto::log::checkpoint::Checkpoint;
use crypto::log::cosign::cosign;
use crypto::log::writer::LogWriter;
use crypto::note::{KeyName, KeyType, VerifierKey};
use harness::Output;

/// A run of Python over all sizes.
const BOUND: Duration = Duration::from_secs(600);
/// 2026-01-01T00:00:00Z.
const TIME: u64 = 1_767_225_600;

fn sizes() -> impl Iterator<Item = u64> {
    (1..=1_100).chain(65_530..=65_545).chain([65_792, 70_000])
}

#[test]
fn tlog_scales_accepts_every_size() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let (log, witness) = (
        SigningKey::from_seed(&[1; 32]),
        SigningKey::from_seed(&[2; 32]),
    );
    let (origin, other) = (
        KeyName::new("log.example/hospital")?,
        KeyName::new("witness.example")?,
    );
    let keys = [
        VerifierKey::new(origin.clone(), KeyType::Ed25519, log.verifying_key()),
        VerifierKey::new(other.clone(), KeyType::Cosignature, witness.verifying_key()),
    ];
    fs::write(
        folder.path().join("keys"),
        keys.map(|key| format!("{key}\n")).concat(),
    )?;
    let mut writer = LogWriter::new();
    for size in sizes() {
        for index in writer.size()..size {
            // Of varying length, some empty.
            let length = usize::try_from(index * 7 % 23)?;
            writer.append(&index.to_be_bytes().repeat(3)[..length])?;
        }
        for file in writer.take_files() {
            put(&folder.path().join("log").join(file.path), &file.bytes)?;
        }
        let head = writer.head();
        let origin = origin.clone();
        let mut signed = Checkpoint { origin, head }.sign(&log);
        let line = cosign(signed.checkpoint(), &other, &witness, TIME + size)?;
        signed.add(line)?;
        let checkpoint = folder.path().join(format!("checkpoints/{size}"));
        put(&checkpoint, &signed.encode())?;
    }
    let accepted = tlog_scales(folder.path())?;
    ensure!(accepted.status.success(), "{accepted:?}");
    let line = format!("{} sizes, the last 70000", sizes().count());
    assert_eq!(accepted.stdout.trim_end(), line);

    // It is awake: one bit of the first full tile, which every proof of its entries reads.
    let tile = folder.path().join("log/tile/0/000");
    let mut bytes = fs::read(&tile)?;
    bytes[7] ^= 1;
    fs::write(&tile, bytes)?;
    assert_eq!(tlog_scales(folder.path())?.status.code(), Some(1));
    Ok(())
}

fn tlog_scales(folder: &Path) -> Result<Output> {
    let mut command = Command::new(harness::python()?);
    command.arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("audit/sizes.py"));
    harness::run(command.arg(folder), folder, BOUND)
}

fn put(file: &Path, bytes: &[u8]) -> Result<()> {
    fs::create_dir_all(file.parent().context("a file in no folder")?)?;
    Ok(fs::write(file, bytes)?)
}
