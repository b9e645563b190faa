//! A bench for one promise at a time: real cores, instant disks and networks, and faults at the
//! very step that a test names.

mod capacity;
mod claims;
mod clock;
mod duties;
mod leases;
mod rest;

use std::collections::BTreeMap;

use crypto::digest::Digest;
use crypto::envelope::Envelope;
use protocol::audit::entry::{Entry, EntryDraft, Field, Openings};
use protocol::audit::header::{Header, Kind};
use protocol::audit::record::Record;
use protocol::case::owner::CaseView;
use protocol::ids::{CaseId, Fence, NodeId, StudyId};
use protocol::io::{Command, CommandError, Effect, EffectId, Event, KeyRole, Outcome, Verdict};
use protocol::io::{StudyDescription, Transmit};
use protocol::time::Now;
use protocol::wire::Message;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::consortium::{Consortium, EPOCH_S};
use crate::disk::Stored;
use crate::host::Host;
use crate::{shell, world};

/// The hospital under test.
pub(crate) const HOSPITAL: usize = 0;
/// The first reader's desk.
pub(crate) const ANNA: usize = 2;
/// The second reader's desk.
pub(crate) const BORIS: usize = 3;
/// How far the wall clocks are ahead at first, so that they can be set back.
const AHEAD_US: u64 = 86_400 * 1_000_000;

/// The bench.
pub(crate) struct Bench {
    pub(crate) consortium: Consortium,
    pub(crate) hosts: Vec<Host>,
    pub(crate) at_us: u64,
    /// The hospital's disk takes entries and finishes none.
    pub(crate) stuck: bool,
    /// The hospital's disk gets stuck with the next entry of this kind.
    pub(crate) stuck_at: Option<Kind>,
    /// The hospital's clock is set back by this while it signs a grant, microseconds.
    pub(crate) set_back_us: u64,
    /// Bytes and objects of a release, where they are not the usual.
    pub(crate) volume: Option<(u64, u64)>,
    /// Making a release fails with this.
    pub(crate) unprepared: Option<&'static str>,
    /// The receiving system acknowledges.
    pub(crate) acknowledges: bool,
    /// Messages that the network loses.
    pub(crate) lost: fn(&Message) -> bool,
    /// What the store says of studies, where it is not the usual.
    pub(crate) described: BTreeMap<StudyId, StudyDescription>,
    /// Every message that left, with its sender.
    pub(crate) sent: Vec<(usize, Transmit)>,
    /// All news of the hospital.
    pub(crate) told: Vec<Event>,
    /// Why the hospital's people were paged.
    pub(crate) pages: Vec<String>,
    /// Releases that were asked for.
    pub(crate) prepared: u32,
    held: Vec<(u64, Stored)>,
    rng: ChaCha20Rng,
}

impl Bench {
    /// The hospital is up, no desk is.
    pub(crate) fn new() -> Self {
        let mut rng = ChaCha20Rng::from_seed([7; 32]);
        let consortium = Consortium::found(&mut rng);
        let hosts = (0..=BORIS).map(|number| Host::new(number, AHEAD_US));
        let mut bench = Self {
            hosts: hosts.collect(),
            consortium,
            at_us: 1_000_000_000,
            stuck: false,
            stuck_at: None,
            set_back_us: 0,
            volume: None,
            unprepared: None,
            acknowledges: true,
            lost: |_| false,
            described: BTreeMap::new(),
            sent: Vec::new(),
            told: Vec::new(),
            pages: Vec::new(),
            prepared: 0,
            held: Vec::new(),
            rng,
        };
        bench.start(HOSPITAL);
        bench
    }

    /// A case that Anna reads, with its fence.
    pub(crate) fn reading() -> (Self, CaseId, Fence) {
        let mut bench = Self::new();
        bench.on_duty(ANNA);
        bench.store(world::study_id(HOSPITAL, 1));
        let case = bench.case();
        assert_eq!(case.state, "reading");
        (bench, case.case, case.fence.expect("a lease"))
    }

    /// Starts a host from its disk.
    pub(crate) fn start(&mut self, number: usize) {
        self.hosts[number].start(&self.consortium, &mut self.rng, self.at_us);
        self.settle();
    }

    /// A host dies, with what was not durable, and comes up after `seconds`.
    pub(crate) fn restart(&mut self, number: usize, seconds: u64) {
        self.crash(number);
        self.at_us += seconds * 1_000_000;
        self.start(number);
    }

    /// A host dies.
    pub(crate) fn crash(&mut self, number: usize) {
        self.hosts[number].core = None;
        if number == HOSPITAL {
            self.held.clear();
            self.stuck = false;
        }
    }

    /// A reader comes on duty; the desk is started first where it is down.
    pub(crate) fn on_duty(&mut self, number: usize) {
        if self.hosts[number].core.is_none() {
            self.start(number);
        }
        let session = self.consortium.hosts[number].session(self.now(number).wall);
        let command = Command::Advertise { session, slots: 2 };
        self.command(number, command).expect("a valid session");
    }

    /// A study is stored and goes quiet.
    pub(crate) fn store(&mut self, study: StudyId) {
        let stored = self.command(HOSPITAL, Command::ObjectStored { study });
        stored.expect("a hospital");
        self.advance(6);
    }

    pub(crate) fn now(&self, number: usize) -> Now {
        self.hosts[number].now(self.at_us)
    }

    pub(crate) fn node(&self, number: usize) -> NodeId {
        self.consortium.hosts[number].node
    }

    /// Gives a host a command.
    pub(crate) fn command(&mut self, number: usize, command: Command) -> Result<(), CommandError> {
        let now = self.now(number);
        let core = self.hosts[number].core.as_mut().expect("it is up");
        let done = core.handle_command(command, now);
        self.settle();
        done
    }

    /// A message as if `from` had sent it to the hospital.
    pub(crate) fn say(&mut self, from: usize, message: Message) -> Verdict {
        let (node, now) = (self.node(from), self.now(HOSPITAL));
        let core = self.hosts[HOSPITAL].core.as_mut().expect("it is up");
        let verdict = core.handle_message(node, message, now);
        self.settle();
        verdict
    }

    /// Time passes; every timer is heard.
    pub(crate) fn advance(&mut self, seconds: u64) {
        let end = self.at_us + seconds * 1_000_000;
        for _ in 0..100_000 {
            let due = self.hosts.iter().filter_map(|host| host.core.as_ref());
            let due = due.filter_map(|core| core.poll_timeout()).min();
            let Some((tick, _)) = due.filter(|(tick, _)| tick.0 <= end) else {
                self.at_us = end;
                return;
            };
            self.at_us = self.at_us.max(tick.0);
            for number in 0..self.hosts.len() {
                self.wake(number);
            }
            self.settle();
        }
        panic!("the timers never rest");
    }

    fn wake(&mut self, number: usize) {
        let now = self.now(number);
        let Some(core) = &mut self.hosts[number].core else {
            return;
        };
        if core.poll_timeout().is_some_and(|(due, _)| due <= now.tick) {
            core.handle_timeout(now);
            let next = core.poll_timeout();
            let rests = next.is_none_or(|(due, _)| due > now.tick);
            assert!(rests || number != HOSPITAL, "still due: {next:?}");
        }
    }

    /// Lets everything happen that waits for nothing but its turn.
    pub(crate) fn settle(&mut self) {
        let mut busy = true;
        while busy {
            busy = false;
            for number in 0..self.hosts.len() {
                while let Some(effect) = self.poll(number, |core| core.poll_effect()) {
                    busy = true;
                    self.effect(number, effect);
                }
                while let Some(transmit) = self.poll(number, |core| core.poll_transmit()) {
                    busy = true;
                    self.deliver(number, transmit);
                }
                while let Some(event) = self.poll(number, |core| core.poll_event()) {
                    if number == HOSPITAL {
                        self.told.push(event);
                    }
                }
            }
        }
    }

    fn poll<T>(
        &mut self,
        number: usize,
        of: impl FnOnce(&mut protocol::core::Core) -> Option<T>,
    ) -> Option<T> {
        self.hosts[number].core.as_mut().and_then(of)
    }

    fn deliver(&mut self, from: usize, transmit: Transmit) {
        self.sent.push((from, transmit.clone()));
        if (self.lost)(&transmit.message) {
            return;
        }
        let node = self.node(from);
        let to = self.consortium.number_of(transmit.to);
        let to = to.filter(|to| *to < self.hosts.len());
        if let Some(to) = to {
            let now = self.now(to);
            if let Some(core) = &mut self.hosts[to].core {
                core.handle_message(node, transmit.message, now);
            }
        }
    }

    fn effect(&mut self, to: usize, effect: Effect) {
        let outcome = match effect {
            Effect::Append { index, draft } => return self.append(to, index, &draft),
            Effect::Prove {
                id,
                index,
                witnessed,
            } => {
                let now_s = EPOCH_S + self.at_us / 1_000_000;
                let asked = (id, index, witnessed);
                shell::prove(&self.consortium, &self.hosts[to], asked, now_s)
            }
            Effect::Sign {
                id,
                key,
                payload_type,
                payload,
            } => {
                self.hosts[HOSPITAL].skew_us -= match key {
                    KeyRole::Hospital => std::mem::take(&mut self.set_back_us),
                    KeyRole::Person => 0,
                };
                let host = &self.consortium.hosts[to];
                let key = match key {
                    KeyRole::Hospital => &host.hospital,
                    KeyRole::Person => &host.person,
                };
                let envelope = Envelope::sign(payload_type, payload, &[key]);
                let envelope = envelope.expect("a payload of legal size").encode();
                Outcome::Signed { id, envelope }
            }
            Effect::DescribeStudy { id, study } => {
                let usual = || world::describe(study);
                let description = self.described.get(&study).cloned().unwrap_or_else(usual);
                let description = Box::new(description);
                Outcome::Described { id, description }
            }
            Effect::PrepareRelease { id, .. } => self.prepare(id),
            Effect::Deliver { id, .. } => Outcome::Delivered {
                id,
                destination: "PACS".to_owned(),
                acknowledged: self.acknowledges,
            },
            Effect::Purge { id, .. } => Outcome::Purged {
                id,
                bytes: 1,
                objects: 1,
            },
            Effect::PublishAdvert { advert } => return self.publish(to, &advert),
            Effect::Page { reason, .. } => return self.pages.push(reason),
            Effect::Fetch { .. } | Effect::DropRelease { .. } => return,
        };
        self.outcome(to, outcome);
    }

    fn outcome(&mut self, to: usize, outcome: Outcome) {
        let now = self.now(to);
        if let Some(core) = &mut self.hosts[to].core {
            core.handle_outcome(outcome, now);
        }
    }

    fn prepare(&mut self, id: EffectId) -> Outcome {
        self.prepared += 1;
        match self.unprepared {
            Some(reason) => Outcome::Failed {
                id,
                reason: reason.to_owned(),
            },
            None => {
                let mut prepared = world::prepared(&mut self.rng);
                if let Some(volume) = self.volume {
                    (prepared.bytes, prepared.objects) = volume;
                }
                Outcome::Prepared { id, prepared }
            }
        }
    }

    fn append(&mut self, to: usize, index: u64, draft: &EntryDraft) {
        let payload = draft.payload().to_vec();
        let entry = draft.finish(Digest::sha256(&payload));
        let stored = Stored {
            entry: entry.expect("an entry of legal size"),
            payload,
            subject: draft.subject,
        };
        if to == HOSPITAL && self.stuck_at == Some(draft_kind(draft)) {
            self.stuck = true;
        }
        if to == HOSPITAL && self.stuck {
            return self.held.push((index, stored));
        }
        self.durable(to, index, stored);
    }

    fn durable(&mut self, to: usize, index: u64, stored: Stored) {
        let disk = &mut self.hosts[to].disk;
        disk.append(index, stored);
        disk.cosigned = index + 1;
        self.outcome(to, Outcome::Durable { index });
        self.outcome(to, Outcome::Witnessed { size: index + 1 });
    }

    /// The hospital's disk works again.
    pub(crate) fn unstick(&mut self) {
        self.stuck = false;
        for (index, stored) in std::mem::take(&mut self.held) {
            self.durable(HOSPITAL, index, stored);
        }
        self.settle();
    }

    fn publish(&mut self, from: usize, advert: &[u8]) {
        let node = self.node(from);
        for to in (0..self.hosts.len()).filter(|to| *to != from) {
            let now = self.now(to);
            if let Some(core) = &mut self.hosts[to].core {
                core.handle_advert(node, advert, now);
            }
        }
    }

    /// The hospital's cases.
    pub(crate) fn cases(&self) -> Vec<CaseView> {
        self.hosts[HOSPITAL]
            .core
            .as_ref()
            .expect("it is up")
            .cases()
    }

    /// The hospital's only case.
    pub(crate) fn case(&self) -> CaseView {
        let cases = self.cases();
        assert_eq!(cases.len(), 1);
        cases.into_iter().next().expect("one case")
    }

    /// What the hospital's log holds on its disk.
    pub(crate) fn log(&self) -> Vec<(Header, Record)> {
        let read = |stored: &Stored| {
            let entry = Entry::decode_bytes(&stored.entry).expect("a canonical entry");
            let openings = Openings::decode_bytes(&stored.payload).expect("a readable payload");
            debug_assert!(openings.value(Field::Record).is_some());
            let header = entry.header();
            let record = Record::decode(header.kind, &openings).expect("a known record");
            (header, record)
        };
        self.hosts[HOSPITAL].disk.entries.iter().map(read).collect()
    }

    /// How many entries of a kind the hospital's log holds.
    pub(crate) fn logged(&self, kind: Kind) -> usize {
        let of_kind = |(_, record): &(Header, Record)| record.kind() == kind;
        self.log().iter().filter(|entry| of_kind(entry)).count()
    }

    /// The newest message that the hospital sent to a desk and that `of` takes.
    pub(crate) fn answer<T>(&self, to: usize, of: impl Fn(&Message) -> Option<T>) -> Option<T> {
        let node = self.node(to);
        let sent = self.sent.iter().rev();
        let mine = sent.filter(|(from, t)| *from == HOSPITAL && t.to == node);
        mine.map(|(_, t)| &t.message).find_map(of)
    }

    /// How many messages that `of` takes the hospital sent to a desk.
    pub(crate) fn answers(&self, to: usize, of: impl Fn(&Message) -> bool) -> usize {
        let node = self.node(to);
        let sent = self.sent.iter();
        let mine = sent.filter(|(from, t)| *from == HOSPITAL && t.to == node);
        mine.filter(|(_, t)| of(&t.message)).count()
    }

    /// The offers that were logged, with whom they were for, oldest first.
    pub(crate) fn offers(&self) -> Vec<(NodeId, Vec<u8>)> {
        let mut offers = Vec::new();
        for (_, record) in self.log() {
            if let Record::CaseOffered(ring) = record {
                let ring = ring.offers.into_iter();
                offers
                    .extend(ring.filter_map(|to| Some((NodeId::from_slice(&to.node)?, to.offer))));
            }
        }
        offers
    }

    /// A claim of an offer as a desk would send it now.
    pub(crate) fn claim(&self, desk: usize, offer: Vec<u8>) -> Message {
        let session = self.consortium.hosts[desk].session(self.now(HOSPITAL).wall);
        Message::Claim(protocol::wire::case::Claim { offer, session })
    }

    /// Anna or Boris signs a report.
    pub(crate) fn report(&mut self, desk: usize, fence: Fence) {
        let (owner, draft) = (self.node(HOSPITAL), world::draft());
        let report = Command::Report {
            fence,
            owner,
            draft,
        };
        self.command(desk, report).expect("a lease that is held");
    }
}

/// The kind of an entry that is on its way.
fn draft_kind(draft: &EntryDraft) -> Kind {
    Kind::try_from(draft.header.kind).expect("a known kind")
}
