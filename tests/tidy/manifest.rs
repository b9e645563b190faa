//! Who may depend on whom, which licences are linked, and that versions and lints are written once.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::{none, read, root};

/// What `cargo metadata` says of the workspace on the platform that it is tested on.
pub fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let args = [
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            &platform,
        ];
        serde_json::from_str(&cargo(&args)).expect("cargo metadata prints JSON")
    })
}

fn cargo(args: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let done = Command::new(cargo)
        .args(args)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        done.status.success(),
        "cargo {args:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).expect("cargo prints UTF-8")
}

/// `what` of each crate that `package` links with all its features: normal dependencies,
/// transitively.
fn linked(package: &str, what: &str) -> BTreeSet<String> {
    let scope = [
        "tree",
        "--locked",
        "--all-features",
        "-e",
        "normal",
        "--prefix",
        "none",
    ];
    let mut args = scope.to_vec();
    args.extend(["-f", what]);
    args.extend(if package.is_empty() {
        vec!["--workspace"]
    } else {
        vec!["-p", package]
    });
    let lines = cargo(&args);
    // Between the trees of two members stands an empty line.
    let lines = lines.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect()
}

/// The names of a package's own dependencies, by kind (`normal`, `dev`, `build`).
fn direct(package: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let packages = metadata()["packages"]
        .as_array()
        .expect("cargo metadata lists packages");
    let found = packages
        .iter()
        .find(|p| p["name"] == package && p["source"].is_null());
    let found = found.unwrap_or_else(|| panic!("no package {package} in the workspace"));
    for dependency in found["dependencies"].as_array().into_iter().flatten() {
        let kind = dependency["kind"].as_str().unwrap_or("normal").to_owned();
        let name = dependency["name"].as_str().unwrap_or_default().to_owned();
        kinds.entry(kind).or_default().insert(name);
    }
    kinds
}

/// Clocks, sockets, disks and entropy enter these crates as arguments only.
#[test]
fn pure_crates_stay_pure() {
    let mut impure = Vec::new();
    for package in ["crypto", "protocol", "sim"] {
        for line in linked(package, "{p}") {
            let name = line.split(' ').next().unwrap_or_default();
            let banned = [
                "tokio", "mio", "quinn", "socket2", "async-io", "rocksdb", "hyper",
            ];
            let family = ["libp2p", "librocksdb", "tokio-"]
                .iter()
                .any(|f| name.starts_with(f));
            if banned.contains(&name) || family {
                impure.push(format!("{package} reaches {name}"));
            }
        }
        let normal = direct(package).remove("normal").unwrap_or_default();
        for name in [
            "getrandom",
            "rand",
            "rustix",
            "libc",
            "time",
            "chrono",
            "tempfile",
        ] {
            if normal.contains(name) {
                impure.push(format!("{package} depends on {name}"));
            }
        }
    }
    none("what crypto, protocol and sim must not see", impure);
}

/// The layers of ARCHITECTURE.md: crypto <- protocol <- node, and sim and tests beside.
#[test]
fn layers_point_down() {
    let allowed = [
        ("crypto", vec![]),
        ("protocol", vec!["crypto"]),
        ("sim", vec!["crypto", "protocol"]),
        ("node", vec!["crypto", "protocol", "sim"]),
        ("integration", vec!["crypto", "protocol", "sim", "node"]),
    ];
    let ours: Vec<&str> = allowed.iter().map(|(package, _)| *package).collect();
    let mut upward = Vec::new();
    for (package, may) in &allowed {
        for name in direct(package).values().flatten() {
            if ours.contains(&name.as_str()) && !may.contains(&name.as_str()) {
                upward.push(format!("{package} depends on {name}"));
            }
        }
    }
    let members = metadata()["workspace_members"]
        .as_array()
        .map_or(0, Vec::len);
    assert_eq!(
        members,
        ours.len(),
        "a new crate needs its place in the layers here"
    );
    none("dependencies against the layers", upward);
}

#[test]
fn network_and_storage_are_the_shells_alone() {
    let mut others = Vec::new();
    for package in metadata()["packages"].as_array().into_iter().flatten() {
        let by = package["name"].as_str().unwrap_or_default();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = dependency["name"].as_str().unwrap_or_default();
            if ["libp2p", "rocksdb"].contains(&name) && by != "node" {
                others.push(format!("{by} depends on {name}"));
            }
        }
    }
    none(
        "libp2p and rocksdb are direct dependencies of node alone",
        others,
    );
    let tls = ["openssl", "openssl-sys", "native-tls"];
    let linked = linked("", "{p}");
    let linked = linked.iter().filter_map(|line| line.split(' ').next());
    none(
        "one TLS library",
        linked
            .filter(|name| tls.contains(name))
            .map(str::to_owned)
            .collect(),
    );
}

#[test]
fn versions_and_lints_are_written_once() {
    let mut own = Vec::new();
    let workspace: toml::Table = read("Cargo.toml").parse().expect("Cargo.toml is TOML");
    let members = workspace["workspace"]["members"]
        .as_array()
        .expect("members")
        .clone();
    for member in members.iter().filter_map(toml::Value::as_str) {
        let name = format!("{member}/Cargo.toml");
        let manifest: toml::Table = read(&name).parse().expect("a manifest is TOML");
        let inherits = |value: Option<&toml::Value>| {
            value
                .and_then(|v| v.get("workspace"))
                .and_then(toml::Value::as_bool)
                == Some(true)
        };
        if !inherits(manifest.get("lints")) {
            own.push(format!("{name}: [lints] workspace = true"));
        }
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if !inherits(manifest["package"].get(key)) {
                own.push(format!("{name}: {key}.workspace = true"));
            }
        }
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let dependencies = manifest.get(section).and_then(toml::Value::as_table);
            for (dependency, value) in dependencies.into_iter().flatten() {
                if !inherits(Some(value)) {
                    own.push(format!("{name}: {dependency}.workspace = true"));
                }
            }
        }
    }
    none("what a crate takes from the workspace", own);
}

/// deny.toml says it for people who run cargo-deny; this says it for everyone.
#[test]
fn licences_are_permissive() {
    let deny: toml::Table = read("deny.toml").parse().expect("deny.toml is TOML");
    let allow = deny["licenses"]["allow"]
        .as_array()
        .expect("a list of licences");
    let allow: Vec<&str> = allow.iter().filter_map(toml::Value::as_str).collect();
    let refused = linked("", "{p}\t{l}").into_iter().filter(|line| {
        let licence = line.rsplit('\t').next().unwrap_or_default();
        !permits(licence, &allow)
    });
    none("licences that deny.toml does not allow", refused.collect());
}

/// Whether a licence expression (SPDX, or the older `A/B`) can be met by allowed licences.
/// Parentheses are flat in every manifest seen: an AND of ORs.
fn permits(expression: &str, allow: &[&str]) -> bool {
    let all = expression.replace(['(', ')'], "").replace('/', " OR ");
    all.split(" AND ")
        .all(|any| any.split(" OR ").any(|one| allow.contains(&one.trim())))
}

#[test]
fn a_licence_expression_is_read() {
    let allow = ["MIT", "ISC"];
    assert!(permits("Apache-2.0 OR MIT", &allow));
    assert!(permits("Apache-2.0/MIT", &allow));
    assert!(permits("ISC AND (Apache-2.0 OR MIT)", &allow));
    assert!(!permits("ISC AND GPL-3.0", &allow));
    assert!(!permits("", &allow));
}
