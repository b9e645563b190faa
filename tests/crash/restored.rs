//! A hospital on an old copy of its data folder: it appends nothing, says why, and loses nothing.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use node::dicom::synth::SynthConfig;

use crate::book::Seen;
use crate::net::{LIFE, LOOK, Net};
use crate::sent::Sender;
use crate::world::{Who, World};

/// No case opens: starts, stops and images are all that is logged.
const QUIET: &str = "1h";
const STUDY: SynthConfig = SynthConfig { seed: 5, slices: 2 };
/// What the refusal says, and what to do.
const WORDS: [&str; 2] = ["an old copy was restored", "restore the newest copy"];

/// Waits until the witness has cosigned more than `size` entries; the size that it has.
fn cosigned(world: &World, size: u64) -> Result<u64> {
    let file = world.data(Who::Hospital).join("store/log/cosigned");
    let until = Instant::now() + LIFE;
    while Instant::now() < until {
        if file.exists() {
            let seen = Seen::all(world)?.iter().map(Seen::size).min();
            if let Some(seen) = seen.filter(|seen| *seen > size) {
                return Ok(seen);
            }
        }
        std::thread::sleep(LOOK);
    }
    anyhow::bail!("nothing beyond {size} is cosigned")
}

/// The checkpoint as it is on the disk.
fn checkpoint(world: &World) -> Result<Vec<u8>> {
    let file = world.data(Who::Hospital).join("store/log/checkpoint");
    fs::read(&file).with_context(|| file.display().to_string())
}

/// Starts the hospital, waits until it has ended by itself, and holds it to a named refusal and an
/// unchanged log.
fn refused(net: &Net<'_>, before: &[u8]) -> Result<()> {
    net.hospital.start(None)?;
    ends_refused(net)?;
    ensure!(
        checkpoint(net.world)? == before,
        "an old copy was appended to"
    );
    Ok(())
}

fn ends_refused(net: &Net<'_>) -> Result<()> {
    let until = Instant::now() + LIFE;
    while !net.hospital.ended() {
        ensure!(
            Instant::now() < until,
            "it does not end\n{}",
            net.hospital.story()
        );
        std::thread::sleep(LOOK);
    }
    let status = net.hospital.stop()?;
    ensure!(status.code().is_some_and(|code| code != 0), "{status}");
    let errors = net.hospital.errors();
    let last = errors.last().map_or("", String::as_str);
    let said = WORDS.iter().all(|words| last.contains(words));
    ensure!(said, "not said: {last}\n{}", net.story());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type()?.is_dir() {
            true => copy(&from, &to)?,
            false => drop(fs::copy(&from, &to)?),
        }
    }
    Ok(())
}

fn replace(data: &Path, with: &Path) -> Result<()> {
    fs::remove_dir_all(data)?;
    copy(with, data)
}

/// An old copy, a lost folder, an old copy while the witness is out; then the newest one.
pub fn run() -> Result<()> {
    let world = World::found(QUIET)?;
    let net = Net::new(&world);
    let data = world.data(Who::Hospital);
    let (old, newest) = (world.root().join("old"), world.root().join("newest"));
    net.witness.run()?;
    net.hospital.run()?;
    let size = cosigned(&world, 0)?;
    net.hospital.stop_well()?;
    copy(&data, &old)?;

    let mut sender = Sender::new(&world, STUDY)?;
    net.hospital.run()?;
    ensure!(sender.send(0)?, "the slice is not taken");
    cosigned(&world, size + 1)?;
    net.hospital.stop_well()?;
    copy(&data, &newest)?;

    replace(&data, &old)?;
    refused(&net, &checkpoint(&world)?).context("on an old copy")?;
    fs::remove_dir_all(&data)?;
    fs::create_dir(&data)?;
    net.hospital.start(None)?;
    ends_refused(&net).context("on an empty folder")?;
    let logged = Seen::all(&world)?.iter().any(|seen| seen.size() > 0);
    ensure!(!logged, "a lost log was begun anew");

    // Nobody can say so at the start: it runs, and ends when the witness is back.
    net.witness.stop_well()?;
    replace(&data, &old)?;
    net.hospital.run()?;
    net.witness.run()?;
    ends_refused(&net).context("when the witness came back")?;

    replace(&data, &newest)?;
    net.hospital.run()?;
    ensure!(sender.send(1)?, "the slice is not taken");
    let size = Seen::all(&world)?.iter().map(Seen::size).max();
    cosigned(&world, size.context("there is a log")? - 1)?;
    net.hospital.stop_well()?;
    sender.compare(&world, &data, &sender.acknowledged)
}
