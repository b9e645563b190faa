//! The node's TOML: one documented struct tree, unknown keys refused.
//!
//! This is what a person writes; [`Settings`] is what it means. Nothing else in the node reads the
//! file. Paths that are not absolute are taken from the folder of the configuration file.

mod error;
mod locate;
mod resolve;
mod settings;
mod trust;
mod units;

use std::path::PathBuf;

use serde::Deserialize;

pub use error::ConfigError;
pub use settings::{
    AllowedPeer, ConsortiumSettings, DeliverySettings, HospitalSettings, HostPort,
    IdentitySettings, MeshSettings, OrderSource, PassphraseSource, PolicySettings, ReaderSettings,
    Settings, WitnessSettings, WitnessUrl,
};
pub use trust::{CREDENTIAL_ENDING, Trust, TrustError, admit_folder, load_policy};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the node keeps its log, its index and its sealed files.
    pub data_dir: PathBuf,
    /// The node's keys.
    pub identity: Identity,
    /// Whom the node trusts.
    pub consortium: Consortium,
    /// What decides on a release. Needed by a hospital and by a reader.
    pub policy: Option<Policy>,
    /// How the node reaches others.
    #[serde(default)]
    pub mesh: Mesh,
    /// The hospital role.
    pub hospital: Option<Hospital>,
    /// The reader role.
    pub reader: Option<Reader>,
    /// The witness role.
    pub witness: Option<Witness>,
    /// The relay role.
    pub relay: Option<Relay>,
    /// The socket that the command line talks to.
    #[serde(default)]
    pub control: Control,
    /// What is written to standard error.
    #[serde(default)]
    pub log: Log,
}

/// The node's keys. Exactly one of `passphrase_file`, `passphrase_env` and `unencrypted`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The folder of the key files; `keys` in the data folder by default.
    pub keys: Option<PathBuf>,
    /// A file that holds the passphrase, readable by the node's user alone.
    pub passphrase_file: Option<PathBuf>,
    /// An environment variable that holds the passphrase.
    pub passphrase_env: Option<String>,
    /// The key files are not encrypted: whoever copies them is this node.
    #[serde(default)]
    pub unencrypted: bool,
}

/// Whom the node trusts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consortium {
    /// The genesis envelope.
    pub genesis: PathBuf,
    /// SHA-256 of the genesis envelope, 64 hexadecimal digits, as the founders announced it.
    pub genesis_hash: String,
    /// The folder with the members' credentials.
    pub credentials: PathBuf,
    /// This node's own credential.
    pub credential: PathBuf,
    /// Which witnesses' cosignatures make a checkpoint final (C2SP tlog-policy).
    pub quorum: PathBuf,
    /// Witnesses of the quorum file that are asked over HTTP. The others are members, and are asked
    /// over the mesh.
    #[serde(default)]
    pub witnesses: Vec<WitnessAt>,
    /// How long a start waits to hear from a quorum of witnesses that this is the newest copy of
    /// the log, before it appends to it.
    #[serde(default = "witness_wait")]
    pub witness_wait: String,
}

/// A witness that is asked over HTTP.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessAt {
    /// The name of its key, as in the quorum file.
    pub name: String,
    /// The prefix of its submissions (C2SP tlog-witness): `add-checkpoint` is asked under it.
    pub url: String,
}

/// What decides on a release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The Cedar policy.
    pub rules: PathBuf,
    /// The Cedar schema that it is checked against.
    pub schema: PathBuf,
}

/// How the node reaches others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mesh {
    /// Multiaddresses to listen on.
    pub listen: Vec<String>,
    /// Multiaddresses at which others reach this node, where they differ from `listen`.
    pub external: Vec<String>,
    /// Nodes to stay connected to.
    pub bootstrap: Vec<Bootstrap>,
    /// Be reachable through the bootstrap nodes that are relays: for nodes behind NAT.
    pub through_relay: bool,
}

/// QUIC and TCP on the same port, on every interface.
const LISTEN: [&str; 2] = ["/ip4/0.0.0.0/udp/4001/quic-v1", "/ip4/0.0.0.0/tcp/4001"];

impl Default for Mesh {
    fn default() -> Self {
        Self {
            listen: LISTEN.map(str::to_owned).to_vec(),
            external: Vec::new(),
            bootstrap: Vec::new(),
            through_relay: false,
        }
    }
}

/// One node to stay connected to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// Its node id, 64 hexadecimal digits.
    pub node: String,
    /// Its multiaddress.
    pub address: String,
}

/// The hospital role.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hospital {
    /// The AE title that modalities and the PACS send to.
    pub ae_title: String,
    /// Where the DICOM storage SCP listens, `address:port`.
    #[serde(default = "dicom_listen")]
    pub dicom_listen: String,
    /// Who may send. Nobody else may.
    pub allow: Vec<Allow>,
    /// Where orders come from.
    pub orders: Orders,
    /// The folder of order files, with `orders = "file"`.
    pub orders_dir: Option<PathBuf>,
    /// How long a study must be quiet before it counts as complete.
    #[serde(default = "quiet_period")]
    pub quiet_period: String,
    /// Whose law protects the patients (ISO 3166-1 alpha-2), unless an order says otherwise.
    pub jurisdiction: String,
    /// The language of the reports wanted (BCP 47), unless an order says otherwise.
    pub report_language: String,
    /// Disk space that images leave free for the log and for reports.
    #[serde(default = "reserve")]
    pub reserve: String,
    /// Which study opens a case; the first match wins.
    pub rules: Vec<HospitalRule>,
    /// Where reports go.
    pub delivery: Delivery,
}

fn dicom_listen() -> String {
    "0.0.0.0:11112".to_owned()
}

fn witness_wait() -> String {
    "10s".to_owned()
}

fn quiet_period() -> String {
    "60s".to_owned()
}

fn reserve() -> String {
    "2GiB".to_owned()
}

/// Somebody who may send. A field that is left out fits everybody.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// The calling AE title.
    pub ae_title: Option<String>,
    /// The address that it calls from.
    pub address: Option<String>,
}

/// Where orders come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orders {
    /// One file an order, in `orders_dir`.
    File,
    /// The study's own DICOM header stands for the order.
    FromDicomHeader,
}

/// One rule: which study it takes, and what becomes of it. A condition that is left out fits every
/// study.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HospitalRule {
    /// Its name, for the log.
    pub name: String,
    /// Modality (0008,0060), equal but for case.
    pub modality: Option<String>,
    /// Part of Body Part Examined (0018,0015), case ignored.
    pub body_part: Option<String>,
    /// Part of Study Description (0008,1030), case ignored.
    pub description: Option<String>,
    /// Offer it to the mesh, or leave it to the hospital's own readers.
    pub action: Action,
    /// `stat`, `emergent`, `urgent` or `routine`; left out, the order's urgency stays.
    pub urgency: Option<String>,
    /// The subspecialty wanted.
    #[serde(default)]
    pub subspecialty: String,
    /// From the opening to the deadline; left out, the urgency's own span.
    pub deadline: Option<String>,
    /// The study must not be seen from another country.
    #[serde(default)]
    pub resident: bool,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Offer it to the mesh.
    Offer,
    /// Leave it to the hospital's own readers.
    Local,
}

/// Where reports go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// A storage SCP, or a folder.
    pub kind: DeliveryKind,
    /// Its AE title, with `kind = "dicom"`.
    pub ae_title: Option<String>,
    /// Its `host:port`, with `kind = "dicom"`.
    pub address: Option<String>,
    /// The calling AE title, with `kind = "dicom"`; the hospital's own by default.
    pub calling_ae_title: Option<String>,
    /// The folder, with `kind = "folder"`.
    pub folder: Option<PathBuf>,
}

/// How reports go there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryKind {
    /// As a DICOM object, by C-STORE.
    Dicom,
    /// As files.
    Folder,
}

/// The reader role.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reader {
    /// Where the desk is (ISO 3166-1 alpha-2).
    pub country: String,
    /// Reads that are taken on at once.
    #[serde(default = "slots")]
    pub slots: u32,
    /// Claim the most pressing offer whenever a slot is free.
    #[serde(default)]
    pub auto_claim: bool,
    /// Where DICOMweb listens, `address:port`: loopback alone.
    #[serde(default = "dicomweb_listen")]
    pub dicomweb_listen: String,
    /// How long a session certificate lasts.
    #[serde(default = "session")]
    pub session: String,
    /// The most memory that images may take.
    #[serde(default = "memory")]
    pub memory: String,
    /// A folder of report templates of one's own, beside those that are built in.
    pub templates: Option<PathBuf>,
}

const fn slots() -> u32 {
    1
}

fn dicomweb_listen() -> String {
    "127.0.0.1:8042".to_owned()
}

fn session() -> String {
    "8h".to_owned()
}

fn memory() -> String {
    "2GiB".to_owned()
}

/// The witness role: it needs a witness key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Where it answers C2SP tlog-witness requests over HTTP, `address:port`; left out, it answers
    /// over the mesh alone.
    pub http_listen: Option<String>,
    /// Logs of others than members that it cosigns for: their keys, as C2SP signed-note writes
    /// them.
    #[serde(default)]
    pub logs: Vec<String>,
}

/// The relay role: members only, metered, no setting.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {}

/// The socket that the command line talks to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// Its path; `control.sock` in the data folder by default.
    pub socket: Option<PathBuf>,
}

/// What is written to standard error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Levels, as `info` or `info,node::mesh=debug`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
