//! Openings for somebody: which there are, what is logged of them first, and the archive that shows
//! them.

use std::path::Path;

use crypto::note::NoteSignature;
use prost::Message as _;
use protocol::audit::disclose::Scope;
use protocol::audit::entry::{Entry, Openings};
use protocol::audit::record::DisclosureRecord;
use protocol::ids::SubjectId;
use protocol::io::Command;
use protocol::limits;
use serde_json::Value;
use zeroize::Zeroizing;

use super::export::{self, Export};
use crate::archive::{self, ExportSource, TrustFiles};
use crate::control::Planned;
use crate::control::wire::Disclosed;
use crate::driver::log::{PayloadFault, PayloadSeal as _, Unsealed};
use crate::driver::ports::Undone;

/// One disclosure on its way.
struct Disclosing<'a> {
    export: &'a Export,
    scope: Scope,
    subject: Option<SubjectId>,
    /// Country of the log's organisation.
    country: &'a str,
    /// Indexes of what was planned and logged; nothing else is opened.
    planned: &'a [u64],
}

/// What somebody is shown of an entry.
enum Shown {
    Openings(Openings),
    Nothing,
    Erased,
}

impl<'a> Disclosing<'a> {
    fn new(export: &'a Export, (scope, country): (&Disclosed, &'a str)) -> Self {
        let (scope, subject) = match scope {
            Disclosed::Patient(patient) => {
                let subject = export.vault.names().subject(patient);
                (Scope::Patient(patient.clone()), Some(subject))
            }
            Disclosed::Country(country) => (Scope::Country(country.clone()), None),
            Disclosed::Index(index) => (Scope::Entry(*index), None),
        };
        Self {
            export,
            scope,
            subject,
            country,
            planned: &[],
        }
    }

    fn payload(&self, index: u64) -> Result<Option<Unsealed>, PayloadFault> {
        let sealed = self.export.log.reader().payload(index);
        match sealed.map_err(PayloadFault::of)? {
            None => Ok(None),
            Some(sealed) => self.export.vault.open(index, &sealed.bytes).map(Some),
        }
    }

    /// What is shown of an entry. Openings that match no commitment of it are not.
    fn shown(&self, index: u64, entry: &Entry) -> Result<Shown, Undone> {
        let header = entry.header();
        if !self.scope.may_see(index, &header, self.country) {
            return Ok(Shown::Nothing);
        }
        let unsealed = match self.payload(index) {
            Ok(Some(unsealed)) => unsealed,
            Ok(None) => return Ok(Shown::Nothing),
            Err(PayloadFault::Erased) => return Ok(Shown::Erased),
            Err(fault @ PayloadFault::Failed(_)) => return Err(Undone::of(fault)),
        };
        if self.subject.is_some() && self.subject != unsealed.subject {
            return Ok(Shown::Nothing);
        }
        let openings = Openings::decode_bytes(&unsealed.openings).map_err(Undone::of)?;
        let chosen = self.scope.choose(&header, self.country, &openings);
        Ok(chosen.map_or(Shown::Nothing, Shown::Openings))
    }
}

/// Finds what there is to disclose, up to the newest cosigned checkpoint, and what is to be logged
/// of it.
pub(super) fn plan(
    export: &Export,
    (scope, country): (Disclosed, &str),
    to: &str,
) -> Result<Planned, Undone> {
    if to.is_empty() || to.len() > limits::TEXT_MAX {
        return Err(Undone("name whom it is for, in one line".to_owned()));
    }
    let none = || Undone("no checkpoint has been cosigned yet".to_owned());
    let size = export.log.reader().cosigned().ok_or_else(none)?.head().size;
    let disclosing = Disclosing::new(export, (&scope, country));
    let (mut entries, mut erased, mut failed) = (Vec::new(), 0, None);
    let read = export.log.reader().entries(0, size, |index, bytes| {
        if failed.is_some() {
            return;
        }
        let shown = Entry::decode_bytes(bytes)
            .map_err(Undone::of)
            .and_then(|entry| disclosing.shown(index, &entry));
        match shown {
            Ok(Shown::Openings(_)) => entries.push(index),
            Ok(Shown::Erased) => erased += 1,
            Ok(Shown::Nothing) => {}
            Err(undone) => failed = Some(undone),
        }
    });
    read.map_err(Undone::of)?;
    if let Some(undone) = failed {
        return Err(undone);
    }
    if entries.is_empty() {
        let erased = match erased {
            0 => String::new(),
            erased => format!(", and {erased} entries that may have been were erased"),
        };
        return Err(Undone(format!("there is nothing to disclose{erased}")));
    }
    let patient = match &scope {
        Disclosed::Patient(patient) => patient.clone(),
        Disclosed::Country(_) | Disclosed::Index(_) => String::new(),
    };
    let of = match &scope {
        Disclosed::Country(country) => country.clone(),
        Disclosed::Patient(_) | Disclosed::Index(_) => String::new(),
    };
    let command = |entries: &[u64]| Command::LogDisclosure {
        disclosure: DisclosureRecord {
            to: to.to_owned(),
            scope: disclosing.scope.name().to_owned(),
            entries: entries.to_vec(),
            patient: patient.clone(),
        },
        subject: disclosing.subject,
        country: of.clone(),
    };
    let commands = entries.chunks(limits::DISCLOSED_MAX).map(command).collect();
    Ok(Planned {
        scope,
        entries,
        erased,
        commands,
    })
}

/// Writes the archive with the openings that were planned.
pub(super) fn write(
    export: &Export,
    (planned, country): (&Planned, &str),
    dir: &Path,
) -> Result<Value, Undone> {
    let disclosing = Disclosing {
        planned: &planned.entries,
        ..Disclosing::new(export, (&planned.scope, country))
    };
    let exported = archive::export(&disclosing, dir).map_err(Undone::of)?;
    let mut shown = export::shown(&exported);
    shown["opened"] = planned.entries.len().into();
    shown["erased"] = planned.erased.into();
    Ok(shown)
}

impl ExportSource for Disclosing<'_> {
    type Error = Undone;

    fn checkpoint(&self) -> Result<Vec<u8>, Undone> {
        self.export.checkpoint()
    }

    fn tile(&self, path: &str) -> Result<Option<Vec<u8>>, Undone> {
        self.export.tile(path)
    }

    fn payload(&self, index: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Undone> {
        self.export.payload(index)
    }

    fn opening(&self, index: u64, entry: &Entry) -> Result<Option<Vec<u8>>, Undone> {
        if self.planned.binary_search(&index).is_err() {
            return Ok(None);
        }
        match self.shown(index, entry)? {
            Shown::Openings(openings) => Ok(Some(openings.encode_to_vec())),
            Shown::Nothing | Shown::Erased => Ok(None),
        }
    }

    fn trust(&self) -> Result<TrustFiles, Undone> {
        self.export.trust()
    }

    fn sign(&self, text: &str) -> Result<NoteSignature, Undone> {
        self.export.sign(text)
    }
}
