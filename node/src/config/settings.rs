//! What a configuration means: every value parsed, checked and in its own type.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crypto::digest::Digest;
use crypto::note::{KeyName, VerifierKey};
use libp2p::Multiaddr;
use protocol::case::rules::Rule;
use protocol::ids::NodeId;
use reqwest::Url;

use crate::dicom::ae::AeTitle;

/// A node's settings. Made by [`Settings::load`] alone, so that none of them is impossible.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Where the node keeps its log, its index and its sealed files.
    pub data_dir: PathBuf,
    /// The node's keys.
    pub identity: IdentitySettings,
    /// Whom the node trusts.
    pub consortium: ConsortiumSettings,
    /// What decides on a release: there for a hospital and for a reader.
    pub policy: Option<PolicySettings>,
    /// How the node reaches others.
    pub mesh: MeshSettings,
    /// The hospital role.
    pub hospital: Option<HospitalSettings>,
    /// The reader role.
    pub reader: Option<ReaderSettings>,
    /// The witness role.
    pub witness: Option<WitnessSettings>,
    /// The relay role.
    pub relay: bool,
    /// The socket that the command line talks to.
    pub control_socket: PathBuf,
    /// Levels of what is written to standard error, as `tracing_subscriber::EnvFilter` reads them.
    pub log_filter: String,
}

/// The node's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySettings {
    /// The folder of the key files.
    pub keys: PathBuf,
    /// Where the passphrase comes from.
    pub passphrase: PassphraseSource,
}

/// Where a passphrase comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassphraseSource {
    /// A file, readable by the node's user alone.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// There is none: the key files are not encrypted.
    Unencrypted,
}

/// Whom the node trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsortiumSettings {
    /// The genesis envelope.
    pub genesis: PathBuf,
    /// Its SHA-256.
    pub genesis_hash: Digest,
    /// The folder with the members' credentials.
    pub credentials: PathBuf,
    /// This node's own credential.
    pub credential: PathBuf,
    /// The quorum file (C2SP tlog-policy).
    pub quorum: PathBuf,
    /// Witnesses that are asked over HTTP.
    pub witnesses: Vec<WitnessUrl>,
    /// How long a start waits to hear a quorum of witnesses.
    pub witness_wait: Duration,
}

/// A witness that is asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessUrl {
    /// The name of its key.
    pub name: KeyName,
    /// Where `add-checkpoint` is asked.
    pub add_checkpoint: Url,
}

/// The witness role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessSettings {
    /// Where it answers over HTTP, if it does.
    pub http_listen: Option<SocketAddr>,
    /// The keys of the logs of others than members.
    pub logs: Vec<VerifierKey>,
}

impl ConsortiumSettings {
    /// What the council signed of the quorum file: beside it, with the ending `envelope`.
    #[must_use]
    pub fn quorum_paper(&self) -> PathBuf {
        self.quorum.with_extension("envelope")
    }
}

/// What decides on a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// The Cedar policy.
    pub rules: PathBuf,
    /// The Cedar schema.
    pub schema: PathBuf,
}

/// How the node reaches others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshSettings {
    /// Where to listen.
    pub listen: Vec<Multiaddr>,
    /// Where others reach this node.
    pub external: Vec<Multiaddr>,
    /// Nodes to stay connected to, with an address each; a node may stand there more than once.
    pub bootstrap: Vec<(NodeId, Multiaddr)>,
    /// Be reachable through the bootstrap nodes that are relays.
    pub through_relay: bool,
}

/// The hospital role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HospitalSettings {
    /// The AE title that modalities and the PACS send to.
    pub ae_title: AeTitle,
    /// Where the DICOM storage SCP listens.
    pub dicom_listen: SocketAddr,
    /// Who may send.
    pub allow: Vec<AllowedPeer>,
    /// Where orders come from.
    pub orders: OrderSource,
    /// How long a study must be quiet before it counts as complete.
    pub quiet_period: Duration,
    /// Whose law protects the patients (ISO 3166-1 alpha-2), unless an order says otherwise.
    pub jurisdiction: String,
    /// The language of the reports wanted (BCP 47), unless an order says otherwise.
    pub report_language: String,
    /// Bytes that images leave free for the log and for reports.
    pub reserve: u64,
    /// Which study opens a case; the first match wins.
    pub rules: Vec<Rule>,
    /// Where reports go.
    pub delivery: DeliverySettings,
}

/// Somebody who may send. A field without a value fits everybody; one of the two has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedPeer {
    /// The calling AE title.
    pub ae_title: Option<AeTitle>,
    /// The address that it calls from.
    pub address: Option<IpAddr>,
}

/// Where orders come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderSource {
    /// One file an order, in this folder.
    Folder(PathBuf),
    /// The study's own DICOM header stands for the order.
    DicomHeader,
}

/// Where reports go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliverySettings {
    /// To a storage SCP.
    Dicom {
        /// Its AE title.
        ae_title: AeTitle,
        /// Its address.
        address: HostPort,
        /// The calling AE title.
        calling: AeTitle,
    },
    /// To a folder.
    Folder(PathBuf),
}

/// A host name or address with a port, as name resolution takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort(String);

impl HostPort {
    /// Reads `host:port`, `192.0.2.1:104` or `[2001:db8::1]:104`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text
            .parse::<SocketAddr>()
            .is_ok_and(|address| address.port() != 0)
        {
            return Some(Self(text.to_owned()));
        }
        let (host, port) = text.rsplit_once(':')?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let fits = (1..=253).contains(&host.len())
            && host.bytes().all(allowed)
            && port.parse::<u16>().is_ok_and(|port| port != 0);
        fits.then(|| Self(text.to_owned()))
    }

    /// The text, for name resolution.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The reader role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderSettings {
    /// Where the desk is (ISO 3166-1 alpha-2).
    pub country: String,
    /// Reads that are taken on at once.
    pub slots: u32,
    /// Claim the most pressing offer whenever a slot is free.
    pub auto_claim: bool,
    /// Where DICOMweb listens: loopback.
    pub dicomweb_listen: SocketAddr,
    /// How long a session certificate lasts.
    pub session: Duration,
    /// The most bytes that images may take in memory.
    pub memory: u64,
    /// A folder of report templates of one's own.
    pub templates: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_port() {
        for good in [
            "pacs:104",
            "pacs.example.org:11112",
            "192.0.2.1:104",
            "[2001:db8::1]:104",
        ] {
            assert_eq!(
                HostPort::parse(good).map(|host| host.to_string()),
                Some(good.to_owned())
            );
        }
        for bad in [
            "",
            "pacs",
            ":104",
            "pacs:0",
            "pacs:65536",
            "2001:db8::1:x",
            "a b:1",
            "192.0.2.1:0",
        ] {
            assert_eq!(HostPort::parse(bad), None, "{bad}");
        }
    }
}
