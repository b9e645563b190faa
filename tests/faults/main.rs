//! The fault injection tried by itself: on a C program that keeps files with more or less care, and
//! on `std::fs`.
//!
//! A test of crash safety is worth what its crashes are worth: it must fail a program that forgets
//! a sync.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use harness::{Class, Faults, Journal, Kind, Plan};
use tempfile::TempDir;

const SIGKILL: i32 = 9;

struct Built {
    faults: Faults,
    victim: PathBuf,
    _folder: TempDir,
}

fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let victim = folder.path().join("victim");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/victim.c");
        let cc = Command::new("cc")
            .arg("-o")
            .arg(&victim)
            .arg(source)
            .arg("-lpthread")
            .status();
        assert!(cc.unwrap().success());
        Built {
            faults: Faults::build().unwrap(),
            victim,
            _folder: folder,
        }
    })
}

/// A data folder and a run of the victim on it.
struct Case {
    data: TempDir,
    mode: &'static str,
}

impl Case {
    fn new(mode: &'static str) -> Self {
        Self {
            data: TempDir::new().unwrap(),
            mode,
        }
    }

    fn command(&self, text: &str) -> Command {
        let mut command = Command::new(&built().victim);
        command
            .arg(self.mode)
            .arg(self.data.path())
            .args(["kept", text]);
        command
    }

    fn plan(&self) -> Plan {
        built().faults.plan(self.data.path()).unwrap()
    }

    fn run(&self, plan: &Plan, text: &str) -> Output {
        let mut command = self.command(text);
        plan.apply(&mut command);
        command.output().unwrap()
    }

    /// The names and contents left in the data folder.
    fn left(&self) -> BTreeMap<String, String> {
        contents(self.data.path())
    }
}

fn contents(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

fn image(journal: &Journal, moment: usize) -> BTreeMap<String, String> {
    let folder = TempDir::new().unwrap();
    journal.image(moment, folder.path()).unwrap();
    contents(folder.path())
}

fn acknowledged(output: &Output) -> usize {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| *line == "acknowledged")
        .count()
}

fn one(name: &str, text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), text.to_owned())])
}

#[test]
fn each_call_is_seen_and_counted_in_its_class() {
    let case = Case::new("each");
    let plan = case.plan().traced();
    let output = case.run(&plan, "text");
    assert_eq!(acknowledged(&output), 1, "{output:?}");
    let counts = plan.counts().unwrap();
    let seen = [Class::Write, Class::Sync, Class::Name, Class::Any].map(|class| counts.of(class));
    assert_eq!(
        (seen, counts.fired),
        ([10, 3, 7, 20], 0),
        "{}",
        plan.trace()
    );
}

#[test]
fn other_folders_do_not_count() {
    let case = Case::new("careful");
    let elsewhere = TempDir::new().unwrap();
    let plan = built().faults.plan(elsewhere.path()).unwrap();
    assert_eq!(acknowledged(&case.run(&plan, "text")), 1);
    assert_eq!(plan.counts().unwrap().of(Class::Any), 0);
}

#[test]
fn each_call_of_a_careful_program_may_fail_and_is_reported() {
    let counts = {
        let case = Case::new("careful");
        built()
            .faults
            .count_run(&mut case.command("new"), case.data.path())
            .unwrap()
    };
    assert_eq!(
        counts.of(Class::Any),
        5,
        "create, write, sync, rename, sync"
    );
    for kind in [Kind::Enospc, Kind::Eio] {
        for n in 1..=counts.of(Class::Any) {
            let case = Case::new("careful");
            let plan = case.plan().inject(kind, Class::Any, n);
            let output = case.run(&plan, "new");
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let said = if kind == Kind::Eio {
                "Input/output error"
            } else {
                "No space left"
            };
            assert!(errors.contains(said), "{kind:?} at {n}: {errors}");
            assert_eq!(output.status.code(), Some(3));
            assert_eq!(
                (acknowledged(&output), plan.counts().unwrap().fired),
                (0, 1)
            );
        }
    }
}

#[test]
fn a_full_disk_stays_full() {
    let case = Case::new("append");
    let plan = case.plan().inject(Kind::Enospc, Class::Write, 3).forever();
    assert_eq!(acknowledged(&case.run(&plan, "abcdef")), 2);
    assert_eq!(
        acknowledged(&case.run(&plan, "abcdef")),
        0,
        "the count goes on over runs"
    );
    assert_eq!(case.left(), one("kept", "ab"));
}

#[test]
fn death_strikes_before_in_and_after_a_call() {
    for (kind, left) in [
        (Kind::DieBefore, ""),
        (Kind::DieTorn, "wh"),
        (Kind::DieAfter, "whole"),
    ] {
        let case = Case::new("careful");
        let output = case.run(&case.plan().inject(kind, Class::Write, 1), "whole");
        assert_eq!(output.status.signal(), Some(SIGKILL), "{kind:?}");
        assert_eq!(case.left(), one("kept.tmp", left), "{kind:?}");
    }
}

#[test]
fn what_a_careful_program_acknowledges_is_in_the_image() {
    for kind in [Kind::DieBefore, Kind::DieAfter] {
        for n in 1..=5 {
            let case = Case::new("careful");
            std::fs::write(case.data.path().join("kept"), "old").unwrap();
            let plan = case.plan().shadow().inject(kind, Class::Any, n);
            let output = case.run(&plan, "new");
            assert_eq!(
                (output.status.signal(), acknowledged(&output)),
                (Some(SIGKILL), 0)
            );
            let journal = plan.journal().unwrap();
            let left = image(&journal, journal.len());
            let durable = if n == 5 && kind == Kind::DieAfter {
                "new"
            } else {
                "old"
            };
            assert_eq!(left, one("kept", durable), "{kind:?} at {n}");
        }
    }
}

#[test]
fn a_forgotten_sync_shows_in_the_image() {
    let kept = |mode| {
        let case = Case::new(mode);
        std::fs::write(case.data.path().join("kept"), "old").unwrap();
        let plan = case.plan().shadow();
        assert_eq!(acknowledged(&case.run(&plan, "new")), 1);
        assert_eq!(
            case.left(),
            one("kept", "new"),
            "kill -9 alone shows nothing"
        );
        let journal = plan.journal().unwrap();
        image(&journal, journal.len())
    };
    assert_eq!(kept("careful"), one("kept", "new"));
    assert_eq!(
        kept("no-content"),
        one("kept", ""),
        "the name is durable, the content is not"
    );
    assert_eq!(
        kept("no-name"),
        one("kept", "old"),
        "the content is durable, the name is not"
    );
}

#[test]
fn pages_lost_by_a_failed_sync_do_not_come_back() {
    let case = Case::new("believe");
    // The first sync is the folder's.
    let plan = case.plan().shadow().inject(Kind::Eio, Class::Sync, 2);
    assert_eq!(
        acknowledged(&case.run(&plan, "believed")),
        1,
        "it believes the second sync"
    );
    let journal = plan.journal().unwrap();
    assert_eq!(image(&journal, journal.len()), one("kept", &"\0".repeat(8)));
}

#[test]
fn every_moment_of_a_run_has_its_image() {
    let case = Case::new("append");
    let plan = case.plan().shadow();
    assert_eq!(acknowledged(&case.run(&plan, "abc")), 3);
    let journal = plan.journal().unwrap();
    let images: Vec<_> = journal
        .moments()
        .iter()
        .map(|at| image(&journal, *at))
        .collect();
    let expected = [None, Some(""), Some("a"), Some("ab"), Some("abc")];
    let expected = expected.map(|text| text.map_or_else(BTreeMap::new, |text| one("kept", text)));
    assert_eq!(images, expected);
    assert!(journal.image(journal.len() + 1, case.data.path()).is_err());
    assert!(journal.image(0, case.data.path()).is_err());
}

#[test]
fn a_run_goes_on_from_the_state_of_the_last() {
    let case = Case::new("append");
    let plan = case.plan().shadow().inject(Kind::DieBefore, Class::Sync, 3);
    assert_eq!(acknowledged(&case.run(&plan, "abc")), 1);
    let first = plan.journal().unwrap();
    assert_eq!(
        image(&first, first.len()),
        one("kept", "a"),
        "b was written and not synced"
    );
    let output = case.run(&plan, "d");
    assert_eq!(acknowledged(&output), 1, "{output:?}");
    let second = plan.journal().unwrap();
    assert_eq!(
        image(&second, second.len()),
        one("kept", "abd"),
        "the page cache kept b"
    );
}

#[test]
fn threads_and_children_share_one_count_and_one_journal() {
    let case = Case::new("many");
    let plan = case.plan().shadow();
    let output = case.run(&plan, "text");
    assert_eq!(acknowledged(&output), 2, "{output:?}");
    let counts = plan.counts().unwrap();
    // 160 files and the child's one; each file is synced and its folder too.
    assert_eq!(
        (counts.of(Class::Write), counts.of(Class::Sync)),
        (161, 322)
    );
    let journal = plan.journal().unwrap();
    assert_eq!(image(&journal, journal.len()), case.left());
}

/// Not a test: what the next one runs in a process of its own.
#[test]
fn standard_library_victim() {
    let Ok(folder) = std::env::var("RADMESH_STD_VICTIM") else {
        return;
    };
    let folder = Path::new(&folder);
    std::fs::create_dir(folder.join("sub")).unwrap();
    let file = std::fs::File::create(folder.join("new")).unwrap();
    std::io::Write::write_all(&mut &file, b"text").unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"T", 0).unwrap();
    file.set_len(3).unwrap();
    file.sync_data().unwrap();
    file.sync_all().unwrap();
    std::fs::rename(folder.join("new"), folder.join("sub/kept")).unwrap();
    for name in ["sub", "."] {
        std::fs::File::open(folder.join(name))
            .unwrap()
            .sync_all()
            .unwrap();
    }
    std::fs::hard_link(folder.join("sub/kept"), folder.join("link")).unwrap();
    std::fs::copy(folder.join("link"), folder.join("copy")).unwrap();
    std::fs::remove_file(folder.join("copy")).unwrap();
}

#[test]
fn the_standard_library_goes_through_the_shim() {
    let data = TempDir::new().unwrap();
    let plan = built().faults.plan(data.path()).unwrap().shadow().traced();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "standard_library_victim"])
        .env("RADMESH_STD_VICTIM", data.path());
    plan.apply(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let trace = plan.trace();
    let words = trace.lines().map(|line| line.split_once(' ').unwrap().1);
    let calls: Vec<&str> = words.filter(|call| !call.ends_with(" copy")).collect();
    let expected = [
        "mkdir sub",
        "create new",
        "write new",
        "pwrite new",
        "ftruncate new",
        "fdatasync new",
        "fsync new",
        "rename sub/kept",
        "fsync sub",
        "fsync .",
        "link link",
    ];
    assert_eq!(calls, expected, "{trace}");
    assert!(
        trace.contains("create copy") && trace.contains("unlink copy"),
        "{trace}"
    );
    let journal = plan.journal().unwrap();
    let folder = TempDir::new().unwrap();
    journal.image(journal.len(), folder.path()).unwrap();
    assert_eq!(contents(&folder.path().join("sub")), one("kept", "Tex"));
    assert_eq!(
        contents(folder.path()),
        BTreeMap::new(),
        "the link came after the sync"
    );
}
