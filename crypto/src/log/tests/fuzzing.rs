//! The fuzz functions on spliced and damaged pieces of every format, from a fixed seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{cosigned, log_of, log_verifier, three_of_four};
use crate::log::fuzz::*;
use crate::log::proof::LogProof;
use crate::log::witness::AddCheckpoint;

const ROUNDS: usize = 20_000;

#[test]
fn spliced_inputs_neither_panic_nor_have_two_spellings() {
    let (files, signed) = log_of(300);
    let cosigned = cosigned(*signed.head(), [0, 1, 2]);
    let proof = LogProof::make(&files, 300, 256, cosigned.clone()).expect("tiles are there");
    let request = AddCheckpoint {
        old: 3,
        proof: proof.path.clone(),
        checkpoint: signed,
    };
    let bundle = files["tile/entries/001.p/44"].clone();
    let seeds = [
        cosigned.encode(),
        proof.encode(),
        request.encode(),
        three_of_four().to_text().into_bytes(),
        log_verifier().to_string().into_bytes(),
        b"tile/entries/x001/x234/067.p/12".to_vec(),
        [vec![43], bundle].concat(),
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut below = |n: usize| rng.next_u32() as usize % n;
    for _ in 0..ROUNDS {
        let mut data = seeds[below(seeds.len())].clone();
        let other = &seeds[below(seeds.len())];
        for _ in 0..below(4) {
            let at = below(data.len().max(1)).min(data.len());
            match below(4) {
                0 => data.truncate(at),
                1 => data.extend_from_slice(&other[below(other.len())..]),
                2 => data.insert(at, below(256) as u8),
                _ => data
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte ^= 1 << (at % 8)),
            }
        }
        for fuzz in [
            fuzz_note,
            fuzz_checkpoint,
            fuzz_tile_path,
            fuzz_bundle,
            fuzz_proof,
            fuzz_quorum,
        ] {
            fuzz(&data);
        }
    }
}
