//! What a control client asks.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The longest line in either direction: a report's text with its escapes, or the whole timeline.
pub const LINE_MAX: usize = 4 << 20;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Who and where the node is, and how far its log is.
    Status {},
    /// The owner's cases.
    Cases {},
    /// Offers at this desk.
    Offers {},
    /// Leases of this desk.
    Leases {},
    /// Studies in the store, without names.
    Studies {},
    /// Steps of the timeline after number `since`.
    Events {
        /// 0 for all that is kept.
        #[serde(default)]
        since: u64,
    },
    /// Claim an offer.
    Claim {
        /// The offer, hexadecimal.
        offer: String,
        /// Its owner's node, hexadecimal; may be left out for an offer in the book.
        #[serde(default)]
        owner: Option<String>,
    },
    /// Sign and send a report.
    Report {
        /// The lease's fence.
        fence: u64,
        /// The owner's node, hexadecimal; may be left out while one lease alone has this fence.
        #[serde(default)]
        owner: Option<String>,
        /// Template identifier.
        template: String,
        /// Language (BCP 47); may be left out for the one that the offer wants.
        #[serde(default)]
        language: Option<String>,
        /// Sections, in order.
        sections: Vec<SectionText>,
        /// Final, else preliminary.
        #[serde(rename = "final")]
        is_final: bool,
    },
    /// Hand a case back.
    Handback {
        /// The lease's fence.
        fence: u64,
        /// The owner's node, as in a report.
        #[serde(default)]
        owner: Option<String>,
        /// Why.
        reason: String,
    },
    /// Close a delivered case by hand.
    CaseClose {
        /// The case, hexadecimal.
        case: String,
        /// Why.
        reason: String,
    },
    /// Cancel a case.
    CaseCancel {
        /// The case, hexadecimal.
        case: String,
        /// Why.
        reason: String,
    },
    /// What is due of reviews of the log, and which emergency access no review covered.
    ReviewDue {},
    /// Log a review of all entries up to `end` that none covered yet.
    Review {
        /// The reviewer, as they name themselves.
        by: String,
        /// What was found, in words.
        found: String,
        /// How many things were found that somebody must look into.
        findings: u32,
        /// One more than the index of the last entry that was reviewed.
        end: u64,
    },
    /// One entry's exact bytes and its proof under the newest cosigned checkpoint.
    Prove {
        /// Its index.
        index: u64,
    },
    /// Write an audit archive with openings for somebody, which is logged first.
    Disclose {
        /// Whose openings.
        scope: Disclosed,
        /// To whom, in words.
        to: String,
        /// The folder; absolute, and absent.
        dir: PathBuf,
    },
    /// Write an audit archive into a new folder.
    Export {
        /// The folder; absolute, and absent.
        dir: PathBuf,
    },
}

/// Whose openings are disclosed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disclosed {
    /// A patient's, `id^^^issuer`.
    Patient(String),
    /// What the regulator of a country may see (ISO 3166-1 alpha-2).
    Country(String),
    /// One entry's.
    Index(u64),
}

impl std::fmt::Debug for Disclosed {
    /// Never the patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Patient(_) => "a patient",
            Self::Country(_) => "a country",
            Self::Index(_) => "an entry",
        })
    }
}

/// One section of a report.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionText {
    /// `indication`, `technique`, `findings` or `impression`.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl std::fmt::Debug for SectionText {
    /// The name alone: the text is about a patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SectionText")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It was done; what was asked for.
    Ok(serde_json::Value),
    /// It was not; one sentence.
    Error(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_exact() {
        let claim = serde_json::from_str::<Request>(r#"{"cmd":"claim","offer":"ab"}"#);
        assert_eq!(
            claim.ok(),
            Some(Request::Claim {
                offer: "ab".into(),
                owner: None
            })
        );
        assert!(serde_json::from_str::<Request>(r#"{"cmd":"status"}"#).is_ok());
        for bad in [r#"{"cmd":"delete"}"#, r#"{"cmd":"claim"}"#, "{}", "[]"] {
            assert!(serde_json::from_str::<Request>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_no_report() {
        let section = SectionText {
            name: "findings".into(),
            text: "SECRET".into(),
        };
        assert!(!format!("{section:?}").contains("SECRET"));
    }
}
