//! The reserve: room on the disk that new objects never take.
//!
//! A full disk stops the log, and with it every release and report. So objects are refused while
//! there is still room for the log and for the records of what was accepted.

use std::path::Path;

use super::disk::{self, Room};
use super::error::StoreError;

/// How much of the disk is kept free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    /// In hundredths of the disk.
    pub percent: u8,
    /// In bytes; the larger of both counts.
    pub bytes: u64,
}

impl Default for Reserve {
    fn default() -> Self {
        // 95 % full is where a file system starts to fragment and an operator must act; 1 GiB
        // holds a day of log entries, payloads and RocksDB's compactions.
        Self {
            percent: 5,
            bytes: 1024 * 1024 * 1024,
        }
    }
}

impl Reserve {
    /// Refuses when `needed` more bytes under `path` would go below the reserve.
    ///
    /// # Errors
    /// `StoreError::OutOfSpace`, or `Disk` when the file system does not answer.
    pub fn check(&self, path: &Path, needed: u64) -> Result<(), StoreError> {
        self.admit(disk::room(path)?, needed)
    }

    fn admit(&self, room: Room, needed: u64) -> Result<(), StoreError> {
        let share = room.total / 100 * u64::from(self.percent.min(100));
        let kept_free = share.max(self.bytes);
        if room.available.saturating_sub(needed) >= kept_free && room.available >= needed {
            return Ok(());
        }
        Err(StoreError::OutOfSpace {
            available: room.available,
            kept_free,
            needed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_reserve_counts() {
        let room = Room {
            total: 1000,
            available: 100,
        };
        let percent = Reserve {
            percent: 5,
            bytes: 0,
        };
        assert_eq!(percent.admit(room, 50), Ok(()));
        let refused = StoreError::OutOfSpace {
            available: 100,
            kept_free: 50,
            needed: 51,
        };
        assert_eq!(percent.admit(room, 51), Err(refused));
        let bytes = Reserve {
            percent: 5,
            bytes: 90,
        };
        assert!(bytes.admit(room, 10).is_ok() && bytes.admit(room, 11).is_err());
        let none = Reserve {
            percent: 0,
            bytes: 0,
        };
        assert!(none.admit(room, 100).is_ok() && none.admit(room, 101).is_err());
    }
}
