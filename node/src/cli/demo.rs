//! `radmesh demo`: a whole network on this machine.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Parser;

use super::Output;
use crate::demo::{Options, run};

/// A whole network on this machine: one case from arrival to verified audit.
// A parser of its own: everywhere else `--json` is a switch, and here it names a file.
#[derive(Debug, Parser)]
#[command(name = "radmesh demo", version)]
pub(super) struct Demo {
    /// A folder of DICOM files, any modality and transfer syntax; a synthetic CT is always there.
    #[arg(long, value_name = "DIR")]
    input: Option<PathBuf>,
    /// Leave the network up, print its addresses, and end with Ctrl-C.
    #[arg(long)]
    stay: bool,
    /// Write what happened, with times and bytes, into a file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave the audit archive of every log there, one folder each.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
}

impl Demo {
    /// Reads the arguments, if it is the demo that they ask for.
    pub(super) fn asked() -> Option<Self> {
        let mut arguments = std::env::args_os().skip(1);
        (arguments.next()? == "demo")
            .then(|| Self::parse_from(std::iter::once("radmesh demo".into()).chain(arguments)))
    }

    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let Self {
            input,
            stay,
            json,
            export,
        } = self;
        let summary = run(
            &Options {
                input,
                stay,
                export,
            },
            &|line| out.hint(line),
        )?;
        if let Some(file) = json {
            let text = serde_json::to_string_pretty(&summary)? + "\n";
            std::fs::write(&file, text).with_context(|| file.display().to_string())?;
        }
        out.answer(&summary)?;
        match summary.verified {
            true => Ok(()),
            false => bail!("the demo did not verify"),
        }
    }
}
