//! The mesh: members of a consortium, connected over QUIC and TCP, with nobody else let in.
//!
//! ```text
//!   MeshHandle ──Command──▶ ┌────────────┐ ──MeshEvent──▶ MeshEvents (the consumer)
//!   (clones; bounded)       │ event loop │ ◀─ Responder, Judge (one answer each)
//!   StreamOpener ──────────▶│ owns Swarm │
//!                           └────────────┘
//!        libp2p-stream ──▶ accept loop ──(NodeId, MeshStream)──▶ StreamControl
//! ```
//!
//! The mesh moves opaque bytes with caps: it knows who sent them, not what they mean. The event
//! loop ends when it is shut down or when the last handle and opener are gone; the accept loop ends
//! with it. Everything queued here may be lost at any moment: nothing is promised before the peer's
//! answer. When the consumer falls behind, requests are refused and gossip is ignored; only the
//! newest connection state of each peer is kept for it.
//!
//! The network gate is the roster: a handshake proves the peer's key, and a key that is not in the
//! roster is refused before any protocol runs. Transport keys are authenticated and encrypted by
//! TLS 1.3 (QUIC, TCP) or noise (TCP, where a peer has no TLS).

mod book;
mod circuits;
mod config;
mod event;
mod event_loop;
mod frame;
mod gossip;
mod handle;
mod identity;
mod inbound;
pub mod limits;
mod links;
mod metrics;
mod pending;
mod rpc;
mod stream;
mod swarm;
mod timed;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use libp2p::StreamProtocol;
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

pub use libp2p::Multiaddr;

pub use config::{MeshConfig, Roster, SpawnError, Timing};
pub use event::{AnswerError, Judge, MeshEvent, MeshEvents, Responder, Verdict};
pub use frame::{FrameError, fuzz_frame};
pub use gossip::{GossipSetup, Topic};
pub use handle::{MeshHandle, MeshStopped, PublishError, RosterChange, SendError};
pub use identity::{IdentityError, parse_peer_address, peer_address};
pub use metrics::MeshMetrics;
pub use rpc::{Protocol, fuzz_answer};
pub use stream::{FETCH_PROTOCOL, MeshStream, StreamControl, StreamOpener};

use event_loop::{Ends, EventLoop};
use handle::Reading;
use limits::{COMMANDS_MAX, EVENTS_MAX, STREAMS_BACKLOG};

/// Starts a mesh in the current tokio runtime.
///
/// `seed` is the transport key's Ed25519 seed (RFC 8032); the node's id is its public key.
///
/// # Errors
/// [`SpawnError`]: settings that cannot work, an address that cannot be listened on, or an
/// environment in which session keys would be written to a file.
pub fn spawn(
    config: MeshConfig,
    seed: &Zeroizing<[u8; 32]>,
) -> Result<(MeshHandle, MeshEvents, StreamControl), SpawnError> {
    config::refuse_key_log(std::env::var_os("SSLKEYLOGFILE").as_deref())?;
    config.check()?;
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;

    let keypair = identity::keypair_of(seed);
    let node = identity::node_of_keypair(&keypair);
    let mut swarm = swarm::build(&config, keypair)?;
    for address in config
        .listen
        .iter()
        .filter(|address| !identity::is_relayed(address))
    {
        swarm::listen(&mut swarm, address)?;
    }
    let mut control = swarm.behaviour().streams.new_control();
    let incoming = control
        .accept(StreamProtocol::new(FETCH_PROTOCOL))
        .map_err(|error| SpawnError::Transport(error.to_string()))?;

    let (commands, command_queue) = mpsc::channel(COMMANDS_MAX);
    let (event_queue, receiver) = mpsc::channel(EVENTS_MAX);
    let (accepted, incoming_streams) = mpsc::channel(STREAMS_BACKLOG);
    let (reading, shown) = watch::channel(Reading::default());
    let metrics = Arc::new(MeshMetrics::default());
    let timing = config.timing;

    let ends = Ends {
        commands: command_queue,
        events: event_queue,
        reading,
        metrics: Arc::clone(&metrics),
    };
    let event_loop = EventLoop::new(swarm, node, config, ends);
    runtime.spawn(event_loop.run());
    runtime.spawn(stream::accept_loop(
        incoming,
        accepted,
        timing.stream,
        Arc::clone(&metrics),
    ));

    let patience = timing.connect + timing.request;
    let handle = MeshHandle {
        node,
        commands,
        reading: shown,
        metrics,
        patience,
    };
    let opener = StreamOpener {
        handle: handle.clone(),
        control,
        connect: timing.connect,
        stream: timing.stream,
    };
    Ok((
        handle,
        MeshEvents { receiver },
        StreamControl {
            opener,
            incoming: incoming_streams,
        },
    ))
}
