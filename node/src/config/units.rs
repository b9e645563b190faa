//! Spans and sizes as people write them: `90s`, `2GiB`.

use std::time::Duration;

/// Units of a span, in milliseconds.
const SPANS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Units of a size, in bytes. Decimal ones are left out: they are mistaken for these too often.
const SIZES: [(&str, u64); 4] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A whole number and a unit, multiplied out; `None` for any other text or an overflow.
fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Reads a span.
pub(super) fn span(text: &str) -> Option<Duration> {
    measure(text, &SPANS).map(Duration::from_millis)
}

/// Reads a size in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    measure(text, &SIZES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_a_unit() {
        assert_eq!(span("90s"), Some(Duration::from_secs(90)));
        assert_eq!(span("2 h"), Some(Duration::from_secs(7_200)));
        assert_eq!(size("3GiB"), Some(3 << 30));
        for bad in [
            "",
            "5",
            "s",
            "-1s",
            "1.5h",
            "1 week",
            "99999999999999999999s",
            "1h ",
        ] {
            assert_eq!(span(bad), None, "{bad}");
        }
        for bad in ["1GB", "1", "GiB", "18446744073709551615KiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
