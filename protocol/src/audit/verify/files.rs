//! The archive's note, and every file against it.

use crypto::digest::Digest;
use crypto::log::checkpoint::SignedCheckpoint;
use crypto::note::VerifierKey;

use super::fault::{Check, Fault};
use super::report::Report;
use super::trust::Trust;
use super::{ReadError, Source};
use crate::audit::archive::{ArchiveNote, FileName, Manifest, NOTE_MAX, NOTE_PATH};

/// What a read error means for a file that should be there.
pub(super) const fn fault(error: ReadError, max: u64) -> Fault {
    match error {
        ReadError::Missing => Fault::Missing,
        ReadError::TooLarge => Fault::TooLarge(max),
        ReadError::Unreadable => Fault::Unreadable,
    }
}

/// Reads the note and compares every file with it. The signature is checked by [`check_note`], once
/// it is known whose it must be.
pub(super) fn check(source: &dyn Source, report: &mut Report) -> Option<ArchiveNote> {
    let note = match source.read(NOTE_PATH, NOTE_MAX) {
        Err(error) => Err(fault(error, NOTE_MAX)),
        Ok(bytes) => ArchiveNote::read(bytes).map_err(Fault::from),
    };
    let note = match note {
        Ok(note) => note,
        Err(fault) => {
            report.fail(Check::Note, NOTE_PATH, None, fault);
            return None;
        }
    };
    report.looked(Check::Note);
    report.origin = Some(note.manifest.origin.clone());
    report.size = note.manifest.size;
    compare(source, &note.manifest, report);
    Some(note)
}

fn compare(source: &dyn Source, manifest: &Manifest, report: &mut Report) {
    source.each_path(&mut |path| {
        if path != NOTE_PATH && manifest.get(path).is_none() {
            report.fail(Check::Files, path, None, Fault::Unlisted);
        }
    });
    for (path, name, listed) in manifest.files() {
        report.looked(Check::Files);
        report.counts.files += 1;
        let max = name.max_len();
        let fault = match source.read(path, max) {
            Err(error) => fault(error, max),
            Ok(bytes) if bytes.len() as u64 != listed.length => Fault::Length {
                listed: listed.length,
                found: bytes.len() as u64,
            },
            Ok(bytes) if Digest::sha256(&bytes) != listed.digest => Fault::Digest,
            Ok(_) => continue,
        };
        report.fail(Check::Files, path, name.entry(), fault);
    }
}

/// Finds the log's key among the credentials and checks the note's signature by it. Gives the key.
pub(super) fn check_note(
    note: Option<&ArchiveNote>,
    source: &dyn Source,
    trust: &Trust,
    report: &mut Report,
) -> Option<VerifierKey> {
    let checkpoint = FileName::Checkpoint;
    let signed = super::read(source, checkpoint, Check::Tree, report)
        .and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
    let stated = signed.as_ref().map(|signed| signed.checkpoint());
    if let (Some(note), Some(stated)) = (note, stated) {
        let manifest = &note.manifest;
        if manifest.origin != stated.origin || manifest.size != stated.head.size {
            let other = format!("{} at size {}", manifest.origin, manifest.size);
            report.fail(Check::Note, NOTE_PATH, None, Fault::OtherTree(other));
        }
    }
    let origin = note
        .map(|note| &note.manifest.origin)
        .or(stated.map(|stated| &stated.origin))?;
    report.looked(Check::Credentials);
    // A log whose key was changed has several keys of one name: the one that signed the checkpoint
    // counts.
    let keys = trust.log_keys(origin);
    let by = |key: &&VerifierKey| signed.as_ref().is_some_and(|s| s.verify_log(key).is_ok());
    let Some(log) = keys.iter().find(by).or(keys.first()) else {
        let fault = Fault::UnknownLog(origin.to_string());
        report.fail(Check::Credentials, checkpoint, None, fault);
        return None;
    };
    if let Some(note) = note
        && let Err(error) = note.verify(log)
    {
        report.fail(Check::Note, NOTE_PATH, None, error);
    }
    Some(log.clone())
}
