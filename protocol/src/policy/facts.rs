//! The facts that a release is decided from, and their canonical text for the log.

use crate::urgency::Urgency;

/// How the reader's country is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountryEvidence {
    /// The organisation's registered country, from the credential.
    Organisation,
    /// The desk says so.
    Declared,
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
    /// Modality (CT, MR, ...).
    pub modality: String,
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
