//! Where things are: the built binaries, the Python environment, the inputs beside the clone; and
//! skipping by name.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A binary of the workspace, next to the running test: `target/debug/radmesh` for
/// `target/debug/deps/tidy-…`.
///
/// # Errors
/// Names the command that builds it where it is missing.
pub fn binary(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe().context("the running test has no path")?;
    let folder = test
        .parent()
        .and_then(Path::parent)
        .context("the test is in no target folder")?;
    let binary = folder.join(name);
    if !binary.is_file() {
        bail!(
            "{} is not built: cargo build --workspace --bins",
            binary.display()
        );
    }
    Ok(binary)
}

/// The Python with pydicom and its companions that `scripts/setup` made.
///
/// # Errors
/// Says to run the set-up where it is missing.
pub fn python() -> Result<PathBuf> {
    let python = match (std::env::var_os("RADMESH_PYTHON"), cache()) {
        (Some(python), _) => PathBuf::from(python),
        (None, Some(cache)) => cache.join("venv/bin/python"),
        (None, None) => bail!("no RADMESH_PYTHON, RADMESH_CACHE or HOME in the environment"),
    };
    if !python.is_file() {
        bail!("{} is missing: run scripts/setup", python.display());
    }
    Ok(python)
}

/// The cache of `scripts/env`.
pub fn cache() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    named("RADMESH_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|home| home.join("radmesh")))
        .or_else(|| named("HOME").map(|home| home.join(".cache/radmesh")))
}

/// Whether the full runs are asked for (`scripts/test --long`).
#[must_use]
pub fn long() -> bool {
    std::env::var_os("RADMESH_LONG").is_some()
}

/// Says how far a full run is, to the stream itself, which the test runner does not capture.
pub fn tell(progress: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "{progress}");
}

/// Says that a test did not run, so that the count at the end of `scripts/test` says so too.
///
/// Written to the stream itself, which the test runner does not capture, and on a line of its own:
/// the runner may have begun one.
pub fn skip(test: &str, why: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "\nskipped: {test}: {why}");
}

/// A file or folder under `../shared/data`; `None`, and counted as skipped, on a machine without
/// `../shared`.
///
/// # Errors
/// Where `../shared` exists and lacks it, or `RADMESH_REQUIRE_CORPUS=1` asks for it: a corpus that
/// silently went away would let its tests pass.
pub fn corpus(test: &str, name: &str) -> Result<Option<PathBuf>> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let path = shared.join("data").join(name);
    if path.exists() {
        return Ok(Some(path));
    }
    let required = std::env::var("RADMESH_REQUIRE_CORPUS").is_ok_and(|value| value == "1");
    if shared.exists() || required {
        bail!("{} is missing", path.display());
    }
    skip(test, "no ../shared on this machine");
    Ok(None)
}
