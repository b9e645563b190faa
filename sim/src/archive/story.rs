//! What happens in a made archive: orders and studies, and now and then a case that somebody else
//! reads, from its offer to its report.

use crypto::digest::Digest;
use crypto::envelope::Envelope;
use crypto::keys::SigningKey;
use crypto::log::merkle::leaf_hash;
use crypto::log::proof::LogProof;
use protocol::audit::archive::FileName;
use protocol::audit::entry::{EntryDraft, Field, SubjectPlace};
use protocol::audit::header::{Action, Header};
use protocol::audit::record::{
    AccessRecord, CaseNote, CaseRecord, NodeRecord, OfferedRecord, OrderRecord, Record,
    ReleaseRecord, ReportRecord, StudyRecord,
};
use protocol::document::Document;
use protocol::document::grant::{Grant, Prepared};
use protocol::document::receipt::Receipt;
use protocol::ids::SubjectId;
use protocol::policy::Facts;
use protocol::policy::facts::CountryEvidence;
use protocol::time::Wall;
use protocol::urgency::Urgency;
use rand_core::Rng as _;

use super::members::{POLICY, READERS};
use super::{MakeError, Maker, Shelf};

/// Most entries of one case that is read elsewhere.
const RELEASE_ENTRIES: u64 = 10;
/// One release in so many is refused at first.
const RELEASES_A_REFUSAL: u64 = 5;
/// What the shipped policy says of a study in Germany that is read in Austria.
const RULE: &str = "read-within-eea";
const BASIS: &str = "treatment; free movement of personal data within the EEA";
/// Of every clock in it.
const UNCERTAINTY_US: u64 = 50_000;
const LEASE_US: u64 = 30 * 60 * 1_000_000;

/// Makes all entries, and the files that belong to them.
pub(super) fn tell<S: Shelf>(maker: &mut Maker<'_, S>) -> Result<(), MakeError<S::Error>> {
    maker.note(Record::NodeStarted(NodeRecord::default()), vec![])?;
    let mut studies = 0u64;
    while maker.left() > 0 {
        maker.study(studies)?;
        studies += 1;
        if studies.is_multiple_of(maker.plan.studies_a_release) && maker.left() >= RELEASE_ENTRIES {
            maker.case()?;
        }
    }
    Ok(())
}

impl<S: Shelf> Maker<'_, S> {
    fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn header(&self, record: &Record) -> Header {
        let wall = Wall {
            unix_us: self.now_us,
            uncertainty_us: UNCERTAINTY_US,
        };
        let source = &self.members.hospital.organisation;
        Header::new(record.kind(), Action::Execute, source, wall)
    }

    fn enter(
        &mut self,
        header: Header,
        record: &Record,
        mut fields: Vec<(Field, Vec<u8>)>,
    ) -> Result<u64, MakeError<S::Error>> {
        fields.push((Field::Record, record.encode()));
        let draft = EntryDraft::new(header, None, fields, &mut self.rng);
        self.append(&draft)
    }

    /// An entry whose header says nothing of its own.
    fn note(
        &mut self,
        record: Record,
        fields: Vec<(Field, Vec<u8>)>,
    ) -> Result<u64, MakeError<S::Error>> {
        let header = self.header(&record);
        self.enter(header, &record, fields)
    }

    /// An order, and the study that answers it.
    fn study(&mut self, number: u64) -> Result<(), MakeError<S::Error>> {
        let patient = format!("{number}^^^MADE");
        let subject = SubjectId::from_bytes(self.random());
        let (order, study) = (self.random::<32>(), self.random::<32>());
        let ordered = Record::OrderReceived(OrderRecord {
            order: order.to_vec(),
            patient: patient.clone(),
            urgency_ordered: Urgency::Routine as u32,
            report_language: "de".to_owned(),
            origin: "dicom-header".to_owned(),
            jurisdiction: "DE".to_owned(),
            ..OrderRecord::default()
        });
        let place = |sequence, previous| {
            Some(SubjectPlace {
                subject,
                sequence,
                previous,
            })
        };
        let header = self.header(&ordered).with_urgency(Urgency::Routine);
        let fields = vec![
            (Field::Patient, patient.clone().into_bytes()),
            (Field::Record, ordered.encode()),
        ];
        let draft = EntryDraft::new(header, place(1, 0), fields, &mut self.rng);
        let index = self.append(&draft)?;
        if self.left() == 0 {
            return Ok(());
        }

        let uid = format!("2.25.{number}");
        let (bytes, objects) = (100_000_000 + number % 400_000_000, 100 + number % 900);
        let received = Record::StudyReceived(StudyRecord {
            study: study.to_vec(),
            study_uid: uid.clone(),
            objects,
            bytes,
            modality: "CT".to_owned(),
            patient: patient.clone(),
            modalities: vec!["CT".to_owned()],
            ..StudyRecord::default()
        });
        let header = self.header(&received).with_volume(bytes, objects);
        let fields = vec![
            (Field::Patient, patient.into_bytes()),
            (Field::Study, uid.into_bytes()),
            (Field::Record, received.encode()),
        ];
        let draft = EntryDraft::new(header, place(2, index + 1), fields, &mut self.rng);
        self.append(&draft)?;
        Ok(())
    }

    /// A case that somebody else reads.
    fn case(&mut self) -> Result<(), MakeError<S::Error>> {
        let case = self.random::<16>().to_vec();
        let fields = || vec![(Field::Case, case.clone())];
        self.note(Record::CaseOpened(CaseRecord::default()), fields())?;
        self.note(Record::CaseOffered(OfferedRecord::default()), fields())?;
        let number = self.granted.len() as u64;
        let desk = (number % READERS) as usize;
        if number % RELEASES_A_REFUSAL == RELEASES_A_REFUSAL - 1 {
            self.note(Record::ReleaseRefused(ReleaseRecord::default()), fields())?;
        }
        let (grant, hash) = self.grant(desk, &case)?;
        self.receipt((desk, &case), &grant, hash)?;
        for record in [
            Record::AccessBegun(AccessRecord::default()),
            Record::AccessEnded(AccessRecord::default()),
            Record::ReportReceived(ReportRecord::default()),
            Record::ReportDelivered(ReportRecord::default()),
        ] {
            let header = self.header(&record).with_grant(hash);
            self.enter(header, &record, fields())?;
        }
        self.note(Record::CaseClosed(CaseNote::default()), fields())?;
        Ok(())
    }

    /// What the hospital's shell would have made for a release.
    fn prepared(&mut self) -> Prepared {
        Prepared {
            // HPKE: suite, encapsulated key, a 32-byte key and its tag.
            sealed_release_key: self.random::<86>().to_vec(),
            release_key_commitment: self.random::<32>().to_vec(),
            manifest_id: self.random::<16>().to_vec(),
            manifest_digest: self.random::<32>().to_vec(),
            manifest_length: 4_096,
            manifest_root: self.random::<32>().to_vec(),
            objects: 120,
            bytes: 40 << 20,
        }
    }

    /// Grants a release to a desk.
    fn grant(&mut self, desk: usize, case: &[u8]) -> Result<(Grant, Digest), MakeError<S::Error>> {
        let prepared = self.prepared();
        let (volume, offer, prekey) = (
            (prepared.bytes, prepared.objects),
            self.random::<16>(),
            self.random::<32>(),
        );
        let (hospital, reader) = (&self.members.hospital, &self.members.desks[desk]);
        let grant = Grant {
            version: 1,
            offer: offer.to_vec(),
            owner: hospital.node.to_vec(),
            person: reader.person.verifying_key().as_bytes().to_vec(),
            node: reader.node.to_vec(),
            prekey: prekey.to_vec(),
            fence: self.writer.size(),
            lease_us: LEASE_US,
            expires_us: self.now_us + 8 * LEASE_US,
            prepared: Some(prepared),
            policy_hash: Digest::sha256(POLICY.as_bytes()).as_bytes().to_vec(),
            rules: vec![RULE.to_owned()],
            from_country: "DE".to_owned(),
            to_country: "AT".to_owned(),
            report_language: "de".to_owned(),
            credential: reader.serial,
            log_origin: hospital.origin.as_str().to_owned(),
        };
        let envelope = signed(&grant, &hospital.grants);
        let hash = Digest::sha256(&envelope);
        let fields = vec![
            (Field::Case, case.to_vec()),
            (Field::Person, grant.person.clone()),
            (Field::Desk, grant.node.clone()),
            (Field::Credential, reader.serial.to_string().into_bytes()),
            (
                Field::Facts,
                facts(self.now_us).canonical_text().into_bytes(),
            ),
        ];
        let record = Record::ReleaseGranted(ReleaseRecord {
            case: case.to_vec(),
            grant: envelope.clone(),
            fence: grant.fence,
            ..ReleaseRecord::default()
        });
        let header = Header {
            rules: grant.rules.clone(),
            policy_hash: grant.policy_hash.clone(),
            from_country: grant.from_country.clone(),
            to_country: grant.to_country.clone(),
            basis: BASIS.to_owned(),
            purpose: "TREAT".to_owned(),
            legal_role: "controller".to_owned(),
            ..self
                .header(&record)
                .with_grant(hash)
                .with_urgency(Urgency::Routine)
        };
        let index = self.enter(header.with_volume(volume.0, volume.1), &record, fields)?;
        self.granted.push(index);
        self.put(FileName::Grant(index), &envelope)?;
        Ok((grant, hash))
    }

    /// The reader's log accepts the grant, and the receipt comes back with that log's proof.
    fn receipt(
        &mut self,
        (desk, case): (usize, &[u8]),
        grant: &Grant,
        hash: Digest,
    ) -> Result<(), MakeError<S::Error>> {
        let accepted = Record::GrantAccepted(ReleaseRecord::default());
        let reader = &mut self.members.desks[desk];
        let wall = Wall {
            unix_us: self.now_us,
            uncertainty_us: UNCERTAINTY_US,
        };
        let source = &reader.organisation;
        let header = Header::new(accepted.kind(), Action::Execute, source, wall).with_grant(hash);
        let fields = vec![
            (Field::Case, grant.offer.clone()),
            (Field::Person, grant.person.clone()),
            (Field::Record, accepted.encode()),
        ];
        let draft = EntryDraft::new(header, None, fields, &mut self.rng);
        let entry = draft.finish(Digest::sha256(draft.payload()))?;
        // The newest leaf stands alone: what is left of it are the complete subtrees before it.
        let path = reader.end.nodes().iter().rev().copied().collect();
        let log_index = reader.end.size();
        reader.end.push(leaf_hash(&entry))?;
        let proof = LogProof {
            extra: None,
            index: log_index,
            path,
            checkpoint: reader.signed(),
        };
        let receipt = Receipt {
            version: 1,
            grant_hash: hash.as_bytes().to_vec(),
            fence: grant.fence,
            log_origin: reader.origin.as_str().to_owned(),
            log_index,
            time_us: self.now_us,
        };
        let envelope = signed(&receipt, &reader.person);
        let record = Record::ReceiptAccepted(ReleaseRecord {
            case: case.to_vec(),
            receipt: envelope.clone(),
            ..ReleaseRecord::default()
        });
        let header = self.header(&record).with_grant(hash);
        let fields = vec![
            (Field::Case, case.to_vec()),
            (Field::Person, grant.person.clone()),
        ];
        let index = self.enter(header, &record, fields)?;
        self.put(FileName::Receipt(index), &envelope)?;
        self.put(FileName::ReceiptEntry(index), &entry)?;
        self.put(FileName::ReceiptProof(index), &proof.encode())
    }
}

fn signed<D: Document>(document: &D, key: &SigningKey) -> Vec<u8> {
    let envelope = Envelope::sign(D::TYPE, document.encode_to_vec(), &[key]);
    envelope.expect("within its bounds").encode()
}

fn facts(now_us: u64) -> Facts {
    Facts {
        hospital_organisation: "Member 1".to_owned(),
        hospital_country: "DE".to_owned(),
        patient_jurisdiction: "DE".to_owned(),
        resident: false,
        study_modalities: vec!["CT".to_owned()],
        subspecialty: String::new(),
        urgency: Urgency::Routine,
        purpose: "TREAT".to_owned(),
        report_language: "de".to_owned(),
        reader_organisation: "Member 2".to_owned(),
        desk_country: "AT".to_owned(),
        desk_country_evidence: CountryEvidence::Declared,
        licences: vec!["DE".to_owned()],
        languages: vec!["de".to_owned()],
        modalities: vec!["CT".to_owned()],
        subspecialties: Vec::new(),
        credential_valid: true,
        now_unix_s: now_us / 1_000_000,
    }
}
