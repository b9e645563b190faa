//! The running node: what starts when, and what stops when.
//!
//! ```text
//! start  lock ▸ trust and keys ▸ store ▸ log ▸ replay ▸ mesh ▸ driver ▸ fetches ▸ DICOM ▸ control
//! stop   control and DICOM (no new work) ▸ driver (its last entries durable) ▸ mesh ▸ lock
//! ```
//! A crash at any point is a stop without the courtesies: what was acknowledged is on the disk.

mod boot;
mod deliver;
mod disclose;
mod duties;
mod export;
mod facts;
mod hospital;
mod ingest;
mod lock;
mod names;
mod network;
mod orders;
mod owner;
mod prekeys;
mod reader;
mod roles;
mod served;
mod vault;
mod witness;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Settings, Trust};
use crate::control::Server;
use crate::control::timeline::Timeline;
use crate::driver::clock::Clock;
use crate::keystore::Secrets;

pub use ingest::Ingest;
pub use lock::{DataLock, LockError};
pub(crate) use names::Names;
pub(crate) use vault::Vault;

/// How long a stopping node waits for its parts before it goes anyway.
const STOPPING: Duration = Duration::from_secs(20);

/// Between two looks whether the log's writer has ended.
const LOOK: Duration = Duration::from_millis(10);

/// Tokens and tasks that every part gets.
#[derive(Clone, Default)]
struct Life {
    /// No new work from outside.
    closing: CancellationToken,
    /// The driver ends.
    driver: CancellationToken,
    /// Everything else ends.
    ending: CancellationToken,
    tasks: TaskTracker,
    timeline: Timeline,
    /// How many connections to peers have come up.
    connections: Arc<AtomicU64>,
    /// The log's writer, to be waited for last.
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// Runs a node until it is told to stop (SIGTERM, SIGINT) or can no longer keep its promises.
///
/// # Errors
/// Why it did not start, or why it stopped by itself; one line.
pub fn run(settings: Settings, trust: Trust, secrets: Secrets) -> anyhow::Result<()> {
    let lock = DataLock::take(&settings.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let life = Life::default();
    let ran = runtime.block_on(live((settings, trust, secrets), &life));
    runtime.shutdown_timeout(STOPPING);
    join_writer(&life);
    drop(lock);
    ran
}

/// Waits for the log's writer, which closes the store: a process that exits under it aborts.
fn join_writer(life: &Life) {
    let writer = life
        .writer
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let Some(writer) = writer else { return };
    let until = Instant::now() + STOPPING;
    while !writer.is_finished() && Instant::now() < until {
        std::thread::sleep(LOOK);
    }
    if writer.is_finished() && writer.join().is_err() {
        tracing::error!("the log's writer panicked");
    }
}

async fn live(
    (settings, trust, secrets): (Settings, Trust, Secrets),
    life: &Life,
) -> anyhow::Result<()> {
    let (mut terminated, mut interrupted) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let clock = Clock::open()?;
    for (file, error) in &trust.ignored {
        tracing::warn!(file = %file.display(), %error, "a credential is not admitted");
    }
    let witness = witness::start((&settings, &trust, &secrets), life).await?;
    let (mesh, events, streams) = crate::mesh::spawn(
        network::config(&settings, &trust.roster),
        &secrets.transport.seed(),
    )?;
    let has_log = settings.hospital.is_some() || settings.reader.is_some();
    let core = match has_log {
        true => Some(boot::boot(&settings, &trust, &secrets, clock).await?),
        false => None,
    };
    let started = roles::start(roles::Given {
        settings: &settings,
        trust: &trust,
        secrets: &secrets,
        life,
        mesh: &mesh,
        streams,
        core,
        clock,
    })
    .await?;
    let role = witness.as_ref().map(witness::Running::role);
    let pump = network::pump(events, started.driver.clone(), role, life.clone());
    life.tasks.spawn(pump);
    let listener = Server::bind(&settings.control_socket)?;
    let facts = Arc::new(started.facts.with_witness(witness));
    let server = Server::new(started.driver, life.timeline.clone(), facts);
    life.tasks.spawn(server.run(listener, life.closing.clone()));
    tracing::info!(node = %mesh.node(), "the node runs");
    life.timeline.note("started", 0, serde_json::Value::Null);
    let mut driving = started.driving;
    let failed = tokio::select! {
        _ = terminated.recv() => None,
        _ = interrupted.recv() => None,
        ended = &mut driving => Some(ended),
    };
    tracing::info!("the node stops");
    life.closing.cancel();
    life.driver.cancel();
    let ended = match failed {
        Some(ended) => ended,
        None => tokio::time::timeout(STOPPING, driving)
            .await
            .unwrap_or(Ok(())),
    };
    life.ending.cancel();
    mesh.shutdown().await;
    life.tasks.close();
    if tokio::time::timeout(STOPPING, life.tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("some tasks did not end in time");
    }
    // The socket's name goes with the node; a next one would replace it anyway.
    let _ = std::fs::remove_file(&settings.control_socket);
    ended
}
