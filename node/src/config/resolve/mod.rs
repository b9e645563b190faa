//! From what a person wrote to [`Settings`]: every value is parsed once, here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crypto::digest::Digest;
use crypto::keys::VerifyingKey;
use libp2p::Multiaddr;
use protocol::ids::NodeId;
use protocol::limits;
use protocol::member::check::is_country;

use super::error::{ConfigError, reword};
use super::locate::{key_at, line_at, line_of};
use super::settings::{
    ConsortiumSettings, IdentitySettings, MeshSettings, PassphraseSource, PolicySettings,
    ReaderSettings, Settings,
};
use super::{Config, Consortium, Identity, Mesh, Reader, units};
use crate::dicom::ae::AeTitle;

mod hospital;
mod witness;

/// The longest configuration file: one with a thousand rules is a fifth of it.
const FILE_MAX: u64 = 1 << 20;

/// The longest wait for the witnesses at a start: until then nothing can be acknowledged.
const WITNESS_WAIT_MAX: Duration = Duration::from_secs(600);

/// The most reads at once that a desk may announce: more is a mistyped number.
const SLOTS_MAX: u32 = 64;

/// The least memory for images: one radiograph pair and its frames in flight.
const MEMORY_MIN: u64 = 64 << 20;

impl Settings {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the line, the key and the mend.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let refused = |complaint: String| ConfigError {
            file: file.to_owned(),
            line: None,
            key: String::new(),
            complaint,
        };
        let metadata =
            std::fs::metadata(file).map_err(|error| refused(format!("cannot be read: {error}")))?;
        if metadata.len() > FILE_MAX {
            return Err(refused(
                "is longer than 1 MiB: not a configuration".to_owned(),
            ));
        }
        let text = std::fs::read_to_string(file)
            .map_err(|error| refused(format!("cannot be read: {error}")))?;
        Self::parse(&text, file)
    }

    /// Reads a configuration's text as if it stood in `file`, which names it in errors and is where
    /// relative paths start.
    ///
    /// # Errors
    /// [`ConfigError`], likewise.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|error| {
            let at = error.span().map(|span| span.start);
            ConfigError {
                file: file.to_owned(),
                line: at.map(|byte| line_at(text, byte)),
                key: at.map(|byte| key_at(text, byte)).unwrap_or_default(),
                complaint: reword(error.message()),
            }
        })?;
        Resolver {
            text,
            file,
            base: file.parent().unwrap_or(Path::new("")),
        }
        .settings(&config)
    }
}

/// The text that is resolved, and from which folder its relative paths start.
struct Resolver<'a> {
    text: &'a str,
    file: &'a Path,
    base: &'a Path,
}

impl Resolver<'_> {
    fn settings(&self, config: &Config) -> Result<Settings, ConfigError> {
        let data_dir = self.path("data_dir", &config.data_dir)?;
        let roles = [
            config.hospital.is_some(),
            config.reader.is_some(),
            config.witness.is_some(),
            config.relay.is_some(),
        ];
        if roles == [false; 4] {
            let mend = "no role: add [hospital], [reader], [witness] or [relay]";
            return Err(self.error("", mend));
        }
        let policy = match &config.policy {
            Some(policy) => Some(PolicySettings {
                rules: self.path("policy.rules", &policy.rules)?,
                schema: self.path("policy.schema", &policy.schema)?,
            }),
            None if config.hospital.is_some() || config.reader.is_some() => {
                let mend =
                    "is missing: a hospital and a reader need [policy] with rules and schema";
                return Err(self.error("policy", mend));
            }
            None => None,
        };
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.log.filter) {
            return Err(self.error("log.filter", &format!("{error}; as in \"info,node=debug\"")));
        }
        let control_socket = match &config.control.socket {
            Some(socket) => self.path("control.socket", socket)?,
            None => data_dir.join("control.sock"),
        };
        Ok(Settings {
            identity: self.identity(&config.identity, &data_dir)?,
            consortium: self.consortium(&config.consortium)?,
            policy,
            mesh: self.mesh(&config.mesh)?,
            hospital: config
                .hospital
                .as_ref()
                .map(|role| self.hospital(role))
                .transpose()?,
            reader: config
                .reader
                .as_ref()
                .map(|role| self.reader(role))
                .transpose()?,
            witness: config
                .witness
                .as_ref()
                .map(|role| self.witness(role))
                .transpose()?,
            relay: config.relay.is_some(),
            control_socket,
            log_filter: config.log.filter.clone(),
            data_dir,
        })
    }

    fn identity(
        &self,
        identity: &Identity,
        data_dir: &Path,
    ) -> Result<IdentitySettings, ConfigError> {
        let keys = match &identity.keys {
            Some(keys) => self.path("identity.keys", keys)?,
            None => data_dir.join("keys"),
        };
        let passphrase = match (
            &identity.passphrase_file,
            &identity.passphrase_env,
            identity.unencrypted,
        ) {
            (Some(file), None, false) => {
                PassphraseSource::File(self.path("identity.passphrase_file", file)?)
            }
            (None, Some(name), false) if !name.is_empty() && !name.contains(['=', '\0']) => {
                PassphraseSource::Variable(name.clone())
            }
            (None, None, true) => PassphraseSource::Unencrypted,
            (None, Some(_), false) => {
                return Err(self.error("identity.passphrase_env", "is no variable's name"));
            }
            (Some(_), Some(_), _) | (Some(_), None, true) | (None, Some(_), true) => {
                let mend = "give one of passphrase_file, passphrase_env, unencrypted = true";
                return Err(self.error("identity", mend));
            }
            (None, None, false) => {
                let mend = "say where the passphrase is: passphrase_file or passphrase_env \
                                (or unencrypted = true, for a trial)";
                return Err(self.error("identity", mend));
            }
        };
        Ok(IdentitySettings { keys, passphrase })
    }

    fn consortium(&self, consortium: &Consortium) -> Result<ConsortiumSettings, ConfigError> {
        let genesis_hash = Digest::from_hex(&consortium.genesis_hash).map_err(|error| {
            let mend = format!("{error}: take it from the founders' announcement");
            self.error("consortium.genesis_hash", &mend)
        })?;
        Ok(ConsortiumSettings {
            genesis: self.path("consortium.genesis", &consortium.genesis)?,
            genesis_hash,
            credentials: self.path("consortium.credentials", &consortium.credentials)?,
            credential: self.path("consortium.credential", &consortium.credential)?,
            quorum: self.path("consortium.quorum", &consortium.quorum)?,
            witnesses: self.witnesses(&consortium.witnesses)?,
            witness_wait: self.span(
                "consortium.witness_wait",
                &consortium.witness_wait,
                WITNESS_WAIT_MAX,
            )?,
        })
    }

    fn mesh(&self, mesh: &Mesh) -> Result<MeshSettings, ConfigError> {
        let list = |key: &str, texts: &[String]| {
            texts
                .iter()
                .map(|text| self.multiaddr(key, text))
                .collect::<Result<Vec<_>, _>>()
        };
        let mut bootstrap = Vec::with_capacity(mesh.bootstrap.len());
        for entry in &mesh.bootstrap {
            let node = NodeId::from_hex(&entry.node)
                .filter(|node| VerifyingKey::from_bytes(node.as_bytes()).is_ok());
            let node = node.ok_or_else(|| {
                let mend = format!("\"{}\" is no node id: 64 hexadecimal digits", entry.node);
                self.error("mesh.bootstrap", &mend)
            })?;
            bootstrap.push((node, self.multiaddr("mesh.bootstrap", &entry.address)?));
        }
        Ok(MeshSettings {
            listen: list("mesh.listen", &mesh.listen)?,
            external: list("mesh.external", &mesh.external)?,
            bootstrap,
            through_relay: mesh.through_relay,
        })
    }

    fn reader(&self, reader: &Reader) -> Result<ReaderSettings, ConfigError> {
        self.country("reader.country", &reader.country)?;
        if !(1..=SLOTS_MAX).contains(&reader.slots) {
            return Err(self.error("reader.slots", "is a number from 1 to 64"));
        }
        let dicomweb_listen = self.socket("reader.dicomweb_listen", &reader.dicomweb_listen)?;
        if !dicomweb_listen.ip().is_loopback() {
            let mend = "must be a loopback address: others would see images (127.0.0.1:8042)";
            return Err(self.error("reader.dicomweb_listen", mend));
        }
        let memory = self.size("reader.memory", &reader.memory)?;
        if memory < MEMORY_MIN {
            return Err(self.error("reader.memory", "is less than 64MiB: give more"));
        }
        let templates = match &reader.templates {
            Some(folder) => Some(self.path("reader.templates", folder)?),
            None => None,
        };
        Ok(ReaderSettings {
            country: reader.country.clone(),
            slots: reader.slots,
            auto_claim: reader.auto_claim,
            dicomweb_listen,
            session: self.span("reader.session", &reader.session, limits::SESSION_MAX)?,
            memory,
            templates,
        })
    }

    fn error(&self, key: &str, complaint: &str) -> ConfigError {
        ConfigError {
            file: self.file.to_owned(),
            line: line_of(self.text, key),
            key: key.to_owned(),
            complaint: complaint.to_owned(),
        }
    }

    fn path(&self, key: &str, path: &Path) -> Result<PathBuf, ConfigError> {
        if path.as_os_str().is_empty() {
            return Err(self.error(key, "is empty: give a path"));
        }
        Ok(self.base.join(path))
    }

    fn span(&self, key: &str, text: &str, most: Duration) -> Result<Duration, ConfigError> {
        match units::span(text) {
            Some(span) if !span.is_zero() && span <= most => Ok(span),
            Some(_) => {
                let mend = format!("\"{text}\" is out of bounds: up to {}s", most.as_secs());
                Err(self.error(key, &mend))
            }
            None => {
                let mend = format!("\"{text}\" is no span of time: as \"90s\", \"5m\", \"8h\"");
                Err(self.error(key, &mend))
            }
        }
    }

    fn size(&self, key: &str, text: &str) -> Result<u64, ConfigError> {
        units::size(text).ok_or_else(|| {
            self.error(
                key,
                &format!("\"{text}\" is no size: as \"512MiB\" or \"2GiB\""),
            )
        })
    }

    fn country(&self, key: &str, text: &str) -> Result<(), ConfigError> {
        if is_country(text) {
            return Ok(());
        }
        Err(self.error(
            key,
            &format!("\"{text}\" is no country: two capital letters, as \"DE\""),
        ))
    }

    fn socket(&self, key: &str, text: &str) -> Result<SocketAddr, ConfigError> {
        text.parse().map_err(|_| {
            self.error(
                key,
                &format!("\"{text}\" is no address with a port, as \"127.0.0.1:8042\""),
            )
        })
    }

    fn multiaddr(&self, key: &str, text: &str) -> Result<Multiaddr, ConfigError> {
        match text.parse::<Multiaddr>() {
            Ok(address) if !address.is_empty() => Ok(address),
            Ok(_) | Err(_) => {
                let mend = format!("\"{text}\" is no multiaddress, as \"/ip4/192.0.2.1/tcp/4001\"");
                Err(self.error(key, &mend))
            }
        }
    }

    fn ae_title(&self, key: &str, text: &str) -> Result<AeTitle, ConfigError> {
        AeTitle::parse(text).map_err(|error| self.error(key, &format!("\"{text}\": {error}")))
    }
}
