//! `radmesh-audit`: the regulator's offline tool. It links no network, no storage engine, and by
//! default no policy engine; it reads folders and writes to standard output.

mod folder;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use crypto::digest::Digest;
use protocol::audit::verify::{Input, Options, describe, json, verify};

use folder::{Folder, FolderError};

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
    /// Exit code 0 only if everything holds, 1 if anything fails, 2 if an archive cannot be opened.
    Verify {
        /// Folders written by `radmesh audit export`.
        #[arg(required = true, value_name = "DIR")]
        archives: Vec<PathBuf>,
        /// SHA-256 of the consortium's genesis, as you know it from elsewhere.
        #[arg(long, value_name = "HASH", value_parser = Digest::from_hex)]
        genesis: Option<Digest>,
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let Command::Verify {
        archives,
        genesis,
        json,
    } = Arguments::parse().command;
    match run(&archives, genesis, json) {
        Ok((holds, text)) => {
            // A closed pipe does not change the verdict.
            let _ = std::io::stdout().write_all(text.as_bytes());
            if holds {
                ExitCode::SUCCESS
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

/// Whether everything holds, and what to print.
fn run(
    archives: &[PathBuf],
    genesis: Option<Digest>,
    as_json: bool,
) -> Result<(bool, String), FolderError> {
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
            stop_early: false,
        },
    );
    let text = if as_json {
        format!("{:#}\n", json::of(&verdict))
    } else {
        describe(&verdict)
    };
    Ok((verdict.holds(), text))
}
