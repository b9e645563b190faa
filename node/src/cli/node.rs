//! `radmesh node`: the node itself.

use std::fmt;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use crypto::keys::VerifyingKey;
use protocol::member::Credential;
use serde::Serialize;

use super::{Output, clock};
use crate::config::{PassphraseSource, Settings, Trust};
use crate::control::wire::Request;
use crate::daemon;
use crate::keystore::{KeyKind, Keystore, Passphrase, Roles, Secrets};

/// What to do with a node.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check a configuration and everything it names: keys, credential, members, quorum, policy.
    CheckConfig(CheckConfig),
    /// Run the node until it is told to stop.
    Run(Run),
    /// Who and where a running node is, and how far its log is.
    Status(super::client::Target),
}

/// Which configuration.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Which configuration.
#[derive(Debug, Args)]
pub(super) struct CheckConfig {
    /// The configuration file.
    #[arg(value_name = "FILE")]
    config: PathBuf,
}

/// What a configuration amounts to.
#[derive(Serialize)]
struct Checked {
    node: String,
    organisation: String,
    kind: &'static str,
    credential_ends: String,
    consortium: String,
    members: usize,
    ignored: Vec<String>,
    policy: Option<String>,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the configuration is good")?;
        writeln!(f, "node        {}", self.node)?;
        writeln!(f, "member      {} ({})", self.organisation, self.kind)?;
        writeln!(f, "until       {}", self.credential_ends)?;
        writeln!(
            f,
            "consortium  {}, {} members",
            self.consortium, self.members
        )?;
        if let Some(policy) = &self.policy {
            writeln!(f, "policy      {policy}")?;
        }
        self.ignored
            .iter()
            .try_for_each(|ignored| writeln!(f, "ignored     {ignored}"))
    }
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        match self {
            Self::CheckConfig(check) => check.run(out),
            Self::Run(run) => run.run(out),
            Self::Status(target) => target.show(&Request::Status {}, out),
        }
    }
}

impl Run {
    fn run(self, out: &Output) -> anyhow::Result<()> {
        let settings = Settings::load(&self.config)?;
        let filter =
            tracing_subscriber::EnvFilter::try_new(&settings.log_filter).context("log.filter")?;
        let logging = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr);
        match out.is_json() {
            true => logging.json().init(),
            false => logging.init(),
        }
        let trust = Trust::load(&settings, clock::now()?)?;
        let secrets = open_secrets(&settings)?;
        check_keys(&secrets, &trust.own.credential)?;
        daemon::run(settings, trust, secrets)
    }
}

impl CheckConfig {
    fn run(self, out: &Output) -> anyhow::Result<()> {
        let settings = Settings::load(&self.config)?;
        if settings.identity.passphrase == PassphraseSource::Unencrypted {
            out.hint("warning: the key files are not encrypted: whoever copies them is this node");
        }
        let trust = Trust::load(&settings, clock::now()?)?;
        let secrets = open_secrets(&settings)?;
        check_keys(&secrets, &trust.own.credential)?;
        let credential = &trust.own.credential;
        let ignored = |(file, error): &(PathBuf, _)| format!("{}: {error}", file.display());
        out.answer(&Checked {
            node: credential.node.to_string(),
            organisation: credential.organisation.clone(),
            kind: credential.kind.name(),
            credential_ends: clock::shown(credential.not_after),
            consortium: trust.roster.genesis().name.clone(),
            members: trust.roster.len(),
            ignored: trust.ignored.iter().map(ignored).collect(),
            policy: trust.policy.as_ref().map(|policy| {
                use protocol::policy::Decide as _;
                policy.policy_hash().to_hex()
            }),
        })
    }
}

/// Opens the keys that the configured roles need.
///
/// # Errors
/// The passphrase is not there, or a key does not open.
pub(super) fn open_secrets(settings: &Settings) -> anyhow::Result<Secrets> {
    let passphrase = Passphrase::read(&settings.identity.passphrase)?;
    let keystore = Keystore::new(settings.identity.keys.clone(), passphrase);
    let roles = Roles {
        hospital: settings.hospital.is_some(),
        reader: settings.reader.is_some(),
        witness: settings.witness.is_some(),
    };
    Secrets::open(&keystore, roles).context("keys: make missing ones with `radmesh key new`")
}

/// Holds the keys against the credential: a node with other keys would be a stranger to everybody.
///
/// # Errors
/// Names the key that differs.
pub(super) fn check_keys(secrets: &Secrets, credential: &Credential) -> anyhow::Result<()> {
    let node = VerifyingKey::from_bytes(credential.node.as_bytes())?;
    let person = match &credential.person {
        Some(person) => Some(VerifyingKey::from_bytes(person.as_bytes())?),
        None => None,
    };
    let log = credential.log_key()?.map(|key| *key.key());
    let witness = credential.witness_key()?.map(|key| *key.key());
    let public =
        |key: &Option<crypto::keys::SigningKey>| key.as_ref().map(|key| key.verifying_key());
    for (kind, held, certified) in [
        (
            KeyKind::Transport,
            Some(secrets.transport.verifying_key()),
            Some(node),
        ),
        (KeyKind::Log, public(&secrets.log), log),
        (
            KeyKind::Hospital,
            public(&secrets.hospital),
            credential.hospital_key,
        ),
        (KeyKind::Person, public(&secrets.person), person),
        (KeyKind::Witness, public(&secrets.witness), witness),
    ] {
        if held.is_some() && held != certified {
            bail!(
                "the {kind} key is not the one in the credential: renew that, or put the key back"
            );
        }
    }
    Ok(())
}
