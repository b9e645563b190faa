//! Which complete study opens a case, how urgent, and for whom: the hospital's rules, first match
//! wins.

use std::time::Duration;

use crate::audit::record::StudyRecord;
use crate::urgency::Urgency;

/// What a rule does with the study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Offer it to the mesh.
    Offer,
    /// It is read here; no case is opened.
    Local,
}

/// One rule. An empty condition matches everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, for the log.
    pub name: String,
    /// Modality must equal this (case-insensitive).
    pub modality: Option<String>,
    /// Body part must contain this (case-insensitive).
    pub body_part: Option<String>,
    /// Study description must contain this (case-insensitive).
    pub description: Option<String>,
    /// What to do.
    pub disposition: Disposition,
    /// Urgency as attested; `None` keeps the order's.
    pub urgency: Option<Urgency>,
    /// Subspecialty wanted; empty for none.
    pub subspecialty: String,
    /// From opening to deadline; `None` takes the urgency's own span.
    pub deadline: Option<Duration>,
    /// The study must not be seen from another country.
    pub resident: bool,
}

impl Rule {
    /// Whether the rule takes this study. Of several modalities, one that the rule names is enough:
    /// a rule that keeps mammography at home keeps a study with one mammogram.
    #[must_use]
    pub fn matches(&self, study: &StudyRecord) -> bool {
        let any_of = |want: &Option<String>, all: &[String]| {
            want.as_ref()
                .is_none_or(|want| all.iter().any(|is| want.eq_ignore_ascii_case(is)))
        };
        let within = |want: &Option<String>, is: &str| {
            want.as_ref()
                .is_none_or(|want| is.to_lowercase().contains(&want.to_lowercase()))
        };
        any_of(&self.modality, &study.judged_modalities())
            && within(&self.body_part, &study.body_part)
            && within(&self.description, &study.description)
    }
}

/// The first rule that takes the study.
#[must_use]
pub fn first_match<'a>(rules: &'a [Rule], study: &StudyRecord) -> Option<&'a Rule> {
    rules.iter().find(|rule| rule.matches(study))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(modality: Option<&str>, description: Option<&str>) -> Rule {
        Rule {
            name: "r".into(),
            modality: modality.map(Into::into),
            body_part: None,
            description: description.map(Into::into),
            disposition: Disposition::Offer,
            urgency: None,
            subspecialty: String::new(),
            deadline: None,
            resident: false,
        }
    }

    #[test]
    fn the_first_match_wins_and_case_does_not_matter() {
        let study = StudyRecord {
            modality: "CT".into(),
            description: "CT Head Stroke".into(),
            ..StudyRecord::default()
        };
        let rules = [
            rule(Some("MR"), None),
            rule(Some("ct"), Some("STROKE")),
            rule(None, None),
        ];
        assert_eq!(first_match(&rules, &study), Some(&rules[1]));
        let of = |modalities: &[&str]| StudyRecord {
            modalities: modalities.iter().map(|name| (*name).into()).collect(),
            description: "stroke".into(),
            ..study.clone()
        };
        assert_eq!(first_match(&rules, &of(&["CT", "MR"])), Some(&rules[0]));
        assert_eq!(first_match(&rules, &of(&["CT", "PT"])), Some(&rules[1]));
        assert_eq!(first_match(&rules, &of(&["PT"])), Some(&rules[2]));
    }
}
