//! The bytes of a credential: a prost message whose every field is written out here.

use crypto::digest::Digest;
use crypto::keys::VerifyingKey;
use prost::Message as _;

use super::{Credential, CredentialError, Licence, MemberKind};
use crate::ids::{NodeId, PersonId};
use crate::limits;

/// The version that is written.
const VERSION: u32 = 1;

/// A licence as it is stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct LicenceWire {
    #[prost(string, tag = "1")]
    jurisdiction: String,
    #[prost(string, tag = "2")]
    authority: String,
    #[prost(string, tag = "3")]
    number: String,
    #[prost(uint64, tag = "4")]
    not_before: u64,
    #[prost(uint64, tag = "5")]
    not_after: u64,
}

/// A credential as it is stored. Fields are added, never renumbered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct CredentialWire {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bytes = "vec", tag = "2")]
    genesis: Vec<u8>,
    #[prost(uint64, tag = "3")]
    serial: u64,
    /// 1 hospital, 2 reader, 3 witness, 4 relay.
    #[prost(uint32, tag = "4")]
    kind: u32,
    #[prost(string, tag = "5")]
    organisation: String,
    #[prost(string, tag = "6")]
    country: String,
    #[prost(bytes = "vec", tag = "7")]
    node: Vec<u8>,
    #[prost(string, optional, tag = "8")]
    log: Option<String>,
    #[prost(string, optional, tag = "9")]
    witness: Option<String>,
    #[prost(bytes = "vec", optional, tag = "10")]
    hospital_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "11")]
    person: Option<Vec<u8>>,
    #[prost(message, repeated, tag = "12")]
    licences: Vec<LicenceWire>,
    #[prost(string, repeated, tag = "13")]
    languages: Vec<String>,
    #[prost(string, repeated, tag = "14")]
    modalities: Vec<String>,
    #[prost(string, repeated, tag = "15")]
    subspecialties: Vec<String>,
    #[prost(uint64, tag = "16")]
    not_before: u64,
    #[prost(uint64, tag = "17")]
    not_after: u64,
}

/// Writes a credential.
pub(super) fn encode(credential: &Credential) -> Vec<u8> {
    let licence = |licence: &Licence| LicenceWire {
        jurisdiction: licence.jurisdiction.clone(),
        authority: licence.authority.clone(),
        number: licence.number.clone(),
        not_before: licence.not_before,
        not_after: licence.not_after,
    };
    CredentialWire {
        version: VERSION,
        genesis: credential.genesis.as_bytes().to_vec(),
        serial: credential.serial,
        kind: match credential.kind {
            MemberKind::Hospital => 1,
            MemberKind::Reader => 2,
            MemberKind::Witness => 3,
            MemberKind::Relay => 4,
        },
        organisation: credential.organisation.clone(),
        country: credential.country.clone(),
        node: credential.node.to_vec(),
        log: credential.log.clone(),
        witness: credential.witness.clone(),
        hospital_key: credential.hospital_key.map(|key| key.as_bytes().to_vec()),
        person: credential.person.map(|person| person.to_vec()),
        licences: credential.licences.iter().map(licence).collect(),
        languages: credential.languages.clone(),
        modalities: credential.modalities.clone(),
        subspecialties: credential.subspecialties.clone(),
        not_before: credential.not_before,
        not_after: credential.not_after,
    }
    .encode_to_vec()
}

/// Reads a credential's fields, each by itself; that they fit together is checked by the caller.
pub(super) fn decode(payload: &[u8]) -> Result<Credential, CredentialError> {
    if payload.len() > limits::CREDENTIAL_MAX {
        return Err(CredentialError::TooLong(payload.len()));
    }
    let wire = CredentialWire::decode(payload).map_err(|_| CredentialError::Malformed)?;
    if wire.version != VERSION {
        return Err(CredentialError::Version(wire.version));
    }
    let kind = match wire.kind {
        1 => MemberKind::Hospital,
        2 => MemberKind::Reader,
        3 => MemberKind::Witness,
        4 => MemberKind::Relay,
        _ => return Err(CredentialError::Field("kind")),
    };
    let genesis = wire
        .genesis
        .try_into()
        .map_err(|_| CredentialError::Field("genesis"))?;
    let hospital_key = wire.hospital_key.as_deref().map(hospital_key).transpose()?;
    let person =
        |bytes: Vec<u8>| PersonId::from_slice(&bytes).ok_or(CredentialError::Field("person"));
    let licence = |licence: LicenceWire| Licence {
        jurisdiction: licence.jurisdiction,
        authority: licence.authority,
        number: licence.number,
        not_before: licence.not_before,
        not_after: licence.not_after,
    };
    Ok(Credential {
        genesis: Digest(genesis),
        serial: wire.serial,
        kind,
        organisation: wire.organisation,
        country: wire.country,
        node: NodeId::from_slice(&wire.node).ok_or(CredentialError::Field("node"))?,
        log: wire.log,
        witness: wire.witness,
        hospital_key,
        person: wire.person.map(person).transpose()?,
        licences: wire.licences.into_iter().map(licence).collect(),
        languages: wire.languages,
        modalities: wire.modalities,
        subspecialties: wire.subspecialties,
        not_before: wire.not_before,
        not_after: wire.not_after,
    })
}

fn hospital_key(bytes: &[u8]) -> Result<VerifyingKey, CredentialError> {
    let refused = CredentialError::Field("hospital_key");
    let bytes = bytes.try_into().map_err(|_| refused.clone())?;
    VerifyingKey::from_bytes(bytes).map_err(|_| refused)
}
