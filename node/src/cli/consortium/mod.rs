//! `radmesh consortium`: found it, say who must cosign, ask for a credential, sign, admit, see who
//! is in.
//!
//! Papers travel as files: a request goes from one council member to the next (or a copy to each),
//! every one signs offline, and `admit` puts the result where a node reads it.

mod admit;
mod found;
mod quorum;
mod request;
mod show;
mod sign;
mod status;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use crypto::envelope::MAX_ENCODED_LEN;

use super::Output;
use crate::files::{self, Readers};

/// What to do with a consortium.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Draw up a genesis for its founders to sign, or put the signed copies together.
    Found(found::Found),
    /// Ask the council for a credential with the public halves of this node's keys.
    Request(Box<request::Request>),
    /// Ask the council to sign a quorum file, or put the signed copies together.
    Quorum(quorum::Quorum),
    /// Sign a genesis, a credential or a quorum file with a council key.
    Sign(sign::Sign),
    /// Check a signed credential, and put it in a node's folder of credentials.
    Admit(admit::Admit),
    /// Show who is in, by a node's configuration.
    Status(status::Status),
    /// Show what a paper says and who has signed it.
    Show(show::Show),
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        match self {
            Self::Found(command) => command.run(out),
            Self::Request(command) => command.run(out),
            Self::Quorum(command) => command.run(out),
            Self::Sign(command) => command.run(out),
            Self::Admit(command) => command.run(out),
            Self::Status(command) => command.run(out),
            Self::Show(command) => command.run(out),
        }
    }
}

/// Reads one paper.
fn read_paper(file: &Path) -> anyhow::Result<Vec<u8>> {
    Ok(files::read(file, MAX_ENCODED_LEN as u64)?)
}

/// Reads copies of a paper and puts them together, where they are more than one.
fn read_papers(papers: &[PathBuf]) -> anyhow::Result<Vec<u8>> {
    let mut read = papers
        .iter()
        .map(|file| read_paper(file))
        .collect::<Result<Vec<_>, _>>()?;
    match (read.len(), read.pop()) {
        (1, Some(paper)) => Ok(paper),
        (_, last) => {
            read.extend(last);
            Ok(protocol::member::issue::join(&read)?)
        }
    }
}

/// Writes a paper; an existing file is not touched.
fn write_paper(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    files::create(file, bytes, Readers::Anybody)
        .with_context(|| "the paper is not written".to_owned())
}
