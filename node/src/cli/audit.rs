//! `radmesh audit`: write a log's archive, and verify archives as the regulator's tool does.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use crypto::digest::Digest;
use crypto::log::quorum::MAX_POLICY_LEN;
use protocol::audit::sided::{self, OneSided, one_sided};
use protocol::audit::verify::{Input, Options, Verdict, describe, json, verify};
use serde_json::json;

use crate::archive::{ExportSource, Exported, Folder, FolderError, export};
use crate::files::{self, FileError};

/// The audit log, for others.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum AuditCommand {
    /// Write the log with all that proves it into a folder.
    Export(ExportArguments),
    /// Verify archives, each by itself and all against one another.
    Verify(VerifyArguments),
}

/// What `radmesh audit export` is told.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
pub struct ExportArguments {
    /// Folder to write; it must be empty or absent.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What `radmesh audit verify` is told.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
pub struct VerifyArguments {
    /// Folders written by `radmesh audit export`.
    #[arg(required = true, value_name = "DIR")]
    pub archives: Vec<PathBuf>,
    /// What to trust.
    #[command(flatten)]
    pub trust: TrustArguments,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What a verification rests on.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustArguments {
    /// SHA-256 of the consortium's genesis, as you know it from elsewhere.
    #[arg(long, value_name = "HASH", value_parser = Digest::from_hex)]
    pub genesis: Option<Digest>,
    /// Without --genesis: take the archive's own, and accept what holds by it.
    #[arg(long, conflicts_with = "genesis")]
    pub trust_archive: bool,
    /// The quorum file that the archives must have, as you know it from elsewhere.
    #[arg(long, value_name = "FILE")]
    pub quorum: Option<PathBuf>,
}

impl TrustArguments {
    /// The same, with the quorum file read.
    ///
    /// # Errors
    /// The quorum file cannot be read.
    pub fn options(&self) -> Result<Options, FileError> {
        let quorum = self.quorum.as_ref();
        let quorum = quorum.map(|file| files::read(file, MAX_POLICY_LEN as u64));
        Ok(Options {
            genesis: self.genesis,
            trust_archive: self.trust_archive,
            quorum: quorum.transpose()?.map(|bytes| Digest::sha256(&bytes)),
            stop_early: false,
        })
    }
}

impl ExportArguments {
    /// Exports the log behind `source` and says what was written.
    ///
    /// # Errors
    /// Whatever kept the archive from being written; the folder is as it was.
    pub fn run<S: ExportSource>(&self, source: &S) -> anyhow::Result<ExitCode> {
        let exported = export(source, &self.folder).context("audit export")?;
        let text = if self.json {
            format!("{:#}\n", summary(&exported))
        } else {
            let Exported {
                folder,
                origin,
                entries,
                files,
                bytes,
            } = &exported;
            let folder = folder.display();
            format!("{folder}: {entries} entries of {origin}, {files} files, {bytes} bytes\n")
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

impl VerifyArguments {
    /// Verifies the archives and prints the verdict.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn run(&self) -> anyhow::Result<Verdict> {
        let verdict = verify_folders(&self.archives, self.trust.options()?)?;
        let text = if self.json {
            format!("{:#}\n", json::of(&verdict))
        } else {
            describe(&verdict)
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(verdict)
    }
}

/// What `radmesh audit reconcile` is told.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
pub struct ReconcileArguments {
    /// Folders written by `radmesh audit export`: your own archive first, then the peers'.
    #[arg(required = true, num_args = 2.., value_name = "DIR")]
    pub archives: Vec<PathBuf>,
    /// What to trust.
    #[command(flatten)]
    pub trust: TrustArguments,
}

impl ReconcileArguments {
    /// Verifies the archives, compares both sides of every release, and prints what only one side
    /// shows.
    ///
    /// # Errors
    /// A folder that cannot be listed, a quorum file that cannot be read, a closed output.
    pub fn run(&self, as_json: bool) -> anyhow::Result<(OneSided, Verdict)> {
        let options = self.trust.options()?;
        let (found, verdict) = with_inputs(&self.archives, |inputs| {
            let verdict = verify(inputs, options);
            (one_sided(inputs, &verdict), verdict)
        })?;
        let text = if as_json {
            format!("{:#}\n", sided::json(&found, &verdict))
        } else {
            sided::describe(&found, &verdict)
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok((found, verdict))
    }
}

/// Verifies the archives in folders, each by itself and all against one another.
///
/// # Errors
/// [`FolderError`].
pub fn verify_folders(archives: &[PathBuf], options: Options) -> Result<Verdict, FolderError> {
    with_inputs(archives, |inputs| verify(inputs, options))
}

/// Opens folders as archives, each labelled with its path, for `use_them`.
fn with_inputs<T>(
    archives: &[PathBuf],
    use_them: impl FnOnce(&[Input<'_>]) -> T,
) -> Result<T, FolderError> {
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
    Ok(use_them(&inputs))
}

fn summary(exported: &Exported) -> serde_json::Value {
    json!({
        "folder": exported.folder.display().to_string(),
        "origin": exported.origin,
        "entries": exported.entries,
        "files": exported.files,
        "bytes": exported.bytes,
    })
}
