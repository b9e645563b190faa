//! `radmesh-audit`: the regulator's offline tool. It links no network, no storage engine, and by
//! default no policy engine; it reads folders and writes to standard output.

mod folder;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use crypto::digest::Digest;
use protocol::audit::verify::{Input, Options, Verdict, describe, json, verify};

use folder::{Folder, FolderError};

/// Exit code: every check holds, by a genesis that came with the archive.
const NOT_PINNED: u8 = 3;

/// Verifies audit archives of radmesh nodes, offline.
#[derive(Parser)]
#[command(name = "radmesh-audit", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Verify archives, each by itself and all against one another.
    ///
    /// Exit code 0 only if everything holds, by the genesis given; 1 if anything fails; 2 if an
    /// archive cannot be opened; 3 if every check holds by a genesis that came with the archive.
    Verify {
        /// Folders written by `radmesh audit export`.
        #[arg(required = true, value_name = "DIR")]
        archives: Vec<PathBuf>,
        /// SHA-256 of the consortium's genesis, as you know it from elsewhere.
        #[arg(long, value_name = "HASH", value_parser = Digest::from_hex)]
        genesis: Option<Digest>,
        /// Without --genesis: take the archive's own, and exit with 0 if every check holds by it.
        #[arg(long, conflicts_with = "genesis")]
        trust_archive: bool,
        /// The quorum file that the archives must have, as you know it from elsewhere.
        #[arg(long, value_name = "FILE")]
        quorum: Option<PathBuf>,
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok((verdict, text)) => {
            // A closed pipe does not change the verdict.
            let _ = std::io::stdout().write_all(text.as_bytes());
            if verdict.accepted() {
                ExitCode::SUCCESS
            } else if verdict.holds() {
                ExitCode::from(NOT_PINNED)
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "radmesh-audit: {error}");
            ExitCode::from(2)
        }
    }
}

/// The verdict, and what to print.
fn run(command: Command) -> Result<(Verdict, String), FolderError> {
    let Command::Verify {
        archives,
        genesis,
        trust_archive,
        quorum,
        json: as_json,
    } = command;
    let quorum = quorum.map(|file| folder::digest(&file)).transpose()?;
    let folders = archives.iter().map(|path| Folder::open(path));
    let folders: Vec<Folder> = folders.collect::<Result<_, _>>()?;
    let labels: Vec<String> = archives
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let inputs: Vec<Input<'_>> = folders
        .iter()
        .zip(&labels)
        .map(|(source, label)| Input { label, source })
        .collect();
    let verdict = verify(
        &inputs,
        Options {
            genesis,
            trust_archive,
            quorum,
            stop_early: false,
        },
    );
    let text = if as_json {
        format!("{:#}\n", json::of(&verdict))
    } else {
        describe(&verdict)
    };
    Ok((verdict, text))
}
