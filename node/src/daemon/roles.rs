//! Starts the parts of the hospital and reader roles around one driver.

use std::sync::{Arc, PoisonError};

use crypto::keys::SigningKey;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::boot::Booted;
use super::duties::Reviewer;
use super::facts::Facts;
use super::{Life, hospital, reader};
use crate::config::{Settings, Trust};
use crate::driver::clock::Clock;
use crate::driver::log::Asker;
use crate::driver::ports::{DeskPort, OwnerPort};
use crate::driver::{self, Driver, DriverHandle, Parts, Signer};
use crate::keystore::Secrets;
use crate::mesh::{MeshHandle, StreamControl};

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
pub(super) async fn start(mut given: Given<'_>) -> anyhow::Result<Started> {
    let facts = Facts::new(given.mesh.clone(), given.trust, given.settings);
    match given.core.take() {
        Some(booted) => start_cases(given, booted, facts).await,
        None => {
            let closing = given.life.closing.clone();
            let driving = async move {
                closing.cancelled().await;
                Ok(())
            };
            Ok(Started {
                driver: None,
                facts,
                driving: driving.boxed(),
            })
        }
    }
}

async fn start_cases(
    given: Given<'_>,
    booted: Booted,
    mut facts: Facts,
) -> anyhow::Result<Started> {
    let (settings, trust, secrets) = (given.settings, given.trust, given.secrets);
    let (life, mesh) = (given.life, given.mesh);
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
    let StreamControl { opener, incoming } = given.streams;
    let owner = hospital::owner(settings, &vault, &core.live_releases())?;
    let desk = reader::start((settings, trust, secrets), opener, life).await?;
    let reviewer = Reviewer::new(&trust.own.credential, secrets);
    facts.log((log.clone(), log_key), vault.clone(), reviewer);
    let known = core.known_studies();
    let parts = Parts {
        core,
        clock: given.clock,
        log,
        signer: signer(secrets),
        mesh: mesh.clone(),
        owner: owner.map(|owner| owner as Arc<dyn OwnerPort>),
        desk: desk
            .as_ref()
            .map(|desk| Arc::clone(&desk.port) as Arc<dyn DeskPort>),
        timeline: life.timeline.clone(),
    };
    let driving = tokio::spawn(Driver::new(parts, queues).run(life.driver.clone()));
    let asker = (Asker::new(mesh.clone())?, settings.consortium.witness_wait);
    let (quorum, ending) = (trust.quorum.clone(), life.ending.clone());
    life.tasks
        .spawn(cosigner.run(quorum, witnesses, asker, ending));
    if let Some(hospital) = &settings.hospital {
        let given = hospital::Given {
            settings,
            hospital,
            vault: &vault,
            handle: &handle,
            life,
        };
        facts.hospital(hospital::start(given, incoming, known).await?);
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
