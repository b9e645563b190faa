//! Which openings of an entry somebody is shown: a patient, the regulator of a country, or whoever
//! is to see one entry.
//!
//! | asked for | entries | fields |
//! |---|---|---|
//! | patient | those under the patient's own key | all but the body of a report |
//! | country, where the data is | those of data in it | all but the body of a report |
//! | country, where it is seen | those of data seen from it | the reader's side and the decision |
//! | index | that one | all |
//!
//! An entry that names no pair of countries happened in the country of the log's own organisation.
//! The reader's side says who read, under which credential, at which desk, how much, and what the
//! policy decided from: nothing that names a patient, a study or a case.

use crate::audit::entry::{Field, Opening, Openings};
use crate::audit::header::{Header, Kind};

/// Whose openings are asked for. It may name a patient: no Debug.
#[derive(Clone, PartialEq, Eq)]
pub enum Scope {
    /// One patient's, `id^^^issuer`: those of the entries under the patient's key.
    Patient(String),
    /// What the regulator of a country may see (ISO 3166-1 alpha-2).
    Country(String),
    /// One entry's.
    Entry(u64),
}

impl Scope {
    /// Its name in the log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Patient(_) => "patient",
            Self::Country(_) => "country",
            Self::Entry(_) => "index",
        }
    }

    /// Whether an entry can have anything for this scope, by its header alone. `own` is the country
    /// of the log's organisation.
    #[must_use]
    pub fn may_see(&self, index: u64, header: &Header, own: &str) -> bool {
        match self {
            Self::Patient(_) => true,
            Self::Country(country) => {
                let (from, to) = pair(header, own);
                from == country || to == country
            }
            Self::Entry(entry) => *entry == index,
        }
    }

    /// What this scope is shown of an entry that it may see: the openings in their one encoding, or
    /// none.
    #[must_use]
    pub fn choose(&self, header: &Header, own: &str, openings: &Openings) -> Option<Openings> {
        let whole = match self {
            Self::Entry(_) | Self::Patient(_) => true,
            Self::Country(country) => pair(header, own).0 == country,
        };
        let bodies = matches!(self, Self::Entry(_)) || !has_report(header.kind);
        let shown = |opening: &&Opening| match Field::try_from(opening.field) {
            Ok(Field::Record) => whole && bodies,
            Ok(Field::Patient | Field::Study | Field::Case | Field::Reason) => whole,
            Ok(Field::Person | Field::Credential | Field::Counts | Field::Facts | Field::Desk) => {
                true
            }
            Ok(Field::Unspecified) | Err(_) => false,
        };
        let chosen: Vec<Opening> = openings.openings.iter().filter(shown).cloned().collect();
        // Where an entry stands among its subject's tells that there are others: to whoever sees
        // the subject.
        let place = |number: u64| if whole { number } else { 0 };
        (!chosen.is_empty()).then(|| Openings {
            version: openings.version,
            openings: chosen,
            subject_sequence: place(openings.subject_sequence),
            subject_previous: place(openings.subject_previous),
        })
    }
}

/// The countries that an entry is about.
fn pair<'a>(header: &'a Header, own: &'a str) -> (&'a str, &'a str) {
    let named = |country: &'a String| {
        if country.is_empty() {
            own
        } else {
            country.as_str()
        }
    };
    (named(&header.from_country), named(&header.to_country))
}

/// Whether the record of such an entry holds a report.
const fn has_report(kind: i32) -> bool {
    kind == Kind::ReportSigned as i32
        || kind == Kind::ReportReceived as i32
        || kind == Kind::ReportDelivered as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Field; 10] = [
        Field::Record,
        Field::Person,
        Field::Credential,
        Field::Patient,
        Field::Study,
        Field::Case,
        Field::Counts,
        Field::Facts,
        Field::Reason,
        Field::Desk,
    ];

    fn header(from: &str, to: &str, kind: Kind) -> Header {
        Header {
            kind: kind as i32,
            from_country: from.to_owned(),
            to_country: to.to_owned(),
            ..Header::default()
        }
    }

    fn shown(scope: &Scope, header: &Header) -> Option<Vec<Field>> {
        if !scope.may_see(7, header, "DE") {
            return None;
        }
        let opening = |field: Field| Opening {
            field: field as i32,
            ..Opening::default()
        };
        let openings = Openings {
            version: 1,
            openings: ALL.map(opening).into(),
            subject_sequence: 3,
            subject_previous: 2,
        };
        let chosen = scope.choose(header, "DE", &openings)?;
        let whole = chosen
            .openings
            .iter()
            .any(|o| o.field == Field::Case as i32);
        assert_eq!(chosen.subject_sequence, if whole { 3 } else { 0 });
        let fields = chosen.openings.iter();
        Some(
            fields
                .filter_map(|o| Field::try_from(o.field).ok())
                .collect(),
        )
    }

    #[test]
    fn a_country_sees_what_is_its_own_and_of_data_elsewhere_the_readers_side() {
        let of = |country: &str| Scope::Country(country.to_owned());
        let granted = header("DE", "AT", Kind::ReleaseGranted);
        assert_eq!(shown(&of("DE"), &granted), Some(ALL.to_vec()));
        let side = [
            Field::Person,
            Field::Credential,
            Field::Counts,
            Field::Facts,
            Field::Desk,
        ];
        assert_eq!(shown(&of("AT"), &granted), Some(side.to_vec()));
        assert_eq!(shown(&of("FR"), &granted), None);
        // What names no countries happened at home.
        let study = header("", "", Kind::StudyReceived);
        assert_eq!(shown(&of("DE"), &study), Some(ALL.to_vec()));
        assert_eq!(shown(&of("AT"), &study), None);
    }

    #[test]
    fn a_report_is_shown_only_to_whoever_asks_for_its_entry() {
        let report = header("", "", Kind::ReportReceived);
        let patient = Scope::Patient("1^^^NORD".to_owned());
        for scope in [patient, Scope::Country("DE".to_owned())] {
            assert_eq!(shown(&scope, &report), Some(ALL[1..].to_vec()));
        }
        assert_eq!(shown(&Scope::Entry(7), &report), Some(ALL.to_vec()));
        assert_eq!(shown(&Scope::Entry(8), &report), None);
    }
}
