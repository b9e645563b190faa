//! Dead files: a Rust file that no target reaches through `mod` is compiled by nobody and checked
//! by nothing.

use std::collections::BTreeSet;

use crate::code::strip;
use crate::manifest::metadata;
use crate::{none, root, rust_files};

#[test]
fn every_rust_file_is_compiled() {
    let files: BTreeSet<String> = rust_files().into_iter().map(|(name, _)| name).collect();
    let mut reached = BTreeSet::new();
    let mut open: Vec<(String, bool)> = target_roots()
        .into_iter()
        .map(|name| (name, true))
        .collect();
    while let Some((name, is_root)) = open.pop() {
        if reached.insert(name.clone()) {
            let children = children(&name, is_root, &files);
            open.extend(children.into_iter().map(|child| (child, false)));
        }
    }
    none(
        "no target reaches these files",
        files.difference(&reached).cloned().collect(),
    );
}

/// The first file of each target of the workspace, from the root.
fn target_roots() -> Vec<String> {
    let top = format!("{}/", root().display());
    let metadata = metadata();
    let packages = metadata["packages"]
        .as_array()
        .expect("cargo metadata lists packages");
    let members = metadata["workspace_members"]
        .as_array()
        .expect("and members");
    packages
        .iter()
        .filter(|package| members.contains(&package["id"]))
        .flat_map(|package| package["targets"].as_array().into_iter().flatten())
        .filter_map(|target| {
            target["src_path"]
                .as_str()?
                .strip_prefix(&top)
                .map(str::to_owned)
        })
        .collect()
}

/// The files that `name` declares with `mod x;`, `#[path]` or `include!`.
fn children(name: &str, is_root: bool, files: &BTreeSet<String>) -> Vec<String> {
    let Ok(text) = std::fs::read_to_string(root().join(name)) else {
        return Vec::new();
    };
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let own = if is_root || file == "mod.rs" {
        folder.to_owned()
    } else {
        name.trim_end_matches(".rs").to_owned()
    };
    let code = strip(&text);
    let mut found = Vec::new();
    let mut path = None;
    for (line, raw) in code.lines().zip(text.lines()) {
        if let Some(named) = quoted_after(raw, "#[path = ").or(quoted_after(raw, "include!(")) {
            path = Some(normal(&format!("{folder}/{named}")));
            found.extend(path.clone());
            continue;
        }
        if let (Some(module), None) = (declared(line), path.take()) {
            found.push(format!("{own}/{module}.rs"));
            found.push(format!("{own}/{module}/mod.rs"));
            found.push(format!("{own}/tests/{module}.rs"));
        }
    }
    found.retain(|candidate| files.contains(candidate));
    found
}

/// The name in `mod name;`, whatever its visibility.
fn declared(line: &str) -> Option<&str> {
    let rest = line.trim().strip_suffix(';')?;
    let (before, name) = rest
        .rsplit_once("mod ")
        .or_else(|| Some(("", rest.strip_prefix("mod ")?)))?;
    let visible = before.is_empty() || before.starts_with("pub") || before.starts_with("#[");
    visible
        .then(|| name.trim())
        .filter(|n| n.chars().all(|c| c.is_alphanumeric() || c == '_'))
}

fn quoted_after<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.trim().strip_prefix(start)?.split('"').nth(1)
}

/// `a/../b` as `b`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[test]
fn a_declaration_is_read() {
    assert_eq!(declared("mod a;"), Some("a"));
    assert_eq!(declared("    pub(crate) mod b_1;"), Some("b_1"));
    assert_eq!(declared("#[cfg(test)] mod c;"), Some("c"));
    assert_eq!(declared("mod d {"), None);
    assert_eq!(declared("let x = mod_e;"), None);
    assert_eq!(normal("tests/faults/../harness/x.rs"), "tests/harness/x.rs");
}
