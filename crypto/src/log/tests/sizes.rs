//! Logs of every size up to 1,100, around 65,536 and at 70,000, in the hands of two verifiers that
//! are not ours: `sigsum` (signatures, cosignatures, quorum and inclusion at once) and `ct-merkle`
//! (inclusion and consistency).

use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;

use super::{Files, TIME, log_key, name, witness};
use crate::digest::Digest;
use crate::keys::SigningKey;
use crate::log::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::log::cosign::cosign;
use crate::log::merkle::{TreeHead, consistency_proof};
use crate::log::proof::LogProof;
use crate::log::reader::TileTree;
use crate::log::writer::LogWriter;
use crate::note::NoteSignature;

/// A tile has 256 hashes: levels begin at its powers.
fn sizes() -> impl Iterator<Item = u64> {
    (1..=1_100).chain(65_530..=65_545).chain([65_792, 70_000])
}

/// Entries near both ends, at the edges of tiles, and in between.
fn indexes(size: u64) -> impl Iterator<Item = u64> {
    let mut all = vec![0, size / 3, size / 2, size - 1, 255, 256, 65_535, 65_536];
    all.sort_unstable();
    all.dedup();
    all.into_iter().filter(move |index| *index < size)
}

/// A Sigsum log: its entries are signatures, and its origin says its key's hash.
struct Log {
    signer: SigningKey,
    writer: LogWriter,
    files: Files,
    heads: Vec<TreeHead>,
}

fn key_hash(key: &SigningKey) -> Digest {
    Digest::sha256(key.verifying_key().as_bytes())
}

impl Log {
    fn new() -> Self {
        Self {
            signer: SigningKey::from_seed(&[9; 32]),
            writer: LogWriter::new(),
            files: Files::new(),
            heads: Vec::new(),
        }
    }

    fn message(index: u64) -> Digest {
        Digest::sha256(&index.to_be_bytes())
    }

    /// The signer's signature over the checksum of a message, as Sigsum's log.md 2.2.2 says.
    fn signature(&self, index: u64) -> [u8; 64] {
        let checksum = Digest::sha256(Self::message(index).as_bytes());
        let signed = [b"sigsum.org/v1/tree-leaf\0", &checksum.as_bytes()[..]].concat();
        self.signer.sign(&signed)
    }

    fn entry(&self, index: u64) -> Vec<u8> {
        let checksum = Digest::sha256(Self::message(index).as_bytes());
        let mut entry = checksum.as_bytes().to_vec();
        entry.extend(self.signature(index));
        entry.extend(key_hash(&self.signer).as_bytes());
        entry
    }

    fn grow(&mut self, size: u64) {
        for index in self.writer.size()..size {
            let entry = self.entry(index);
            assert_eq!(self.writer.append(&entry), Ok(index));
        }
        let new = self.writer.take_files().into_iter();
        self.files.extend(new.map(|file| (file.path, file.bytes)));
        self.heads.push(self.writer.head());
    }

    /// The newest head with 3 of 4 cosignatures.
    fn checkpoint(&self) -> SignedCheckpoint {
        let origin = format!("sigsum.org/v1/tree/{}", key_hash(&log_key()).to_hex());
        let head = self.writer.head();
        let origin = name(&origin);
        let mut signed = Checkpoint { origin, head }.sign(&log_key());
        for n in 1..4 {
            let (name, key, _) = witness(n);
            let line = cosign(signed.checkpoint(), &name, &key, TIME + u64::from(n));
            signed.add(line.expect("in range")).expect("room");
        }
        signed
    }

    fn proof(&self, index: u64) -> LogProof {
        let size = self.writer.size();
        LogProof::make(&self.files, size, index, self.checkpoint()).expect("tiles are there")
    }
}

/// Sigsum's text of a proof, made of nothing but our proof file and the leaf's signature.
fn as_sigsum(log: &Log, proof: &[u8]) -> String {
    let proof = LogProof::parse(proof).expect("our own file");
    let note = crate::note::Note::parse(&proof.checkpoint.encode()).expect("a note");
    let keys: Vec<_> = (0..4).map(|n| witness(n).2).collect();
    let (own, others): (Vec<&NoteSignature>, Vec<_>) = note
        .signatures()
        .iter()
        .partition(|line| !keys.iter().any(|key| key.claims(line)));
    let head = proof.checkpoint.head();
    let mut text = format!(
        "version=2\nlog={}\nleaf={} {}\n\nsize={}\nroot_hash={}\nsignature={}\n",
        key_hash(&log_key()).to_hex(),
        key_hash(&log.signer).to_hex(),
        hex::encode(log.signature(proof.index)),
        head.size,
        head.root.to_hex(),
        hex::encode(own[0].blob()),
    );
    for line in others {
        let key = keys.iter().find(|key| key.claims(line)).expect("a witness");
        let hash = Digest::sha256(key.key().as_bytes()).to_hex();
        let (time, signature) = line.blob().split_at(8);
        let time = u64::from_be_bytes(time.try_into().expect("eight bytes"));
        text += &format!("cosignature={hash} {time} {}\n", hex::encode(signature));
    }
    text += &format!("\nleaf_index={}\n", proof.index);
    for hash in &proof.path {
        text += &format!("node_hash={}\n", hash.to_hex());
    }
    text
}

fn sigsum_policy() -> sigsum::Policy {
    let mut text = format!("log {}\n", log_key().verifying_key().to_hex());
    for n in 0..4 {
        text += &format!("witness w{n} {}\n", witness(n).2.key().to_hex());
    }
    text += "group all-witnesses 3 w0 w1 w2 w3\nquorum all-witnesses\n";
    sigsum::Policy::parse(&text).expect("a policy")
}

fn their_root(head: &TreeHead) -> RootHash<Sha256> {
    RootHash::new(head.root.0.into(), head.size)
}

fn bytes(proof: &[Digest]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

#[test]
fn sigsum_and_ct_merkle_accept_logs_of_every_size() {
    let policy = sigsum_policy();
    let mut log = Log::new();
    let signers = [sigsum::PublicKey::from(
        *log.signer.verifying_key().as_bytes(),
    )];
    for size in sizes() {
        log.grow(size);
        let new = log.writer.head();
        for index in indexes(size) {
            let proof = log.proof(index);
            let text = as_sigsum(&log, &proof.encode());
            let theirs = sigsum::SigsumSignature::from_ascii(&text).expect("their format");
            let message = sigsum::Hash::from(Log::message(index).0);
            let verdict = sigsum::verify(&message, &theirs, &signers, &policy);
            assert!(verdict.is_ok(), "{index} in {size}: {verdict:?}");
            let path = InclusionProof::<Sha256>::try_from_bytes(bytes(&proof.path));
            let verdict =
                their_root(&new).verify_inclusion(&log.entry(index), index, &path.expect("hashes"));
            assert!(verdict.is_ok(), "{index} in {size}: {verdict:?}");
        }
        let tree = TileTree::new(&log.files, size).expect("in range");
        // The previous sizes, and others spread over all of the log.
        let near = log.heads.iter().rev().take(4);
        for old in near.chain(log.heads.iter().step_by(97)) {
            let proof = consistency_proof(&tree, old.size, size).expect("tiles are there");
            let proof = ConsistencyProof::<Sha256>::try_from_bytes(bytes(&proof));
            let verdict =
                their_root(&new).verify_consistency(&their_root(old), &proof.expect("hashes"));
            assert!(verdict.is_ok(), "{} to {size}: {verdict:?}", old.size);
        }
    }
    the_verifiers_are_awake(&log, &policy, &signers);
}

/// They refuse the last log with one bit of a path, and with a cosignature too few.
fn the_verifiers_are_awake(log: &Log, policy: &sigsum::Policy, signers: &[sigsum::PublicKey]) {
    let message = sigsum::Hash::from(Log::message(3).0);
    let refused = |text: &str| {
        let theirs = sigsum::SigsumSignature::from_ascii(text).expect("their format");
        sigsum::verify(&message, &theirs, signers, policy).is_err()
    };
    let mut proof = log.proof(3);
    let whole = as_sigsum(log, &proof.encode());
    assert!(!refused(&whole));
    let start = whole.find("cosignature=").expect("a cosignature");
    let end = start + whole[start..].find('\n').expect("a line") + 1;
    assert!(refused(&[&whole[..start], &whole[end..]].concat()));
    proof.path[2].0[5] ^= 1;
    assert!(refused(&as_sigsum(log, &proof.encode())));
    let path = InclusionProof::<Sha256>::try_from_bytes(bytes(&proof.path)).expect("hashes");
    let root = their_root(&log.writer.head());
    assert!(root.verify_inclusion(&log.entry(3), 3, &path).is_err());
}
