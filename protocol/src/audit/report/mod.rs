//! The verdict and every answer on one page: self-contained HTML for people who read law and not
//! code.
//!
//! Rules and rendering only: whoever asks writes the file. The page loads nothing, runs nothing and
//! names no address; every text of the archives is a stranger's and is escaped. It states no date
//! of its own: the same archives give the same bytes.

mod archives;
mod glossary;
mod html;
mod plot;
mod questions;
mod style;
mod verdict;

use super::query::{self, Ask};
use super::verify::{Input, Options, Verdict};
use html::Html;

pub use html::{BYTES_MAX, ROWS_SHOWN};

/// What the page may do: show itself, in its own style.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                              form-action 'none'";

const TITLE: &str = "Audit report on a radmesh reading network";

/// Renders the report on archives that were verified to `verdict` under `options`, with the
/// limits of `ask` (its question is not looked at).
#[must_use]
pub fn render(inputs: &[Input<'_>], (verdict, options): (&Verdict, Options), ask: &Ask) -> String {
    let asked = questions::ASKED.map(|(question, ..)| question);
    let answers = query::answers(inputs, (verdict, options), (ask, &asked));
    let mut html = Html::default();
    html.constant("<!DOCTYPE html>\n");
    html.within("html", &[("lang", "en")], |html| {
        html.within("head", &[], head);
        html.within("body", &[], |html| {
            html.within("header", &[], |html| header(html, verdict, ask));
            html.within("main", &[], |html| {
                verdict::banner(html, verdict);
                contents(html);
                questions::glance(html, &answers);
                verdict::faults(html, verdict);
                for answer in &answers {
                    questions::section(html, answer);
                }
                archives::section(html, inputs, verdict);
                glossary::section(html);
            });
            html.within("footer", &[], |html| {
                html.say(
                    "p",
                    concat!(
                        "Written by radmesh-audit ",
                        env!("CARGO_PKG_VERSION"),
                        ". It states no date of its own: whoever has the same archives and asks \
                         the same gets this very page, byte for byte. It is as of the archives' \
                         checkpoints."
                    ),
                );
            });
        });
    });
    html.finish()
}

fn head(html: &mut Html) {
    html.start("meta", &[("charset", "utf-8")]);
    let policy = [
        ("http-equiv", "Content-Security-Policy"),
        ("content", CONTENT_POLICY),
    ];
    html.start("meta", &policy);
    let view = "width=device-width, initial-scale=1";
    html.start("meta", &[("name", "viewport"), ("content", view)]);
    html.start(
        "meta",
        &[("name", "color-scheme"), ("content", "light dark")],
    );
    html.start("meta", &[("name", "referrer"), ("content", "no-referrer")]);
    html.say("title", TITLE);
    html.within("style", &[], |html| html.constant(style::CSS));
}

fn header(html: &mut Html, verdict: &Verdict, ask: &Ask) {
    html.say("h1", TITLE);
    let entries: u64 = verdict.archives.iter().map(|report| report.size).sum();
    let archives = super::verify::text::counted(verdict.archives.len() as u64, "audit archive");
    let from = match ask.from_us {
        0 => "from their beginning".to_owned(),
        from => format!("from {}", html::moment(from)),
    };
    let until = match ask.until_us {
        u64::MAX => "to their checkpoints".to_owned(),
        until => format!("until before {}", html::moment(until)),
    };
    html.within("p", &[("class", "lead")], |html| {
        html.text(&format!(
            "Made from {archives} with {} log entries, {from} {until}. Hospitals and readers keep \
             these logs themselves; independent witnesses countersign them, so that nothing can be \
             changed or removed afterwards without it showing.",
            html::grouped(entries)
        ));
    });
}

fn contents(html: &mut Html) {
    html.within("nav", &[("aria-label", "Contents")], |html| {
        html.within("ul", &[], |html| {
            let link = |html: &mut Html, id: &str, title: &str| {
                let to = format!("#{id}");
                html.within("li", &[], |html| {
                    html.within("a", &[("href", &to)], |html| html.text(title));
                });
            };
            link(html, "glance", questions::GLANCE);
            link(html, "checks", verdict::CHECKS);
            for (_, id, title, _) in questions::ASKED {
                link(html, id, title);
            }
            link(html, "archives", archives::ARCHIVES);
            link(html, "words", glossary::WORDS);
        });
    });
}

/// A section with its heading.
fn titled(html: &mut Html, (id, title): (&str, &str), inner: impl FnOnce(&mut Html)) {
    let heading = format!("{id}-heading");
    let attributes = [("id", id), ("aria-labelledby", &heading)];
    html.within("section", &attributes, |html| {
        html.within("h2", &[("id", &heading)], |html| html.text(title));
        inner(html);
    });
}

#[cfg(test)]
mod tests;
