//! Opens what a node with a log keeps, and rebuilds its core from it.

use std::sync::Arc;

use anyhow::Context as _;
use crypto::keys::SigningKey;
use crypto::note::VerifierKey;
use protocol::core::Core;
use protocol::core::config::{CoreConfig, OwnerConfig, PublicIdentity, ReaderConfig, Seeds};
use protocol::member::Member;
use protocol::policy::Decide;

use super::names::Names;
use super::vault::Vault;
use crate::config::{Settings, Trust};
use crate::driver::clock::Clock;
use crate::driver::log::{self, At, Cosigner, LogHandle, Witness};
use crate::journal::LogIdentity;
use crate::keystore::Secrets;
use crate::store::root::MasterKey;
use crate::store::space::Reserve;
use crate::store::{Store, StoreOptions};

/// The number of the only master key that there has been.
const FIRST_MASTER: u16 = 1;

/// What was opened.
pub(super) struct Booted {
    pub(super) core: Core,
    pub(super) vault: Vault,
    pub(super) log: LogHandle,
    pub(super) log_key: SigningKey,
    pub(super) cosigner: Cosigner,
    pub(super) writer: std::thread::JoinHandle<()>,
    pub(super) witnesses: Vec<Witness>,
}

/// Opens store and log, and replays.
pub(super) async fn boot(
    settings: &Settings,
    trust: &Trust,
    secrets: &Secrets,
    clock: Clock,
) -> anyhow::Result<Booted> {
    let log_key = secrets.log.as_ref().context("the log key is missing")?;
    let master = secrets
        .master
        .as_ref()
        .context("the master key is missing")?;
    let verifier = trust
        .own
        .credential
        .log_key()?
        .context("the credential names no log key")?;
    let config = core_config(settings, trust)?;
    let witnesses = witnesses(settings, trust)?;
    let options = options(settings);
    let names = Names::new(master);
    let data = settings.data_dir.clone();
    let master = MasterKey {
        version: FIRST_MASTER,
        key: crypto::keys::SymmetricKey::from_bytes(master.as_bytes()),
    };
    let copy = || SigningKey::from_seed(&log_key.seed());
    let (identity, key) = (
        LogIdentity {
            origin: verifier.name().clone(),
            key: copy(),
        },
        copy(),
    );
    let seeds = Seeds {
        protocol: random()?,
        secret: random()?,
    };
    let opening = tokio::task::spawn_blocking(move || {
        let store = Arc::new(Store::open(&data.join("store"), &master, options)?);
        let vault = Vault::new(store, names);
        let opened = open_log(identity, &vault)?;
        let mut core = Core::new(config, &seeds);
        let entries = log::replay(&mut core, &opened.handle, &vault)?;
        tracing::info!(entries, "the log is replayed");
        let log::Opened {
            handle,
            cosigner,
            writer,
        } = opened;
        Ok::<_, anyhow::Error>(Booted {
            core,
            vault,
            log: handle,
            log_key: key,
            cosigner,
            writer,
            witnesses,
        })
    });
    let booted = opening.await??;
    tracing::debug!(tick = clock.now().tick.0, "store and log are open");
    Ok(booted)
}

fn options(settings: &Settings) -> StoreOptions {
    let reserve = settings
        .hospital
        .as_ref()
        .map_or(Reserve::default(), |hospital| Reserve {
            bytes: hospital.reserve,
            // The operator's number alone counts: a disk's share says nothing on a shared disk.
            percent: 0,
        });
    StoreOptions {
        reserve,
        ..StoreOptions::default()
    }
}

fn open_log(identity: LogIdentity, vault: &Vault) -> Result<log::Opened, log::LogError> {
    let store = vault.store();
    log::open(
        store.layout(),
        identity,
        store.payloads(),
        Arc::new(vault.clone()),
    )
}

fn core_config(settings: &Settings, trust: &Trust) -> anyhow::Result<CoreConfig> {
    let credential = &trust.own.credential;
    let policy: Arc<dyn Decide> = trust
        .policy
        .clone()
        .context("a policy is missing: add [policy]")?;
    let reader = match &settings.reader {
        Some(reader) => Some(ReaderConfig {
            person: credential
                .person
                .context("the credential names no person")?,
            auto_claim: reader.auto_claim,
        }),
        None => None,
    };
    Ok(CoreConfig {
        identity: PublicIdentity {
            node: credential.node,
            organisation: credential.organisation.clone(),
            country: credential.country.clone(),
            log: credential
                .log_key()?
                .context("the credential names no log key")?,
        },
        roster: trust.roster.clone(),
        quorum: trust.quorum.clone(),
        policy,
        owner: settings.hospital.as_ref().map(|hospital| OwnerConfig {
            quiet: hospital.quiet_period,
            rules: hospital.rules.clone(),
        }),
        reader,
    })
}

/// The witnesses of the quorum that can be asked: those that the configuration gives a URL, and
/// those that are members.
///
/// # Errors
/// The configuration names one that the quorum file does not have.
fn witnesses(settings: &Settings, trust: &Trust) -> anyhow::Result<Vec<Witness>> {
    let listed = trust.quorum.witnesses();
    let urls = &settings.consortium.witnesses;
    if let Some(stranger) = urls
        .iter()
        .find(|at| !listed.iter().any(|one| *one.key.name() == at.name))
    {
        anyhow::bail!(
            "consortium.witnesses: {} is not in {}",
            stranger.name,
            settings.consortium.quorum.display()
        );
    }
    let at = |key: &VerifierKey| {
        if let Some(given) = urls.iter().find(|given| given.name == *key.name()) {
            return Some(At::Http(given.add_checkpoint.clone()));
        }
        let own = |member: &&Member| member.credential.witness_key() == Ok(Some(key.clone()));
        let member = trust.roster.members().find(own)?;
        Some(At::Mesh(member.credential.node))
    };
    let reached = listed.iter().filter_map(|one| {
        let key = one.key.clone();
        at(&key).map(|at| Witness { key, at })
    });
    Ok(reached.collect())
}

fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| crate::random::EntropyError)?;
    Ok(bytes)
}
