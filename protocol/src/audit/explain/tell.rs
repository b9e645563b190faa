//! What a release was, in sentences: when, who, from where to where and why, and how much.

use super::find::Step;
use super::{Context, Part, at, clean, list};
use crate::audit::header::{Header, Kind, Outcome};
use crate::document::grant::Grant;
use crate::ids::{NodeId, PersonId};
use crate::member::Credential;
use crate::urgency::Urgency;

/// Everything but the decision and what came after it.
pub(super) fn parts(context: &Context<'_>) -> Vec<Part> {
    let decided = context.found.decided.as_ref();
    let mut parts = vec![Part {
        about: "The release",
        says: release(context, decided),
    }];
    if let Some(step) = decided {
        parts.push(Part {
            about: "When",
            says: when(context, step),
        });
    }
    parts.push(Part {
        about: "Who",
        says: who(context, decided),
    });
    if let Some(step) = decided {
        parts.push(Part {
            about: "From where to where, and why",
            says: why(&step.header),
        });
    }
    parts.push(Part {
        about: "What",
        says: what(context.found.grant.as_ref(), decided),
    });
    parts
}

fn release(context: &Context<'_>, decided: Option<&Step>) -> Vec<String> {
    let mut says = Vec::new();
    match decided {
        None => says
            .push("The hospital's own entry of this release is not in these archives.".to_owned()),
        Some(step) if step.copy => says.push(format!(
            "A hospital granted a release to a reader. Its own archive is not given; its entry is \
             told from the copy that {} keeps with its entry {}.",
            context.log(step.archive),
            step.index
        )),
        Some(step) => {
            let did = if step.kind == Some(Kind::ReleaseGranted) {
                "granted a release of a study to a reader"
            } else if step.header.outcome == Outcome::Refused as i32 {
                "refused a release of a study to a reader, by rule"
            } else {
                "began a release of a study to a reader, which failed"
            };
            says.push(format!(
                "By entry {} of its log {}, {} {did}.",
                step.index,
                context.log(step.archive),
                clean(&step.header.source)
            ));
        }
    }
    if let Some(hash) = context.found.grant_hash {
        says.push(format!("The grant has the SHA-256 {hash}."));
    }
    if let Some(step) = decided {
        says.push(match step.header.emergency {
            true => "It was an EMERGENCY OVERRIDE (break-glass).".to_owned(),
            false => "It was no emergency override.".to_owned(),
        });
    }
    says
}

fn when(context: &Context<'_>, step: &Step) -> Vec<String> {
    let us = step.header.uncertainty_us;
    let mut says = vec![format!(
        "At {}, by the hospital's clock, which may be off by {}.{:03} s.",
        at(step.header.time_us),
        us / 1_000_000,
        us / 1_000 % 1_000
    )];
    if step.kind == Some(Kind::ReleaseGranted) {
        says.push(match context.verdict.holds() {
            true => "Witnesses outside the hospital had countersigned the log with this entry in \
                     it: a quorum of them, by a proof that was checked."
                .to_owned(),
            false => "That witnesses countersigned the entry is not proven: these archives do not \
                      verify."
                .to_owned(),
        });
    }
    says
}

fn who(context: &Context<'_>, decided: Option<&Step>) -> Vec<String> {
    let Some(grant) = &context.found.grant else {
        let whom = "To whom is not in the clear: the entry only commits to the reader.";
        return vec![whom.to_owned()];
    };
    let mut says = Vec::new();
    let wall = decided.map(Step::wall);
    let owner = NodeId::from_slice(&grant.owner);
    let hospital = context.trusts.iter().find_map(|trust| {
        let (owner, wall) = (owner?, wall?);
        trust.hospital(owner, wall)
    });
    says.push(match hospital {
        Some(found) => format!(
            "The hospital: {} in {}, by credential {}, which was valid then.",
            clean(&found.organisation),
            clean(&found.country),
            found.serial
        ),
        None => "The hospital: no credential in the archives that was valid then.".to_owned(),
    });
    let mut trusts = context.trusts.iter();
    match trusts.find_map(|trust| trust.credential(grant.credential)) {
        None => says.push(format!(
            "The reader: by credential {}, which is not in the archives.",
            grant.credential
        )),
        Some(found) => reader(found, grant, wall, &mut says),
    }
    says.push(format!(
        "The reader's key is {}, used at the desk {}. No log says a person's name: whoever issued \
         the credential knows whose key it is.",
        hex(&grant.person),
        hex(&grant.node)
    ));
    says
}

/// What a credential says of the reader.
fn reader(
    found: &Credential,
    grant: &Grant,
    wall: Option<crate::time::Wall>,
    says: &mut Vec<String>,
) {
    let valid = match wall.map(|wall| found.is_valid_at(wall)) {
        Some(true) => "valid then",
        Some(false) => "NOT valid then",
        None => "of which it is not known whether it was valid then",
    };
    says.push(format!(
        "The reader: of {} in {}, by credential {}, valid from {} until {}: {valid}.",
        clean(&found.organisation),
        clean(&found.country),
        found.serial,
        at(found.not_before.saturating_mul(1_000_000)),
        at(found.not_after.saturating_mul(1_000_000)),
    ));
    if found.person.is_none() || PersonId::from_slice(&grant.person) != found.person {
        says.push("The credential is of ANOTHER PERSON than the grant.".to_owned());
    }
    let held = wall.map(|wall| found.licensed_in(wall)).unwrap_or_default();
    says.push(format!(
        "Licensed then, by that credential, in: {}.",
        list(&held)
    ));
}

fn why(header: &Header) -> Vec<String> {
    let (from, to) = (clean(&header.from_country), clean(&header.to_country));
    let mut says = vec![match from == to {
        true => format!("The data was in {from} and was to be seen from {to}: within one country."),
        false => format!("The data was in {from} and was to be seen from {to}: across a border."),
    }];
    let purpose = match header.purpose.as_str() {
        "" => "none is stated".to_owned(),
        "TREAT" => "treatment (TREAT)".to_owned(),
        other => clean(other),
    };
    says.push(format!("Purpose: {purpose}."));
    let role = match header.legal_role.as_str() {
        "" => "none is stated".to_owned(),
        "controller" => "a controller of its own (controller)".to_owned(),
        "processor" => "a processor on the hospital's behalf (processor)".to_owned(),
        "own-staff" => "staff of the hospital's own organisation (own-staff)".to_owned(),
        other => clean(other),
    };
    says.push(format!("The receiving side's role in law: {role}."));
    says.push(match header.basis.trim() {
        "" => "Legal basis: NONE is stated.".to_owned(),
        basis => format!(
            "Legal basis, as the deciding rules name it: {}.",
            clean(basis)
        ),
    });
    says.push(match Urgency::from_u32(header.urgency) {
        Some(urgency) => format!("Urgency: {}.", urgency.name()),
        None => "Urgency: none is stated.".to_owned(),
    });
    says
}

fn what(grant: Option<&Grant>, decided: Option<&Step>) -> Vec<String> {
    let mut says = Vec::new();
    let prepared = grant.and_then(|grant| grant.prepared.as_ref());
    if let Some(prepared) = prepared {
        says.push(format!(
            "By the signed grant: {} objects with {} bytes, sealed to the reader's desk. It is \
             what the reader might fetch, whether or not all of it was.",
            prepared.objects, prepared.bytes
        ));
    }
    if let Some(step) = decided {
        let (bytes, objects) = (step.header.bytes_bucket, step.header.instances_bucket);
        says.push(format!(
            "By the entry's clear header, which shows sizes only roughly: {} and {}.",
            range(bytes, "byte"),
            range(objects, "object")
        ));
    }
    if says.is_empty() {
        says.push("How much is not in these archives.".to_owned());
    }
    says
}

/// What a bucket of a header says: its upper end is a power of two.
pub(super) fn range(bucket: u32, one: &str) -> String {
    match bucket {
        0 => format!("no {one}s"),
        1 => format!("1 {one}"),
        2 => format!("2 {one}s"),
        // A count of 64 bits has no larger bucket.
        3..=65 => format!(
            "{} to {} {one}s",
            (1_u128 << (bucket - 2)) + 1,
            1_u128 << (bucket - 1)
        ),
        _ => format!("an impossible number of {one}s"),
    }
}

/// Bytes of an identifier; a grant's are bounded.
fn hex(bytes: &[u8]) -> String {
    match bytes.is_empty() {
        true => "(absent)".to_owned(),
        false => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
