//! Attacks on sealed files, and agreement with independent constructions.

use aead_stream::{NewStream as _, StreamBE32, StreamPrimitive as _};
use hmac::{Hmac, Mac as _};
use proptest::prelude::*;

use super::*;

const SEG: u64 = SEGMENT_LEN as u64;
const ID: [u8; OBJECT_ID_LEN] = [2; 16];
const SALT: [u8; SALT_LEN] = [3; 32];

fn key() -> SymmetricKey {
    SymmetricKey::from_bytes(&[1; 32])
}

fn cipher(length: impl Into<StreamLength>) -> SegmentCipher {
    SegmentCipher::new(&key(), ID, SALT, length)
}

/// Bytes that no two positions near each other share.
fn plaintext(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

fn seal_with(cipher: SegmentCipher, plain: &[u8], piece: usize) -> Vec<u8> {
    let mut sealer = Sealer::new(cipher, SALT);
    let mut out = Vec::new();
    for piece in plain.chunks(piece) {
        sealer.push(piece, &mut out).unwrap();
    }
    assert_eq!(sealer.finish(&mut out), Ok(plain.len() as u64));
    out
}

fn seal(plain: &[u8]) -> Vec<u8> {
    seal_with(cipher(plain.len() as u64), plain, usize::MAX)
}

fn opener(plain_len: u64) -> Opener {
    Opener::new(cipher(plain_len), plain_len).unwrap()
}

fn open_all(opener: &Opener, sealed: &[u8]) -> Result<Vec<u8>, SegmentError> {
    let mut run = sealed[SALT_LEN..].to_vec();
    opener.open_run(0, &mut run).map(|()| run)
}

fn sealed_segment(sealed: &[u8], plain_len: u64, index: u64) -> Vec<u8> {
    let range = segment_range(plain_len, index);
    sealed[range.start as usize..range.end as usize].to_vec()
}

/// Lengths at and around every boundary that the layout knows.
fn lengths() -> Vec<usize> {
    let seg = SEGMENT_LEN;
    vec![
        0,
        1,
        15,
        16,
        17,
        seg - 1,
        seg,
        seg + 1,
        2 * seg - 1,
        2 * seg,
        2 * seg + 1,
        3 * seg + 7,
    ]
}

#[test]
fn the_key_is_rfc_5869_and_the_segments_are_stream() {
    // HKDF written out with HMAC, and STREAM by another crate: age's 11-byte counter is the
    // BE32 flavour under a prefix of seven zeros.
    let hmac = |key: &[u8], message: &[u8]| -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).unwrap();
        mac.update(message);
        mac.finalize().into_bytes().into()
    };
    let plain = plaintext(2 * SEGMENT_LEN + 100);
    for length in [
        StreamLength::Known(plain.len() as u64),
        StreamLength::Unknown,
    ] {
        let bound = match length {
            StreamLength::Known(len) => len,
            StreamLength::Unknown => u64::MAX,
        };
        let info = [b"radmesh/segment/1", &ID[..], &bound.to_be_bytes(), &[1]].concat();
        let segment_key = hmac(&hmac(&SALT, &[1; 32]), &info);
        let stream = StreamBE32::<ChaCha20Poly1305>::new(&segment_key.into(), &[0; 7].into());
        let mut expected = SALT.to_vec();
        for (index, piece) in plain.chunks(SEGMENT_LEN).enumerate() {
            expected.extend(stream.encrypt(index as u32, index == 2, piece).unwrap());
        }
        assert!(seal_with(cipher(length), &plain, 1000) == expected);
    }
}

#[test]
fn every_length_opens_whole_and_one_by_one() {
    for len in lengths() {
        let plain = plaintext(len);
        let sealed = seal(&plain);
        let len = len as u64;
        assert_eq!(sealed.len() as u64, sealed_len(len));
        assert_eq!(plain_len_of(sealed.len() as u64), Some(len));
        let opener = opener(len);
        assert!(open_all(&opener, &sealed).unwrap() == plain, "{len}");
        // Random access, from the back.
        for index in (0..opener.segment_count()).rev() {
            let mut segment = sealed_segment(&sealed, len, index);
            opener.open(index, &mut segment).unwrap();
            let range = plain_range(len, index);
            assert!(segment == plain[range.start as usize..range.end as usize]);
        }
    }
}

#[test]
fn the_size_of_the_pieces_leaves_no_trace() {
    for len in lengths() {
        let plain = plaintext(len);
        let whole = seal(&plain);
        for piece in [
            1000,
            SEGMENT_LEN - 1,
            SEGMENT_LEN,
            SEGMENT_LEN + 1,
            2 * SEGMENT_LEN,
        ] {
            assert!(
                seal_with(cipher(len as u64), &plain, piece) == whole,
                "{len} by {piece}"
            );
        }
        // A spool binds another length and so shares no byte of ciphertext, only the layout.
        let spool = seal_with(cipher(StreamLength::Unknown), &plain, 5000);
        assert_eq!(spool.len(), whole.len());
        let spool_opener = Opener::new(cipher(StreamLength::Unknown), len as u64).unwrap();
        assert!(open_all(&spool_opener, &spool).unwrap() == plain);
        assert!(open_all(&spool_opener, &whole).is_err());
        assert!(open_all(&opener(len as u64), &spool).is_err());
    }
}

#[test]
fn every_changed_byte_of_a_small_object_fails() {
    let sealed = seal(&plaintext(100));
    for at in SALT_LEN..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(
            open_all(&opener(100), &changed),
            Err(SegmentError::Open(0)),
            "byte {at}"
        );
    }
    for at in 0..SALT_LEN {
        let mut salt = SALT;
        salt[at] ^= 1;
        let other = SegmentCipher::new(&key(), ID, salt, 100);
        let answer = open_all(&Opener::new(other, 100).unwrap(), &sealed);
        assert_eq!(answer, Err(SegmentError::Open(0)), "salt {at}");
    }
}

#[test]
fn a_failed_segment_stays_ciphertext_and_a_failed_run_leaves_nothing() {
    let len = 2 * SEG + 5;
    let mut sealed = seal(&plaintext(len as usize));
    let place = segment_range(len, 1).start as usize;
    sealed[place] ^= 0x80;
    let opener = opener(len);
    let mut segment = sealed_segment(&sealed, len, 1);
    let before = segment.clone();
    assert_eq!(opener.open(1, &mut segment), Err(SegmentError::Open(1)));
    assert!(segment == before);
    let mut run = sealed[SALT_LEN..].to_vec();
    assert_eq!(opener.open_run(0, &mut run), Err(SegmentError::Open(1)));
    assert!(run.is_empty());
}

#[test]
fn reordering_truncation_and_extension_fail() {
    let len = 3 * SEG;
    let sealed = seal(&plaintext(len as usize));
    let known = opener(len);
    for index in 0..3 {
        for place in (0..3).filter(|place| *place != index) {
            let mut segment = sealed_segment(&sealed, len, index);
            assert_eq!(
                known.open(place, &mut segment),
                Err(SegmentError::Open(place))
            );
        }
    }
    // A spool has no length in its key: its last flag alone must notice.
    let spool = seal_with(
        cipher(StreamLength::Unknown),
        &plaintext(len as usize),
        9999,
    );
    let spool_opener = |len| Opener::new(cipher(StreamLength::Unknown), len).unwrap();
    let cut = &spool[..segment_range(len, 2).start as usize];
    assert_eq!(plain_len_of(cut.len() as u64), Some(2 * SEG));
    assert_eq!(
        open_all(&spool_opener(2 * SEG), cut),
        Err(SegmentError::Open(1))
    );
    let twice = [&spool[..], &sealed_segment(&spool, len, 2)].concat();
    assert_eq!(
        open_all(&spool_opener(4 * SEG), &twice),
        Err(SegmentError::Open(2))
    );
    // A cut inside a segment, at every place near its end.
    for less in 1..=TAG_LEN {
        let mut segment = sealed_segment(&sealed, len, 2);
        segment.truncate(segment.len() - less);
        let expected = SegmentError::Length {
            index: 2,
            len: SEGMENT_LEN - less,
        };
        assert_eq!(known.open(2, &mut segment), Err(expected));
    }
    for short in 0..TAG_LEN {
        assert_eq!(
            known.open(2, &mut vec![0; short]),
            Err(SegmentError::Truncated(2))
        );
    }
    let mut longer = [&sealed[SALT_LEN..], &[0; 16]].concat();
    let expected = SegmentError::Position {
        index: 3,
        last: false,
    };
    assert_eq!(known.open_run(0, &mut longer), Err(expected));
}

#[test]
fn another_object_key_id_or_length_fails() {
    let plain = plaintext(100);
    let sealed = seal(&plain);
    let mut id = ID;
    id[15] ^= 1;
    let other_id = SegmentCipher::new(&key(), id, SALT, 100);
    let other_key = SegmentCipher::new(&SymmetricKey::from_bytes(&[9; 32]), ID, SALT, 100);
    for cipher in [other_id, other_key] {
        let opener = Opener::new(cipher, 100).unwrap();
        assert_eq!(open_all(&opener, &sealed), Err(SegmentError::Open(0)));
    }
    // Claimed to be longer: the first, full-looking segment already fails.
    let long = plaintext(2 * SEGMENT_LEN);
    let sealed = seal(&long);
    let mut first = sealed_segment(&sealed, 2 * SEG, 0);
    assert_eq!(
        opener(3 * SEG).open(0, &mut first),
        Err(SegmentError::Open(0))
    );
    let wrong = Opener::new(cipher(100), 99).err();
    assert_eq!(
        wrong,
        Some(SegmentError::WrongTotal {
            declared: 100,
            actual: 99
        })
    );
}

#[test]
fn places_and_lengths_that_an_object_does_not_have_are_refused() {
    let cipher = cipher(SEG + 1);
    let seal = |index, last, len| cipher.seal_segment(index, last, &mut vec![0; len]);
    let position = |index, last| Err(SegmentError::Position { index, last });
    assert_eq!(seal(0, true, SEGMENT_LEN), position(0, true));
    assert_eq!(seal(1, false, 1), position(1, false));
    assert_eq!(seal(2, true, 1), position(2, true));
    assert_eq!(seal(u64::MAX, true, 1), position(u64::MAX, true));
    assert_eq!(
        seal(1, true, 2),
        Err(SegmentError::Length { index: 1, len: 2 })
    );
    assert_eq!(
        seal(0, false, 1),
        Err(SegmentError::Length { index: 0, len: 1 })
    );

    let spool = self::cipher(StreamLength::Unknown);
    let seal = |index, last, len| spool.seal_segment(index, last, &mut vec![0; len]);
    assert_eq!(seal(0, true, 0), Ok(()));
    assert_eq!(
        seal(1, true, 0),
        Err(SegmentError::Length { index: 1, len: 0 })
    );
    let len = SEGMENT_LEN + 1;
    assert_eq!(
        seal(1, true, len),
        Err(SegmentError::Length { index: 1, len })
    );
    assert_eq!(seal(1 << 32, true, 1), position(1 << 32, true));
}

#[test]
fn a_sealer_keeps_to_the_declared_length() {
    let mut out = Vec::new();
    let mut sealer = Sealer::new(cipher(10), SALT);
    sealer.push(&[0; 8], &mut out).unwrap();
    let declared = 10;
    let over = SegmentError::WrongTotal {
        declared,
        actual: 11,
    };
    assert_eq!(sealer.push(&[0; 3], &mut out), Err(over));
    assert_eq!(sealer.plain_len(), 8);
    let under = SegmentError::WrongTotal {
        declared,
        actual: 8,
    };
    assert_eq!(sealer.finish(&mut out), Err(under));

    let too_long = MAX_PLAIN_LEN + 1;
    let refused = cipher(too_long).seal_segment(0, false, &mut vec![0; SEGMENT_LEN]);
    assert_eq!(refused, Err(SegmentError::TooLong(too_long)));
    assert_eq!(
        Opener::new(cipher(too_long), too_long).err(),
        Some(SegmentError::TooLong(too_long))
    );
}

#[test]
fn sealing_a_reserved_buffer_allocates_nothing() {
    let mut buf = Vec::with_capacity(SEALED_SEGMENT_LEN);
    buf.resize(SEGMENT_LEN, 7);
    let place = buf.as_ptr();
    let cipher = cipher(SEG);
    cipher.seal_segment(0, true, &mut buf).unwrap();
    cipher.open_segment(0, true, &mut buf).unwrap();
    assert_eq!(buf.as_ptr(), place);
    assert_eq!(buf, [7; SEGMENT_LEN]);
}

#[test]
fn a_commitment_names_one_key_and_one_object() {
    let commitment = key_commitment(&key(), &ID);
    assert_ne!(
        commitment,
        key_commitment(&SymmetricKey::from_bytes(&[9; 32]), &ID)
    );
    assert_ne!(commitment, key_commitment(&key(), &[9; 16]));
}

#[test]
fn layouts_tile_the_file_without_gap_or_overlap() {
    for len in lengths() {
        let len = len as u64;
        let (mut sealed_end, mut plain_end) = (SALT_LEN as u64, 0);
        for index in 0..segment_count(len) {
            let (sealed, plain) = (segment_range(len, index), plain_range(len, index));
            assert_eq!((sealed.start, plain.start), (sealed_end, plain_end));
            assert_eq!(sealed.end - sealed.start, plain.end - plain.start + 16);
            (sealed_end, plain_end) = (sealed.end, plain.end);
        }
        assert_eq!((sealed_end, plain_end), (sealed_len(len), len));
        assert!(segment_range(len, segment_count(len)).is_empty());
        assert!(segment_range(u64::MAX, u64::MAX).is_empty());
    }
    for impossible in [0, 31, 32, 33, 47, 32 + 65552 + 1, 32 + 65552 + 16] {
        assert_eq!(plain_len_of(impossible), None, "{impossible}");
    }
    assert_eq!(segments_for(0..0, 100), 0..0);
    assert_eq!(segments_for(100..200, 100), 0..0);
    assert_eq!(segments_for(0..u64::MAX, 100), 0..1);
    assert_eq!(segments_for(SEG - 1..SEG + 1, 3 * SEG), 0..2);
    assert_eq!(segments_for(SEG..2 * SEG, 3 * SEG), 1..2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_changed_byte_of_any_segment_fails_that_segment_and_no_other(
        len in 1..4 * SEG,
        at in any::<prop::sample::Index>(),
        change in 1..=255u8,
    ) {
        let mut sealed = seal(&plaintext(len as usize));
        let at = SALT_LEN + at.index(sealed.len() - SALT_LEN);
        sealed[at] ^= change;
        let opener = opener(len);
        for index in 0..opener.segment_count() {
            let hit = segment_range(len, index).contains(&(at as u64));
            let expected = if hit { Err(SegmentError::Open(index)) } else { Ok(()) };
            prop_assert_eq!(opener.open(index, &mut sealed_segment(&sealed, len, index)), expected);
        }
    }

    #[test]
    fn any_range_reads_the_same_as_the_whole(
        len in 0..4 * SEG,
        ends in any::<[prop::sample::Index; 2]>(),
    ) {
        let plain = plaintext(len as usize);
        let sealed = seal(&plain);
        let [from, to] = ends.map(|end| end.index(len as usize + 1) as u64);
        let range = from.min(to)..from.max(to);
        let segments = segments_for(range.clone(), len);
        let mut run = Vec::new();
        for index in segments.clone() {
            run.extend(sealed_segment(&sealed, len, index));
        }
        opener(len).open_run(segments.start, &mut run).unwrap();
        let offset = segments.start * SEG;
        let read = if range.is_empty() {
            &[][..]
        } else {
            &run[(range.start - offset) as usize..(range.end - offset) as usize]
        };
        prop_assert!(read == &plain[range.start as usize..range.end as usize]);
    }

    #[test]
    fn layouts_are_total_and_invert(plain_len in any::<u64>(), index in any::<u64>()) {
        let range = segment_range(plain_len, index);
        prop_assert!(range.start <= range.end && range.end <= sealed_len(plain_len));
        prop_assert!(plain_range(plain_len, index).end <= plain_len);
        prop_assert!(segment_plain_len(plain_len, index) <= SEGMENT_LEN);
        let segments = segments_for(index..plain_len, plain_len);
        prop_assert!(segments.end <= segment_count(plain_len));
        let fits = plain_len % MAX_PLAIN_LEN;
        prop_assert_eq!(plain_len_of(sealed_len(fits)), Some(fits));
        if let Some(len) = plain_len_of(plain_len) {
            prop_assert_eq!(sealed_len(len), plain_len);
        }
    }
}
