//! Published vectors, and keys and signatures that must be refused.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

fn from_hex(text: &str) -> Result<VerifyingKey, KeyError> {
    VerifyingKey::from_hex(text)
}

#[test]
fn rfc_8032_section_7_1() {
    // Seed, public key, message, signature of TEST 1, 2, 3 and SHA(abc).
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589\
             09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    ];
    for (seed, public, message, signature) in vectors {
        let (message, signature) = (hex::decode(message).unwrap(), bytes(signature));
        let key = SigningKey::from_seed(&bytes(seed));
        assert_eq!(*key.seed(), bytes::<32>(seed));
        assert_eq!(key.verifying_key().to_hex(), public);
        assert_eq!(key.sign(&message), signature);
        let public = from_hex(public).unwrap();
        assert_eq!(public.verify_strict(&message, &signature), Ok(()));
        assert_eq!(
            public.verify_strict(b"another message", &signature),
            Err(KeyError::BadSignature)
        );
    }
}

#[test]
fn edge_cases_of_the_many_eddsas() {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../testdata/ed25519-speccheck.json")).unwrap();
    // Small-order A; small-order R; mixed order throughout (valid without cofactor); valid
    // only with cofactor, twice; s above the group order, twice; non-canonical R, twice.
    let bad = Err(KeyError::BadSignature);
    let weak = Err(KeyError::WeakKey);
    let expected = [weak, weak, bad, Ok(()), bad, bad, bad, bad, bad, bad];
    assert_eq!(cases.len(), expected.len());
    for (number, (case, expected)) in cases.iter().zip(expected).enumerate() {
        let field = |name: &str| case[name].as_str().unwrap();
        let message = hex::decode(field("message")).unwrap();
        let answer = from_hex(field("pub_key"))
            .and_then(|key| key.verify_strict(&message, &bytes(field("signature"))));
        assert_eq!(answer, expected, "case {number}");
    }
}

#[test]
fn keys_that_anybody_can_sign_for_are_refused() {
    let order_8_a = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc";
    let order_8_b = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03";
    let (zeros, effs) = ("00".repeat(30), "ff".repeat(30));
    let weak = [
        format!("01{zeros}00"),
        format!("ec{effs}7f"),
        format!("00{zeros}00"),
        format!("00{zeros}80"),
        format!("{order_8_a}05"),
        format!("{order_8_a}85"),
        format!("{order_8_b}7a"),
        format!("{order_8_b}fa"),
    ];
    for text in weak {
        assert_eq!(from_hex(&text), Err(KeyError::WeakKey), "{text}");
    }
    // y = p, y = p + 1, and a sign on x = 0 (RFC 8032, 5.1.3).
    let second_spellings = [
        format!("ed{effs}7f"),
        format!("ee{effs}7f"),
        format!("01{zeros}80"),
        format!("ec{effs}ff"),
    ];
    for text in second_spellings {
        assert_eq!(from_hex(&text), Err(KeyError::NonCanonical), "{text}");
    }
    assert_eq!(
        from_hex(&format!("02{zeros}00")),
        Err(KeyError::InvalidPoint)
    );
    assert_eq!(from_hex("02"), Err(KeyError::Text(DigestError::Length(2))));
}

#[test]
fn an_unreduced_s_is_refused() {
    let order: [u8; 32] = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let key = SigningKey::from_seed(&[7; 32]);
    let mut signature = key.sign(b"message");
    let mut carry = 0;
    for (digit, addend) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*digit) + u16::from(addend) + carry;
        (*digit, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
    let answer = key.verifying_key().verify_strict(b"message", &signature);
    assert_eq!(answer, Err(KeyError::BadSignature));
}

#[test]
fn every_flipped_bit_of_a_signature_is_refused() {
    let key = SigningKey::from_seed(&[7; 32]);
    let good = key.sign(b"message");
    for bit in 0..512 {
        let mut signature = good;
        signature[bit / 8] ^= 1 << (bit % 8);
        let answer = key.verifying_key().verify_strict(b"message", &signature);
        assert_eq!(answer, Err(KeyError::BadSignature), "bit {bit}");
    }
}

#[test]
fn agreement_keys_of_small_order_or_second_spelling_are_refused() {
    let public = |text: &str| AgreementPublic::from_bytes(&bytes(text));
    let (zeros, effs) = ("00".repeat(30), "ff".repeat(30));
    let weak = [
        format!("00{zeros}00"),
        format!("01{zeros}00"),
        format!("ec{effs}7f"),
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800".to_owned(),
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157".to_owned(),
    ];
    for text in weak {
        assert_eq!(public(&text), Err(KeyError::WeakKey), "{text}");
    }
    for text in [
        format!("ed{effs}7f"),
        format!("ff{effs}7f"),
        format!("09{zeros}80"),
    ] {
        assert_eq!(public(&text), Err(KeyError::NonCanonical), "{text}");
    }
    assert!(public(&format!("09{zeros}00")).is_ok());
    assert!(public(&format!("eb{effs}7f")).is_ok());
}

#[test]
fn agreement_keys_and_generated_keys() {
    // RFC 9180, A.2.1: skRm and pkRm.
    let secret = "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb";
    let public = "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a";
    let key = AgreementSecret::from_bytes(&bytes(secret));
    assert_eq!(key.public().to_hex(), public);
    assert_eq!(
        AgreementPublic::from_bytes(&bytes(public)),
        Ok(key.public())
    );

    let rng = &mut ChaCha20Rng::from_seed([1; 32]);
    let (first, second) = (SigningKey::generate(rng), SigningKey::generate(rng));
    assert_ne!(first.verifying_key(), second.verifying_key());
    let agreement = AgreementSecret::generate(rng).public();
    assert_eq!(
        AgreementPublic::from_bytes(agreement.as_bytes()),
        Ok(agreement)
    );
    assert!(SymmetricKey::generate(rng) != SymmetricKey::generate(rng));
    assert!(SymmetricKey::from_bytes(&[3; 32]) == SymmetricKey::from_bytes(&[3; 32]));
}
