//! The published encoding, every bound, and what a changed byte does.

use proptest::prelude::*;

use super::*;

const TYPE: &str = "application/vnd.radmesh.test.v1";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn signed_by(seeds: &[u8]) -> Envelope {
    let keys: Vec<_> = seeds.iter().map(|seed| key(*seed)).collect();
    let keys: Vec<_> = keys.iter().collect();
    Envelope::sign(TYPE, b"payload".to_vec(), &keys).unwrap()
}

fn public(seeds: &[u8]) -> BTreeSet<VerifyingKey> {
    seeds
        .iter()
        .map(|seed| key(*seed).verifying_key())
        .collect()
}

/// The whole way that bytes of a stranger take.
fn accept(encoded: &[u8]) -> Result<BTreeSet<VerifyingKey>, EnvelopeError> {
    Envelope::decode(encoded)?.verify(TYPE)
}

#[test]
fn pae_is_the_one_of_dsse() {
    // protocol.md of the DSSE specification.
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(pae("t", b""), b"DSSEv1 1 t 0 ");
    assert_ne!(pae("t 1", b"x"), pae("t", b"1 x"));
}

#[test]
fn the_encoding_is_the_documented_one() {
    let envelope = signed_by(&[1]);
    let mut expected = b"RME1\x00\x1f".to_vec();
    expected.extend_from_slice(TYPE.as_bytes());
    expected.extend_from_slice(b"\x00\x00\x00\x07payload\x01");
    expected.extend_from_slice(key(1).verifying_key().as_bytes());
    expected.extend_from_slice(&key(1).sign(&pae(TYPE, b"payload")));
    assert_eq!(envelope.encode(), expected);
    assert_eq!(digest_of(&expected), Digest::sha256(&expected));
    assert_eq!(Envelope::decode(&expected), Ok(envelope));
}

#[test]
fn the_order_of_signing_leaves_no_trace() {
    let envelope = signed_by(&[3, 1, 2]);
    assert_eq!(envelope.encode(), signed_by(&[1, 2, 3]).encode());
    assert_eq!(envelope.verify(TYPE), Ok(public(&[1, 2, 3])));
    let mut grown = signed_by(&[3]);
    for seed in [2, 1] {
        let signature = key(seed).sign(&pae(TYPE, b"payload"));
        grown
            .add(Signature {
                key: key(seed).verifying_key(),
                signature,
            })
            .unwrap();
    }
    assert_eq!(grown, envelope);
    let made = Envelope::new(TYPE, b"payload".to_vec(), envelope.signatures.clone());
    assert_eq!(made, Ok(envelope));
}

#[test]
fn a_signature_by_another_key_or_over_other_bytes_is_not_added() {
    let mut envelope = signed_by(&[1]);
    let two = key(2).verifying_key();
    let forged = Signature {
        key: two,
        signature: key(3).sign(&pae(TYPE, b"payload")),
    };
    assert_eq!(envelope.add(forged), Err(EnvelopeError::BadSignature(two)));
    let other = Signature {
        key: two,
        signature: key(2).sign(b"payload"),
    };
    assert_eq!(envelope.add(other), Err(EnvelopeError::BadSignature(two)));
    let again = envelope.signatures[0];
    assert_eq!(envelope.add(again), Err(EnvelopeError::SignatureOrder));
    assert_eq!(envelope, signed_by(&[1]));
}

#[test]
fn a_type_is_not_taken_for_another() {
    let envelope = signed_by(&[1]);
    assert_eq!(
        envelope.verify("application/vnd.radmesh.test.v2"),
        Err(EnvelopeError::WrongType)
    );
    let mut relabelled = envelope;
    relabelled.payload_type = "application/vnd.radmesh.test.v2".to_owned();
    let one = key(1).verifying_key();
    assert_eq!(
        relabelled.verify("application/vnd.radmesh.test.v2"),
        Err(EnvelopeError::BadSignature(one))
    );
}

#[test]
fn signers_and_thresholds() {
    let envelope = signed_by(&[1, 2, 9]);
    let (one, three) = (key(1).verifying_key(), key(3).verifying_key());
    assert_eq!(envelope.verify_by(TYPE, &one), Ok(()));
    assert_eq!(
        envelope.verify_by(TYPE, &three),
        Err(EnvelopeError::NotSignedBy(three))
    );
    assert_eq!(
        envelope.verify_by("other", &one),
        Err(EnvelopeError::WrongType)
    );

    let council = public(&[1, 2, 3]);
    assert_eq!(
        envelope.verify_threshold(TYPE, &council, 2),
        Ok(public(&[1, 2]))
    );
    for need in [0, 3] {
        assert_eq!(
            envelope.verify_threshold(TYPE, &council, need),
            Err(EnvelopeError::Threshold { have: 2, need })
        );
    }
}

#[test]
fn one_bad_signature_refuses_all() {
    let mut envelope = signed_by(&[1, 2]);
    let victim = envelope.signatures[1].key;
    envelope.signatures[1].signature[0] ^= 1;
    let bad = EnvelopeError::BadSignature(victim);
    let other = envelope.signatures[0].key;
    assert_eq!(envelope.verify(TYPE), Err(bad));
    assert_eq!(envelope.verify_by(TYPE, &other), Err(bad));
    assert_eq!(
        envelope.verify_threshold(TYPE, &public(&[1, 2]), 1),
        Err(bad)
    );
}

#[test]
fn one_signer_is_never_counted_twice() {
    let one = key(1);
    let sign = Envelope::sign(TYPE, Vec::new(), &[&one, &one]);
    assert_eq!(sign, Err(EnvelopeError::SignatureOrder));
    let mut envelope = signed_by(&[1, 2]);
    envelope.signatures[1] = envelope.signatures[0];
    assert_eq!(envelope.verify(TYPE), Err(EnvelopeError::SignatureOrder));
    assert_eq!(
        Envelope::decode(&envelope.encode()),
        Err(EnvelopeError::SignatureOrder)
    );
    let mut swapped = signed_by(&[1, 2]);
    swapped.signatures.swap(0, 1);
    assert_eq!(
        Envelope::decode(&swapped.encode()),
        Err(EnvelopeError::SignatureOrder)
    );
}

#[test]
fn every_bound_holds_on_signing_and_on_decoding() {
    let one = key(1);
    let sign = |payload_type: &str, len| Envelope::sign(payload_type, vec![0; len], &[&one]);
    assert_eq!(sign("", 0), Err(EnvelopeError::TypeLength(0)));
    assert_eq!(
        sign(&"t".repeat(129), 0),
        Err(EnvelopeError::TypeLength(129))
    );
    assert_eq!(sign("a b", 0), Err(EnvelopeError::TypeCharacter(1)));
    assert_eq!(sign("aé", 0), Err(EnvelopeError::TypeCharacter(1)));
    let too_long = MAX_PAYLOAD_LEN + 1;
    assert_eq!(
        sign(TYPE, too_long),
        Err(EnvelopeError::PayloadLength(too_long))
    );
    assert_eq!(
        Envelope::sign(TYPE, Vec::new(), &[]),
        Err(EnvelopeError::Unsigned)
    );

    let keys: Vec<_> = (0..17).map(key).collect();
    let keys: Vec<_> = keys.iter().collect();
    let seventeen = Envelope::sign(TYPE, Vec::new(), &keys);
    assert_eq!(seventeen, Err(EnvelopeError::TooManySignatures(17)));
    let largest = Envelope::sign(&"t".repeat(128), vec![7; MAX_PAYLOAD_LEN], &keys[..16]).unwrap();
    let encoded = largest.encode();
    assert_eq!(encoded.len(), MAX_ENCODED_LEN);
    assert_eq!(Envelope::decode(&encoded), Ok(largest));
}

#[test]
fn hostile_lengths_are_refused_before_anything_is_allocated() {
    let decode = |bytes: &[u8]| Envelope::decode(bytes).unwrap_err();
    assert_eq!(decode(b""), EnvelopeError::Truncated);
    assert_eq!(decode(b"RME2"), EnvelopeError::Magic);
    assert_eq!(decode(b"RME1\xff\xff"), EnvelopeError::TypeLength(65535));
    assert_eq!(decode(b"RME1\x00\x00"), EnvelopeError::TypeLength(0));
    assert_eq!(
        decode(b"RME1\x00\x02tt\xff\xff\xff\xff"),
        EnvelopeError::PayloadLength(u32::MAX as usize)
    );
    assert_eq!(
        decode(b"RME1\x00\x01t\x00\x10\x00\x00"),
        EnvelopeError::Truncated
    );
    assert_eq!(
        decode(b"RME1\x00\x01t\x00\x00\x00\x00\x00"),
        EnvelopeError::Unsigned
    );
    assert_eq!(
        decode(b"RME1\x00\x01t\x00\x00\x00\x00\xff"),
        EnvelopeError::TooManySignatures(255)
    );
    let mut weak = b"RME1\x00\x01t\x00\x00\x00\x00\x01\x01".to_vec();
    weak.resize(weak.len() + 95, 0);
    let error = KeyError::WeakKey;
    assert_eq!(decode(&weak), EnvelopeError::Key { index: 0, error });
}

#[test]
fn every_cut_and_every_addition_is_refused() {
    let encoded = signed_by(&[1, 2]).encode();
    for len in 0..encoded.len() {
        assert_eq!(
            Envelope::decode(&encoded[..len]),
            Err(EnvelopeError::Truncated),
            "{len}"
        );
    }
    let mut longer = encoded;
    longer.push(0);
    assert_eq!(
        Envelope::decode(&longer),
        Err(EnvelopeError::TrailingBytes(1))
    );
}

#[test]
fn every_flipped_bit_is_refused() {
    let encoded = signed_by(&[1, 2]).encode();
    assert_eq!(accept(&encoded), Ok(public(&[1, 2])));
    for bit in 0..encoded.len() * 8 {
        let mut changed = encoded.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(accept(&changed).is_err(), "bit {bit}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_was_signed_is_what_is_decoded(
        payload_type in "[!-~]{1,128}",
        payload in prop::collection::vec(any::<u8>(), 0..2048),
        seeds in prop::collection::btree_set(any::<u8>(), 1..5),
    ) {
        let keys: Vec<_> = seeds.iter().map(|seed| key(*seed)).collect();
        let keys: Vec<_> = keys.iter().collect();
        let envelope = Envelope::sign(&payload_type, payload, &keys).unwrap();
        let encoded = envelope.encode();
        let decoded = Envelope::decode(&encoded).unwrap();
        prop_assert_eq!(decoded.encode(), encoded);
        prop_assert_eq!(decoded.verify(&payload_type).unwrap().len(), seeds.len());
        prop_assert_eq!(decoded, envelope);
    }

    #[test]
    fn a_changed_byte_of_any_envelope_is_refused(
        payload in prop::collection::vec(any::<u8>(), 0..512),
        at in any::<prop::sample::Index>(),
        change in 1..=255u8,
    ) {
        let mut encoded = Envelope::sign(TYPE, payload, &[&key(5), &key(6)]).unwrap().encode();
        let at = at.index(encoded.len());
        encoded[at] ^= change;
        prop_assert!(accept(&encoded).is_err());
    }

    #[test]
    fn mangled_bytes_are_refused_or_have_this_one_encoding(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        tail in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut bytes = signed_by(&[1]).encode();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        crate::fuzz::fuzz_envelope(&bytes);
        bytes.extend_from_slice(&tail);
        crate::fuzz::fuzz_envelope(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        crate::fuzz::fuzz_envelope(&bytes);
    }
}
