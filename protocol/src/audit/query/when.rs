//! Times and spans as people type them and as answers print them. UTC throughout; nothing here
//! reads a clock.

use crate::audit::verify::text::utc;

const SECOND_US: u64 = 1_000_000;
const DAY_US: u64 = 86_400 * SECOND_US;

/// Why a time or a span is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhenError {
    /// Neither RFC 3339 nor a date.
    #[error("a time is written as 2027-01-15 or 2027-01-15T08:00:00Z (RFC 3339)")]
    Time,
    /// Not a number and a unit.
    #[error("a span is written as 90s, 30m, 1h or 2d")]
    Span,
}

/// The beginning of what is named: of the day, for a date. Microseconds since the Unix epoch.
///
/// # Errors
/// [`WhenError::Time`].
pub fn from(text: &str) -> Result<u64, WhenError> {
    instant(text).map(|(start, _)| start)
}

/// The end of what is named, itself not included: of the day, for a date; just after the instant,
/// for an instant. Microseconds since the Unix epoch.
///
/// # Errors
/// [`WhenError::Time`].
pub fn until(text: &str) -> Result<u64, WhenError> {
    let (start, length) = instant(text)?;
    start.checked_add(length).ok_or(WhenError::Time)
}

/// A span in microseconds: a number and one of `s`, `m`, `h`, `d`.
///
/// # Errors
/// [`WhenError::Span`].
pub fn span(text: &str) -> Result<u64, WhenError> {
    let unit = text.chars().last().ok_or(WhenError::Span)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(WhenError::Span),
    };
    let count = text.strip_suffix(unit).and_then(digits);
    let us = count.and_then(|count| count.checked_mul(seconds * SECOND_US));
    us.ok_or(WhenError::Span)
}

/// A time as RFC 3339 writes it, in UTC, cut to whole seconds.
#[must_use]
pub fn show(time_us: u64) -> String {
    utc(time_us / SECOND_US)
}

/// The day of a time, in UTC.
#[must_use]
pub fn day(time_us: u64) -> String {
    let mut text = show(time_us);
    if let Some(at) = text.find('T') {
        text.truncate(at);
    }
    text
}

/// A span in its two largest units.
#[must_use]
pub fn show_span(us: u64) -> String {
    let seconds = us / SECOND_US;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// `years` years before a time, by the calendar; the 29th of February becomes the 28th.
#[must_use]
pub fn years_before(time_us: u64, years: u32) -> u64 {
    let text = day(time_us);
    let mut parts = text.split('-').map_while(digits);
    let (Some(year), Some(month), Some(date)) = (parts.next(), parts.next(), parts.next()) else {
        return 0;
    };
    let year = year.saturating_sub(years.into());
    let date = date.min(days_in(year, month));
    days(year, month, date).map_or(0, |days| days * DAY_US + time_us % DAY_US)
}

/// The start of what is named and its length, in microseconds.
fn instant(text: &str) -> Result<(u64, u64), WhenError> {
    let found = match text.split_once(['T', 't', ' ']) {
        None => date(text).map(|days| (days * DAY_US, DAY_US)),
        Some((day, time)) => date(day)
            .zip(clock(time))
            .and_then(|(days, (us, offset_s))| {
                let local = i128::from(days * DAY_US + us);
                let utc = local - i128::from(offset_s) * i128::from(SECOND_US);
                u64::try_from(utc).ok().map(|start| (start, 1))
            }),
    };
    found.ok_or(WhenError::Time)
}

/// `YYYY-MM-DD` as days since the Unix epoch.
fn date(text: &str) -> Option<u64> {
    let year = digits(text.get(..4)?)?;
    let month = digits(text.get(4..7)?.strip_prefix('-')?)?;
    let date = digits(text.get(7..)?.strip_prefix('-')?)?;
    let whole = text.len() == 10 && (1..=12).contains(&month) && date >= 1;
    (whole && date <= days_in(year, month)).then(|| days(year, month, date))?
}

/// `HH:MM:SS[.fraction](Z|±HH:MM)` as microseconds of the day, and the offset in seconds.
fn clock(text: &str) -> Option<(u64, i64)> {
    let at = text.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = (text.get(..at)?, text.get(at..)?);
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let hour_minute = |text: &str| {
        let (hour, minute) = (text.get(..2)?, text.get(2..)?.strip_prefix(':')?);
        let (hour, minute) = (digits(hour)?, digits(minute)?);
        (hour < 24 && minute < 60 && text.len() == 5).then_some(hour * 3_600 + minute * 60)
    };
    let second = digits(whole.get(5..)?.strip_prefix(':')?).filter(|second| *second < 60)?;
    let seconds = hour_minute(whole.get(..5)?)? + second;
    let known = whole.len() == 8 && fraction.len() <= 9;
    let micros = format!("{fraction:0<6}").get(..6).and_then(digits);
    let micros = micros.filter(|_| digits(fraction).is_some() && known)?;
    let offset = match zone {
        "Z" | "z" => 0,
        zone => {
            let seconds = i64::try_from(hour_minute(zone.get(1..)?)?).ok()?;
            if zone.starts_with('-') {
                -seconds
            } else {
                seconds
            }
        }
    };
    Some((seconds * SECOND_US + micros, offset))
}

/// A decimal number without a sign.
fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the Unix epoch to a date; `None` before it.
fn days(year: u64, month: u64, date: u64) -> Option<u64> {
    let before = year.checked_sub(1)?;
    let leaps = before / 4 - before / 100 + before / 400;
    let months: u64 = (1..month).map(|month| days_in(year, month)).sum();
    // 719,162 days from the first of January of the year 1 to the epoch.
    (before * 365 + leaps + months + date - 1).checked_sub(719_162)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_rfc_3339_and_as_dates() {
        for (text, expected) in [
            ("1970-01-01", Ok(0)),
            ("2027-01-15", Ok(1_799_971_200_000_000)),
            ("2027-01-15T08:00:00Z", Ok(1_800_000_000_000_000)),
            ("2027-01-15T09:30:00+01:30", Ok(1_800_000_000_000_000)),
            ("2027-01-15t08:00:00.25z", Ok(1_800_000_000_250_000)),
            ("2000-02-29", Ok(951_782_400_000_000)),
            ("2027-02-29", Err(WhenError::Time)),
            ("2027-13-01", Err(WhenError::Time)),
            ("2027-01-15T24:00:00Z", Err(WhenError::Time)),
            ("2027-01-15T08:00:00", Err(WhenError::Time)),
            ("2027-01-15T08:00:00+1:00", Err(WhenError::Time)),
            ("2027-1-15", Err(WhenError::Time)),
            ("1969-12-31", Err(WhenError::Time)),
            ("1970-01-01T00:00:00+00:01", Err(WhenError::Time)),
            ("+027-01-15", Err(WhenError::Time)),
            ("2027-01-15Té", Err(WhenError::Time)),
            ("", Err(WhenError::Time)),
        ] {
            assert_eq!(from(text), expected, "{text}");
        }
        assert_eq!(until("2027-01-15"), from("2027-01-16"));
        assert_eq!(until("1970-01-01T00:00:01Z"), Ok(1_000_001));
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2024-12-31T23:59:59Z",
            "9999-12-31T00:00:00Z",
        ] {
            assert_eq!(from(text).map(show).as_deref(), Ok(text));
        }
        assert_eq!(day(1_800_000_000_000_000), "2027-01-15");
        // Whatever an entry claims, nothing overflows.
        assert!(show(u64::MAX).ends_with('Z'));
    }

    #[test]
    fn spans_read_and_show() {
        assert_eq!(span("90s"), Ok(90_000_000));
        assert_eq!(span("1h"), Ok(3_600_000_000));
        for text in ["", "h", "1", "-1h", "1w", "18446744073709551615d", "1é"] {
            assert_eq!(span(text), Err(WhenError::Span), "{text}");
        }
        let shown = [45, 90, 3_700, 200_000].map(|seconds| show_span(seconds * SECOND_US));
        assert_eq!(shown, ["45 s", "1 min 30 s", "1 h 1 min", "2 d 7 h"]);
    }

    #[test]
    fn years_go_back_by_the_calendar() {
        let back = |text: &str, years| from(text).map(|us| show(years_before(us, years)));
        let expected = "2021-01-15T08:00:00Z".to_owned();
        assert_eq!(back("2027-01-15T08:00:00Z", 6), Ok(expected));
        assert_eq!(back("2024-02-29", 1), Ok("2023-02-28T00:00:00Z".to_owned()));
        assert_eq!(
            back("2027-01-15", 5_000),
            Ok("1970-01-01T00:00:00Z".to_owned())
        );
    }
}
