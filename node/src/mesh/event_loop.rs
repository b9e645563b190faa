//! The one owner of the swarm. It finishes local work (answers, verdicts, commands) before it looks
//! at new work from the network, and it never waits for the consumer.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use libp2p::gossipsub::{self, MessageAcceptance, MessageId};
use libp2p::request_response::ResponseChannel;
use libp2p::swarm::ConnectionId;
use libp2p::{PeerId, Swarm};
use protocol::ids::NodeId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Interval};

use super::book::Book;
use super::circuits::Circuits;
use super::config::{MeshConfig, Roster};
use super::event::{MeshEvent, News, Verdict};
use super::gossip::Topic;
use super::handle::{Command, PublishError, Reading, RosterChange, SendError};
use super::identity::peer_of;
use super::limits::{FAREWELL, TICK};
use super::metrics::{MeshMetrics, count};
use super::pending::{Pending, Waiter};
use super::rpc::{Answer, Protocol};
use super::swarm::Behaviour;

/// A consumer's answer, or its absence, on its way back to the peer that asked.
pub(super) struct Answered {
    pub(super) node: NodeId,
    pub(super) protocol: Protocol,
    pub(super) channel: ResponseChannel<Answer>,
    pub(super) answer: Answer,
}

/// A consumer's verdict on a gossip message.
pub(super) struct Judged {
    pub(super) message: MessageId,
    pub(super) neighbour: PeerId,
    pub(super) verdict: Verdict,
}

/// Work of the consumer that the event loop waits for.
pub(super) type Awaited<T> = FuturesUnordered<Pin<Box<dyn Future<Output = T> + Send>>>;

/// The swarm and everything known about it.
pub(super) struct EventLoop {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) consortium: String,
    pub(super) connect: std::time::Duration,
    pub(super) book: Book,
    pub(super) circuits: Circuits,
    pub(super) pending: Pending,
    /// Connections of each connected peer; the value says whether it goes through a relay.
    pub(super) links: BTreeMap<NodeId, BTreeMap<ConnectionId, bool>>,
    pub(super) answers: Awaited<Answered>,
    /// Unanswered requests of each peer; no entry means none.
    pub(super) unanswered: BTreeMap<NodeId, usize>,
    pub(super) verdicts: Awaited<Judged>,
    pub(super) news: News,
    pub(super) events: mpsc::Sender<MeshEvent>,
    pub(super) reading: watch::Sender<Reading>,
    pub(super) metrics: Arc<MeshMetrics>,
    commands: mpsc::Receiver<Command>,
    tick: Interval,
    goodbye: Option<oneshot::Sender<()>>,
}

/// The ends of the channels that the event loop holds.
pub(super) struct Ends {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) events: mpsc::Sender<MeshEvent>,
    pub(super) reading: watch::Sender<Reading>,
    pub(super) metrics: Arc<MeshMetrics>,
}

impl EventLoop {
    /// Takes the swarm over and lets the members of the first roster in.
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        own: NodeId,
        config: MeshConfig,
        ends: Ends,
    ) -> Self {
        let timing = config.timing;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut event_loop = Self {
            swarm,
            consortium: config.consortium,
            connect: timing.connect,
            book: Book::new(own, timing, config.warm_peers, config.bootstrap),
            circuits: Circuits::new(config.listen, timing),
            pending: Pending::default(),
            links: BTreeMap::new(),
            answers: Awaited::new(),
            unanswered: BTreeMap::new(),
            verdicts: Awaited::new(),
            news: News::default(),
            events: ends.events,
            reading: ends.reading,
            metrics: ends.metrics,
            commands: ends.commands,
            tick,
            goodbye: None,
        };
        event_loop.set_roster(&config.roster);
        event_loop
    }

    /// Runs until shut down, or until the last handle is gone.
    pub(super) async fn run(mut self) {
        while self.step().await.is_continue() {}
        self.close().await;
    }

    async fn step(&mut self) -> ControlFlow<()> {
        tokio::select! {
            biased;
            Some(answered) = self.answers.next() => self.on_answered(answered),
            Some(judged) = self.verdicts.next() => self.on_judged(judged),
            true = has_room(&self.events), if !self.news.is_empty() => self.tell_news(),
            command = self.commands.recv() => return self.on_command(command),
            now = self.tick.tick() => self.on_tick(now),
            event = self.swarm.select_next_some() => self.on_swarm_event(event),
        }
        ControlFlow::Continue(())
    }

    fn tell_news(&mut self) {
        while let Ok(room) = self.events.try_reserve()
            && let Some(news) = self.news.take()
        {
            room.send(news);
        }
    }

    fn on_answered(&mut self, answered: Answered) {
        let Answered {
            node,
            protocol,
            channel,
            answer,
        } = answered;
        if let Some(own) = self.unanswered.get_mut(&node) {
            *own -= 1;
            if *own == 0 {
                self.unanswered.remove(&node);
            }
        }
        self.respond(protocol, channel, answer);
    }

    /// Sends a response; the peer may have gone meanwhile.
    pub(super) fn respond(
        &mut self,
        protocol: Protocol,
        channel: ResponseChannel<Answer>,
        answer: Answer,
    ) {
        let sent = self
            .swarm
            .behaviour_mut()
            .rpc(protocol)
            .send_response(channel, answer);
        if sent.is_err() {
            count(&self.metrics.answers_late);
        }
    }

    fn on_judged(&mut self, judged: Judged) {
        let acceptance = match judged.verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => {
                count(&self.metrics.gossip_rejected);
                MessageAcceptance::Reject
            }
        };
        self.report(&judged.message, &judged.neighbour, acceptance);
    }

    /// Tells gossipsub what becomes of a message. It may have forgotten the message by then.
    pub(super) fn report(
        &mut self,
        message: &MessageId,
        neighbour: &PeerId,
        acceptance: MessageAcceptance,
    ) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(message, neighbour, acceptance);
    }

    fn on_command(&mut self, command: Option<Command>) -> ControlFlow<()> {
        match command {
            Some(Command::Send {
                to,
                protocol,
                bytes,
                reply,
            }) => {
                self.want(
                    to,
                    Waiter::Request {
                        protocol,
                        bytes,
                        caller: reply,
                    },
                );
            }
            Some(Command::Link { to, reply }) => self.want(to, Waiter::Link(reply)),
            Some(Command::Publish {
                topic,
                bytes,
                reply,
            }) => {
                let _ = reply.send(self.publish(topic, bytes));
            }
            Some(Command::SetRoster { roster, reply }) => {
                let _ = reply.send(self.set_roster(&roster));
            }
            Some(Command::Shutdown { reply }) => {
                self.goodbye = Some(reply);
                return ControlFlow::Break(());
            }
            None => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn publish(&mut self, topic: Topic, bytes: Vec<u8>) -> Result<(), PublishError> {
        let length = bytes.len();
        let hash = topic.hash(&self.consortium);
        match self.swarm.behaviour_mut().gossip.publish(hash, bytes) {
            Ok(_) => {
                count(&self.metrics.gossip_published);
                Ok(())
            }
            Err(gossipsub::PublishError::Duplicate) => Err(PublishError::Duplicate),
            Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => Err(PublishError::NoPeers),
            Err(gossipsub::PublishError::MessageTooLarge) => Err(PublishError::TooLong(length)),
            Err(gossipsub::PublishError::AllQueuesFull(_)) => Err(PublishError::Overloaded),
            Err(
                error @ (gossipsub::PublishError::SigningError(_)
                | gossipsub::PublishError::TransformFailed(_)),
            ) => {
                tracing::error!(%error, "gossip message not made");
                Err(PublishError::Overloaded)
            }
        }
    }

    /// Replaces the roster: opens the gate for new members and closes it, with their connections,
    /// for those who left.
    fn set_roster(&mut self, roster: &Roster) -> RosterChange {
        let change = self.book.replace(roster, Instant::now());
        for node in &change.removed {
            if let Ok(peer) = peer_of(*node) {
                self.swarm.behaviour_mut().gate.disallow_peer(peer);
            }
            self.fail_waiting(*node, SendError::NotMember);
        }
        for peer in change.added.iter().filter_map(|node| self.book.peer(*node)) {
            self.swarm.behaviour_mut().gate.allow_peer(peer);
        }
        for node in &change.skipped {
            tracing::warn!(%node, "roster entry left out");
        }
        change
    }

    fn on_tick(&mut self, now: Instant) {
        for waiter in self.pending.take_expired(now) {
            waiter.fail(SendError::Timeout);
        }
        for node in self.book.due(now) {
            self.dial(node);
        }
        self.circuits.relisten(&mut self.swarm, now);
    }

    /// Lets peers know, then drops the swarm and with it every socket.
    async fn close(mut self) {
        self.commands.close();
        let connected: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in connected {
            // Gone already is as good.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let farewell = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.next().await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
        let goodbye = self.goodbye.take();
        drop(self);
        if let Some(goodbye) = goodbye {
            let _ = goodbye.send(());
        }
    }
}

/// Waits until the consumer's queue has room; false when the consumer has gone.
async fn has_room(events: &mpsc::Sender<MeshEvent>) -> bool {
    events.reserve().await.is_ok()
}
