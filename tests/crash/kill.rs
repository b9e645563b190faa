//! `kill -9` of the hospital at a random moment of a case's path, and the path going on.
//!
//! A seed chooses the moment: which step of the path has been seen, and how long after it. The
//! sender sends again what was not acknowledged; the reader's desk is left alone.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use node::dicom::synth::SynthConfig;
use serde_json::{Value, json};

use crate::book::{self, Seen};
use crate::net::{LOOK, Net};
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
fn draw(seed: u64, n: u64) -> u64 {
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

/// What must hold at the end.
fn check(net: &Net<'_>, sender: &Sender, seen: &[Seen]) -> Result<()> {
    let archived = book::export(net)?;
    for checkpoint in seen {
        checkpoint.continues(&archived)?;
    }
    for node in [&net.reader, &net.hospital, &net.witness] {
        node.stop_well()?;
    }
    let cases = book::cases(net.world)?;
    ensure!(cases > 0, "no case");
    let reports = std::fs::read_dir(net.world.reports())?.count();
    ensure!(reports >= cases, "{reports} reports of {cases} cases");
    sender.compare(net.world, &sender.acknowledged)
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
        let mut desk = Deeds::default();
        loop {
            let (cases, leases) = (self.cases(&mut desk), self.desk(&mut desk)?);
            let done = cases? && leases && self.killed.load(Ordering::SeqCst);
            if done && self.sent.load(Ordering::SeqCst) {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("the path does not end: {:?}\n{}", desk, self.picture());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The hospital's side: whether all cases are closed. It may be down.
    fn cases(&self, deeds: &mut Deeds) -> Result<bool> {
        let hospital = &self.net.hospital;
        let Ok(answer) = hospital.ask(&json!({ "cmd": "cases" })) else {
            return Ok(false);
        };
        let cases = answer["cases"].as_array().context("no cases")?;
        let mut closed = !cases.is_empty();
        for case in cases {
            self.reached("case");
            let (state, case) = (&case["state"], &case["case"]);
            ensure!(*state != "cancelled", "nobody cancelled a case");
            if *state == "delivered" {
                self.reached("delivered");
                let request = json!({ "cmd": "case-close", "case": case, "reason": "read" });
                // The hospital may die under it: it is asked again.
                let asked = hospital.ask(&request);
                deeds.closing = asked.err().map(|error| format!("{error:#}"));
                self.reached("closing");
            }
            closed &= *state == "closed";
        }
        Ok(closed)
    }

    /// The desk's side, which is up all the time: whether it holds nothing.
    fn desk(&self, deeds: &mut Deeds) -> Result<bool> {
        let reader = &self.net.reader;
        let offers = reader.ask(&json!({ "cmd": "offers" }))?;
        for offer in offers["offers"].as_array().context("no offers")? {
            self.reached("offer");
            let name = offer["offer"].to_string();
            if deeds.claimed.insert(name) {
                let request = json!({ "cmd": "claim", "offer": offer["offer"] });
                let asked = reader.ask(&request);
                deeds.claims.push(format!("{offer} {asked:?}"));
                self.reached("claimed");
            }
        }
        let leases = reader.ask(&json!({ "cmd": "leases" }))?;
        let leases = leases["leases"].as_array().context("no leases")?;
        for lease in leases {
            let Some(fence) = lease["fence"].as_u64() else {
                continue;
            };
            self.reached("leased");
            if !deeds.reported.contains(&fence) && self.fetched(fence)? {
                self.reached("fetched");
                reader.ask(&report(fence))?;
                deeds.reported.insert(fence);
                self.reached("reported");
            }
        }
        Ok(leases.is_empty())
    }

    fn fetched(&self, fence: u64) -> Result<bool> {
        let events = self.net.reader.ask(&json!({ "cmd": "events" }))?;
        let events = events["events"].as_array().context("no events")?;
        let whole = |event: &Value| event["step"] == "all-images" && event["fence"] == fence;
        Ok(events.iter().any(whole))
    }

    /// Where everything stands, for a failure.
    fn picture(&self) -> String {
        let mut text = String::new();
        for (node, questions) in [
            (&self.net.hospital, ["status", "cases", "studies", "events"]),
            (&self.net.reader, ["status", "offers", "leases", "events"]),
        ] {
            for cmd in questions {
                text += &format!("{cmd}: {:?}\n", node.ask(&json!({ "cmd": cmd })));
            }
        }
        text
    }
}

/// What the person at the desk did.
#[derive(Debug, Default)]
struct Deeds {
    claimed: BTreeSet<String>,
    claims: Vec<String>,
    reported: BTreeSet<u64>,
    closing: Option<String>,
}

fn report(fence: u64) -> Value {
    json!({
        "cmd": "report", "fence": fence, "template": "free-text", "language": "de", "final": true,
        "sections": [
            { "name": "findings", "text": "Test. The images are complete and readable." },
            { "name": "impression", "text": "No statement about a patient." },
        ],
    })
}
