//! The queue to the log writer: indexes in order, and what is withheld until an entry is durable.
//!
//! ```text
//! reserve ── fill ──> Append effect ── Durable ──> what waited for "durable"
//!                                      Witnessed ─> what waited for "witnessed"
//! ```
//! An index may be reserved before its entry is known, because a grant names its own index as its
//! fence. Entries after it wait; nothing is ever appended out of order.

use std::collections::{BTreeMap, VecDeque};

use super::then::Then;
use crate::audit::entry::EntryDraft;
use crate::ids::SubjectId;
use crate::io::Effect;
use crate::limits;

/// What an entry must be before what it holds back goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Durable under the log's own checkpoint.
    Durable,
    /// In a checkpoint that the quorum cosigned.
    Witnessed,
}

/// One index on its way to the log.
struct Slot {
    draft: Option<EntryDraft>,
    sent: bool,
    need: Need,
    then: Vec<Then>,
}

/// The queue.
pub(crate) struct LogQueue {
    first: u64,
    slots: VecDeque<Slot>,
    unwitnessed: BTreeMap<u64, Vec<Then>>,
    witnessed: u64,
    subjects: BTreeMap<SubjectId, (u64, u64)>,
}

impl LogQueue {
    /// A queue for a log that holds `size` entries.
    pub(crate) const fn new(size: u64) -> Self {
        Self {
            first: size,
            slots: VecDeque::new(),
            unwitnessed: BTreeMap::new(),
            witnessed: 0,
            subjects: BTreeMap::new(),
        }
    }

    /// The index that the next reservation gets.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// Whether the entry at this index is known to be durable.
    pub(crate) const fn is_durable(&self, index: u64) -> bool {
        index < self.first
    }

    /// Too much is waiting: new work must be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.slots.len() >= limits::APPEND_QUEUE_MAX
    }

    /// Takes the next index. It must be filled.
    pub(crate) fn reserve(&mut self) -> u64 {
        let index = self.next();
        self.slots.push_back(Slot {
            draft: None,
            sent: false,
            need: Need::Durable,
            then: Vec::new(),
        });
        index
    }

    /// Gives a reserved index its entry, and what is held back until `need` holds.
    pub(crate) fn fill(&mut self, index: u64, draft: EntryDraft, need: Need, then: Vec<Then>) {
        let slot = index
            .checked_sub(self.first)
            .and_then(|at| self.slots.get_mut(at as usize));
        debug_assert!(slot.is_some(), "only a reserved index is filled");
        if let Some(slot) = slot {
            slot.draft = Some(draft);
            slot.need = need;
            slot.then = then;
        }
    }

    /// The entries that may go to the log writer now, in order.
    pub(crate) fn ready(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.sent {
                continue;
            }
            let Some(draft) = slot.draft.take() else {
                break;
            };
            slot.sent = true;
            effects.push(Effect::Append {
                index: self.first + at as u64,
                draft,
            });
        }
        effects
    }

    /// Entries up to and including `index` are durable: gives what waited for that.
    pub(crate) fn durable(&mut self, index: u64) -> Vec<Then> {
        let mut released = Vec::new();
        while self.first <= index && self.slots.front().is_some_and(|slot| slot.sent) {
            let Some(slot) = self.slots.pop_front() else {
                break;
            };
            if slot.need == Need::Durable || self.first < self.witnessed {
                released.extend(slot.then);
            } else {
                self.unwitnessed.insert(self.first, slot.then);
            }
            self.first += 1;
        }
        released
    }

    /// A checkpoint of this size is cosigned: gives what waited for that.
    pub(crate) fn witnessed(&mut self, size: u64) -> Vec<Then> {
        self.witnessed = self.witnessed.max(size);
        let later = self.unwitnessed.split_off(&self.witnessed);
        let released = std::mem::replace(&mut self.unwitnessed, later);
        released.into_values().flatten().collect()
    }

    /// How many entries have been cosigned, as far as is known.
    pub(crate) const fn witnessed_size(&self) -> u64 {
        self.witnessed
    }

    /// Notes an entry of a subject at `index`; gives its sequence number and one more than the
    /// index before.
    pub(crate) fn place(&mut self, subject: SubjectId, index: u64) -> (u64, u64) {
        let (sequence, previous) = self.subjects.get(&subject).copied().unwrap_or((0, 0));
        self.subjects.insert(subject, (sequence + 1, index + 1));
        (sequence + 1, previous)
    }

    /// Goes on after a replay of `size` entries.
    pub(crate) fn resume_at(&mut self, size: u64) {
        *self = Self {
            subjects: std::mem::take(&mut self.subjects),
            ..Self::new(size)
        };
    }
}
