//! Our own requests that wait: for a connection, then for an answer. Bounded per peer and in all.

use std::collections::{BTreeMap, VecDeque};

use libp2p::request_response::OutboundRequestId;
use protocol::ids::NodeId;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::handle::SendError;
use super::limits::{PEER_PENDING_MAX, PENDING_MAX};
use super::rpc::Protocol;

/// The caller of a request.
pub(super) type Caller = oneshot::Sender<Result<Vec<u8>, SendError>>;

/// What waits for a connection.
pub(super) enum Waiter {
    /// A request to send.
    Request {
        protocol: Protocol,
        bytes: Vec<u8>,
        caller: Caller,
    },
    /// Someone who wants the connection itself.
    Link(oneshot::Sender<Result<(), SendError>>),
}

impl Waiter {
    /// Tells the caller that it will not be.
    pub(super) fn fail(self, error: SendError) {
        // A caller that has gone wants no answer.
        match self {
            Self::Request { caller, .. } => drop(caller.send(Err(error))),
            Self::Link(caller) => drop(caller.send(Err(error))),
        }
    }
}

/// Every waiting request and every caller of one under way.
#[derive(Default)]
pub(super) struct Pending {
    waiting: BTreeMap<NodeId, VecDeque<(Waiter, Instant)>>,
    flying: BTreeMap<(Protocol, OutboundRequestId), (NodeId, Caller)>,
    /// Waiting and flying of each peer; no entry means none.
    load: BTreeMap<NodeId, usize>,
    total: usize,
}

impl Pending {
    /// Whether one more for this peer is within bounds.
    pub(super) fn has_room(&self, node: NodeId) -> bool {
        let load = self.load.get(&node).copied().unwrap_or(0);
        load < PEER_PENDING_MAX && self.total < PENDING_MAX
    }

    /// Keeps a waiter until the peer is connected or the deadline has come.
    pub(super) fn wait(&mut self, node: NodeId, waiter: Waiter, deadline: Instant) {
        self.add(node);
        self.waiting
            .entry(node)
            .or_default()
            .push_back((waiter, deadline));
    }

    /// Takes everything that waits for this peer.
    pub(super) fn take_waiting(&mut self, node: NodeId) -> Vec<Waiter> {
        let taken = self.waiting.remove(&node).unwrap_or_default();
        for _ in &taken {
            self.remove(node);
        }
        taken.into_iter().map(|(waiter, _)| waiter).collect()
    }

    /// Takes every waiter whose deadline has come.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<Waiter> {
        let mut expired = Vec::new();
        for (node, queue) in std::mem::take(&mut self.waiting) {
            let (due, kept): (VecDeque<_>, VecDeque<_>) = queue
                .into_iter()
                .partition(|(_, deadline)| *deadline <= now);
            for (waiter, _) in due {
                self.remove(node);
                expired.push(waiter);
            }
            if !kept.is_empty() {
                self.waiting.insert(node, kept);
            }
        }
        expired
    }

    /// Remembers the caller of a request under way.
    pub(super) fn fly(&mut self, id: (Protocol, OutboundRequestId), node: NodeId, caller: Caller) {
        self.add(node);
        self.flying.insert(id, (node, caller));
    }

    /// Takes the caller of a request that has ended.
    pub(super) fn land(&mut self, id: (Protocol, OutboundRequestId)) -> Option<Caller> {
        let (node, caller) = self.flying.remove(&id)?;
        self.remove(node);
        Some(caller)
    }

    fn add(&mut self, node: NodeId) {
        *self.load.entry(node).or_default() += 1;
        self.total += 1;
    }

    fn remove(&mut self, node: NodeId) {
        self.total = self.total.saturating_sub(1);
        if let Some(load) = self.load.get_mut(&node) {
            *load -= 1;
            if *load == 0 {
                self.load.remove(&node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([number; 32])
    }

    fn link() -> (Waiter, oneshot::Receiver<Result<(), SendError>>) {
        let (sender, receiver) = oneshot::channel();
        (Waiter::Link(sender), receiver)
    }

    #[test]
    fn each_peer_has_its_share_and_no_more() {
        let mut pending = Pending::default();
        let later = Instant::now() + Duration::from_secs(9);
        for _ in 0..PEER_PENDING_MAX {
            assert!(pending.has_room(node(1)));
            pending.wait(node(1), link().0, later);
        }
        assert!(!pending.has_room(node(1)));
        assert!(pending.has_room(node(2)));
        assert_eq!(pending.take_waiting(node(1)).len(), PEER_PENDING_MAX);
        assert!(pending.has_room(node(1)) && pending.load.is_empty() && pending.total == 0);
    }

    #[test]
    fn the_total_is_bounded() {
        let mut pending = Pending::default();
        let later = Instant::now() + Duration::from_secs(9);
        for number in 0..PENDING_MAX {
            pending.wait(node((number / PEER_PENDING_MAX) as u8), link().0, later);
        }
        assert!(!pending.has_room(node(200)));
    }

    #[test]
    fn what_waited_too_long_is_taken_alone() {
        let mut pending = Pending::default();
        let now = Instant::now();
        let (early, mut told) = link();
        pending.wait(node(1), early, now);
        pending.wait(node(1), link().0, now + Duration::from_secs(9));
        for waiter in pending.take_expired(now) {
            waiter.fail(SendError::Timeout);
        }
        assert_eq!(told.try_recv(), Ok(Err(SendError::Timeout)));
        assert_eq!(pending.total, 1);
        assert_eq!(pending.take_waiting(node(1)).len(), 1);
    }
}
