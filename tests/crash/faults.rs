//! A disk that fails, or a program that dies, at the N-th write, sync or rename of the hospital's
//! path; and the path going on.
//!
//! A plan under the whole folder of the hospital (data, keys, delivered reports) makes one call
//! fail. The hospital may refuse a slice, end itself with a line that names the cause, or carry
//! on. Then it is started without faults, and the path has to come to its end.

use std::collections::BTreeSet;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use harness::faults::Counts;
use harness::{Class, Faults, Journal, Kind, Plan};
use node::dicom::synth::SynthConfig;
use serde_json::json;

use crate::book::{self, Seen};
use crate::images::start_on;
use crate::in_lanes;
use crate::kill::draw;
use crate::net::{LOOK, Net};
use crate::path::{People, check};
use crate::sent::Sender;
use crate::world::{Who, World};

/// Slices of the study.
const SLICES: u32 = 3;
/// Longer than a slice takes, so that slices that are not refused make one case.
const QUIET: &str = "1s";
/// How often a slice is said again to a hospital under faults. One whose store has closed itself
/// refuses all of them until it is started again.
const TRIES: usize = 3;
/// Bound on the way of a hospital that was hit and goes on; then it is stopped and started. A lost
/// message is said again within a minute.
const UNDER: Duration = Duration::from_secs(75);
/// Bound on the way to the end without faults.
const AFTER: Duration = Duration::from_secs(300);
/// Faults tried in CI, of each extent, and the seed that chooses them.
const SLICE: usize = 40;
const SEED: u64 = 1;
const SIGKILL: i32 = 9;

/// What is run under the faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The hospital alone, started again after `kill -9`: recovery, an image, its end.
    Return,
    /// Everybody, from the first start to the closed case.
    Whole,
}

/// One fault at one call of one run.
#[derive(Clone, Copy, Debug)]
struct Blow {
    extent: Extent,
    kind: Kind,
    class: Class,
    n: u64,
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            extent,
            kind,
            class,
            n,
        } = self;
        write!(f, "{extent:?} {kind:?} {class:?} {n}")
    }
}

/// What makes sense: nobody calls a disk full in a sync, and death between two calls is death
/// before the second.
const SORTS: [(Kind, Class); 9] = [
    (Kind::Enospc, Class::Write),
    (Kind::Eio, Class::Write),
    (Kind::DieTorn, Class::Write),
    (Kind::Eio, Class::Sync),
    (Kind::DieBefore, Class::Sync),
    (Kind::DieAfter, Class::Sync),
    (Kind::Enospc, Class::Name),
    (Kind::Eio, Class::Name),
    (Kind::DieAfter, Class::Name),
];

/// What became of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The call was never made: this run was shorter than the counted one.
    Missed,
    /// The program died in it.
    Died,
    /// It ended itself and named the cause.
    Stopped,
    /// It went on to the end of the path.
    WentOn,
    /// It ran on and did not come to the end; a start mended it.
    Stuck,
}

/// Every fault of an extent, or in CI a part with a fixed seed that is spread over the path, each
/// tried by itself.
pub fn sweep(extent: Extent) -> Result<()> {
    let faults = Faults::build()?;
    let counts = count(&faults, extent)?;
    let blows = match std::env::var("RADMESH_CRASH_BLOW") {
        Ok(name) => all(extent, &counts)
            .filter(|blow| blow.to_string() == name)
            .collect(),
        Err(_) if harness::long() => all(extent, &counts).collect(),
        Err(_) => slice(&all(extent, &counts).collect::<Vec<_>>()),
    };
    let (tried, missed) = (blows.len(), AtomicUsize::new(0));
    in_lanes(blows, |blow| {
        let end = run(&faults, blow)?;
        missed.fetch_add(usize::from(end == End::Missed), Ordering::SeqCst);
        Ok(())
    })?;
    // Timing moves some calls in or out of a run; most must have been hit all the same.
    let missed = missed.into_inner();
    let most = tried < SLICE || missed * 4 <= tried;
    ensure!(most, "{missed} of {tried} faults hit nothing");
    Ok(())
}

fn all(extent: Extent, counts: &Counts) -> impl Iterator<Item = Blow> {
    SORTS.into_iter().flat_map(move |(kind, class)| {
        let calls = 1..=counts.of(class);
        calls.map(move |n| Blow {
            extent,
            kind,
            class,
            n,
        })
    })
}

/// One of each stretch of the same length.
fn slice(all: &[Blow]) -> Vec<Blow> {
    let stretches = all.chunks(all.len().div_ceil(SLICE).max(1));
    let one = |(at, stretch): (u64, &[Blow])| {
        let place = usize::try_from(draw(SEED, at) % stretch.len() as u64).ok()?;
        stretch.get(place).copied()
    };
    (0..).zip(stretches).filter_map(one).collect()
}

/// Counts the calls of an undisturbed run.
fn count(faults: &Faults, extent: Extent) -> Result<Counts> {
    let world = World::found(QUIET)?;
    let plan = faults.plan(&world.folder(Who::Hospital))?;
    let mut run = Run::new(&world, extent)?;
    let end = run.under(&plan, None);
    let end = end.with_context(|| run.net.story())?;
    ensure!(end == End::WentOn, "without faults: {end:?}");
    plan.counts()
}

/// One run with one fault.
fn run(faults: &Faults, blow: Blow) -> Result<End> {
    let world = World::found(QUIET)?;
    let plan = faults.plan(&world.folder(Who::Hospital))?;
    let plan = plan.inject(blow.kind, blow.class, blow.n).traced();
    // What a failed sync has lost comes back from the page cache, and not after a power cut.
    let cut = (blow.kind, blow.class) == (Kind::Eio, Class::Sync);
    let plan = if cut { plan.shadow() } else { plan };
    let mut run = Run::new(&world, blow.extent)?;
    let told = |run: &Run<'_>| {
        let trace = plan.trace();
        let hit: Vec<&str> = trace.lines().filter(|line| line.contains(" <- ")).collect();
        let said = run.said.join("\n  ");
        format!(
            "{hit:?}; again with RADMESH_CRASH_BLOW='{blow}'\nunder it:\n  {said}\n{}",
            run.net.story()
        )
    };
    let end = run.under(&plan, Some(blow.kind));
    let end = end.with_context(|| told(&run))?;
    let (taken, seen) = (run.sender.acknowledged.clone(), run.seen.len());
    run.after().with_context(|| told(&run))?;
    if cut {
        let tried = run.after_power_cut(&plan.journal()?, &taken, seen);
        tried.with_context(|| told(&run))?;
    }
    Ok(end)
}

/// One hospital's way through one extent.
struct Run<'w> {
    extent: Extent,
    net: Net<'w>,
    sender: Sender,
    people: People,
    seen: Vec<Seen>,
    /// What the hospital said under the plan.
    said: Vec<String>,
}

impl<'w> Run<'w> {
    /// Everything before the plan is put under the hospital.
    fn new(world: &'w World, extent: Extent) -> Result<Self> {
        let slices = SLICES;
        let sender = Sender::new(world, SynthConfig { seed: 1, slices })?;
        let net = Net::new(world);
        let mut run = Self {
            extent,
            net,
            sender,
            people: People::default(),
            seen: Vec::new(),
            said: Vec::new(),
        };
        match extent {
            Extent::Return => {
                run.net.hospital.run()?;
                for place in 1..run.sender.files.len() {
                    ensure!(run.sender.send(place)?, "slice {place} is not taken");
                }
                run.net.hospital.kill();
                run.seen = Seen::all(world)?;
            }
            Extent::Whole => {
                run.net.witness.run()?;
                run.net.reader.run()?;
            }
        }
        Ok(run)
    }

    /// The hospital under the plan until it is through, ends itself or is stuck; then it is
    /// stopped. Judges how it went.
    fn under(&mut self, plan: &Plan, kind: Option<Kind>) -> Result<End> {
        self.net.hospital.start(Some(plan))?;
        let through = self.net.hospital.up()? && self.play(UNDER)?;
        self.seen.extend(Seen::all(self.net.world)?);
        let status = self.net.hospital.stop()?;
        self.said = self.net.hospital.errors();
        self.judge((plan, kind), through, status)
    }

    fn judge(
        &self,
        (plan, kind): (&Plan, Option<Kind>),
        through: bool,
        status: ExitStatus,
    ) -> Result<End> {
        let panicked = self.said.iter().any(|line| line.contains("panicked"));
        ensure!(!panicked, "it panicked");
        let hit = plan.counts()?.fired > 0;
        match (hit, kind) {
            (false, planned) => {
                ensure!(through && status.success(), "not hit, and {status}");
                Ok(planned.map_or(End::WentOn, |_| End::Missed))
            }
            (true, Some(Kind::DieBefore | Kind::DieAfter | Kind::DieTorn)) => {
                ensure!(status.signal() == Some(SIGKILL), "{status}");
                Ok(End::Died)
            }
            (true, kind @ (Some(Kind::Enospc | Kind::Eio) | None)) => {
                ensure!(status.signal().is_none(), "{status}");
                if status.success() && through {
                    return Ok(End::WentOn);
                }
                let words = cause(kind);
                let said = self
                    .said
                    .iter()
                    .any(|line| words.iter().any(|w| line.contains(w)));
                ensure!(said, "{status}, and no line says one of {words:?}");
                Ok(if status.success() {
                    End::Stuck
                } else {
                    End::Stopped
                })
            }
        }
    }

    /// Without faults: it starts, the path comes to its end, and nothing is lost or made up.
    fn after(&mut self) -> Result<()> {
        self.net.hospital.run()?;
        let through = self.play(AFTER)?;
        ensure!(
            through,
            "the path does not end: {}",
            self.people.picture(&self.net)
        );
        match self.extent {
            Extent::Whole => return check(&self.net, &self.sender, &self.seen),
            Extent::Return => {}
        }
        self.net.hospital.stop_well()?;
        let data = self.net.world.data(Who::Hospital);
        for checkpoint in &self.seen {
            checkpoint.continues(&data.join("store/log"))?;
        }
        let cases = book::cases(self.net.world, &data)?;
        ensure!(cases.count() > 0, "no case");
        let all = (0..self.sender.files.len()).collect();
        self.sender.compare(self.net.world, &data, &all)
    }

    /// The power was cut when the hospital under the plan had ended: another one starts on what
    /// was synced, and has what was acknowledged and seen by then.
    fn after_power_cut(
        &self,
        journal: &Journal,
        taken: &BTreeSet<usize>,
        seen: usize,
    ) -> Result<()> {
        let folder = tempfile::TempDir::new()?;
        journal.image(journal.len(), folder.path())?;
        let data = start_on(self.net.world, folder.path()).context("after a power cut")?;
        for checkpoint in self.seen.iter().take(seen) {
            checkpoint.continues(&data.join("store/log"))?;
        }
        let compared = self.sender.compare(self.net.world, &data, taken);
        compared.context("after a power cut")
    }

    /// Sends what is not acknowledged and has the people do their part, until the path is through
    /// (true), or the hospital has ended, refuses, or is stuck.
    fn play(&mut self, bound: Duration) -> Result<bool> {
        let until = Instant::now() + bound;
        let mut tries = 0;
        while Instant::now() < until && !self.net.hospital.ended() {
            let mut sent = true;
            for place in 0..self.sender.files.len() {
                if !self.sender.acknowledged.contains(&place) {
                    sent &= self.sender.send(place)?;
                }
            }
            tries += usize::from(!sent);
            if tries == TRIES {
                return Ok(false);
            }
            let through = match self.extent {
                Extent::Whole => self.people.look(&self.net, &|_| ())?,
                Extent::Return => self.opened(),
            };
            if sent && through {
                return Ok(true);
            }
            std::thread::sleep(LOOK);
        }
        Ok(false)
    }

    /// Whether a case is open, of a hospital that may be down: nobody is there to offer it to.
    fn opened(&self) -> bool {
        let answer = self.net.hospital.ask(&json!({ "cmd": "cases" }));
        let cases = answer.map(|mut answer| answer["cases"].take());
        let cases = cases.as_ref().ok().and_then(|cases| cases.as_array());
        cases.is_some_and(|cases| cases.iter().any(|case| case["state"] != "received"))
    }
}

/// How a cause is said: by us with the mend, or in the system's words.
fn cause(kind: Option<Kind>) -> [&'static str; 2] {
    match kind {
        Some(Kind::Enospc) => ["disk full", "No space left"],
        Some(Kind::Eio | Kind::DieBefore | Kind::DieAfter | Kind::DieTorn) | None => {
            ["I/O error", "Input/output error"]
        }
    }
}
