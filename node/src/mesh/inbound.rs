//! What the network reports, turned into our words. Every event of the library is named here: what
//! is ignored is ignored on purpose.

use libp2p::gossipsub::{self, MessageAcceptance, MessageId};
use libp2p::request_response::{self, OutboundFailure, ResponseChannel};
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, relay};
use tokio::time::Instant;

use super::event::{Judge, MeshEvent, Responder, Verdict};
use super::event_loop::{Answered, EventLoop, Judged};
use super::frame::Frame;
use super::gossip::Topic;
use super::handle::SendError;
use super::identity::node_of;
use super::limits::{PEER_UNANSWERED_MAX, UNANSWERED_MAX, VERDICTS_MAX};
use super::metrics::count;
use super::rpc::{self, Answer, Protocol};
use super::swarm::BehaviourEvent;

impl EventLoop {
    /// One event of the swarm.
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                self.on_connected(&peer_id, connection_id, endpoint.is_relayed());
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                cause,
                ..
            } => {
                self.on_closed(&peer_id, connection_id);
                tracing::debug!(%peer_id, ?cause, "connection closed");
            }
            SwarmEvent::IncomingConnectionError { peer_id, error, .. } => {
                count(&self.metrics.inbound_failed);
                tracing::debug!(?peer_id, %error, "inbound connection failed");
            }
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } => {
                tracing::debug!(?peer_id, %error, "dial failed");
                if let Some(node) = peer_id.and_then(|peer| node_of(&peer).ok()) {
                    self.dial_failed(node);
                }
            }
            SwarmEvent::NewListenAddr {
                listener_id,
                address,
            } => {
                tracing::info!(%address, "listening");
                self.circuits.listening(listener_id);
                self.reading.send_modify(|reading| {
                    reading.listening.insert(address.clone());
                });
                self.news.listening(address);
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => self.on_listen_end(&[address]),
            SwarmEvent::ListenerClosed {
                listener_id,
                addresses,
                reason,
            } => {
                tracing::warn!(?addresses, ?reason, "listener closed");
                self.on_listen_end(&addresses);
                self.circuits.closed(listener_id, Instant::now());
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listener error"),
            // Addresses come from the configuration and the roster, not from what peers observe.
            SwarmEvent::NewExternalAddrCandidate { .. }
            | SwarmEvent::ExternalAddrConfirmed { .. }
            | SwarmEvent::ExternalAddrExpired { .. }
            | SwarmEvent::NewExternalAddrOfPeer { .. } => {}
            // Both are followed by an outcome above.
            SwarmEvent::IncomingConnection { .. } | SwarmEvent::Dialing { .. } => {}
            // The enum is open: log what a later version adds.
            other => tracing::debug!(?other, "unknown swarm event"),
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Case(event) => self.on_rpc(Protocol::Case, event),
            BehaviourEvent::Witness(event) => self.on_rpc(Protocol::Witness, event),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::RelayServer(event) => self.on_relay(&event),
            BehaviourEvent::RelayClient(event) => tracing::debug!(?event, "relay client"),
            // Ping closes a dead connection by itself; identify's claims are not used.
            BehaviourEvent::Ping(_) | BehaviourEvent::Identify(_) | BehaviourEvent::Streams(()) => {
            }
            BehaviourEvent::Gate(never) | BehaviourEvent::Limits(never) => match never {},
        }
    }

    fn on_listen_end(&mut self, addresses: &[libp2p::Multiaddr]) {
        self.reading.send_modify(|reading| {
            reading
                .listening
                .retain(|address| !addresses.contains(address));
        });
    }

    fn on_rpc(&mut self, protocol: Protocol, event: rpc::Event) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request {
                    request, channel, ..
                } => {
                    self.on_request(protocol, &peer, request, channel);
                }
                request_response::Message::Response {
                    request_id,
                    response,
                } => {
                    let outcome = match response {
                        Answer::Bytes(frame) => Ok(frame.bytes),
                        Answer::Overloaded => Err(SendError::PeerOverloaded),
                        Answer::Refused => Err(SendError::Refused),
                    };
                    self.on_outcome(protocol, request_id, outcome);
                }
            },
            request_response::Event::OutboundFailure {
                request_id, error, ..
            } => {
                let failure = match error {
                    OutboundFailure::DialFailure => SendError::Unreachable,
                    OutboundFailure::Timeout => SendError::Timeout,
                    OutboundFailure::ConnectionClosed | OutboundFailure::Io(_) => {
                        SendError::Interrupted
                    }
                    OutboundFailure::UnsupportedProtocols => SendError::Unsupported,
                };
                self.on_outcome(protocol, request_id, Err(failure));
            }
            request_response::Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "inbound request failed");
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_outcome(
        &mut self,
        protocol: Protocol,
        id: request_response::OutboundRequestId,
        outcome: Result<Vec<u8>, SendError>,
    ) {
        if outcome.is_err() {
            count(&self.metrics.requests_failed);
        }
        if let Some(caller) = self.pending.land((protocol, id)) {
            // A caller that has gone wants no answer.
            let _ = caller.send(outcome);
        }
    }

    /// Hands a request to the consumer if it and the peer's share have room; else says so to the
    /// peer.
    fn on_request(
        &mut self,
        protocol: Protocol,
        peer: &PeerId,
        request: Frame,
        channel: ResponseChannel<Answer>,
    ) {
        let Some(node) = node_of(peer).ok().filter(|node| self.book.is_member(*node)) else {
            // It was removed from the roster and its connection is about to close.
            return self.respond(protocol, channel, Answer::Refused);
        };
        let own = self.unanswered.get(&node).copied().unwrap_or(0);
        let room = own < PEER_UNANSWERED_MAX && self.answers.len() < UNANSWERED_MAX;
        let Some(permit) = room.then(|| self.events.try_reserve().ok()).flatten() else {
            count(&self.metrics.requests_refused);
            return self.respond(protocol, channel, Answer::Overloaded);
        };
        count(&self.metrics.requests_received);
        let (reply, answer) = Responder::new(request.room);
        permit.send(MeshEvent::Request {
            from: node,
            protocol,
            bytes: request.bytes,
            reply,
        });
        *self.unanswered.entry(node).or_default() += 1;
        self.answers.push(Box::pin(async move {
            let answer = match answer.await {
                Ok(bytes) => Answer::Bytes(Frame::own(bytes)),
                Err(_) => Answer::Refused,
            };
            Answered {
                node,
                protocol,
                channel,
                answer,
            }
        }));
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            } => {
                self.on_gossip_message(propagation_source, message_id, message);
            }
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                tracing::debug!(%peer_id, "peer without gossip");
            }
            gossipsub::Event::SlowPeer {
                peer_id,
                failed_messages,
            } => {
                tracing::debug!(%peer_id, ?failed_messages, "peer is slow to take gossip");
            }
            gossipsub::Event::Subscribed { .. } | gossipsub::Event::Unsubscribed { .. } => {}
        }
    }

    fn on_gossip_message(&mut self, neighbour: PeerId, id: MessageId, message: gossipsub::Message) {
        let author = message.source.and_then(|author| node_of(&author).ok());
        let Some(from) = author.filter(|author| self.book.is_member(*author)) else {
            // A neighbour whose roster is newer or older than ours may forward it in good faith.
            count(&self.metrics.gossip_foreign_author);
            return self.report(&id, &neighbour, MessageAcceptance::Ignore);
        };
        let Some(topic) = Topic::of_hash(&message.topic, &self.consortium) else {
            return self.report(&id, &neighbour, MessageAcceptance::Reject);
        };
        let room = self.verdicts.len() < VERDICTS_MAX;
        let Some(permit) = room.then(|| self.events.try_reserve().ok()).flatten() else {
            count(&self.metrics.gossip_overflow);
            return self.report(&id, &neighbour, MessageAcceptance::Ignore);
        };
        count(&self.metrics.gossip_received);
        let (verdict, judged) = Judge::new();
        permit.send(MeshEvent::Gossip {
            from,
            topic,
            bytes: message.data,
            verdict,
        });
        self.verdicts.push(Box::pin(async move {
            let verdict = judged.await.unwrap_or(Verdict::Ignore);
            Judged {
                message: id,
                neighbour,
                verdict,
            }
        }));
    }

    fn on_relay(&mut self, event: &relay::Event) {
        use relay::Event::{
            CircuitClosed, CircuitReqAccepted, CircuitReqDenied, ReservationReqDenied,
        };
        if matches!(event, CircuitReqAccepted { .. }) {
            count(&self.metrics.relay_circuits_opened);
        } else if matches!(event, CircuitClosed { .. }) {
            count(&self.metrics.relay_circuits_closed);
        } else if matches!(event, CircuitReqDenied { .. } | ReservationReqDenied { .. }) {
            count(&self.metrics.relay_denied);
        }
        // For a person who watches; half of the events are deprecated and name nothing we count.
        tracing::debug!(?event, "relay");
    }
}
