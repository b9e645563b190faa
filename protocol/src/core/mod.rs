//! The core: one owner's and one reader's machine over one log queue. Routing only.
//!
//! ```text
//!  commands  messages  outcomes  timer
//!       \       |         |      /
//!        v      v         v     v
//!     [ owner's machine | reader's machine ]
//!                |  records
//!           [ log queue ] ── withheld until durable or cosigned
//!                |
//!    transmits   effects   events
//! ```
//! Drive it like this: after each input poll transmits, effects and events until there are none,
//! then sleep until [`Core::poll_timeout`] or the next input. Do local work (outcomes, commands)
//! before messages.

pub(crate) mod clock;
pub mod config;
pub(crate) mod context;
mod duties;
pub(crate) mod log;
pub(crate) mod resend;
pub(crate) mod then;

use std::collections::BTreeSet;

use crypto::digest::Digest;

use crate::audit::entry::{Entry as LogEntry, Openings};
use crate::audit::header::Action;
use crate::audit::record::{NodeRecord, Record, RecordError};
use crate::case::owner::{CaseView, FetchTicket, Owner};
use crate::case::reader::{LeaseView, OfferView, Reader};
use crate::ids::{Fence, NodeId, StudyId, SubjectId};
use crate::io::{Command, CommandError, Effect, Event, Outcome, Transmit, Verdict};
use crate::time::{BootId, Now, Tick, Wall};
use crate::transfer::request::FetchStatus;
use crate::wire::Message;
use config::{CoreConfig, Seeds};
use context::{Context, Entry};
use log::Need;
use then::{Pending, Then};

/// The one type that a node and the simulator both drive.
pub struct Core {
    ctx: Context,
    owner: Option<Owner>,
    reader: Option<Reader>,
    replayed: u64,
    last_boot: Option<(BootId, u64)>,
}

impl Core {
    /// A core whose log is still to be replayed.
    #[must_use]
    pub fn new(config: CoreConfig, seeds: &Seeds) -> Self {
        let owner = config.owner.clone().map(Owner::new);
        let reader = config.reader.clone().map(Reader::new);
        let ctx = Context::new(config, seeds);
        Self {
            ctx,
            owner,
            reader,
            replayed: 0,
            last_boot: None,
        }
    }

    /// Replays one entry of this node's own log. All entries, in order, before [`Core::start`].
    ///
    /// # Errors
    /// [`RecordError`] when the payload holds no record of the entry's kind.
    pub fn replay(
        &mut self,
        index: u64,
        entry: &LogEntry,
        openings: &Openings,
        subject: Option<SubjectId>,
    ) -> Result<(), RecordError> {
        let header = entry.header();
        let record = Record::decode(header.kind, openings)?;
        if let Some(subject) = subject {
            self.ctx.log.place(subject, index);
        }
        if let Record::NodeStarted(node) = &record {
            let boot = node.boot.as_slice().try_into().unwrap_or_default();
            self.last_boot = Some((BootId(boot), node.tick));
        }
        let wall = Wall {
            unix_us: header.time_us,
            uncertainty_us: header.uncertainty_us,
        };
        let then = Now {
            wall,
            ..Now::default()
        };
        self.replay_clock(&record, wall);
        self.apply(&record, index, then);
        self.replayed = index + 1;
        Ok(())
    }

    /// Starts after replay: logs the start, and goes on with what was unfinished.
    pub fn start(&mut self, now: Now) {
        self.ctx.now = now;
        self.ctx.log.resume_at(self.replayed);
        if self.replayed > 0 {
            self.at(now);
        }
        self.log_node(Record::NodeStarted, String::new());
        if self
            .last_boot
            .is_some_and(|(boot, tick)| boot == now.boot && tick > now.tick.0)
        {
            let reason = "the tick clock ran backwards within one boot".to_owned();
            self.log_node(Record::ClockAnomaly, reason);
        }
        if let Some(owner) = &mut self.owner {
            owner.start(&mut self.ctx);
        }
        if let Some(reader) = &mut self.reader {
            reader.start(&mut self.ctx);
        }
    }

    /// Stops in order: logs it.
    pub fn stop(&mut self, now: Now) {
        self.at(now);
        self.log_node(Record::NodeStopped, String::new());
    }

    /// Takes a command.
    ///
    /// # Errors
    /// [`CommandError`]: nothing was changed.
    pub fn handle_command(&mut self, command: Command, now: Now) -> Result<(), CommandError> {
        self.at(now);
        match &command {
            Command::ObjectStored { .. }
            | Command::CloseCase { .. }
            | Command::CancelCase { .. }
            | Command::Served { .. } => match &mut self.owner {
                Some(owner) => owner.command(command, &mut self.ctx),
                None => Err(CommandError::NoRole("hospital")),
            },
            Command::Advertise { .. }
            | Command::Claim { .. }
            | Command::HandBack { .. }
            | Command::Report { .. } => match &mut self.reader {
                Some(reader) => reader.command(command, &mut self.ctx),
                None => Err(CommandError::NoRole("reader")),
            },
            Command::LogReview { .. } | Command::LogDisclosure { .. } => {
                duties::command(command, &mut self.ctx)
            }
        }
    }

    /// Takes a message from a node that the mesh authenticated.
    pub fn handle_message(&mut self, from: NodeId, message: Message, now: Now) -> Verdict {
        self.at(now);
        if self.ctx.roster.valid_node(&from, now.wall).is_err() {
            return Verdict::Reject("a message of no valid member");
        }
        let to_owner = matches!(
            message,
            Message::Claim(_)
                | Message::Receipt(_)
                | Message::Renew(_)
                | Message::HandBack(_)
                | Message::Report(_)
                | Message::Purged(_)
        );
        match (to_owner, &mut self.owner, &mut self.reader) {
            (true, Some(owner), _) => owner.message(from, message, &mut self.ctx),
            (false, _, Some(reader)) => reader.message(from, message, &mut self.ctx),
            (true, None, _) | (false, _, None) => Verdict::Ignore("this node has no such role"),
        }
    }

    /// Takes an advert off the gossip topic.
    pub fn handle_advert(&mut self, from: NodeId, envelope: &[u8], now: Now) -> Verdict {
        self.at(now);
        if envelope.len() > crate::limits::ADVERT_MAX {
            return Verdict::Reject("an advert that is too long");
        }
        match &mut self.owner {
            Some(owner) => owner.advert(from, envelope, &mut self.ctx),
            None if self.ctx.roster.valid_node(&from, now.wall).is_ok() => Verdict::Accept,
            None => Verdict::Reject("an advert of no valid member"),
        }
    }

    /// Takes an effect's outcome.
    pub fn handle_outcome(&mut self, outcome: Outcome, now: Now) {
        self.at(now);
        let id = match &outcome {
            Outcome::Durable { index } => {
                let released = self.ctx.log.durable(*index);
                return self.release(released);
            }
            Outcome::Witnessed { size } => {
                let released = self.ctx.log.witnessed(*size);
                return self.release(released);
            }
            Outcome::Proved { id, .. }
            | Outcome::Signed { id, .. }
            | Outcome::Described { id, .. }
            | Outcome::Prepared { id, .. }
            | Outcome::Delivered { id, .. }
            | Outcome::Purged { id, .. }
            | Outcome::Failed { id, .. } => *id,
        };
        let Some(pending) = self.ctx.finish(id) else {
            return;
        };
        match pending {
            Pending::Describe(_)
            | Pending::Prepare(_)
            | Pending::SignGrant(..)
            | Pending::ProveGrant(..)
            | Pending::Deliver(_) => {
                if let Some(owner) = &mut self.owner {
                    owner.outcome(pending, outcome, &mut self.ctx);
                }
            }
            Pending::SignAdvert
            | Pending::ProveReceipt(..)
            | Pending::SignReceipt(..)
            | Pending::SignReport(..)
            | Pending::Purge(..) => {
                if let Some(reader) = &mut self.reader {
                    reader.outcome(pending, outcome, &mut self.ctx);
                }
            }
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.at(now);
        if let Some(owner) = &mut self.owner {
            owner.timeout(&mut self.ctx);
        }
        if let Some(reader) = &mut self.reader {
            reader.timeout(&mut self.ctx);
        }
    }

    /// The earliest tick at which something is due, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Tick, &'static str)> {
        let owner = self.owner.as_ref().and_then(Owner::next_timeout);
        let reader = self.reader.as_ref().and_then(Reader::next_timeout);
        owner.into_iter().chain(reader).min()
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.ctx.poll_transmit()
    }

    /// The next effect to run.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.ctx.poll_effect()
    }

    /// The next piece of news for people.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.ctx.poll_event()
    }

    /// Whether a desk may fetch under a fence now. Asked for every fetch; the session certificate
    /// is checked.
    ///
    /// # Errors
    /// The [`FetchStatus`] to answer with.
    pub fn may_fetch(
        &self,
        from: NodeId,
        fence: Fence,
        session: &[u8],
        now: Now,
    ) -> Result<FetchTicket, FetchStatus> {
        let owner = self.owner.as_ref().ok_or(FetchStatus::NoLease)?;
        owner.may_fetch(from, fence, session, (now, &self.ctx))
    }

    /// All cases of this hospital.
    #[must_use]
    pub fn cases(&self) -> Vec<CaseView> {
        self.owner.as_ref().map(Owner::views).unwrap_or_default()
    }

    /// The studies that have or had a case at this hospital: none of them opens another.
    #[must_use]
    pub fn known_studies(&self) -> BTreeSet<StudyId> {
        let owner = self.owner.as_ref();
        owner.map(Owner::known_studies).unwrap_or_default()
    }

    /// How many entries the log has when everything that was decided so far is in it. An answer to
    /// a person that promises an entry waits until the log is that long.
    #[must_use]
    pub fn log_end(&self) -> u64 {
        self.ctx.log.next()
    }

    /// The releases that may still be fetched from, by SHA-256 of the sealed manifest. What was
    /// made for others may go.
    #[must_use]
    pub fn live_releases(&self) -> BTreeSet<Digest> {
        let owner = self.owner.as_ref();
        owner.map(Owner::live_releases).unwrap_or_default()
    }

    /// This desk's offer book.
    #[must_use]
    pub fn offers(&self) -> Vec<OfferView> {
        self.reader
            .as_ref()
            .map(Reader::offer_views)
            .unwrap_or_default()
    }

    /// This desk's leases.
    #[must_use]
    pub fn leases(&self) -> Vec<LeaseView> {
        self.reader
            .as_ref()
            .map(Reader::lease_views)
            .unwrap_or_default()
    }

    /// The reader's machine, for its tests.
    #[cfg(test)]
    pub(crate) const fn reader(&self) -> Option<&Reader> {
        self.reader.as_ref()
    }

    /// How many entries are known to be cosigned.
    #[must_use]
    pub const fn witnessed_size(&self) -> u64 {
        self.ctx.log.witnessed_size()
    }

    /// It is now `now`: a clock that was set is logged before anything else is.
    fn at(&mut self, now: Now) {
        self.ctx.now = now;
        if let Some(reason) = self.ctx.clock.step(now) {
            if self.ctx.log.is_full() {
                // It is seen again with the next input.
                return;
            }
            self.log_node(Record::ClockAnomaly, reason.to_owned());
        }
        self.ctx.clock.seen(now);
    }

    /// What an entry says of the clocks, for the steps after it.
    fn replay_clock(&mut self, record: &Record, wall: Wall) {
        let is_anomaly = matches!(record, Record::ClockAnomaly(_));
        self.ctx.clock.logged(wall, is_anomaly);
        if let Record::NodeStarted(node) | Record::NodeStopped(node) | Record::ClockAnomaly(node) =
            record
        {
            let boot = BootId(node.boot.as_slice().try_into().unwrap_or_default());
            let tick = Tick(node.tick);
            self.ctx.clock.seen(Now { tick, boot, wall });
        }
    }

    /// Applies a record to both machines.
    fn apply(&mut self, record: &Record, index: u64, now: Now) {
        if let Some(owner) = &mut self.owner {
            owner.apply(record, index, now);
        }
        if let Some(reader) = &mut self.reader {
            reader.apply(record, index, now);
        }
    }

    /// Lets out what log entries held back.
    fn release(&mut self, released: Vec<Then>) {
        for then in released {
            match then {
                Then::Send(transmit) => self.ctx.send(transmit.to, transmit.message),
                Then::Run(effect) => self.ctx.run(effect),
                Then::Tell(event) => self.ctx.tell(event),
                Then::Owner(step) => {
                    if let Some(owner) = &mut self.owner {
                        owner.step(step, &mut self.ctx);
                    }
                }
                Then::Reader(step) => {
                    if let Some(reader) = &mut self.reader {
                        reader.step(step, &mut self.ctx);
                    }
                }
            }
        }
    }

    /// Logs something about the node itself.
    fn log_node(&mut self, make: fn(NodeRecord) -> Record, reason: String) {
        let now = self.ctx.now;
        let record = make(NodeRecord {
            software: concat!("radmesh ", env!("CARGO_PKG_VERSION")).to_owned(),
            boot: now.boot.0.to_vec(),
            tick: now.tick.0,
            reason,
            policy_hash: self.ctx.policy.policy_hash().as_bytes().to_vec(),
        });
        let header = self.ctx.header(&record, Action::Execute);
        let entry = Entry {
            record,
            header,
            subject: None,
            fields: vec![],
        };
        self.ctx.append(entry, Need::Durable, vec![]);
    }
}
