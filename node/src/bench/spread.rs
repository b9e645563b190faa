//! Minimum, median and maximum of repeated measurements.

use std::fmt;

use serde::Serialize;

/// Three figures that stand for all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The middle one; the mean of the two middle ones of an even number.
    pub median: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// The spread of these figures; `None` of nothing, or of something that is no number.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        if sorted.iter().any(|figure| !figure.is_finite()) {
            return None;
        }
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.get(sorted.len() / 2)?;
        let below = sorted.get((sorted.len().saturating_sub(1)) / 2)?;
        Some(Self {
            min: *sorted.first()?,
            median: f64::midpoint(*middle, *below),
            max: *sorted.last()?,
        })
    }
}

/// `median (min to max)`, with as many decimals as the format asks for.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().unwrap_or(2);
        let Self { min, median, max } = self;
        write!(f, "{median:.places$} ({min:.places$} to {max:.places$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_odd_and_even_numbers() {
        let median = |figures: &[f64]| Spread::of(figures.iter().copied()).map(|s| s.median);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, f64::NAN]), None);
        let spread = Spread::of([1.0, 2.0, 4.0]).expect("numbers");
        assert_eq!(format!("{spread:.1}"), "2.0 (1.0 to 4.0)");
    }
}
