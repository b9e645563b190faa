//! What the archives say, gathered in one walk over each: the releases of all of them together, and
//! a view of each log.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crypto::digest::Digest;

use super::Ask;
use super::walk;
use crate::audit::header::Kind;
use crate::audit::review::Reviews;
use crate::audit::verify::{Input, Options, Verdict};

/// Most releases, and most of every other list, that are held: ten million entries are about a
/// million releases, and each takes less than 1 KiB.
pub const HELD_MAX: usize = 1 << 20;

/// A text of the archives: clean, cut to a length, and held once.
pub(super) type Word = Rc<str>;

/// An identifier at one owner: the owner's log and the bytes.
pub(super) type Named = (Word, Vec<u8>);

/// An entry, and when it happened by its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) archive: usize,
    pub(super) index: u64,
    pub(super) time_us: u64,
}

/// What the owner's entry says of a release.
pub(super) struct Told {
    pub(super) from: Word,
    pub(super) to: Word,
    pub(super) role: Word,
    pub(super) basis: Word,
    pub(super) purpose: Word,
    pub(super) rules: Vec<Word>,
    pub(super) emergency: bool,
}

/// What the exact grant says, and the reader's credential.
pub(super) struct Known {
    /// The owner's log.
    pub(super) origin: Word,
    /// The reader's log, if the archives have the credential.
    pub(super) reader_log: Option<Word>,
    pub(super) from: Word,
    pub(super) to: Word,
    pub(super) bytes: u64,
    pub(super) objects: u64,
    pub(super) person: [u8; 32],
    pub(super) serial: u64,
    /// The organisation that the credential names, if the archives have it.
    pub(super) organisation: Option<Word>,
    pub(super) has_rule: bool,
}

/// One release, by all the archives.
#[derive(Default)]
pub(super) struct Release {
    pub(super) told: Option<Told>,
    pub(super) known: Option<Known>,
    pub(super) granted: Option<Place>,
    pub(super) accepted: Option<Place>,
    pub(super) receipt: Option<Place>,
    /// The earliest entry, and the latest, by their times.
    pub(super) span_us: Option<(u64, u64)>,
    /// When images were first opened, and when the last access ended.
    pub(super) begun_us: Option<u64>,
    pub(super) ended_us: Option<u64>,
    /// Its decision can be made again from what is disclosed.
    pub(super) decidable: bool,
    /// The owner's case, if disclosed.
    pub(super) case: Option<Named>,
    /// Whether it is of the patient who is asked about, if an entry of it says so itself.
    pub(super) of_patient: Option<bool>,
}

impl Release {
    /// The countries of data and desk; the grant counts before the entry.
    pub(super) fn pair(&self) -> (&str, &str) {
        match (&self.known, &self.told) {
            (Some(known), _) => (&known.from, &known.to),
            (None, Some(told)) => (&told.from, &told.to),
            (None, None) => ("?", "?"),
        }
    }

    /// The entry that stands for it: the owner's, else the reader's, else the receipt's.
    pub(super) fn place(&self) -> Option<Place> {
        self.granted.or(self.accepted).or(self.receipt)
    }

    /// The reader's organisation, by the credential.
    pub(super) fn organisation(&self) -> &str {
        let known = self.known.as_ref();
        known
            .and_then(|known| known.organisation.as_deref())
            .unwrap_or("?")
    }
}

/// A node's start, stop or clock anomaly, or another entry worth its line.
pub(super) struct Moment {
    pub(super) place: Place,
    pub(super) what: &'static str,
}

/// A silence between two entries that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quiet {
    pub(super) after: u64,
    pub(super) from_us: u64,
    pub(super) to_us: u64,
    /// The node said before it that it stopped.
    pub(super) stopped: bool,
}

/// One archive's log as such.
pub(super) struct LogView {
    pub(super) label: String,
    pub(super) origin: Word,
    pub(super) organisation: Word,
    pub(super) size: u64,
    /// Entries that cannot be read, and their indexes in runs: first and past the last.
    pub(super) unread: u64,
    pub(super) gaps: Vec<(u64, u64)>,
    /// Entries of an unknown kind.
    pub(super) unknown: u64,
    /// The first readable entry and the last.
    pub(super) first: Option<Place>,
    pub(super) last: Option<Place>,
    pub(super) quiet: Vec<Quiet>,
    pub(super) moments: Vec<Moment>,
    /// The latest cosignature on its checkpoint.
    pub(super) cosigned_us: Option<u64>,
    /// Reviews by the entries so far; finished with the walk.
    pub(super) reviews: Reviews,
}

impl LogView {
    /// The latest time that the archive itself vouches for.
    pub(super) fn latest_us(&self) -> Option<u64> {
        self.cosigned_us.max(self.last.map(|last| last.time_us))
    }
}

/// An emergency flag.
pub(super) struct Flag {
    pub(super) place: Place,
    pub(super) kind: Kind,
    pub(super) from: Word,
    pub(super) to: Word,
    pub(super) purpose: Word,
    /// The reason in words, if disclosed.
    pub(super) reason: Option<Word>,
}

/// A release whose reader had no credential then.
pub(super) struct Lapse {
    pub(super) place: Place,
    pub(super) hash: Digest,
    pub(super) serial: u64,
    pub(super) what: &'static str,
}

/// Identifiers of a case's studies and orders.
pub(super) struct Contents {
    pub(super) studies: Vec<Vec<u8>>,
    pub(super) orders: Vec<Vec<u8>>,
}

/// What disclosed openings say of patients and cases, for the question of who was let at one.
#[derive(Default)]
pub(super) struct Patients {
    /// Whether a study, or an order, is of the patient who is asked about.
    pub(super) studies: BTreeMap<Named, bool>,
    pub(super) orders: BTreeMap<Named, bool>,
    /// What each case is about.
    pub(super) cases: BTreeMap<Named, Contents>,
}

impl Patients {
    /// Whether a case is of the patient; `None` if what is disclosed does not say.
    pub(super) fn decides(&self, case: &Named) -> Option<bool> {
        let Contents { studies, orders } = self.cases.get(case)?;
        let look = |of: &BTreeMap<Named, bool>, id: &Vec<u8>| {
            of.get(&(case.0.clone(), id.clone())).copied()
        };
        let studies = studies.iter().map(|id| look(&self.studies, id));
        let known: Vec<Option<bool>> = studies.collect();
        let ordered = orders.iter().map(|id| look(&self.orders, id));
        if known
            .iter()
            .copied()
            .chain(ordered)
            .any(|of| of == Some(true))
        {
            Some(true)
        } else if known.is_empty() || known.contains(&None) {
            None
        } else {
            Some(false)
        }
    }
}

/// Everything that a question is answered from.
#[derive(Default)]
pub(super) struct History {
    pub(super) logs: Vec<LogView>,
    pub(super) releases: BTreeMap<Digest, Release>,
    /// Refusals within the limits of the question, by rule.
    pub(super) refused: BTreeMap<Word, u64>,
    pub(super) refusals: u64,
    pub(super) flags: Vec<Flag>,
    pub(super) lapses: Vec<Lapse>,
    pub(super) patients: Patients,
    /// Entries on access that name no grant.
    pub(super) nameless: u64,
    /// What was not held for want of room.
    pub(super) dropped: u64,
}

impl History {
    /// Walks over every archive.
    pub(super) fn gather(
        inputs: &[Input<'_>],
        (verdict, options): (&Verdict, Options),
        ask: &Ask,
    ) -> Self {
        let mut history = Self::default();
        let mut words = Words::default();
        for (input, report) in inputs.iter().zip(&verdict.archives) {
            walk::archive(&mut history, &mut words, (input, report, options), ask);
        }
        history
    }

    /// Releases that a grant is known of, within the limits of the question, by their place.
    pub(super) fn releases_in(&self, ask: &Ask) -> Vec<(Place, &Digest, &Release)> {
        let mut found = Vec::new();
        for (hash, release) in &self.releases {
            let Some(place) = release.granted.or(release.accepted) else {
                continue;
            };
            let (from, to) = release.pair();
            if ask.at(place.time_us) && ask.between(from, to) {
                found.push((place, hash, release));
            }
        }
        found.sort_by_key(|(place, hash, _)| (place.time_us, place.archive, place.index, **hash));
        found
    }

    /// The log of an entry.
    pub(super) fn log(&self, place: Place) -> &str {
        self.logs.get(place.archive).map_or("?", |log| &log.origin)
    }

    /// Whether an archive of the log is given.
    pub(super) fn given(&self, origin: &str) -> bool {
        self.logs.iter().any(|log| *log.origin == *origin)
    }

    /// Adds to a list that must not grow past [`HELD_MAX`].
    pub(super) fn hold<T>(list: &mut Vec<T>, item: T, dropped: &mut u64) {
        if list.len() < HELD_MAX {
            list.push(item);
        } else {
            *dropped += 1;
        }
    }
}

/// The texts of the archives, each held once.
#[derive(Default)]
pub(super) struct Words {
    known: BTreeSet<Word>,
    /// Leaves that were counted: two archives may be of one log.
    leaves: BTreeSet<(Heading, Digest)>,
}

/// Under what an entry is counted; one may stand under several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Heading {
    Refused,
    Flag,
    Nameless,
    Lapse,
}

impl Words {
    /// Longest text that is kept, in characters: names, bases and rules are shorter.
    const LONGEST: usize = 160;

    /// A text as it is kept: no control character, at most [`Self::LONGEST`] characters.
    pub(super) fn word(&mut self, text: &str) -> Word {
        let clean = clean(text, Self::LONGEST);
        match self.known.get(clean.as_str()) {
            Some(word) => word.clone(),
            None => {
                let word: Word = clean.into();
                if self.known.len() < HELD_MAX {
                    self.known.insert(word.clone());
                }
                word
            }
        }
    }

    /// Whether a leaf is met for the first time; `None` if that can no longer be told.
    pub(super) fn first(&mut self, leaf: (Heading, Digest)) -> Option<bool> {
        let room = self.leaves.len() < HELD_MAX || self.leaves.contains(&leaf);
        room.then(|| self.leaves.insert(leaf))
    }
}

/// A text of a stranger, safe to print: what could move a cursor or the direction of writing shows
/// as a replacement character.
pub(in crate::audit) fn clean(text: &str, longest: usize) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut out: String = text
        .chars()
        .take(longest)
        .map(|c| if odd(c) { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(longest).is_some() {
        out.pop();
        out.push('…');
    }
    out
}
