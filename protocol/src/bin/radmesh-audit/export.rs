//! The export: verify first, then one message after another, to a new file or to standard output.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use protocol::audit::export::{Form, Standing, Stopped, Walked, walk};
use protocol::audit::query;
use protocol::audit::verify::{self, Input, Verdict};

use super::arguments::ExportArguments;
use super::folder::FolderError;
use super::run;

/// Why an export fails.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    /// An archive cannot be opened.
    #[error("{0}")]
    Folder(#[from] FolderError),
    /// The file is there, or cannot be made.
    #[error("{}: {source}; name a file that does not exist yet", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// The system's complaint.
        source: std::io::Error,
    },
    /// What was written is not whole.
    #[error("not everything could be written: {0}")]
    Write(#[from] std::io::Error),
}

/// Verifies archives and exports their entries. What is to be said of it goes to standard error.
pub fn run(arguments: &ExportArguments) -> ExitCode {
    match export(arguments) {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("radmesh-audit: {error}\n"));
            ExitCode::from(2)
        }
    }
}

fn export(arguments: &ExportArguments) -> Result<ExitCode, ExportError> {
    let options = run::options(&arguments.trust)?;
    let archives = run::open(&arguments.archives)?;
    let inputs = run::inputs(&archives);
    let verdict = verify::verify(&inputs, options);
    tell(&query::verdict(&verdict));
    let standing = standing(&verdict);
    if standing == Standing::NotVerified && !arguments.unverified {
        tell("Nothing was exported. With --unverified it is, and every message says so.\n");
        return Ok(ExitCode::FAILURE);
    }
    let of = (&inputs[..], &verdict, standing);
    let walked = match &arguments.out {
        None => {
            let written = write(of, arguments.form, std::io::stdout().lock());
            // A closed pipe wants no more; that is no fault of the export.
            let closed = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
            match written {
                Err(error) if closed(&error) => return Ok(run::exit(&verdict)),
                written => written?,
            }
        }
        Some(path) => to_file(of, arguments.form, path)?,
    };
    let unread = match walked.unread {
        0 => String::new(),
        unread => format!("; {unread} entries are missing or do not read"),
    };
    let (entries, form) = (walked.entries, arguments.form);
    tell(&format!("Exported {entries} entries as {form}{unread}.\n"));
    Ok(run::exit(&verdict))
}

fn standing(verdict: &Verdict) -> Standing {
    if verdict.accepted() {
        Standing::Verified
    } else if verdict.holds() {
        Standing::NotPinned
    } else {
        Standing::NotVerified
    }
}

/// Inputs, what the verification said of them, and what that makes of every message.
type Of<'a> = (&'a [Input<'a>], &'a Verdict, Standing);

/// Writes to a new file. A file that could not be finished is removed.
#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the tool's one way to write a file: it never replaces one"
)]
fn to_file(of: Of<'_>, form: Form, path: &Path) -> Result<Walked, ExportError> {
    let created = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    let file = created.map_err(|source| ExportError::Create {
        path: path.to_owned(),
        source,
    })?;
    let written = write(of, form, &file).and_then(|walked| file.sync_all().map(|()| walked));
    if written.is_err() {
        // It is ours: it did not exist before. What cannot be removed stays, and the exit code says
        // that it is not whole.
        let _ = std::fs::remove_file(path);
    }
    Ok(written?)
}

/// Writes every message of every archive. One message is in memory at a time.
fn write(of: Of<'_>, form: Form, to: impl Write) -> std::io::Result<Walked> {
    let (inputs, verdict, standing) = of;
    let mut to = BufWriter::new(to);
    to.write_all(&form.opening())?;
    let mut all = Walked::default();
    for (input, report) in inputs.iter().zip(&verdict.archives) {
        let mut failed = None;
        let walked = walk((input, report), standing, &mut |event| {
            to.write_all(&form.message(event)).map_err(|error| {
                failed = Some(error);
                Stopped
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        if let Ok(walked) = walked {
            all.entries += walked.entries;
            all.unread += walked.unread;
        }
    }
    to.flush()?;
    Ok(all)
}

fn tell(text: &str) {
    // Nobody may be listening; the exit code says the same.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
