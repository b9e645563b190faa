//! One site: a real core, its disk, and what its shell would do.

use protocol::audit::entry::{Entry, Openings};
use protocol::core::Core;
use protocol::core::config::Seeds;
use protocol::time::{BootId, Now, Tick, Wall};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::consortium::{Consortium, EPOCH_S};
use crate::disk::Disk;

/// A site.
pub struct Host {
    /// Its number in the consortium.
    pub number: usize,
    /// Running, or down.
    pub core: Option<Core>,
    /// How often it started: what was meant for an earlier life is dropped.
    pub life: u32,
    /// What survives.
    pub disk: Disk,
    /// How far its wall clock is off, microseconds.
    pub skew_us: u64,
    /// When its newest append will be durable: a disk works in order.
    pub disk_busy_until: u64,
    /// The wake-up that is planned.
    pub wake_at: Option<u64>,
}

impl Host {
    /// A site that was never started.
    pub fn new(number: usize, skew_us: u64) -> Self {
        Self {
            number,
            core: None,
            life: 0,
            disk: Disk::default(),
            skew_us,
            disk_busy_until: 0,
            wake_at: None,
        }
    }

    /// Its clocks at `at_us` microseconds of virtual time.
    pub fn now(&self, at_us: u64) -> Now {
        Now {
            tick: Tick(at_us),
            boot: BootId([self.number as u8; 16]),
            wall: Wall {
                unix_us: EPOCH_S * 1_000_000 + at_us + self.skew_us,
                uncertainty_us: 5_000_000,
            },
        }
    }

    /// Starts it from its disk.
    ///
    /// # Panics
    /// When its own entries cannot be replayed: that is a bug that the search is for.
    pub fn start(&mut self, consortium: &Consortium, rng: &mut ChaCha20Rng, at_us: u64) {
        let mut seeds = Seeds {
            protocol: [0; 32],
            secret: [0; 32],
        };
        rng.fill_bytes(&mut seeds.protocol);
        rng.fill_bytes(&mut seeds.secret);
        let mut core = Core::new(consortium.config(self.number), &seeds);
        for (index, stored) in self.disk.entries.iter().enumerate() {
            let entry = Entry::decode_bytes(&stored.entry).expect("a canonical entry");
            let openings = Openings::decode_bytes(&stored.payload).expect("a readable payload");
            core.replay(index as u64, &entry, &openings, stored.subject)
                .expect("a known record");
        }
        core.start(self.now(at_us));
        self.core = Some(core);
        self.life += 1;
        self.disk_busy_until = at_us;
        self.wake_at = None;
    }
}
