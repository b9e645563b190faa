//! What each command does: exit code and text.

use std::path::PathBuf;
use std::process::ExitCode;

use protocol::audit::query::{self, compare};
use protocol::audit::verify::{self, Input, Options, Verdict};

use super::arguments::{CompareArguments, QueryArguments, Trust, VerifyArguments};
use super::folder::{self, Folder, FolderError};

/// Exit code: every check holds, by a genesis that came with the archive.
const NOT_PINNED: u8 = 3;

/// What a verdict alone exits with.
pub(super) fn exit(verdict: &Verdict) -> ExitCode {
    if verdict.accepted() {
        ExitCode::SUCCESS
    } else if verdict.holds() {
        ExitCode::from(NOT_PINNED)
    } else {
        ExitCode::FAILURE
    }
}

pub(super) fn options(trust: &Trust) -> Result<Options, FolderError> {
    let quorum = trust.quorum.as_ref().map(|file| folder::digest(file));
    Ok(Options {
        genesis: trust.genesis,
        trust_archive: trust.trust_archive,
        quorum: quorum.transpose()?,
        stop_early: false,
    })
}

/// Opens archives; each is called what it was called by whoever asks.
pub(super) fn open(archives: &[PathBuf]) -> Result<Vec<(String, Folder)>, FolderError> {
    let opened = archives
        .iter()
        .map(|path| Ok((path.display().to_string(), Folder::open(path)?)));
    opened.collect()
}

pub(super) fn inputs(archives: &[(String, Folder)]) -> Vec<Input<'_>> {
    let input = archives
        .iter()
        .map(|(label, source)| Input { label, source });
    input.collect()
}

/// Verifies archives.
pub fn verify(arguments: &VerifyArguments) -> Result<(ExitCode, String), FolderError> {
    let options = options(&arguments.trust)?;
    let archives = open(&arguments.archives)?;
    let verdict = verify::verify(&inputs(&archives), options);
    let text = if arguments.json {
        format!("{:#}\n", verify::json::of(&verdict))
    } else {
        verify::describe(&verdict)
    };
    Ok((exit(&verdict), text))
}

/// Verifies archives and answers a question from them.
pub fn query(arguments: &QueryArguments) -> Result<(ExitCode, String), FolderError> {
    let options = options(&arguments.trust)?;
    let ask = arguments.ask()?;
    let archives = open(&arguments.archives)?;
    let inputs = inputs(&archives);
    let verdict = verify::verify(&inputs, options);
    let answer = query::answer(&inputs, (&verdict, options), &ask);
    let text = if arguments.json {
        format!("{:#}\n", query::json::of(&answer, &verdict))
    } else {
        query::verdict(&verdict) + &query::describe(&answer)
    };
    Ok((exit(&verdict), text))
}

/// Verifies an archive and compares it with what was kept.
///
/// A checkpoint that was kept needs no pinned genesis beside it: only the same log signs both.
pub fn compare(arguments: &CompareArguments) -> Result<(ExitCode, String), FolderError> {
    let options = options(&arguments.trust)?;
    let label = arguments.archive.display().to_string();
    let archive = Folder::open(&arguments.archive)?;
    let input = Input {
        label: &label,
        source: &archive,
    };
    let verdict = verify::verify(&[input], options);
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
