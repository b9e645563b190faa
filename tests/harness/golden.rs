//! Golden texts: what a command prints is compared with a file in the tree, byte for byte.

use std::path::Path;

use anyhow::{Context, Result, bail};

/// Compares `actual` with `tests/<name>`. With `RADMESH_GOLDEN=write` it writes the file, to be
/// read in the diff.
///
/// # Errors
/// Where they differ: the first line that does, and how to accept it.
pub fn golden(name: &str, actual: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var("RADMESH_GOLDEN").is_ok_and(|value| value == "write") {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        }
        return std::fs::write(&path, actual).with_context(|| format!("{}", path.display()));
    }
    let expected = std::fs::read_to_string(&path)
        .with_context(|| format!("{}: RADMESH_GOLDEN=write makes it", path.display()))?;
    match difference(&expected, actual) {
        None => Ok(()),
        Some(story) => bail!("tests/{name}: {story}\nRADMESH_GOLDEN=write accepts it"),
    }
}

/// The first line that differs, or that the two differ past their lines.
fn difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let (mut left, mut right) = (expected.lines(), actual.lines());
    for at in 1.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (l, r) if l == r => {}
            (l, r) => return Some(format!("line {at}\n  expected {l:?}\n  actual   {r:?}")),
        }
    }
    Some("they differ in line ends".to_owned())
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn the_first_difference_is_told() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        let told = difference("a\nb\n", "a\nc\n").expect("they differ");
        assert!(told.starts_with("line 2\n  expected Some(\"b\")"), "{told}");
        assert_eq!(
            difference("a", "a\n").as_deref(),
            Some("they differ in line ends")
        );
    }
}
