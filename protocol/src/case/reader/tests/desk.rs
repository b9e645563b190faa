//! One desk and one hospital in memory: a real core with its log, real signatures and proofs. What
//! the shell does is done at once, unless a test says that it fails.

use std::time::Duration;

use crypto::digest::Digest;
use crypto::envelope::Envelope;

use super::consortium::{
    DESK, GRANTS, HospitalLog, PERSON, START_S, config, draft, grant, hospital, key, node, seeds,
    signed,
};
use crate::audit::entry::{Entry, Openings};
use crate::audit::header::Kind;
use crate::audit::record::Record;
use crate::core::Core;
use crate::document::session::Session;
use crate::ids::{Fence, OfferId};
use crate::io::{Command, CommandError, Effect, Event, Outcome, Verdict};
use crate::time::{BootId, Now, Tick, Wall};
use crate::wire::Message;
use crate::wire::case::{GrantMessage, Lease, Offer};

/// Which effects fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failing {
    pub(super) prove: bool,
    pub(super) sign: bool,
    pub(super) purge: bool,
}

/// One entry of the desk's log.
struct Stored {
    entry: Vec<u8>,
    payload: Vec<u8>,
}

/// The desk.
pub(super) struct Desk {
    pub(super) core: Core,
    pub(super) failing: Failing,
    /// Messages sent, newest last.
    pub(super) sent: Vec<Message>,
    pub(super) events: Vec<Event>,
    pub(super) adverts: usize,
    /// Purges asked for.
    pub(super) purges: Vec<Fence>,
    log: Vec<Stored>,
    tick_us: u64,
    wall_us: u64,
    lives: u8,
    hospital: HospitalLog,
}

impl Desk {
    /// A desk that was just started for the first time, and is on duty with these slots.
    pub(super) fn new(slots: u32) -> Self {
        let mut desk = Self {
            core: Core::new(config(), &seeds(1)),
            failing: Failing::default(),
            sent: vec![],
            events: vec![],
            adverts: 0,
            purges: vec![],
            log: vec![],
            tick_us: 5_000_000,
            wall_us: START_S * 1_000_000,
            lives: 1,
            hospital: HospitalLog::new(),
        };
        let now = desk.now();
        desk.core.start(now);
        desk.pump();
        desk.on_duty(slots).expect("a valid session");
        desk
    }

    pub(super) fn now(&self) -> Now {
        Now {
            tick: Tick(self.tick_us),
            boot: BootId([self.lives; 16]),
            wall: Wall {
                unix_us: self.wall_us,
                uncertainty_us: 1_000,
            },
        }
    }

    /// The desk dies, and starts again from its log after this time.
    pub(super) fn restart(&mut self, after: Duration) {
        self.lives += 1;
        self.wall_us += after.as_micros() as u64;
        self.tick_us = 5_000_000;
        self.core = Core::new(config(), &seeds(self.lives));
        for (index, stored) in self.log.iter().enumerate() {
            let entry = Entry::decode_bytes(&stored.entry).expect("canonical");
            let openings = Openings::decode_bytes(&stored.payload).expect("a payload");
            let replayed = self.core.replay(index as u64, &entry, &openings, None);
            replayed.expect("a record");
        }
        self.sent.clear();
        self.events.clear();
        self.purges.clear();
        let now = self.now();
        self.core.start(now);
        self.pump();
    }

    pub(super) fn on_duty(&mut self, slots: u32) -> Result<(), CommandError> {
        let session = self.session();
        self.command(Command::Advertise { session, slots })
    }

    fn session(&self) -> Vec<u8> {
        let session = Session {
            version: 1,
            person: key(PERSON).verifying_key().as_bytes().to_vec(),
            node: node(DESK).to_vec(),
            prekey: vec![9; 32],
            not_before_us: self.wall_us,
            not_after_us: self.wall_us + 12 * 3_600 * 1_000_000,
            country: "AT".to_owned(),
        };
        signed(&session, PERSON)
    }

    pub(super) fn command(&mut self, command: Command) -> Result<(), CommandError> {
        let now = self.now();
        let done = self.core.handle_command(command, now);
        self.pump();
        done
    }

    /// A message of the hospital's arrives.
    pub(super) fn hears(&mut self, message: &Message) -> Verdict {
        let message = Message::decode(&message.to_bytes()).expect("within bounds");
        let now = self.now();
        let verdict = self.core.handle_message(hospital(), message, now);
        self.pump();
        verdict
    }

    /// Time passes; what is due is done when it is.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.tick_us + span.as_micros() as u64;
        while let Some((due, _)) = self.core.poll_timeout().filter(|(due, _)| due.0 <= end) {
            let at = due.0.max(self.tick_us + 1);
            self.wall_us += at - self.tick_us;
            self.tick_us = at;
            let now = self.now();
            self.core.handle_timeout(now);
            self.pump();
        }
        self.wall_us += end.saturating_sub(self.tick_us);
        self.tick_us = self.tick_us.max(end);
    }

    /// Does what the shell does.
    fn pump(&mut self) {
        let now = self.now();
        loop {
            while let Some(transmit) = self.core.poll_transmit() {
                self.sent.push(transmit.message);
            }
            while let Some(event) = self.core.poll_event() {
                self.events.push(event);
            }
            let Some(effect) = self.core.poll_effect() else {
                return;
            };
            if let Some(outcome) = self.run(effect) {
                self.core.handle_outcome(outcome, now);
            }
        }
    }

    fn run(&mut self, effect: Effect) -> Option<Outcome> {
        let failed = |id| {
            let reason = "the shell could not".to_owned();
            Some(Outcome::Failed { id, reason })
        };
        match effect {
            Effect::Append { index, draft } => {
                assert_eq!(index, self.log.len() as u64, "in order");
                let payload = draft.payload().to_vec();
                let entry = draft.finish(Digest::sha256(&payload)).expect("short");
                self.log.push(Stored { entry, payload });
                Some(Outcome::Durable { index })
            }
            Effect::Prove { id, .. } if self.failing.prove => failed(id),
            Effect::Prove { id, index, .. } => Some(Outcome::Proved {
                id,
                index,
                entry: self.log[index as usize].entry.clone(),
                proof: vec![],
            }),
            Effect::Sign { id, .. } if self.failing.sign => failed(id),
            Effect::Sign {
                id,
                payload_type,
                payload,
                ..
            } => {
                let envelope = Envelope::sign(payload_type, payload, &[&key(PERSON)]);
                let envelope = envelope.expect("within bounds").encode();
                Some(Outcome::Signed { id, envelope })
            }
            Effect::Purge { id, fence, .. } => {
                self.purges.push(fence);
                if self.failing.purge {
                    return failed(id);
                }
                Some(Outcome::Purged {
                    id,
                    bytes: 5,
                    objects: 2,
                })
            }
            Effect::PublishAdvert { .. } => {
                self.adverts += 1;
                None
            }
            Effect::Fetch { .. }
            | Effect::DropRelease { .. }
            | Effect::Page { .. }
            | Effect::DescribeStudy { .. }
            | Effect::PrepareRelease { .. }
            | Effect::Deliver { .. } => None,
        }
    }

    /// The hospital offers a case, and the desk claims it.
    pub(super) fn claim(&mut self, number: u8) -> OfferId {
        let offer = OfferId::from_bytes([number; 16]);
        self.hears(&Message::Offer(Offer {
            offer: offer.to_vec(),
            urgency: 4,
            slack_us: 3_600_000_000,
            ..Offer::default()
        }));
        let owner = hospital();
        let claimed = self.command(Command::Claim { offer, owner });
        assert_eq!(claimed, Ok(()));
        offer
    }

    /// The hospital grants what was claimed: logged, proved, cosigned.
    pub(super) fn grant(&mut self, offer: OfferId) -> (Fence, GrantMessage) {
        let fence = self.hospital.size();
        let grant = signed(&grant(offer, fence, self.wall_us), GRANTS);
        let message = self.hospital.log(grant, START_S);
        (Fence(fence), message)
    }

    /// From offer to images.
    pub(super) fn reads(&mut self, number: u8) -> Fence {
        let offer = self.claim(number);
        let (fence, message) = self.grant(offer);
        assert_eq!(self.hears(&Message::Grant(message)), Verdict::Accept);
        self.renewed();
        self.hears(&Message::ReceiptAck(Lease {
            fence: fence.0,
            sequence: 0,
        }));
        assert_eq!(self.state(fence), Some("reading"));
        fence
    }

    /// The hospital answers the newest renewal.
    pub(super) fn renewed(&mut self) {
        let renewal = self.renewals().last().copied().expect("a renewal");
        assert_eq!(self.hears(&Message::Renewed(renewal)), Verdict::Accept);
    }

    pub(super) fn renewals(&self) -> Vec<Lease> {
        let mut renewals = Vec::new();
        for message in &self.sent {
            if let Message::Renew(lease) = message {
                renewals.push(*lease);
            }
        }
        renewals
    }

    /// How often a message of this name was sent.
    pub(super) fn said(&self, name: &str) -> usize {
        let same = self.sent.iter().filter(|message| message.name() == name);
        same.count()
    }

    pub(super) fn state(&self, fence: Fence) -> Option<&'static str> {
        let leases = self.core.leases();
        let found = leases.iter().find(|lease| lease.fence == fence);
        found.map(|lease| lease.state)
    }

    /// How many records of a kind the desk's log holds.
    pub(super) fn logged(&self, kind: Kind) -> usize {
        let same = |stored: &&Stored| {
            let entry = Entry::decode_bytes(&stored.entry).expect("canonical");
            entry.header().kind == kind as i32
        };
        self.log.iter().filter(same).count()
    }

    pub(super) fn reports(&mut self, fence: Fence) -> Result<(), CommandError> {
        let owner = hospital();
        let draft = draft();
        self.command(Command::Report {
            fence,
            owner,
            draft,
        })
    }

    pub(super) fn hands_back(&mut self, fence: Fence, reason: &str) -> Result<(), CommandError> {
        let owner = hospital();
        let reason = reason.to_owned();
        self.command(Command::HandBack {
            fence,
            owner,
            reason,
        })
    }

    /// The newest record of this kind.
    pub(super) fn last(&self, kind: Kind) -> Option<Record> {
        self.log.iter().rev().find_map(|stored| {
            let entry = Entry::decode_bytes(&stored.entry).ok()?;
            let openings = Openings::decode_bytes(&stored.payload).ok()?;
            let same = entry.header().kind == kind as i32;
            same.then(|| Record::decode(kind as i32, &openings).ok())?
        })
    }
}
