//! `radmesh-sim search --seeds A..B`: the fault search without the node, so that it builds in
//! minutes.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sim::report::seeds;
use sim::search::search;

/// Searches for a schedule that breaks a promise.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Noun,
}

#[derive(Subcommand)]
enum Noun {
    /// Run a range of seeds.
    Search {
        /// Seeds, as `0..200`.
        #[arg(long, value_parser = seeds)]
        seeds: std::ops::Range<u64>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let Noun::Search { seeds, json } = Arguments::parse().command;
    let found = search(seeds);
    let text = if json {
        found.to_json().to_string()
    } else {
        found.to_string()
    };
    let written = writeln!(std::io::stdout().lock(), "{text}");
    if written.is_ok() && found.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
