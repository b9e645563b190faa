//! How a command is told where keys are and what opens them.

use std::path::PathBuf;

use clap::Args;

use crate::config::PassphraseSource;
use crate::keystore::{Keystore, Passphrase};

use super::Output;

/// Where the passphrase is: one of the three.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct PassphraseArgs {
    /// A file that holds the passphrase, readable by you alone.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// An environment variable that holds the passphrase.
    #[arg(long, value_name = "NAME")]
    passphrase_env: Option<String>,
    /// The key files are not encrypted.
    #[arg(long)]
    unencrypted: bool,
}

impl PassphraseArgs {
    /// Reads it.
    pub(super) fn read(&self) -> anyhow::Result<Passphrase> {
        let source = match (&self.passphrase_file, &self.passphrase_env) {
            (Some(file), _) => PassphraseSource::File(file.clone()),
            (None, Some(name)) => PassphraseSource::Variable(name.clone()),
            (None, None) => PassphraseSource::Unencrypted,
        };
        Ok(Passphrase::read(&source)?)
    }

    /// Says what it means that key files are not encrypted.
    pub(super) fn warn(&self, out: &Output) {
        if self.unencrypted {
            out.hint(
                "warning: the key files are not encrypted: whoever copies them can act as you",
            );
        }
    }
}

/// A folder of key files and what opens it.
#[derive(Clone, Debug, Args)]
pub(super) struct KeysArgs {
    /// The folder of the key files.
    #[arg(long, value_name = "DIR")]
    pub(super) keys: PathBuf,
    #[command(flatten)]
    pub(super) passphrase: PassphraseArgs,
}

impl KeysArgs {
    /// Opens it; no key is read yet.
    pub(super) fn open(&self) -> anyhow::Result<Keystore> {
        Ok(Keystore::new(self.keys.clone(), self.passphrase.read()?))
    }
}
