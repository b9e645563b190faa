//! `radmesh-audit`: the regulator's offline tool. It links no network, no storage engine, and by
//! default no policy engine; it reads folders and writes to standard output.

mod arguments;
mod folder;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use protocol::audit::query::{self, compare};
use protocol::audit::verify::{Input, Options, Verdict, describe, json, verify};

use arguments::{Arguments, Command, CompareArguments, QueryArguments, Trust, VerifyArguments};
use folder::{Folder, FolderError};

/// Exit code: every check holds, by a genesis that came with the archive.
const NOT_PINNED: u8 = 3;

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Verify(arguments) => run_verify(arguments),
        Command::Query(arguments) => run_query(arguments),
        Command::Compare(arguments) => run_compare(&arguments),
    };
    match done {
        Ok((code, text)) => {
            // A closed pipe does not change the verdict.
            let _ = std::io::stdout().write_all(text.as_bytes());
            code
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "radmesh-audit: {error}");
            ExitCode::from(2)
        }
    }
}

/// What a verdict alone exits with.
fn exit(verdict: &Verdict) -> ExitCode {
    if verdict.accepted() {
        ExitCode::SUCCESS
    } else if verdict.holds() {
        ExitCode::from(NOT_PINNED)
    } else {
        ExitCode::FAILURE
    }
}

fn options(trust: &Trust) -> Result<Options, FolderError> {
    let quorum = trust.quorum.as_ref().map(|file| folder::digest(file));
    Ok(Options {
        genesis: trust.genesis,
        trust_archive: trust.trust_archive,
        quorum: quorum.transpose()?,
        stop_early: false,
    })
}

/// Opens archives; each is called what it was called by whoever asks.
fn open(archives: &[PathBuf]) -> Result<Vec<(String, Folder)>, FolderError> {
    let opened = archives
        .iter()
        .map(|path| Ok((path.display().to_string(), Folder::open(path)?)));
    opened.collect()
}

fn inputs(archives: &[(String, Folder)]) -> Vec<Input<'_>> {
    let input = archives
        .iter()
        .map(|(label, source)| Input { label, source });
    input.collect()
}

fn run_verify(arguments: VerifyArguments) -> Result<(ExitCode, String), FolderError> {
    let options = options(&arguments.trust)?;
    let archives = open(&arguments.archives)?;
    let verdict = verify(&inputs(&archives), options);
    let text = if arguments.json {
        format!("{:#}\n", json::of(&verdict))
    } else {
        describe(&verdict)
    };
    Ok((exit(&verdict), text))
}

fn run_query(arguments: QueryArguments) -> Result<(ExitCode, String), FolderError> {
    let options = options(&arguments.trust)?;
    let ask = arguments.ask()?;
    let archives = open(&arguments.archives)?;
    let inputs = inputs(&archives);
    let verdict = verify(&inputs, options);
    let answer = query::answer(&inputs, (&verdict, options), &ask);
    let text = if arguments.json {
        format!("{:#}\n", query::json::of(&answer, &verdict))
    } else {
        query::verdict(&verdict) + &query::describe(&answer)
    };
    Ok((exit(&verdict), text))
}

/// A checkpoint that was kept needs no pinned genesis beside it: only the same log signs both.
fn run_compare(arguments: &CompareArguments) -> Result<(ExitCode, String), FolderError> {
    let options = options(&arguments.trust)?;
    let label = arguments.archive.display().to_string();
    let archive = Folder::open(&arguments.archive)?;
    let input = Input {
        label: &label,
        source: &archive,
    };
    let verdict = verify(&[input], options);
    let compared = if arguments.old.is_dir() {
        let old = Folder::open(&arguments.old)?;
        compare::compare(compare::Old::Archive(&old), &input, (&verdict, options))
    } else {
        let bytes = folder::small(&arguments.old, compare::CHECKPOINT_MAX)?;
        compare::compare(
            compare::Old::Checkpoint(&bytes),
            &input,
            (&verdict, options),
        )
    };
    let text = if arguments.json {
        format!("{:#}\n", query::json::of_comparison(&compared, &verdict))
    } else {
        query::verdict(&verdict) + &compare::describe(&compared)
    };
    let code = if compared.outcome.is_consistent() && verdict.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    Ok((code, text))
}
