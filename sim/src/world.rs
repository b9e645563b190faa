//! What happens in the simulated hospitals: studies, orders, and how people read.

use protocol::audit::record::{OrderRecord, StudyRecord};
use protocol::case::rules::{Disposition, Rule};
use protocol::document::grant::Prepared;
use protocol::document::report::Section;
use protocol::ids::{StudyId, SubjectId};
use protocol::io::{ReportDraft, StudyDescription};
use protocol::urgency::Urgency;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

/// The rule by which every study is offered.
pub fn rule() -> Rule {
    Rule {
        name: "offer everything".to_owned(),
        modality: None,
        body_part: None,
        description: None,
        disposition: Disposition::Offer,
        urgency: Some(Urgency::Emergent),
        subspecialty: "neuro".to_owned(),
        deadline: None,
        resident: false,
    }
}

/// Study `number` of hospital `hospital`.
pub fn study_id(hospital: usize, number: u8) -> StudyId {
    let mut bytes = [0; 16];
    bytes[0] = hospital as u8 + 1;
    bytes[1] = number + 1;
    StudyId::from_bytes(bytes)
}

/// What the store says of a study.
pub fn describe(study: StudyId) -> StudyDescription {
    let number = study.as_bytes()[1];
    let patient = format!("{number}^^^SIM");
    StudyDescription {
        study: StudyRecord {
            study: study.to_vec(),
            study_uid: format!("2.25.{number}"),
            objects: 120,
            bytes: 63_000_000,
            modality: "CT".to_owned(),
            modalities: vec!["CT".to_owned()],
            body_part: "HEAD".to_owned(),
            description: "CT HEAD".to_owned(),
            late: false,
            accession: format!("A{number}"),
            patient: patient.clone(),
        },
        order: Some(OrderRecord {
            order: study.to_vec(),
            accession: format!("A{number}"),
            patient,
            question: "bleeding".to_owned(),
            history: "fall".to_owned(),
            urgency_ordered: Urgency::Urgent as u32,
            report_language: "de".to_owned(),
            origin: "file".to_owned(),
            jurisdiction: "DE".to_owned(),
            resident: false,
        }),
        subject: SubjectId::from_bytes([number; 32]),
    }
}

/// A report of one sentence.
pub fn draft() -> ReportDraft {
    ReportDraft {
        template: "ct-head".to_owned(),
        language: "de".to_owned(),
        sections: vec![Section {
            name: "impression".to_owned(),
            text: "no bleeding".to_owned(),
        }],
        opened: vec![[7; 16]],
        is_final: true,
    }
}

/// What a release came to: its numbers count, its digests are any.
pub fn prepared(rng: &mut ChaCha20Rng) -> Prepared {
    let mut random = |n: usize| {
        let mut bytes = vec![0; n];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    Prepared {
        sealed_release_key: random(82),
        release_key_commitment: random(32),
        manifest_id: random(16),
        manifest_digest: random(32),
        manifest_length: 40_000,
        manifest_root: random(32),
        objects: 120,
        bytes: 63_000_000,
    }
}
