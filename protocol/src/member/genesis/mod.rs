//! A consortium's genesis: its name, its council and its threshold, signed by all founders and
//! pinned by hash.

use std::collections::BTreeSet;

use crypto::digest::Digest;
use crypto::envelope::{Envelope, EnvelopeError, MAX_SIGNATURES, digest_of};
use crypto::keys::VerifyingKey;
use prost::Message as _;

use super::check::{is_country, is_text};

/// Payload type of a genesis envelope.
pub const GENESIS_TYPE: &str = "application/vnd.radmesh.genesis.v1";

/// Most council members. All of them sign the genesis, so an envelope's bound is theirs.
pub const COUNCIL_MAX: usize = MAX_SIGNATURES;

/// One founding member of the council.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CouncilMember {
    /// Which organisation holds the key.
    pub organisation: String,
    /// Its country (ISO 3166-1 alpha-2).
    pub country: String,
    /// The offline key that signs credentials.
    pub key: VerifyingKey,
}

/// What the founders agreed on. Payload type [`GENESIS_TYPE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The consortium's name.
    pub name: String,
    /// How many council members must sign a credential: more than half of them.
    pub threshold: usize,
    /// The council, strictly ascending by key.
    pub council: Vec<CouncilMember>,
    /// When it was drawn up, seconds since the Unix epoch.
    pub created: u64,
}

/// Why a genesis is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The envelope itself is refused.
    #[error("genesis: {0}")]
    Envelope(#[from] EnvelopeError),
    /// The payload does not decode.
    #[error("the genesis is malformed")]
    Malformed,
    /// It decodes, but another encoder would have written other bytes (or it has unknown fields).
    #[error("the genesis is not in its canonical encoding")]
    NotCanonical,
    /// A version that this code does not know.
    #[error("genesis version {0} is not known to this release")]
    Version(u32),
    /// A field that has an impossible value.
    #[error("the genesis's `{0}` is missing or malformed")]
    Field(&'static str),
    /// No member, or more than [`COUNCIL_MAX`].
    #[error("a council has 1 to 16 members, not {0}")]
    CouncilSize(usize),
    /// The keys are not strictly ascending: a second encoding, or one key twice.
    #[error("the council is not in order of its keys, or a key stands in it twice")]
    CouncilOrder,
    /// One organisation with two keys would count twice towards the threshold.
    #[error("an organisation stands twice in the council")]
    RepeatedOrganisation,
    /// A threshold that a minority reaches, or that nobody reaches.
    #[error("{threshold} of {members} is no threshold: more than half, at most all")]
    Threshold {
        /// The threshold asked for.
        threshold: usize,
        /// Members of the council.
        members: usize,
    },
    /// Not exactly the council signed.
    #[error("{signed} of {members} founders signed the genesis; all must, and nobody else")]
    Founders {
        /// Founders that signed.
        signed: usize,
        /// Members of the council.
        members: usize,
    },
    /// Not the genesis that this node was told to trust.
    #[error("the genesis has the hash {found}, but {pinned} is pinned")]
    NotPinned {
        /// The hash of what was read.
        found: Digest,
        /// The hash that is trusted.
        pinned: Digest,
    },
}

/// A council member as it is stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct CouncilWire {
    #[prost(string, tag = "1")]
    organisation: String,
    #[prost(string, tag = "2")]
    country: String,
    #[prost(bytes = "vec", tag = "3")]
    key: Vec<u8>,
}

/// A genesis as it is stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct GenesisWire {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(uint32, tag = "3")]
    threshold: u32,
    #[prost(message, repeated, tag = "4")]
    council: Vec<CouncilWire>,
    #[prost(uint64, tag = "5")]
    created: u64,
}

impl Genesis {
    /// Opens a genesis envelope that exactly its own council signed, and names it by the SHA-256 of
    /// the exact bytes, which is what everybody else pins.
    ///
    /// # Errors
    /// [`GenesisError`] says what is wrong.
    pub fn open(envelope: &[u8]) -> Result<(Self, Digest), GenesisError> {
        let opened = Envelope::decode(envelope)?;
        let signed = opened.verify(GENESIS_TYPE)?;
        let genesis = Self::decode(&opened.payload)?;
        let council = genesis.keys();
        if signed != council {
            let signed = signed.intersection(&council).count();
            return Err(GenesisError::Founders {
                signed,
                members: council.len(),
            });
        }
        Ok((genesis, digest_of(envelope)))
    }

    /// Opens the genesis with this hash and no other.
    ///
    /// # Errors
    /// [`GenesisError::NotPinned`], and what [`Self::open`] refuses.
    pub fn open_pinned(envelope: &[u8], pinned: &Digest) -> Result<Self, GenesisError> {
        let found = digest_of(envelope);
        if found != *pinned {
            return Err(GenesisError::NotPinned {
                found,
                pinned: *pinned,
            });
        }
        Self::open(envelope).map(|(genesis, _)| genesis)
    }

    /// The council's keys.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<VerifyingKey> {
        self.council.iter().map(|member| member.key).collect()
    }

    /// The payload, in its one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let council = |member: &CouncilMember| CouncilWire {
            organisation: member.organisation.clone(),
            country: member.country.clone(),
            key: member.key.as_bytes().to_vec(),
        };
        GenesisWire {
            version: 1,
            name: self.name.clone(),
            threshold: u32::try_from(self.threshold).unwrap_or(u32::MAX),
            council: self.council.iter().map(council).collect(),
            created: self.created,
        }
        .encode_to_vec()
    }

    /// Decodes the one encoding and checks every field. Signatures are another matter.
    ///
    /// # Errors
    /// [`GenesisError`] names the first thing that is wrong.
    pub fn decode(payload: &[u8]) -> Result<Self, GenesisError> {
        let wire = GenesisWire::decode(payload).map_err(|_| GenesisError::Malformed)?;
        if wire.version != 1 {
            return Err(GenesisError::Version(wire.version));
        }
        let member = |wire: CouncilWire| {
            let bytes = wire
                .key
                .try_into()
                .map_err(|_| GenesisError::Field("key"))?;
            let key = VerifyingKey::from_bytes(&bytes).map_err(|_| GenesisError::Field("key"))?;
            Ok(CouncilMember {
                organisation: wire.organisation,
                country: wire.country,
                key,
            })
        };
        check_size(wire.council.len())?;
        let genesis = Self {
            name: wire.name,
            threshold: wire.threshold as usize,
            council: wire
                .council
                .into_iter()
                .map(member)
                .collect::<Result<_, GenesisError>>()?,
            created: wire.created,
        };
        genesis.check()?;
        if genesis.encode() != payload {
            return Err(GenesisError::NotCanonical);
        }
        Ok(genesis)
    }

    /// Checks every field against the others, as [`Self::decode`] does.
    ///
    /// # Errors
    /// [`GenesisError`] names the first thing that is wrong.
    pub fn check(&self) -> Result<(), GenesisError> {
        if !is_text(&self.name) {
            return Err(GenesisError::Field("name"));
        }
        let members = self.council.len();
        check_size(members)?;
        if !self
            .council
            .is_sorted_by(|left, right| left.key < right.key)
        {
            return Err(GenesisError::CouncilOrder);
        }
        if !self
            .council
            .iter()
            .all(|member| is_text(&member.organisation))
        {
            return Err(GenesisError::Field("organisation"));
        }
        if !self
            .council
            .iter()
            .all(|member| is_country(&member.country))
        {
            return Err(GenesisError::Field("country"));
        }
        let organisations: BTreeSet<&str> = self
            .council
            .iter()
            .map(|member| member.organisation.as_str())
            .collect();
        if organisations.len() != members {
            return Err(GenesisError::RepeatedOrganisation);
        }
        if self.threshold > members || self.threshold * 2 <= members {
            return Err(GenesisError::Threshold {
                threshold: self.threshold,
                members,
            });
        }
        Ok(())
    }
}

fn check_size(members: usize) -> Result<(), GenesisError> {
    match members {
        1..=COUNCIL_MAX => Ok(()),
        _ => Err(GenesisError::CouncilSize(members)),
    }
}

#[cfg(test)]
pub(crate) mod tests;
