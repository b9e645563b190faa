//! `radmesh sim`: the network on virtual time, searched from seeds for what breaks a promise.

use std::fmt;
use std::ops::Range;

use anyhow::ensure;
use clap::{Args, Subcommand};
use serde::{Serialize, Serializer};

use super::Output;

/// What to simulate.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a range of seeds with random faults, and check every promise after each step.
    Search(Search),
    /// Run one seed again.
    Replay(Replay),
}

/// Which seeds.
#[derive(Debug, Args)]
pub(super) struct Search {
    /// Seeds, as `0..200`.
    #[arg(long, value_name = "A..B", value_parser = ::sim::report::seeds)]
    seeds: Range<u64>,
}

/// Which seed.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The seed that a search printed.
    #[arg(long)]
    seed: u64,
}

/// What was found, as the output wants it.
struct Answer(::sim::search::Found);

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.to_json().serialize(serializer)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        let seeds = match self {
            Self::Search(search) => search.seeds,
            Self::Replay(replay) => replay.seed..replay.seed.saturating_add(1),
        };
        let found = Answer(::sim::search::search(seeds));
        let broken = found.0.failures.len();
        out.answer(&found)?;
        ensure!(
            broken == 0,
            "{broken} runs broke a promise: each is named above, with its seed"
        );
        Ok(())
    }
}
