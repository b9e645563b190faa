//! `radmesh consortium quorum`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use crypto::log::quorum::MAX_POLICY_LEN;
use protocol::member::{Genesis, Paper, QuorumPaper};
use serde::Serialize;

use super::{read_paper, read_papers, write_paper};
use crate::cli::{Output, clock};
use crate::files;

/// A quorum file for the council to sign, or the signed copies.
#[derive(Debug, Args)]
pub(in crate::cli) struct Quorum {
    /// The quorum file (c2sp.org/tlog-policy): which witnesses must cosign.
    #[arg(value_name = "QUORUM")]
    quorum: PathBuf,
    /// The consortium's genesis.
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// Its serial number, higher than that of the file it replaces; by default the time now in
    /// microseconds.
    #[arg(long, conflicts_with = "signed")]
    serial: Option<u64>,
    /// Signed copies of the request, to put together; once for each.
    #[arg(long, value_name = "FILE")]
    signed: Vec<PathBuf>,
    /// Where to write the request, or what enough of the council signed. A node looks for that
    /// beside the quorum file, under the same name with the ending `envelope`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What was written.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    serial: u64,
    quorum_sha256: String,
    /// Enough of the council signed.
    signed: bool,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, serial, sha256) = (self.file.display(), self.serial, &self.quorum_sha256);
        match self.signed {
            true => write!(
                f,
                "{file}: signed for the quorum file {sha256}, serial number {serial}"
            ),
            false => write!(
                f,
                "{file}: a request for the quorum file {sha256}, serial number {serial}; the \
                 council signs it with `radmesh consortium sign`"
            ),
        }
    }
}

impl Quorum {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let quorum = files::read(&self.quorum, MAX_POLICY_LEN as u64)?;
        let (genesis, hash) = Genesis::open(&read_paper(&self.genesis)?)?;
        let signed = !self.signed.is_empty();
        let (paper, bytes) = if signed {
            let envelope = read_papers(&self.signed)?;
            let paper = QuorumPaper::open(&envelope, (&genesis, hash))?;
            paper.admit(&quorum)?;
            (paper, envelope)
        } else {
            let serial = match self.serial {
                Some(serial) => serial,
                None => clock::now()?.unix_us,
            };
            let paper = QuorumPaper::over(&quorum, hash, serial)?;
            (paper, Paper::Quorum(paper).request()?)
        };
        write_paper(&self.out, &bytes)?;
        out.answer(&Written {
            file: self.out,
            serial: paper.serial,
            quorum_sha256: paper.sha256.to_hex(),
            signed,
        })
    }
}
