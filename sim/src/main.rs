//! `radmesh-sim search --seeds A..B`: the fault search without the node, so that it builds in
//! seconds.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sim::search::{Found, search};

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
        #[arg(long, value_parser = range)]
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
        as_json(&found)
    } else {
        as_text(&found)
    };
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    if written.is_ok() && found.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Reads `A..B`.
fn range(text: &str) -> Result<std::ops::Range<u64>, std::num::ParseIntError> {
    let (from, to) = text.split_once("..").unwrap_or((text, ""));
    let from = from.parse()?;
    Ok(from..if to.is_empty() { from + 1 } else { to.parse()? })
}

fn as_text(found: &Found) -> String {
    let mut text = String::new();
    for run in &found.clean {
        let (seed, trace) = (run.seed, run.trace);
        text += &format!("seed {seed}: clean, {} events, trace {trace}\n", run.events);
    }
    for failure in &found.failures {
        let seed = failure.seed;
        text += &format!(
            "{failure}\n  again: radmesh-sim search --seeds {seed}..{}\n",
            seed + 1
        );
    }
    text + &format!(
        "{} clean, {} broken\n",
        found.clean.len(),
        found.failures.len()
    )
}

fn as_json(found: &Found) -> String {
    let runs: Vec<serde_json::Value> = found
        .clean
        .iter()
        .map(|run| {
            serde_json::json!({
                "seed": run.seed, "trace": run.trace.to_hex(), "events": run.events,
                "messages": run.messages, "grants": run.grants, "closed_at_us": run.closed_at_us,
            })
        })
        .collect();
    let failures: Vec<String> = found.failures.iter().map(ToString::to_string).collect();
    serde_json::json!({ "runs": runs, "failures": failures }).to_string() + "\n"
}
