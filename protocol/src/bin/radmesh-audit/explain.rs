//! `explain`: one release in sentences, its decision made again. It needs the policy engine.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::arguments::Trust;
use super::folder::FolderError;

/// Exit code: everything holds, and the decision cannot be made again.
#[cfg(feature = "audit-explain")]
const NOT_DECIDED: u8 = 4;

#[derive(Args)]
pub struct ExplainArguments {
    /// Folders written by `radmesh audit export`: the hospital's, and the reader's if you have it.
    #[arg(required = true, value_name = "DIR")]
    pub archives: Vec<PathBuf>,
    /// Index of the grant's or refusal's entry in the hospital's log (the fence), or the SHA-256 of
    /// the grant.
    #[arg(long, value_name = "INDEX|HASH")]
    pub release: String,
    #[command(flatten)]
    pub trust: Trust,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Why nothing is explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// An archive.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// `--release` names none.
    #[cfg(feature = "audit-explain")]
    #[error("--release: {0}")]
    Release(#[from] protocol::audit::explain::NoRelease),
    /// Built without the policy engine.
    #[cfg(not(feature = "audit-explain"))]
    #[error(
        "this build of radmesh-audit cannot explain a release: it has no policy engine. Build one \
         that can: cargo build --locked -p protocol --no-default-features --features audit-explain \
         --bin radmesh-audit"
    )]
    NoEngine,
}

/// Verifies archives and explains a release from them.
#[cfg(feature = "audit-explain")]
pub fn explain(arguments: &ExplainArguments) -> Result<(ExitCode, String), ExplainError> {
    use protocol::audit::explain::{self, Recomputed};
    use protocol::audit::{query, verify};

    use super::run;

    let release = arguments.release.parse::<explain::Release>()?;
    let options = run::options(&arguments.trust)?;
    let archives = run::open(&arguments.archives)?;
    let inputs = run::inputs(&archives);
    let verdict = verify::verify(&inputs, options);
    let explained = explain::explain(&inputs, (&verdict, options), release);
    let text = match (&explained, arguments.json) {
        (_, true) => format!("{:#}\n", explain::json::of(&explained, &verdict)),
        (Ok(explanation), false) => query::verdict(&verdict) + &explain::describe(explanation),
        (Err(error), false) => format!("{}NOT EXPLAINED: {error}.\n", query::verdict(&verdict)),
    };
    if !verdict.holds() {
        return Ok((ExitCode::FAILURE, text));
    }
    let code = match explained.map(|explanation| explanation.decision) {
        Err(_) => ExitCode::from(2),
        Ok(Recomputed::Differs(..)) => ExitCode::FAILURE,
        Ok(Recomputed::Cannot(_)) => ExitCode::from(NOT_DECIDED),
        Ok(Recomputed::Same(_)) => run::exit(&verdict),
    };
    Ok((code, text))
}

/// Says that this build cannot.
#[cfg(not(feature = "audit-explain"))]
pub const fn explain(_: &ExplainArguments) -> Result<(ExitCode, String), ExplainError> {
    Err(ExplainError::NoEngine)
}
