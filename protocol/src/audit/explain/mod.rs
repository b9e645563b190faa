//! One release in sentences: what verified archives say of it, and its decision made again from the
//! archived policy text and the disclosed facts.
//!
//! ```text
//! verify ─ verdict ┐
//! find: entries of the release, its grant, credentials ─ tell: sentences ┐
//! facts + policy text ─ Cedar ─ same, differs, cannot ───────────────────┴─ explanation
//! ```
//! Pure, like the verification. Whether the archives may be believed is the verdict's word, which
//! comes first. A sentence says only what an entry, a grant or a credential says; what would be
//! needed and is sealed or absent is named.

mod after;
mod decision;
mod find;
pub mod json;
mod tell;
mod text;

use std::fmt;
use std::str::FromStr;

use crypto::digest::Digest;

pub use decision::{Again, Recomputed};
pub use find::ENTRIES_MAX;
pub use text::describe;

use super::verify::trust::Trust;
use super::verify::{Input, Options, Report, Verdict};
use find::Found;

/// Which release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The one decided by the entry at this index of the hospital's log: a grant's fence.
    Entry(u64),
    /// The one whose grant envelope has this SHA-256.
    Grant(Digest),
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(index) => write!(f, "entry {index}"),
            Self::Grant(hash) => write!(f, "grant {hash}"),
        }
    }
}

/// A word that names no release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a release is an index in the hospital's log, or the SHA-256 of its grant (64 hex digits)")]
pub struct NoRelease;

impl FromStr for Release {
    type Err = NoRelease;

    fn from_str(text: &str) -> Result<Self, NoRelease> {
        if let Ok(hash) = Digest::from_hex(text) {
            return Ok(Self::Grant(hash));
        }
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let index = plain.then(|| text.parse().ok()).flatten();
        index.map(Self::Entry).ok_or(NoRelease)
    }
}

/// Why a release cannot be explained at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// None of the archives has it.
    #[error("these archives hold no release with that name ({0})")]
    Unknown(Release),
    /// More than one of the archives' logs decides a release at this index.
    #[error(
        "{count} of these logs decide a release in their entry {index}: name it by the SHA-256 of \
         its grant, or give one hospital's archive"
    )]
    Several {
        /// The index.
        index: u64,
        /// How many.
        count: usize,
    },
}

/// Sentences on one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What they are about.
    pub about: &'static str,
    /// The sentences.
    pub says: Vec<String>,
}

/// A release explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// SHA-256 of the grant; `None` for a refusal.
    pub grant: Option<Digest>,
    /// The sentences, in order.
    pub parts: Vec<Part>,
    /// Its decision, made again.
    pub decision: Recomputed,
    /// Everything that could not be checked.
    pub unchecked: Vec<String>,
}

impl Explanation {
    /// The decision, made again, is the one that was logged.
    #[must_use]
    pub const fn agrees(&self) -> bool {
        matches!(self.decision, Recomputed::Same(_))
    }
}

/// What a release is told from.
struct Context<'a> {
    inputs: &'a [Input<'a>],
    verdict: &'a Verdict,
    /// What each archive's `trust` folder gave.
    trusts: Vec<Trust>,
    found: Found,
}

impl Context<'_> {
    /// The log of an archive, for people.
    fn log(&self, archive: usize) -> String {
        let origin = self.verdict.archives.get(archive);
        let origin = origin.and_then(|report| report.origin.as_ref());
        origin.map_or("an unknown log".to_owned(), |name| clean(name.as_str()))
    }
}

/// Explains a release of archives that were verified to `verdict` under `options`.
///
/// # Errors
/// [`ExplainError`] when the archives hold no such release, or more than one.
pub fn explain(
    inputs: &[Input<'_>],
    (verdict, options): (&Verdict, Options),
    release: Release,
) -> Result<Explanation, ExplainError> {
    let found = find::find(inputs, verdict, release)?;
    // What fails in a trust folder is in the verdict already.
    let open = |input: &Input<'_>| Trust::open(input.source, options, &mut Report::new(""));
    let context = Context {
        inputs,
        verdict,
        trusts: inputs.iter().map(open).collect(),
        found,
    };
    let (decision, about) = decision::again(&context);
    let mut parts = tell::parts(&context);
    parts.push(about);
    parts.extend(after::part(&context));
    Ok(Explanation {
        grant: context.found.grant_hash,
        parts,
        unchecked: after::unchecked(&context, &decision),
        decision,
    })
}

/// Longest text of a stranger in a sentence, in characters.
const TEXT_MAX: usize = 200;

/// A text of a stranger, safe to print.
fn clean(text: &str) -> String {
    super::query::clean(text, TEXT_MAX)
}

/// Several of them, as a list in a sentence.
fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| clean(text)).collect();
    match texts.is_empty() {
        true => "none".to_owned(),
        false => texts.join(", "),
    }
}

/// A time for people.
fn at(time_us: u64) -> String {
    let text = super::query::when::show(time_us).replacen('T', " ", 1);
    format!("{} UTC", text.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests;
