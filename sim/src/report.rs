//! What a search found, for people and for programs; deterministic, so that two can be compared.

use std::fmt;

use crate::search::Found;

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in &self.clean {
            let (seed, events, trace) = (run.seed, run.events, run.trace);
            writeln!(f, "seed {seed}: clean, {events} events, trace {trace}")?;
        }
        for failure in &self.failures {
            let seed = failure.seed;
            writeln!(f, "{failure}\n  again: --seeds {seed}..{}", seed + 1)?;
        }
        let (clean, broken) = (self.clean.len(), self.failures.len());
        write!(f, "{clean} clean, {broken} broken")
    }
}

impl Found {
    /// One JSON object: `runs` and `failures`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let run = |run: &crate::run::Summary| {
            serde_json::json!({
                "seed": run.seed,
                "trace": run.trace.to_hex(),
                "events": run.events,
                "messages": run.messages,
                "grants": run.grants,
                "closed_at_us": run.closed_at_us,
            })
        };
        let runs: Vec<serde_json::Value> = self.clean.iter().map(run).collect();
        let failures: Vec<String> = self.failures.iter().map(ToString::to_string).collect();
        serde_json::json!({ "runs": runs, "failures": failures })
    }
}

/// Reads a range of seeds: `A..B`, or `A` alone.
///
/// # Errors
/// When a number does not parse.
pub fn seeds(text: &str) -> Result<std::ops::Range<u64>, std::num::ParseIntError> {
    match text.split_once("..") {
        Some((from, to)) => Ok(from.parse()?..to.parse()?),
        None => text.parse().map(|seed: u64| seed..seed.saturating_add(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn a_range_or_one_seed() {
        assert_eq!(seeds("3..9"), Ok(3..9));
        assert_eq!(seeds("3"), Ok(3..4));
        assert!(seeds("3..").is_err());
    }
}
