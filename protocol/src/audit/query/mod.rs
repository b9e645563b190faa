//! The questions that a regulator asks of verified archives, and the comparison with what was kept
//! from earlier.
//!
//! ```text
//! verify ─ verdict ┐
//! entries ─ walk ──┴─ history ─ one question ─ answer: sentences, tables, what could not be seen
//! ```
//! Pure, like the verification: a [`Source`](super::verify::Source) gives bytes. An answer is what
//! the archives say; whether they may be believed is the verdict's word, which comes first. Memory
//! grows with the number of releases, of files and of groups, never with the bytes of the log.
//! What is not held for want of room is counted, and the answer is then not complete.

mod answer;
mod basis;
pub mod compare;
mod complete;
mod credentials;
mod duties;
mod history;
#[cfg(feature = "audit")]
pub mod json;
mod left;
mod outliers;
mod overrides;
mod releases;
mod text;
mod walk;
pub mod when;
mod who;

use std::fmt;
use std::str::FromStr;

pub use answer::{Answer, Cell, ROWS_MAX, Table, Unseen};
pub use history::HELD_MAX;
#[cfg(feature = "audit")]
pub(in crate::audit) use history::clean;
pub use overrides::kind_name;
#[cfg(feature = "audit-explain")]
pub(in crate::audit) use text::paragraph;
pub use text::{describe, verdict};

use super::verify::{Input, Options, Verdict};
use crate::limits;
use history::History;

/// What can be asked. Whether a log was rewritten is asked of [`compare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Who was let at a patient's studies.
    Who,
    /// What left a country, to whom, how much, on which basis.
    Left,
    /// Releases and access without a valid credential or a permitting rule.
    Credentials,
    /// Releases that name no basis.
    Basis,
    /// Whether the logs are complete: gaps, quiet periods, one-sided releases.
    Complete,
    /// Every entry with the emergency flag.
    Overrides,
    /// Whether reviews were done when due.
    Reviews,
    /// How far back the logs reach.
    Retention,
    /// Readers who stand out, and refusals by rule.
    Outliers,
}

impl Question {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Who,
        Self::Left,
        Self::Credentials,
        Self::Basis,
        Self::Complete,
        Self::Overrides,
        Self::Reviews,
        Self::Retention,
        Self::Outliers,
    ];

    /// The name by which it is asked.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Who => "who",
            Self::Left => "left",
            Self::Credentials => "credentials",
            Self::Basis => "basis",
            Self::Complete => "complete",
            Self::Overrides => "overrides",
            Self::Reviews => "reviews",
            Self::Retention => "retention",
            Self::Outliers => "outliers",
        }
    }

    /// Whether disclosed payloads have to be read for it.
    const fn opens(self) -> bool {
        match self {
            Self::Who | Self::Credentials | Self::Overrides => true,
            Self::Left
            | Self::Basis
            | Self::Complete
            | Self::Reviews
            | Self::Retention
            | Self::Outliers => false,
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is no question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a question")]
pub struct NoQuestion;

impl FromStr for Question {
    type Err = NoQuestion;

    fn from_str(text: &str) -> Result<Self, NoQuestion> {
        let mut all = Self::ALL.into_iter();
        all.find(|question| question.name() == text)
            .ok_or(NoQuestion)
    }
}

/// A question with its limits. It may name a patient: no Debug.
#[derive(Clone, PartialEq, Eq)]
pub struct Ask {
    /// The question.
    pub question: Question,
    /// From this time on, microseconds since the Unix epoch.
    pub from_us: u64,
    /// Before this time, microseconds since the Unix epoch; `u64::MAX` is no limit.
    pub until_us: u64,
    /// Only data that is in this country (ISO 3166-1 alpha-2).
    pub from_country: Option<String>,
    /// Only what is seen from this country.
    pub to_country: Option<String>,
    /// The patient, as openings have it: `id^^^issuer`.
    pub patient: Option<String>,
    /// Silence between two entries that is worth a line, microseconds.
    pub quiet_us: u64,
    /// Years that the logs should cover.
    pub years: u32,
    /// Days within which an entry must have been reviewed.
    pub review_days: u32,
}

impl Ask {
    /// A question without limits: one hour counts as quiet, six years are to be kept (the longest
    /// of the periods that the known rules name, HIPAA's for documentation, 45 CFR 164.316), and
    /// entries are reviewed within [`limits::REVIEW_DAYS`].
    #[must_use]
    pub const fn of(question: Question) -> Self {
        Self {
            question,
            from_us: 0,
            until_us: u64::MAX,
            from_country: None,
            to_country: None,
            patient: None,
            quiet_us: 3_600_000_000,
            years: 6,
            review_days: limits::REVIEW_DAYS as u32,
        }
    }

    /// Whether a time lies within the limits.
    const fn at(&self, time_us: u64) -> bool {
        self.spans(time_us, time_us)
    }

    /// Whether some time of these lies within the limits. `u64::MAX` is no limit: an entry may
    /// claim any time.
    const fn spans(&self, first_us: u64, last_us: u64) -> bool {
        let before = first_us < self.until_us || self.until_us == u64::MAX;
        self.from_us <= last_us && before
    }

    /// Whether a pair of countries lies within the limits.
    fn between(&self, from: &str, to: &str) -> bool {
        let fits = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        fits(&self.from_country, from) && fits(&self.to_country, to)
    }
}

/// Answers a question from archives that were verified to `verdict` under `options`.
#[must_use]
pub fn answer(inputs: &[Input<'_>], (verdict, options): (&Verdict, Options), ask: &Ask) -> Answer {
    from(
        &History::gather(inputs, (verdict, options), ask),
        (verdict, ask),
    )
}

/// Answers several questions within the limits of `ask`, from one walk over the archives.
#[must_use]
pub fn answers(
    inputs: &[Input<'_>],
    (verdict, options): (&Verdict, Options),
    (ask, questions): (&Ask, &[Question]),
) -> Vec<Answer> {
    // Disclosed payloads are read if any of them needs it.
    let opens = questions.iter().copied().find(|question| question.opens());
    let as_one = |question| Ask {
        question,
        ..ask.clone()
    };
    let ask = as_one(opens.unwrap_or(ask.question));
    let history = History::gather(inputs, (verdict, options), &ask);
    let one = |question: &Question| from(&history, (verdict, &as_one(*question)));
    questions.iter().map(one).collect()
}

fn from(history: &History, (verdict, ask): (&Verdict, &Ask)) -> Answer {
    let mut answer = Answer::new(ask, history);
    if !verdict.holds() {
        answer.lacks("archives that verify: nothing proves what these say");
    }
    match ask.question {
        Question::Who => who::answer(history, ask, &mut answer),
        Question::Left => left::answer(history, ask, &mut answer),
        Question::Credentials => credentials::answer(history, (ask, verdict), &mut answer),
        Question::Basis => basis::answer(history, ask, &mut answer),
        Question::Complete => complete::answer(history, (ask, verdict), &mut answer),
        Question::Overrides => overrides::answer(history, &mut answer),
        Question::Reviews => duties::reviews(history, ask, &mut answer),
        Question::Retention => duties::retention(history, ask, &mut answer),
        Question::Outliers => outliers::answer(history, ask, &mut answer),
    }
    answer
}

#[cfg(test)]
mod tests;
