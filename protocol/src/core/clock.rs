//! Whether the wall clock goes on as the log and the tick say. A clock that was set is logged,
//! once, before anything that is dated by it: a verifier takes times that run back for a forged log
//! unless the node itself says why.

use std::time::Duration;

use crate::limits;
use crate::time::{Now, Wall, micros};

/// What a step of the wall clock is measured against.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClockWatch {
    /// The earliest time that may be now, by all entries since the last anomaly: no entry is later
    /// than this by more than its uncertainty. A verifier keeps the same number.
    earliest_us: u64,
    /// The last time that was seen, to compare wall clock and tick.
    seen: Option<Now>,
}

impl ClockWatch {
    /// An entry is dated like this.
    pub(crate) fn logged(&mut self, wall: Wall, is_anomaly: bool) {
        let earliest_us = wall.unix_us.saturating_sub(wall.uncertainty_us);
        self.earliest_us = if is_anomaly {
            earliest_us
        } else {
            self.earliest_us.max(earliest_us)
        };
    }

    /// It is now this; steps are measured from here.
    pub(crate) const fn seen(&mut self, now: Now) {
        self.seen = Some(now);
    }

    /// Why an anomaly is to be logged now, if one is.
    pub(crate) fn step(&self, now: Now) -> Option<&'static str> {
        if now
            .wall
            .plus_us(Duration::from_micros(now.wall.uncertainty_us))
            < self.earliest_us
        {
            return Some("the wall clock was set back");
        }
        let before = self.seen.filter(|before| before.boot == now.boot)?;
        let walked = now.wall.unix_us.saturating_sub(before.wall.unix_us);
        let ticked = now.tick.since(before.tick);
        let tolerated = ticked
            .saturating_add(ticked / limits::DRIFT_DIVISOR)
            .saturating_add(limits::CLOCK_JUMP);
        (walked > micros(tolerated)).then_some("the wall clock was set forward")
    }

    /// The earliest time that may be now.
    pub(crate) const fn earliest_us(&self) -> u64 {
        self.earliest_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{BootId, Tick};

    const S: u64 = 1_000_000;

    fn at(tick_s: u64, wall_s: u64) -> Now {
        Now {
            tick: Tick(tick_s * S),
            boot: BootId([1; 16]),
            wall: Wall {
                unix_us: wall_s * S,
                uncertainty_us: S,
            },
        }
    }

    #[test]
    fn a_step_back_counts_beyond_both_uncertainties_and_until_it_is_logged() {
        let mut watch = ClockWatch::default();
        watch.logged(at(0, 1_000).wall, false);
        watch.logged(at(0, 990).wall, false);
        assert_eq!(watch.step(at(0, 998)), None);
        assert!(watch.step(at(0, 997)).is_some());
        watch.logged(at(0, 997).wall, true);
        assert_eq!(watch.step(at(0, 997)), None);
    }

    #[test]
    fn a_jump_ahead_counts_within_one_boot_only() {
        let mut watch = ClockWatch::default();
        assert_eq!(watch.step(at(0, 1_000)), None);
        watch.seen(at(0, 1_000));
        assert_eq!(watch.step(at(10, 1_310)), None);
        assert!(watch.step(at(10, 1_311)).is_some());
        let rebooted = Now {
            boot: BootId([2; 16]),
            ..at(10, 9_000)
        };
        assert_eq!(watch.step(rebooted), None);
    }
}
