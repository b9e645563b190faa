//! A credential: what the consortium says of one member, signed by k of its council.

use crypto::digest::Digest;
use crypto::keys::VerifyingKey;
use crypto::note::{KeyType, NoteError, VerifierKey};

use super::check::{is_country, is_language, is_modality, is_sorted_list, is_text};
use crate::ids::{NodeId, PersonId};
use crate::limits;
use crate::time::Wall;

mod codec;

/// Payload type of a credential's envelope.
pub const CREDENTIAL_TYPE: &str = "application/vnd.radmesh.credential.v1";

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberKind {
    /// Owns studies and cases.
    Hospital,
    /// A person who reads, at a desk.
    Reader,
    /// Cosigns checkpoints.
    Witness,
    /// Carries others' traffic.
    Relay,
}

impl MemberKind {
    /// The name used on the command line, in files and on pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hospital => "hospital",
            Self::Reader => "reader",
            Self::Witness => "witness",
            Self::Relay => "relay",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Hospital, Self::Reader, Self::Witness, Self::Relay]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// One licence to practise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Licence {
    /// ISO 3166-1 alpha-2.
    pub jurisdiction: String,
    /// Who issued it.
    pub authority: String,
    /// Its number.
    pub number: String,
    /// Seconds since the Unix epoch, inclusive.
    pub not_before: u64,
    /// Seconds since the Unix epoch, exclusive.
    pub not_after: u64,
}

/// A credential's content. Payload type [`CREDENTIAL_TYPE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// SHA-256 of the genesis envelope of the consortium it belongs to.
    pub genesis: Digest,
    /// Unique within the consortium.
    pub serial: u64,
    /// What the member is.
    pub kind: MemberKind,
    /// Organisation.
    pub organisation: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The node's transport key.
    pub node: NodeId,
    /// Verifier key of the member's log (signed-note vkey text), for hospitals and readers.
    pub log: Option<String>,
    /// Verifier key of the witness's cosignatures (vkey text, type 04): for witnesses, and for
    /// hospitals and relays that witness as well.
    pub witness: Option<String>,
    /// The key that signs grants, for hospitals.
    pub hospital_key: Option<VerifyingKey>,
    /// The person's signing key, for readers.
    pub person: Option<PersonId>,
    /// Licences, for readers, strictly ascending. None is allowed: policy decides what that means.
    pub licences: Vec<Licence>,
    /// Languages (BCP 47), for readers, strictly ascending.
    pub languages: Vec<String>,
    /// Modalities, for readers, strictly ascending.
    pub modalities: Vec<String>,
    /// Subspecialties, for readers, strictly ascending.
    pub subspecialties: Vec<String>,
    /// Seconds since the Unix epoch, inclusive.
    pub not_before: u64,
    /// Seconds since the Unix epoch, exclusive.
    pub not_after: u64,
}

/// Why a credential is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Longer than [`limits::CREDENTIAL_MAX`].
    #[error("the credential has {0} bytes, more than a credential may have")]
    TooLong(usize),
    /// The payload does not decode.
    #[error("the credential is malformed")]
    Malformed,
    /// It decodes, but another encoder would have written other bytes (or it has unknown fields).
    #[error("the credential is not in its canonical encoding")]
    NotCanonical,
    /// A version that this code does not know.
    #[error("credential version {0} is not known to this release")]
    Version(u32),
    /// A field that has an impossible value.
    #[error("the credential's `{0}` is missing or malformed")]
    Field(&'static str),
    /// A list that is too long, not ascending, or with a repeated item.
    #[error("the credential's `{0}` must be ascending, without repeats, and at most 256 items")]
    List(&'static str),
    /// A field that this kind of member must have.
    #[error("a {0} needs `{1}` in its credential")]
    Needs(&'static str, &'static str),
    /// A field that this kind of member must not have.
    #[error("a {0} has no `{1}` in its credential")]
    Excess(&'static str, &'static str),
    /// A verifier key that does not parse.
    #[error("the credential's `{field}` is no verifier key: {source}")]
    VerifierKey {
        /// Which field.
        field: &'static str,
        /// The parser's complaint.
        source: NoteError,
    },
    /// One key with two uses.
    #[error("one key stands for two uses in the credential: every use has a key of its own")]
    SharedKey,
    /// The validity is empty or longer than [`limits::CREDENTIAL_LIFE_MAX`].
    #[error("the credential's validity is empty or longer than a year")]
    Validity,
}

impl Credential {
    /// The payload, in its one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Decodes the one encoding and checks every field.
    ///
    /// # Errors
    /// [`CredentialError`] names the first thing that is wrong.
    pub fn decode(payload: &[u8]) -> Result<Self, CredentialError> {
        let credential = codec::decode(payload)?;
        credential.check()?;
        if credential.encode() != payload {
            return Err(CredentialError::NotCanonical);
        }
        Ok(credential)
    }

    /// Whether it holds at this time, judged at the latest moment that the clock may stand for: an
    /// uncertain clock ends a credential early, never late.
    #[must_use]
    pub fn is_valid_at(&self, wall: Wall) -> bool {
        holds(self.not_before, self.not_after, wall)
    }

    /// Jurisdictions of the licences that hold at this time, ascending, each once.
    #[must_use]
    pub fn licensed_in(&self, wall: Wall) -> Vec<String> {
        let held = |licence: &&Licence| holds(licence.not_before, licence.not_after, wall);
        let mut countries: Vec<String> = self
            .licences
            .iter()
            .filter(held)
            .map(|licence| licence.jurisdiction.clone())
            .collect();
        countries.sort();
        countries.dedup();
        countries
    }

    /// The verifier key of the member's log.
    ///
    /// # Errors
    /// [`CredentialError`]: it does not parse, or is of another type than 01.
    pub fn log_key(&self) -> Result<Option<VerifierKey>, CredentialError> {
        self.log
            .as_deref()
            .map(|text| vkey("log", text, KeyType::Ed25519))
            .transpose()
    }

    /// The verifier key of the witness's cosignatures.
    ///
    /// # Errors
    /// [`CredentialError`]: it does not parse, or is of another type than 04.
    pub fn witness_key(&self) -> Result<Option<VerifierKey>, CredentialError> {
        self.witness
            .as_deref()
            .map(|text| vkey("witness", text, KeyType::Cosignature))
            .transpose()
    }

    /// Every public key in it.
    ///
    /// # Errors
    /// [`CredentialError`]: one of them is no key.
    pub fn keys(&self) -> Result<Vec<VerifyingKey>, CredentialError> {
        let point = |bytes: &[u8; 32], field| {
            VerifyingKey::from_bytes(bytes).map_err(|_| CredentialError::Field(field))
        };
        let mut keys = vec![point(self.node.as_bytes(), "node")?];
        keys.extend(self.log_key()?.map(|key| *key.key()));
        keys.extend(self.witness_key()?.map(|key| *key.key()));
        keys.extend(self.hospital_key);
        if let Some(person) = self.person {
            keys.push(point(person.as_bytes(), "person")?);
        }
        Ok(keys)
    }

    /// Checks every field against the others, as [`Self::decode`] does.
    ///
    /// # Errors
    /// [`CredentialError`] names the first thing that is wrong.
    pub fn check(&self) -> Result<(), CredentialError> {
        if !is_text(&self.organisation) {
            return Err(CredentialError::Field("organisation"));
        }
        if !is_country(&self.country) {
            return Err(CredentialError::Field("country"));
        }
        self.check_kind()?;
        self.check_reader_lists()?;
        let mut keys = self.keys()?;
        keys.sort();
        if !keys.is_sorted_by(|left, right| left < right) {
            return Err(CredentialError::SharedKey);
        }
        let span = self.not_after.saturating_sub(self.not_before);
        if span == 0 || span > limits::CREDENTIAL_LIFE_MAX.as_secs() {
            return Err(CredentialError::Validity);
        }
        Ok(())
    }

    /// Which fields this kind of member must have, may have, must not have.
    fn check_kind(&self) -> Result<(), CredentialError> {
        use Presence::{Barred, Free, Needed};
        let [log, witness, hospital_key, person] = match self.kind {
            MemberKind::Hospital => [Needed, Free, Needed, Barred],
            MemberKind::Reader => [Needed, Barred, Barred, Needed],
            MemberKind::Witness => [Barred, Needed, Barred, Barred],
            MemberKind::Relay => [Barred, Free, Barred, Barred],
        };
        for (name, wanted, has) in [
            ("log", log, self.log.is_some()),
            ("witness", witness, self.witness.is_some()),
            ("hospital_key", hospital_key, self.hospital_key.is_some()),
            ("person", person, self.person.is_some()),
        ] {
            match (wanted, has) {
                (Needed, false) => return Err(CredentialError::Needs(self.kind.name(), name)),
                (Barred, true) => return Err(CredentialError::Excess(self.kind.name(), name)),
                (Needed, true) | (Barred, false) | (Free, true | false) => {}
            }
        }
        Ok(())
    }

    /// Licences, languages, modalities and subspecialties: for readers alone, each well formed.
    fn check_reader_lists(&self) -> Result<(), CredentialError> {
        type Shape = fn(&str) -> bool;
        let lists: [(&'static str, &[String], Shape); 3] = [
            ("languages", &self.languages, is_language),
            ("modalities", &self.modalities, is_modality),
            ("subspecialties", &self.subspecialties, is_text),
        ];
        for (name, list, is_item) in lists {
            self.check_list(name, list)?;
            if !list.iter().all(|item| is_item(item)) {
                return Err(CredentialError::Field(name));
            }
        }
        self.check_list("licences", &self.licences)?;
        let good = |licence: &Licence| {
            is_country(&licence.jurisdiction)
                && is_text(&licence.authority)
                && is_text(&licence.number)
                && licence.not_before < licence.not_after
        };
        if self.licences.iter().all(good) {
            Ok(())
        } else {
            Err(CredentialError::Field("licences"))
        }
    }

    fn check_list<T: Ord>(&self, name: &'static str, list: &[T]) -> Result<(), CredentialError> {
        if self.kind != MemberKind::Reader && !list.is_empty() {
            return Err(CredentialError::Excess(self.kind.name(), name));
        }
        if is_sorted_list(list) {
            Ok(())
        } else {
            Err(CredentialError::List(name))
        }
    }
}

/// Whether a kind of member has a field.
#[derive(Clone, Copy)]
enum Presence {
    Needed,
    Free,
    Barred,
}

/// Whether a validity `[not_before, not_after)` in seconds holds at the latest moment of `wall`.
fn holds(not_before: u64, not_after: u64, wall: Wall) -> bool {
    let latest = wall.unix_us.saturating_add(wall.uncertainty_us) / 1_000_000;
    not_before <= latest && latest < not_after
}

/// Parses a verifier key of one type.
fn vkey(field: &'static str, text: &str, kind: KeyType) -> Result<VerifierKey, CredentialError> {
    let key = VerifierKey::parse(text)
        .map_err(|source| CredentialError::VerifierKey { field, source })?;
    if key.kind() == kind {
        Ok(key)
    } else {
        Err(CredentialError::Field(field))
    }
}

#[cfg(test)]
pub(crate) mod tests;
