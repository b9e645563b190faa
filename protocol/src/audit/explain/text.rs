//! An explanation for people: the decision's outcome first, then sentences by subject, and last
//! what could not be checked.

use super::Explanation;
use crate::audit::query::paragraph;

/// Describes an explanation in words. The verdict on the archives goes before it.
#[must_use]
pub fn describe(explanation: &Explanation) -> String {
    let mut out = String::new();
    paragraph(&mut out, &explanation.decision.sentence());
    for part in &explanation.parts {
        out.push('\n');
        paragraph(&mut out, part.about);
        for sentence in &part.says {
            listed(&mut out, sentence);
        }
    }
    out.push_str("\nNot checked\n");
    for line in &explanation.unchecked {
        listed(&mut out, line);
    }
    out
}

/// A sentence as an item of a list, its further lines set in.
fn listed(out: &mut String, sentence: &str) {
    let mut lines = String::new();
    paragraph(&mut lines, sentence);
    for (at, line) in lines.lines().enumerate() {
        out.push_str(if at == 0 { "- " } else { "  " });
        out.push_str(line);
        out.push('\n');
    }
}
