//! Who was let at a patient's studies. A log names no patient: what is disclosed does, and how much
//! of it is not disclosed is part of the answer.
//!
//! A release is of the patient if an opened entry of it says so itself, or if it is of a case whose
//! studies or orders are the patient's. It is not, if all its case's studies are known to be of
//! others. Anything else is not known.

use std::collections::BTreeMap;

use super::Ask;
use super::answer::{Answer, Cell, Table};
use super::history::{Contents, History, Named, Place, Release};
use crate::audit::entry::{Field, Openings};
use crate::audit::record::Record;
use crate::audit::verify::text::counted;
use crate::limits;

/// Longest identifier that is remembered, in bytes: the real ones have 16.
const IDENTIFIER_MAX: usize = 64;

const COLUMNS: &[&str] = &[
    "granted",
    "organisation",
    "person",
    "from",
    "to",
    "purpose",
    "role",
    "begun",
    "ended",
    "log",
    "entry",
];

/// Answers the question.
pub(super) fn answer(history: &History, ask: &Ask, answer: &mut Answer) {
    if ask.patient.is_none() {
        answer.lacks("no patient was named: give --patient or --subject");
        return;
    }
    let mut table = Table::new("access to the patient's studies", COLUMNS);
    let (mut of, mut others, mut unopened, mut undecided) = (0, 0, 0, 0);
    for (place, release) in releases(history, ask) {
        let decided = release
            .of_patient
            .or_else(|| history.patients.decides(release.case.as_ref()?));
        match (decided, &release.case) {
            (Some(true), _) => {
                of += 1;
                table.push(row(history, place, release));
            }
            (Some(false), _) => others += 1,
            (None, Some(_)) => undecided += 1,
            (None, None) => unopened += 1,
        }
    }
    answer.says.push(match of {
        0 => "No release that is known to be of the patient.".to_owned(),
        of => format!("{} of the patient's studies.", counted(of, "release")),
    });
    if others > 0 {
        answer.says.push(format!(
            "Releases that are known to be of other patients: {others}."
        ));
    }
    answer.list(table);
    answer.miss(unopened, "releases of which no entry is opened");
    answer.miss(
        undecided,
        "releases that are opened, but not the studies of their case",
    );
    answer.miss(history.nameless, "entries on access that name no grant");
}

/// Releases whose entries reach into the range, in order.
fn releases<'a>(history: &'a History, ask: &Ask) -> Vec<(Place, &'a Release)> {
    let mut found = Vec::new();
    for release in history.releases.values() {
        let Some((first, last)) = release.span_us else {
            continue;
        };
        let (from, to) = release.pair();
        let place = release.place().unwrap_or(Place {
            archive: usize::MAX,
            index: 0,
            time_us: first,
        });
        let named = release.known.is_none() && release.told.is_none();
        if ask.spans(first, last) && (named || ask.between(from, to)) {
            found.push((place, release));
        }
    }
    found.sort_by_key(|(place, _)| (place.time_us, place.archive, place.index));
    found
}

fn row(history: &History, place: Place, release: &Release) -> Vec<Cell> {
    let person = release.known.as_ref().map(|known| {
        let hex: String = known
            .person
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        hex
    });
    let (from, to) = release.pair();
    let told = release.told.as_ref();
    let purpose = told.map(|told| match told.emergency {
        true => format!("{} (emergency)", told.purpose),
        false => told.purpose.to_string(),
    });
    let role = told.map(|told| told.role.to_string());
    let text = |text: Option<String>| text.map_or(Cell::Nothing, Cell::Text);
    let time = |time: Option<u64>| time.map_or(Cell::Nothing, Cell::Time);
    vec![
        Cell::Time(place.time_us),
        release.organisation().into(),
        text(person),
        from.into(),
        to.into(),
        text(purpose),
        text(role),
        time(release.begun_us),
        time(release.ended_us),
        history.log(place).into(),
        place.index.into(),
    ]
}

/// Notes what an opened entry says of studies, orders and cases.
pub(super) fn note(
    history: &mut History,
    (ask, of_patient): (&Ask, Option<bool>),
    (place, record): (Place, Option<&Record>),
) {
    let Some(patient) = &ask.patient else { return };
    let Some(origin) = history
        .logs
        .get(place.archive)
        .map(|log| log.origin.clone())
    else {
        return;
    };
    let patients = &mut history.patients;
    let name = |id: &[u8]| (id.len() <= IDENTIFIER_MAX).then(|| (origin.clone(), id.to_vec()));
    let is = |told: &str| of_patient.unwrap_or(told == patient);
    if let Some(Record::StudyReceived(study)) = record {
        join(
            &mut patients.studies,
            name(&study.study),
            is(&study.patient),
        );
    }
    if let Some(Record::OrderReceived(order)) = record {
        join(&mut patients.orders, name(&order.order), is(&order.patient));
    }
    if let Some(Record::CaseOpened(case)) = record {
        let listed = |ids: &[Vec<u8>]| {
            let ids = ids
                .iter()
                .filter(|id| !id.is_empty() && id.len() <= IDENTIFIER_MAX);
            ids.cloned().collect::<Vec<_>>()
        };
        let short = case.studies.len().max(case.orders.len()) <= limits::LIST_MAX;
        if let Some(named) = name(&case.case).filter(|_| short) {
            let (studies, orders) = (listed(&case.studies), listed(&case.orders));
            patients
                .cases
                .entry(named)
                .or_insert(Contents { studies, orders });
        }
    }
}

/// The same study may be received again: one entry that says yes is enough.
fn join(of: &mut BTreeMap<Named, bool>, name: Option<Named>, is: bool) {
    if let Some(name) = name {
        *of.entry(name).or_default() |= is;
    }
}

/// The owner's case that an opened entry of a release names.
pub(super) fn case(record: Option<&Record>, openings: &Openings) -> Option<Vec<u8>> {
    let recorded = || {
        let record = record?;
        if let Record::ReleaseGranted(release) | Record::ReceiptAccepted(release) = record {
            Some(release.case.clone())
        } else if let Record::AccessBegun(access) | Record::AccessEnded(access) = record {
            Some(access.case.clone())
        } else if let Record::ReportReceived(report) = record {
            Some(report.case.clone())
        } else {
            None
        }
    };
    let named = openings.value(Field::Case).map(<[u8]>::to_vec);
    let case = named.or_else(recorded);
    case.filter(|case| !case.is_empty() && case.len() <= IDENTIFIER_MAX)
}
