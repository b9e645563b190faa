//! Rules about single Rust files: length, width, header, and which crate a file may name.

use crate::code::{functions, lines_before_tests, strip};
use crate::{none, rust_files};

/// A file longer than this holds more than one concern.
const FILE_LINES_MAX: usize = 600;
/// Past this many lines before its tests a file is to be split soon: said, not failed.
const FILE_LINES_WARN: usize = 400;
const FILE_LINES_MEDIAN_MAX: usize = 250;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Functions that may stay longer than the limit: `(file, function, lines)`. A ratchet: an entry
/// may shrink or go, and is removed when its function is short enough.
const LONG_FUNCTIONS: [(&str, &str, usize); 0] = [];

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    let mut lengths = Vec::new();
    for (name, text) in rust_files() {
        let lines = text.lines().count();
        lengths.push(lines);
        if lines > FILE_LINES_MAX {
            long.push(format!("{name}: {lines} lines, split it by concern"));
        } else if lines_before_tests(&text) > FILE_LINES_WARN {
            println!(
                "{name}: {} lines before its tests",
                lines_before_tests(&text)
            );
        }
    }
    none("at most 600 lines a file", long);
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(
        median < FILE_LINES_MEDIAN_MAX,
        "the median Rust file has {median} lines"
    );
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    let mut used = Vec::new();
    for (name, text) in rust_files() {
        for function in functions(&strip(&text)) {
            if function.lines <= FUNCTION_LINES_MAX {
                continue;
            }
            let allowed = LONG_FUNCTIONS
                .iter()
                .find(|(file, f, _)| *file == name && *f == function.name);
            match allowed {
                Some(entry) if function.lines <= entry.2 => used.push(*entry),
                _ => long.push(format!(
                    "{name}:{}: fn {} has {} lines",
                    function.line, function.name, function.lines
                )),
            }
        }
    }
    none("at most 70 lines a function", long);
    let idle = LONG_FUNCTIONS.iter().filter(|entry| !used.contains(entry));
    none(
        "entries of LONG_FUNCTIONS that nothing needs",
        idle.map(|e| format!("{e:?}")).collect(),
    );
}

#[test]
fn lines_fit() {
    let mut wide = Vec::new();
    for (name, text) in rust_files() {
        for (at, line) in text.lines().enumerate() {
            // An address cannot be folded, nor can a row of a table.
            let folds = !line.contains("://") && !line.trim_start().starts_with("//! |");
            if line.chars().count() > COLUMNS_MAX && folds {
                wide.push(format!(
                    "{name}:{}: {} columns",
                    at + 1,
                    line.chars().count()
                ));
            }
        }
    }
    none("at most 100 columns", wide);
}

#[test]
fn every_file_says_what_it_is() {
    let headless = rust_files()
        .into_iter()
        .filter(|(_, text)| {
            text.lines()
                .next()
                .is_none_or(|first| !first.starts_with("//! "))
        })
        .map(|(name, _)| name);
    none("the first line is `//! ...`", headless.collect());
}

/// A name that only some files may use, and why.
struct Fence {
    /// Where the rule holds.
    within: &'static str,
    /// The path prefix as written in code.
    name: &'static str,
    /// The files and folders in `within` that may use it.
    except: &'static [&'static str],
    why: &'static str,
}

const FENCES: [Fence; 8] = [
    Fence {
        within: "node/",
        name: "sim::",
        except: &[
            "node/src/cli/sim.rs",
            "node/src/cli/bench.rs",
            "node/src/bench/",
        ],
        why: "the shell does not depend on the simulator, only its command line and its \
              measurements do",
    },
    Fence {
        within: "",
        name: "rocksdb::",
        except: &["node/src/store/index/"],
        why: "one place knows which storage engine it is",
    },
    Fence {
        within: "",
        name: "libp2p::",
        except: &["node/"],
        why: "the network library is the shell's",
    },
    // The fault injection of the tests stands between the program and libc. rustix makes system
    // calls of its own, which it would not see.
    Fence {
        within: "node/",
        name: "rustix::fs::fsync",
        except: &[],
        why: "use File::sync_all",
    },
    Fence {
        within: "node/",
        name: "rustix::fs::fdatasync",
        except: &[],
        why: "use File::sync_data",
    },
    Fence {
        within: "node/",
        name: "rustix::fs::rename",
        except: &[],
        why: "use std::fs::rename",
    },
    Fence {
        within: "node/",
        name: "rustix::io::write",
        except: &[],
        why: "use std::io::Write",
    },
    Fence {
        within: "node/",
        name: "rustix::io::pwrite",
        except: &[],
        why: "use FileExt",
    },
];

#[test]
fn names_stay_behind_their_fences() {
    let mut out = Vec::new();
    for (name, text) in rust_files() {
        let code = strip(&text);
        for (at, line) in code.lines().enumerate() {
            for fence in &FENCES {
                let excepted = fence.except.iter().any(|except| name.starts_with(except));
                let free = !name.starts_with(fence.within) || excepted;
                if !free && names(line, fence.name) {
                    out.push(format!("{name}:{}: {} ({})", at + 1, fence.name, fence.why));
                }
            }
        }
    }
    none("names used outside the files that may use them", out);
}

/// Whether `line` uses `path` from its root: `sim::run` does, `cli::sim::run` does not.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
    })
}

#[test]
fn a_name_counts_from_its_root() {
    assert!(names("use sim::run;", "sim::"));
    assert!(names("sim::run()", "sim::"));
    assert!(!names("crate::cli::sim::run()", "sim::"));
    assert!(!names("radmesh_sim::run()", "sim::"));
}
