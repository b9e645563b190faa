//! The demo's regulator: archives of every log, verified as they are and with one byte changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use crypto::digest::Digest;
use protocol::audit::verify::Options;

use super::process::Network;
use super::report::Refusal;
use super::world::{EVERYBODY, Who};
use crate::cli::audit::verify_folders;
use crate::control::wire::Request;

/// How long the witness may take to cosign all of a log.
const COSIGNING: Duration = Duration::from_secs(60);
/// The part of an archive in which a byte is changed: the log's own entries.
const ENTRIES: &str = "log/tile/entries";

/// Has every node with a log write its archive, when all of the log is cosigned.
pub(super) async fn export(network: &Network, into: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for who in EVERYBODY.into_iter().filter(|who| who.has_log()) {
        let done = |status: &serde_json::Value| {
            let (size, cosigned) = (&status["log"]["size"], &status["log"]["cosigned"]);
            (size.as_u64()? == cosigned.as_u64()?).then_some(())
        };
        network
            .wait(
                who,
                &Request::Status {},
                "the cosignature",
                (COSIGNING, done),
            )
            .await?;
        let dir = into.join(who.name());
        network
            .ask(who, &Request::Export { dir: dir.clone() })
            .await?;
        folders.push(dir);
    }
    Ok(folders)
}

/// Verifies archives together, as `radmesh-audit verify` does. Gives the entries verified.
pub(super) fn verify(folders: &[PathBuf], genesis: Digest) -> anyhow::Result<u64> {
    let verdict = verify_folders(folders, pinned(genesis))?;
    if !verdict.accepted() {
        let failures = verdict.archives.iter().flat_map(|report| {
            report
                .failures
                .iter()
                .map(|failure| format!("{}/{}: {}", report.label, failure.file, failure.fault))
        });
        let failures: Vec<String> = failures.take(8).collect();
        bail!("the archives do not hold: {}", failures.join("; "));
    }
    Ok(verdict.archives.iter().map(|report| report.size).sum())
}

/// Changes one byte of a copy of hospital A's archive: the verifier must name the file.
pub(super) fn tampered(
    exported: &Path,
    scratch: &Path,
    genesis: Digest,
) -> anyhow::Result<Refusal> {
    let copy = scratch.join(format!("{}-changed", Who::HospitalA.name()));
    copy_folder(&exported.join(Who::HospitalA.name()), &copy)?;
    let file = first_file(&copy.join(ENTRIES))?.context("the archive has no entries")?;
    let mut bytes = fs::read(&file)?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("an empty file of entries")? ^= 1;
    fs::write(&file, &bytes)?;
    let name = file.strip_prefix(&copy)?.to_string_lossy().into_owned();
    let verdict = verify_folders(&[copy], pinned(genesis))?;
    let named = verdict.archives.iter().flat_map(|report| &report.failures);
    let named = named.into_iter().find(|failure| failure.file == name);
    let named = named.context("the verifier did not see the changed byte")?;
    Ok(Refusal {
        what: format!("a copy of hospital A's log with byte {middle} of {name} changed"),
        reason: format!("{}: {}", named.file, named.fault),
    })
}

/// The founders' genesis, and no other.
fn pinned(genesis: Digest) -> Options {
    Options {
        genesis: Some(genesis),
        ..Options::default()
    }
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for item in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let item = item?;
        let target = to.join(item.file_name());
        if item.file_type()?.is_dir() {
            copy_folder(&item.path(), &target)?;
        } else {
            fs::copy(item.path(), target)?;
        }
    }
    Ok(())
}

/// The first file in a folder and those in it, by name.
fn first_file(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let mut items = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    items.sort_by_key(fs::DirEntry::file_name);
    for item in items {
        let found = match item.file_type()?.is_dir() {
            true => first_file(&item.path())?,
            false => Some(item.path()),
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
