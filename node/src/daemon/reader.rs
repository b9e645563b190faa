//! The reader role: the desk that fetches and shows, its session, and its pages on loopback.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use crypto::envelope::Envelope;
use crypto::keys::{SigningKey, SymmetricKey};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::document::grant::Grant;
use protocol::document::session::Session;
use protocol::document::{self, Document as _};
use protocol::ids::{Fence, NodeId, PersonId};
use protocol::io::Command;
use serde_json::json;
use tokio::sync::Semaphore;

use super::facts::Pages;
use super::{Life, prekeys};
use crate::config::{ReaderSettings, Settings, Trust};
use crate::control::timeline::Timeline;
use crate::desk::{
    Desk, Duplex, FetchOptions, Holdings, Job, LeaseKey, Milestone, Prekeys, SessionTerms,
};
use crate::dicomweb::{Guard, SessionToken};
use crate::driver::ports::{DeskPort, Purged};
use crate::driver::{DriverHandle, clock};
use crate::keystore::Secrets;
use crate::mesh::StreamOpener;

/// Fetches at one time: as many as a desk may hold leases.
const FETCHES_MAX: usize = 64;

/// Before a session is tried again when its time has come and it could not be made.
const RETRY: Duration = Duration::from_secs(10);

/// Between two looks at who is connected: long enough for a new neighbour to have said which
/// topics it takes.
const LOOK: Duration = Duration::from_secs(2);

/// How long before its end a session is renewed, as a part of its span.
const RENEW_PART: u32 = 10;

/// A desk that runs.
pub(super) struct Running {
    pub(super) port: Arc<Port>,
    pub(super) pages: Pages,
    session: Sessions,
}

/// The desk as the driver sees it.
pub(super) struct Port {
    desk: Arc<Desk>,
    holdings: Arc<Holdings>,
    room: Arc<Semaphore>,
    timeline: Timeline,
    /// What each lease's grant says of the report's language; as many as there are leases.
    languages: Arc<Mutex<BTreeMap<LeaseKey, String>>>,
}

impl DeskPort for Port {
    fn fetch(&self, fence: Fence, owner: NodeId, grant: Vec<u8>, session: Vec<u8>) {
        if let Some(language) = language_of(&grant) {
            lock(&self.languages).insert(LeaseKey { owner, fence }, language);
        }
        let Ok(slot) = Arc::clone(&self.room).try_acquire_owned() else {
            tracing::error!(%owner, %fence, "too many fetches at one time");
            return;
        };
        let (desk, timeline) = (Arc::clone(&self.desk), self.timeline.clone());
        tokio::spawn(async move {
            if let Err(error) = desk
                .fetch(Job {
                    fence,
                    owner,
                    grant,
                    session,
                })
                .await
            {
                let detail = json!({ "fence": fence.0, "reason": error.to_string() });
                timeline.note("fetch-failed", 0, detail);
            }
            drop(slot);
        });
    }

    fn purge(&self, fence: Fence, owner: NodeId) -> BoxFuture<'static, Purged> {
        let holdings = Arc::clone(&self.holdings);
        lock(&self.languages).remove(&LeaseKey { owner, fence });
        async move {
            let (bytes, objects) = holdings.purge(owner, fence);
            Purged { bytes, objects }
        }
        .boxed()
    }

    fn language(&self, fence: Fence, owner: NodeId) -> Option<String> {
        lock(&self.languages)
            .get(&LeaseKey { owner, fence })
            .cloned()
    }

    fn opened(&self, fence: Fence, owner: NodeId) -> Vec<[u8; 16]> {
        self.holdings.opened(owner, fence)
    }
}

/// The core has checked the grant before it asks to fetch; only the language is read here.
fn language_of(grant: &[u8]) -> Option<String> {
    let envelope = Envelope::decode(grant).ok()?;
    let grant: Grant = document::decode(&envelope.payload).ok()?;
    Some(grant.report_language).filter(|language| !language.is_empty())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every value under these locks is replaced whole: a panic elsewhere leaves it sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the desk and its pages; `None` for a node that is no desk.
pub(super) async fn start(
    (settings, trust, secrets): (&Settings, &Trust, &Secrets),
    opener: StreamOpener,
    life: &Life,
) -> anyhow::Result<Option<Running>> {
    let Some(reader) = &settings.reader else {
        return Ok(None);
    };
    let master = secrets
        .master
        .as_ref()
        .context("the master key is missing")?;
    let person = secrets
        .person
        .as_ref()
        .context("the person key is missing")?;
    let folder = settings.data_dir.join("prekeys");
    let prekeys = open_prekeys(folder.clone(), master).await?;
    let holdings = Arc::new(Holdings::new(
        reader.memory,
        milestones(life.timeline.clone()),
    ));
    let (held, open) = (Arc::clone(&holdings), opens(opener));
    let desk = Desk::new(held, Arc::clone(&prekeys), open, FetchOptions::default());
    let pages = pages(settings, reader, &holdings, life).await?;
    let port = Arc::new(Port {
        desk: Arc::new(desk),
        holdings,
        room: Arc::new(Semaphore::new(FETCHES_MAX)),
        timeline: life.timeline.clone(),
        languages: Arc::default(),
    });
    let session = Sessions {
        prekeys,
        folder,
        person: SigningKey::from_seed(&person.seed()),
        id: trust
            .own
            .credential
            .person
            .context("the credential names no person")?,
        node: trust.own.credential.node,
        country: reader.country.clone(),
        span: reader.session,
        slots: reader.slots,
    };
    Ok(Some(Running {
        port,
        pages,
        session,
    }))
}

async fn open_prekeys(folder: PathBuf, master: &SymmetricKey) -> anyhow::Result<Arc<Prekeys>> {
    let master = SymmetricKey::from_bytes(master.as_bytes());
    let opening = tokio::task::spawn_blocking(move || {
        crate::files::create_secret_folder(&folder)?;
        prekeys::remove_old(&folder)?;
        Ok::<_, anyhow::Error>(Prekeys::open(&folder, master)?)
    });
    Ok(Arc::new(opening.await??))
}

/// How the desk opens a stream to a hospital.
fn opens(opener: StreamOpener) -> crate::desk::Opener {
    Arc::new(move |to| {
        let opener = opener.clone();
        async move {
            let opened = opener.open(to).await.map_err(std::io::Error::other)?;
            Ok(Box::new(opened) as Box<dyn Duplex>)
        }
        .boxed()
    })
}

fn milestones(timeline: Timeline) -> crate::desk::Timeline {
    Arc::new(move |key: LeaseKey, milestone| {
        let (step, ms, bytes) = match milestone {
            Milestone::FirstImage { ms, bytes } => ("first-image", ms, bytes),
            Milestone::AllImages { ms, bytes } => ("all-images", ms, bytes),
        };
        let detail =
            json!({ "fence": key.fence.0, "owner": key.owner.to_string(), "after_ms": ms });
        timeline.note(step, bytes, detail);
    })
}

/// Serves DICOMweb on loopback, behind a token that only the node's own user can read.
async fn pages(
    settings: &Settings,
    reader: &ReaderSettings,
    holdings: &Arc<Holdings>,
    life: &Life,
) -> anyhow::Result<Pages> {
    let listener = tokio::net::TcpListener::bind(reader.dicomweb_listen).await;
    let listener = listener
        .with_context(|| format!("DICOMweb cannot listen on {}", reader.dicomweb_listen))?;
    let address = listener.local_addr()?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|_| crate::random::EntropyError)?;
    let token = SessionToken::new(secret);
    let file: PathBuf = settings.data_dir.join("dicomweb-token");
    match std::fs::remove_file(&file) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    crate::files::create(
        &file,
        token.expose().as_bytes(),
        crate::files::Readers::Owner,
    )?;
    let url = format!("http://{address}/dicomweb");
    let routes = crate::dicomweb::router(Arc::clone(holdings) as _, &url);
    let app = Guard::new(address.port(), token).protect(Router::new().nest("/dicomweb", routes));
    let ending = life.ending.clone();
    life.tasks.spawn(async move {
        let serving = axum::serve(listener, app).with_graceful_shutdown(ending.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::error!(%error, "the desk's pages stopped");
        }
    });
    Ok(Pages { url, token: file })
}

/// Makes sessions. No Debug: it holds the person's key.
struct Sessions {
    prekeys: Arc<Prekeys>,
    folder: PathBuf,
    person: SigningKey,
    id: PersonId,
    node: NodeId,
    country: String,
    span: Duration,
    slots: u32,
}

impl Sessions {
    /// A session from now on. Blocks.
    fn make(&self) -> anyhow::Result<Vec<u8>> {
        prekeys::forget_old(&self.folder, &self.prekeys);
        let now = clock::wall();
        let terms = SessionTerms {
            person: self.id,
            node: self.node,
            not_before_us: now.unix_us,
            not_after_us: now.plus_us(self.span),
            country: self.country.clone(),
        };
        let sign = |payload: &[u8]| {
            Envelope::sign(Session::TYPE, payload.to_vec(), &[&self.person])
                .map(|envelope| envelope.encode())
                .map_err(|error| error.to_string())
        };
        let (session, _) = self.prekeys.session(&terms, sign)?;
        Ok(session)
    }
}

impl Running {
    /// Goes on duty, and renews the session before it ends, until the node stops.
    pub(super) fn advertise(self, driver: DriverHandle, life: &Life) {
        let (closing, connections) = (life.closing.clone(), Arc::clone(&life.connections));
        let sessions = Arc::new(self.session);
        life.tasks.spawn(async move {
            tokio::select! {
                () = closing.cancelled() => {}
                () = on_duty(sessions, driver, connections) => {}
            }
        });
    }
}

/// Keeps the desk on duty: a session that holds, and an advert for each neighbour that is new. An
/// advert reaches those who are connected when it is published, and the next one is a minute away.
async fn on_duty(sessions: Arc<Sessions>, driver: DriverHandle, connections: Arc<AtomicU64>) {
    let mut told = 0;
    let mut session: Option<(Vec<u8>, Instant)> = None;
    loop {
        let connected = connections.load(Ordering::Relaxed);
        let renew = session
            .as_ref()
            .is_none_or(|(_, renew_at)| Instant::now() >= *renew_at);
        if renew || connected != told {
            match advertise(&sessions, &driver, session.take().filter(|_| !renew)).await {
                Ok(advertised) => session = Some(advertised),
                Err(error) => {
                    tracing::error!(%error, "the desk is not on duty");
                    tokio::time::sleep(RETRY).await;
                }
            }
            told = connected;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Says that the desk is on duty, with the session that it has or a new one.
async fn advertise(
    sessions: &Arc<Sessions>,
    driver: &DriverHandle,
    session: Option<(Vec<u8>, Instant)>,
) -> anyhow::Result<(Vec<u8>, Instant)> {
    let (session, renew_at) = match session {
        Some(session) => session,
        None => {
            let made = Arc::clone(sessions);
            let session = tokio::task::spawn_blocking(move || made.make()).await??;
            (
                session,
                Instant::now() + (sessions.span - sessions.span / RENEW_PART),
            )
        }
    };
    let command = Command::Advertise {
        session: session.clone(),
        slots: sessions.slots,
    };
    driver.command(command).await?;
    Ok((session, renew_at))
}
