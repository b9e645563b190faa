//! `radmesh bench`: measurements beside a peer, for the machine that they are run on.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, value_parser};
use serde::Serialize;
use sim::archive::{self, STUDIES_A_RELEASE};

use super::Output;
use crate::bench::cosign;
use crate::bench::log::{Measured, Plan, measure};
use crate::bench::verify::{self, Ask};

/// What to measure.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Durable log entries a second, beside one file and beside SQLite.
    Log(Log),
    /// From an entry to its checkpoint with three of four witnesses' cosignatures, beside the
    /// path's round trip.
    Cosign(Cosign),
    /// Verify a made archive: hashing against `sha256sum`, signatures, time and memory.
    Verify(Verify),
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

/// Where the witnesses are, and how much.
#[derive(Debug, Args)]
pub(super) struct Cosign {
    /// Serve the four witnesses at this address and the three ports after it, until interrupted,
    /// and write their quorum file to `--quorum`.
    #[arg(long, value_name = "ADDRESS", requires = "quorum")]
    serve: Option<SocketAddr>,
    /// The quorum file of the witnesses that another process serves; without it they are served by
    /// this one, on loopback.
    #[arg(long, value_name = "FILE")]
    quorum: Option<PathBuf>,
    /// A folder on the disk that is meant.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Entries a round.
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u32).range(1..=1_000_000))]
    entries: u32,
    /// Entries a second.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    per_second: u32,
    /// Rounds. Served witnesses remember the rounds' logs: start them anew for another run.
    #[arg(long, default_value_t = 5,
        value_parser = value_parser!(u32).range(1..=i64::from(cosign::ROUNDS_MAX)))]
    rounds: u32,
}

/// Which archive.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Entries of its log.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    entries: u64,
    /// One study in so many is read elsewhere; each such release has five files of its own.
    #[arg(long, value_name = "N", default_value_t = STUDIES_A_RELEASE)]
    studies_a_release: u64,
    /// Keep the archive here, or measure the one that is here.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Rounds of hashing, in turns with `sha256sum`.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// The regulator's tool; by default the one beside this program.
    #[arg(long, value_name = "FILE")]
    auditor: Option<PathBuf>,
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
            Self::Cosign(asked) => asked.run(out),
            Self::Verify(asked) => asked.run(out),
        }
    }
}

impl Cosign {
    fn run(self, out: &Output) -> anyhow::Result<()> {
        if let (Some(at), Some(quorum)) = (self.serve, &self.quorum) {
            return cosign::serve_witnesses(&self.folder, at, quorum);
        }
        let plan = cosign::Plan {
            folder: self.folder,
            quorum: self.quorum,
            entries: self.entries,
            per_second: self.per_second,
            rounds: self.rounds,
        };
        out.answer(&CosignAnswer(cosign::measure(&plan)?))
    }
}

impl Verify {
    fn run(self, out: &Output) -> anyhow::Result<()> {
        let (folder, made) = match self.keep {
            Some(folder) => (folder, None),
            None => {
                let name = format!("radmesh-bench-{}", std::process::id());
                let folder = std::env::temp_dir().join(name);
                (folder.clone(), Some(folder))
            }
        };
        let auditor = match self.auditor {
            Some(auditor) => auditor,
            None => std::env::current_exe()?.with_file_name("radmesh-audit"),
        };
        let figures = verify::run(&Ask {
            plan: archive::Plan {
                entries: self.entries,
                studies_a_release: self.studies_a_release,
                seed: 1,
            },
            folder,
            rounds: self.rounds,
            auditor,
        });
        if let Some(folder) = made.filter(|folder| folder.exists()) {
            std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        out.answer(&figures?)
    }
}

/// What was measured, for a person.
#[derive(Serialize)]
#[serde(transparent)]
struct CosignAnswer(cosign::Measured);

impl fmt::Display for CosignAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = &self.0;
        writeln!(
            f,
            "{} entries a round, {} a second, {} witnesses asked; median (least to most) of rounds",
            all.entries, all.per_second, all.witnesses
        )?;
        writeln!(f, "half cosigned within       {:.1} ms", all.p50_ms)?;
        writeln!(f, "99 of 100 within           {:.1} ms", all.p99_ms)?;
        writeln!(f, "the path's round trip      {:.1} ms", all.round_trip_ms)?;
        write!(f, "99 of 100, in round trips  {:.1}", all.p99_by_round_trip)
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
