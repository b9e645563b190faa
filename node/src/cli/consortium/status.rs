//! `radmesh consortium status`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use protocol::member::Member;
use serde::Serialize;

use crate::cli::{Output, clock};
use crate::config::{Settings, Trust};

/// Days before its end at which a credential is to be renewed.
const RENEW_DAYS: u64 = 30;

/// By whose eyes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    /// The node's configuration file.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
}

#[derive(Serialize)]
struct ShownMember {
    kind: &'static str,
    organisation: String,
    country: String,
    node: String,
    serial: u64,
    until: String,
    renew_soon: bool,
    own: bool,
}

/// Who is in.
#[derive(Serialize)]
struct Shown {
    consortium: String,
    genesis_hash: String,
    threshold: usize,
    council: usize,
    members: Vec<ShownMember>,
    ignored: Vec<String>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (genesis {})", self.consortium, self.genesis_hash)?;
        writeln!(
            f,
            "{} of {} council members admit",
            self.threshold, self.council
        )?;
        for member in &self.members {
            let ShownMember {
                kind,
                organisation,
                country,
                node,
                until,
                ..
            } = member;
            let own = if member.own { "  (this node)" } else { "" };
            let soon = if member.renew_soon {
                "  RENEW SOON"
            } else {
                ""
            };
            writeln!(
                f,
                "{kind:<9} {node}  {organisation} ({country})  until {until}{soon}{own}"
            )?;
        }
        self.ignored
            .iter()
            .try_for_each(|ignored| writeln!(f, "ignored: {ignored}"))
    }
}

impl Status {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let settings = Settings::load(&self.config)?;
        let now = clock::now()?;
        let trust = Trust::load(&settings, now)?;
        let soon = now.unix_s() + RENEW_DAYS * clock::DAY;
        let member = |member: &Member| {
            let credential = &member.credential;
            ShownMember {
                kind: credential.kind.name(),
                organisation: credential.organisation.clone(),
                country: credential.country.clone(),
                node: credential.node.to_string(),
                serial: credential.serial,
                until: clock::shown(credential.not_after),
                renew_soon: credential.not_after < soon,
                own: credential.node == trust.own.credential.node,
            }
        };
        let genesis = trust.roster.genesis();
        let ignored = |(file, error): &(PathBuf, _)| format!("{}: {error}", file.display());
        out.answer(&Shown {
            consortium: genesis.name.clone(),
            genesis_hash: trust.roster.genesis_hash().to_hex(),
            threshold: genesis.threshold,
            council: genesis.council.len(),
            members: trust.roster.members().map(member).collect(),
            ignored: trust.ignored.iter().map(ignored).collect(),
        })
    }
}
