//! The words that the page uses, for those who do not use them daily.

use super::html::Html;
use super::titled;

/// Heading of the section.
pub(super) const WORDS: &str = "The words on this page";

const MEANINGS: [(&str, &str); 14] = [
    (
        "Archive",
        "A copy of one node's log with all that is needed to check it without asking anybody.",
    ),
    (
        "Log",
        "The list of everything that a hospital's or a reader's node did, one entry after the \
         other. An entry can be added, never changed.",
    ),
    (
        "Checkpoint",
        "The signed state of a log: how many entries it has, and a hash that changes if any of \
         them changes.",
    ),
    (
        "Hash (SHA-256)",
        "A fingerprint of a file: two files with the same fingerprint are the same file.",
    ),
    (
        "Witness",
        "An independent party that countersigns checkpoints and refuses one that takes anything \
         back.",
    ),
    (
        "Quorum",
        "As many witnesses as the council of the consortium demands.",
    ),
    (
        "Founding document (genesis)",
        "What the founders of the consortium signed. Everything is held against it, so its hash \
         must be known from elsewhere.",
    ),
    (
        "Credential",
        "What the council signed for a member: organisation, country, keys, licences, and from \
         when until when.",
    ),
    (
        "Grant",
        "What the hospital signed to let one reader open one study at one desk.",
    ),
    (
        "Receipt",
        "What the reader signed on accepting a grant, before any image is opened.",
    ),
    (
        "Release",
        "A grant with all that belongs to it: receipt, access, report.",
    ),
    (
        "Rule, policy",
        "The hospital's written policy decides every release. The entry names the rule that \
         decided and the hash of the text.",
    ),
    (
        "Sealed",
        "What could name a person or a patient is encrypted in the log. The hospital can disclose \
         it, one by one; the log proves that it was not altered.",
    ),
    (
        "Country codes",
        "Two letters by ISO 3166: DE for Germany, AT for Austria.",
    ),
];

/// The section.
pub(super) fn section(html: &mut Html) {
    titled(html, ("words", WORDS), |html| {
        html.within("dl", &[], |html| {
            for (word, meaning) in MEANINGS {
                html.say("dt", word);
                html.say("dd", meaning);
            }
        });
    });
}
