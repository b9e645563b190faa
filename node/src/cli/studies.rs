//! `radmesh study`: a hospital's studies.

use std::fmt;
use std::fs;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Output;
use super::client::Target;
use crate::control::wire::Request;
use crate::dicom::ae::AeTitle;
use crate::dicom::scu::{FileStatus, ScuConfig, store};
use crate::dicom::synth::{SynthConfig, write_study};

/// The most files of one import: a study has at most this many objects.
const FILES_MAX: usize = 50_000;

/// What to do with studies.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Send the DICOM files of a folder to a running node, as a modality would.
    Import(Import),
    /// Studies in a running node's store, without names.
    List(Target),
    /// Write a synthetic CT study.
    Synth(Synth),
}

/// Which files, and to which node.
#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(flatten)]
    target: Target,
    /// The folder; folders in it are looked at too.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Our AE title; the node must allow it.
    #[arg(long, value_name = "TITLE", default_value = "RADMESH-CLI", value_parser = AeTitle::parse)]
    calling: AeTitle,
    /// The node's AE title.
    #[arg(long, value_name = "TITLE", default_value = "RADMESH", value_parser = AeTitle::parse)]
    called: AeTitle,
}

/// What a synthetic study is like.
#[derive(Debug, Args)]
pub(super) struct Synth {
    /// The folder to write into.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Everything follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Slices.
    #[arg(long, default_value_t = 40)]
    slices: u32,
}

/// What became of an import.
#[derive(Serialize)]
struct Imported {
    sent: usize,
    stored: usize,
    failed: usize,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} files: {} stored, {} failed",
            self.sent, self.stored, self.failed
        )
    }
}

/// What was written.
#[derive(Serialize)]
struct Written {
    folder: PathBuf,
    files: usize,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files in {}", self.files, self.folder.display())
    }
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        match self {
            Self::Import(import) => import.run(out),
            Self::List(target) => target.show(&Request::Studies {}, out),
            Self::Synth(synth) => synth.run(out),
        }
    }
}

impl Synth {
    fn run(self, out: &Output) -> anyhow::Result<()> {
        let config = SynthConfig {
            seed: self.seed,
            slices: self.slices,
        };
        let study = write_study(config, &self.folder)?;
        out.answer(&Written {
            folder: self.folder,
            files: study.files.len(),
        })
    }
}

impl Import {
    fn run(self, out: &Output) -> anyhow::Result<()> {
        let status = self.target.ask(&Request::Status {})?;
        let listen = status.get("dicom").and_then(|dicom| dicom.as_str());
        let address = reachable(listen.context("this node takes no DICOM: it is no hospital")?)?;
        let mut files = Vec::new();
        collect(&self.folder, &mut files)?;
        files.sort();
        let scu = ScuConfig::new(self.calling, self.called, address);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        let reports = runtime.block_on(store(&scu, files));
        let stored = reports
            .iter()
            .filter(|report| matches!(report.status, FileStatus::Stored { .. }));
        let stored = stored.count();
        let failed = reports.len() - stored;
        out.answer(&Imported {
            sent: reports.len(),
            stored,
            failed,
        })?;
        let first = reports
            .iter()
            .find(|r| !matches!(r.status, FileStatus::Stored { .. }));
        match first {
            None => Ok(()),
            Some(report) => bail!("{}: {:?}", report.path.display(), report.status),
        }
    }
}

/// An address that listens on all of a machine's own is reached on loopback.
fn reachable(listen: &str) -> anyhow::Result<SocketAddr> {
    let mut address = listen.to_socket_addrs()?.next().context("no address")?;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Ok(address)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let listed = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in listed {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), files)?;
        } else if kind.is_file() {
            if files.len() == FILES_MAX {
                bail!("more than {FILES_MAX} files: import one study at a time");
            }
            files.push(entry.path());
        }
    }
    Ok(())
}
