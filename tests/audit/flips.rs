//! One bit changed at a time, in an archive in memory, as `radmesh-audit` would read it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use protocol::audit::verify::{Input, Options, verify};

/// Files that are shorter are taken whole.
const WHOLE: usize = 4_096;
/// Bytes taken of a longer one.
const SAMPLE: usize = 1_024;
/// Of the sample: the same bytes in every run.
const SEED: u64 = 0x5ca1_ab1e;

/// An archive's files by path.
pub type Archive = BTreeMap<String, Vec<u8>>;

/// Reads an archive from its folder.
pub fn read(root: &Path) -> Result<Archive> {
    let (mut files, mut open) = (Archive::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for item in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = item?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(root)?.to_str().context("a name")?;
            files.insert(name.to_owned(), fs::read(&path)?);
        }
    }
    Ok(files)
}

/// Changes bits of every file, one at a time: the verifier must name the file each time. Gives the
/// number of changes.
pub fn all(label: &str, root: &Path) -> Result<usize> {
    let mut archive = read(root)?;
    ensure!(faults(label, &archive).is_empty(), "{label}: not whole");
    let names: Vec<String> = archive.keys().cloned().collect();
    let mut tried = 0;
    for name in &names {
        let length = archive.get(name).map_or(0, Vec::len);
        ensure!(length > 0, "{label}/{name} is empty");
        for at in places(length) {
            for bit in bits(at) {
                flip(&mut archive, name, at, bit)?;
                let named = faults(label, &archive);
                ensure!(
                    named.contains(name),
                    "{label}/{name}: byte {at} ^ {bit:#04x}: the verifier names {named:?}"
                );
                flip(&mut archive, name, at, bit)?;
                tried += 1;
            }
        }
    }
    ensure!(faults(label, &archive).is_empty(), "{label}: not restored");
    Ok(tried)
}

/// The files that the verifier names; none where the archive holds.
fn faults(label: &str, archive: &Archive) -> Vec<String> {
    let input = Input {
        label,
        source: archive,
    };
    let verdict = verify(&[input], Options::default());
    let failures = verdict.archives.iter().flat_map(|report| &report.failures);
    let named: Vec<String> = failures.map(|failure| failure.file.clone()).collect();
    assert_eq!(verdict.holds(), named.is_empty(), "a verdict without cause");
    named
}

fn flip(archive: &mut Archive, name: &str, at: usize, bit: u8) -> Result<()> {
    let byte = archive.get_mut(name).and_then(|bytes| bytes.get_mut(at));
    *byte.context("no such byte")? ^= bit;
    Ok(())
}

/// Which bytes of a file are changed.
fn places(length: usize) -> Vec<usize> {
    if length < WHOLE || harness::long() {
        return (0..length).collect();
    }
    let mut state = SEED;
    // The first and the last byte are where formats begin and end.
    let mut places = vec![0, length - 1];
    while places.len() < SAMPLE {
        // Knuth's multiplier for 64 bits (MMIX); the upper half is the better one.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        places.push((state >> 33) as usize % length);
    }
    places
}

/// Which bits of a byte are changed.
fn bits(at: usize) -> Vec<u8> {
    match harness::long() {
        true => (0..8).map(|bit| 1 << bit).collect(),
        false => vec![1 << (at % 8)],
    }
}
