//! `report`: the verdict and every answer on one HTML page, written as a new file.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use protocol::audit::query::{self, Question};
use protocol::audit::{report, verify};

use super::arguments::{Limits, Trust};
use super::folder::FolderError;
use super::run;

#[derive(Args)]
pub struct ReportArguments {
    /// Folders written by `radmesh audit export`.
    #[arg(required = true, value_name = "DIR")]
    pub archives: Vec<PathBuf>,
    /// The page; a file that is there already is not touched.
    #[arg(long, value_name = "FILE")]
    pub html: PathBuf,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub trust: Trust,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// An archive.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Something is there.
    #[error("{}: it is there already; name a new file", .0.display())]
    Exists(PathBuf),
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's complaint.
        source: std::io::Error,
    },
}

/// Verifies archives and writes the page about them.
pub fn report(arguments: &ReportArguments) -> Result<(ExitCode, String), PageError> {
    if arguments.html.symlink_metadata().is_ok() {
        // Said before hours of verifying.
        return Err(PageError::Exists(arguments.html.clone()));
    }
    let options = run::options(&arguments.trust)?;
    let archives = run::open(&arguments.archives)?;
    let inputs = run::inputs(&archives);
    let verdict = verify::verify(&inputs, options);
    let ask = arguments.limits.ask(Question::Complete);
    let page = report::render(&inputs, (&verdict, options), &ask);
    write_new(&arguments.html, page.as_bytes())?;
    let text = format!(
        "{}The report is in {}.\n",
        query::verdict(&verdict),
        arguments.html.display()
    );
    Ok((run::exit(&verdict), text))
}

/// Writes a file that was not there, whole or not at all, for its owner alone: a page may have
/// reasons in words. It is written beside its place and moved there when it is durable.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), PageError> {
    let mut partial = OsString::from(path);
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PageError::Write { path, source }
    };
    let mut file = create_new(&partial).map_err(failed(&partial))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    // The place is taken by whoever makes the file first: nothing is written over.
    let placed = written.map_err(failed(&partial)).and_then(|()| {
        create_new(path).map_err(|source| {
            if source.kind() == std::io::ErrorKind::AlreadyExists {
                PageError::Exists(path.to_owned())
            } else {
                failed(path)(source)
            }
        })
    });
    let moved = placed.and_then(|_| rename(&partial, path).map_err(failed(path)));
    if moved.is_err() {
        remove(&partial);
        return moved;
    }
    sync_folder(path).map_err(failed(path))
}

/// A new file, which only its owner reads.
#[expect(clippy::disallowed_types, reason = "the tool writes one file")]
fn create_new(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[expect(clippy::disallowed_methods, reason = "the tool writes one file")]
fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(from, to)
}

/// What is left of a page that could not be written; its removal failing changes nothing.
#[expect(clippy::disallowed_methods, reason = "the tool writes one file")]
fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// Makes the new name durable.
#[cfg(unix)]
#[expect(clippy::disallowed_types, reason = "the tool writes one file")]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|parent| *parent != Path::new(""));
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Where folders cannot be synced, the system does it.
#[cfg(not(unix))]
const fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests look at files")]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_written_once_and_never_over_another() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("page.html");
        write_new(&path, b"first").expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"first");
        let again = write_new(&path, b"second").expect_err("it is there");
        assert!(matches!(again, PageError::Exists(_)), "{again}");
        assert_eq!(std::fs::read(&path).expect("there"), b"first");
        // Nothing is left beside it.
        let items = std::fs::read_dir(root.path()).expect("lists").count();
        assert_eq!(items, 1);
        let nowhere = root.path().join("absent/page.html");
        let refused = write_new(&nowhere, b"page").expect_err("no folder");
        assert!(matches!(refused, PageError::Write { .. }), "{refused}");
    }

    #[cfg(unix)]
    #[test]
    fn a_page_is_its_owners_alone_and_a_link_is_not_followed() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("page.html");
        write_new(&path, b"page").expect("written");
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let (link, target) = (root.path().join("link"), root.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).expect("made");
        let refused = write_new(&link, b"page").expect_err("a link is there");
        assert!(matches!(refused, PageError::Exists(_)), "{refused}");
        assert!(target.symlink_metadata().is_err());
    }
}
