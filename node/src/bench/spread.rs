//! Several rounds of one figure, and the processor time of this process and its children.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

/// Ticks a second in what Linux tells programs (time(7)): the same on every machine of today.
const USER_HZ: u32 = 100;

/// Least, middle and greatest of some rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Least.
    pub min: f64,
    /// Middle; of an even number, the lower of the two.
    pub median: f64,
    /// Greatest.
    pub max: f64,
}

impl Spread {
    /// Of these rounds; `None` for none.
    #[must_use]
    pub fn of(rounds: &[f64]) -> Option<Self> {
        let mut rounds = rounds.to_vec();
        rounds.sort_by(f64::total_cmp);
        let middle = rounds.len().checked_sub(1)? / 2;
        Some(Self {
            min: *rounds.first()?,
            median: *rounds.get(middle)?,
            max: *rounds.last()?,
        })
    }
}

/// `middle (least to greatest)`, with two decimals or as many as are asked for.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, median, max } = self;
        let places = f.precision().unwrap_or(2);
        write!(f, "{median:.places$} ({min:.places$} to {max:.places$})")
    }
}

/// How long something took, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Took {
    /// By the clock.
    pub wall_s: f64,
    /// Of the processors: this process, or the children that it waited for.
    pub cpu_s: f64,
}

/// Whose processor time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// This process's.
    Own,
    /// Its children's, once they were waited for.
    Children,
}

/// Does something and says how long it took.
///
/// # Errors
/// What is done fails, or the system does not say how much processor time it took.
pub fn timed<T>(
    whose: Whose,
    run: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Took)> {
    let (before, start) = (cpu(whose)?, Instant::now());
    let done = run()?;
    let took = Took {
        wall_s: start.elapsed().as_secs_f64(),
        cpu_s: cpu(whose)?.saturating_sub(before).as_secs_f64(),
    };
    Ok((done, took))
}

/// Processor time so far (proc(5), `/proc/pid/stat`, fields 14 to 17), in user and system mode.
fn cpu(whose: Whose) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("/proc/self/stat")?;
    ticks(&stat, whose)
        .map(|ticks| Duration::from_secs(ticks) / USER_HZ)
        .context("/proc/self/stat has another form than proc(5) says")
}

/// The second field is the program's name in parentheses, which may hold anything.
fn ticks(stat: &str, whose: Whose) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let first = match whose {
        Whose::Own => 11,
        Whose::Children => 13,
    };
    let fields = fields.split_whitespace().skip(first).take(2);
    fields.map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_its_rounds() {
        let spread = Spread::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.0, 3.0));
        assert_eq!(spread.to_string(), "2.00 (1.00 to 3.00)");
        assert_eq!(format!("{spread:.0}"), "2 (1 to 3)");
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn processor_time_is_read_past_any_name() {
        let stat = "1 (a) b 7 8) R 2 3 4 5 6 7 8 9 10 11 120 30 40 2 20 0";
        assert_eq!(ticks(stat, Whose::Own), Some(150));
        assert_eq!(ticks(stat, Whose::Children), Some(42));
        assert_eq!(ticks("nothing", Whose::Own), None);
    }
}
