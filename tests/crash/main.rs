//! A hospital that dies, a disk that fails, a power cut: nothing acknowledged is lost, no second
//! reader, nothing half-written is served, and the log continues.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod book;
mod kill;
mod net;
mod sent;
mod world;

use std::sync::Mutex;

use anyhow::Result;

/// Kills in CI, and in the full runs.
const KILLS: (u64, u64) = (10, 100);
/// Runs at a time: they mostly wait.
const LANES: usize = 2;

/// Runs every seed in a few lanes; the first failure of each lane is told.
fn in_lanes<T: Send>(work: Vec<T>, run: impl Fn(T) -> Result<()> + Sync) -> Result<()> {
    let work = Mutex::new(work.into_iter());
    let next = || work.lock().unwrap().next();
    std::thread::scope(|scope| {
        let lane = || -> Result<()> {
            while let Some(one) = next() {
                run(one)?;
            }
            Ok(())
        };
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        let ended: Vec<Result<()>> = lanes.into_iter().map(|lane| lane.join().unwrap()).collect();
        ended.into_iter().collect()
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
