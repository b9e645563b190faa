//! A hospital that dies, a disk that fails, a power cut: nothing acknowledged is lost, no second
//! reader, nothing half-written is served, and the log continues.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod book;
mod faults;
mod images;
mod kill;
mod log;
mod net;
mod path;
mod refusals;
mod restored;
mod sent;
mod world;

use std::sync::Mutex;

use anyhow::{Result, ensure};

/// Kills in CI, and in the full runs.
const KILLS: (u64, u64) = (10, 100);
/// Kills of a process that only appends to its log.
const LOG_KILLS: (u64, u64) = (40, 1_000);
/// Runs at a time, unless `RADMESH_CRASH_LANES` says how many: they mostly wait.
const LANES: usize = 2;

/// Runs each piece of work in a few lanes. A failure ends the lanes after what they are at; each
/// is told. The full counts take an hour and more, so they say how far they are.
fn in_lanes<T: Send>(work: Vec<T>, run: impl Fn(T) -> Result<()> + Sync) -> Result<()> {
    let all = work.len();
    let work = Mutex::new((1..).zip(work));
    let failures = Mutex::new(Vec::new());
    let next = || match failures.lock().unwrap().is_empty() {
        true => work.lock().unwrap().next(),
        false => None,
    };
    let lane = || {
        while let Some((at, one)) = next() {
            if let Err(failure) = run(one) {
                failures.lock().unwrap().push(failure);
            }
            if harness::long() {
                harness::tell(&format!("{at} of {all}"));
            }
        }
    };
    let lanes = match std::env::var("RADMESH_CRASH_LANES") {
        Ok(lanes) => lanes.parse()?,
        Err(_) => LANES,
    };
    std::thread::scope(|scope| (0..lanes).for_each(|_| drop(scope.spawn(lane))));
    let failures = failures.into_inner().unwrap();
    let told: Vec<String> = failures.iter().map(|one| format!("{one:?}")).collect();
    ensure!(told.is_empty(), "{}", told.join("\n\n"));
    Ok(())
}

#[tokio::test]
async fn a_log_is_appended_to_and_each_size_is_told() -> Result<()> {
    // As a child of the next test it appends until it is killed.
    if let Some(folder) = std::env::var_os(log::FOLDER) {
        log::append(folder.as_ref(), u64::MAX / 2).await?;
    }
    let folder = tempfile::TempDir::new()?;
    let place = folder.path().join("store");
    ensure!(log::append(&place, 200).await? == 200, "not all is durable");
    ensure!(log::append(&place, 1).await? == 201, "the log went back");
    Ok(())
}

#[test]
fn a_log_that_is_killed_keeps_what_it_acknowledged() -> Result<()> {
    log::kills(if harness::long() {
        LOG_KILLS.1
    } else {
        LOG_KILLS.0
    })
}

#[test]
fn the_hospital_is_killed_at_random_moments() -> Result<()> {
    let count = if harness::long() { KILLS.1 } else { KILLS.0 };
    let one = std::env::var("RADMESH_CRASH_SEED").ok();
    let seeds = match one {
        Some(seed) => vec![seed.parse()?],
        None => (0..count).collect(),
    };
    in_lanes(seeds, kill::run)
}

#[test]
fn each_write_sync_and_rename_of_the_path_may_fail_or_kill() -> Result<()> {
    faults::sweep(faults::Extent::Whole)
}

#[test]
fn each_write_sync_and_rename_of_a_second_start_may_fail_or_kill() -> Result<()> {
    faults::sweep(faults::Extent::Return)
}

#[test]
fn a_power_cut_at_an_acknowledgement_loses_nothing_acknowledged() -> Result<()> {
    images::run()
}

#[test]
fn a_hospital_on_an_old_copy_of_its_log_appends_nothing() -> Result<()> {
    restored::run()
}

#[test]
fn a_second_hospital_on_a_data_folder_is_refused() -> Result<()> {
    refusals::taken()
}

#[test]
fn a_configuration_with_an_unknown_key_is_refused() -> Result<()> {
    refusals::unknown_key()
}

#[test]
fn a_disk_that_stays_full_refuses_images_and_loses_none() -> Result<()> {
    refusals::full_disk()
}
