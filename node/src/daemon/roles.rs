//! Starts the parts of the hospital and reader roles around one driver.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use anyhow::Context as _;
use crypto::keys::SigningKey;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::ids::StudyId;

use super::boot::Booted;
use super::facts::{Facts, Hospital};
use super::ingest::Ingest;
use super::owner::Owner;
use super::vault::Vault;
use super::{Life, reader, served};
use crate::config::{AllowedPeer, HospitalSettings, Settings, Trust};
use crate::dicom::scp::{Peer, Scp, ScpConfig};
use crate::driver::clock::Clock;
use crate::driver::ports::{DeskPort, OwnerPort};
use crate::driver::{self, Driver, DriverHandle, Parts, Signer};
use crate::keystore::Secrets;
use crate::mesh::{MeshHandle, StreamControl};
use crate::release::{self, ReleaseFolder, ReleaseMaker, ServerLimits};

/// How long associations may run on when the node stops.
const DICOM_GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// What the parts are made of.
pub(super) struct Given<'a> {
    pub(super) settings: &'a Settings,
    pub(super) trust: &'a Trust,
    pub(super) secrets: &'a Secrets,
    pub(super) life: &'a Life,
    pub(super) mesh: &'a MeshHandle,
    pub(super) streams: StreamControl,
    pub(super) core: Option<Booted>,
    pub(super) clock: Clock,
}

/// What runs.
pub(super) struct Started {
    pub(super) driver: Option<DriverHandle>,
    pub(super) facts: Facts,
    /// Ends when the driver does; for a node without one, when the node closes.
    pub(super) driving: BoxFuture<'static, anyhow::Result<()>>,
}

/// Starts everything that has to do with cases; a relay or a witness has none of it.
pub(super) async fn start(given: Given<'_>) -> anyhow::Result<Started> {
    let Given {
        settings,
        trust,
        secrets,
        life,
        mesh,
        streams,
        core,
        clock,
    } = given;
    let mut facts = Facts::new(mesh.clone(), trust, settings);
    let Some(booted) = core else {
        let closing = life.closing.clone();
        let driving = async move {
            closing.cancelled().await;
            Ok(())
        }
        .boxed();
        return Ok(Started {
            driver: None,
            facts,
            driving,
        });
    };
    let Booted {
        core,
        vault,
        log,
        log_key,
        cosigner,
        writer,
        witnesses,
    } = booted;
    *life.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
    let (handle, queues) = driver::queues();
    let owner = match &settings.hospital {
        Some(hospital) => Some(owner(settings, hospital, &vault)?),
        None => None,
    };
    let StreamControl { opener, incoming } = streams;
    let desk = match &settings.reader {
        Some(reader) => {
            let given = reader::Given {
                settings,
                reader,
                trust,
                secrets,
                opener,
                life,
            };
            Some(reader::start(given).await?)
        }
        None => None,
    };
    facts.log(log.clone(), log_key, vault.clone());
    let known: Vec<StudyId> = core
        .cases()
        .into_iter()
        .flat_map(|case| case.studies)
        .collect();
    let driver = Driver::new(
        Parts {
            core,
            clock,
            log,
            signer: signer(secrets),
            mesh: mesh.clone(),
            owner: owner.clone().map(|owner| owner as Arc<dyn OwnerPort>),
            desk: desk
                .as_ref()
                .map(|desk| Arc::clone(&desk.port) as Arc<dyn DeskPort>),
            timeline: life.timeline.clone(),
        },
        queues,
    );
    let driving = tokio::spawn(driver.run(life.driver.clone()));
    let cosigning = cosigner.run(
        trust.quorum.clone(),
        witnesses,
        mesh.clone(),
        life.ending.clone(),
    );
    life.tasks.spawn(cosigning);
    if let Some(hospital) = &settings.hospital {
        let ingest = Ingest::new(vault.clone(), handle.clone(), life.timeline.clone());
        let dicom = scp(hospital, ingest, life).await?;
        facts.hospital(Hospital { dicom });
        serve_releases(settings, &vault, (&handle, incoming), life)?;
        unheard(&vault, &handle, known, life);
    }
    if let Some(desk) = desk {
        facts.desk(
            Arc::clone(&desk.port) as Arc<dyn DeskPort>,
            desk.pages.clone(),
        );
        desk.advertise(handle.clone(), life);
    }
    let driving = async move { Ok(driving.await??) }.boxed();
    Ok(Started {
        driver: Some(handle),
        facts,
        driving,
    })
}

fn signer(secrets: &Secrets) -> Signer {
    let copy =
        |key: &Option<SigningKey>| key.as_ref().map(|key| SigningKey::from_seed(&key.seed()));
    Signer {
        hospital: copy(&secrets.hospital),
        person: copy(&secrets.person),
    }
}

fn releases(settings: &Settings) -> PathBuf {
    settings.data_dir.join("releases")
}

fn owner(
    settings: &Settings,
    hospital: &HospitalSettings,
    vault: &Vault,
) -> anyhow::Result<Arc<Owner>> {
    let folder = ReleaseFolder::open(&releases(settings))?;
    let maker = ReleaseMaker::new(Arc::new(vault.clone()), folder);
    Ok(Arc::new(Owner::new(vault.clone(), hospital, maker)))
}

async fn scp(
    hospital: &HospitalSettings,
    ingest: Ingest,
    life: &Life,
) -> anyhow::Result<std::net::SocketAddr> {
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
    (handle, incoming): (
        &DriverHandle,
        tokio::sync::mpsc::Receiver<(protocol::ids::NodeId, crate::mesh::MeshStream)>,
    ),
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

/// Tells the core of studies that were stored and that it has no case of: a crash may have come
/// between the object's record and the core's hearing of it.
fn unheard(vault: &Vault, handle: &DriverHandle, known: Vec<StudyId>, life: &Life) {
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
