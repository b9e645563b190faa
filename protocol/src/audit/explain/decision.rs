//! The decision of a release, made again: Cedar over the archived policy text and the disclosed
//! facts, held against what was logged.

use crypto::digest::Digest;

use super::find::{Disclosed, Step};
use super::{Context, Part, clean, list};
use crate::audit::archive::FileName;
use crate::audit::entry::Field;
use crate::audit::header::{Kind, Outcome};
use crate::audit::verify::Source;
use crate::policy::cedar::CedarPolicy;
use crate::policy::facts::CountryEvidence;
use crate::policy::{Decide as _, Decision, Facts};

/// A decision as it was made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// The policy permits.
    pub allowed: bool,
    /// The deciding rules, sorted.
    pub rules: Vec<String>,
    /// The legal basis that they name.
    pub basis: String,
    /// Rules that could not be evaluated.
    pub errors: Vec<String>,
    /// The engine and its version.
    pub engine: String,
}

impl From<Decision> for Again {
    fn from(decision: Decision) -> Self {
        Self {
            allowed: decision.allowed,
            rules: decision.rules,
            basis: decision.basis,
            errors: decision.errors,
            engine: decision.engine,
        }
    }
}

/// What came of making the decision again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recomputed {
    /// The same as logged.
    Same(Again),
    /// Another one, and in what it differs.
    Differs(Again, Vec<String>),
    /// It cannot be made again, and what is missing.
    Cannot(Vec<String>),
}

impl Recomputed {
    /// The name used in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Same(_) => "same",
            Self::Differs(..) => "differs",
            Self::Cannot(_) => "cannot",
        }
    }

    /// The outcome in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Same(_) => "THE DECISION, MADE AGAIN, IS THE SAME AS LOGGED.".to_owned(),
            Self::Differs(_, why) => {
                format!("THE DECISION, MADE AGAIN, DIFFERS: {}.", why.join("; "))
            }
            Self::Cannot(missing) => format!(
                "THE DECISION CANNOT BE MADE AGAIN. Missing: {}.",
                missing.join("; ")
            ),
        }
    }
}

/// Makes the decision again, and says of it what is to be said.
pub(super) fn again(context: &Context<'_>) -> (Recomputed, Part) {
    let mut says = Vec::new();
    let recomputed = match &context.found.decided {
        None => {
            let missing = "the hospital's entry: give the hospital's archive".to_owned();
            Recomputed::Cannot(vec![missing])
        }
        Some(step) => of(context, step, &mut says),
    };
    says.push(recomputed.sentence());
    let about = "The decision";
    (recomputed, Part { about, says })
}

fn of(context: &Context<'_>, step: &Step, says: &mut Vec<String>) -> Recomputed {
    let mut missing = Vec::new();
    let policy = policy(context, step, says, &mut missing);
    let facts = facts(step, &mut missing);
    rules(step, policy.as_ref(), says);
    if let Some(facts) = &facts {
        say_facts(facts, says);
    }
    let (Some(policy), Some(facts)) = (policy, facts) else {
        return Recomputed::Cannot(missing);
    };
    let again = Again::from(policy.decide(&facts));
    say_again(&again, says);
    let why = differences(step, &again);
    match why.is_empty() {
        true => Recomputed::Same(again),
        false => Recomputed::Differs(again, why),
    }
}

/// The very policy text that decided, ready to decide again.
fn policy(
    context: &Context<'_>,
    step: &Step,
    says: &mut Vec<String>,
    missing: &mut Vec<String>,
) -> Option<CedarPolicy> {
    let Ok(used) = step.header.policy_hash.as_slice().try_into().map(Digest) else {
        missing.push("the hash of a policy: the entry names none".to_owned());
        return None;
    };
    says.push(format!(
        "The policy text that decided has the SHA-256 {used}."
    ));
    let mut held = Vec::new();
    for input in context.inputs {
        let Some(text) = read(input.source, FileName::Policy) else {
            continue;
        };
        let hash = Digest::sha256(text.as_bytes());
        if hash != used {
            held.push(hash.to_hex());
            continue;
        }
        says.push("The archive holds this very text.".to_owned());
        let Some(schema) = read(input.source, FileName::Schema) else {
            missing.push("the schema that the policy text is read with".to_owned());
            return None;
        };
        match CedarPolicy::parse(&text, &schema) {
            Ok(policy) => return Some(policy),
            Err(error) => {
                let error = clean(&error.to_string());
                missing.push(format!("a policy text that can be used ({error})"));
                return None;
            }
        }
    }
    held.dedup();
    says.push("The archives do not hold this text.".to_owned());
    missing.push(match held.is_empty() {
        true => "the policy text that decided, which no archive holds".to_owned(),
        false => format!(
            "the policy text that decided; the archives hold another one ({})",
            held.join(", ")
        ),
    });
    None
}

fn read(source: &dyn Source, name: FileName) -> Option<String> {
    let bytes = source.read(&name.to_string(), name.max_len()).ok()?;
    String::from_utf8(bytes).ok()
}

/// The facts that were decided from, if they are disclosed and are the entry's.
fn facts(step: &Step, missing: &mut Vec<String>) -> Option<Facts> {
    let file = FileName::Opening(step.index);
    let openings = match &step.disclosed {
        Disclosed::Opened(openings) => openings,
        Disclosed::Refused => {
            missing.push(format!(
                "the facts: what {file} discloses is not what the entry commits to"
            ));
            return None;
        }
        Disclosed::Sealed => {
            missing.push(match step.copy {
                true => "the facts, which only the hospital can disclose in its own archive".into(),
                false => format!("the facts, which are sealed: the hospital can disclose {file}"),
            });
            return None;
        }
    };
    let Some(text) = openings.value(Field::Facts) else {
        missing.push(format!("the facts, which {file} does not disclose"));
        return None;
    };
    match std::str::from_utf8(text).map(Facts::parse_canonical) {
        Ok(Ok(facts)) => Some(facts),
        Ok(Err(error)) => {
            missing.push(format!("facts that can be read: {error}"));
            None
        }
        Err(_) => {
            missing.push("facts that can be read: they are no text".to_owned());
            None
        }
    }
}

/// The rules that decided, by the entry and in the words of the policy text.
fn rules(step: &Step, policy: Option<&CedarPolicy>, says: &mut Vec<String>) {
    let rules = &step.header.rules;
    if rules.is_empty() {
        says.push("The entry names no rule that decided.".to_owned());
    }
    for id in rules.iter().take(crate::limits::RULES_MAX) {
        let shown = clean(id);
        let Some(rule) = policy.and_then(|policy| policy.rule(id)) else {
            says.push(format!("The entry says that the rule `{shown}` decided."));
            continue;
        };
        let effect = if rule.permits { "permits" } else { "forbids" };
        let because = |name: &str, text: &str| match text {
            "" => String::new(),
            text => format!("; {name}: {}", clean(text)),
        };
        says.push(format!(
            "The entry says that the rule `{shown}` decided. In the policy text it {effect}{}{}.",
            because("legal basis", &rule.legal_basis),
            because("source", &rule.cite)
        ));
    }
}

/// What was decided from. Facts name neither a patient nor a person.
fn say_facts(facts: &Facts, says: &mut Vec<String>) {
    let or_none = |text: &str| match text {
        "" => "none".to_owned(),
        text => clean(text),
    };
    says.push(format!(
        "The disclosed facts on the study: data of {} in {}; the patient's jurisdiction is {}; it \
         {}; modalities {}; subspecialty {}; urgency {}; purpose {}; the report is wanted in the \
         language {}.",
        or_none(&facts.hospital_organisation),
        or_none(&facts.hospital_country),
        or_none(&facts.patient_jurisdiction),
        match facts.resident {
            true => "must not be seen from another country",
            false => "may be seen from another country if a rule permits it",
        },
        list(&facts.study_modalities),
        or_none(&facts.subspecialty),
        facts.urgency.name(),
        or_none(&facts.purpose),
        or_none(&facts.report_language),
    ));
    says.push(format!(
        "The disclosed facts on the reader: of {}; at a desk in {} ({}); licences for {}; \
         languages {}; modalities {}; subspecialties {}; the credential was {} then.",
        or_none(&facts.reader_organisation),
        or_none(&facts.desk_country),
        match facts.desk_country_evidence {
            CountryEvidence::Organisation => "the country of the organisation, by its credential",
            CountryEvidence::Declared => "as the desk itself says",
        },
        list(&facts.licences),
        list(&facts.languages),
        list(&facts.modalities),
        list(&facts.subspecialties),
        if facts.credential_valid {
            "valid"
        } else {
            "NOT valid"
        },
    ));
}

fn say_again(again: &Again, says: &mut Vec<String>) {
    let verb = if again.allowed { "permits" } else { "refuses" };
    let by = match again.rules.is_empty() {
        true => "by no rule at all: what no rule permits is refused".to_owned(),
        false => format!("by the rule {}", list(&again.rules)),
    };
    let engine = clean(&again.engine);
    says.push(format!(
        "Decided again here by {engine} from that text and these facts, the policy {verb} the \
         release, {by}."
    ));
    if !again.errors.is_empty() {
        says.push(format!(
            "These rules could not be evaluated, which refuses: {}.",
            list(&again.errors)
        ));
    }
}

/// In what a decision differs from the logged one. A release may fail after it was allowed: its
/// signer refused, its case ended.
fn differences(step: &Step, again: &Again) -> Vec<String> {
    let header = &step.header;
    let granted = step.kind == Some(Kind::ReleaseGranted);
    let by_rule = header.outcome == Outcome::Refused as i32;
    let mut why = Vec::new();
    if granted && !again.allowed {
        why.push("the policy refuses what was granted".to_owned());
    }
    if !granted && by_rule && again.allowed {
        why.push("the policy permits what was refused".to_owned());
    }
    if again.rules != header.rules {
        why.push(format!(
            "the rules that decide are {}; logged are {}",
            list(&again.rules),
            list(&header.rules)
        ));
    }
    if granted && again.basis != header.basis {
        why.push(format!(
            "the legal basis is \"{}\"; logged is \"{}\"",
            clean(&again.basis),
            clean(&header.basis)
        ));
    }
    why
}
