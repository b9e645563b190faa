//! The hospital role: takes images, serves releases, and tells the core of both.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use crypto::digest::Digest;
use futures::FutureExt as _;
use protocol::ids::{NodeId, StudyId};
use tokio::sync::mpsc;

use super::facts::Hospital;
use super::ingest::Ingest;
use super::owner::Owner;
use super::vault::Vault;
use super::{Life, served};
use crate::config::{AllowedPeer, HospitalSettings, Settings};
use crate::dicom::scp::{Peer, Scp, ScpConfig};
use crate::driver::DriverHandle;
use crate::mesh::MeshStream;
use crate::release::{self, ReleaseFolder, ReleaseMaker, ServerLimits};

/// How long associations may run on when the node stops.
const DICOM_GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// What the role is made of.
pub(super) struct Given<'a> {
    pub(super) settings: &'a Settings,
    pub(super) hospital: &'a HospitalSettings,
    pub(super) vault: &'a Vault,
    pub(super) handle: &'a DriverHandle,
    pub(super) life: &'a Life,
}

/// Starts the role; `known` are the studies that the core has cases of.
pub(super) async fn start(
    given: Given<'_>,
    incoming: mpsc::Receiver<(NodeId, MeshStream)>,
    known: BTreeSet<StudyId>,
) -> anyhow::Result<Hospital> {
    let Given {
        settings,
        hospital,
        vault,
        handle,
        life,
    } = given;
    let ingest = Ingest::new(vault.clone(), handle.clone(), life.timeline.clone());
    let dicom = scp(hospital, ingest, life).await?;
    serve_releases(settings, vault, (handle, incoming), life)?;
    unheard(vault, handle, known, life);
    sweep(vault, life);
    Ok(Hospital { dicom })
}

fn releases(settings: &Settings) -> PathBuf {
    settings.data_dir.join("releases")
}

/// What the core's effects need of a hospital; `None` for a node that is none.
/// Releases that are not in `live` are removed.
pub(super) fn owner(
    settings: &Settings,
    vault: &Vault,
    live: &BTreeSet<Digest>,
) -> anyhow::Result<Option<Arc<Owner>>> {
    let Some(hospital) = &settings.hospital else {
        return Ok(None);
    };
    crate::files::create_secret_folder(&releases(settings))?;
    let folder = ReleaseFolder::open(&releases(settings))?;
    if let Err(error) = folder.retain(live) {
        tracing::warn!(%error, "releases that are over are not removed");
    }
    let maker = ReleaseMaker::new(Arc::new(vault.clone()), folder);
    Ok(Some(Arc::new(Owner::new(vault.clone(), hospital, maker))))
}

async fn scp(
    hospital: &HospitalSettings,
    ingest: Ingest,
    life: &Life,
) -> anyhow::Result<SocketAddr> {
    let mut config = ScpConfig::new(hospital.ae_title.clone());
    let peer = |allowed: &AllowedPeer| Peer {
        title: allowed.ae_title.clone(),
        address: allowed.address,
    };
    config.peers = Some(hospital.allow.iter().map(peer).collect());
    let scp = Scp::bind(hospital.dicom_listen, config, Arc::new(ingest)).await;
    let scp = scp.with_context(|| format!("DICOM cannot listen on {}", hospital.dicom_listen))?;
    let address = scp.local_addr()?;
    let closing = life.closing.clone();
    life.tasks
        .spawn(async move { scp.run(closing.cancelled(), DICOM_GRACE).await });
    Ok(address)
}

fn serve_releases(
    settings: &Settings,
    vault: &Vault,
    (handle, incoming): (&DriverHandle, mpsc::Receiver<(NodeId, MeshStream)>),
    life: &Life,
) -> anyhow::Result<()> {
    let folder = ReleaseFolder::open(&releases(settings))?;
    let asked = handle.clone();
    let authorise: release::serve::Authorise = Arc::new(move |from, fence, session| {
        let asked = asked.clone();
        async move { asked.may_fetch(from, fence, session.to_vec()).await }.boxed()
    });
    let served = served::count(handle.clone(), life);
    let source = Arc::new(vault.clone());
    let server = release::Server::new(folder, source, authorise, served, ServerLimits::default());
    let ending = life.ending.clone();
    life.tasks.spawn(async move {
        tokio::select! {
            () = ending.cancelled() => {}
            () = Arc::new(server).run(incoming) => {}
        }
    });
    Ok(())
}

/// Removes sealed files that a crash left without a record, beside normal work.
fn sweep(vault: &Vault, life: &Life) {
    let vault = vault.clone();
    life.tasks
        .spawn_blocking(move || match vault.store().sweep() {
            Ok(swept) if swept.missing_count > 0 => {
                tracing::error!(
                    files = swept.missing_count,
                    "sealed files are missing: their images cannot be released; send them again"
                );
            }
            Ok(swept) => tracing::info!(
                removed = swept.orphans,
                foreign = swept.foreign,
                "sealed files and records agree"
            ),
            Err(error) => tracing::error!(%error, "the sealed files cannot be gone through"),
        });
}

/// Tells the core of studies that were stored and that it has no case of: a crash may have come
/// between the object's record and the core's hearing of it.
fn unheard(vault: &Vault, handle: &DriverHandle, known: BTreeSet<StudyId>, life: &Life) {
    let (vault, handle) = (vault.clone(), handle.clone());
    life.tasks.spawn_blocking(move || {
        let studies = match vault.studies() {
            Ok(studies) => studies,
            Err(error) => return tracing::error!(%error, "the studies cannot be listed"),
        };
        for (study, _) in studies
            .into_iter()
            .filter(|(study, _)| !known.contains(study))
        {
            if let Err(error) = handle.object_stored(study) {
                tracing::warn!(%study, %error, "a stored study is not noted");
            }
        }
    });
}
