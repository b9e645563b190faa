//! How a hospital names studies, orders and patients to itself: keyed digests, so that neither the
//! log nor a file's name tells whose they are.

use crypto::digest::{hmac, labels};
use crypto::keys::SymmetricKey;
use protocol::ids::{OrderId, StudyId, SubjectId};

/// Makes the names. No Debug: it holds the master key.
pub struct Names(SymmetricKey);

impl Names {
    /// Names under this key.
    #[must_use]
    pub fn new(master: &SymmetricKey) -> Self {
        Self(SymmetricKey::from_bytes(master.as_bytes()))
    }

    /// A study, by its Study Instance UID.
    #[must_use]
    pub fn study(&self, uid: &str) -> StudyId {
        StudyId::from_bytes(self.short(labels::STUDY_ID, &[uid.as_bytes()]))
    }

    /// An order, by its accession number and patient.
    #[must_use]
    pub fn order(&self, accession: &str, patient: &str) -> OrderId {
        let parts = [accession.as_bytes(), patient.as_bytes()];
        OrderId::from_bytes(self.short(labels::ORDER_ID, &parts))
    }

    /// A patient, by `id^^^issuer`.
    #[must_use]
    pub fn subject(&self, patient: &str) -> SubjectId {
        let digest = hmac(&self.0, labels::SUBJECT_ID, &[patient.as_bytes()]);
        SubjectId::from_bytes(*digest.as_bytes())
    }

    fn short(&self, label: &'static str, parts: &[&[u8]]) -> [u8; 16] {
        let digest = hmac(&self.0, label, parts);
        let mut short = [0; 16];
        short.copy_from_slice(&digest.as_bytes()[..16]);
        short
    }
}

/// A patient as HL7 CX writes them: `id^^^issuer`.
#[must_use]
pub fn patient(id: &str, issuer: &str) -> String {
    format!("{id}^^^{issuer}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_depend_on_the_key_and_the_use() {
        let key = |byte| Names::new(&SymmetricKey::from_bytes(&[byte; 32]));
        let (one, two) = (key(1), key(2));
        assert_eq!(one.study("1.2.3"), one.study("1.2.3"));
        assert_ne!(one.study("1.2.3"), two.study("1.2.3"));
        assert_ne!(
            one.order("A", "B").as_bytes(),
            one.order("AB", "").as_bytes()
        );
        assert_ne!(
            &one.subject("1.2.3").as_bytes()[..16],
            one.study("1.2.3").as_bytes()
        );
    }
}
