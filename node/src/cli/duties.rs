//! `radmesh audit review|prove|disclose`: what whoever keeps a log owes it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use protocol::limits;
use serde_json::json;

use super::Output;
use super::client::{Shown, Target};
use crate::control::wire::{Disclosed, Request};
use crate::files::{self, Readers};

/// Longest file whose first line is a patient, in bytes.
const PATIENT_MAX: u64 = 4 << 10;

/// A review: what is due, and what was found.
#[derive(Debug, Args)]
pub(super) struct Review {
    #[command(flatten)]
    target: Target,
    /// What was found, in words. Without this or --found-file only what is due is shown.
    #[arg(long, value_name = "TEXT", requires = "by")]
    found: Option<String>,
    /// A file with what was found, so that it stands in no list of processes.
    #[arg(long, value_name = "FILE", conflicts_with = "found", requires = "by")]
    found_file: Option<PathBuf>,
    /// How many things were found that somebody must look into.
    #[arg(long, value_name = "N", default_value_t = 0)]
    findings: u32,
    /// Who reviewed: a name, or a key of their own.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Index of the last entry that was reviewed; without it, all that are shown as due.
    #[arg(long, value_name = "INDEX")]
    up_to: Option<u64>,
}

/// One entry, proved.
#[derive(Debug, Args)]
pub(super) struct Prove {
    #[command(flatten)]
    target: Target,
    /// Index of the entry.
    index: u64,
    /// Where the proof goes; the entry goes beside it, under the ending `.entry`. Neither is
    /// overwritten. Without it: INDEX.tlog-proof in this folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Openings for somebody.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("of").required(true))]
pub(super) struct Disclose {
    #[command(flatten)]
    target: Target,
    /// Of one patient: `id^^^issuer`, as the log has it.
    #[arg(long, value_name = "ID", group = "of")]
    patient: Option<String>,
    /// A file whose first line is the patient, so that it stands in no list of processes.
    #[arg(long, value_name = "FILE", group = "of")]
    subject: Option<PathBuf>,
    /// What the regulator of a country may see: two letters (ISO 3166-1 alpha-2).
    #[arg(long, value_name = "CC", group = "of")]
    country: Option<String>,
    /// Of one entry, whole.
    #[arg(long, value_name = "N", group = "of")]
    index: Option<u64>,
    /// To whom: the patient, or the regulator by name. It is logged, sealed.
    #[arg(long, value_name = "NAME")]
    to: String,
    /// The folder for the archive with the openings; it must be empty or absent.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl std::fmt::Debug for Disclose {
    /// Never the patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disclose").finish_non_exhaustive()
    }
}

impl Review {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let due = self.target.ask(&Request::ReviewDue {})?;
        let found = match (self.found, &self.found_file) {
            (Some(found), _) => Some(found),
            (None, Some(file)) => Some(files::read_text(file, limits::REVIEW_TEXT_MAX as u64)?),
            (None, None) => None,
        };
        let (Some(found), Some(by)) = (found, self.by) else {
            return out.answer(&Shown(due));
        };
        let all = due["entries"].as_u64().context("the node says no size")?;
        let end = match self.up_to {
            Some(last) => last.checked_add(1).context("no log is that long")?,
            None => all,
        };
        let findings = self.findings;
        let review = Request::Review {
            by,
            found,
            findings,
            end,
        };
        let logged = self.target.ask(&review)?;
        out.answer(&Shown(json!({ "due": due, "reviewed": logged })))
    }
}

impl Prove {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let index = self.index;
        let proved = self.target.ask(&Request::Prove { index })?;
        let default = || PathBuf::from(format!("{index}.{}", crypto::log::proof::EXTENSION));
        let proof = self.out.unwrap_or_else(default);
        let entry = proof.with_extension("entry");
        if entry == proof {
            bail!("{}: the entry goes there", proof.display());
        }
        let text = |field: &str| proved[field].as_str().context("the node gave no proof");
        write(&entry, &bytes(text("entry")?)?)?;
        write(&proof, text("proof")?.as_bytes())?;
        out.answer(&Shown(json!({
            "index": index,
            "log": text("log")?,
            "proof": proof.display().to_string(),
            "entry": entry.display().to_string(),
        })))
    }
}

impl Disclose {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let dir = std::path::absolute(&self.out)?;
        let scope = match (self.patient, self.subject, self.country, self.index) {
            (Some(patient), ..) => Disclosed::Patient(patient),
            (_, Some(file), ..) => Disclosed::Patient(first_line(&file)?),
            (_, _, Some(country), _) => Disclosed::Country(code(&country)?),
            (_, _, _, Some(index)) => Disclosed::Index(index),
            (None, None, None, None) => bail!("name a patient, a country or an entry"),
        };
        let to = self.to;
        self.target.show(&Request::Disclose { scope, to, dir }, out)
    }
}

fn first_line(file: &Path) -> anyhow::Result<String> {
    let text = files::read_text(file, PATIENT_MAX)?;
    let line = text.lines().next().filter(|line| !line.is_empty());
    Ok(line
        .context("the file with the patient is empty")?
        .to_owned())
}

fn code(country: &str) -> anyhow::Result<String> {
    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        bail!("a country is two letters (ISO 3166-1 alpha-2)");
    }
    Ok(country.to_ascii_uppercase())
}

/// Writes what is for others to read.
fn write(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    Ok(files::create(file, content, Readers::Anybody)?)
}

/// Hexadecimal digits as bytes.
fn bytes(hex: &str) -> anyhow::Result<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    };
    let all: Option<Vec<u8>> = digits.map(byte).collect();
    all.context("the node gave no entry")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Cli;
    use super::*;

    fn reads(words: &str) -> bool {
        let words = std::iter::once("radmesh").chain(words.split_whitespace());
        Cli::try_parse_from(words).is_ok()
    }

    #[test]
    fn what_is_asked_for_is_named_once() {
        for good in [
            "audit review --socket s",
            "audit review --socket s --by officer --found nothing --findings 2 --up-to 17",
            "audit prove --socket s 17",
            "audit disclose --socket s --country DE --to Authority --out dir",
            "audit disclose --socket s --index 3 --to Authority --out dir",
        ] {
            assert!(reads(good), "{good}");
        }
        for bad in [
            "audit review --socket s --found nothing",
            "audit review --socket s --by a --found b --found-file c",
            "audit prove --socket s",
            "audit disclose --socket s --to Authority --out dir",
            "audit disclose --socket s --country DE --index 3 --to Authority --out dir",
            "audit disclose --socket s --country DE --out dir",
        ] {
            assert!(!reads(bad), "{bad}");
        }
    }

    #[test]
    fn countries_and_bytes_read_as_they_should() {
        assert_eq!(code("de").unwrap(), "DE");
        assert!(code("DEU").is_err() && code("D1").is_err());
        assert_eq!(bytes("00ff").unwrap(), [0, 255]);
        assert!(bytes("0").is_err() && bytes("0g").is_err());
    }

    #[test]
    fn what_is_written_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("1.entry");
        write(&file, b"one").unwrap();
        assert!(write(&file, b"two").is_err());
        assert_eq!(files::read(&file, 9).unwrap(), b"one");
    }
}
