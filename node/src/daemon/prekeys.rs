//! Old prekeys: forgotten when no release that was sealed to them can be fetched any more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crypto::digest::Digest;
use protocol::limits;

use crate::desk::Prekeys;

/// The age at which a prekey is of no use: no session lasts longer, no lease outlives its grace,
/// and the clock that dated the file may be off by as much as the consortium tolerates.
const OLD: Duration = Duration::from_secs(
    limits::SESSION_MAX.as_secs() + limits::LEASE_GRACE.as_secs() + 2 * limits::SKEW_MAX.as_secs(),
);

/// Removes old prekeys before the folder is opened. Blocks.
///
/// # Errors
/// The system's; an absent folder has none.
pub(super) fn remove_old(folder: &Path) -> io::Result<()> {
    for (file, _) in old(folder, SystemTime::now())? {
        fs::remove_file(file)?;
    }
    Ok(())
}

/// Forgets prekeys that grew old while the desk runs. Blocks.
pub(super) fn forget_old(folder: &Path, prekeys: &Prekeys) {
    let found = old(folder, SystemTime::now()).unwrap_or_default();
    for (_, public) in found {
        if let Err(error) = prekeys.purge(&public.0) {
            tracing::error!(%error, "an old prekey cannot be removed");
        }
    }
}

/// The files of prekeys that are old at `now`, with their public halves.
fn old(folder: &Path, now: SystemTime) -> io::Result<Vec<(PathBuf, Digest)>> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in listed {
        let entry = entry?;
        let public = entry
            .file_name()
            .to_str()
            .and_then(|name| Digest::from_hex(name).ok());
        let age = now
            .duration_since(entry.metadata()?.modified()?)
            .unwrap_or_default();
        if let Some(public) = public.filter(|_| age > OLD) {
            found.push((entry.path(), public));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_prekeys_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = "ab".repeat(32);
        fs::write(folder.path().join(&name), "sealed").expect("written");
        fs::write(folder.path().join("other"), "not a prekey").expect("written");
        let now = SystemTime::now();
        assert_eq!(
            old(folder.path(), now + OLD - Duration::from_secs(9)).expect("read"),
            []
        );
        let found = old(folder.path(), now + OLD + Duration::from_secs(9)).expect("read");
        assert_eq!(found, [(folder.path().join(&name), Digest([0xab; 32]))]);
        assert!(
            old(&folder.path().join("absent"), now)
                .expect("none")
                .is_empty()
        );
        remove_old(folder.path()).expect("nothing is old");
        assert!(folder.path().join(&name).exists());
    }
}
