//! Reading a policy file, line by line.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{Group, MAX_ITEMS, MAX_POLICY_LEN, NONE, Quorum, TrustedLog, TrustedWitness};
use crate::log::text;
use crate::note::{KeyType, NoteError, VerifierKey};

/// What is wrong with a line of a policy, or with the whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyProblem {
    /// Longer than [`MAX_POLICY_LEN`].
    #[error("the policy is longer than {MAX_POLICY_LEN} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the policy is not UTF-8")]
    NotUtf8,
    /// A control character other than tab and newline.
    #[error("control character")]
    ControlCharacter,
    /// The last line has no newline.
    #[error("the last line does not end in a newline")]
    Unterminated,
    /// A line that starts with none of log, witness, group, quorum.
    #[error("unknown keyword")]
    Keyword,
    /// Too few or too many words.
    #[error("wrong number of words")]
    Words,
    /// The verifier key is malformed.
    #[error(transparent)]
    Key(#[from] NoteError),
    /// A log's key that is not of type 01, or a witness's that is not of type 04.
    #[error("the key's type does not suit its use")]
    KeyType,
    /// A second log, or a second witness, with the same public key.
    #[error("duplicate public key")]
    DuplicateKey,
    /// A name that is taken, or `none`.
    #[error("duplicate name")]
    DuplicateName,
    /// A name that no line above defines.
    #[error("undefined name")]
    UndefinedName,
    /// A name that is a group's member already.
    #[error("already a member of a group")]
    SecondMembership,
    /// The threshold is not `any`, `all` or a decimal from 1 to the number of members.
    #[error("threshold out of range")]
    Threshold,
    /// More than [`MAX_ITEMS`] of a kind.
    #[error("more than {MAX_ITEMS} of a kind")]
    TooMany,
    /// A second quorum line.
    #[error("second quorum line")]
    SecondQuorum,
    /// No quorum line.
    #[error("no quorum line")]
    NoQuorum,
}

/// A refused policy: the line (from 1; the last, if it is the whole) and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct PolicyError {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: PolicyProblem,
}

/// Parses a whole file.
pub(super) fn parse(bytes: &[u8]) -> Result<Quorum, PolicyError> {
    let whole = |problem| PolicyError {
        line: bytes.split(|b| *b == b'\n').count(),
        problem,
    };
    if bytes.len() > MAX_POLICY_LEN {
        return Err(whole(PolicyProblem::TooLong));
    }
    let policy = std::str::from_utf8(bytes).map_err(|_| whole(PolicyProblem::NotUtf8))?;
    let Some(lines) = policy.strip_suffix('\n') else {
        return Err(whole(PolicyProblem::Unterminated));
    };
    let mut parser = Parser::default();
    for (number, line) in lines.split('\n').enumerate() {
        let at = |problem| PolicyError {
            line: number + 1,
            problem,
        };
        parser.line(line).map_err(at)?;
    }
    let Some(rule) = parser.rule else {
        return Err(whole(PolicyProblem::NoQuorum));
    };
    let Parser {
        logs,
        witnesses,
        groups,
        ..
    } = parser;
    Ok(Quorum {
        logs,
        witnesses,
        groups,
        rule,
    })
}

#[derive(Default)]
struct Parser {
    logs: Vec<TrustedLog>,
    witnesses: Vec<TrustedWitness>,
    groups: Vec<Group>,
    names: BTreeSet<String>,
    members: BTreeSet<String>,
    rule: Option<Option<String>>,
}

impl Parser {
    fn line(&mut self, line: &str) -> Result<(), PolicyProblem> {
        if line.bytes().any(|b| (b < b' ' && b != b'\t') || b == 0x7f) {
            return Err(PolicyProblem::ControlCharacter);
        }
        let words: Vec<&str> = line
            .split([' ', '\t'])
            .filter(|word| !word.is_empty())
            .collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            ["quorum", name] => self.quorum(name),
            ["log" | "witness" | "group" | "quorum", ..] => Err(PolicyProblem::Words),
            [_, ..] => Err(PolicyProblem::Keyword),
        }
    }

    fn log(&mut self, key: &str, url: Option<&str>) -> Result<(), PolicyProblem> {
        let key = VerifierKey::parse(key)?;
        if key.kind() != KeyType::Ed25519 {
            return Err(PolicyProblem::KeyType);
        }
        if self.logs.iter().any(|log| log.key.key() == key.key()) {
            return Err(PolicyProblem::DuplicateKey);
        }
        self.logs.push(TrustedLog {
            key,
            url: url.map(str::to_owned),
        });
        bounded(self.logs.len())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&str>) -> Result<(), PolicyProblem> {
        let key = VerifierKey::parse(key)?;
        if key.kind() != KeyType::Cosignature {
            return Err(PolicyProblem::KeyType);
        }
        if self
            .witnesses
            .iter()
            .any(|witness| witness.key.key() == key.key())
        {
            return Err(PolicyProblem::DuplicateKey);
        }
        self.define(name)?;
        let url = url.map(str::to_owned);
        self.witnesses.push(TrustedWitness {
            name: name.to_owned(),
            key,
            url,
        });
        bounded(self.witnesses.len())
    }

    fn group(&mut self, name: &str, k: &str, members: &[&str]) -> Result<(), PolicyProblem> {
        let number = members.len();
        let threshold = match k {
            "any" => 1,
            "all" => number,
            decimal => text::decimal(decimal)
                .and_then(|k| usize::try_from(k).ok())
                .filter(|k| (1..=number).contains(k))
                .ok_or(PolicyProblem::Threshold)?,
        };
        for member in members {
            if !self.names.contains(*member) {
                return Err(PolicyProblem::UndefinedName);
            }
            if !self.members.insert((*member).to_owned()) {
                return Err(PolicyProblem::SecondMembership);
            }
        }
        self.define(name)?;
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.groups.push(Group {
            name: name.to_owned(),
            threshold,
            members,
        });
        bounded(self.groups.len())
    }

    fn quorum(&mut self, name: &str) -> Result<(), PolicyProblem> {
        if self.rule.is_some() {
            return Err(PolicyProblem::SecondQuorum);
        }
        if name != NONE && !self.names.contains(name) {
            return Err(PolicyProblem::UndefinedName);
        }
        self.rule = Some(Some(name.to_owned()).filter(|name| name != NONE));
        Ok(())
    }

    fn define(&mut self, name: &str) -> Result<(), PolicyProblem> {
        if name == NONE || !self.names.insert(name.to_owned()) {
            return Err(PolicyProblem::DuplicateName);
        }
        Ok(())
    }
}

fn bounded(count: usize) -> Result<(), PolicyProblem> {
    if count > MAX_ITEMS {
        Err(PolicyProblem::TooMany)
    } else {
        Ok(())
    }
}
