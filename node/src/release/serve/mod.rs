//! Serves fetch streams: one request each, answered with ciphertext of granted files and nothing
//! else.
//!
//! The core is asked before each range, so that a lease that ended stops its streams within one
//! range.

mod ask;

use super::files::ReleaseFiles;
use super::{ReleaseError, ReleaseFolder, ReleaseSource, SealedRead, SourceFault};
use ask::{Asked, Piece, Slots, read_request};
use crypto::digest::Digest;
use futures::future::BoxFuture;
use prost::Message;
use protocol::case::owner::FetchTicket;
use protocol::ids::{Fence, NodeId};
use protocol::transfer::request::{FetchResponse, FetchStatus, RANGES_MAX, Range};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) use ask::frame;

/// The longest range: what a lease that ended may still let out on one stream.
pub const RANGE_MAX: u64 = 4 << 20;

/// Bytes read and written at a time. One of these is in memory for each stream.
const PIECE: usize = 256 << 10;

/// Lists of files kept in memory: leases that are being read at one time at one hospital.
const LISTS_MAX: usize = 16;

/// Asks the core whether a desk may fetch now.
pub type Authorise = Arc<
    dyn Fn(NodeId, Fence, Arc<[u8]>) -> BoxFuture<'static, Result<FetchTicket, FetchStatus>>
        + Send
        + Sync,
>;

/// Told how many ciphertext bytes went out under a lease, and how many files were begun.
pub type Served = Arc<dyn Fn(Fence, u64, u64) + Send + Sync>;

/// Bounds of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Streams at one time.
    pub streams: usize,
    /// Streams of one peer at one time.
    pub streams_per_peer: usize,
    /// How long a request may take to arrive.
    pub request: Duration,
    /// How long one write may wait for the peer to read.
    pub write: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            // With one piece each, 16 MiB of memory.
            streams: 64,
            // Four lanes for each of two cases.
            streams_per_peer: 8,
            request: Duration::from_secs(20),
            // 256 KiB in this time is far below any line on which images can be read.
            write: Duration::from_secs(30),
        }
    }
}

/// Serves the releases of one hospital.
pub struct Server {
    folder: ReleaseFolder,
    source: Arc<dyn ReleaseSource>,
    authorise: Authorise,
    served: Served,
    limits: ServerLimits,
    lists: Mutex<BTreeMap<Digest, Arc<ReleaseFiles>>>,
    slots: Slots,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// Everything that was asked for went out.
    Complete,
    /// Refused before the first byte.
    Refused(FetchStatus),
    /// Stopped between two ranges: the lease is over.
    Stopped(FetchStatus),
    /// A file could not be read half-way.
    Unreadable,
    /// The peer went away, or was too slow.
    Lost(io::ErrorKind),
}

impl Server {
    /// A server over the folder of releases and the store.
    pub fn new(
        folder: ReleaseFolder,
        source: Arc<dyn ReleaseSource>,
        authorise: Authorise,
        served: Served,
        limits: ServerLimits,
    ) -> Self {
        Self {
            folder,
            source,
            authorise,
            served,
            limits,
            lists: Mutex::default(),
            slots: Slots::default(),
        }
    }

    /// Serves streams until the channel closes. Dropping the future ends all streams.
    pub async fn run<S>(self: Arc<Self>, mut incoming: mpsc::Receiver<(NodeId, S)>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        while let Some((from, stream)) = incoming.recv().await {
            while tasks.try_join_next().is_some() {}
            // Refusals take a task each, too: beyond this the stream is dropped unanswered.
            if tasks.len() >= self.limits.streams.saturating_mul(2) {
                continue;
            }
            let server = Arc::clone(&self);
            tasks.spawn(async move {
                let end = server.serve(from, stream).await;
                tracing::debug!(peer = %from, ?end, "fetch stream ended");
            });
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Serves one stream of an authenticated peer.
    pub async fn serve<S>(&self, from: NodeId, mut stream: S) -> StreamEnd
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let Some(_slot) = self.slots.take(from, &self.limits) else {
            return self.refuse(&mut stream, FetchStatus::Busy).await;
        };
        let read = tokio::time::timeout(self.limits.request, read_request(&mut stream)).await;
        let request = match read {
            Ok(Ok(Some(request))) => request,
            Ok(Ok(None)) => return self.refuse(&mut stream, FetchStatus::Malformed).await,
            Ok(Err(error)) => return StreamEnd::Lost(error.kind()),
            Err(_) => return StreamEnd::Lost(io::ErrorKind::TimedOut),
        };
        let asked = Asked {
            from,
            fence: Fence(request.fence),
            session: request.session.into(),
        };
        let (files, ranges) = match self.admit(&asked, &request.ranges).await {
            Ok(admitted) => admitted,
            Err(status) => return self.refuse(&mut stream, status).await,
        };
        if let Err(error) = self.respond(&mut stream, FetchStatus::Ok).await {
            return StreamEnd::Lost(error.kind());
        }
        let end = self.send_all(&mut stream, &asked, &files, &ranges).await;
        if end == StreamEnd::Complete {
            let closed = tokio::time::timeout(self.limits.write, stream.shutdown()).await;
            if !matches!(closed, Ok(Ok(()))) {
                tracing::debug!(peer = %from, "a complete fetch stream did not close in order");
            }
        }
        end
    }

    /// Checks lease and ranges before the first byte.
    async fn admit(
        &self,
        asked: &Asked,
        ranges: &[Range],
    ) -> Result<(Arc<ReleaseFiles>, Vec<Piece>), FetchStatus> {
        if ranges.is_empty() || ranges.len() > RANGES_MAX {
            return Err(FetchStatus::Malformed);
        }
        let pieces: Option<Vec<_>> = ranges.iter().map(Piece::of).collect();
        let pieces = pieces.ok_or(FetchStatus::Malformed)?;
        let manifest = self.ask(asked).await?;
        let files = self.list(manifest).await?;
        let granted = |piece: &Piece| {
            let length = files.length(&piece.digest);
            length.is_some_and(|length| piece.offset + piece.length <= length)
        };
        if pieces.iter().all(granted) {
            Ok((files, pieces))
        } else {
            Err(FetchStatus::NotGranted)
        }
    }

    /// Asks the core; the digest of the manifest that is granted.
    async fn ask(&self, asked: &Asked) -> Result<Digest, FetchStatus> {
        let session = Arc::clone(&asked.session);
        let answer = (self.authorise)(asked.from, asked.fence, session);
        // A core that is behind is no reason to hold streams for ever.
        let answer = tokio::time::timeout(self.limits.request, answer).await;
        let ticket = answer.unwrap_or(Err(FetchStatus::Busy))?;
        let digest = ticket.manifest_digest.as_slice().try_into();
        digest.map(Digest).map_err(|_| FetchStatus::Failed)
    }

    /// What the release may serve, from memory or from its list.
    async fn list(&self, manifest: Digest) -> Result<Arc<ReleaseFiles>, FetchStatus> {
        let lists = || self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = lists().get(&manifest) {
            return Ok(Arc::clone(files));
        }
        let folder = self.folder.clone();
        let read = tokio::task::spawn_blocking(move || folder.files(&manifest)).await;
        let files = match read {
            Ok(Ok(Some(files))) => Arc::new(files),
            Ok(Ok(None)) => return Err(unreadable(&ReleaseError::Damaged)),
            Ok(Err(error)) => return Err(unreadable(&error)),
            Err(_) => return Err(FetchStatus::Failed),
        };
        let mut lists = lists();
        if lists.len() >= LISTS_MAX {
            lists.pop_first();
        }
        lists.insert(manifest, Arc::clone(&files));
        Ok(files)
    }

    async fn send_all<S>(
        &self,
        stream: &mut S,
        asked: &Asked,
        files: &ReleaseFiles,
        pieces: &[Piece],
    ) -> StreamEnd
    where
        S: AsyncWrite + Unpin + Send,
    {
        for (number, piece) in pieces.iter().enumerate() {
            // The first range was admitted a moment ago.
            if number > 0 {
                match self.ask(asked).await {
                    Ok(manifest) if manifest == files.manifest => {}
                    Ok(_) => return StreamEnd::Stopped(FetchStatus::NoLease),
                    Err(status) => return StreamEnd::Stopped(status),
                }
            }
            let (sent, end) = self.send(stream, files, piece).await;
            if sent > 0 {
                (self.served)(asked.fence, sent, u64::from(piece.offset == 0));
            }
            if let Some(end) = end {
                return end;
            }
        }
        StreamEnd::Complete
    }

    /// Sends one range; the bytes that went out, and why it stopped early.
    async fn send<S>(
        &self,
        stream: &mut S,
        files: &ReleaseFiles,
        piece: &Piece,
    ) -> (u64, Option<StreamEnd>)
    where
        S: AsyncWrite + Unpin + Send,
    {
        let mut reader = match self.open(files, piece).await {
            Ok(reader) => reader,
            Err(fault) => return (0, Some(broken(piece, &fault))),
        };
        let mut sent = 0;
        let mut buffer = Vec::new();
        while sent < piece.length {
            let wanted = usize::try_from(piece.length - sent).map_or(PIECE, |n| n.min(PIECE));
            let task = tokio::task::spawn_blocking(move || {
                buffer.resize(wanted, 0);
                let read = reader.read_exact(&mut buffer);
                (reader, buffer, read)
            });
            let Ok((back, filled, read)) = task.await else {
                return (sent, Some(StreamEnd::Unreadable));
            };
            if let Err(error) = read {
                let fault = SourceFault::Io(error.kind());
                return (sent, Some(broken(piece, &fault)));
            }
            if let Err(error) = self.timed(stream.write_all(&filled)).await {
                return (sent, Some(StreamEnd::Lost(error.kind())));
            }
            sent += filled.len() as u64;
            (reader, buffer) = (back, filled);
        }
        match self.timed(stream.flush()).await {
            Ok(()) => (sent, None),
            Err(error) => (sent, Some(StreamEnd::Lost(error.kind()))),
        }
    }

    /// Opens a file at the place of a range.
    async fn open(
        &self,
        files: &ReleaseFiles,
        piece: &Piece,
    ) -> Result<Box<dyn SealedRead>, SourceFault> {
        let (own, digest, offset) = (files.is_own(&piece.digest), piece.digest, piece.offset);
        let (folder, source) = (self.folder.clone(), Arc::clone(&self.source));
        let opened = tokio::task::spawn_blocking(move || {
            let mut reader: Box<dyn SealedRead> = if own {
                Box::new(folder.open_sealed(&digest)?)
            } else {
                source.open(&digest)?
            };
            let sought = reader.seek(SeekFrom::Start(offset));
            sought.map_err(|error| SourceFault::Io(error.kind()))?;
            Ok(reader)
        });
        opened
            .await
            .unwrap_or(Err(SourceFault::Io(io::ErrorKind::Other)))
    }

    /// Answers with a refusal.
    async fn refuse<S>(&self, stream: &mut S, status: FetchStatus) -> StreamEnd
    where
        S: AsyncWrite + Unpin + Send,
    {
        let sent = match self.respond(stream, status).await {
            Ok(()) => self.timed(stream.shutdown()).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => StreamEnd::Refused(status),
            Err(error) => StreamEnd::Lost(error.kind()),
        }
    }

    /// Writes the answer's head.
    async fn respond<S>(&self, stream: &mut S, status: FetchStatus) -> io::Result<()>
    where
        S: AsyncWrite + Unpin + Send,
    {
        let response = FetchResponse {
            version: 1,
            status: status.into(),
        };
        let frame = frame(&response.encode_to_vec());
        self.timed(stream.write_all(&frame)).await?;
        self.timed(stream.flush()).await
    }

    /// A write that does not wait for ever.
    async fn timed<T>(&self, write: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let done = tokio::time::timeout(self.limits.write, write).await;
        done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// A release whose list is lost: for the hospital's own people, while the desk gets a status.
fn unreadable(error: &ReleaseError) -> FetchStatus {
    tracing::error!(%error, "a granted release cannot be served");
    FetchStatus::Failed
}

/// A file that cannot be read, likewise.
fn broken(piece: &Piece, fault: &SourceFault) -> StreamEnd {
    tracing::error!(file = %piece.digest, %fault, "a granted file cannot be read");
    StreamEnd::Unreadable
}
