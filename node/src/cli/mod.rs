//! The command line: nouns first, one file a noun.
//!
//! Each noun is a clap enum with `run(self, out)`. Nothing but [`output::Output`] prints, so that
//! `--json` stays JSON; errors are one line; the exit code is 0 only when the command did what was
//! asked.

pub mod audit;
mod audits;
mod bench;
mod cases;
mod client;
mod clock;
mod consortium;
mod demo;
mod desks;
mod duties;
mod key;
mod node;
pub mod output;
mod policy;
mod secret;
mod sim;
mod studies;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::sim as simulated;
pub use output::Output;

/// Hospitals read for each other: no cloud, no centre, a signed record of who looked.
#[derive(Debug, Parser)]
#[command(
    name = "radmesh",
    version,
    propagate_version = true,
    infer_subcommands = false
)]
struct Cli {
    /// Print answers as JSON, one value a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    noun: Noun,
}

/// What a command is about.
#[derive(Debug, Subcommand)]
enum Noun {
    /// Make and show the node's keys.
    #[command(subcommand)]
    Key(key::Command),
    /// Found a consortium, admit its members, see who is in.
    #[command(subcommand)]
    Consortium(consortium::Command),
    /// Check a policy, and explain what it decides.
    #[command(subcommand)]
    Policy(policy::Command),
    /// The node itself.
    #[command(subcommand)]
    Node(node::Command),
    /// A hospital's cases.
    #[command(subcommand)]
    Case(cases::Command),
    /// A hospital's studies.
    #[command(subcommand)]
    Study(studies::Command),
    /// A reading desk.
    #[command(subcommand)]
    Desk(desks::Command),
    /// The audit log, for others.
    #[command(subcommand)]
    Audit(audits::Command),
    /// The same network on virtual time, with faults.
    #[command(subcommand)]
    Sim(simulated::Command),
    /// Measure this machine, beside a peer in the same run.
    #[command(subcommand)]
    Bench(bench::Command),
    /// A whole network on this machine: one case from arrival to verified audit.
    Demo,
}

impl Noun {
    fn run(self, out: &Output) -> anyhow::Result<()> {
        match self {
            Self::Key(command) => command.run(out),
            Self::Consortium(command) => command.run(out),
            Self::Policy(command) => command.run(out),
            Self::Node(command) => command.run(out),
            Self::Case(command) => command.run(out),
            Self::Study(command) => command.run(out),
            Self::Desk(command) => command.run(out),
            Self::Audit(command) => command.run(out),
            Self::Sim(command) => command.run(out),
            Self::Bench(command) => command.run(out),
            // It came before all others: see `main`.
            Self::Demo => Ok(()),
        }
    }
}

/// Runs the program on its own arguments.
#[must_use]
pub fn main() -> ExitCode {
    let (out, done) = match demo::Demo::asked() {
        Some(demo) => {
            let out = Output::new(false);
            let done = demo.run(&out);
            (out, done)
        }
        None => {
            let cli = Cli::parse();
            let out = Output::new(cli.json);
            let done = cli.noun.run(&out);
            (out, done)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => out.failure(&error),
    }
}

#[cfg(test)]
mod tests;
