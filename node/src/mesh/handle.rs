//! The handle: what the rest of the node can ask of the mesh. It holds senders and shared readings
//! only.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use libp2p::Multiaddr;
use protocol::ids::NodeId;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use super::config::Roster;
use super::gossip::Topic;
use super::limits::{CALLER_GRACE, GOSSIP_PAYLOAD_MAX, REQUEST_MAX};
use super::metrics::MeshMetrics;
use super::rpc::Protocol;

/// Why a request brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Longer than [`REQUEST_MAX`]: our own mistake. Nothing was sent.
    #[error("a request of {0} bytes is longer than {REQUEST_MAX}")]
    TooLong(usize),
    /// The roster does not have the node. Nothing was sent.
    #[error("the node is not in the roster")]
    NotMember,
    /// No connection: none of its addresses answered, or none is known. Nothing was sent.
    #[error("the node cannot be reached")]
    Unreachable,
    /// This node has too many requests under way. Nothing was sent.
    #[error("too many requests under way")]
    Overloaded,
    /// The peer has too much to do. It did nothing.
    #[error("the peer has no room for the request")]
    PeerOverloaded,
    /// The peer does not answer this request, by its own choice.
    #[error("the peer refused the request")]
    Refused,
    /// The peer does not speak this protocol, or not this version. It did nothing.
    #[error("the peer does not speak the protocol")]
    Unsupported,
    /// No answer in time. The peer may have done what was asked.
    #[error("no answer in time")]
    Timeout,
    /// The connection or the stream broke. The peer may have done what was asked.
    #[error("the connection broke before an answer")]
    Interrupted,
    /// The mesh has stopped. The peer may have done what was asked.
    #[error("the mesh has stopped")]
    MeshStopped,
}

impl SendError {
    /// Whether the peer may have acted on the request although no answer came.
    #[must_use]
    pub const fn outcome_unknown(self) -> bool {
        match self {
            Self::Timeout | Self::Interrupted | Self::MeshStopped => true,
            Self::TooLong(_)
            | Self::NotMember
            | Self::Unreachable
            | Self::Overloaded
            | Self::PeerOverloaded
            | Self::Refused
            | Self::Unsupported => false,
        }
    }
}

/// Why a message was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Longer than [`GOSSIP_PAYLOAD_MAX`]: our own mistake.
    #[error("a gossip payload of {0} bytes is longer than {GOSSIP_PAYLOAD_MAX}")]
    TooLong(usize),
    /// The same payload was published before.
    #[error("the same payload was published before")]
    Duplicate,
    /// No connected peer takes the topic.
    #[error("no connected peer takes the topic")]
    NoPeers,
    /// The queues are full.
    #[error("too much to send")]
    Overloaded,
    /// The mesh has stopped.
    #[error("the mesh has stopped")]
    MeshStopped,
}

/// The mesh has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mesh has stopped")]
pub struct MeshStopped;

/// What a new roster changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RosterChange {
    /// Nodes let in from here on.
    pub added: Vec<NodeId>,
    /// Nodes shut out; their connections close.
    pub removed: Vec<NodeId>,
    /// Entries left out: no valid key, or past the roster's bound. They are not let in.
    pub skipped: Vec<NodeId>,
}

/// What the handle asks of the event loop.
pub(super) enum Command {
    /// Send a request and wait for its answer.
    Send {
        to: NodeId,
        protocol: Protocol,
        bytes: Vec<u8>,
        reply: oneshot::Sender<Result<Vec<u8>, SendError>>,
    },
    /// Be connected to a peer.
    Link {
        to: NodeId,
        reply: oneshot::Sender<Result<(), SendError>>,
    },
    /// Publish a message.
    Publish {
        topic: Topic,
        bytes: Vec<u8>,
        reply: oneshot::Sender<Result<(), PublishError>>,
    },
    /// Replace the roster.
    SetRoster {
        roster: Roster,
        reply: oneshot::Sender<RosterChange>,
    },
    /// Close.
    Shutdown { reply: oneshot::Sender<()> },
}

/// What the event loop shows to handles.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) listening: BTreeSet<Multiaddr>,
    pub(super) connected: BTreeSet<NodeId>,
}

/// A way to the mesh. Clones share it; when the last is gone, the mesh stops.
#[derive(Clone)]
pub struct MeshHandle {
    pub(super) node: NodeId,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) reading: watch::Receiver<Reading>,
    pub(super) metrics: Arc<MeshMetrics>,
    /// The longest a request can take by the event loop's own deadlines.
    pub(super) patience: Duration,
}

impl MeshHandle {
    /// This node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Sends a request to a member, connecting first where needed, and waits for the answer.
    ///
    /// # Errors
    /// [`SendError`]; [`SendError::outcome_unknown`] says whether the peer may have acted.
    pub async fn send(
        &self,
        to: NodeId,
        protocol: Protocol,
        bytes: Vec<u8>,
    ) -> Result<Vec<u8>, SendError> {
        if bytes.len() > REQUEST_MAX {
            return Err(SendError::TooLong(bytes.len()));
        }
        let (reply, answer) = oneshot::channel();
        self.ask(
            Command::Send {
                to,
                protocol,
                bytes,
                reply,
            },
            answer,
        )
        .await
    }

    /// Connects to a member unless a connection is there.
    ///
    /// # Errors
    /// [`SendError`], of the kinds that come before anything is sent.
    pub async fn connect(&self, to: NodeId) -> Result<(), SendError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Link { to, reply }, answer).await
    }

    /// Publishes a message to the members.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish(&self, topic: Topic, bytes: Vec<u8>) -> Result<(), PublishError> {
        if bytes.len() > GOSSIP_PAYLOAD_MAX {
            return Err(PublishError::TooLong(bytes.len()));
        }
        let (reply, answer) = oneshot::channel();
        self.commands
            .try_send(Command::Publish {
                topic,
                bytes,
                reply,
            })
            .map_err(|error| match error {
                TrySendError::Full(_) => PublishError::Overloaded,
                TrySendError::Closed(_) => PublishError::MeshStopped,
            })?;
        answer.await.unwrap_or(Err(PublishError::MeshStopped))
    }

    /// Replaces the roster: who may connect, and at which addresses each is found. Connections of
    /// nodes that are no longer in it close. One bad entry is left out; it does not keep the others
    /// waiting.
    ///
    /// # Errors
    /// [`MeshStopped`].
    pub async fn set_roster(&self, roster: Roster) -> Result<RosterChange, MeshStopped> {
        let (reply, answer) = oneshot::channel();
        let command = Command::SetRoster { roster, reply };
        self.commands.send(command).await.map_err(|_| MeshStopped)?;
        answer.await.map_err(|_| MeshStopped)
    }

    /// Where the mesh listens at this moment.
    #[must_use]
    pub fn listen_addrs(&self) -> Vec<Multiaddr> {
        self.reading.borrow().listening.iter().cloned().collect()
    }

    /// The peers with a connection at this moment.
    #[must_use]
    pub fn connected(&self) -> BTreeSet<NodeId> {
        self.reading.borrow().connected.clone()
    }

    /// The mesh's counters.
    #[must_use]
    pub fn metrics(&self) -> &MeshMetrics {
        &self.metrics
    }

    /// Closes the mesh and waits until its sockets are gone.
    pub async fn shutdown(&self) {
        let (reply, closed) = oneshot::channel();
        if self
            .commands
            .send(Command::Shutdown { reply })
            .await
            .is_ok()
        {
            let _ = closed.await;
        }
    }

    /// Puts a command to the event loop and waits, at the most a little longer than the loop itself
    /// does.
    async fn ask<T>(
        &self,
        command: Command,
        answer: oneshot::Receiver<Result<T, SendError>>,
    ) -> Result<T, SendError> {
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                TrySendError::Full(_) => SendError::Overloaded,
                TrySendError::Closed(_) => SendError::MeshStopped,
            })?;
        match tokio::time::timeout(self.patience + CALLER_GRACE, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(SendError::MeshStopped),
            Err(_) => Err(SendError::Timeout),
        }
    }
}
