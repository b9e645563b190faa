//! `radmesh desk`: a reading desk.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use super::Output;
use super::client::Target;
use crate::control::wire::{Request, SectionText};
use crate::files;

/// The longest report file: the protocol's bound on a report.
const REPORT_MAX: u64 = 256 << 10;

/// What to do at a desk.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Offers in the book.
    Offers(Target),
    /// Claim an offer.
    Claim(Claim),
    /// Sign and send a report.
    Report(Report),
    /// Hand a case back.
    Release(Release),
    /// Leases of this desk.
    Status(Target),
}

/// Which offer.
#[derive(Debug, Args)]
pub(super) struct Claim {
    #[command(flatten)]
    target: Target,
    /// The offer, as `desk offers` shows it.
    #[arg(value_name = "OFFER")]
    offer: String,
    /// Its owner's node; only for an offer that is not in the book.
    #[arg(long, value_name = "NODE")]
    owner: Option<String>,
}

/// A report.
#[derive(Debug, Args)]
pub(super) struct Report {
    #[command(flatten)]
    target: Target,
    /// The lease's fence, as `desk status` shows it.
    #[arg(value_name = "FENCE")]
    fence: u64,
    /// The owner's node; needed when two hospitals' leases have one fence.
    #[arg(long, value_name = "NODE")]
    owner: Option<String>,
    /// Template identifier.
    #[arg(long, default_value = "free-text")]
    template: String,
    /// Language (BCP 47); the one that the offer wants where it is left out.
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// A section from a file: `findings=FILE`. Repeat it in the template's order.
    #[arg(long, required = true, value_name = "NAME=FILE")]
    section: Vec<String>,
    /// The report is preliminary.
    #[arg(long)]
    preliminary: bool,
}

/// Which lease, and why.
#[derive(Debug, Args)]
pub(super) struct Release {
    #[command(flatten)]
    target: Target,
    /// The lease's fence.
    #[arg(value_name = "FENCE")]
    fence: u64,
    /// The owner's node.
    #[arg(long, value_name = "NODE")]
    owner: Option<String>,
    /// Why, in words; the hospital sees it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        match self {
            Self::Offers(target) => target.show(&Request::Offers {}, out),
            Self::Status(target) => target.show(&Request::Leases {}, out),
            Self::Claim(Claim {
                target,
                offer,
                owner,
            }) => target.show(&Request::Claim { offer, owner }, out),
            Self::Report(report) => report.run(out),
            Self::Release(Release {
                target,
                fence,
                owner,
                reason,
            }) => target.show(
                &Request::Handback {
                    fence,
                    owner,
                    reason,
                },
                out,
            ),
        }
    }
}

impl Report {
    fn run(self, out: &Output) -> anyhow::Result<()> {
        let sections: anyhow::Result<Vec<_>> = self
            .section
            .iter()
            .map(|section| read_section(section))
            .collect();
        let request = Request::Report {
            fence: self.fence,
            owner: self.owner,
            template: self.template,
            language: self.language,
            sections: sections?,
            is_final: !self.preliminary,
        };
        self.target.show(&request, out)
    }
}

fn read_section(given: &str) -> anyhow::Result<SectionText> {
    let (name, file) = given.split_once('=').context("a section is NAME=FILE")?;
    if name.is_empty() {
        bail!("a section is NAME=FILE");
    }
    let text = files::read_text(&PathBuf::from(file), REPORT_MAX)?;
    Ok(SectionText {
        name: name.to_owned(),
        text,
    })
}
