//! Volumes by pair of countries and day, drawn: one strip a pair, all on one scale. Labels stand
//! beside the drawing and not in it, so that they stay readable in a narrow window.

use std::collections::BTreeMap;

use super::html::{Html, grouped, size};
use crate::audit::query::{Cell, Table, when};

/// Most strips: what has less volume stands in the table alone.
const STRIPS_MAX: usize = 8;

/// Most bars of a strip: beyond that a bar is several days.
const BARS_MAX: u64 = 60;

/// Fewest places for bars, so that a single day is no wall.
const BARS_MIN: u64 = 14;

/// Of the drawing, in its own units.
const WIDTH: u64 = 600;
const HEIGHT: u64 = 56;

const DAY_US: u64 = 86_400_000_000;

/// What one pair of countries has.
#[derive(Default)]
struct Strip {
    releases: u64,
    bytes: u64,
    /// Bytes by day since the Unix epoch.
    days: BTreeMap<u64, u64>,
}

/// Draws the table of volumes by day, if there is anything to draw.
pub(super) fn draw(html: &mut Html, table: &Table) {
    let (strips, odd) = gather(table);
    let days = strips.values().flat_map(|strip| strip.days.keys());
    let (Some(first), Some(last)) = (days.clone().min(), days.max()) else {
        return;
    };
    let scale = Scale::over(*first, *last);
    let mut order: Vec<(&(String, String), &Strip)> = strips.iter().collect();
    order.sort_by_key(|(pair, strip)| (std::cmp::Reverse(strip.bytes), *pair));
    let more = order.len().saturating_sub(STRIPS_MAX);
    order.truncate(STRIPS_MAX);
    let tallest = order.iter().flat_map(|(_, strip)| scale.bars(strip));
    let tallest = tallest.map(|(_, bytes)| bytes).max().unwrap_or(0).max(1);
    html.within("figure", &[], |html| {
        html.within("figcaption", &[], |html| {
            html.text(&caption(&scale, tallest, (more, odd + table.more)));
        });
        for (number, ((from, to), strip)) in order.into_iter().enumerate() {
            one(html, (number, from, to), strip, (&scale, tallest));
        }
        html.within("p", &[("class", "axis")], |html| {
            html.say("span", &day(scale.first));
            html.say("span", &day(scale.end() - 1));
        });
    });
}

fn caption(scale: &Scale, tallest: u64, (pairs, rows): (usize, u64)) -> String {
    let each = match scale.days {
        1 => "one day".to_owned(),
        days => format!("{days} days"),
    };
    let mut text = format!(
        "Released volume over time, for each pair of countries: a bar is {each} (UTC), a bar of \
         full height is {}, and all strips have the same scale.",
        size(tallest)
    );
    if pairs > 0 {
        text.push_str(&format!(
            " {pairs} pairs with less volume stand in the table alone."
        ));
    }
    if rows > 0 {
        text.push_str(&format!(" {} rows could not be drawn.", grouped(rows)));
    }
    text
}

fn one(
    html: &mut Html,
    (number, from, to): (usize, &str, &str),
    strip: &Strip,
    (scale, tallest): (&Scale, u64),
) {
    let name = match from == to {
        true => format!("{from}, within the country"),
        false => format!("{from} to {to}"),
    };
    let releases = crate::audit::verify::text::counted(strip.releases, "release");
    let sum = format!("{releases}, {}", size(strip.bytes));
    let (title, desc) = (format!("strip-{number}"), format!("strip-{number}-text"));
    let labelled = format!("{title} {desc}");
    html.within("div", &[("class", "strip")], |html| {
        html.within("p", &[], |html| {
            html.say("b", &name);
            html.say("span", &sum);
        });
        let view = format!("0 0 {WIDTH} {HEIGHT}");
        let attributes = [
            ("viewBox", view.as_str()),
            ("preserveAspectRatio", "none"),
            ("role", "img"),
            ("aria-labelledby", labelled.as_str()),
        ];
        html.within("svg", &attributes, |html| {
            html.within("title", &[("id", &title)], |html| html.text(&name));
            html.within("desc", &[("id", &desc)], |html| {
                html.text(&format!(
                    "{sum}, from {} to {}. The figures stand in the table \"by day\" below.",
                    day(scale.first),
                    day(scale.end() - 1)
                ));
            });
            for (at, bytes) in scale.bars(strip) {
                bar(html, (at, scale.count), (bytes, tallest));
            }
        });
    });
}

fn bar(html: &mut Html, (at, count): (u64, u64), (bytes, tallest): (u64, u64)) {
    let place = WIDTH / count;
    // At least a line: something was released.
    let height = u128::from(bytes) * u128::from(HEIGHT) / u128::from(tallest);
    let height = u64::try_from(height).unwrap_or(HEIGHT).clamp(1, HEIGHT);
    let (x, y) = ((at * place).to_string(), (HEIGHT - height).to_string());
    let (width, height) = ((place - place / 5).max(1).to_string(), height.to_string());
    let attributes = [
        ("class", "bar"),
        ("x", x.as_str()),
        ("y", y.as_str()),
        ("width", width.as_str()),
        ("height", height.as_str()),
    ];
    html.within("rect", &attributes, |_| ());
}

/// How days become places for bars.
struct Scale {
    /// The first day since the Unix epoch.
    first: u64,
    /// Days a bar.
    days: u64,
    /// Places for bars.
    count: u64,
}

impl Scale {
    const fn over(first: u64, last: u64) -> Self {
        let span = last - first + 1;
        let days = span.div_ceil(BARS_MAX);
        let needed = span.div_ceil(days);
        let count = if needed < BARS_MIN { BARS_MIN } else { needed };
        Self { first, days, count }
    }

    /// The day past the last place.
    const fn end(&self) -> u64 {
        self.first + self.days * self.count
    }

    /// The bars of a strip that have something: place and bytes.
    fn bars(&self, strip: &Strip) -> BTreeMap<u64, u64> {
        let mut bars: BTreeMap<u64, u64> = BTreeMap::new();
        for (day, bytes) in &strip.days {
            let bar = bars.entry((day - self.first) / self.days).or_default();
            *bar = bar.saturating_add(*bytes);
        }
        bars
    }
}

fn day(day: u64) -> String {
    when::day(day.saturating_mul(DAY_US))
}

/// Strips by pair of countries, and how many rows are of no day that can be drawn.
fn gather(table: &Table) -> (BTreeMap<(String, String), Strip>, u64) {
    let (mut strips, mut odd) = (BTreeMap::new(), 0);
    for row in &table.rows {
        let [
            Cell::Text(from),
            Cell::Text(to),
            Cell::Text(day),
            Cell::Count(releases),
            Cell::Count(bytes),
            ..,
        ] = row.as_slice()
        else {
            odd += 1;
            continue;
        };
        let Ok(start) = when::from(day) else {
            odd += 1;
            continue;
        };
        let strip: &mut Strip = strips.entry((from.clone(), to.clone())).or_default();
        strip.releases = strip.releases.saturating_add(*releases);
        strip.bytes = strip.bytes.saturating_add(*bytes);
        let sum = strip.days.entry(start / DAY_US).or_default();
        *sum = sum.saturating_add(*bytes);
    }
    (strips, odd)
}
