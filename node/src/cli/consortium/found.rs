//! `radmesh consortium found`.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use crypto::keys::VerifyingKey;
use protocol::member::{CouncilMember, Genesis, Paper};
use serde::Serialize;

use super::{read_papers, write_paper};
use crate::cli::{Output, clock};

/// A new genesis, or its signed copies.
#[derive(Debug, Args)]
pub(in crate::cli) struct Found {
    /// The consortium's name.
    #[arg(long, required_unless_present = "signed", conflicts_with = "signed")]
    name: Option<String>,
    /// How many council members must sign a credential: more than half of them.
    #[arg(long, required_unless_present = "signed", conflicts_with = "signed")]
    threshold: Option<usize>,
    /// A council member, as "ORGANISATION,COUNTRY,COUNCIL-KEY"; once for each.
    #[arg(long = "member", value_name = "MEMBER", conflicts_with = "signed", value_parser = member)]
    members: Vec<CouncilMember>,
    /// Signed copies of a genesis, to put together; once for each.
    #[arg(long, value_name = "FILE")]
    signed: Vec<PathBuf>,
    /// Where to write the request, or the genesis that all have signed.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Reads "ORGANISATION,COUNTRY,COUNCIL-KEY". An organisation may have a comma in its name.
fn member(text: &str) -> anyhow::Result<CouncilMember> {
    let (rest, key) = text
        .rsplit_once(',')
        .context("as ORGANISATION,COUNTRY,COUNCIL-KEY")?;
    let (organisation, country) = rest
        .rsplit_once(',')
        .context("as ORGANISATION,COUNTRY,COUNCIL-KEY")?;
    Ok(CouncilMember {
        organisation: organisation.trim().to_owned(),
        country: country.trim().to_owned(),
        key: VerifyingKey::from_hex(key.trim())?,
    })
}

/// What was written.
#[derive(Serialize)]
struct Founded {
    file: PathBuf,
    /// SHA-256 of the genesis that everybody pins; none while founders have yet to sign.
    genesis_hash: Option<String>,
}

impl fmt::Display for Founded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        match &self.genesis_hash {
            Some(hash) => write!(f, ": the genesis; every member pins {hash}"),
            None => write!(
                f,
                ": a request; every founder signs it with `radmesh consortium sign`"
            ),
        }
    }
}

impl Found {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let Self {
            name,
            threshold,
            mut members,
            signed,
            out: file,
        } = self;
        let (Some(name), Some(threshold)) = (name, threshold) else {
            let genesis = read_papers(&signed)?;
            let (_, hash) = Genesis::open(&genesis)?;
            write_paper(&file, &genesis)?;
            return out.answer(&Founded {
                file,
                genesis_hash: Some(hash.to_hex()),
            });
        };
        if members.is_empty() {
            bail!("a consortium has founders: name each with --member");
        }
        members.sort_by_key(|member| member.key);
        let created = clock::now()?.unix_s();
        let genesis = Genesis {
            name,
            threshold,
            council: members,
            created,
        };
        write_paper(&file, &Paper::Genesis(genesis).request()?)?;
        out.answer(&Founded {
            file,
            genesis_hash: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_may_have_a_comma_in_its_name() {
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let read = member(&format!("St. Ann, Holy Cross,DE, {key}")).unwrap();
        assert_eq!(
            (read.organisation.as_str(), read.country.as_str()),
            ("St. Ann, Holy Cross", "DE")
        );
        assert_eq!(read.key.to_hex(), key);
        assert!(member("St. Ann").is_err() && member("a,DE,00").is_err());
    }
}
