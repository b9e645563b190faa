//! Time as a value: ticks for leases, wall time with its uncertainty for law and deadlines.
//!
//! Nothing here reads a clock. The shell reads `CLOCK_BOOTTIME` (which counts through suspend) and
//! the wall clock, and passes both; the simulator passes what it likes.

use std::time::Duration;

/// Microseconds since boot, counted through suspend. Comparable only within one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(pub u64);

impl Tick {
    /// The tick `after` this one; saturates.
    #[must_use]
    pub const fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(micros(after)))
    }

    /// The time from `earlier` to this tick; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Which boot of which machine a tick belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BootId(pub [u8; 16]);

/// Wall time: microseconds since 1970-01-01T00:00:00Z, and how far off it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall {
    /// Microseconds since the Unix epoch.
    pub unix_us: u64,
    /// The clock's stated uncertainty, in microseconds.
    pub uncertainty_us: u64,
}

impl Wall {
    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn unix_s(self) -> u64 {
        self.unix_us / 1_000_000
    }

    /// Microseconds since the epoch, `after` later; saturates.
    #[must_use]
    pub const fn plus_us(self, after: Duration) -> u64 {
        self.unix_us.saturating_add(micros(after))
    }
}

/// Now, as the core is told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// Time since boot.
    pub tick: Tick,
    /// Which boot.
    pub boot: BootId,
    /// Wall time.
    pub wall: Wall,
}

/// A span as whole microseconds; saturates at 584,000 years.
#[must_use]
pub const fn micros(span: Duration) -> u64 {
    let us = span.as_micros();
    if us > u64::MAX as u128 {
        u64::MAX
    } else {
        us as u64
    }
}

/// What a lease's holder counts: the span shortened by the tolerated clock drift.
#[must_use]
pub fn shortened(span: Duration) -> Duration {
    span.saturating_sub(span / crate::limits::DRIFT_DIVISOR)
}

/// What a lease's owner counts: the span lengthened by the tolerated clock drift and a margin for
/// delay.
#[must_use]
pub fn lengthened(span: Duration) -> Duration {
    span.saturating_add(span / crate::limits::DRIFT_DIVISOR)
        .saturating_add(crate::limits::LEASE_MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Tick(u64::MAX).plus(Duration::MAX), Tick(u64::MAX));
        assert_eq!(Tick(1).since(Tick(2)), Duration::ZERO);
    }

    #[test]
    fn an_owner_waits_longer_than_a_holder_reads() {
        let lease = Duration::from_secs(90);
        assert!(shortened(lease) < lease && lease < lengthened(lease));
    }
}
