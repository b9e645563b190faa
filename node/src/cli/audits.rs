//! `radmesh audit`: have a node write its log's archive, and verify archives.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use protocol::audit::verify::Verdict;

use super::Output;
use super::audit::{ReconcileArguments, TrustArguments, VerifyArguments};
use super::client::Target;
use super::duties;
use crate::control::wire::Request;

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Have a running node write its log, with all that proves it, into a folder.
    Export(Export),
    /// Say which reviews of a node's log are due, and log one.
    Review(duties::Review),
    /// Write one entry of a node's log with its cosigned proof.
    Prove(duties::Prove),
    /// Disclose openings to a named patient or regulator: logged first, then written.
    Disclose(duties::Disclose),
    /// Verify archives, each by itself and all against one another.
    Verify(Verify),
    /// Lay your own archive beside the peers' and list what only one side shows.
    Reconcile(ReconcileArguments),
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
    #[command(flatten)]
    trust: TrustArguments,
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        match self {
            Self::Export(Export { target, folder }) => {
                let dir = std::path::absolute(folder)?;
                target.show(&Request::Export { dir }, out)
            }
            Self::Review(review) => review.run(out),
            Self::Prove(prove) => prove.run(out),
            Self::Disclose(disclose) => disclose.run(out),
            Self::Reconcile(reconcile) => {
                let (found, verdict) = reconcile.run(out.is_json())?;
                accepted(&verdict)?;
                match (found.omissions.len(), found.is_complete()) {
                    (0, true) => Ok(()),
                    (0, false) => bail!("not everything could be compared"),
                    (count, _) => bail!("one-sided omissions: {count}"),
                }
            }
            Self::Verify(Verify { archives, trust }) => {
                let arguments = VerifyArguments {
                    archives,
                    trust,
                    json: out.is_json(),
                };
                accepted(&arguments.run()?)
            }
        }
    }
}

/// Refuses a verdict that nobody may rest on, in one line.
fn accepted(verdict: &Verdict) -> anyhow::Result<()> {
    match (verdict.accepted(), verdict.holds()) {
        (true, _) => Ok(()),
        (false, true) => bail!(
            "the genesis was not pinned: give the hash that the founders announced as --genesis"
        ),
        (false, false) => bail!("the archives do not hold"),
    }
}
