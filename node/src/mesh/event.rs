//! What the mesh tells its consumer, in our words; and how the consumer answers.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use libp2p::Multiaddr;
use protocol::ids::NodeId;
use tokio::sync::{mpsc, oneshot};

use super::frame::Room;
use super::gossip::Topic;
use super::limits::RESPONSE_MAX;
use super::rpc::Protocol;

/// Something that happened on the mesh.
pub enum MeshEvent {
    /// A member asks. Answer through `reply`; dropping it refuses the request.
    Request {
        /// Who asks: authenticated by the transport, in the roster.
        from: NodeId,
        /// The protocol it asks on.
        protocol: Protocol,
        /// The request, at most [`REQUEST_MAX`](super::limits::REQUEST_MAX) bytes.
        bytes: Vec<u8>,
        /// Takes the answer.
        reply: Responder,
    },
    /// A member published. Judge it through `verdict`; dropping it ignores the message.
    Gossip {
        /// Who published: its signature was checked, it is in the roster. Not the neighbour it came
        /// by.
        from: NodeId,
        /// The topic.
        topic: Topic,
        /// The payload.
        bytes: Vec<u8>,
        /// Takes the verdict.
        verdict: Judge,
    },
    /// The first connection to a peer came up. It may have been in use a moment before.
    PeerConnected(NodeId),
    /// The last connection to a peer is gone.
    PeerDisconnected(NodeId),
    /// The mesh listens here.
    ListenAddr(Multiaddr),
}

impl fmt::Debug for MeshEvent {
    /// Lengths instead of payloads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request {
                from,
                protocol,
                bytes,
                reply: _,
            } => {
                write!(f, "Request({from}, {protocol:?}, {} bytes)", bytes.len())
            }
            Self::Gossip {
                from,
                topic,
                bytes,
                verdict: _,
            } => {
                write!(f, "Gossip({from}, {topic:?}, {} bytes)", bytes.len())
            }
            Self::PeerConnected(node) => write!(f, "PeerConnected({node})"),
            Self::PeerDisconnected(node) => write!(f, "PeerDisconnected({node})"),
            Self::ListenAddr(address) => write!(f, "ListenAddr({address})"),
        }
    }
}

/// The consumer's end of the event queue.
pub struct MeshEvents {
    pub(super) receiver: mpsc::Receiver<MeshEvent>,
}

impl MeshEvents {
    /// The next event; `None` when the mesh has stopped.
    pub async fn next(&mut self) -> Option<MeshEvent> {
        self.receiver.recv().await
    }
}

/// Takes the answer to one request. Dropped without an answer, the peer is told it is refused.
#[must_use = "dropping a responder refuses the request"]
pub struct Responder {
    reply: oneshot::Sender<Vec<u8>>,
    /// The memory share of the request is given back when it has been dealt with.
    _room: Room,
}

/// An answer that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Longer than [`RESPONSE_MAX`]: our own mistake. The peer is told it is refused.
    #[error("an answer of {0} bytes is longer than {RESPONSE_MAX}")]
    TooLong(usize),
    /// The mesh has stopped.
    #[error("the mesh has stopped")]
    MeshStopped,
}

impl Responder {
    /// A responder and the end at which the event loop waits.
    pub(super) fn new(room: Room) -> (Self, oneshot::Receiver<Vec<u8>>) {
        let (reply, answer) = oneshot::channel();
        (Self { reply, _room: room }, answer)
    }

    /// Sends the answer. That it arrives is not known: the peer may have gone.
    ///
    /// # Errors
    /// [`AnswerError`]; the peer gets no answer then.
    pub fn answer(self, bytes: Vec<u8>) -> Result<(), AnswerError> {
        if bytes.len() > RESPONSE_MAX {
            return Err(AnswerError::TooLong(bytes.len()));
        }
        self.reply.send(bytes).map_err(|_| AnswerError::MeshStopped)
    }
}

/// What becomes of a gossip message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good: forward it.
    Accept,
    /// Not useful, nobody's fault: drop it.
    Ignore,
    /// Invalid: drop it, and hold it against those who brought it.
    Reject,
}

/// Takes the verdict on one gossip message. Dropped without one, the message is ignored.
#[must_use = "dropping a judge ignores the message"]
pub struct Judge(oneshot::Sender<Verdict>);

impl Judge {
    /// A judge and the end at which the event loop waits.
    pub(super) fn new() -> (Self, oneshot::Receiver<Verdict>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Gives the verdict. After the mesh has stopped it is moot.
    pub fn pass(self, verdict: Verdict) {
        let _ = self.0.send(verdict);
    }
}

/// Connection news that waits for room in the event queue. Only a peer's newest state is kept, so
/// it is bounded by the roster and is never lost, however slow the consumer.
#[derive(Default)]
pub(super) struct News {
    peers: BTreeMap<NodeId, bool>,
    addresses: VecDeque<Multiaddr>,
}

impl News {
    /// A peer came up (`true`) or went away.
    pub(super) fn peer(&mut self, node: NodeId, connected: bool) {
        self.peers.insert(node, connected);
    }

    /// The mesh listens on one more address.
    pub(super) fn listening(&mut self, address: Multiaddr) {
        if !self.addresses.contains(&address) {
            self.addresses.push_back(address);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty() && self.addresses.is_empty()
    }

    /// The next item as an event.
    pub(super) fn take(&mut self) -> Option<MeshEvent> {
        if let Some(address) = self.addresses.pop_front() {
            return Some(MeshEvent::ListenAddr(address));
        }
        let (node, connected) = self.peers.pop_first()?;
        Some(match connected {
            true => MeshEvent::PeerConnected(node),
            false => MeshEvent::PeerDisconnected(node),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_over_the_cap_is_the_consumers_mistake() {
        let (responder, mut answer) = Responder::new(Room::default());
        let too_long = RESPONSE_MAX + 1;
        assert_eq!(
            responder.answer(vec![0; too_long]),
            Err(AnswerError::TooLong(too_long))
        );
        assert!(answer.try_recv().is_err());
        let (responder, answer) = Responder::new(Room::default());
        drop(answer);
        assert_eq!(responder.answer(Vec::new()), Err(AnswerError::MeshStopped));
    }

    #[test]
    fn news_keeps_each_peers_newest_state() {
        let mut news = News::default();
        let node = NodeId::from_bytes([1; 32]);
        news.peer(node, true);
        news.peer(node, false);
        assert!(matches!(news.take(), Some(MeshEvent::PeerDisconnected(who)) if who == node));
        assert!(news.is_empty() && news.take().is_none());
    }

    #[test]
    fn debug_shows_no_payload() {
        let (reply, _answer) = Responder::new(Room::default());
        let event = MeshEvent::Request {
            from: NodeId::from_bytes([1; 32]),
            protocol: Protocol::Case,
            bytes: b"SECRET".to_vec(),
            reply,
        };
        let text = format!("{event:?}");
        assert!(text.ends_with("Case, 6 bytes)") && !text.contains("SECRET"));
    }
}
