//! Cases that ended: kept for a while, then forgotten, but for the names of their studies.
//!
//! What goes and when follows from the records and their times alone, so that a replay forgets what
//! the running node forgot.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Owner;
use crate::case::State;
use crate::ids::{CaseId, StudyId};
use crate::limits;
use crate::time::{Wall, micros};

/// What is known of cases that ended.
#[derive(Default)]
pub(super) struct Ended {
    /// Cases still in memory, by when they ended (microseconds since the Unix epoch).
    kept: BTreeSet<(u64, CaseId)>,
    /// Studies whose case is forgotten, with their objects as last logged.
    studies: BTreeMap<StudyId, u64>,
    /// The same studies, oldest first.
    order: VecDeque<StudyId>,
}

impl Owner {
    /// Notes that a case ended at this time, if it did.
    pub(super) fn note_end(&mut self, case: &[u8], wall: Wall) {
        let case = CaseId::from_slice(case).and_then(|id| self.cases.get(&id));
        if let Some(case) = case.filter(|case| case.is_over()) {
            self.ended.kept.insert((wall.unix_us, case.id));
        }
    }

    /// Forgets the cases that ended long enough before this record's time, or that are too many.
    pub(super) fn forget_ended(&mut self, wall: Wall) {
        let long_ago = wall.unix_us.checked_sub(micros(limits::ENDED_KEPT));
        while let Some((ended_us, id)) = self.ended.kept.first().copied() {
            let due = long_ago.is_some_and(|until| ended_us <= until);
            if !due && self.ended.kept.len() <= limits::CASES_ENDED_MAX {
                return;
            }
            self.ended.kept.pop_first();
            self.forget(id);
        }
    }

    fn forget(&mut self, id: CaseId) {
        let Some(case) = self.cases.remove(&id) else {
            return;
        };
        for offer in case.asked.values() {
            self.offers.remove(offer);
        }
        let current = case.lease.as_ref().map(|lease| lease.fence);
        for fence in case.past.keys().copied().chain(current) {
            self.fences.remove(&fence);
            self.grants.remove(&fence);
            self.purged.remove(&fence);
        }
        self.unlogged_rings.remove(&id);
        for study in case.studies {
            self.by_study.remove(&study);
            let logged = self.studies.remove(&study);
            let objects = logged.map_or(case.study.objects, |study| study.objects);
            if self.ended.studies.insert(study, objects).is_none() {
                self.ended.order.push_back(study);
            }
        }
        while self.ended.order.len() > limits::ENDED_STUDIES_MAX {
            let oldest = self.ended.order.pop_front();
            oldest.map(|study| self.ended.studies.remove(&study));
        }
    }

    /// Whether a study has, or had, a case: it never opens another.
    pub(super) fn had_case(&self, study: &StudyId) -> bool {
        self.by_study.contains_key(study) || self.ended.studies.contains_key(study)
    }

    /// Objects of a study as last logged.
    pub(super) fn objects_logged(&self, study: &StudyId) -> Option<u64> {
        let known = self.studies.get(study).map(|known| known.objects);
        known.or_else(|| self.ended.studies.get(study).copied())
    }

    /// Notes late images of a study whose case is forgotten. False for any other study.
    pub(super) fn late_of_ended(&mut self, study: &StudyId, objects: u64) -> bool {
        let known = self.ended.studies.get_mut(study);
        known.map(|known| *known = objects).is_some()
    }

    /// All studies that have or had a case.
    pub(crate) fn known_studies(&self) -> BTreeSet<StudyId> {
        let ended = self.ended.studies.keys();
        self.by_study.keys().chain(ended).copied().collect()
    }

    /// Cases that still want a reader or a report.
    pub(super) fn live_cases(&self) -> usize {
        let live = |case: &&super::case::Case| !case.is_over() && case.state != State::Delivered;
        self.cases.values().filter(live).count()
    }

    /// Cases whose report was delivered and that nobody has closed.
    pub(super) fn unclosed_cases(&self) -> usize {
        let delivered = |case: &&super::case::Case| case.state == State::Delivered;
        self.cases.values().filter(delivered).count()
    }
}

impl super::case::Case {
    /// It is closed or cancelled: nothing happens to it any more.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Closed | State::Cancelled)
    }
}
