//! Words that must not stay in the tree: leftovers, and how the project was made.
//!
//! The words are put together from halves here, so that this file does not contain them.

use crate::{files, none, read, root};

/// What may not stand in Rust code.
fn leftovers() -> Vec<String> {
    [
        ["todo", "!("],
        ["unimplemented", "!("],
        ["dbg", "!("],
        ["#[igno", "re"],
        ["panic!(\"TO", "DO"],
    ]
    .iter()
    .map(|halves| halves.concat())
    .collect()
}

/// What may not stand in any text file, whatever the case of its letters.
fn everywhere() -> Vec<String> {
    [
        ["fix", "me"],
        ["xx", "x:"],
        ["/var/", "wt"],
        ["/tmp/bash", "_jobs"],
        ["/root", "/."],
        ["this ses", "sion"],
        ["previous ses", "sion"],
        ["later ses", "sion"],
        ["ai ag", "ent"],
        ["coding ag", "ent"],
        ["sub-ag", "ent"],
        ["subag", "ent"],
        ["language mo", "del"],
        ["anthro", "pic"],
        ["clau", "de"],
        ["chat", "gpt"],
        ["open", "ai"],
        ["as an a", "i "],
        ["worktree of the le", "ad"],
    ]
    .iter()
    .map(|halves| halves.concat())
    .collect()
}

/// A folder of the machine where a text was written, as a whole name and not as a part of one.
fn machine_folder(line: &str) -> bool {
    let folder = ["/wo", "rk"].concat();
    line.match_indices(&folder).any(|(at, _)| {
        let after = line[at + folder.len()..].chars().next();
        let before = line[..at].chars().next_back();
        let whole = after.is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '_');
        whole && before.is_none_or(|c| c.is_whitespace() || "\"'`(=:".contains(c))
    })
}

#[test]
fn no_leftovers() {
    let (in_code, in_text) = (leftovers(), everywhere());
    let mut found = Vec::new();
    for name in files() {
        if name == "Cargo.lock" {
            continue;
        }
        // Binary test vectors are not text.
        let Ok(text) = std::fs::read_to_string(root().join(&name)) else {
            continue;
        };
        for (at, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            let code = in_code
                .iter()
                .filter(|word| name.ends_with(".rs") && line.contains(*word));
            for word in code.chain(in_text.iter().filter(|word| lower.contains(*word))) {
                found.push(format!("{name}:{}: {word}", at + 1));
            }
            if machine_folder(line) {
                found.push(format!("{name}:{}: a folder of one machine", at + 1));
            }
        }
    }
    none("words that must not stay", found);
}

#[test]
fn a_folder_counts_as_a_whole_name() {
    let folder = ["/wo", "rk"].concat();
    assert!(machine_folder(&format!("see {folder}/x")));
    assert!(!machine_folder(&format!("POST {folder}items")));
    assert!(!machine_folder(&format!("src{folder}/x")));
}

/// A script that goes on after a failed command does harm.
#[test]
fn shell_scripts_stop_at_errors() {
    let mut loose = Vec::new();
    for name in files() {
        let Ok(text) = std::fs::read_to_string(root().join(&name)) else {
            continue;
        };
        if !text.starts_with("#!") || !text.lines().next().is_some_and(|l| l.contains("sh")) {
            continue;
        }
        let first = text
            .lines()
            .find(|line| !line.starts_with('#') && !line.trim().is_empty());
        if first != Some("set -euo pipefail") {
            loose.push(name);
        }
    }
    none(
        "the first command of a script is `set -euo pipefail`",
        loose,
    );
}

/// User-visible changes only, in the shape of Keep a Changelog 1.1.0.
#[test]
fn the_changelog_keeps_its_shape() {
    let kinds = [
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    ];
    let mut odd = Vec::new();
    for (at, line) in read("CHANGELOG.md").lines().enumerate() {
        let fine = match line.strip_prefix("## ") {
            Some(version) => version.starts_with('['),
            None => line
                .strip_prefix("### ")
                .is_none_or(|kind| kinds.contains(&kind)),
        };
        if !fine {
            odd.push(format!("CHANGELOG.md:{}: {line}", at + 1));
        }
    }
    none("headings of CHANGELOG.md", odd);
}
