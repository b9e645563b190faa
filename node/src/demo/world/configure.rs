//! The configurations of the demo's nodes.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use protocol::ids::NodeId;

use super::{Who, World, write};

/// The AE titles of the play.
pub(in crate::demo) const PACS_AE: &str = "DEMO_PACS";
pub(in crate::demo) const HOSPITAL_A_AE: &str = "HOSPITAL_A";
pub(in crate::demo) const HOSPITAL_B_AE: &str = "HOSPITAL_B";

impl World {
    /// Writes a node's configuration; `known` are the nodes that it stays connected to.
    pub(in crate::demo) fn configure(
        &self,
        who: Who,
        known: &[(NodeId, String)],
    ) -> anyhow::Result<PathBuf> {
        let folder = self.folder(who);
        let trust = self.root.join("trust");
        let text = |path: &Path| quoted(path.to_string_lossy().as_ref());
        let credential = self.credential_file(self.member(who)?.serial);
        let bootstrap: Vec<String> = known
            .iter()
            .map(|(node, at)| format!("{{ node = \"{node}\", address = {} }}", quoted(at)))
            .collect();
        let mut toml = format!(
            "data_dir = {data}\n\n[identity]\nkeys = {keys}\nunencrypted = true\n\n\
             [consortium]\ngenesis = {genesis}\ngenesis_hash = \"{hash}\"\n\
             credentials = {credentials}\ncredential = {credential}\nquorum = {quorum}\n\n\
             [mesh]\n{listen}bootstrap = [{bootstrap}]\n\n[control]\nsocket = {socket}\n",
            data = text(&folder.join("data")),
            keys = text(&folder.join("keys")),
            genesis = text(&trust.join("genesis.envelope")),
            hash = self.genesis.to_hex(),
            credentials = text(&trust.join("credentials")),
            credential = text(&credential),
            quorum = text(&trust.join("quorum.policy")),
            listen = listen(who)?,
            bootstrap = bootstrap.join(", "),
            socket = text(&self.socket(who)),
        );
        if who.has_log() {
            toml += &format!(
                "\n[policy]\nrules = {}\nschema = {}\n",
                text(&trust.join("consortium.cedar")),
                text(&trust.join("schema.cedarschema")),
            );
        }
        toml += &self.role(who);
        let file = folder.join("node.toml");
        write(&file, toml.as_bytes())?;
        Ok(file)
    }

    fn role(&self, who: Who) -> String {
        let hospital = |ae_title: &str, law: &str, language: &str, resident: bool| {
            let reports = self.reports(who);
            format!(
                "\n[hospital]\nae_title = \"{ae_title}\"\ndicom_listen = \"127.0.0.1:0\"\n\
                 allow = [{{ ae_title = \"{PACS_AE}\", address = \"127.0.0.1\" }}]\n\
                 orders = \"from-dicom-header\"\nquiet_period = \"2s\"\njurisdiction = \"{law}\"\n\
                 report_language = \"{language}\"\nreserve = \"64MiB\"\n\n[[hospital.rules]]\n\
                 name = \"everything\"\naction = \"offer\"\nresident = {resident}\n\n\
                 [hospital.delivery]\nkind = \"folder\"\nfolder = {}\n",
                quoted(reports.to_string_lossy().as_ref()),
            )
        };
        match who {
            Who::Relay => "\n[relay]\n".to_owned(),
            Who::Witness => "\n[witness]\n".to_owned(),
            Who::HospitalA => hospital(HOSPITAL_A_AE, "DE", "de", false),
            Who::HospitalB => hospital(HOSPITAL_B_AE, "KR", "ko", true),
            Who::Reader | Who::Unlicensed => "\n[reader]\ncountry = \"DE\"\nslots = 16\n\
                 dicomweb_listen = \"127.0.0.1:0\"\nsession = \"8h\"\nmemory = \"2GiB\"\n"
                .to_owned(),
        }
    }
}

/// Where a node listens. A relay must say where others reach it, so its port is chosen beforehand.
fn listen(who: Who) -> anyhow::Result<String> {
    let on = |port: u16| {
        format!("[\"/ip4/127.0.0.1/udp/{port}/quic-v1\", \"/ip4/127.0.0.1/tcp/{port}\"]")
    };
    if who != Who::Relay {
        return Ok(format!("listen = {}\n", on(0)));
    }
    let free = on(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    Ok(format!("listen = {free}\nexternal = {free}\n"))
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
