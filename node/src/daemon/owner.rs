//! The hospital role's side of effects: describe a study, make a release, deliver a report.

use std::net::ToSocketAddrs as _;

use crypto::digest::Digest;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::audit::record::StudyRecord;
use protocol::case::rules::image_modalities;
use protocol::document::grant::Prepared;
use protocol::ids::{OfferId, StudyId};
use protocol::io::{Delivery, StudyDescription};

use super::names;
use super::vault::Vault;
use super::{deliver, orders};
use crate::config::{DeliverySettings, HospitalSettings, OrderSource};
use crate::dicom::scu::{FileStatus, ScuConfig};
use crate::dicom::sr;
use crate::driver::ports::{Delivered, OwnerPort, Undone};
use crate::release::ReleaseMaker;

/// A study that nobody may see before a person has looked at it.
const PATIENT_CONFLICT: &str = "the study's objects name different patients";

/// What the hospital's effects need.
pub struct Owner {
    vault: Vault,
    orders: OrderSource,
    defaults: orders::Defaults,
    delivery: DeliverySettings,
    releases: ReleaseMaker,
}

impl Owner {
    /// Puts it together.
    #[must_use]
    pub fn new(vault: Vault, hospital: &HospitalSettings, releases: ReleaseMaker) -> Self {
        let defaults = orders::Defaults {
            jurisdiction: hospital.jurisdiction.clone(),
            report_language: hospital.report_language.clone(),
        };
        let (orders, delivery) = (hospital.orders.clone(), hospital.delivery.clone());
        Self {
            vault,
            orders,
            defaults,
            delivery,
            releases,
        }
    }
}

impl OwnerPort for Owner {
    fn describe(&self, study: StudyId) -> Result<StudyDescription, Undone> {
        let summary = self.vault.study(&study).map_err(Undone::of)?;
        if summary.patient_conflict {
            return Err(Undone(PATIENT_CONFLICT.to_owned()));
        }
        let fields = &summary.fields;
        let issuer = fields.patient_id_issuer.expose();
        let patient = names::patient(fields.patient_id.expose(), issuer);
        let modalities = image_modalities(&summary.modalities);
        let record = StudyRecord {
            study: study.to_vec(),
            study_uid: summary.study_uid.expose().clone(),
            objects: summary.objects,
            bytes: summary.bytes,
            modality: modalities.first().cloned().unwrap_or_default(),
            modalities,
            body_part: fields.body_part.expose().clone(),
            description: fields.description.expose().clone(),
            late: false,
            accession: fields.accession.expose().clone(),
            patient: patient.clone(),
        };
        let known = (self.vault.names(), &self.defaults);
        let order = orders::find(&self.orders, &record, fields.description.expose(), known)?;
        Ok(StudyDescription {
            study: record,
            order,
            subject: self.vault.names().subject(&patient),
        })
    }

    fn prepare(
        &self,
        studies: &[StudyId],
        judged: &[String],
        offer: OfferId,
        prekey: [u8; 32],
    ) -> Result<Prepared, Undone> {
        for study in studies {
            let summary = self.vault.study(study).map_err(Undone::of)?;
            if summary.patient_conflict {
                return Err(Undone(PATIENT_CONFLICT.to_owned()));
            }
            let now = image_modalities(&summary.modalities);
            if let Some(other) = now.iter().find(|now| !judged.contains(now)) {
                let reason = format!("images of {other} arrived after the case was opened");
                return Err(Undone(reason));
            }
        }
        self.releases
            .prepare(studies, offer, &prekey)
            .map_err(Undone::of)
    }

    fn drop_release(&self, manifest: Digest) {
        if let Err(error) = self.releases.discard(&manifest) {
            tracing::warn!(release = %manifest, %error, "a release that is over is not removed");
        }
    }

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Result<Delivered, Undone>> {
        match self.delivery.clone() {
            DeliverySettings::Folder(folder) => async move {
                let written =
                    tokio::task::spawn_blocking(move || deliver::to_folder(&folder, &delivery));
                written.await.unwrap_or_else(|error| Err(Undone::of(error)))
            }
            .boxed(),
            DeliverySettings::Dicom {
                ae_title,
                address,
                calling,
            } => {
                let vault = self.vault.clone();
                async move {
                    let called = ae_title.clone();
                    let made = tokio::task::spawn_blocking(move || {
                        let resolved = address.as_str().to_socket_addrs().map_err(Undone::of)?;
                        let first = { resolved }.next();
                        let none = || Undone("the receiver's name has no address".to_owned());
                        let scu = ScuConfig::new(calling, called, first.ok_or_else(none)?);
                        Ok::<_, Undone>((scu, report_file(&vault, &delivery)?))
                    });
                    let (scu, file) = made.await.unwrap_or_else(|e| Err(Undone::of(e)))?;
                    send(&scu, &file, ae_title.as_str()).await
                }
                .boxed()
            }
        }
    }
}

/// Writes the structured report into a file that goes when it is dropped.
fn report_file(vault: &Vault, delivery: &Delivery) -> Result<sr::TemporaryFile, Undone> {
    let study = delivery.studies.first();
    let study = study.ok_or_else(|| Undone("the case has no study".to_owned()))?;
    let summary = vault.study(study).map_err(Undone::of)?;
    let text = deliver::text(delivery)?;
    sr::write(&vault.store().layout().temporary, &summary, delivery, &text).map_err(Undone::of)
}

async fn send(
    scu: &ScuConfig,
    file: &sr::TemporaryFile,
    called: &str,
) -> Result<Delivered, Undone> {
    let reports = crate::dicom::scu::store(scu, vec![file.path().to_owned()]).await;
    let status = reports.into_iter().next().map(|report| report.status);
    match status {
        Some(FileStatus::Stored { .. }) => Ok(Delivered {
            destination: format!("DICOM, {called}"),
            acknowledged: true,
        }),
        Some(other) => Err(Undone(format!("the receiver did not take it: {other:?}"))),
        None => Err(Undone("the receiver gave no answer".to_owned())),
    }
}
