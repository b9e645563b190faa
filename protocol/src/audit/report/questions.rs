//! The answers: at a glance, and each with what it means.

use super::html::Html;
use super::{plot, titled};
use crate::audit::query::{Answer, Question};

/// Heading of the summary.
pub(super) const GLANCE: &str = "At a glance";

/// Every question of the page, its place, its heading, and what it means. Who was let at one
/// patient's studies is not among them: that is asked for one patient, and by name.
pub(super) const ASKED: [(Question, &str, &str, &str); 8] = [
    (
        Question::Left,
        "left",
        "What left which country",
        "A release lets one named reader open one study from one desk. The images stay at the \
         hospital and are streamed to that desk; a release counts as leaving when desk and \
         hospital are in different countries. Volumes are what the signed grants cover, whether or \
         not all of it was looked at.",
    ),
    (
        Question::Complete,
        "complete",
        "Whether the logs are complete",
        "Entries that cannot be read, times in which a node wrote nothing, and releases of which \
         only one side's log knows. Each release should stand in the hospital's log and in the \
         reader's.",
    ),
    (
        Question::Credentials,
        "credentials",
        "Releases without a valid credential or a permitting rule",
        "A reader needs a credential of the consortium that is valid at that moment, and a rule of \
         the written policy that permits the release.",
    ),
    (
        Question::Basis,
        "basis",
        "Releases without a legal basis",
        "The rule that permits a release names its legal basis. A release without one is listed \
         here.",
    ),
    (
        Question::Overrides,
        "overrides",
        "Emergency overrides",
        "Entries in which somebody used an emergency override (break-glass) in place of a rule.",
    ),
    (
        Question::Reviews,
        "reviews",
        "Whether the logs were reviewed",
        "A log that nobody looks at protects nobody: whoever keeps one must review it regularly.",
    ),
    (
        Question::Retention,
        "retention",
        "How far back the logs reach",
        "Whether the logs cover the years that records must be kept.",
    ),
    (
        Question::Outliers,
        "outliers",
        "Readers who stand out",
        "Readers with far more releases or volume than the others. That is no wrong in itself; it \
         is a reason to ask.",
    ),
];

/// Each question with the first sentence of its answer.
pub(super) fn glance(html: &mut Html, answers: &[Answer]) {
    titled(html, ("glance", GLANCE), |html| {
        html.within("div", &[("class", "scroll")], |html| {
            html.within("table", &[], |html| {
                html.say("caption", "The questions and their short answers");
                html.within("thead", &[], |html| {
                    html.within("tr", &[], |html| {
                        for head in ["Question", "Short answer", "Complete"] {
                            html.within("th", &[("scope", "col")], |html| html.text(head));
                        }
                    });
                });
                html.within("tbody", &[], |html| {
                    for (answer, (_, id, title, _)) in answers.iter().zip(ASKED) {
                        html.within("tr", &[], |html| glanced(html, answer, (id, title)));
                    }
                });
            });
        });
    });
}

fn glanced(html: &mut Html, answer: &Answer, (id, title): (&str, &str)) {
    let to = format!("#{id}");
    html.within("th", &[("scope", "row")], |html| {
        html.within("a", &[("href", &to)], |html| html.text(title));
    });
    // Whether the logs are complete is told last: before it stands a sentence for each log.
    let short = match answer.question == Question::Complete {
        true => answer.says.last(),
        false => answer.says.first(),
    };
    html.say("td", short.map_or("", |sentence| sentence));
    let (class, word) = match answer.is_complete() {
        true => ("yes", "yes"),
        false => ("no", "no: see there"),
    };
    html.within("td", &[("class", class)], |html| html.text(word));
}

/// One question with its whole answer.
pub(super) fn section(html: &mut Html, answer: &Answer) {
    let mut asked = ASKED.iter();
    let Some((_, id, title, means)) = asked.find(|asked| asked.0 == answer.question) else {
        return;
    };
    titled(html, (id, title), |html| {
        html.within("p", &[("class", "lead")], |html| html.text(means));
        html.within("ul", &[], |html| {
            for sentence in &answer.says {
                html.say("li", sentence);
            }
        });
        let by_day = answer
            .tables
            .iter()
            .find(|table| answer.question == Question::Left && table.name.starts_with("by day"));
        if let Some(table) = by_day {
            plot::draw(html, table);
        }
        for table in &answer.tables {
            html.table(table);
        }
        closing(html, answer);
    });
}

/// Whether the answer is complete, and what is missing.
fn closing(html: &mut Html, answer: &Answer) {
    if answer.is_complete() {
        return html.within("p", &[("class", "note done")], |html| {
            html.text(
                "This answer is complete: nothing that it needs is missing from the logs given, \
                 up to their checkpoints.",
            );
        });
    }
    html.within("div", &[("class", "note open")], |html| {
        html.say("p", "This answer is not complete. What could not be seen:");
        html.within("ul", &[], |html| {
            for unseen in &answer.unseen {
                html.within("li", &[], |html| {
                    html.text(&unseen.what);
                    if let Some(count) = unseen.count {
                        html.text(&format!(": {}", super::html::grouped(count)));
                    }
                });
            }
        });
    });
}
