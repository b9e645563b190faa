//! What is wrong with a configuration, in one line: the file, the line, the key, and the mend.

use std::fmt;
use std::path::PathBuf;

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1, where one can be named.
    pub line: Option<usize>,
    /// The key, as `hospital.quiet_period`; empty where none can be named.
    pub key: String,
    /// What is wrong and what mends it.
    pub complaint: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": `{}`", self.key)?;
        }
        write!(f, ": {}", self.complaint)
    }
}

impl std::error::Error for ConfigError {}

/// Words the TOML reader's complaint for a person, and suggests the key that was meant.
pub(super) fn reword(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some(unknown) = line.strip_prefix("unknown field `") else {
        return match line
            .strip_prefix("missing field `")
            .and_then(|rest| rest.split_once('`'))
        {
            Some((key, _)) => format!("`{key}` is missing: add it"),
            None => line,
        };
    };
    let mut ticked = unknown.split('`').step_by(2);
    let key = ticked.next().unwrap_or_default();
    // What follows in backticks are the keys that would be known.
    let known: Vec<&str> = unknown.split('`').skip(2).step_by(2).collect();
    let nearest = known
        .iter()
        .map(|known| (distance(key, known), *known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min();
    match nearest {
        Some((_, known)) => format!("there is no key `{key}` here; did you mean `{known}`?"),
        None if known.is_empty() => format!("there is no key `{key}` here: take it out"),
        None => format!(
            "there is no key `{key}` here; known are {}",
            known.join(", ")
        ),
    }
}

/// Levenshtein distance, for texts as short as keys.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_was_meant_is_named() {
        assert_eq!(
            reword("unknown field `quiet_perod`, expected one of `ae_title`, `quiet_period`"),
            "there is no key `quiet_perod` here; did you mean `quiet_period`?"
        );
        assert_eq!(
            reword("unknown field `colour`, expected `genesis` or `quorum`"),
            "there is no key `colour` here; known are genesis, quorum"
        );
        assert_eq!(
            reword("unknown field `colour`, there are no fields"),
            "there is no key `colour` here: take it out"
        );
        assert_eq!(
            reword("missing field `data_dir`"),
            "`data_dir` is missing: add it"
        );
        assert_eq!(reword("invalid type:\n  string"), "invalid type: string");
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
