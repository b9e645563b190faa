//! Cedar as the engine: a policy that was checked against its schema decides, and an error refuses.
//!
//! Cedar skips a rule that errors; here any error denies. Its results come in no order; here they
//! are sorted.

use std::collections::BTreeSet;

use cedar_policy::{
    Authorizer, Decision as Answer, Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode,
    Validator, get_sdk_version,
};
use crypto::digest::Digest;

use super::{Decide, Decision, Facts};
use crate::limits;
use crate::member::check::is_text;

mod request;

use request::{QuestionError, Template};

/// What stands in [`Decision::errors`] when the question itself could not be put to the policy.
pub const QUESTION: &str = "(question)";

/// What stands in [`Decision::errors`] when more rules permit than a grant can name: a desk would
/// refuse it.
pub const REASONS: &str = "(reasons)";

/// Longest basis of a decision, in bytes: it stands in the entry's header.
const BASIS_MAX: usize = 4096;

/// Longest identifier of a rule, in bytes: it stands in grants and log entries.
const RULE_ID_MAX: usize = 64;

/// Why a policy is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Longer than [`limits::POLICY_MAX`].
    #[error("the {0} is longer than 262144 bytes")]
    TooLong(&'static str),
    /// The schema does not parse.
    #[error("the schema does not parse: {0}")]
    Schema(String),
    /// The schema does not describe the question that is asked of a policy.
    #[error("the schema does not fit this release: {0}")]
    OtherQuestion(String),
    /// The policy does not parse.
    #[error("the policy does not parse: {0}")]
    Policy(String),
    /// No rule at all: everything would be refused without a reason.
    #[error("the policy has no rule")]
    Empty,
    /// A template: its slots would be filled outside the text that is hashed.
    #[error("the policy has a template: write the rule out")]
    Template,
    /// A rule without a usable `@id`, by its place from 1.
    #[error("rule {0} needs @id: lower-case letters, digits and hyphens, at most 64")]
    Id(usize),
    /// Two rules with one `@id`.
    #[error("two rules have @id(\"{0}\")")]
    RepeatedId(String),
    /// A permit without a usable `@legal_basis`.
    #[error("rule `{0}` permits and needs @legal_basis: one line")]
    LegalBasis(String),
    /// A rule that does not fit the schema, or that the validator warns of.
    #[error("rule `{rule}`: {complaint}")]
    Invalid {
        /// The rule.
        rule: String,
        /// The validator's complaint.
        complaint: String,
    },
}

/// A rule, as a person may want to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `@id`.
    pub id: String,
    /// It permits, else it forbids.
    pub permits: bool,
    /// `@legal_basis`; empty for none.
    pub legal_basis: String,
    /// `@cite`; empty for none.
    pub cite: String,
}

/// A policy that can decide.
pub struct CedarPolicy {
    text: String,
    hash: Digest,
    rules: Vec<Rule>,
    set: PolicySet,
    schema: Schema,
    names: Template,
    engine: String,
}

impl CedarPolicy {
    /// Parses a policy and holds it against its schema, strictly: a warning refuses it too.
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong, in one line.
    pub fn parse(policy_text: &str, schema_text: &str) -> Result<Self, PolicyError> {
        for (what, text) in [("policy", policy_text), ("schema", schema_text)] {
            if text.len() > limits::POLICY_MAX {
                return Err(PolicyError::TooLong(what));
            }
        }
        let (schema, _) = Schema::from_cedarschema_str(schema_text)
            .map_err(|error| PolicyError::Schema(line(&error)))?;
        let names = Template::new().map_err(other_question)?;
        // A schema that refuses a real question would deny all day; better it fails at start.
        names
            .question(&request::sample(), &schema)
            .map_err(other_question)?;
        let parsed: PolicySet = policy_text
            .parse()
            .map_err(|error| PolicyError::Policy(line(&error)))?;
        if parsed.num_of_templates() > 0 {
            return Err(PolicyError::Template);
        }
        let (rules, set) = name_rules(&parsed)?;
        let validator = Validator::new(schema.clone());
        let result = validator.validate(&set, ValidationMode::Strict);
        let errors = result
            .validation_errors()
            .map(|error| (error.policy_id(), line(error)));
        let warnings = result
            .validation_warnings()
            .map(|warning| (warning.policy_id(), line(warning)));
        if let Some((rule, complaint)) = errors.chain(warnings).min() {
            return Err(PolicyError::Invalid {
                rule: rule.to_string(),
                complaint,
            });
        }
        Ok(Self {
            text: policy_text.to_owned(),
            hash: Digest::sha256(policy_text.as_bytes()),
            rules,
            set,
            schema,
            names,
            engine: format!("cedar-policy {}", get_sdk_version()),
        })
    }

    /// The exact policy text, which [`Decide::policy_hash`] names.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The rules, ascending by identifier.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule with this identifier.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        let place = self
            .rules
            .binary_search_by(|rule| rule.id.as_str().cmp(id))
            .ok()?;
        self.rules.get(place)
    }

    /// A denial that no rule decided.
    fn refused(&self, errors: Vec<String>) -> Decision {
        Decision {
            allowed: false,
            rules: Vec::new(),
            basis: String::new(),
            errors,
            policy_hash: self.hash,
            engine: self.engine.clone(),
        }
    }
}

impl Decide for CedarPolicy {
    fn decide(&self, facts: &Facts) -> Decision {
        if !facts.is_bounded() {
            return self.refused(vec![QUESTION.to_owned()]);
        }
        let Ok((request, entities)) = self.names.question(facts, &self.schema) else {
            return self.refused(vec![QUESTION.to_owned()]);
        };
        let response = Authorizer::new().is_authorized(&request, &self.set, &entities);
        let errors: BTreeSet<String> = response
            .diagnostics()
            .errors()
            .map(|error| erring_rule(error).to_owned())
            .collect();
        let errors: Vec<String> = errors.into_iter().collect();
        let allowed = response.decision() == Answer::Allow;
        if allowed && !errors.is_empty() {
            // The permits that held decided nothing: an erring rule may have been the forbid.
            return self.refused(errors);
        }
        let rules: BTreeSet<String> = response
            .diagnostics()
            .reason()
            .map(|id| id.to_string())
            .collect();
        let basis: BTreeSet<&str> = rules
            .iter()
            .filter_map(|id| self.rule(id))
            .map(|rule| rule.legal_basis.as_str())
            .filter(|basis| !basis.is_empty())
            .collect();
        let basis = basis.into_iter().collect::<Vec<_>>().join("; ");
        if allowed && (rules.len() > limits::RULES_MAX || basis.len() > BASIS_MAX) {
            return self.refused(vec![REASONS.to_owned()]);
        }
        let rules = rules.into_iter().collect();
        Decision {
            allowed,
            rules,
            basis,
            ..self.refused(errors)
        }
    }

    fn policy_hash(&self) -> Digest {
        self.hash
    }
}

/// Names every rule by its `@id`, so that Cedar's answers speak of rules as the text does.
fn name_rules(parsed: &PolicySet) -> Result<(Vec<Rule>, PolicySet), PolicyError> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut set = PolicySet::new();
    for (index, policy) in parsed.policies().enumerate() {
        let rule = read_rule(policy, index + 1)?;
        if rules.iter().any(|known| known.id == rule.id) {
            return Err(PolicyError::RepeatedId(rule.id));
        }
        set.add(policy.new_id(PolicyId::new(&rule.id)))
            .map_err(|error| PolicyError::Policy(line(&error)))?;
        rules.push(rule);
    }
    if rules.is_empty() {
        return Err(PolicyError::Empty);
    }
    rules.sort_by(|left, right| left.id.cmp(&right.id));
    Ok((rules, set))
}

fn read_rule(policy: &Policy, place: usize) -> Result<Rule, PolicyError> {
    let annotation = |key: &str| policy.annotation(key).unwrap_or_default().to_owned();
    let rule = Rule {
        id: annotation("id"),
        permits: policy.effect() == Effect::Permit,
        legal_basis: annotation("legal_basis"),
        cite: annotation("cite"),
    };
    let is_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=RULE_ID_MAX).contains(&rule.id.len()) || !rule.id.bytes().all(is_id) {
        return Err(PolicyError::Id(place));
    }
    let needed = rule.permits || !rule.legal_basis.is_empty();
    if needed && !is_text(&rule.legal_basis) {
        return Err(PolicyError::LegalBasis(rule.id));
    }
    Ok(rule)
}

fn erring_rule(error: &cedar_policy::AuthorizationError) -> &str {
    match error {
        cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
            let id: &PolicyId = error.policy_id();
            id.as_ref()
        }
    }
}

fn other_question(error: QuestionError) -> PolicyError {
    PolicyError::OtherQuestion(error.to_string())
}

/// A library's message as one line.
fn line(message: &impl std::fmt::Display) -> String {
    message
        .to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests;
