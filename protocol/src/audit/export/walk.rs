//! The walk over one archive's entries, in order, in bounded memory.

use crypto::digest::Digest;

use super::event::{Event, Place, Side, Standing};
use super::held::Held;
use super::text::{self, TEXT_MAX};
use crate::audit::archive::FileName;
use crate::audit::bundles::{self, Found};
use crate::audit::entry::{Entry, Openings};
use crate::audit::header::Kind;
use crate::audit::verify::{Input, Report, Source};
use crate::document;
use crate::document::grant::Grant;
use crypto::envelope::Envelope;

/// How far a walk came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Entries that became a message.
    pub entries: u64,
    /// Entries that are missing from the archive, or do not read.
    pub unread: u64,
}

/// Whoever takes the events wants no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Gives every entry of an archive whose verification gave `report` to `each`.
///
/// # Errors
/// [`Stopped`] as soon as `each` says so.
pub fn walk(
    (input, report): (&Input<'_>, &Report),
    standing: Standing,
    each: &mut dyn FnMut(&Event) -> Result<(), Stopped>,
) -> Result<Walked, Stopped> {
    let origin = report.origin.as_ref().map(ToString::to_string);
    let origin = origin.and_then(|origin| text::line(&origin, TEXT_MAX));
    let mut walk = Walk {
        source: input.source,
        standing,
        origin: origin.unwrap_or_else(|| "unknown log".to_owned()),
        held: Held::new(),
        each,
        walked: Walked::default(),
    };
    walk.all(report.size)?;
    Ok(walk.walked)
}

struct Walk<'a> {
    source: &'a dyn Source,
    standing: Standing,
    origin: String,
    held: Held,
    each: &'a mut dyn FnMut(&Event) -> Result<(), Stopped>,
    walked: Walked,
}

impl Walk<'_> {
    fn all(&mut self, size: u64) -> Result<(), Stopped> {
        bundles::entries(self.source, size, |found| match found {
            Found::Entry(index, bytes) => self.entry(index, bytes),
            Found::Gap(first, end) => {
                self.walked.unread += end - first;
                Ok(())
            }
        })
    }

    fn entry(&mut self, index: u64, bytes: &[u8]) -> Result<(), Stopped> {
        let Ok(entry) = Entry::decode_bytes(bytes) else {
            self.walked.unread += 1;
            return Ok(());
        };
        self.grant(index, &entry);
        let openings = self.openings(index, &entry);
        let place = Place {
            origin: self.origin.clone(),
            index,
            leaf: crypto::log::merkle::leaf_hash(bytes),
        };
        let of = (self.standing, place);
        let event = Event::new(of, &entry, openings.as_ref(), &mut self.held);
        (self.each)(&event)?;
        self.walked.entries += 1;
        Ok(())
    }

    /// Notes the exact grant of an entry, if the archive has the one whose hash the entry has.
    fn grant(&mut self, index: u64, entry: &Entry) {
        let header = entry.header();
        let sides = [
            (Kind::ReleaseGranted, Side::Owner),
            (Kind::GrantAccepted, Side::Desk),
        ];
        let found = sides.iter().find(|(kind, _)| *kind as i32 == header.kind);
        let Some((_, side)) = found else { return };
        let name = FileName::Grant(index);
        let Ok(bytes) = self.source.read(&name.to_string(), name.max_len()) else {
            return;
        };
        let hash = Digest::sha256(&bytes);
        if header.grant_hash != hash.as_bytes() {
            return;
        }
        let payload = Envelope::decode(&bytes).map(|envelope| envelope.payload);
        let grant = payload
            .ok()
            .and_then(|p| document::decode::<Grant>(&p).ok());
        if let Some(grant) = grant {
            self.held.grant(hash, &grant, *side);
        }
    }

    /// The disclosed openings of an entry that match its commitments.
    fn openings(&self, index: u64, entry: &Entry) -> Option<Openings> {
        let name = FileName::Opening(index);
        let bytes = self.source.read(&name.to_string(), name.max_len()).ok()?;
        let mut openings = Openings::decode_bytes(&bytes).ok()?;
        openings
            .openings
            .retain(|opening| entry.check_opening(opening).is_ok());
        Some(openings)
    }
}
