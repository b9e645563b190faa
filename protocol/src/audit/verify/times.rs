//! The entries' times, against one another and against the witnesses'.
//!
//! **One another.** An entry's time is `time ± uncertainty`. No entry lies before an earlier one:
//! it is a fault where `time + uncertainty + SIGNING_US` is less than the greatest
//! `time - uncertainty` since the last `ClockAnomaly`, which counts itself, or since the log's
//! beginning.
//!
//! **A clock that was set back.** The node logs that first: the `ClockAnomaly` precedes every entry
//! that is dated by the clock as set, the start of the node too if it was set while the node was
//! down, and it carries the earlier time itself. So it is held against what stands before it, which
//! gives the jump (a finding, never a fault), and what stands behind it is held against it alone.
//! An entry that is dated by the clock as set and stands before the anomaly is not explained by it,
//! not even at an index that was reserved before the clock was set.
//!
//! **The witnesses.** A jump explains nothing to them: an entry that is dated before a cosignature
//! on a tree without it, or after one on a tree with it, is a finding whatever the node says.

use std::collections::BTreeMap;

use super::fault::{Check, Fault};
use super::remark::Remark;
use super::report::Report;
use crate::audit::header::{Header, Kind};
use crate::limits;
use crate::time::micros;

/// A grant names its own index, which is therefore taken before the grant is signed: entries behind
/// it are dated while it waits for its signature. No signer takes longer than this.
const SIGNING_US: u64 = 10_000_000;

/// What the entries so far say of the time.
#[derive(Default)]
pub(super) struct Clock {
    /// The earliest time that may be now, by all entries since the last anomaly.
    earliest_us: u64,
    /// The same by all entries: no anomaly takes it back.
    furthest_us: u64,
    /// Trees larger than the walk has come, by size, and when a witness saw them.
    ahead: BTreeMap<u64, u64>,
    /// The latest cosignature on a tree that the walk has passed.
    passed_us: u64,
}

impl Clock {
    /// Notes that a witness saw a tree of `size` at `time_us`.
    pub(super) fn cosigned(&mut self, size: u64, time_us: u64) {
        let latest = self.ahead.entry(size).or_default();
        *latest = time_us.max(*latest);
    }

    /// Looks at the next entry's time. Gives the fault; findings go into the report.
    pub(super) fn observe(
        &mut self,
        (index, header): (u64, &Header),
        report: &mut Report,
    ) -> Option<Fault> {
        let earliest = header.time_us.saturating_sub(header.uncertainty_us);
        let latest = header.time_us.saturating_add(header.uncertainty_us);
        while let Some(first) = self.ahead.first_entry().filter(|e| *e.key() <= index) {
            self.passed_us = self.passed_us.max(first.remove());
        }
        if latest.saturating_add(micros(limits::SKEW_MAX)) < self.passed_us {
            let seconds = (self.passed_us - latest) / 1_000_000;
            report.remark(Check::Entries, Some(index), Remark::BackDated(seconds));
        }
        self.furthest_us = self.furthest_us.max(earliest);
        let back = self.earliest_us.saturating_sub(latest);
        if header.kind == Kind::ClockAnomaly as i32 {
            let remark = match back {
                0 => Remark::ClockAnomaly,
                back => Remark::ClockSetBack(back),
            };
            report.remark(Check::Entries, Some(index), remark);
            self.earliest_us = earliest;
            return None;
        }
        if back > SIGNING_US {
            return Some(Fault::TimeRunsBack(back));
        }
        self.earliest_us = self.earliest_us.max(earliest);
        None
    }

    /// The entries so far, if they lie beyond the latest cosignature on a tree that holds them.
    pub(super) fn forward_dated(&self, cosigned_us: u64) -> Option<Remark> {
        forward_dated(self.furthest_us, cosigned_us)
    }
}

/// Entries that lie beyond the latest cosignature on a tree that holds them.
pub(super) fn forward_dated(earliest_us: u64, cosigned_us: u64) -> Option<Remark> {
    let tolerated = micros(limits::SKEW_MAX).saturating_add(cosigned_us);
    let beyond = earliest_us.checked_sub(tolerated).filter(|us| *us > 0)?;
    Some(Remark::ForwardDated(beyond / 1_000_000))
}
