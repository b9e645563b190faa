//! `radmesh consortium show`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use crypto::envelope::digest_of;
use protocol::member::{Credential, Genesis, Licence, Paper, QuorumPaper, issue};
use serde::Serialize;

use super::read_paper;
use crate::cli::{Output, clock};

/// Which paper.
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// A request, a genesis, a credential, or what was signed for a quorum file.
    #[arg(value_name = "PAPER")]
    paper: PathBuf,
}

impl Show {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        out.answer(&Shown::read(&read_paper(&self.paper)?)?)
    }
}

/// A paper as it is shown.
#[derive(Serialize)]
pub(super) struct Shown {
    /// "genesis", "credential" or "quorum".
    paper: &'static str,
    /// SHA-256 of the envelope; none for a request.
    hash: Option<String>,
    /// Who has signed: council keys.
    signed_by: Vec<String>,
    /// What it says, in the order in which a person reads it.
    content: Vec<(&'static str, String)>,
}

impl Shown {
    /// Reads a paper and verifies the signatures on it.
    pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        let (paper, signatures) = issue::read(bytes)?;
        let hash = (!signatures.is_empty()).then(|| digest_of(bytes).to_hex());
        let signed_by = signatures
            .iter()
            .map(|signature| signature.key.to_hex())
            .collect();
        let (name, content) = match &paper {
            Paper::Genesis(genesis) => ("genesis", genesis_content(genesis)),
            Paper::Credential(credential) => ("credential", credential_content(credential)),
            Paper::Quorum(paper) => ("quorum", quorum_content(paper)),
        };
        Ok(Self {
            paper: name,
            hash,
            signed_by,
            content,
        })
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hash {
            Some(hash) => writeln!(f, "{} {hash}", self.paper)?,
            None => writeln!(f, "{} request", self.paper)?,
        }
        for (name, text) in &self.content {
            writeln!(f, "  {name:<14} {text}")?;
        }
        self.signed_by
            .iter()
            .try_for_each(|key| writeln!(f, "  signed by      {key}"))
    }
}

fn genesis_content(genesis: &Genesis) -> Vec<(&'static str, String)> {
    let mut content = vec![
        ("name", genesis.name.clone()),
        (
            "threshold",
            format!("{} of {}", genesis.threshold, genesis.council.len()),
        ),
        ("created", clock::shown(genesis.created)),
    ];
    content.extend(genesis.council.iter().map(|member| {
        (
            "council",
            format!(
                "{} ({}) {}",
                member.organisation, member.country, member.key
            ),
        )
    }));
    content
}

/// A signer compares the hash with that of the file that everybody was sent.
fn quorum_content(paper: &QuorumPaper) -> Vec<(&'static str, String)> {
    vec![
        ("serial", paper.serial.to_string()),
        ("file's SHA-256", paper.sha256.to_hex()),
        ("consortium", paper.genesis.to_hex()),
    ]
}

fn credential_content(credential: &Credential) -> Vec<(&'static str, String)> {
    let licence = |licence: &Licence| {
        let until = clock::shown(licence.not_after);
        let Licence {
            jurisdiction,
            authority,
            number,
            ..
        } = licence;
        (
            "licence",
            format!("{jurisdiction}, {authority}, {number}, until {until}"),
        )
    };
    let mut content = vec![
        ("kind", credential.kind.name().to_owned()),
        ("organisation", credential.organisation.clone()),
        ("country", credential.country.clone()),
        ("serial", credential.serial.to_string()),
        ("node", credential.node.to_string()),
    ];
    let optional = [
        ("log", credential.log.clone()),
        ("witness", credential.witness.clone()),
        (
            "grants key",
            credential.hospital_key.map(|key| key.to_hex()),
        ),
        ("person", credential.person.map(|person| person.to_string())),
    ];
    content.extend(
        optional
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?))),
    );
    content.extend(credential.licences.iter().map(licence));
    for (name, list) in [
        ("languages", &credential.languages),
        ("modalities", &credential.modalities),
        ("subspecialties", &credential.subspecialties),
    ] {
        if !list.is_empty() {
            content.push((name, list.join(", ")));
        }
    }
    content.push(("from", clock::shown(credential.not_before)));
    content.push(("until", clock::shown(credential.not_after)));
    content.push(("consortium", credential.genesis.to_hex()));
    content
}
