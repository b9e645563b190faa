//! `radmesh consortium request`.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use crypto::note::{KeyName, KeyType, VerifierKey};
use protocol::ids::{NodeId, PersonId};
use protocol::member::{Credential, Genesis, Licence, MemberKind, Paper};
use serde::Serialize;

use super::{read_paper, write_paper};
use crate::cli::secret::KeysArgs;
use crate::cli::{Output, clock};
use crate::keystore::{KeyKind, Keystore};

/// How much earlier a credential starts than it is asked for: clocks of members differ.
const START_EARLY_S: u64 = 300;

/// What the credential is to say.
#[derive(Debug, Args)]
pub(in crate::cli) struct Request {
    #[command(flatten)]
    keys: KeysArgs,
    /// The consortium's genesis.
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// hospital, reader, witness or relay.
    #[arg(long, value_parser = kind)]
    kind: MemberKind,
    /// The organisation's name.
    #[arg(long)]
    organisation: String,
    /// The organisation's country, as DE.
    #[arg(long)]
    country: String,
    /// The name of the node's log, as log.example.org/radmesh: for hospitals and readers.
    #[arg(long, value_name = "NAME")]
    log_name: Option<String>,
    /// The name under which the node cosigns, as witness.example.org: for witnesses.
    #[arg(long, value_name = "NAME")]
    witness_name: Option<String>,
    /// A licence, as "COUNTRY,AUTHORITY,NUMBER,FROM,TO" (days as 2026-11-24); once for each.
    #[arg(long = "licence", value_name = "LICENCE", value_parser = licence)]
    licences: Vec<Licence>,
    /// A language in which the reader writes reports, as de; once for each.
    #[arg(long = "language", value_name = "LANGUAGE")]
    languages: Vec<String>,
    /// A modality that the reader reads, as CT; once for each.
    #[arg(long = "modality", value_name = "MODALITY")]
    modalities: Vec<String>,
    /// A subspecialty of the reader; once for each.
    #[arg(long = "subspecialty", value_name = "NAME")]
    subspecialties: Vec<String>,
    /// How many days the credential holds: a year at most.
    #[arg(long, default_value_t = 365)]
    days: u64,
    /// Its serial number; by default the time now in microseconds, which nobody else has.
    #[arg(long)]
    serial: Option<u64>,
    /// Where to write the request.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn kind(text: &str) -> anyhow::Result<MemberKind> {
    MemberKind::from_name(text).context("as hospital, reader, witness or relay")
}

fn licence(text: &str) -> anyhow::Result<Licence> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [jurisdiction, authority, number, from, to] = parts[..] else {
        bail!("as COUNTRY,AUTHORITY,NUMBER,FROM,TO");
    };
    Ok(Licence {
        jurisdiction: jurisdiction.to_owned(),
        authority: authority.to_owned(),
        number: number.to_owned(),
        not_before: clock::day(from)?,
        // The last day counts as a whole.
        not_after: clock::day(to)? + clock::DAY,
    })
}

/// What was written.
#[derive(Serialize)]
struct Requested {
    file: PathBuf,
    serial: u64,
    node: String,
}

impl fmt::Display for Requested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, serial, node) = (self.file.display(), self.serial, &self.node);
        write!(
            f,
            "{file}: a request, serial number {serial}, for node {node}"
        )
    }
}

impl Request {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let keystore = self.keys.open()?;
        let (_, genesis) = Genesis::open(&read_paper(&self.genesis)?)?;
        let now = clock::now()?;
        let not_before = now.unix_s().saturating_sub(START_EARLY_S);
        let owns_log = matches!(self.kind, MemberKind::Hospital | MemberKind::Reader);
        if owns_log != self.log_name.is_some() {
            bail!("--log-name is for hospitals and readers, and they need it");
        }
        let node = keystore.signing(KeyKind::Transport)?.verifying_key();
        let named = |name: &Option<String>, kind, vkey| {
            name.as_deref()
                .map(|name| verifier(&keystore, name, kind, vkey))
                .transpose()
        };
        let credential = Credential {
            genesis,
            serial: self.serial.unwrap_or(now.unix_us),
            kind: self.kind,
            organisation: self.organisation,
            country: self.country,
            node: NodeId::from_bytes(*node.as_bytes()),
            log: named(&self.log_name, KeyKind::Log, KeyType::Ed25519)?,
            witness: named(&self.witness_name, KeyKind::Witness, KeyType::Cosignature)?,
            hospital_key: match self.kind {
                MemberKind::Hospital => Some(keystore.signing(KeyKind::Hospital)?.verifying_key()),
                MemberKind::Reader | MemberKind::Witness | MemberKind::Relay => None,
            },
            person: match self.kind {
                MemberKind::Reader => {
                    let person = keystore.signing(KeyKind::Person)?.verifying_key();
                    Some(PersonId::from_bytes(*person.as_bytes()))
                }
                MemberKind::Hospital | MemberKind::Witness | MemberKind::Relay => None,
            },
            licences: ascending(self.licences),
            languages: ascending(self.languages),
            modalities: ascending(self.modalities),
            subspecialties: ascending(self.subspecialties),
            not_before,
            not_after: not_before.saturating_add(self.days.saturating_mul(clock::DAY)),
        };
        let (serial, node) = (credential.serial, credential.node.to_string());
        write_paper(
            &self.out,
            &Paper::Credential(Box::new(credential)).request()?,
        )?;
        out.answer(&Requested {
            file: self.out,
            serial,
            node,
        })
    }
}

/// A verifier key with the public half of one of the node's keys.
fn verifier(
    keystore: &Keystore,
    name: &str,
    kind: KeyKind,
    vkey: KeyType,
) -> anyhow::Result<String> {
    let name = KeyName::new(name).with_context(|| format!("\"{name}\""))?;
    let key = keystore.signing(kind)?.verifying_key();
    Ok(VerifierKey::new(name, vkey, key).to_string())
}

fn ascending<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_holds_through_its_last_day() {
        let read = licence("DE, Chamber, R-17, 2026-01-01, 2026-01-31").unwrap();
        assert_eq!(read.not_after - read.not_before, 31 * clock::DAY);
        assert_eq!(read.authority, "Chamber");
        assert!(licence("DE,Chamber,R-17,2026-01-01").is_err());
    }
}
