//! The witness role, and the witnesses that are asked over HTTP.

use crypto::note::{KeyName, KeyType, VerifierKey};
use reqwest::Url;

use super::Resolver;
use crate::config::{ConfigError, Witness, WitnessAt, WitnessSettings, WitnessUrl};

/// Logs of others that one witness cosigns for; each costs a head in memory and on disk.
const LOGS_MAX: usize = 1024;

impl Resolver<'_> {
    pub(super) fn witness(&self, role: &Witness) -> Result<WitnessSettings, ConfigError> {
        let listen = role.http_listen.as_deref();
        let http_listen = listen.map(|text| self.socket("witness.http_listen", text));
        if role.logs.len() > LOGS_MAX {
            let mend = format!("names more than {LOGS_MAX} logs");
            return Err(self.error("witness.logs", &mend));
        }
        let log = |text: &String| match VerifierKey::parse(text) {
            Ok(key) if key.kind() == KeyType::Ed25519 => Ok(key),
            Ok(_) => {
                let mend = format!("\"{text}\" is a witness's key, not a log's");
                Err(self.error("witness.logs", &mend))
            }
            Err(error) => Err(self.error("witness.logs", &format!("\"{text}\": {error}"))),
        };
        Ok(WitnessSettings {
            http_listen: http_listen.transpose()?,
            logs: role.logs.iter().map(log).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn witnesses(&self, all: &[WitnessAt]) -> Result<Vec<WitnessUrl>, ConfigError> {
        const KEY: &str = "consortium.witnesses";
        let one = |witness: &WitnessAt| {
            let name = KeyName::new(&witness.name)
                .map_err(|error| self.error(KEY, &format!("\"{}\": {error}", witness.name)))?;
            let url = format!("{}/add-checkpoint", witness.url.trim_end_matches('/'));
            let url = Url::parse(&url).ok().filter(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.has_host()
                    && url.query().is_none()
                    && url.fragment().is_none()
            });
            let add_checkpoint = url.ok_or_else(|| {
                let mend = format!(
                    "\"{}\" is no URL of a witness, as \"https://witness.example.org/submit\"",
                    witness.url
                );
                self.error(KEY, &mend)
            })?;
            Ok(WitnessUrl {
                name,
                add_checkpoint,
            })
        };
        all.iter().map(one).collect()
    }
}
