//! Restarts from crash images: the files that a power cut would have left at a moment of the path,
//! which hold only what was synced by then.
//!
//! At each acknowledgement that somebody saw, the length of the journal of syncs is noted. The
//! image of that length has to hold what was acknowledged. A hospital is started on it, alone: to
//! its witness it would be a log that went back, as after any restored backup.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use harness::{Faults, Journal, Plan};
use node::dicom::synth::SynthConfig;
use serde_json::{Value, json};

use crate::book::{self, Seen};
use crate::net::{Net, Node};
use crate::path::{CLOSED, People};
use crate::sent::Sender;
use crate::world::{Who, World};

/// Slices of the study.
const SLICES: u32 = 3;
/// Longer than a slice takes, so that there is one case.
const QUIET: &str = "1s";
/// Bound on the path.
const PATH: Duration = Duration::from_secs(300);
/// Between two looks at what is acknowledged: near to it, so that the image holds little more.
const LOOK: Duration = Duration::from_millis(2);

/// What somebody outside was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    /// Slices that were acknowledged to the sender.
    slices: BTreeSet<usize>,
    /// Grants that have come to the reader.
    granted: BTreeSet<u64>,
    /// Reports that were acknowledged to the reader, which lets go of the lease then.
    reported: BTreeSet<u64>,
    /// Cases that were told to be delivered, and to be closed.
    delivered: usize,
    closed: usize,
    /// Cases that a person was told to have closed.
    closed_by_hand: usize,
    /// Sizes of checkpoints that were shown.
    shown: BTreeSet<u64>,
}

/// What had been told when the journal had this length.
struct Mark {
    length: usize,
    told: Told,
}

/// The path under a plan that keeps the journal, and what was told on it.
struct Watch<'p, 'w> {
    net: Net<'w>,
    plan: &'p Plan,
    sender: Sender,
    people: People,
    told: Told,
    marks: Vec<Mark>,
    seen: BTreeMap<u64, Seen>,
}

impl Watch<'_, '_> {
    /// From the first start to the closed case and the end of the hospital.
    fn play(&mut self) -> Result<()> {
        self.net.hospital.start(Some(self.plan))?;
        ensure!(self.net.hospital.up()?, "the hospital does not start");
        self.look()?;
        for place in 0..self.sender.files.len() {
            ensure!(self.sender.send(place)?, "slice {place} is not taken");
            self.told.slices.insert(place);
            self.mark()?;
        }
        let until = Instant::now() + PATH;
        while !self.people()? || self.told.closed == 0 {
            ensure!(Instant::now() < until, "the path does not end");
            std::thread::sleep(LOOK);
        }
        for node in [&self.net.reader, &self.net.hospital, &self.net.witness] {
            node.stop_well()?;
        }
        self.mark()
    }

    fn people(&mut self) -> Result<bool> {
        self.look()?;
        // The answer to a command is an acknowledgement: as near to it as can be.
        let plan = self.plan;
        let answered = Mutex::new(Vec::new());
        let note = |step: &str| {
            if step == CLOSED {
                answered
                    .lock()
                    .unwrap()
                    .push(plan.journal().map(|journal| journal.len()));
            }
        };
        let done = self.people.look(&self.net, &note)?;
        for length in answered.into_inner().unwrap() {
            self.told.closed_by_hand += 1;
            let (length, told) = (length?, self.told.clone());
            self.marks.push(Mark { length, told });
        }
        self.look()?;
        Ok(done)
    }

    /// Notes a mark where something new is told.
    fn look(&mut self) -> Result<()> {
        let before = self.told.clone();
        let leases = self.net.reader.ask(&json!({ "cmd": "leases" }))?;
        let leases = leases["leases"].as_array().context("no leases")?;
        let held: BTreeSet<u64> = leases.iter().filter_map(|l| l["fence"].as_u64()).collect();
        let gone: Vec<u64> = self.told.granted.difference(&held).copied().collect();
        self.told.reported.extend(gone);
        self.told.granted.extend(held);
        let events = self.net.hospital.ask(&json!({ "cmd": "events" }))?;
        let events = events["events"].as_array().context("no events")?;
        let count = |state: &str| {
            let is = |event: &&Value| event["step"] == "case" && event["state"] == state;
            events.iter().filter(is).count()
        };
        (self.told.delivered, self.told.closed) = (count("delivered"), count("closed"));
        self.shown()?;
        if self.told != before {
            self.mark()?;
        }
        Ok(())
    }

    fn shown(&mut self) -> Result<()> {
        for seen in Seen::all(self.net.world)? {
            self.told.shown.insert(seen.size());
            self.seen.insert(seen.size(), seen);
        }
        Ok(())
    }

    /// What is told by now is covered by the journal as it is now.
    fn mark(&mut self) -> Result<()> {
        self.shown()?;
        let length = self.plan.journal()?.len();
        let told = self.told.clone();
        self.marks.push(Mark { length, told });
        Ok(())
    }

    /// Starts a hospital on one image and holds it to what was told.
    fn try_image(&self, journal: &Journal, mark: &Mark, reports: &Reports) -> Result<()> {
        let world = self.net.world;
        let folder = tempfile::TempDir::new()?;
        journal.image(mark.length, folder.path())?;
        let left = files(&folder.path().join("reports"))?;
        let data = start_on(world, folder.path())?;
        let told = &mark.told;
        self.sender.compare(world, &data, &told.slices)?;
        for size in &told.shown {
            let seen = self.seen.get(size).context("a checkpoint that was seen")?;
            seen.continues(&data.join("store/log"))?;
        }
        let cases = book::cases(world, &data)?;
        ensure!(
            told.granted.is_subset(&cases.granted),
            "a grant is lost: {cases:?}"
        );
        ensure!(
            told.reported.is_subset(&cases.reported),
            "a report is lost: {cases:?}"
        );
        ensure!(
            told.delivered <= cases.delivered,
            "a delivery is lost: {cases:?}"
        );
        let closed = told.closed.max(told.closed_by_hand);
        ensure!(closed <= cases.ended(), "a closing is lost: {cases:?}");
        if told.delivered > 0 {
            ensure!(
                left == *reports,
                "the delivered report is lost: {:?}",
                left.keys()
            );
        }
        Ok(())
    }
}

/// Starts a hospital, alone, on the image of its folder in `folder`, and stops it: its data.
pub fn start_on(world: &World, folder: &Path) -> Result<PathBuf> {
    let data = folder.join("data");
    world.configure(Who::Hospital, &data)?;
    let hospital = Node::new(world, Who::Hospital);
    hospital.run()?;
    hospital.stop_well()?;
    Ok(data)
}

type Reports = BTreeMap<String, Vec<u8>>;

/// The names and contents of a folder that may be absent.
fn files(folder: &Path) -> Result<Reports> {
    let mut found = Reports::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        found.insert(name, fs::read(entry.path())?);
    }
    Ok(found)
}

/// The path once; then a start on the image of each acknowledgement, or of each sync.
pub fn run() -> Result<()> {
    let faults = Faults::build()?;
    let world = World::found(QUIET)?;
    let (seed, slices) = (2, SLICES);
    let sender = Sender::new(&world, SynthConfig { seed, slices })?;
    let plan = faults.plan(&world.folder(Who::Hospital))?.shadow();
    let net = Net::new(&world);
    net.witness.run()?;
    net.reader.run()?;
    let mut watch = Watch {
        net,
        plan: &plan,
        sender,
        people: People::default(),
        told: Told::default(),
        marks: Vec::new(),
        seen: BTreeMap::new(),
    };
    let played = watch.play();
    played.with_context(|| watch.net.story())?;
    let (journal, reports) = (plan.journal()?, files(&world.reports())?);
    ensure!(!reports.is_empty(), "no report was delivered");
    for mark in marks(&watch.marks, &journal) {
        let tried = watch.try_image(&journal, &mark, &reports);
        tried.with_context(|| format!("moment {}: {:?}", mark.length, mark.told))?;
    }
    Ok(())
}

/// The marks; in the full runs a mark for each sync, with what was told before it.
fn marks(noted: &[Mark], journal: &Journal) -> Vec<Mark> {
    let told_by = |length: usize| {
        let before = noted.iter().take_while(|mark| mark.length <= length);
        before
            .last()
            .map_or_else(Told::default, |mark| mark.told.clone())
    };
    let mut lengths: BTreeSet<usize> = noted.iter().map(|mark| mark.length).collect();
    if harness::long() {
        lengths.extend(journal.moments());
    }
    let mark = |length| Mark {
        length,
        told: told_by(length),
    };
    lengths.into_iter().map(mark).collect()
}
