//! `radmesh consortium admit`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use crypto::digest::Digest;
use protocol::member::{Genesis, Roster};
use serde::Serialize;

use super::{read_paper, read_papers, write_paper};
use crate::cli::{Output, clock};
use crate::config::{CREDENTIAL_ENDING, admit_folder};
use crate::files;

/// What to admit, and where to.
#[derive(Debug, Args)]
pub(in crate::cli) struct Admit {
    /// The signed credential, or its copies, each signed by some of the council.
    #[arg(required = true, value_name = "PAPER")]
    papers: Vec<PathBuf>,
    /// The consortium's genesis.
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// The genesis's SHA-256 that you trust.
    #[arg(long, value_name = "HEX", value_parser = Digest::from_hex)]
    genesis_hash: Digest,
    /// The node's folder of credentials.
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
}

/// Who was admitted.
#[derive(Serialize)]
struct Admitted {
    file: PathBuf,
    node: String,
    kind: &'static str,
    organisation: String,
}

impl fmt::Display for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, organisation, node) = (self.kind, &self.organisation, &self.node);
        write!(
            f,
            "admitted: {organisation} ({kind}), node {node}: {}",
            self.file.display()
        )
    }
}

impl Admit {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let genesis = Genesis::open_pinned(&read_paper(&self.genesis)?, &self.genesis_hash)?;
        let mut roster = Roster::new(genesis, self.genesis_hash);
        let now = clock::now()?;
        std::fs::create_dir_all(&self.into)?;
        // Against those that are in already: a key or a serial number may be taken.
        admit_folder(&mut roster, &self.into, now)?;
        let envelope = read_papers(&self.papers)?;
        let member = roster.admit(&envelope, now)?;
        let credential = &member.credential;
        let name = format!("{}.{CREDENTIAL_ENDING}", credential.serial);
        let file = self.into.join(name);
        let admitted = Admitted {
            file: file.clone(),
            node: credential.node.to_string(),
            kind: credential.kind.name(),
            organisation: credential.organisation.clone(),
        };
        let known = file.exists() && files::read(&file, envelope.len() as u64)? == member.envelope;
        if !known {
            write_paper(&file, &envelope)?;
        }
        out.answer(&admitted)
    }
}
