//! The driver: one task owns the core, feeds it, and has its effects done.
//!
//! ```text
//!  log writer ──sizes──▶ ┌────────┐ ──Append──▶ log writer (a thread)
//!  finished effects ───▶ │ driver │ ──effects─▶ tasks, one outcome each
//!  commands, views ────▶ │ (Core) │ ──messages▶ mesh
//!  messages, adverts ──▶ └────────┘ ──events──▶ timeline
//! ```
//! Local work comes first: what is durable, what is done, what people ask; then peers. Every queue
//! is bounded; what a peer loses it says again, and what is ours waits.

pub mod clock;
mod effects;
mod events;
mod handle;
pub mod log;
pub mod ports;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::audit::restore::OldCopy;
use protocol::case::reader::{PURGED, PURGING, REPORTED, UNSIGNED};
use protocol::core::Core;
use protocol::ids::{Fence, NodeId};
use protocol::io::{Command, CommandError, Effect, Event, Outcome, Transmit, Verdict};
use protocol::time::Now;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::control::timeline::Timeline;
use crate::mesh::{MeshHandle, Protocol, Verdict as GossipVerdict};

use clock::Clock;
use effects::Effects;
use handle::{ADVERTS_MAX, ASKS_MAX, Advert, Ask, Incoming, MESSAGES_MAX};
use log::{LogHandle, LogNews};
use ports::{DeskPort, OwnerPort};

pub use handle::{AskError, CaseView, DriverHandle, DriverStopped, FetchTicket};
pub use handle::{LeaseView, OfferView, Views};

/// Messages under way to all peers; beyond it one is dropped, and the core says it again.
const SENDS_MAX: usize = 512;

/// Messages under way to one peer: one that does not answer must not take all the room.
const SENDS_PER_PEER_MAX: usize = 32;

/// The longest sleep: after a suspend the timer is looked at again within it.
const NAP_MAX: Duration = Duration::from_secs(1);

/// How long a stopping node waits for its last entries.
const LAST_ENTRIES: Duration = Duration::from_secs(10);

/// Why the driver ended otherwise than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The log can no longer be written: nothing may go on.
    #[error("the log cannot be written any more: see the error before this one")]
    Log,
    /// The log is an old copy.
    #[error(transparent)]
    Old(#[from] OldCopy),
}

/// What the driver is made of.
pub struct Parts {
    /// The core, replayed and not yet started.
    pub core: Core,
    /// The clock.
    pub clock: Clock,
    /// The log.
    pub log: LogHandle,
    /// The keys that sign.
    pub signer: Signer,
    /// The mesh.
    pub mesh: MeshHandle,
    /// The hospital role's side.
    pub owner: Option<Arc<dyn OwnerPort>>,
    /// The reader role's side.
    pub desk: Option<Arc<dyn DeskPort>>,
    /// Where news goes.
    pub timeline: Timeline,
}

pub use effects::Signer;

/// The queues into the driver, at the driver's end.
pub struct Queues {
    asks: mpsc::Receiver<Ask>,
    messages: mpsc::Receiver<Incoming>,
    adverts: mpsc::Receiver<Advert>,
}

/// Makes the queues first: other parts need the handle before the driver can run.
#[must_use]
pub fn queues() -> (DriverHandle, Queues) {
    let (asks, asked) = mpsc::channel(ASKS_MAX);
    let (messages, received) = mpsc::channel(MESSAGES_MAX);
    let (adverts, heard) = mpsc::channel(ADVERTS_MAX);
    let handle = DriverHandle {
        asks,
        messages,
        adverts,
    };
    (
        handle,
        Queues {
            asks: asked,
            messages: received,
            adverts: heard,
        },
    )
}

/// The task that owns the core.
pub struct Driver {
    core: Core,
    clock: Clock,
    log: LogHandle,
    mesh: MeshHandle,
    effects: Effects,
    queues: Queues,
    sends: JoinSet<NodeId>,
    sending: BTreeMap<NodeId, usize>,
    timeline: Timeline,
    /// Commands whose entry is on its way, with the size of the log that holds it: they are
    /// answered when it is durable. The log's queue bounds them, for each has an entry in it.
    promised: VecDeque<(u64, oneshot::Sender<Result<(), CommandError>>)>,
    /// Reports that are being signed: at most one a lease.
    reports: BTreeMap<(NodeId, Fence), oneshot::Sender<Result<(), CommandError>>>,
}

impl Driver {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts, queues: Queues) -> Self {
        let Parts {
            core,
            clock,
            log,
            signer,
            mesh,
            owner,
            desk,
            timeline,
        } = parts;
        let effects = Effects::new(
            log.clone(),
            signer,
            mesh.clone(),
            (owner, desk),
            timeline.clone(),
        );
        Self {
            core,
            clock,
            log,
            mesh,
            effects,
            queues,
            sends: JoinSet::new(),
            sending: BTreeMap::new(),
            timeline,
            promised: VecDeque::new(),
            reports: BTreeMap::new(),
        }
    }

    /// Runs until `stop`, then writes the last entries.
    ///
    /// # Errors
    /// [`DriverError`] when the log fails.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), DriverError> {
        self.core.start(self.clock.now());
        self.pump().await?;
        while !stop.is_cancelled() {
            self.turn(&stop).await?;
            self.pump().await?;
        }
        self.core.stop(self.clock.now());
        self.pump().await?;
        let last = self.log.wait_for_all();
        if tokio::time::timeout(LAST_ENTRIES, last).await.is_err() {
            tracing::warn!("the last entries were not durable in time");
        } else {
            self.keep_promises(u64::MAX);
        }
        Ok(())
    }

    /// Waits for one thing and feeds it to the core.
    async fn turn(&mut self, stop: &CancellationToken) -> Result<(), DriverError> {
        let now = self.clock.now();
        let nap = match self.core.poll_timeout() {
            Some((due, _)) if due <= now.tick => {
                self.core.handle_timeout(now);
                // The queues are looked at all the same: what is overdue may wait for what they
                // bring.
                self.pump().await?;
                tokio::task::yield_now().await;
                Duration::ZERO
            }
            Some((due, _)) => due.since(now.tick).min(NAP_MAX),
            None => NAP_MAX,
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            news = self.log.news() => match news {
                Some(LogNews::Durable(0)) => {}
                Some(LogNews::Durable(size)) => {
                    self.outcome(Outcome::Durable { index: size - 1 });
                    self.keep_promises(size);
                }
                Some(LogNews::Witnessed(size)) => {
                    self.timeline.note("cosigned", 0, serde_json::json!({ "size": size }));
                    self.outcome(Outcome::Witnessed { size });
                }
                None => return Err(self.log_ended()),
            },
            Some(outcome) = self.effects.finished() => self.outcome(outcome),
            Some(ask) = self.queues.asks.recv() => self.ask(ask),
            Some(sent) = self.sends.join_next() => self.sent(sent.ok()),
            Some(incoming) = self.queues.messages.recv() => self.message(incoming),
            Some(advert) = self.queues.adverts.recv() => self.advert(advert),
            () = tokio::time::sleep(nap) => {}
        }
        Ok(())
    }

    fn log_ended(&self) -> DriverError {
        let refused = self.log.refused();
        refused.map_or(DriverError::Log, DriverError::Old)
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn outcome(&mut self, outcome: Outcome) {
        let now = self.now();
        self.core.handle_outcome(outcome, now);
    }

    /// Has the core handle a command. The answer to one that appends waits for its entry, and that
    /// to a report for its signature first.
    fn command(&mut self, command: Command, reply: oneshot::Sender<Result<(), CommandError>>) {
        let report = match &command {
            Command::Report { owner, fence, .. } => Some((*owner, *fence)),
            Command::ObjectStored { .. }
            | Command::CloseCase { .. }
            | Command::CancelCase { .. }
            | Command::Served { .. }
            | Command::Advertise { .. }
            | Command::Claim { .. }
            | Command::HandBack { .. }
            | Command::LogReview { .. }
            | Command::LogDisclosure { .. } => None,
        };
        let now = self.now();
        let before = self.core.log_end();
        let done = self.core.handle_command(command, now);
        let end = self.core.log_end();
        match (done, report) {
            (Ok(()), Some(key)) => {
                self.reports.insert(key, reply);
            }
            (Ok(()), None) if end > before => self.promised.push_back((end, reply)),
            (done, _) => {
                // A client that went away wants no answer.
                let _ = reply.send(done);
            }
        }
    }

    /// What an event says of a report that somebody waits for.
    fn report_news(&mut self, event: &Event) {
        let Event::LeaseState {
            fence,
            owner,
            state,
        } = event
        else {
            return;
        };
        let is_lost = [PURGING, PURGED, UNSIGNED].contains(state);
        if !is_lost && *state != REPORTED {
            return;
        }
        let Some(reply) = self.reports.remove(&(*owner, *fence)) else {
            return;
        };
        if !is_lost {
            return self.promised.push_back((self.core.log_end(), reply));
        }
        let lost = "the report is not signed: the lease is over, or the key refused; keep the text";
        let _ = reply.send(Err(CommandError::NotNow(lost)));
    }

    /// Answers those whose entries are durable now: the log has `size` of them.
    fn keep_promises(&mut self, size: u64) {
        while let Some((end, reply)) = self.promised.pop_front() {
            if end > size {
                return self.promised.push_front((end, reply));
            }
            // A client that went away wants no answer.
            let _ = reply.send(Ok(()));
        }
    }

    fn ask(&mut self, ask: Ask) {
        let now = self.now();
        // A client that went away wants no answer.
        match ask {
            Ask::Do(command, reply) => self.command(*command, reply),
            Ask::Show(reply) => {
                let (cases, offers) = (self.core.cases(), self.core.offers());
                let _ = reply.send(Views {
                    cases,
                    offers,
                    leases: self.core.leases(),
                });
            }
            Ask::MayFetch {
                from,
                fence,
                session,
                reply,
            } => {
                let _ = reply.send(self.core.may_fetch(from, fence, &session, now));
            }
        }
    }

    fn message(&mut self, incoming: Incoming) {
        let Incoming {
            from,
            message,
            reply,
        } = incoming;
        let (name, now) = (message.name(), self.now());
        match self.core.handle_message(from, message, now) {
            Verdict::Accept => {}
            Verdict::Ignore(why) => tracing::debug!(%from, name, why, "a message is of no use"),
            Verdict::Reject(why) => {
                tracing::warn!(%from, name, why, "a message is rejected");
                // Dropping the responder refuses the request.
                return;
            }
        }
        if let Err(error) = reply.answer(Vec::new()) {
            tracing::debug!(%from, %error, "no answer went out");
        }
    }

    fn advert(&mut self, advert: Advert) {
        let now = self.now();
        let verdict = match self.core.handle_advert(advert.from, &advert.envelope, now) {
            Verdict::Accept => GossipVerdict::Accept,
            Verdict::Ignore(why) => {
                tracing::debug!(from = %advert.from, why, "an advert is of no use");
                GossipVerdict::Ignore
            }
            Verdict::Reject(why) => {
                tracing::warn!(from = %advert.from, why, "an advert is rejected");
                GossipVerdict::Reject
            }
        };
        advert.verdict.pass(verdict);
    }

    /// Takes out all that the core wants done.
    async fn pump(&mut self) -> Result<(), DriverError> {
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Append { index, draft } => {
                    let appended = self.log.append(index, draft).await;
                    appended.map_err(|_| self.log_ended())?;
                }
                other @ (Effect::Prove { .. }
                | Effect::Sign { .. }
                | Effect::DescribeStudy { .. }
                | Effect::PrepareRelease { .. }
                | Effect::Deliver { .. }
                | Effect::PublishAdvert { .. }
                | Effect::Fetch { .. }
                | Effect::Purge { .. }
                | Effect::DropRelease { .. }
                | Effect::Page { .. }) => self.effects.begin(other),
            }
        }
        while let Some(transmit) = self.core.poll_transmit() {
            self.send(transmit);
        }
        while let Some(event) = self.core.poll_event() {
            self.report_news(&event);
            events::tell(&self.timeline, &event);
        }
        Ok(())
    }

    fn send(&mut self, transmit: Transmit) {
        let Transmit { to, message } = transmit;
        let (name, bytes) = (message.name(), message.to_bytes());
        let length = bytes.len() as u64;
        let under_way = self.sending.entry(to).or_default();
        if *under_way >= SENDS_PER_PEER_MAX || self.sends.len() >= SENDS_MAX {
            tracing::debug!(%to, name, "a message found no room; it is said again");
            return;
        }
        *under_way += 1;
        self.timeline.note(
            "sent",
            length,
            serde_json::json!({
                "message": name, "to": to.to_string(),
            }),
        );
        let mesh = self.mesh.clone();
        self.sends.spawn(async move {
            if let Err(error) = mesh.send(to, Protocol::Case, bytes).await {
                tracing::debug!(%to, name, %error, "a message did not arrive");
            }
            to
        });
    }

    fn sent(&mut self, to: Option<NodeId>) {
        let left = to.and_then(|to| self.sending.get_mut(&to).map(|count| (to, count)));
        if let Some((to, count)) = left {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.sending.remove(&to);
            }
        }
    }
}
