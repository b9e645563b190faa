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

/// What accompanies images and is not what a reader is asked for: structured reports, presentation
/// states, key objects, documents, registrations, real world values, fiducials, segmentations
/// (PS3.3 section C.7.3.1.1.1).
const COMPANIONS: [&str; 10] = [
    "DOC", "FID", "KO", "M3D", "PLAN", "PR", "REG", "RWV", "SEG", "SR",
];

/// The modalities that say who may read a study: those of its images, or of what there is.
#[must_use]
pub fn image_modalities(all: &[String]) -> Vec<String> {
    let images = all.iter().filter(|of| !COMPANIONS.contains(&of.as_str()));
    let images: Vec<String> = images.cloned().collect();
    match images.is_empty() {
        true => all.to_vec(),
        false => images,
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

    #[test]
    fn a_study_is_read_by_who_reads_its_images() {
        let of = |all: &[&str]| {
            let all: Vec<String> = all.iter().map(|name| (*name).to_owned()).collect();
            image_modalities(&all)
        };
        assert_eq!(of(&["KO", "MR", "PR", "SR"]), ["MR"]);
        assert_eq!(of(&["CT", "PT", "SR"]), ["CT", "PT"]);
        assert_eq!(of(&["PR", "SR"]), ["PR", "SR"]);
    }
}
