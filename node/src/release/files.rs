//! The list of what a release's manifest names, so that a restarted node can serve it without a
//! key.
//!
//! ```text
//! radmesh release files 1
//! <SHA-256 of the sealed manifest> <bytes>
//! <SHA-256 of the sealed header pack> <bytes>
//! <SHA-256 of a sealed bulk file> <bytes>
//! ...
//! ```

use super::ReleaseError;
use crypto::digest::Digest;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The first line.
const HEAD: &str = "radmesh release files 1";

/// Files of one release: the most objects of a study, with four bulk values each.
pub const FILES_MAX: usize = 4 * protocol::limits::OBJECTS_MAX;

/// The longest list in bytes: a digest, a length, two separators a line.
pub(super) const LIST_MAX: u64 = (FILES_MAX as u64 + 1) * 86;

/// What one release may serve, with sealed lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseFiles {
    /// The sealed manifest.
    pub manifest: Digest,
    /// The sealed header pack.
    pub headers: Digest,
    lengths: BTreeMap<Digest, u64>,
}

impl ReleaseFiles {
    /// A list of manifest and header pack, each with its sealed length.
    pub(super) fn new(manifest: (Digest, u64), headers: (Digest, u64)) -> Self {
        Self {
            manifest: manifest.0,
            headers: headers.0,
            lengths: BTreeMap::from([manifest, headers]),
        }
    }

    /// Adds a bulk file.
    pub(super) fn add(&mut self, digest: Digest, sealed_length: u64) {
        self.lengths.insert(digest, sealed_length);
    }

    /// The sealed length of a file that the release names.
    #[must_use]
    pub fn length(&self, digest: &Digest) -> Option<u64> {
        self.lengths.get(digest).copied()
    }

    /// Whether the file lies in the folder of releases, and not in the store.
    #[must_use]
    pub fn is_own(&self, digest: &Digest) -> bool {
        *digest == self.manifest || *digest == self.headers
    }

    /// Ciphertext bytes in all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lengths
            .values()
            .fold(0, |sum, length| sum.saturating_add(*length))
    }

    /// The list as text.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{HEAD}\n");
        let own = [self.manifest, self.headers];
        let rest = self.lengths.keys().filter(|digest| !self.is_own(digest));
        for digest in own.iter().chain(rest) {
            let length = self.lengths.get(digest).copied().unwrap_or_default();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{digest} {length}");
        }
        text
    }

    /// Reads the list of the release whose sealed manifest has this digest.
    ///
    /// # Errors
    /// [`ReleaseError::Damaged`].
    pub(super) fn parse(text: &str, manifest: &Digest) -> Result<Self, ReleaseError> {
        let damaged = || ReleaseError::Damaged;
        let body = text.strip_suffix('\n').ok_or_else(damaged)?;
        let mut lines = body.split('\n');
        if lines.next() != Some(HEAD) {
            return Err(ReleaseError::Damaged);
        }
        let first = entry(lines.next().ok_or_else(damaged)?)?;
        let second = entry(lines.next().ok_or_else(damaged)?)?;
        if first.0 != *manifest {
            return Err(ReleaseError::Damaged);
        }
        let mut files = Self::new(first, second);
        for line in lines {
            let (digest, length) = entry(line)?;
            files.add(digest, length);
            if files.lengths.len() > FILES_MAX {
                return Err(ReleaseError::TooManyFiles(files.lengths.len()));
            }
        }
        Ok(files)
    }
}

/// One line.
fn entry(line: &str) -> Result<(Digest, u64), ReleaseError> {
    let (digest, length) = line.split_once(' ').ok_or(ReleaseError::Damaged)?;
    let digest = Digest::from_hex(digest).map_err(|_| ReleaseError::Damaged)?;
    let length = length.parse().map_err(|_| ReleaseError::Damaged)?;
    Ok((digest, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_there_and_back() {
        let digest = |byte| Digest([byte; 32]);
        let mut files = ReleaseFiles::new((digest(9), 1), (digest(8), 2));
        files.add(digest(1), 3);
        let text = files.to_text();
        assert_eq!(ReleaseFiles::parse(&text, &digest(9)), Ok(files));
        let other = ReleaseFiles::parse(&text, &digest(8));
        assert_eq!(other, Err(ReleaseError::Damaged));
        for cut in 0..text.len() {
            let cut = ReleaseFiles::parse(&text[..cut], &digest(9));
            assert!(cut.is_err() || cut.is_ok_and(|files| files.lengths.len() < 3));
        }
    }
}
