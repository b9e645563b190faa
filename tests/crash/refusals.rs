//! What a hospital refuses with one clear line: a data folder that is taken, a configuration that
//! it does not know, images while the disk is full.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use harness::{Class, Faults, Kind};
use node::dicom::scu::FileStatus;
use node::dicom::synth::SynthConfig;
use serde_json::json;

use crate::book::Seen;
use crate::net::{LIFE, LOOK, Net};
use crate::sent::Sender;
use crate::world::{Who, World};

/// No case opens: images are all that is written.
const QUIET: &str = "1h";
/// Writes that still find room after a start and a slice; a slice takes more.
const ROOM: u64 = 12;
const STUDY: SynthConfig = SynthConfig { seed: 3, slices: 4 };

/// Runs a hospital that cannot start: its one line.
fn refused(world: &World) -> Result<String> {
    let mut command = Command::new(harness::binary("radmesh")?);
    command.args(["node", "run", "--config"]);
    command.arg(world.config(Who::Hospital));
    let output = harness::run(&mut command, world.root(), LIFE)?;
    ensure!(
        output.status.code().is_some_and(|code| code != 0),
        "{output:?}"
    );
    ensure!(
        output.stderr.lines().count() == 1,
        "not one line: {output:?}"
    );
    Ok(output.stderr)
}

/// A second hospital on a data folder that one runs on.
pub fn taken() -> Result<()> {
    let world = World::found(QUIET)?;
    let net = Net::new(&world);
    net.hospital.run()?;
    let line = refused(&world)?;
    ensure!(
        line.contains("another node runs on this data folder: stop it first"),
        "{line}"
    );
    net.hospital.ask(&json!({ "cmd": "status" }))?;
    net.hospital.stop_well()
}

/// A configuration with a key that nobody knows.
pub fn unknown_key() -> Result<()> {
    let world = World::found(QUIET)?;
    let file = world.config(Who::Hospital);
    let good = fs::read_to_string(&file)?;
    fs::write(&file, format!("{good}sender = \"by mistake\"\n"))?;
    let line = refused(&world)?;
    let named = line.contains("sender") && line.contains("node.toml");
    ensure!(named, "the key and the file are not named: {line}");
    fs::write(&file, good)?;
    let net = Net::new(&world);
    net.hospital.run()?;
    net.hospital.stop_well()
}

/// A disk that gets full in one of the slices and stays so; then there is room again.
pub fn full_disk() -> Result<()> {
    let faults = Faults::build()?;
    let writes = writes_of_one(&faults)?;
    let world = World::found(QUIET)?;
    let mut sender = Sender::new(&world, STUDY)?;
    let plan = faults.plan(&world.folder(Who::Hospital))?;
    let plan = plan.inject(Kind::Enospc, Class::Write, writes + ROOM);
    let plan = plan.forever();
    let net = Net::new(&world);
    net.hospital.start(Some(&plan))?;
    ensure!(settled(&net)?, "it does not start\n{}", net.story());
    let places = 0..sender.files.len();
    let taken = places.clone().map(|place| sender.send(place));
    let taken = taken.collect::<Result<Vec<bool>>>()?;
    let first = taken.iter().position(|taken| !taken);
    let first = first.context("there is room for all")?;
    ensure!(first > 0, "none is taken\n{}", net.story());
    for place in first..places.end {
        let status = sender.status(place)?;
        let refused = matches!(status, FileStatus::Refused { .. });
        ensure!(refused, "slice {place}: {status:?}\n{}", net.story());
    }
    let ended = net.hospital.stop()?;
    let errors = net.hospital.errors();
    let has = |words: &str| errors.iter().any(|line| line.contains(words));
    ensure!(
        ended.signal().is_none() && !has("panicked"),
        "{ended}\n{}",
        net.story()
    );
    let said = has("disk full: ") && has("free space");
    ensure!(said, "not said\n{}", net.story());
    net.hospital.run().context("with room again")?;
    for place in places.skip(first) {
        let taken = sender.send(place)?;
        ensure!(taken, "slice {place} is not taken\n{}", net.story());
    }
    net.hospital.stop_well()?;
    let data = world.data(Who::Hospital);
    sender.compare(&world, &data, &sender.acknowledged)
}

/// How many writes a first start and one slice take.
fn writes_of_one(faults: &Faults) -> Result<u64> {
    let world = World::found(QUIET)?;
    let mut sender = Sender::new(&world, STUDY)?;
    let plan = faults.plan(&world.folder(Who::Hospital))?;
    let net = Net::new(&world);
    net.hospital.start(Some(&plan))?;
    ensure!(settled(&net)? && sender.send(0)?, "without faults");
    Ok(plan.counts()?.of(Class::Write))
}

/// Waits until a hospital's first entry is in synced tiles. No log is written after that, by which
/// a hospital on a full disk would end itself.
fn settled(net: &Net<'_>) -> Result<bool> {
    if !net.hospital.up()? {
        return Ok(false);
    }
    let stage = net.world.data(Who::Hospital).join("store/journal/stage");
    let until = Instant::now() + LIFE;
    while Instant::now() < until {
        let logged = Seen::all(net.world)?.iter().any(|seen| seen.size() > 0);
        if logged && fs::metadata(&stage)?.len() == 0 {
            return Ok(true);
        }
        std::thread::sleep(LOOK);
    }
    Ok(false)
}
