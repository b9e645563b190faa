//! The storage and verification SCP: what a PACS or a modality sends images to.
//!
//! One task accepts; each association has a task of its own that reads PDUs; each instance has a
//! blocking task that feeds the caller's [`StoreSink`]. A bounded queue of PDU slices joins the
//! last two, so that an association holds at most a few PDUs in memory, however large the
//! instance, and a slow disk slows the sender. Success is answered only after
//! [`Incoming::finish`] has said that the instance is durable; if the association ends before,
//! the unfinished [`Incoming`] is dropped and must leave nothing behind.

mod association;
mod negotiate;
mod sink;
#[cfg(test)]
mod tests;

pub use negotiate::Peer;
pub(in crate::dicom) use negotiate::{max_length, our_variables};
pub use sink::{Incoming, IncomingMeta, StoreOutcome, StoreRefusal, StoreSink};

use super::ae::AeTitle;
use super::link::Link;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections over the limit that are told so at the same time; more are closed unheard.
const REJECTING_MAX: usize = 16;

/// After a failed accept (no file descriptors), the pause before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the SCP behaves.
#[derive(Debug, Clone)]
pub struct ScpConfig {
    /// Our title: an association that calls another is rejected.
    pub title: AeTitle,
    /// Who may associate; `None` lets everyone who reaches the port.
    pub peers: Option<Vec<Peer>>,
    /// Associations at the same time; one more is rejected as a passing condition.
    pub associations_max: usize,
    /// Longest silence between two PDUs, and longest wait for a peer to read one.
    pub idle: Duration,
    /// Time for a new connection to ask for an association (ARTIM; PS3.8 section 9.1.5).
    pub request_wait: Duration,
    /// Largest data set in bytes; what is larger is refused as out of resources.
    pub instance_max: u64,
}

impl ScpConfig {
    /// The usual limits for a node called `title`, open to everyone who reaches the port.
    pub fn new(title: AeTitle) -> Self {
        Self {
            title,
            peers: None,
            // Busy PACS send on 2 to 10 associations at once; each costs about 3 MiB here.
            associations_max: 64,
            idle: Duration::from_secs(60),
            request_wait: Duration::from_secs(10),
            // Whole-slide images reach some 10 GiB.
            instance_max: 16 << 30,
        }
    }
}

/// What the SCP has done since it started.
#[derive(Debug, Default)]
pub struct ScpMetrics {
    /// Associations accepted.
    pub accepted: AtomicU64,
    /// Associations rejected, by title, address, protocol or limit.
    pub rejected: AtomicU64,
    /// Associations that ended without a release.
    pub aborted: AtomicU64,
    /// Instances kept, first copies.
    pub stored: AtomicU64,
    /// Instances that were already kept.
    pub duplicates: AtomicU64,
    /// Instances answered with a failure.
    pub refused: AtomicU64,
    /// Data set bytes received.
    pub bytes: AtomicU64,
}

impl ScpMetrics {
    fn count(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}

/// What every association of one SCP shares.
struct Shared {
    config: ScpConfig,
    sink: Arc<dyn StoreSink>,
    metrics: Arc<ScpMetrics>,
}

/// A bound listener that has not begun to accept.
pub struct Scp {
    listener: TcpListener,
    shared: Arc<Shared>,
}

impl Scp {
    /// Binds `address` (port 0 picks one).
    ///
    /// # Errors
    /// The operating system's, if the address cannot be bound.
    pub async fn bind(
        address: SocketAddr,
        config: ScpConfig,
        sink: Arc<dyn StoreSink>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let metrics = Arc::default();
        Ok(Self {
            listener,
            shared: Arc::new(Shared {
                config,
                sink,
                metrics,
            }),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The operating system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Counters, alive as long as somebody holds them.
    pub fn metrics(&self) -> Arc<ScpMetrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// Accepts associations until `stop` completes, then lets those that stand run for `grace`
    /// and cuts off the rest.
    pub async fn run(self, stop: impl Future<Output = ()> + Send, grace: Duration) {
        let slots = Arc::new(Semaphore::new(self.shared.config.associations_max));
        let rejecting = Arc::new(Semaphore::new(REJECTING_MAX));
        let mut tasks = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => accepted,
                // Finished associations are reaped as they end, so that the set stays small.
                Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(kind = ?error.kind(), "accepting a DICOM connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let shared = Arc::clone(&self.shared);
            if let Ok(slot) = Arc::clone(&slots).try_acquire_owned() {
                tasks.spawn(async move {
                    serve(stream, address, &shared).await;
                    drop(slot);
                });
            } else if let Ok(slot) = Arc::clone(&rejecting).try_acquire_owned() {
                ScpMetrics::count(&shared.metrics.rejected, 1);
                tracing::warn!("too many DICOM associations");
                tasks.spawn(async move {
                    negotiate::reject_busy(Link::new(stream, shared.config.request_wait)).await;
                    drop(slot);
                });
            }
        }
        let _ =
            tokio::time::timeout(grace, async { while tasks.join_next().await.is_some() {} }).await;
    }
}

/// One connection from its first byte to its last.
async fn serve(stream: TcpStream, address: SocketAddr, shared: &Shared) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(kind = ?error.kind(), "TCP_NODELAY was refused");
    }
    let link = Link::new(stream, shared.config.idle);
    match negotiate::negotiate(link, address.ip(), &shared.config).await {
        Ok(accepted) => {
            ScpMetrics::count(&shared.metrics.accepted, 1);
            if let Err(error) = association::serve(accepted, address.ip(), shared).await {
                ScpMetrics::count(&shared.metrics.aborted, 1);
                tracing::warn!(%error, peer = %address.ip(), "a DICOM association broke off");
            }
        }
        Err(error) => {
            ScpMetrics::count(&shared.metrics.rejected, 1);
            tracing::warn!(%error, peer = %address.ip(), "no DICOM association");
        }
    }
}
