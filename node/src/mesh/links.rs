//! Connections: dialled when wanted, served when up, forgotten when gone.

use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};
use protocol::ids::NodeId;
use tokio::time::Instant;

use super::book::AfterFailure;
use super::event_loop::EventLoop;
use super::frame::Frame;
use super::gossip::MEMBER_SCORE;
use super::handle::SendError;
use super::identity::{node_of, peer_of};
use super::metrics::count;
use super::pending::Waiter;

impl EventLoop {
    /// Serves a waiter at once if the peer is connected; otherwise keeps it and dials.
    pub(super) fn want(&mut self, to: NodeId, waiter: Waiter) {
        if !self.book.is_member(to) {
            return waiter.fail(SendError::NotMember);
        }
        if !self.pending.has_room(to) {
            return waiter.fail(SendError::Overloaded);
        }
        if self.links.contains_key(&to) {
            return self.serve(to, waiter);
        }
        self.pending.wait(to, waiter, Instant::now() + self.connect);
        self.dial(to);
    }

    /// Does for a connected peer what a waiter waited for.
    fn serve(&mut self, to: NodeId, waiter: Waiter) {
        match waiter {
            Waiter::Link(caller) => drop(caller.send(Ok(()))),
            Waiter::Request {
                protocol,
                bytes,
                caller,
            } => {
                let Ok(peer) = peer_of(to) else {
                    return drop(caller.send(Err(SendError::NotMember)));
                };
                let rpc = self.swarm.behaviour_mut().rpc(protocol);
                let id = rpc.send_request(&peer, Frame::own(bytes));
                self.pending.fly((protocol, id), to, caller);
                count(&self.metrics.requests_sent);
            }
        }
    }

    /// Dials a member unless that is under way. Without an address, whoever waits is told.
    pub(super) fn dial(&mut self, node: NodeId) {
        if self.book.is_dialing(node) {
            return;
        }
        match self.book.start_dial(node) {
            Some((peer, addresses)) => self.dial_at(node, peer, addresses),
            None => self.fail_waiting(node, SendError::Unreachable),
        }
    }

    fn dial_at(&mut self, node: NodeId, peer: PeerId, addresses: Vec<Multiaddr>) {
        let dial = DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(addresses)
            .build();
        match self.swarm.dial(dial) {
            Ok(()) => {}
            // A behaviour dials the same peer already; its outcome is ours too.
            Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(error) => {
                tracing::debug!(%node, %error, "dial refused");
                self.dial_failed(node);
            }
        }
    }

    /// A dial failed: through relays next, or no more for the moment.
    pub(super) fn dial_failed(&mut self, node: NodeId) {
        count(&self.metrics.dials_failed);
        match self.book.dial_failed(node, Instant::now(), jitter()) {
            AfterFailure::TryRelayed(peer, addresses) => self.dial_at(node, peer, addresses),
            AfterFailure::GiveUp => self.fail_waiting(node, SendError::Unreachable),
        }
    }

    pub(super) fn fail_waiting(&mut self, node: NodeId, error: SendError) {
        for waiter in self.pending.take_waiting(node) {
            waiter.fail(error);
        }
    }

    /// A connection came up: whoever waited for it is served.
    pub(super) fn on_connected(&mut self, peer: &PeerId, connection: ConnectionId, relayed: bool) {
        count(&self.metrics.connections_opened);
        let Ok(node) = node_of(peer) else {
            // The gate admits nodes of the roster only, whose ids are keys.
            let _ = self.swarm.disconnect_peer_id(*peer);
            return;
        };
        let links = self.links.entry(node).or_default();
        let first = links.is_empty();
        links.insert(connection, relayed);
        if !relayed {
            self.drop_relayed(node);
        }
        if first {
            self.swarm
                .behaviour_mut()
                .gossip
                .set_application_score(peer, MEMBER_SCORE);
            self.book.connected(node, Instant::now());
            self.news.peer(node, true);
            self.reading.send_modify(|reading| {
                reading.connected.insert(node);
            });
        }
        for waiter in self.pending.take_waiting(node) {
            self.serve(node, waiter);
        }
    }

    /// With a direct connection there, those through relays close: libp2p picks any connection for
    /// a new stream, and bulk must not ride a relay when it need not.
    fn drop_relayed(&mut self, node: NodeId) {
        let links = self.links.get(&node).into_iter().flatten();
        let relayed: Vec<ConnectionId> = links
            .filter(|(_, relayed)| **relayed)
            .map(|(connection, _)| *connection)
            .collect();
        for connection in relayed {
            self.swarm.close_connection(connection);
        }
    }

    /// A connection is gone.
    pub(super) fn on_closed(&mut self, peer: &PeerId, connection: ConnectionId) {
        count(&self.metrics.connections_closed);
        let Ok(node) = node_of(peer) else { return };
        let Some(links) = self.links.get_mut(&node) else {
            return;
        };
        links.remove(&connection);
        if !links.is_empty() {
            return;
        }
        self.links.remove(&node);
        self.book.disconnected(node, Instant::now(), jitter());
        self.news.peer(node, false);
        self.reading.send_modify(|reading| {
            reading.connected.remove(&node);
        });
    }
}

/// A random byte that spreads the dials of many nodes in time. It protects nothing.
fn jitter() -> u8 {
    let mut byte = [0];
    match getrandom::fill(&mut byte) {
        Ok(()) => byte[0],
        Err(_) => 0,
    }
}
