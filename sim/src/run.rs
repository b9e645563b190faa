//! One run: events in time order, each followed by what the shells would do and by the checks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crypto::digest::{Digest, Hasher};
use protocol::ids::{CaseId, Fence, NodeId, OfferId, StudyId};
use protocol::io::{Command, Outcome};
use protocol::wire::Message;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::checks::{Broken, logged, one_reader, rests};
use crate::consortium::{Consortium, HOSPITALS, READERS};
use crate::faults::{Faults, happens};
use crate::host::Host;
use crate::world;

/// Studies that each hospital gets.
const STUDIES: u8 = 3;
/// Everything must be closed by then (microseconds of virtual time): six hours.
const END_US: u64 = 6 * 3_600 * 1_000_000;
/// How long faults last: an hour.
const CALM_US: u64 = 3_600 * 1_000_000;
/// More events than a healthy run has by two orders of magnitude.
const EVENTS_MAX: u64 = 2_000_000;

/// Something that will happen.
pub(crate) enum Happening {
    /// A message arrives.
    Message {
        from: NodeId,
        to: usize,
        bytes: Vec<u8>,
    },
    /// An advert arrives.
    Advert {
        from: NodeId,
        to: usize,
        bytes: Vec<u8>,
    },
    /// An effect's outcome reaches the core.
    Outcome {
        to: usize,
        life: u32,
        outcome: Outcome,
    },
    /// An append becomes durable.
    Durable {
        to: usize,
        life: u32,
        index: u64,
        stored: crate::disk::Stored,
    },
    /// The witness cosigned a size.
    Cosigned { to: usize, life: u32, size: u64 },
    /// A core's timer.
    Wake { to: usize, life: u32 },
    /// A study's object is stored.
    Stored { to: usize, study: StudyId },
    /// A reader finishes a report.
    Report {
        to: usize,
        life: u32,
        owner: NodeId,
        fence: Fence,
    },
    /// A host dies.
    Crash { to: usize },
    /// A host starts.
    Start { to: usize },
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The seed.
    pub seed: u64,
    /// SHA-256 over everything that happened.
    pub trace: Digest,
    /// Events handled.
    pub events: u64,
    /// Messages sent.
    pub messages: u64,
    /// Grants sent.
    pub grants: u64,
    /// The virtual time at which the last case was closed, microseconds.
    pub closed_at_us: u64,
}

/// A run that broke a promise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed}: at {at_us} us: {broken}")]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// When, in virtual time.
    pub at_us: u64,
    /// What.
    pub broken: Broken,
}

/// A run.
pub(crate) struct Run {
    pub(crate) rng: ChaCha20Rng,
    pub(crate) faults: Faults,
    pub(crate) consortium: Consortium,
    pub(crate) hosts: Vec<Host>,
    pub(crate) at_us: u64,
    pub(crate) case_of: BTreeMap<OfferId, CaseId>,
    pub(crate) messages: u64,
    pub(crate) grants: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    pending: BTreeMap<u64, Happening>,
    sequence: u64,
    trace: Hasher,
}

/// Runs one seed to its end.
///
/// # Errors
/// [`Failure`] with the promise that broke.
pub fn run(seed: u64) -> Result<Summary, Failure> {
    let (run, events) = Run::of(seed).finish(seed)?;
    Ok(run.summary(seed, events))
}

/// Runs one seed to its end; the sites as they are then.
#[cfg(test)]
pub(crate) fn hosts(seed: u64) -> Result<Vec<Host>, Failure> {
    let (run, _) = Run::of(seed).finish(seed)?;
    Ok(run.hosts)
}

impl Run {
    fn of(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha20Rng::from_seed(bytes);
        let consortium = Consortium::found(&mut rng);
        let faults = Faults::draw(&mut rng, HOSPITALS + READERS);
        let hosts = (0..HOSPITALS + READERS)
            .map(|number| Host::new(number, rng.next_u64() % 2_000_000))
            .collect();
        let mut run = Run {
            rng,
            faults,
            consortium,
            hosts,
            at_us: 0,
            case_of: BTreeMap::new(),
            messages: 0,
            grants: 0,
            queue: BinaryHeap::new(),
            pending: BTreeMap::new(),
            sequence: 0,
            trace: Hasher::new(),
        };
        run.plan();
        run
    }

    /// What is known to happen from the start.
    fn plan(&mut self) {
        for to in 0..HOSPITALS + READERS {
            let at = self.below(2_000_000);
            self.after(at, Happening::Start { to });
        }
        for to in 0..HOSPITALS {
            for number in 0..STUDIES {
                let at = 3_000_000 + self.below(400_000_000);
                self.after(
                    at,
                    Happening::Stored {
                        to,
                        study: world::study_id(to, number),
                    },
                );
            }
        }
        let (to, at) = self.faults.crash;
        self.after(at, Happening::Crash { to });
    }

    /// Handles events until all cases are closed or time is up.
    fn finish(mut self, seed: u64) -> Result<(Self, u64), Failure> {
        let mut events = 0;
        let expected = HOSPITALS * usize::from(STUDIES);
        while let Some(Reverse((at, sequence))) = self.queue.pop() {
            let Some(happening) = self.pending.remove(&sequence) else {
                continue;
            };
            self.at_us = at;
            events += 1;
            if at > CALM_US {
                self.faults.loss = 0;
                self.faults.duplicate = 0;
                self.faults.vanish = 0;
                self.faults.delivery_fails = 0;
            }
            let stepped = self.handle(happening);
            let checked = stepped.and_then(|()| one_reader::check(&self.hosts, &self.case_of));
            checked.map_err(|broken| Failure {
                seed,
                at_us: at,
                broken,
            })?;
            if self.closed() == expected && self.idle_desks() {
                return Ok((self, events));
            }
            if at > END_US || events > EVENTS_MAX {
                break;
            }
        }
        let broken = Broken::Unfinished {
            states: self.states(),
            of: expected,
        };
        Err(Failure {
            seed,
            at_us: self.at_us,
            broken,
        })
    }

    fn summary(self, seed: u64, events: u64) -> Summary {
        Summary {
            seed,
            trace: self.trace.finish(),
            events,
            messages: self.messages,
            grants: self.grants,
            closed_at_us: self.at_us,
        }
    }

    /// Closed cases at running hospitals.
    fn closed(&self) -> usize {
        let cases = self
            .hosts
            .iter()
            .filter_map(|host| host.core.as_ref())
            .flat_map(|c| c.cases());
        cases.filter(|case| case.state == "closed").count()
    }

    /// Where each case and lease stands, for a failure's report.
    fn states(&self) -> Vec<String> {
        let mut states = Vec::new();
        for host in &self.hosts {
            let Some(core) = &host.core else {
                states.push(format!("host {} is down", host.number));
                continue;
            };
            for case in core.cases() {
                states.push(format!("case {} is {}", case.case, case.state));
            }
            for lease in core.leases() {
                states.push(format!(
                    "host {}: {:?} is {}",
                    host.number, lease.fence, lease.state
                ));
            }
            states.push(format!(
                "host {} waits: {:?}",
                host.number,
                core.poll_timeout()
            ));
        }
        states
    }

    /// All desks have dropped what they held.
    fn idle_desks(&self) -> bool {
        self.hosts.iter().all(|host| {
            host.core
                .as_ref()
                .is_some_and(|core| core.leases().is_empty())
        })
    }

    /// Plans something `delay` microseconds from now.
    pub(crate) fn after(&mut self, delay: u64, happening: Happening) {
        self.sequence += 1;
        self.queue
            .push(Reverse((self.at_us + delay, self.sequence)));
        self.pending.insert(self.sequence, happening);
    }

    /// A random number below `n` (1 or more).
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.rng.next_u64() % n.max(1)
    }

    /// Adds to the trace.
    pub(crate) fn note(&mut self, what: &str, host: usize, bytes: &[u8]) {
        self.trace.update(&self.at_us.to_le_bytes());
        self.trace.update(what.as_bytes());
        self.trace.update(&[host as u8]);
        self.trace.update(Digest::sha256(bytes).as_bytes());
    }

    /// Handles one event.
    fn handle(&mut self, happening: Happening) -> Result<(), Broken> {
        let to = happening.host();
        match happening {
            Happening::Start { .. } => {
                self.note("start", to, &[]);
                self.hosts[to].start(&self.consortium, &mut self.rng, self.at_us);
                self.came_up(to);
            }
            Happening::Crash { .. } => {
                self.note("crash", to, &[]);
                self.hosts[to].core = None;
                self.after(self.faults.down_us, Happening::Start { to });
            }
            Happening::Message { from, bytes, .. } => {
                self.note("message", to, &bytes);
                if let Ok(message) = Message::decode(&bytes) {
                    self.with(to, |core, now| {
                        core.handle_message(from, message, now);
                    });
                }
            }
            Happening::Advert { from, bytes, .. } => {
                self.note("advert", to, &bytes);
                self.with(to, |core, now| {
                    core.handle_advert(from, &bytes, now);
                });
            }
            Happening::Outcome { life, outcome, .. } => {
                if self.alive(to, life) {
                    self.note("outcome", to, &[]);
                    self.with(to, |core, now| core.handle_outcome(outcome, now));
                }
            }
            Happening::Durable {
                life,
                index,
                stored,
                ..
            } => self.durable(to, life, index, stored),
            Happening::Cosigned { life, size, .. } => self.cosigned(to, life, size),
            Happening::Wake { life, .. } => {
                if self.alive(to, life) {
                    self.hosts[to].wake_at = None;
                    self.with(to, |core, now| core.handle_timeout(now));
                    rests::check(&self.hosts[to], self.at_us)?;
                }
            }
            Happening::Stored { study, .. } => {
                self.note("stored", to, study.as_bytes());
                self.with(to, |core, now| {
                    // A hospital that is down gets its study when it is up: `came_up` says it
                    // again.
                    let _ = core.handle_command(Command::ObjectStored { study }, now);
                });
            }
            Happening::Report {
                life, owner, fence, ..
            } => self.report(to, life, (owner, fence)),
        }
        self.shell(to)
    }

    /// The witness cosigned.
    fn cosigned(&mut self, to: usize, life: u32, size: u64) {
        if !self.alive(to, life) {
            return;
        }
        self.note("cosigned", to, &size.to_le_bytes());
        let disk = &mut self.hosts[to].disk;
        disk.cosigned = disk.cosigned.max(size);
        let outcome = Outcome::Witnessed { size };
        self.with(to, |core, now| core.handle_outcome(outcome, now));
    }

    /// A reader reports, unless they vanished.
    fn report(&mut self, to: usize, life: u32, (owner, fence): (NodeId, Fence)) {
        if !self.alive(to, life) || happens(&mut self.rng, self.faults.vanish) {
            return;
        }
        self.note("report", to, &fence.0.to_le_bytes());
        let draft = world::draft();
        self.with(to, |core, now| {
            let report = Command::Report {
                fence,
                owner,
                draft,
            };
            // Refused when the lease is lost: the case goes to somebody else.
            let _ = core.handle_command(report, now);
        });
    }

    /// Whether a host still lives the life that something was meant for.
    fn alive(&self, to: usize, life: u32) -> bool {
        self.hosts[to].core.is_some() && self.hosts[to].life == life
    }

    /// Runs `input` on a host's core, if it is up.
    fn with(
        &mut self,
        to: usize,
        input: impl FnOnce(&mut protocol::core::Core, protocol::time::Now),
    ) {
        let host = &mut self.hosts[to];
        let now = host.now(self.at_us);
        if let Some(core) = &mut host.core {
            input(core, now);
        }
    }

    /// An append reached the disk: it survives from here on, and is reported a little later.
    fn durable(&mut self, to: usize, life: u32, index: u64, stored: crate::disk::Stored) {
        if !self.alive(to, life) {
            return;
        }
        self.note("durable", to, &stored.entry);
        self.hosts[to].disk.append(index, stored);
        let report = self.below(2_000);
        let outcome = Outcome::Durable { index };
        self.after(report, Happening::Outcome { to, life, outcome });
        let cosign = 1 + self.below(self.faults.witness_us);
        self.after(
            report + cosign,
            Happening::Cosigned {
                to,
                life,
                size: index + 1,
            },
        );
    }

    /// A host came up: a hospital names the studies in its store, a reader goes on duty.
    fn came_up(&mut self, to: usize) {
        if to < HOSPITALS {
            for number in 0..STUDIES {
                let study = world::study_id(to, number);
                let due = 500_000_000;
                if self.at_us > due || self.hosts[to].life > 1 {
                    self.after(1, Happening::Stored { to, study });
                }
            }
        } else {
            self.go_on_duty(to);
        }
    }
}

impl Happening {
    /// Whom it concerns.
    const fn host(&self) -> usize {
        match self {
            Self::Message { to, .. }
            | Self::Advert { to, .. }
            | Self::Outcome { to, .. }
            | Self::Durable { to, .. }
            | Self::Cosigned { to, .. }
            | Self::Wake { to, .. }
            | Self::Stored { to, .. }
            | Self::Report { to, .. }
            | Self::Crash { to }
            | Self::Start { to } => *to,
        }
    }
}

/// Checks a message as it leaves (re-exported for the shell).
pub(crate) fn leaving(host: &Host, message: &Message) -> Result<(), Broken> {
    logged::check(host, message)
}
