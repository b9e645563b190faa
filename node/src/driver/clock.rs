//! Now, for the core: time since boot, which boot, and the wall clock with how far it may be off.

use std::time::{SystemTime, UNIX_EPOCH};

use protocol::time::{BootId, Now, Tick, Wall};
use rustix::time::{ClockId, clock_gettime};

/// How far off the wall clock is said to be: an NTP client that is in step stays far within it, and
/// one that is not is what `SKEW_MAX` of the protocol catches.
const UNCERTAINTY_US: u64 = 500_000;

/// Where Linux names the current boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Why there is no clock.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// The boot's name cannot be read.
    #[error("{BOOT_ID}: {0}")]
    Read(#[from] std::io::Error),
    /// It is not a UUID.
    #[error("{BOOT_ID}: not a UUID")]
    NotUuid(#[from] uuid::Error),
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    boot: BootId,
}

impl Clock {
    /// Reads which boot this is.
    ///
    /// # Errors
    /// [`ClockError`].
    pub fn open() -> Result<Self, ClockError> {
        let text = std::fs::read_to_string(BOOT_ID)?;
        let boot = uuid::Uuid::parse_str(text.trim())?;
        Ok(Self {
            boot: BootId(*boot.as_bytes()),
        })
    }

    /// Now. The tick counts through suspend; a wall clock before 1970 reads as 1970.
    #[must_use]
    pub fn now(&self) -> Now {
        let since_boot = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(since_boot.tv_sec).unwrap_or(0);
        let micros = u64::try_from(since_boot.tv_nsec).unwrap_or(0) / 1_000;
        Now {
            tick: Tick(seconds.saturating_mul(1_000_000).saturating_add(micros)),
            boot: self.boot,
            wall: wall(),
        }
    }
}

/// The wall clock alone.
#[must_use]
pub fn wall() -> Wall {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Wall {
        unix_us: protocol::time::micros(since),
        uncertainty_us: UNCERTAINTY_US,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_do_not_go_back_and_the_boot_stays() {
        let clock = Clock::open().expect("Linux names its boot");
        let (first, second) = (clock.now(), clock.now());
        assert!(second.tick >= first.tick);
        assert_eq!(first.boot, second.boot);
        assert_ne!(first.boot, BootId::default());
    }
}
