//! The directory: who is on duty, from signed adverts. Newest wins, all expire, the size is
//! bounded.

use std::collections::BTreeMap;

use crypto::keys::VerifyingKey;

use crate::document::advert::Advert;
use crate::document::{DocumentError, open};
use crate::ids::{NodeId, PersonId};
use crate::limits;
use crate::time::{Wall, micros};

/// One reader on duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDuty {
    /// When the advert was made, microseconds since the Unix epoch.
    pub issued_us: u64,
    /// When it ends.
    pub expires_us: u64,
    /// Where the desk says it is.
    pub country: String,
    /// Reads that can be taken on.
    pub slots: u32,
    /// Since when the desk is on duty without a break, microseconds since the Unix epoch.
    pub since_us: u64,
}

/// What an advert changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Nothing that calls for an offer.
    Not,
    /// The reader has a free slot and had none.
    OnDuty,
    /// The desk was off and is back: it has forgotten its offers.
    Again,
}

/// Why an advert is not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdvertError {
    /// The document itself is refused.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It is not newer than what is known.
    #[error("the advert is not newer than the one that is known")]
    Stale,
    /// The directory is full of adverts that still hold.
    #[error("the directory is full")]
    Full,
}

/// Who is on duty, by node.
#[derive(Default)]
pub struct Directory {
    readers: BTreeMap<NodeId, OnDuty>,
}

impl Directory {
    /// Takes in an advert of `node`, whose credential names `person`. True when the reader came on
    /// duty with it.
    ///
    /// # Errors
    /// [`AdvertError`]: not signed by the person, malformed, out of its time, not newer, or no
    /// room.
    pub fn apply(
        &mut self,
        envelope: &[u8],
        node: NodeId,
        person: PersonId,
        wall: Wall,
    ) -> Result<Came, AdvertError> {
        let advert = check(envelope, node, person, wall)?;
        self.expire(wall);
        let known = self.readers.get(&node);
        if known.is_some_and(|known| known.issued_us >= advert.issued_us) {
            return Err(AdvertError::Stale);
        }
        if known.is_none() && self.readers.len() >= limits::DIRECTORY_MAX {
            return Err(AdvertError::Full);
        }
        let was = known.map_or(0, |known| known.slots);
        let on_duty = OnDuty {
            issued_us: advert.issued_us,
            expires_us: advert.expires_us,
            country: advert.country,
            slots: advert.slots,
            since_us: advert.since_us,
        };
        let again = known.is_some_and(|known| known.since_us < on_duty.since_us);
        let came = match (on_duty.slots > 0, again, was == 0) {
            (true, true, _) => Came::Again,
            (true, false, true) => Came::OnDuty,
            (_, _, _) => Came::Not,
        };
        self.readers.insert(node, on_duty);
        Ok(came)
    }

    /// A reader's newest advert, whatever its slots.
    #[must_use]
    pub fn get(&self, node: &NodeId) -> Option<&OnDuty> {
        self.readers.get(node)
    }

    /// Readers with a free slot now, in node order.
    pub fn on_duty(&self, wall: Wall) -> impl Iterator<Item = (NodeId, &OnDuty)> {
        self.readers
            .iter()
            .filter(move |(_, reader)| reader.slots > 0 && reader.expires_us > wall.unix_us)
            .map(|(node, reader)| (*node, reader))
    }

    /// Forgets what has ended.
    pub fn expire(&mut self, wall: Wall) {
        self.readers
            .retain(|_, reader| reader.expires_us > wall.unix_us);
    }
}

/// Checks an advert's signature, subject and time.
fn check(
    envelope: &[u8],
    node: NodeId,
    person: PersonId,
    wall: Wall,
) -> Result<Advert, DocumentError> {
    const WHAT: &str = "advert";
    let signer = VerifyingKey::from_bytes(person.as_bytes())
        .map_err(|_| DocumentError::Field(WHAT, "person"))?;
    let advert: Advert = open(envelope, &signer)?;
    if advert.node != node.as_bytes() {
        return Err(DocumentError::Mismatch(WHAT, "node"));
    }
    if advert.country.len() != 2 {
        return Err(DocumentError::Field(WHAT, "country"));
    }
    let early = advert.issued_us > wall.plus_us(limits::SKEW_MAX);
    let long = advert.expires_us.saturating_sub(advert.issued_us) > micros(limits::ADVERT_TTL);
    if early || long || advert.expires_us <= wall.unix_us {
        return Err(DocumentError::Expired(WHAT));
    }
    Ok(advert)
}
