//! `radmesh policy`: hold a policy against its schema, and explain what it decides.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use protocol::limits;
use protocol::policy::cedar::{CedarPolicy, Rule};
use protocol::policy::facts::CountryEvidence;
use protocol::policy::{Decide as _, Decision, Facts};
use protocol::urgency::Urgency;
use serde::{Deserialize, Serialize};

use super::{Output, clock};
use crate::config::{PolicySettings, load_policy};
use crate::files;

/// What to do with a policy.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check a policy against its schema, and list its rules.
    Check(PolicyArgs),
    /// Decide one release from facts in a JSON file, and say by which rules.
    Explain(Explain),
}

/// Which policy.
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    /// The Cedar policy.
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// The Cedar schema.
    #[arg(long, value_name = "FILE")]
    schema: PathBuf,
}

/// Which policy and which facts.
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    policy: PolicyArgs,
    /// The facts, as JSON, or in the canonical text that stands in the log.
    #[arg(value_name = "FACTS")]
    facts: PathBuf,
}

impl PolicyArgs {
    fn load(&self) -> anyhow::Result<std::sync::Arc<CedarPolicy>> {
        let policy = PolicySettings {
            rules: self.rules.clone(),
            schema: self.schema.clone(),
        };
        Ok(load_policy(&policy)?)
    }
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        match self {
            Self::Check(policy) => {
                let policy = policy.load()?;
                let rules = policy.rules().iter().map(ShownRule::of).collect();
                out.answer(&Checked {
                    hash: policy.policy_hash().to_hex(),
                    rules,
                })
            }
            Self::Explain(explain) => explain.run(out),
        }
    }
}

impl Explain {
    fn run(self, out: &Output) -> anyhow::Result<()> {
        let policy = self.policy.load()?;
        let facts = read_facts(&self.facts)?;
        let decision = policy.decide(&facts);
        let rules = decision
            .rules
            .iter()
            .filter_map(|id| policy.rule(id))
            .map(ShownRule::of);
        out.answer(&Explained::of(
            &decision,
            rules.collect(),
            facts.canonical_text(),
        ))
    }
}

/// Reads facts, from JSON or from the canonical text.
fn read_facts(file: &std::path::Path) -> anyhow::Result<Facts> {
    let text = files::read_text(file, limits::MESSAGE_MAX as u64)?;
    let name = file.display();
    if text.trim_start().starts_with('{') {
        let facts: FactsFile =
            serde_json::from_str(&text).with_context(|| format!("{name}: not facts"))?;
        return facts
            .resolve()
            .with_context(|| format!("{name}: not facts"));
    }
    Facts::parse_canonical(&text).with_context(|| format!("{name}: not facts"))
}

/// Facts as JSON. The names are those of the canonical text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactsFile {
    hospital_organisation: String,
    hospital_country: String,
    patient_jurisdiction: String,
    #[serde(default)]
    resident: bool,
    study_modalities: Vec<String>,
    #[serde(default)]
    subspecialty: String,
    urgency: String,
    purpose: String,
    report_language: String,
    reader_organisation: String,
    desk_country: String,
    desk_country_evidence: String,
    licences: Vec<String>,
    languages: Vec<String>,
    modalities: Vec<String>,
    #[serde(default)]
    subspecialties: Vec<String>,
    credential_valid: bool,
    now_unix_s: Option<u64>,
}

impl FactsFile {
    fn resolve(self) -> anyhow::Result<Facts> {
        let now_unix_s = match self.now_unix_s {
            Some(now) => now,
            None => clock::now()?.unix_s(),
        };
        Ok(Facts {
            hospital_organisation: self.hospital_organisation,
            hospital_country: self.hospital_country,
            patient_jurisdiction: self.patient_jurisdiction,
            resident: self.resident,
            study_modalities: self.study_modalities,
            subspecialty: self.subspecialty,
            urgency: Urgency::from_name(&self.urgency)
                .context("`urgency` is stat, emergent, urgent or routine")?,
            purpose: self.purpose,
            report_language: self.report_language,
            reader_organisation: self.reader_organisation,
            desk_country: self.desk_country,
            desk_country_evidence: CountryEvidence::from_name(&self.desk_country_evidence)
                .context("`desk_country_evidence` is organisation or declared")?,
            licences: self.licences,
            languages: self.languages,
            modalities: self.modalities,
            subspecialties: self.subspecialties,
            credential_valid: self.credential_valid,
            now_unix_s,
        })
    }
}

/// A rule as it is shown.
#[derive(Serialize)]
struct ShownRule {
    id: String,
    effect: &'static str,
    legal_basis: String,
    cite: String,
}

impl ShownRule {
    fn of(rule: &Rule) -> Self {
        Self {
            id: rule.id.clone(),
            effect: if rule.permits { "permit" } else { "forbid" },
            legal_basis: rule.legal_basis.clone(),
            cite: rule.cite.clone(),
        }
    }
}

impl fmt::Display for ShownRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.effect, self.id)?;
        for (name, text) in [("basis", &self.legal_basis), ("cite", &self.cite)] {
            if !text.is_empty() {
                write!(f, "\n    {name}: {text}")?;
            }
        }
        Ok(())
    }
}

/// A policy that fits its schema.
#[derive(Serialize)]
struct Checked {
    hash: String,
    rules: Vec<ShownRule>,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "the policy fits its schema; {} rules; SHA-256 {}",
            self.rules.len(),
            self.hash
        )?;
        self.rules.iter().try_for_each(|rule| writeln!(f, "{rule}"))
    }
}

/// A decision, with its rules written out.
#[derive(Serialize)]
struct Explained {
    allowed: bool,
    rules: Vec<ShownRule>,
    errors: Vec<String>,
    basis: String,
    policy_hash: String,
    engine: String,
    facts: String,
}

impl Explained {
    fn of(decision: &Decision, rules: Vec<ShownRule>, facts: String) -> Self {
        Self {
            allowed: decision.allowed,
            rules,
            errors: decision.errors.clone(),
            basis: decision.basis.clone(),
            policy_hash: decision.policy_hash.to_hex(),
            engine: decision.engine.clone(),
            facts,
        }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.allowed { "ALLOWED" } else { "REFUSED" })?;
        for error in &self.errors {
            writeln!(f, "cannot be evaluated, and so refuses: {error}")?;
        }
        if self.rules.is_empty() && self.errors.is_empty() {
            writeln!(f, "no rule permits it")?;
        }
        self.rules
            .iter()
            .try_for_each(|rule| writeln!(f, "{rule}"))?;
        writeln!(f, "policy {} by {}", self.policy_hash, self.engine)
    }
}
