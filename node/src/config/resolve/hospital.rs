//! The hospital's part of a configuration: who may send, what opens a case, where reports go.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use protocol::case::rules::{Disposition, Rule};
use protocol::member::check::{is_language, is_modality, is_text};
use protocol::urgency::Urgency;

use super::Resolver;
use crate::config::error::ConfigError;
use crate::config::settings::{
    AllowedPeer, DeliverySettings, HospitalSettings, HostPort, OrderSource,
};
use crate::config::{Action, Allow, Delivery, DeliveryKind, Hospital, HospitalRule, Orders};
use crate::dicom::ae::AeTitle;

/// The longest quiet period: after a day without an image a study is complete.
const QUIET_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The latest deadline after opening: beyond a month a case is not waiting, it is lost.
const DEADLINE_MAX: Duration = Duration::from_secs(31 * 24 * 3_600);

/// The most rules: each complete study is held against all of them.
const RULES_MAX: usize = 1_024;

impl Resolver<'_> {
    pub(super) fn hospital(&self, role: &Hospital) -> Result<HospitalSettings, ConfigError> {
        self.country("hospital.jurisdiction", &role.jurisdiction)?;
        if !is_language(&role.report_language) {
            let mend = format!("\"{}\" is no language, as \"de\"", role.report_language);
            return Err(self.error("hospital.report_language", &mend));
        }
        if role.allow.is_empty() {
            let mend = "nobody may send: add { ae_title = \"PACS\", address = \"192.0.2.5\" }";
            return Err(self.error("hospital.allow", mend));
        }
        let ae_title = self.ae_title("hospital.ae_title", &role.ae_title)?;
        Ok(HospitalSettings {
            dicom_listen: self.socket("hospital.dicom_listen", &role.dicom_listen)?,
            allow: role
                .allow
                .iter()
                .map(|peer| self.allowed(peer))
                .collect::<Result<_, _>>()?,
            orders: self.orders(role)?,
            quiet_period: self.span("hospital.quiet_period", &role.quiet_period, QUIET_MAX)?,
            jurisdiction: role.jurisdiction.clone(),
            report_language: role.report_language.clone(),
            reserve: self.size("hospital.reserve", &role.reserve)?,
            rules: self.rules(&role.rules)?,
            delivery: self.delivery(&role.delivery, &ae_title)?,
            ae_title,
        })
    }

    fn allowed(&self, peer: &Allow) -> Result<AllowedPeer, ConfigError> {
        const KEY: &str = "hospital.allow";
        let ae_title = peer
            .ae_title
            .as_deref()
            .map(|text| self.ae_title(KEY, text))
            .transpose()?;
        let address = |text: &String| {
            text.parse::<IpAddr>().map_err(|_| {
                self.error(
                    KEY,
                    &format!("\"{text}\" is no IP address, as \"192.0.2.5\""),
                )
            })
        };
        let address = peer.address.as_ref().map(address).transpose()?;
        if ae_title.is_none() && address.is_none() {
            return Err(self.error(
                KEY,
                "{ } lets everybody send: name an ae_title or an address",
            ));
        }
        Ok(AllowedPeer { ae_title, address })
    }

    fn orders(&self, role: &Hospital) -> Result<OrderSource, ConfigError> {
        const KEY: &str = "hospital.orders_dir";
        match (role.orders, &role.orders_dir) {
            (Orders::File, Some(folder)) => Ok(OrderSource::Folder(self.path(KEY, folder)?)),
            (Orders::File, None) => {
                Err(self.error(KEY, "is missing: orders = \"file\" needs the folder"))
            }
            (Orders::FromDicomHeader, None) => Ok(OrderSource::DicomHeader),
            (Orders::FromDicomHeader, Some(_)) => Err(self.error(
                KEY,
                "is not used with orders = \"from-dicom-header\": take it out",
            )),
        }
    }

    fn rules(&self, rules: &[HospitalRule]) -> Result<Vec<Rule>, ConfigError> {
        const KEY: &str = "hospital.rules";
        if rules.is_empty() || rules.len() > RULES_MAX {
            return Err(self.error(KEY, "must be 1 to 1024: without a rule no case is opened"));
        }
        let mut names = BTreeSet::new();
        let mut catch_all: Option<&str> = None;
        let mut resolved = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            let key = |name: &str| format!("{KEY}.{index}.{name}");
            if !is_text(&rule.name) {
                return Err(self.error(&key("name"), "is empty or too long: give a short name"));
            }
            if !names.insert(&rule.name) {
                return Err(self.error(&key("name"), "stands twice: give each rule its own name"));
            }
            if let Some(above) = catch_all {
                let mend = format!("can never match: `{above}` above takes every study");
                return Err(self.error(&key("name"), &mend));
            }
            let everything =
                rule.modality.is_none() && rule.body_part.is_none() && rule.description.is_none();
            catch_all = everything.then_some(&rule.name);
            resolved.push(self.rule(rule, key)?);
        }
        Ok(resolved)
    }

    fn rule(&self, rule: &HospitalRule, key: impl Fn(&str) -> String) -> Result<Rule, ConfigError> {
        if rule
            .modality
            .as_ref()
            .is_some_and(|text| !is_modality(text))
        {
            return Err(self.error(&key("modality"), "is no DICOM modality, as \"CT\""));
        }
        for (name, text) in [
            ("body_part", rule.body_part.as_ref()),
            ("description", rule.description.as_ref()),
            (
                "subspecialty",
                Some(&rule.subspecialty).filter(|text| !text.is_empty()),
            ),
        ] {
            if text.is_some_and(|text| !is_text(text)) {
                return Err(self.error(
                    &key(name),
                    "is empty or too long: take it out or shorten it",
                ));
            }
        }
        let urgency = |text: &String| {
            Urgency::from_name(text).ok_or_else(|| {
                let mend = format!("\"{text}\" is not stat, emergent, urgent or routine");
                self.error(&key("urgency"), &mend)
            })
        };
        let deadline = |text: &String| self.span(&key("deadline"), text, DEADLINE_MAX);
        Ok(Rule {
            name: rule.name.clone(),
            modality: rule.modality.clone(),
            body_part: rule.body_part.clone(),
            description: rule.description.clone(),
            disposition: match rule.action {
                Action::Offer => Disposition::Offer,
                Action::Local => Disposition::Local,
            },
            urgency: rule.urgency.as_ref().map(urgency).transpose()?,
            subspecialty: rule.subspecialty.clone(),
            deadline: rule.deadline.as_ref().map(deadline).transpose()?,
            resident: rule.resident,
        })
    }

    fn delivery(
        &self,
        delivery: &Delivery,
        own: &AeTitle,
    ) -> Result<DeliverySettings, ConfigError> {
        const KEY: &str = "hospital.delivery";
        let Delivery {
            kind,
            ae_title,
            address,
            calling_ae_title,
            folder,
        } = delivery;
        match kind {
            DeliveryKind::Dicom => {
                let (Some(ae_title), Some(address), None) = (ae_title, address, folder) else {
                    let mend = "kind = \"dicom\" needs ae_title and address, and no folder";
                    return Err(self.error(KEY, mend));
                };
                let calling = match calling_ae_title {
                    Some(text) => self.ae_title("hospital.delivery.calling_ae_title", text)?,
                    None => own.clone(),
                };
                let host = HostPort::parse(address).ok_or_else(|| {
                    let mend = format!("\"{address}\" is no host with a port, as \"pacs:104\"");
                    self.error("hospital.delivery.address", &mend)
                })?;
                let ae_title = self.ae_title("hospital.delivery.ae_title", ae_title)?;
                Ok(DeliverySettings::Dicom {
                    ae_title,
                    address: host,
                    calling,
                })
            }
            DeliveryKind::Folder => {
                let (None, None, None, Some(folder)) =
                    (ae_title, address, calling_ae_title, folder)
                else {
                    let mend = "kind = \"folder\" needs folder, and nothing else";
                    return Err(self.error(KEY, mend));
                };
                Ok(DeliverySettings::Folder(
                    self.path("hospital.delivery.folder", folder)?,
                ))
            }
        }
    }
}
