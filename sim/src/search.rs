//! Many seeds, one after the other.

use crate::run::{Failure, Summary, run};

/// What a search came to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Runs that kept every promise, in seed order.
    pub clean: Vec<Summary>,
    /// Runs that broke one.
    pub failures: Vec<Failure>,
}

/// Runs all seeds of a range.
#[must_use]
pub fn search(seeds: std::ops::Range<u64>) -> Found {
    let mut found = Found::default();
    for seed in seeds {
        match run(seed) {
            Ok(summary) => found.clean.push(summary),
            Err(failure) => found.failures.push(failure),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_trace() {
        assert_eq!(run(7), run(7));
    }

    #[test]
    fn the_first_seeds_are_clean() {
        let found = search(0..20);
        assert_eq!(found.failures, vec![]);
        assert_eq!(found.clean.len(), 20);
    }
}
