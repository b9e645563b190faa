//! The council's word for a quorum file: which witnesses must cosign is not for the log to say that
//! they watch.
//!
//! The quorum file itself stays the plain text that other tools read (C2SP tlog-policy); the paper
//! beside it commits to its exact bytes.

use crypto::digest::Digest;
use crypto::envelope::{Envelope, EnvelopeError};
use crypto::log::quorum::{PolicyError, Quorum};
use prost::Message as _;

use super::genesis::Genesis;

/// Payload type of the paper's envelope.
pub const QUORUM_TYPE: &str = "application/vnd.radmesh.quorum.v1";

/// The version that is written.
const VERSION: u32 = 1;

/// What the council says of one quorum file. Payload type [`QUORUM_TYPE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumPaper {
    /// SHA-256 of the genesis envelope of the consortium that it belongs to.
    pub genesis: Digest,
    /// Of two papers of a consortium, the one with the higher number is the newer; no two have the
    /// same.
    pub serial: u64,
    /// SHA-256 of the quorum file's exact bytes.
    pub sha256: Digest,
}

/// Why a quorum file does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumPaperError {
    /// The envelope is refused, or too few of the council signed.
    #[error("paper for the quorum file: {0}")]
    Envelope(#[from] EnvelopeError),
    /// The payload does not decode.
    #[error("the paper for the quorum file is malformed")]
    Malformed,
    /// It decodes, but another encoder would have written other bytes (or it has unknown fields).
    #[error("the paper for the quorum file is not in its canonical encoding")]
    NotCanonical,
    /// A version that this code does not know.
    #[error("version {0} of papers for a quorum file is not known to this release")]
    Version(u32),
    /// It names another genesis.
    #[error("the paper for the quorum file belongs to another consortium")]
    OtherConsortium,
    /// It was signed for other bytes.
    #[error("the quorum file has the SHA-256 {found}; the council signed {signed}")]
    OtherFile {
        /// SHA-256 of the file.
        found: Digest,
        /// SHA-256 in the paper.
        signed: Digest,
    },
    /// The file is no policy.
    #[error("the quorum file: {0}")]
    Policy(#[from] PolicyError),
    /// The file lets a checkpoint pass that no witness saw.
    #[error("the quorum file demands no witness")]
    NoWitness,
}

/// A paper as it is stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct QuorumWire {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bytes = "vec", tag = "2")]
    genesis: Vec<u8>,
    #[prost(uint64, tag = "3")]
    serial: u64,
    #[prost(bytes = "vec", tag = "4")]
    sha256: Vec<u8>,
}

impl QuorumPaper {
    /// The paper for a quorum file that a council can put its name to.
    ///
    /// # Errors
    /// [`QuorumPaperError::Policy`] or [`QuorumPaperError::NoWitness`].
    pub fn over(file: &[u8], genesis: Digest, serial: u64) -> Result<Self, QuorumPaperError> {
        read(file)?;
        Ok(Self {
            genesis,
            serial,
            sha256: Digest::sha256(file),
        })
    }

    /// Opens the envelope that enough of the council signed; `hash` is the genesis's own.
    ///
    /// # Errors
    /// [`QuorumPaperError`]: all but those about the file.
    pub fn open(
        envelope: &[u8],
        (genesis, hash): (&Genesis, Digest),
    ) -> Result<Self, QuorumPaperError> {
        let envelope = Envelope::decode(envelope)?;
        envelope.verify_threshold(QUORUM_TYPE, &genesis.keys(), genesis.threshold)?;
        let paper = Self::decode(&envelope.payload)?;
        if paper.genesis != hash {
            return Err(QuorumPaperError::OtherConsortium);
        }
        Ok(paper)
    }

    /// Reads the quorum file that this paper is for.
    ///
    /// # Errors
    /// [`QuorumPaperError::OtherFile`], [`QuorumPaperError::Policy`] or
    /// [`QuorumPaperError::NoWitness`].
    pub fn admit(&self, file: &[u8]) -> Result<Quorum, QuorumPaperError> {
        let found = Digest::sha256(file);
        if found != self.sha256 {
            return Err(QuorumPaperError::OtherFile {
                found,
                signed: self.sha256,
            });
        }
        read(file)
    }

    /// The payload, in its one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        QuorumWire {
            version: VERSION,
            genesis: self.genesis.as_bytes().to_vec(),
            serial: self.serial,
            sha256: self.sha256.as_bytes().to_vec(),
        }
        .encode_to_vec()
    }

    /// Decodes the one encoding. Signatures are another matter.
    ///
    /// # Errors
    /// [`QuorumPaperError`]: what is wrong with the payload.
    pub fn decode(payload: &[u8]) -> Result<Self, QuorumPaperError> {
        let wire = QuorumWire::decode(payload).map_err(|_| QuorumPaperError::Malformed)?;
        if wire.version != VERSION {
            return Err(QuorumPaperError::Version(wire.version));
        }
        let digest = |bytes: Vec<u8>| {
            let bytes = bytes.try_into().map_err(|_| QuorumPaperError::Malformed)?;
            Ok::<_, QuorumPaperError>(Digest(bytes))
        };
        let paper = Self {
            genesis: digest(wire.genesis)?,
            serial: wire.serial,
            sha256: digest(wire.sha256)?,
        };
        if paper.encode() != payload {
            return Err(QuorumPaperError::NotCanonical);
        }
        Ok(paper)
    }
}

/// Reads a quorum file that demands somebody.
fn read(file: &[u8]) -> Result<Quorum, QuorumPaperError> {
    let quorum = Quorum::parse(file)?;
    match quorum.rule() {
        Some(_) => Ok(quorum),
        None => Err(QuorumPaperError::NoWitness),
    }
}

#[cfg(test)]
mod tests {
    use crypto::keys::SigningKey;
    use crypto::note::{KeyName, KeyType, VerifierKey};

    use super::*;
    use crate::member::{CouncilMember, GENESIS_TYPE, Paper, issue};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    /// Three founders, two of whom sign.
    fn genesis() -> (Genesis, Digest) {
        let member = |seed: u8| CouncilMember {
            organisation: format!("Founder {seed}"),
            country: "DE".to_owned(),
            key: key(seed).verifying_key(),
        };
        let mut council: Vec<CouncilMember> = [1, 2, 3].map(member).into();
        council.sort_by_key(|member| member.key);
        let genesis = Genesis {
            name: "Test".to_owned(),
            threshold: 2,
            council,
            created: 0,
        };
        let keys = [key(1), key(2), key(3)];
        let signed = Envelope::sign(GENESIS_TYPE, genesis.encode(), &keys.each_ref());
        Genesis::open(&signed.expect("signed").encode()).expect("founded")
    }

    fn file() -> Vec<u8> {
        let name = KeyName::new("witness.example").expect("a name");
        let witness = VerifierKey::new(name, KeyType::Cosignature, key(9).verifying_key());
        format!("witness w {witness}\nquorum w\n").into_bytes()
    }

    fn by(paper: &QuorumPaper, seeds: &[u8]) -> Vec<u8> {
        let keys: Vec<SigningKey> = seeds.iter().map(|seed| key(*seed)).collect();
        let signed = Paper::Quorum(*paper).sign(&keys.iter().collect::<Vec<_>>());
        signed.expect("signed")
    }

    #[test]
    fn enough_of_the_council_must_sign() {
        let (genesis, hash) = genesis();
        let paper = QuorumPaper::over(&file(), hash, 7).expect("a quorum");
        let open = |seeds: &[u8]| QuorumPaper::open(&by(&paper, seeds), (&genesis, hash));
        assert_eq!(open(&[1, 3]), Ok(paper));
        assert_eq!(open(&[1, 2, 3, 77]), Ok(paper));
        for (seeds, have) in [(&[1][..], 1), (&[1, 77], 1), (&[77, 78], 0)] {
            let short = EnvelopeError::Threshold { have, need: 2 };
            assert_eq!(open(seeds), Err(QuorumPaperError::Envelope(short)));
        }
        let other = QuorumPaper {
            genesis: Digest::sha256(b"another"),
            ..paper
        };
        assert_eq!(
            QuorumPaper::open(&by(&other, &[1, 2]), (&genesis, hash)),
            Err(QuorumPaperError::OtherConsortium)
        );
    }

    #[test]
    fn a_paper_is_for_one_file_that_demands_a_witness() {
        let (_, hash) = genesis();
        let paper = QuorumPaper::over(&file(), hash, 7).expect("a quorum");
        assert!(paper.admit(&file()).is_ok());
        let found = Digest::sha256(b"quorum none\n");
        let signed = paper.sha256;
        assert_eq!(
            paper.admit(b"quorum none\n"),
            Err(QuorumPaperError::OtherFile { found, signed })
        );
        assert_eq!(
            QuorumPaper::over(b"quorum none\n", hash, 7),
            Err(QuorumPaperError::NoWitness)
        );
        // A council may have signed one with another tool: it counts no more for that.
        let none = QuorumPaper {
            sha256: found,
            ..paper
        };
        assert_eq!(
            none.admit(b"quorum none\n"),
            Err(QuorumPaperError::NoWitness)
        );
        assert!(matches!(
            QuorumPaper::over(b"quorum\n", hash, 7),
            Err(QuorumPaperError::Policy(_))
        ));
    }

    #[test]
    fn a_paper_collects_signatures_and_has_one_encoding() {
        let (genesis, hash) = genesis();
        let paper = QuorumPaper::over(&file(), hash, 7).expect("a quorum");
        let request = Paper::Quorum(paper).request().expect("a request");
        let (one, two) = (
            issue::add_signature(&request, &key(1)).expect("signed"),
            issue::add_signature(&request, &key(2)).expect("signed"),
        );
        let joined = issue::join(&[one, two]).expect("joined");
        assert_eq!(QuorumPaper::open(&joined, (&genesis, hash)), Ok(paper));

        let payload = paper.encode();
        assert_eq!(QuorumPaper::decode(&payload), Ok(paper));
        let doubled = [&payload[..], &[8, 1]].concat();
        assert_eq!(
            QuorumPaper::decode(&doubled),
            Err(QuorumPaperError::NotCanonical)
        );
        let newer = [&payload[..], &[8, 2]].concat();
        assert_eq!(
            QuorumPaper::decode(&newer),
            Err(QuorumPaperError::Version(2))
        );
        assert_eq!(
            QuorumPaper::decode(&payload[..9]),
            Err(QuorumPaperError::Malformed)
        );
    }
}
