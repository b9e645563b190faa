//! Taste is a test: lengths, headers, dead files, banned words, manifests and layout.
//!
//! Each test collects every offence and prints them all with the place and the mend. Nothing here
//! looks at behaviour.

mod code;
mod layout;
mod manifest;
mod reach;
mod source;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The top of the clone.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ has a parent")
        .to_path_buf()
}

/// Every file that git tracks, or would track if it were added, as a path from the root with `/`.
fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root())
        .output()
        .expect("git is needed to list the files of the clone");
    assert!(
        listed.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let mut files: Vec<String> = names
        .split('\0')
        .filter(|name| !name.is_empty() && root().join(name).is_file())
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    files
}

/// The Rust files of the clone with their text.
fn rust_files() -> Vec<(String, String)> {
    files()
        .into_iter()
        .filter(|name| name.ends_with(".rs"))
        .map(|name| {
            let text = read(&name);
            (name, text)
        })
        .collect()
}

/// The text of a file named from the root.
fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Fails with every offence, or passes.
fn none(rule: &str, offences: Vec<String>) {
    assert!(
        offences.is_empty(),
        "{rule}:\n  {}\n",
        offences.join("\n  ")
    );
}
