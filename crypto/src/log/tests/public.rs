//! One entry of a public log, whose tree head eight public witnesses cosigned, checked whole: a
//! published vector for checkpoint, cosignatures, policy and inclusion at once.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::name;
use crate::digest::Digest;
use crate::keys::VerifyingKey;
use crate::log::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::log::merkle::{MerkleError, TreeHead};
use crate::log::proof::LogProof;
use crate::log::quorum::Quorum;
use crate::note::*;

/// Of `sigsum-test-2025-3.builtin-policy`, and the tree head in the documentation of crate
/// `sigsum` 0.3.0: key hash, time and cosignature of eight witnesses on the public internet. A
/// Sigsum tree head is signed as a C2SP checkpoint whose origin names the log's key hash.
const SIGSUM_LOGS: [&str; 2] = [
    "4644af2abd40f4895a003bca350f9d5912ab301a49c77f13e5b6d905c20a5fe6",
    "47e481606d8acba747a6b053d6c2d191605fb122175d410a1202a91430abce39",
];
const SIGSUM_LOG_HASH: &str = "1643169b32bef33a3f54f8a353b87c475d19b6223cbb106390d10a29978e1cba";
const SIGSUM_ROOT: &str = "901fefc6f1d978d2c2bedb82d448755bcdc7e8626e67ac7ee80873771be9b667";
const SIGSUM_SIGNATURE: &str = "8a8bf1fca60d1344fb6e2106e8f8906af833d3d75a21fe8d3af72be459f7a11f\
    2ae6606ec6344a13b851cd454b3d281a2b1ae47732f7a8d6afbcc0134d1a2d00";
const SIGSUM_WITNESSES: [(&str, &str); 8] = [
    (
        "poc.sigsum.org/nisse",
        "1c25f8a44c635457e2e391d1efbca7d4c2951a0aef06225a881e46b98962ac6c",
    ),
    (
        "rgdd.se/poc-witness",
        "28c92a5a3a054d317c86fc2eeb6a7ab2054d6217100d0be67ded5b74323c5806",
    ),
    (
        "witness1.smartit.nu/witness1",
        "f4855a0f46e8a3e23bb40faf260ee57ab8a18249fa402f2ca2d28a60e1a3130e",
    ),
    (
        "witness.navigli.sunlight.geomys.org",
        "dcbf728e02d479f5a7e20dc09adf525833ed6e797526517aeb07fc6854849fc6",
    ),
    (
        "remora.n621.de",
        "ebcdeb78e7fdb2ef9227b2c1ef11e94600b55b4d6d9a57877e31ee89e59adc36",
    ),
    (
        "witness.stagemole.eu",
        "4a921b7caef58ae670cdc11ef4184f1c058f7b9259a9107a969f69fa54aa496f",
    ),
    (
        "tillitis.se/test-witness-1",
        "636582aec12f32c18a21733db9e3f718058ee7aaec6dbe4eb81781e0f4300c6e",
    ),
    (
        "transparency.dev/DEV:witness-little-garden",
        "2b6eb0ec483503544cde4e8fc1ce6d1921db21dffccc186865f808f7625443cc",
    ),
];
/// First quarter of the key hash, and the cosignature; all at time 1770193051.
const SIGSUM_COSIGNATURES: [(&str, &str); 8] = [
    (
        "1c997261f16e6e81",
        "a1ee1182b265204499cbef3ae59f3ea228b928b3cbda8817a4ed5a12776823e9\
        ad8ef1ce986b9b98d9954f1798ec4315c1820704600a231c69038ccc9726d202",
    ),
    (
        "49c4cd6124b7c572",
        "aaf642e81a54399777180f238573d74878b68c7b645d8011583621405bb450b4\
        e7887fc76502a8142c493d64e3ed3e556d82dad1706411082e58805f64fa9d02",
    ),
    (
        "70b861a010f25030",
        "f5953f406f5fd97d9c9d1328b00b07bf434a5eb76d8da359aeda98c414de29ca\
        1ced1872971ea0f137508a7bb05c7d322548409425677af96433706319bc0801",
    ),
    (
        "86b5414ae57f45c2",
        "3434b4646904714f4983c8e7e976a45332711f10012b19fbeb5549b6c0c04fb4\
        ed52feed2da829354623c52b22b90093776034a8d57d660f9ff27a118f5bf801",
    ),
    (
        "c1d2d6935c2fb43b",
        "f0dce1bcdda3a2826479d62e6afedbe9ec06e8f990ae59d8cefa84d9a6ee68c1\
        2c2820fb00e1dbdc30044b16c7695a9d1047cec4788dc757f698d34ebaec4305",
    ),
    (
        "d960fcff859a34d6",
        "b44c41f75566850003f7f655a6dc7bb38bb980e8e2c383871e29883805d3adec\
        7782a08388b9386d9718380a4bb6900043e2b46080cff0fa75a500c36ef9df0a",
    ),
    (
        "e4a6a1e4657d8d7a",
        "70697b4a6b07e79e49d0a8e41fd7450a593ee9df11da6244cebe4b0c15c8e52f\
        28ad3931b95a806fc7f16b4ad90197971ddc087434c7985b8b3a0223c9fa3603",
    ),
    (
        "42351ad474b29c04",
        "6610e5cf4ead2062d9783fbc19d2bae65eded35335495ad0cf0386277ed2d518\
        54ced64efa21a6db0a398fdfb6761aa7d5659e54950a060d167fbdcb7b5ece05",
    ),
];
const SIGSUM_TIME: u64 = 1_770_193_051;

/// The entry that the same documentation proves to be in the log, a signature of "Hello, Sigsum!".
const SIGSUM_LEAF_KEY_HASH: &str =
    "2c8d843ed6237e9ea033207113329fdd1428c75f8fd3c6782ae46c92c7a00c40";
const SIGSUM_LEAF_SIGNATURE: &str = "\
    38dd0b42cab5166611a4f8346db1c6ffe81ee2345f3ffe36a466eb8fce1d4b28\
    79fbb5f26291d25e610b2dc7f30eaa603efd97739ae585657d0f7181726eec00";
const SIGSUM_INDEX: u64 = 381_381;
const SIGSUM_PATH: [&str; 10] = [
    "d009c5dbeaaa5be1788ea9533f6f398747755a8245012165ac73f753b7917672",
    "fb515551fe18f6e53d7d7f49b80abbb5c702b9662ee74fc7730e4a7685000aa4",
    "e21e73ee8caf0d49cdcd2f334b3f64e85e4a151daf8d09b6034306bb21b88480",
    "f77bc4db00e509149b6e2fc0028d7107dd415929dc9972f32fe758ce39bcc9a0",
    "3acb38f01c633d917b899ed4e522a49a02bf20d358f98ca530e3a3065591e7f2",
    "889de80c543a5ae8e35430988dc120ac7edde74b776f9082f814ea88190a601f",
    "199f812b9f3667dec31f964098e32652477a2f3d458019b6f8f4acc645cf0131",
    "084580f8f6324d4ae42dbcb779502ab9fab77e0c2b92519fe089be72e38d60ed",
    "9ddbece4939d621df53f31e2729d5fa7802fd82f3edfb784483d8b7fa9cf41e2",
    "e1c7a90c09949c263807e5970aef47f9a06164b759995ab814aff94aff9dcd00",
];

fn key(hex: &str) -> VerifyingKey {
    VerifyingKey::from_hex(hex).expect("a public key")
}

fn line(key: &VerifierKey, blob: &[u8]) -> NoteSignature {
    let bytes = [&key.key_id().0[..], blob].concat();
    let text = format!("— {} {}", key.name(), BASE64_STANDARD.encode(bytes));
    NoteSignature::parse_line(&text).expect("a line")
}

#[test]
fn a_public_logs_entry_and_its_eight_witnesses_verify() {
    let log = SIGSUM_LOGS.map(key);
    let hash = |key: &VerifyingKey| Digest::sha256(key.as_bytes()).to_hex();
    let log = log
        .iter()
        .find(|key| hash(key) == SIGSUM_LOG_HASH)
        .expect("the log");
    let origin = name(&format!("sigsum.org/v1/tree/{SIGSUM_LOG_HASH}"));
    let log = VerifierKey::new(origin.clone(), KeyType::Ed25519, *log);
    let root = Digest::from_hex(SIGSUM_ROOT).expect("hexadecimal");
    let size = 381_382;
    let head = TreeHead { size, root };
    let checkpoint = Checkpoint { origin, head };
    let signature = line(&log, &hex::decode(SIGSUM_SIGNATURE).expect("hexadecimal"));
    let mut note = Note::new(checkpoint.body(), signature).expect("a note");
    let mut policy = format!("log {log}\n");
    for (witness, hex) in SIGSUM_WITNESSES {
        let key = VerifierKey::new(name(witness), KeyType::Cosignature, key(hex));
        policy += &format!("witness {witness} {key}\n");
        let id = hash(key.key());
        let found = SIGSUM_COSIGNATURES
            .iter()
            .find(|(start, _)| id.starts_with(start));
        if let Some((_, signature)) = found {
            let signature = hex::decode(signature).expect("hexadecimal");
            note.add(line(
                &key,
                &[&SIGSUM_TIME.to_be_bytes(), &signature[..]].concat(),
            ))
            .expect("room");
        }
    }
    policy += "group glasklar-test-witnesses 2 poc.sigsum.org/nisse rgdd.se/poc-witness \
        witness1.smartit.nu/witness1\n\
        group quorum-rule 4 glasklar-test-witnesses witness.navigli.sunlight.geomys.org \
        remora.n621.de witness.stagemole.eu tillitis.se/test-witness-1 \
        transparency.dev/DEV:witness-little-garden\nquorum quorum-rule\n";
    let policy = Quorum::parse(policy.as_bytes()).expect("the published policy");
    let signed = SignedCheckpoint::parse(&note.encode()).expect("a checkpoint");
    let found = policy
        .evaluate(&signed, &log)
        .expect("every signature verifies");
    assert!(found.satisfied());
    assert_eq!(found.counted.len(), 8);
    assert!(found.counted.values().all(|time| *time == SIGSUM_TIME));

    let message = Digest::sha256(b"Hello, Sigsum!\n");
    let mut entry = Digest::sha256(message.as_bytes()).as_bytes().to_vec();
    entry.extend(hex::decode(SIGSUM_LEAF_SIGNATURE).expect("hexadecimal"));
    entry.extend(hex::decode(SIGSUM_LEAF_KEY_HASH).expect("hexadecimal"));
    let path = SIGSUM_PATH
        .map(|hash| Digest::from_hex(hash).expect("hexadecimal"))
        .to_vec();
    let proof = LogProof {
        extra: None,
        index: SIGSUM_INDEX,
        path,
        checkpoint: signed,
    };
    assert_eq!(LogProof::parse(&proof.encode()), Ok(proof.clone()));
    let verdict = proof.verify(&entry, &log, &policy);
    assert!(verdict.holds(), "{verdict}");
    entry[0] ^= 1;
    let verdict = proof.verify(&entry, &log, &policy);
    assert_eq!(verdict.included, Err(MerkleError::RootMismatch));
    assert!(!verdict.holds() && verdict.signed.is_ok() && verdict.witnessed.is_ok());
}
