//! The question that facts put to a policy: a reader, a study, a purpose and a time.

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression as Value, Schema,
};

use crate::policy::facts::{CountryEvidence, Facts};
use crate::urgency::Urgency;

/// Why a question cannot be put.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct QuestionError(String);

impl QuestionError {
    fn because(error: impl std::fmt::Display) -> Self {
        Self(super::line(&error))
    }
}

/// The names that stand in every question.
pub(super) struct Template {
    reader: EntityUid,
    read: EntityUid,
    study: EntityUid,
}

impl Template {
    /// Makes the names. Neither a person nor a patient is named: one reader, one study.
    pub(super) fn new() -> Result<Self, QuestionError> {
        let uid = |kind: &str, id: &str| -> Result<EntityUid, QuestionError> {
            let kind: EntityTypeName = kind.parse().map_err(QuestionError::because)?;
            Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
        };
        Ok(Self {
            reader: uid("Reader", "reader")?,
            read: uid("Action", "read")?,
            study: uid("Study", "study")?,
        })
    }

    /// Puts the question of these facts, in the schema's terms.
    pub(super) fn question(
        &self,
        facts: &Facts,
        schema: &Schema,
    ) -> Result<(Request, Entities), QuestionError> {
        let reader = [
            ("organisation", text(&facts.reader_organisation)),
            ("country", text(&facts.desk_country)),
            ("countryKnownFrom", text(facts.desk_country_evidence.name())),
            ("licences", set(&facts.licences)),
            ("languages", set(&facts.languages)),
            ("modalities", set(&facts.modalities)),
            ("subspecialties", set(&facts.subspecialties)),
            ("credentialValid", Value::new_bool(facts.credential_valid)),
        ];
        let study = [
            ("hospital", text(&facts.hospital_organisation)),
            ("hospitalCountry", text(&facts.hospital_country)),
            ("jurisdiction", text(&facts.patient_jurisdiction)),
            ("resident", Value::new_bool(facts.resident)),
            ("modalities", set(&facts.study_modalities)),
            ("subspecialty", text(&facts.subspecialty)),
            ("urgency", text(facts.urgency.name())),
            ("reportLanguage", text(&facts.report_language)),
        ];
        let context = [
            ("purpose", text(&facts.purpose)),
            ("now", time(facts.now_unix_s)?),
        ];
        let entities = [entity(&self.reader, reader)?, entity(&self.study, study)?];
        let entities =
            Entities::from_entities(entities, Some(schema)).map_err(QuestionError::because)?;
        let context = Context::from_pairs(context.map(|(name, value)| (name.to_owned(), value)))
            .map_err(QuestionError::because)?;
        let [principal, action, resource] =
            [self.reader.clone(), self.read.clone(), self.study.clone()];
        let request = Request::new(principal, action, resource, context, Some(schema))
            .map_err(QuestionError::because)?;
        Ok((request, entities))
    }
}

fn entity<const N: usize>(
    uid: &EntityUid,
    values: [(&str, Value); N],
) -> Result<Entity, QuestionError> {
    let values = values.map(|(name, value)| (name.to_owned(), value));
    Entity::new_with_tags(uid.clone(), values, [], []).map_err(QuestionError::because)
}

fn text(value: &str) -> Value {
    Value::new_string(value.to_owned())
}

fn set(values: &[String]) -> Value {
    Value::new_set(values.iter().map(|value| text(value)))
}

/// Seconds since the Unix epoch as Cedar's datetime. Beyond its range there is no question to ask.
fn time(unix_s: u64) -> Result<Value, QuestionError> {
    let unix_ms = i64::try_from(unix_s)
        .ok()
        .and_then(|seconds| seconds.checked_mul(1_000))
        .ok_or_else(|| QuestionError::because("the time is beyond what a policy can express"))?;
    format!("datetime(\"1970-01-01\").offset(duration(\"{unix_ms}ms\"))")
        .parse()
        .map_err(QuestionError::because)
}

/// Facts of no meaning, to hold a schema against.
pub(super) fn sample() -> Facts {
    Facts {
        hospital_organisation: String::new(),
        hospital_country: String::new(),
        patient_jurisdiction: String::new(),
        resident: false,
        study_modalities: Vec::new(),
        subspecialty: String::new(),
        urgency: Urgency::Routine,
        purpose: String::new(),
        report_language: String::new(),
        reader_organisation: String::new(),
        desk_country: String::new(),
        desk_country_evidence: CountryEvidence::Declared,
        licences: Vec::new(),
        languages: Vec::new(),
        modalities: Vec::new(),
        subspecialties: Vec::new(),
        credential_valid: false,
        now_unix_s: 0,
    }
}
