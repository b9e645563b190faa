//! What the node shows of itself on the control socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crypto::digest::Digest;
use crypto::keys::SigningKey;
use protocol::ids::{Fence, NodeId};
use protocol::member::Genesis;
use serde_json::{Value, json};

use super::duties::{Duties, Reviewer};
use super::export::Export;
use super::network;
use super::vault::Vault;
use super::witness;
use crate::config::{Settings, Trust};
use crate::control;
use crate::driver::log::LogHandle;
use crate::driver::ports::{DeskPort, Undone};
use crate::mesh::MeshHandle;

/// The hospital role's listeners.
pub(super) struct Hospital {
    pub(super) dicom: SocketAddr,
}

/// The desk's pages.
#[derive(Clone)]
pub(super) struct Pages {
    /// Where DICOMweb is.
    pub(super) url: String,
    /// The file with the token that opens it, for the node's own user.
    pub(super) token: PathBuf,
}

struct LogFacts {
    handle: LogHandle,
    vault: Vault,
    export: Arc<Export>,
    duties: Duties,
}

/// The facts.
pub(super) struct Facts {
    mesh: MeshHandle,
    settings: Settings,
    trust: TrustFacts,
    log: Option<LogFacts>,
    hospital: Option<Hospital>,
    desk: Option<(Arc<dyn DeskPort>, Pages)>,
    witness: Option<witness::Running>,
}

struct TrustFacts {
    organisation: String,
    consortium: String,
    members: usize,
    genesis: (Genesis, Digest),
}

impl Facts {
    pub(super) fn new(mesh: MeshHandle, trust: &Trust, settings: &Settings) -> Self {
        let trust = TrustFacts {
            organisation: trust.own.credential.organisation.clone(),
            consortium: trust.roster.genesis().name.clone(),
            members: trust.roster.len(),
            genesis: (trust.roster.genesis().clone(), trust.roster.genesis_hash()),
        };
        let settings = settings.clone();
        Self {
            mesh,
            settings,
            trust,
            log: None,
            hospital: None,
            desk: None,
            witness: None,
        }
    }

    pub(super) fn log(
        &mut self,
        (handle, key): (LogHandle, SigningKey),
        vault: Vault,
        reviewer: Reviewer,
    ) {
        let export = Arc::new(Export::new(
            handle.clone(),
            key,
            vault.clone(),
            (&self.settings, self.trust.genesis.clone()),
        ));
        let duties = Duties::new(Arc::clone(&export), reviewer);
        self.log = Some(LogFacts {
            handle,
            vault,
            export,
            duties,
        });
    }

    pub(super) fn hospital(&mut self, hospital: Hospital) {
        self.hospital = Some(hospital);
    }

    pub(super) fn desk(&mut self, port: Arc<dyn DeskPort>, pages: Pages) {
        self.desk = Some((port, pages));
    }

    pub(super) fn with_witness(mut self, running: Option<witness::Running>) -> Self {
        self.witness = running;
        self
    }

    fn logged(&self) -> Result<&LogFacts, Undone> {
        self.log
            .as_ref()
            .ok_or_else(|| Undone("this node keeps no log of its own".to_owned()))
    }
}

impl control::Facts for Facts {
    fn status(&self) -> Value {
        let log = self.log.as_ref().map(|log| {
            json!({
                "origin": log.handle.reader().verifier().name().as_str(),
                "size": log.handle.reader().size(),
                "cosigned": log.handle.cosigned_size(),
            })
        });
        let dicomweb = self.desk.as_ref().map(
            |(_, pages)| json!({ "url": pages.url, "token": pages.token.display().to_string() }),
        );
        json!({
            "node": self.mesh.node().to_string(),
            "organisation": self.trust.organisation,
            "consortium": self.trust.consortium,
            "members": self.trust.members,
            "connected": self.mesh.connected().len(),
            "roles": {
                "hospital": self.settings.hospital.is_some(),
                "reader": self.settings.reader.is_some(),
                "witness": self.settings.witness.is_some(),
                "relay": self.settings.relay,
            },
            "listen": network::addresses(&self.mesh),
            "dicom": self.hospital.as_ref().map(|hospital| hospital.dicom.to_string()),
            "dicomweb": dicomweb,
            "witness": self.witness.as_ref().map(witness::Running::picture),
            "log": log,
        })
    }

    fn studies(&self) -> Result<Value, Undone> {
        let studies = self.logged()?.vault.studies().map_err(Undone::of)?;
        let shown = studies.iter().map(|(study, summary)| {
            json!({
                "study": study.to_string(),
                "modalities": summary.modalities,
                "series": summary.series,
                "objects": summary.objects,
                "bytes": summary.bytes,
                "last_arrival_ms": summary.last_arrival_ms,
            })
        });
        Ok(json!({ "studies": shown.collect::<Vec<_>>() }))
    }

    fn export(&self, dir: &Path) -> Result<Value, Undone> {
        if !dir.is_absolute() {
            return Err(Undone("the folder's path must be absolute".to_owned()));
        }
        self.logged()?.export.write(dir)
    }

    fn duties(&self) -> Result<&dyn control::Duties, Undone> {
        Ok(&self.logged()?.duties)
    }

    fn language(&self, fence: Fence, owner: NodeId) -> Option<String> {
        self.desk
            .as_ref()
            .and_then(|(port, _)| port.language(fence, owner))
    }

    fn opened(&self, fence: Fence, owner: NodeId) -> Vec<[u8; 16]> {
        self.desk
            .as_ref()
            .map_or_else(Vec::new, |(port, _)| port.opened(fence, owner))
    }
}
