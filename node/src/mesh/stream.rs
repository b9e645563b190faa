//! Fetch streams (`/radmesh/fetch/1`): raw byte streams between two members, for bulk ciphertext.
//!
//! The opener writes one request frame; from then on bytes flow one way, from the acceptor to the
//! opener. One task owns a stream: its two directions are never split between tasks (a muxer
//! deadlock is known). Every wait on a stream has a limit, and a member's streams are counted.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use libp2p::{PeerId, Stream, StreamProtocol};
use libp2p_stream::{Control, IncomingStreams, OpenStreamError};
use protocol::ids::NodeId;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};

use super::frame::{Budget, FrameError, read_frame, write_frame};
use super::handle::{MeshHandle, SendError};
use super::identity::{node_of, peer_of};
use super::limits::{FETCH_REQUEST_MAX, PEER_STREAMS_MAX, STREAMS_MAX};
use super::metrics::{MeshMetrics, count};
use super::timed::Timed;

/// The protocol of fetch streams.
pub const FETCH_PROTOCOL: &str = "/radmesh/fetch/1";

/// A fetch stream. Reads and writes fail with `TimedOut` when they make no progress in time.
pub struct MeshStream {
    inner: Timed<Compat<Stream>>,
    /// The peer's share of streams, given back on drop. Streams that we open hold none.
    _slot: Option<Slot>,
}

impl MeshStream {
    /// Writes the request frame; at most [`FETCH_REQUEST_MAX`] bytes.
    ///
    /// # Errors
    /// [`FrameError`].
    pub async fn write_request(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        let mut compat = (&mut self.inner).compat();
        write_frame(&mut compat, FETCH_REQUEST_MAX, bytes).await?;
        self.inner.flush().await?;
        Ok(())
    }

    /// Reads the request frame; at most [`FETCH_REQUEST_MAX`] bytes.
    ///
    /// # Errors
    /// [`FrameError`].
    pub async fn read_request(&mut self) -> Result<Vec<u8>, FrameError> {
        let mut compat = (&mut self.inner).compat();
        // The number of streams is bounded, so each has the memory of one request for itself.
        let budget = Budget::new(FETCH_REQUEST_MAX);
        Ok(read_frame(&mut compat, FETCH_REQUEST_MAX, &budget)
            .await?
            .bytes)
    }
}

impl AsyncRead for MeshStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for MeshStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Both ends of fetch streams: opening ours, accepting others'.
pub struct StreamControl {
    /// Opens streams; clone it freely.
    pub opener: StreamOpener,
    /// Streams that members opened to us.
    pub incoming: mpsc::Receiver<(NodeId, MeshStream)>,
}

impl StreamControl {
    /// Opens a stream to a member; see [`StreamOpener::open`].
    ///
    /// # Errors
    /// As [`StreamOpener::open`].
    pub async fn open(&self, to: NodeId) -> Result<MeshStream, SendError> {
        self.opener.open(to).await
    }

    /// The next stream that a member opened, and the member; `None` when the mesh has stopped.
    pub async fn accept(&mut self) -> Option<(NodeId, MeshStream)> {
        self.incoming.recv().await
    }
}

/// Opens fetch streams.
#[derive(Clone)]
pub struct StreamOpener {
    pub(super) handle: MeshHandle,
    pub(super) control: Control,
    pub(super) connect: Duration,
    pub(super) stream: Duration,
}

impl StreamOpener {
    /// Opens a stream to a member, connecting first where needed.
    ///
    /// # Errors
    /// [`SendError`]: `NotMember`, `Unreachable`, `Overloaded`, `Unsupported`, `Timeout`,
    /// `Interrupted`, `MeshStopped`. Nothing was sent in any of these.
    pub async fn open(&self, to: NodeId) -> Result<MeshStream, SendError> {
        self.handle.connect(to).await?;
        let peer = peer_of(to).map_err(|_| SendError::NotMember)?;
        let mut control = self.control.clone();
        let opening = control.open_stream(peer, StreamProtocol::new(FETCH_PROTOCOL));
        let stream = tokio::time::timeout(self.connect, opening)
            .await
            .map_err(|_| SendError::Timeout)?
            .map_err(|error| open_error(&error))?;
        count(&self.handle.metrics.streams_opened);
        let metrics = Arc::clone(&self.handle.metrics);
        Ok(MeshStream {
            inner: Timed::new(stream.compat(), self.stream, metrics),
            _slot: None,
        })
    }
}

/// libp2p's words in ours.
fn open_error(error: &OpenStreamError) -> SendError {
    match error {
        OpenStreamError::UnsupportedProtocol(_) => SendError::Unsupported,
        OpenStreamError::Io(io) if io.kind() == io::ErrorKind::NotConnected => {
            SendError::Unreachable
        }
        OpenStreamError::Io(io) if io.kind() == io::ErrorKind::TimedOut => SendError::Timeout,
        OpenStreamError::Io(_) => SendError::Interrupted,
        // The enum is open; what a later version adds is a stream that did not open.
        _ => SendError::Interrupted,
    }
}

/// Accepts streams as they come and hands them on. libp2p drops a stream that nobody waits for, so
/// this task does nothing else.
pub(super) async fn accept_loop(
    mut incoming: IncomingStreams,
    accepted: mpsc::Sender<(NodeId, MeshStream)>,
    limit: Duration,
    metrics: Arc<MeshMetrics>,
) {
    let slots = Slots::default();
    while let Some((peer, stream)) = incoming.next().await {
        let Some((node, slot)) = admit(&slots, &peer) else {
            count(&metrics.streams_refused);
            continue;
        };
        let inner = Timed::new(stream.compat(), limit, Arc::clone(&metrics));
        match accepted.try_send((
            node,
            MeshStream {
                inner,
                _slot: Some(slot),
            },
        )) {
            Ok(()) => count(&metrics.streams_accepted),
            Err(_) => count(&metrics.streams_refused),
        }
    }
}

fn admit(slots: &Slots, peer: &PeerId) -> Option<(NodeId, Slot)> {
    let node = node_of(peer).ok()?;
    Some((node, slots.take(node)?))
}

/// Inbound streams in use, by member.
#[derive(Clone, Default)]
struct Slots(Arc<Mutex<BTreeMap<NodeId, usize>>>);

impl Slots {
    /// One more stream for a member, within its share and the total.
    fn take(&self, node: NodeId) -> Option<Slot> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.values().sum::<usize>() >= STREAMS_MAX {
            return None;
        }
        let own = used.entry(node).or_default();
        if *own >= PEER_STREAMS_MAX {
            return None;
        }
        *own += 1;
        Some(Slot {
            slots: self.clone(),
            node,
        })
    }
}

/// One stream of a member, until dropped.
struct Slot {
    slots: Slots,
    node: NodeId,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut used = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = used.get_mut(&self.node) {
            *own -= 1;
            if *own == 0 {
                used.remove(&self.node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_its_share_of_streams_and_gets_it_back() {
        let slots = Slots::default();
        let node = NodeId::from_bytes([1; 32]);
        let held: Vec<Slot> = (0..PEER_STREAMS_MAX)
            .map_while(|_| slots.take(node))
            .collect();
        assert_eq!(held.len(), PEER_STREAMS_MAX);
        assert!(slots.take(node).is_none());
        assert!(slots.take(NodeId::from_bytes([2; 32])).is_some());
        drop(held);
        assert!(slots.take(node).is_some());
    }

    #[test]
    fn the_total_of_streams_is_bounded() {
        let slots = Slots::default();
        let take = |number: usize| slots.take(NodeId::from_bytes([number as u8; 32]));
        let held: Vec<Slot> = (0..STREAMS_MAX)
            .filter_map(|n| take(n / PEER_STREAMS_MAX))
            .collect();
        assert_eq!(held.len(), STREAMS_MAX);
        assert!(take(200).is_none());
    }
}
