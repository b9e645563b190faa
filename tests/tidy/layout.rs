//! The tree is what ARCHITECTURE.md says, every shipped configuration is loaded by a test, and
//! nothing was copied in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{files, none, read, root, rust_files};

/// Crates whose module folders the code map must list one by one.
const MAPPED: [&str; 4] = ["crypto/src", "protocol/src", "node/src", "sim/src"];

/// ARCHITECTURE.md has a section `## Code map`. Every name in back-quotes there that contains a `/`
/// or ends in `.rs`, `.toml` or `.md` is a path from the root; in a fenced block, the first word of
/// each line is.
#[test]
fn the_code_map_is_the_tree() {
    let listed = code_map(&read("ARCHITECTURE.md"));
    assert!(
        !listed.is_empty(),
        "ARCHITECTURE.md has no paths under `## Code map`"
    );
    let gone = listed.iter().filter(|path| !root().join(path).exists());
    none(
        "the code map lists what does not exist",
        gone.cloned().collect(),
    );

    let mut folders = BTreeSet::new();
    for name in files() {
        if let Some((top, _)) = name.split_once('/') {
            folders.insert(top.to_owned());
        }
        for source in MAPPED {
            let inside = name
                .strip_prefix(source)
                .and_then(|rest| rest.strip_prefix('/'));
            let module = inside
                .and_then(|rest| rest.rsplit_once('/'))
                .map(|(folder, _)| folder);
            folders.extend(module.map(|folder| format!("{source}/{folder}")));
        }
    }
    let unlisted = folders
        .into_iter()
        .filter(|folder| !listed.contains(folder));
    none(
        "folders that the code map does not list",
        unlisted.collect(),
    );
}

fn code_map(text: &str) -> BTreeSet<String> {
    let (mut inside, mut fenced) = (false, false);
    let mut listed = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("## ") {
            inside = line.to_lowercase().contains("code map");
        } else if inside && line.starts_with("```") {
            fenced = !fenced;
        } else if inside && fenced {
            listed.extend(line.split_whitespace().next().and_then(path));
        } else if inside {
            listed.extend(line.split('`').skip(1).step_by(2).filter_map(path));
        }
    }
    listed
}

fn path(name: &str) -> Option<String> {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let file = [".rs", ".toml", ".md"]
        .iter()
        .any(|end| name.ends_with(end));
    let is_path = plain && !name.starts_with('/') && (name.contains('/') || file);
    is_path.then(|| name.trim_end_matches('/').to_owned())
}

#[test]
fn a_code_map_is_read() {
    let text = "## Code map\n| `node/src/mesh/` | `Core`, `a b/c` |\n```\nsim/ the\n```\n\
                ## Other\n`x/y`\n";
    assert_eq!(Vec::from_iter(code_map(text)), ["node/src/mesh", "sim"]);
}

#[test]
fn every_configuration_is_loaded_by_a_test() {
    let tests: String = rust_files()
        .into_iter()
        .filter(|(name, text)| !name.starts_with("tests/tidy/") && text.contains("#[test]"))
        .map(|(_, text)| text)
        .collect();
    let unnamed = files().into_iter().filter(|name| {
        name.strip_prefix("configs/")
            .is_some_and(|inside| !tests.contains(inside))
    });
    none("configurations that no test names", unnamed.collect());
}

/// What lies beside the clone is read from there by tests, and never copied into it.
#[test]
fn nothing_is_copied_from_beside_the_clone() {
    let shared = root().join("../shared");
    if !shared.is_dir() {
        harness::skip(
            "nothing_is_copied_from_beside_the_clone",
            "no ../shared on this machine",
        );
        return;
    }
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for corpus in ["dicom", "malformed"] {
        let manifest = shared.join("data").join(corpus).join("MANIFEST.tsv");
        known.extend(manifest_hashes(&manifest));
    }
    for folder in ["design", "tools", "hooks"] {
        for entry in std::fs::read_dir(shared.join(folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            let Ok(bytes) = std::fs::read(entry.path()) else {
                continue;
            };
            known.insert(
                hex::encode(Sha256::digest(bytes)),
                entry.path().display().to_string(),
            );
        }
    }
    assert!(!known.is_empty(), "../shared has no MANIFEST.tsv");
    let copied = files().into_iter().filter_map(|name| {
        let bytes = std::fs::read(root().join(&name)).ok()?;
        let from = known.get(&hex::encode(Sha256::digest(bytes)))?;
        Some(format!("{name} is a copy of {from}"))
    });
    none("copies", copied.collect());
}

/// SHA-256 to name, from the columns `file` and `sha256` of a manifest.
fn manifest_hashes(manifest: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(manifest).unwrap_or_default();
    let mut lines = text
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let heading = lines.next().unwrap_or_default();
    let column = |name| heading.iter().position(|title| *title == name);
    let (Some(file), Some(sha256)) = (column("file"), column("sha256")) else {
        return Vec::new();
    };
    lines
        .filter_map(|line| {
            Some((
                (*line.get(sha256)?).to_owned(),
                (*line.get(file)?).to_owned(),
            ))
        })
        .collect()
}

#[test]
fn the_house_is_complete() {
    let needed = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "deny.toml",
        "clippy.toml",
        "crypto/clippy.toml",
        "protocol/clippy.toml",
        "sim/clippy.toml",
        "rust-toolchain.toml",
        ".ci/run",
        "scripts/setup",
        "scripts/demo",
        "scripts/test",
    ];
    let missing = needed.iter().filter(|name| !root().join(name).is_file());
    none(
        "missing files",
        missing.map(|name| (*name).to_owned()).collect(),
    );
}
