//! What the owner's and the reader's machine share: identity, roster, log queue, output,
//! randomness.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crypto::log::quorum::Quorum;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::clock::ClockWatch;
use super::config::{CoreConfig, PublicIdentity, Seeds};
use super::log::{LogQueue, Need};
use super::then::{Pending, Then};
use crate::audit::entry::{EntryDraft, Field, SubjectPlace};
use crate::audit::header::{Action, Header};
use crate::audit::record::Record;
use crate::ids::{NodeId, SubjectId};
use crate::io::{Effect, EffectId, Event, Transmit};
use crate::member::Roster;
use crate::policy::Decide;
use crate::time::{Now, Wall};
use crate::wire::Message;

/// Shared by both machines of a core.
pub(crate) struct Context {
    pub(crate) identity: PublicIdentity,
    pub(crate) roster: Roster,
    pub(crate) quorum: Quorum,
    pub(crate) policy: Arc<dyn Decide>,
    pub(crate) log: LogQueue,
    pub(crate) now: Now,
    pub(crate) clock: ClockWatch,
    /// Indexes reserved for grants, with the earliest time that an entry there may bear, and the
    /// time of the reservation.
    reserved: BTreeMap<u64, (u64, u64)>,
    transmits: VecDeque<Transmit>,
    effects: VecDeque<Effect>,
    events: VecDeque<Event>,
    pending: BTreeMap<EffectId, Pending>,
    next_effect: u64,
    choices: ChaCha20Rng,
    secrets: ChaCha20Rng,
}

/// What goes into one entry besides the record.
pub(crate) struct Entry {
    pub(crate) record: Record,
    pub(crate) header: Header,
    pub(crate) subject: Option<SubjectId>,
    /// Fields committed to one by one, besides the record.
    pub(crate) fields: Vec<(Field, Vec<u8>)>,
}

impl Entry {
    /// An entry that is still to get its index.
    pub(crate) const fn new(
        record: Record,
        header: Header,
        subject: Option<SubjectId>,
        fields: Vec<(Field, Vec<u8>)>,
    ) -> Self {
        Self {
            record,
            header,
            subject,
            fields,
        }
    }
}

impl Context {
    /// A context for a log that is still to be replayed.
    pub(crate) fn new(config: CoreConfig, seeds: &Seeds) -> Self {
        Self {
            identity: config.identity,
            roster: config.roster,
            quorum: config.quorum,
            policy: config.policy,
            log: LogQueue::new(0),
            now: Now::default(),
            clock: ClockWatch::default(),
            reserved: BTreeMap::new(),
            transmits: VecDeque::new(),
            effects: VecDeque::new(),
            events: VecDeque::new(),
            pending: BTreeMap::new(),
            next_effect: 0,
            choices: ChaCha20Rng::from_seed(seeds.protocol),
            secrets: ChaCha20Rng::from_seed(seeds.secret),
        }
    }

    /// A header of this node's for a record.
    pub(crate) fn header(&self, record: &Record, action: Action) -> Header {
        Header::new(
            record.kind(),
            action,
            &self.identity.organisation,
            self.now.wall,
        )
    }

    /// Appends an entry; `then` is withheld until `need` holds.
    pub(crate) fn append(&mut self, entry: Entry, need: Need, then: Vec<Then>) -> u64 {
        let index = self.log.reserve();
        self.fill(index, entry, need, then);
        index
    }

    /// Takes the next index for an entry that is still to be made. It must be filled.
    pub(crate) fn reserve(&mut self) -> u64 {
        let index = self.log.reserve();
        let times = (self.clock.earliest_us(), self.now.wall.unix_us);
        self.reserved.insert(index, times);
        index
    }

    /// Gives a reserved index its entry.
    pub(crate) fn fill(&mut self, index: u64, mut entry: Entry, need: Need, then: Vec<Then>) {
        let header = &mut entry.header;
        if let Some((earliest_us, reserved_us)) = self.reserved.remove(&index) {
            // The clock was set back in between: the entry stands before the one that says so. Or
            // it was set forward, or the machine slept: entries behind this one are dated earlier.
            let behind_us = earliest_us.saturating_sub(header.time_us);
            let ahead_us = header.time_us.saturating_sub(reserved_us);
            let off_us = behind_us.max(ahead_us);
            header.uncertainty_us = header.uncertainty_us.max(off_us);
        }
        let wall = Wall {
            unix_us: header.time_us,
            uncertainty_us: header.uncertainty_us,
        };
        let is_anomaly = matches!(entry.record, Record::ClockAnomaly(_));
        self.clock.logged(wall, is_anomaly);
        let place = entry.subject.map(|subject| {
            let (sequence, previous) = self.log.place(subject, index);
            SubjectPlace {
                subject,
                sequence,
                previous,
            }
        });
        let mut fields = entry.fields;
        fields.push((Field::Record, entry.record.encode()));
        let draft = EntryDraft::new(entry.header, place, fields, &mut self.secrets);
        self.log.fill(index, draft, need, then);
        let ready = self.log.ready();
        self.effects.extend(ready);
    }

    /// Sends a message that nothing holds back.
    pub(crate) fn send(&mut self, to: NodeId, message: Message) {
        self.transmits.push_back(Transmit { to, message });
    }

    /// Starts an effect whose outcome goes on with `pending`.
    pub(crate) fn start(&mut self, pending: Pending, make: impl FnOnce(EffectId) -> Effect) {
        let id = EffectId(self.next_effect);
        self.next_effect += 1;
        self.pending.insert(id, pending);
        self.effects.push_back(make(id));
    }

    /// Starts an effect without an outcome.
    pub(crate) fn run(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// Tells people.
    pub(crate) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// What waited for this effect.
    pub(crate) fn finish(&mut self, id: EffectId) -> Option<Pending> {
        self.pending.remove(&id)
    }

    /// Random bytes for an identifier.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.choices.fill_bytes(&mut bytes);
        bytes
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
