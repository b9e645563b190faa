//! How often a witness cosigns for one log: a bucket of cosignatures that refills with time.

use std::collections::BTreeMap;

use crypto::note::KeyName;

/// Cosignatures a second for one log. Each costs the witness a durable write, and a log commits
/// some sixty batches a second on the disks that we measured: an honest log never waits for it.
pub const PER_SECOND: u64 = 100;

/// Cosignatures that one log may have at once after a pause.
pub const BURST: u64 = 200;

/// What one cosignature costs, in the bucket's own unit: a microsecond of refilling times
/// [`PER_SECOND`].
const COST: u64 = 1_000_000;

/// What each log may still have. As many buckets as there are known logs: take only after the
/// origin is known and its signature holds.
#[derive(Debug, Default)]
pub struct Rate(BTreeMap<KeyName, Bucket>);

#[derive(Debug)]
struct Bucket {
    level: u64,
    at_us: u64,
}

impl Rate {
    /// Takes one cosignature for `origin` at `now_us`, microseconds of a clock that does not go
    /// back; `false` if the log must wait.
    pub fn take(&mut self, origin: &KeyName, now_us: u64) -> bool {
        let full = BURST * COST;
        let bucket = self.0.entry(origin.clone()).or_insert(Bucket {
            level: full,
            at_us: now_us,
        });
        let passed = now_us.saturating_sub(bucket.at_us);
        let refill = passed.saturating_mul(PER_SECOND);
        bucket.level = bucket.level.saturating_add(refill).min(full);
        bucket.at_us = bucket.at_us.max(now_us);
        let has = bucket.level >= COST;
        if has {
            bucket.level -= COST;
        }
        has
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rate: &mut Rate, origin: &KeyName, now_us: u64) -> u64 {
        (0..).take_while(|_| rate.take(origin, now_us)).count() as u64
    }

    #[test]
    fn a_log_has_its_burst_and_then_its_rate_and_costs_no_other_log() {
        let (one, other) = (KeyName::new("one"), KeyName::new("other"));
        let (one, other) = (one.expect("a name"), other.expect("a name"));
        let mut rate = Rate::default();
        assert_eq!(taken(&mut rate, &one, 5), BURST);
        assert_eq!(taken(&mut rate, &one, 5 + 1_000_000), PER_SECOND);
        // Less than one is left of each refill, and is not lost.
        assert_eq!(taken(&mut rate, &one, 5 + 1_005_000), 0);
        assert_eq!(taken(&mut rate, &one, 5 + 1_010_000), 1);
        assert_eq!(taken(&mut rate, &other, 5), BURST);
    }

    #[test]
    fn a_clock_that_jumps_gives_no_more_than_the_burst() {
        let one = KeyName::new("one").expect("a name");
        let mut rate = Rate::default();
        assert_eq!(taken(&mut rate, &one, 1_000), BURST);
        assert_eq!(taken(&mut rate, &one, 0), 0);
        assert_eq!(taken(&mut rate, &one, u64::MAX), BURST);
        assert_eq!(taken(&mut rate, &one, 0), 0);
    }
}
