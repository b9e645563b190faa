//! `radmesh bench`: figures that anybody can measure again.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use sim::archive::{Plan, STUDIES_A_RELEASE};

use super::Output;
use crate::bench::verify::{self, Ask};

/// What to measure.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Verify a made archive: hashing against `sha256sum`, signatures, time and memory.
    Verify(Verify),
}

/// Which archive.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Entries of its log.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    entries: u64,
    /// One study in so many is read elsewhere; each such release has five files of its own.
    #[arg(long, value_name = "N", default_value_t = STUDIES_A_RELEASE)]
    studies_a_release: u64,
    /// Keep the archive here, or measure the one that is here.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Rounds of hashing, in turns with `sha256sum`.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// The regulator's tool; by default the one beside this program.
    #[arg(long, value_name = "FILE")]
    auditor: Option<PathBuf>,
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let Self::Verify(asked) = self;
        let (folder, made) = match asked.keep {
            Some(folder) => (folder, None),
            None => {
                let name = format!("radmesh-bench-{}", std::process::id());
                let folder = std::env::temp_dir().join(name);
                (folder.clone(), Some(folder))
            }
        };
        let auditor = match asked.auditor {
            Some(auditor) => auditor,
            None => std::env::current_exe()?.with_file_name("radmesh-audit"),
        };
        let figures = verify::run(&Ask {
            plan: Plan {
                entries: asked.entries,
                studies_a_release: asked.studies_a_release,
                seed: 1,
            },
            folder,
            rounds: asked.rounds,
            auditor,
        });
        if let Some(folder) = made.filter(|folder| folder.exists()) {
            std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        out.answer(&figures?)
    }
}
