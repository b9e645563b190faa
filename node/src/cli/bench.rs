//! `radmesh bench`: measurements beside a peer, for the machine that they are run on.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand, value_parser};
use serde::Serialize;

use super::Output;
use crate::bench::log::{Measured, Plan, measure};

/// What to measure.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Durable log entries a second, beside one file and beside SQLite.
    Log(Log),
}

/// How much.
#[derive(Debug, Args)]
pub(super) struct Log {
    /// A folder on the disk that is meant.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Entries a round.
    #[arg(long, default_value_t = 50_000, value_parser = value_parser!(u64).range(1..=10_000_000))]
    entries: u64,
    /// Rounds.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=100))]
    rounds: u32,
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        match self {
            Self::Log(log) => {
                let plan = Plan {
                    folder: log.folder,
                    entries: log.entries,
                    rounds: log.rounds,
                };
                out.answer(&LogAnswer(measure(&plan)?))
            }
        }
    }
}

/// What was measured, for a person.
#[derive(Serialize)]
#[serde(transparent)]
struct LogAnswer(Measured);

impl fmt::Display for LogAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Measured {
            entries,
            entry_bytes,
            payload_bytes,
            log,
            file,
            sqlite,
            by_file,
            by_sqlite,
            single_ms: (half, most, slowest),
        } = &self.0;
        writeln!(
            f,
            "{entries} entries a round, of {entry_bytes} bytes, each with a payload of \
             {payload_bytes}; median (least to most)"
        )?;
        writeln!(f, "durable entries a second   {log:.0}")?;
        writeln!(
            f,
            "the same bytes in one file {file:.0}, one sync for 1,024 entries"
        )?;
        match sqlite {
            Some((rate, version)) => writeln!(
                f,
                "the same bytes in SQLite   {rate:.0}, {version}, WAL, synchronous=FULL, 1,024 a \
                 transaction"
            )?,
            None => writeln!(f, "SQLite was not measured: no python3 with sqlite3 here")?,
        }
        writeln!(f, "log by file                {by_file:.2}")?;
        if let Some(ratio) = by_sqlite {
            writeln!(f, "log by SQLite              {ratio:.2}")?;
        }
        write!(
            f,
            "one entry alone, durable   {half:.1} ms in the half of cases, {most:.1} ms in 99 of \
             100, {slowest:.1} ms at most"
        )
    }
}
