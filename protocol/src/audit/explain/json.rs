//! An explanation as JSON, for programs.

use serde_json::{Value, json};

use super::{Again, ExplainError, Explanation, Part, Recomputed};
use crate::audit::verify::Verdict;
use crate::audit::verify::text;

/// An explanation, or why there is none, with the verdict on the archives that it is from.
#[must_use]
pub fn of(explained: &Result<Explanation, ExplainError>, verdict: &Verdict) -> Value {
    let mut value = json!({
        "version": 1,
        "verified": verdict.accepted(),
        "holds": verdict.holds(),
        "verdict": text::sentence(verdict).trim_end(),
        "genesis": verdict.genesis().map(|hash| hash.to_hex()),
    });
    match explained {
        Err(error) => value["error"] = json!(error.to_string()),
        Ok(explanation) => {
            value["grant"] = json!(explanation.grant.map(|hash| hash.to_hex()));
            value["agrees"] = json!(explanation.agrees());
            value["decision"] = decision(&explanation.decision);
            value["explanation"] = explanation.parts.iter().map(part).collect();
            value["not_checked"] = json!(explanation.unchecked);
        }
    }
    value
}

fn part(part: &Part) -> Value {
    json!({ "about": part.about, "says": part.says })
}

fn decision(decision: &Recomputed) -> Value {
    let (again, differs, missing): (Option<&Again>, &[String], &[String]) = match decision {
        Recomputed::Same(again) => (Some(again), &[], &[]),
        Recomputed::Differs(again, why) => (Some(again), why, &[]),
        Recomputed::Cannot(missing) => (None, &[], missing),
    };
    json!({
        "result": decision.name(),
        "again": again.map(|again| json!({
            "allowed": again.allowed,
            "rules": again.rules,
            "basis": again.basis,
            "errors": again.errors,
            "engine": again.engine,
        })),
        "differs": differs,
        "missing": missing,
    })
}
