//! `radmesh audit`: have a node write its log's archive, and verify archives.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use crypto::digest::Digest;

use super::Output;
use super::audit::VerifyArguments;
use super::client::Target;
use crate::control::wire::Request;

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Have a running node write its log, with all that proves it, into a folder.
    Export(Export),
    /// Verify archives, each by itself and all against one another.
    Verify(Verify),
}

/// From which node, and where to.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    target: Target,
    /// The folder; it must be empty or absent.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Which archives.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Folders written by `radmesh audit export`.
    #[arg(required = true, value_name = "DIR")]
    archives: Vec<PathBuf>,
    /// SHA-256 of the consortium's genesis, as you know it from elsewhere.
    #[arg(long, value_name = "HASH", value_parser = Digest::from_hex)]
    genesis: Option<Digest>,
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        match self {
            Self::Export(Export { target, folder }) => {
                let dir = std::path::absolute(folder)?;
                target.show(&Request::Export { dir }, out)
            }
            Self::Verify(Verify { archives, genesis }) => {
                let arguments = VerifyArguments {
                    archives,
                    genesis,
                    json: out.is_json(),
                };
                match arguments.run()? == ExitCode::SUCCESS {
                    true => Ok(()),
                    false => bail!("the archives do not hold"),
                }
            }
        }
    }
}
