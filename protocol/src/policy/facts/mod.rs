//! The facts that a release is decided from, and their canonical text for the log.

use crate::document::session::CheckedSession;
use crate::limits;
use crate::member::Credential;
use crate::time::Wall;
use crate::urgency::Urgency;

mod text;

pub use text::FactsError;

/// How the reader's country is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountryEvidence {
    /// The organisation's registered country, from the credential.
    Organisation,
    /// The desk says so.
    Declared,
}

impl CountryEvidence {
    /// The name that policies and the canonical text use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Declared => "declared",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Organisation, Self::Declared]
            .into_iter()
            .find(|evidence| evidence.name() == name)
    }
}

/// The purpose of use of every release in this version: treatment (HL7 v3 PurposeOfUse).
pub const PURPOSE_TREATMENT: &str = "TREAT";

/// What a case brings to the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFacts {
    /// The patient's jurisdiction (ISO 3166-1 alpha-2).
    pub jurisdiction: String,
    /// The study must not be seen from another country.
    pub resident: bool,
    /// Modalities of the study's images (CT, MR, ...), sorted; never empty.
    pub modalities: Vec<String>,
    /// Subspecialty wanted; empty for none.
    pub subspecialty: String,
    /// Urgency as attested.
    pub urgency: Urgency,
    /// Language of the report wanted (BCP 47).
    pub report_language: String,
}

/// The two sides of one possible release.
#[derive(Clone, Copy, Debug)]
pub struct Parties<'a> {
    /// The owning hospital.
    pub hospital: &'a Credential,
    /// The reader.
    pub reader: &'a Credential,
    /// The reader's desk session, checked.
    pub session: &'a CheckedSession,
}

/// What is known about one possible release. Nothing here names a patient or a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The owning hospital's organisation.
    pub hospital_organisation: String,
    /// The owning hospital's country (ISO 3166-1 alpha-2).
    pub hospital_country: String,
    /// The patient's jurisdiction (ISO 3166-1 alpha-2).
    pub patient_jurisdiction: String,
    /// The study must not be seen from another country.
    pub resident: bool,
    /// Modalities of the study's images (CT, MR, ...), sorted.
    pub study_modalities: Vec<String>,
    /// Subspecialty wanted; empty for none.
    pub subspecialty: String,
    /// Urgency as attested.
    pub urgency: Urgency,
    /// Purpose of use (HL7 v3): TREAT.
    pub purpose: String,
    /// Language of the report wanted (BCP 47).
    pub report_language: String,
    /// The reader's organisation.
    pub reader_organisation: String,
    /// Where the desk is (ISO 3166-1 alpha-2).
    pub desk_country: String,
    /// How that is known.
    pub desk_country_evidence: CountryEvidence,
    /// Jurisdictions of the reader's licences that are valid now, sorted.
    pub licences: Vec<String>,
    /// Languages of the reader (BCP 47), sorted.
    pub languages: Vec<String>,
    /// Modalities that the reader reads, sorted.
    pub modalities: Vec<String>,
    /// Subspecialties of the reader, sorted.
    pub subspecialties: Vec<String>,
    /// The reader's credential is inside its validity now.
    pub credential_valid: bool,
    /// Now, seconds since the Unix epoch.
    pub now_unix_s: u64,
}

impl Facts {
    /// The facts of one possible release. Only licences that hold now count; the desk's country is
    /// known from the organisation where both agree, and is otherwise what the desk says.
    #[must_use]
    pub fn for_release(parties: Parties<'_>, case: &CaseFacts, now: Wall) -> Self {
        let Parties {
            hospital,
            reader,
            session,
        } = parties;
        let evidence = match session.country == reader.country {
            true => CountryEvidence::Organisation,
            false => CountryEvidence::Declared,
        };
        Self {
            hospital_organisation: hospital.organisation.clone(),
            hospital_country: hospital.country.clone(),
            patient_jurisdiction: case.jurisdiction.clone(),
            resident: case.resident,
            study_modalities: case.modalities.clone(),
            subspecialty: case.subspecialty.clone(),
            urgency: case.urgency,
            purpose: PURPOSE_TREATMENT.to_owned(),
            report_language: case.report_language.clone(),
            reader_organisation: reader.organisation.clone(),
            desk_country: session.country.clone(),
            desk_country_evidence: evidence,
            licences: reader.licensed_in(now),
            languages: reader.languages.clone(),
            modalities: reader.modalities.clone(),
            subspecialties: reader.subspecialties.clone(),
            credential_valid: reader.is_valid_at(now),
            now_unix_s: now.unix_s(),
        }
    }

    /// Whether every text and list is within [`limits::TEXT_MAX`] and [`limits::LIST_MAX`]. Facts
    /// beyond that are decided by refusal, not by evaluation.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let texts = [
            &self.hospital_organisation,
            &self.hospital_country,
            &self.patient_jurisdiction,
            &self.subspecialty,
            &self.purpose,
            &self.report_language,
            &self.reader_organisation,
            &self.desk_country,
        ];
        let lists = [
            &self.licences,
            &self.languages,
            &self.modalities,
            &self.subspecialties,
            &self.study_modalities,
        ];
        let fits = |text: &String| text.len() <= limits::TEXT_MAX;
        texts.into_iter().all(fits)
            && lists
                .into_iter()
                .all(|list| list.len() <= limits::LIST_MAX && list.iter().all(fits))
    }
}

#[cfg(test)]
pub(crate) mod tests;
