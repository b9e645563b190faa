//! Days as people write them, and the time now, for credentials and for what is shown of them.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use protocol::time::Wall;
use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime, Time};

/// Seconds in a day.
pub(super) const DAY: u64 = 86_400;

/// The wall time now. Commands are not leases: a clock's uncertainty is the person's own matter.
pub(super) fn now() -> anyhow::Result<Wall> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("this machine's clock is before 1970: set it")?;
    Ok(Wall {
        unix_us: protocol::time::micros(since),
        uncertainty_us: 0,
    })
}

/// The first second of a day (`2026-11-24`, UTC), since the Unix epoch.
pub(super) fn day(text: &str) -> anyhow::Result<u64> {
    let date = Date::parse(text, &Iso8601::DATE)
        .with_context(|| format!("\"{text}\" is no day, as 2026-11-24"))?;
    let at = OffsetDateTime::new_utc(date, Time::MIDNIGHT).unix_timestamp();
    u64::try_from(at).with_context(|| format!("\"{text}\" is before 1970"))
}

/// A second since the Unix epoch as `2026-11-24T00:00:00Z`.
pub(super) fn shown(unix_s: u64) -> String {
    i64::try_from(unix_s)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .map_or_else(
            || format!("{unix_s} s after 1970"),
            |at| {
                let (date, time) = (at.date(), at.time());
                let (hour, minute, second) = time.as_hms();
                format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
            },
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_comes_back() {
        assert_eq!(day("1970-01-02").unwrap(), DAY);
        assert_eq!(
            shown(day("2026-11-24").unwrap() + 3_661),
            "2026-11-24T01:01:01Z"
        );
        assert!(day("24.11.2026").is_err() && day("1969-12-31").is_err());
        assert_eq!(shown(u64::MAX), format!("{} s after 1970", u64::MAX));
    }
}
