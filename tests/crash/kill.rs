//! `kill -9` of the hospital at a random moment of a case's path, and the path going on.
//!
//! A seed chooses the moment: which step of the path has been seen, and how long after it. The
//! sender sends again what was not acknowledged; the reader's desk is left alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use node::dicom::synth::SynthConfig;

use crate::book::Seen;
use crate::net::{LOOK, Net};
use crate::path::{People, check};
use crate::sent::Sender;
use crate::world::World;

/// Slices of the study.
const SLICES: u32 = 4;
/// Longer than a hospital takes to come back, so that a kill between two slices leaves one case.
const QUIET: &str = "3s";
/// Bound on the whole path: a lost message is said again within a minute, a few times.
const PATH: Duration = Duration::from_secs(420);
/// The longest wait between the step that was seen and the kill.
const DELAY_MS: u64 = 250;

/// The steps of the path, in order; the hospital dies in or after one of them.
const STEPS: [&str; 13] = [
    "begun",
    "sent 1",
    "sent 2",
    "sent 3",
    "sent 4",
    "case",
    "offer",
    "claimed",
    "leased",
    "fetched",
    "reported",
    "delivered",
    "closing",
];

/// The n-th number of a seed (`SplitMix64`).
pub fn draw(seed: u64, n: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(1_000_003)
        .wrapping_add(n + 1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One run from arrival to closing with one kill.
pub fn run(seed: u64) -> Result<()> {
    // Ten seeds in a row go over nearly all steps.
    let step = usize::try_from((seed * 4 + draw(seed, 0) % 4) % STEPS.len() as u64)?;
    let delay = Duration::from_millis(draw(seed, 1) % DELAY_MS);
    let world = World::found(QUIET)?;
    let slices = SynthConfig {
        seed,
        slices: SLICES,
    };
    let mut sender = Sender::new(&world, slices)?;
    let net = Net::start(&world)?;
    let path = Path::new(&net);
    let played = std::thread::scope(|scope| {
        let killer = scope.spawn(|| path.kill_at(step, delay));
        let sent = scope.spawn(|| path.send(&mut sender));
        let read = path.read();
        path.over.store(true, Ordering::SeqCst);
        let join = |ended: std::thread::Result<Result<()>>| {
            ended.unwrap_or_else(|_| bail!("a thread of the test panicked"))
        };
        let sent = join(sent.join());
        let seen = killer.join();
        read.and(sent)?;
        seen.unwrap_or_else(|_| bail!("the killer panicked"))
    });
    let told = || {
        format!(
            "seed {seed}: killed {} ms after {:?}; again with RADMESH_CRASH_SEED={seed}\n{}",
            delay.as_millis(),
            STEPS[step],
            net.story()
        )
    };
    let seen = played.with_context(told)?;
    check(&net, &sender, &seen).with_context(told)
}

/// The path of one case, and how far it was seen to be.
struct Path<'n, 'w> {
    net: &'n Net<'w>,
    step: AtomicUsize,
    over: AtomicBool,
    sent: AtomicBool,
    killed: AtomicBool,
}

impl<'n, 'w> Path<'n, 'w> {
    fn new(net: &'n Net<'w>) -> Self {
        Self {
            net,
            step: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            sent: AtomicBool::new(false),
            killed: AtomicBool::new(false),
        }
    }

    fn reached(&self, step: &str) {
        if let Some(at) = STEPS.iter().position(|known| *known == step) {
            self.step.fetch_max(at, Ordering::SeqCst);
        }
    }

    /// Kills the hospital once, reads what it had shown, and starts it again.
    fn kill_at(&self, step: usize, delay: Duration) -> Result<Vec<Seen>> {
        while self.step.load(Ordering::SeqCst) < step && !self.over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(delay);
        self.net.hospital.kill();
        let seen = Seen::all(self.net.world);
        self.net.hospital.run()?;
        self.killed.store(true, Ordering::SeqCst);
        seen
    }

    /// Sends every slice until it is acknowledged.
    fn send(&self, sender: &mut Sender) -> Result<()> {
        let until = Instant::now() + PATH;
        for place in 0..sender.files.len() {
            while !sender.send(place)? {
                ensure!(Instant::now() < until, "slice {place} is not taken");
                std::thread::sleep(LOOK);
            }
            self.reached(&format!("sent {}", place + 1));
        }
        self.sent.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Claims what is offered, reports what is fetched, closes what is delivered, until every
    /// case is closed and the desk holds nothing, after the kill.
    fn read(&self) -> Result<()> {
        let until = Instant::now() + PATH;
        let reached = |step: &str| self.reached(step);
        let mut people = People::default();
        loop {
            let done = people.look(self.net, &reached)? && self.killed.load(Ordering::SeqCst);
            if done && self.sent.load(Ordering::SeqCst) {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("the path does not end: {}", people.picture(self.net));
            }
            std::thread::sleep(LOOK);
        }
    }
}
