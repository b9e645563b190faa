//! `radmesh key`: make keys, show their public halves.

use std::fmt;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use crypto::keyfile::KdfParams;
use serde::Serialize;

use super::Output;
use super::secret::KeysArgs;
use crate::keystore::{KeyKind, Keystore};
use crate::random;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make new keys. A key that exists is never overwritten.
    New(New),
    /// Show the public halves of the keys in a folder.
    Show(KeysArgs),
}

/// Which keys to make.
#[derive(Debug, Args)]
pub(super) struct New {
    #[command(flatten)]
    keys: KeysArgs,
    /// Which keys: transport, log, hospital, person, witness, master, council.
    #[arg(required = true, value_name = "KIND", value_parser = kind)]
    kinds: Vec<KeyKind>,
}

fn kind(text: &str) -> anyhow::Result<KeyKind> {
    KeyKind::from_name(text).with_context(|| {
        let all = KeyKind::ALL.map(KeyKind::name).join(", ");
        format!("there is no {text} key; there are {all}")
    })
}

/// A key as it is shown: never its secret half.
#[derive(Serialize)]
struct Shown {
    kind: &'static str,
    /// 64 hexadecimal digits; none for the master key.
    public: Option<String>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let public = self.public.as_deref().unwrap_or("(has no public half)");
        write!(f, "{:<10} {public}", self.kind)
    }
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        match self {
            Self::New(new) => new.run(out),
            Self::Show(keys) => show(&keys.open()?, out),
        }
    }
}

impl New {
    fn run(self, out: &Output) -> anyhow::Result<()> {
        self.keys.passphrase.warn(out);
        let keystore = self.keys.open()?;
        // All or none, as far as it can be known beforehand.
        if let Some(kind) = self.kinds.iter().find(|kind| keystore.has(**kind)) {
            let folder = self.keys.keys.display();
            bail!("{folder}: the {kind} key exists already, and is not overwritten");
        }
        let mut rng = random::os_rng()?;
        for kind in self.kinds {
            let public = keystore.create(kind, KdfParams::RECOMMENDED, &mut rng)?;
            out.answer(&Shown {
                kind: kind.name(),
                public: public.map(|key| key.to_hex()),
            })?;
        }
        Ok(())
    }
}

fn show(keystore: &Keystore, out: &Output) -> anyhow::Result<()> {
    let present: Vec<KeyKind> = KeyKind::ALL
        .into_iter()
        .filter(|kind| keystore.has(*kind))
        .collect();
    if present.is_empty() {
        bail!("no keys there: make them with `radmesh key new`");
    }
    for kind in present {
        let public = match kind.signs() {
            true => Some(keystore.signing(kind)?.verifying_key().to_hex()),
            false => keystore.master().map(|_| None)?,
        };
        out.answer(&Shown {
            kind: kind.name(),
            public,
        })?;
    }
    Ok(())
}
