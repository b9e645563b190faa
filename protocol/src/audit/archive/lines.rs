//! The text of an archive's note as it was read: its lines, found by path without copies of them.

use crypto::digest::Digest;
use crypto::note::KeyName;

use super::{ArchiveError, FileName, Files, Listed, Manifest};

const VERSION: &str = "radmesh-archive/1";

/// A note's text, every line of which was read once.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    text: String,
    /// Where each file's line starts. A note is shorter than 4 GiB ([`super::NOTE_MAX`]).
    starts: Vec<u32>,
}

/// The lines before the files'.
pub(super) fn first(origin: &KeyName, size: u64) -> String {
    format!("{VERSION}\n{origin}\n{size}\n")
}

/// Reads a note's text, its final newline included. Gives the list, and whether the text is what is
/// written for it.
pub(super) fn read(text: String) -> Result<(Manifest, bool), ArchiveError> {
    let mut lines = text.lines();
    if lines.next() != Some(VERSION) {
        return Err(ArchiveError::Version);
    }
    let origin = lines.next().and_then(|line| KeyName::new(line).ok());
    let origin = origin.ok_or(ArchiveError::Origin)?;
    let size = lines.next().and_then(|line| line.parse().ok());
    let size = size.ok_or(ArchiveError::Size)?;
    let head = first(&origin, size);
    // A carriage return at a line's end is no part of the line that is read, and none is written.
    let mut canonical = text.starts_with(&head) && !text.contains('\r');
    let (mut starts, mut last) = (Vec::new(), "");
    for (number, line) in lines.enumerate().map(|(at, line)| (at + 4, line)) {
        let (digest, length, path) = words(line).ok_or(ArchiveError::Line(number))?;
        let (digest, count) = (Digest::from_hex(digest), length.parse::<u64>());
        let (Ok(_), Ok(count)) = (digest, count) else {
            return Err(ArchiveError::Line(number));
        };
        FileName::parse(path).ok_or(ArchiveError::Path(number))?;
        if number > 4 && last >= path {
            return Err(ArchiveError::Order(number));
        }
        last = path;
        canonical &= count.to_string() == length;
        let start = line.as_ptr().addr() - text.as_ptr().addr();
        starts.push(u32::try_from(start).map_err(|_| ArchiveError::Line(number))?);
    }
    starts.shrink_to_fit();
    let files = Files::Read(Lines { text, starts });
    let manifest = Manifest {
        origin,
        size,
        files,
    };
    Ok((manifest, canonical))
}

impl Lines {
    /// The whole text, as it is signed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Every file, sorted by path.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, FileName, Listed)> {
        let of = |start: &u32| {
            let (path, listed) = self.line(*start)?;
            Some((path, FileName::parse(path)?, listed))
        };
        self.starts.iter().filter_map(of)
    }

    /// What is listed of one file.
    pub(super) fn get(&self, path: &str) -> Option<Listed> {
        let of = |start: &u32| self.line(*start).map_or("", |(path, _)| path);
        let at = self.starts.binary_search_by(|start| of(start).cmp(path));
        let (_, listed) = self.line(*self.starts.get(at.ok()?)?)?;
        Some(listed)
    }

    /// The line that starts there: every line was read before.
    fn line(&self, start: u32) -> Option<(&str, Listed)> {
        let (digest, length, path) = words(self.text.get(start as usize..)?.lines().next()?)?;
        let (digest, length) = (Digest::from_hex(digest).ok()?, length.parse().ok()?);
        Some((path, Listed { digest, length }))
    }
}

/// A file's line: digest, length, path.
fn words(line: &str) -> Option<(&str, &str, &str)> {
    let mut words = line.splitn(3, ' ');
    Some((words.next()?, words.next()?, words.next()?))
}
