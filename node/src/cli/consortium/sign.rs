//! `radmesh consortium sign`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use crypto::keys::SigningKey;
use protocol::member::issue;
use serde::Serialize;

use super::show::Shown;
use super::{read_papers, write_paper};
use crate::cli::Output;
use crate::cli::secret::PassphraseArgs;
use crate::keystore::{self, KeyKind};

/// What to sign, and with which key.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The request or the paper; copies that others have signed are put together first.
    #[arg(required = true, value_name = "PAPER")]
    papers: Vec<PathBuf>,
    /// The council key file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Where to write the paper with the signature.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What was signed.
#[derive(Serialize)]
struct Signed {
    file: PathBuf,
    #[serde(flatten)]
    paper: Shown,
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "signed: {}", self.file.display())?;
        write!(f, "{}", self.paper)
    }
}

impl Sign {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let paper = read_papers(&self.papers)?;
        let passphrase = self.passphrase.read()?;
        let secret = keystore::open(&self.key, KeyKind::Council, &passphrase)?;
        let signed = issue::add_signature(&paper, &SigningKey::from_seed(&secret))?;
        write_paper(&self.out, &signed)?;
        out.answer(&Signed {
            file: self.out,
            paper: Shown::read(&signed)?,
        })
    }
}
