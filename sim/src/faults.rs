//! What may go wrong in one run, drawn from its seed.

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

/// The knobs of one run. Probabilities are in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// A message is lost.
    pub loss: u32,
    /// A message arrives twice.
    pub duplicate: u32,
    /// The longest one-way delay, microseconds.
    pub delay_us: u64,
    /// The longest time from an append to its report, microseconds.
    pub disk_us: u64,
    /// The longest time from durable to cosigned, microseconds.
    pub witness_us: u64,
    /// Which host crashes, and when (microseconds from the start).
    pub crash: (usize, u64),
    /// How long it is down.
    pub down_us: u64,
    /// A reader vanishes in mid-read, in thousandths of reads.
    pub vanish: u32,
    /// A delivery fails.
    pub delivery_fails: u32,
}

impl Faults {
    /// Draws a run's faults among `hosts` hosts.
    pub fn draw(rng: &mut ChaCha20Rng, hosts: usize) -> Self {
        let mut below = |n: u64| rng.next_u64() % n;
        Self {
            loss: below(200) as u32,
            duplicate: below(100) as u32,
            delay_us: 1_000 + below(400_000),
            disk_us: 1_000 + below(200_000),
            witness_us: 1_000 + below(500_000),
            crash: (below(hosts as u64) as usize, 1_000_000 + below(300_000_000)),
            down_us: 1_000_000 + below(200_000_000),
            vanish: below(200) as u32,
            delivery_fails: below(400) as u32,
        }
    }
}

/// True with `thousandths` in a thousand.
pub fn happens(rng: &mut ChaCha20Rng, thousandths: u32) -> bool {
    rng.next_u64() % 1_000 < u64::from(thousandths)
}
