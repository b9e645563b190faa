//! Trust policies (c2sp.org/tlog-policy): which logs, which witnesses, and how many must cosign.
//!
//! The file is read as UTF-8, which the specification strongly recommends and does not demand.
//! Names are compared byte by byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use thiserror::Error;

use super::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::note::{NoteError, VerifierKey};

mod parse;

pub use parse::{PolicyError, PolicyProblem};

/// Longest policy file.
pub const MAX_POLICY_LEN: usize = 64 * 1024;
/// Most logs, most witnesses and most groups; the specification asks for 32 of each at least.
pub const MAX_ITEMS: usize = 64;

const NONE: &str = "none";

/// A log that the policy accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedLog {
    /// Its type 01 key, named as its origin.
    pub key: VerifierKey,
    /// Where it is, if the policy says.
    pub url: Option<String>,
}

/// A witness that the policy knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedWitness {
    /// Its name within the policy.
    pub name: String,
    /// Its type 04 key.
    pub key: VerifierKey,
    /// Where it is, if the policy says.
    pub url: Option<String>,
}

/// Witnesses, by at least `threshold` of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name within the policy.
    pub name: String,
    /// Members needed, from 1 to their number.
    pub threshold: usize,
    /// Names of witnesses and of earlier groups.
    pub members: Vec<String>,
}

/// A parsed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    logs: Vec<TrustedLog>,
    witnesses: Vec<TrustedWitness>,
    groups: Vec<Group>,
    /// The witness or group that decides; `None` for `quorum none`.
    rule: Option<String>,
}

/// A group (or a witness) that did not cosign, though the quorum needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The group's or witness's name.
    pub name: String,
    /// Members needed; 1 for a witness.
    pub needed: usize,
    /// Members that did cosign.
    pub present: Vec<String>,
    /// Members that did not.
    pub absent: Vec<String>,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (present, absent) = (self.present.len(), self.absent.join(", "));
        write!(
            f,
            "{} has {present} of {} needed; absent: {absent}",
            self.name, self.needed
        )
    }
}

/// How a checkpoint fared against a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The witnesses that cosigned (by their name in the policy) and their latest time, in
    /// seconds since the Unix epoch.
    pub counted: BTreeMap<String, u64>,
    /// Why the quorum is not met, outermost group first; empty if it is.
    pub shortfalls: Vec<Shortfall>,
}

impl Evaluation {
    /// Whether the quorum is met.
    pub fn satisfied(&self) -> bool {
        self.shortfalls.is_empty()
    }
}

/// Why a checkpoint cannot be counted at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuorumError {
    /// The log's signature, or the signature of a known witness, does not hold.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The policy lists logs, and not this one.
    #[error("the policy does not list this log's key")]
    LogNotListed,
}

impl Quorum {
    /// Parses a policy file.
    ///
    /// # Errors
    /// [`PolicyError`] with the first line that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        parse::parse(bytes)
    }

    /// The policy in its plainest spelling, without comments. Parses to an equal policy.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let url = |url: &Option<String>| url.as_ref().map_or(String::new(), |u| format!(" {u}"));
        for log in &self.logs {
            out += &format!("log {}{}\n", log.key, url(&log.url));
        }
        for witness in &self.witnesses {
            out += &format!(
                "witness {} {}{}\n",
                witness.name,
                witness.key,
                url(&witness.url)
            );
        }
        for group in &self.groups {
            let members = group.members.join(" ");
            out += &format!("group {} {} {members}\n", group.name, group.threshold);
        }
        out + &format!("quorum {}\n", self.rule.as_deref().unwrap_or(NONE))
    }

    /// The logs it accepts; empty if it leaves the choice to its user.
    pub fn logs(&self) -> &[TrustedLog] {
        &self.logs
    }

    /// The witnesses it knows.
    pub fn witnesses(&self) -> &[TrustedWitness] {
        &self.witnesses
    }

    /// Its groups, in the order of definition.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Which witness or group decides; `None` if no cosignature is needed.
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// Counts the cosignatures on a checkpoint of `log`.
    ///
    /// # Errors
    /// [`QuorumError::LogNotListed`]; [`QuorumError::Checkpoint`] if the log did not sign, or if a
    /// line by a known witness does not verify.
    pub fn evaluate(
        &self,
        signed: &SignedCheckpoint,
        log: &VerifierKey,
    ) -> Result<Evaluation, QuorumError> {
        if !self.logs.is_empty() && !self.logs.iter().any(|listed| listed.key == *log) {
            return Err(QuorumError::LogNotListed);
        }
        signed.verify_log(log)?;
        let keys: Vec<VerifierKey> = self.witnesses.iter().map(|w| w.key.clone()).collect();
        let verified = match signed.note().verify(&keys) {
            Ok(verified) => verified,
            Err(NoteError::NoTrustedSignature) => Vec::new(),
            Err(error) => return Err(CheckpointError::from(error).into()),
        };
        let mut counted = BTreeMap::new();
        for line in verified {
            let witness = self.witnesses.iter().find(|w| w.key == *line.key);
            if let (Some(witness), Some(time)) = (witness, line.time) {
                let latest = counted.entry(witness.name.clone()).or_insert(time);
                *latest = time.max(*latest);
            }
        }
        let names: BTreeSet<&str> = counted.keys().map(String::as_str).collect();
        let shortfalls = self.shortfalls(&names);
        Ok(Evaluation {
            counted,
            shortfalls,
        })
    }

    /// What a set of witnesses (by their names in the policy) lacks; empty if it is a quorum.
    pub fn shortfalls(&self, witnesses: &BTreeSet<&str>) -> Vec<Shortfall> {
        let Some(rule) = &self.rule else {
            return Vec::new();
        };
        let mut present: BTreeSet<&str> = self
            .witnesses
            .iter()
            .map(|w| w.name.as_str())
            .filter(|name| witnesses.contains(name))
            .collect();
        // A group's members are defined above it, so one pass in order settles them all.
        for group in &self.groups {
            let count = group
                .members
                .iter()
                .filter(|m| present.contains(m.as_str()))
                .count();
            if count >= group.threshold {
                present.insert(&group.name);
            }
        }
        let mut found = Vec::new();
        let mut open = vec![rule.as_str()];
        while let Some(name) = open.pop() {
            if present.contains(name) {
                continue;
            }
            let Some(group) = self.groups.iter().find(|group| group.name == name) else {
                // A lone witness as the rule; a group's absent witnesses are named by the group.
                if name == rule {
                    let absent = vec![name.to_owned()];
                    found.push(Shortfall {
                        name: name.into(),
                        needed: 1,
                        present: vec![],
                        absent,
                    });
                }
                continue;
            };
            let (there, absent): (Vec<String>, Vec<String>) = group
                .members
                .iter()
                .cloned()
                .partition(|m| present.contains(m.as_str()));
            let (name, needed) = (group.name.clone(), group.threshold);
            found.push(Shortfall {
                name,
                needed,
                present: there,
                absent,
            });
            open.extend(group.members.iter().rev().map(String::as_str));
        }
        found
    }
}
