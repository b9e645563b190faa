//! Whether a log that starts is the newest there was: an old copy that is appended to is a fork.
//!
//! Before its first entry a node hears its witnesses. What the log itself once signed proves that a
//! copy is old. A witness's bare word proves nothing; but when so many say it that the others make
//! no quorum, then nothing that this copy appends would ever be cosigned.

use std::collections::{BTreeMap, BTreeSet};

use crypto::digest::Digest;
use crypto::log::checkpoint::SignedCheckpoint;
use crypto::log::merkle::TreeHead;
use crypto::log::quorum::Quorum;
use crypto::note::{KeyName, VerifierKey};

use super::witness::AnswerError;

/// What one witness says of this log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It knows nothing beyond this log's head: it cosigned it, or never heard of the log.
    Agrees,
    /// It says that it holds a larger tree, of this size.
    Larger(u64),
    /// It says that this log's head does not continue what it holds.
    Disagrees,
    /// It shows a checkpoint with the log's own signature that this log does not reach, of this
    /// size.
    Proves(u64),
}

impl Word {
    /// Whether it says, without a proof, that this log is not the newest.
    #[must_use]
    pub const fn accuses(&self) -> bool {
        matches!(self, Self::Larger(_) | Self::Disagrees)
    }

    /// What a refused `add-checkpoint` says of a log with `own` as its head; `None` when it says
    /// nothing of the two trees.
    #[must_use]
    pub const fn of(error: &AnswerError, own: &TreeHead) -> Option<Self> {
        match error {
            AnswerError::Holds(held) if *held > own.size => Some(Self::Larger(*held)),
            AnswerError::Refused(INCONSISTENT) => Some(Self::Disagrees),
            AnswerError::Holds(_)
            | AnswerError::Refused(_)
            | AnswerError::TooLong
            | AnswerError::Malformed
            | AnswerError::Cosignature(_) => None,
        }
    }

    /// What the checkpoint says that a witness holds of the log with this key. Bytes that the log
    /// did not sign say nothing. `root` gives the root of the log's own tree at a size that it has;
    /// `None` when it cannot be read.
    #[must_use]
    pub fn shown(
        checkpoint: &[u8],
        log: &VerifierKey,
        own: &TreeHead,
        root: impl FnOnce(u64) -> Option<Digest>,
    ) -> Option<Self> {
        let signed = SignedCheckpoint::open(checkpoint, log).ok()?;
        if signed.checkpoint().origin != *log.name() {
            return None;
        }
        let head = signed.head();
        if head.size > own.size {
            return Some(Self::Proves(head.size));
        }
        Some(match root(head.size)? == head.root {
            true => Self::Agrees,
            false => Self::Proves(head.size),
        })
    }
}

/// The status of c2sp.org/tlog-witness for a proof that does not hold.
const INCONSISTENT: u16 = 422;

/// What all that was heard comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A quorum agrees: any larger tree that was ever cosigned would be known to one of them.
    Newest,
    /// Too few were heard to say.
    Unknown,
    /// This is an old copy, or another tree than the one that was cosigned. Nothing may be
    /// appended.
    Old(OldCopy),
}

/// Why a log must not be appended to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OldCopy {
    /// The log signed more than it has.
    #[error(
        "this log has {size} entries and signed a checkpoint of {signed} that is not in it, which \
         {witness} shows: an old copy was restored; stop here, and restore the newest copy"
    )]
    Proved {
        /// The log's size.
        size: u64,
        /// The size that it signed.
        signed: u64,
        /// Who shows it.
        witness: KeyName,
    },
    /// Too many witnesses hold another tree for the rest to be a quorum.
    #[error(
        "this log has {size} entries and {witnesses} of its witnesses hold a larger or another \
         tree of it: an old copy was restored; stop here, and restore the newest copy"
    )]
    Outvoted {
        /// The log's size.
        size: u64,
        /// How many say so.
        witnesses: usize,
    },
}

/// Weighs what was heard. `words` has the names of the witnesses' keys; those that the quorum file
/// does not list are not heard, except with a proof.
#[must_use]
pub fn weigh(own: &TreeHead, quorum: &Quorum, words: &BTreeMap<KeyName, Word>) -> Standing {
    for (witness, word) in words {
        if let Word::Proves(signed) = *word {
            return Standing::Old(OldCopy::Proved {
                size: own.size,
                signed,
                witness: witness.clone(),
            });
        }
    }
    let word_of = |key: &VerifierKey| words.get(key.name()).copied();
    let named = |wanted: fn(Option<Word>) -> bool| -> BTreeSet<&str> {
        let all = quorum.witnesses().iter();
        let those = all.filter(|one| wanted(word_of(&one.key)));
        those.map(|one| one.name.as_str()).collect()
    };
    let others = named(|word| !word.is_some_and(|word| word.accuses()));
    if !quorum.shortfalls(&others).is_empty() {
        return Standing::Old(OldCopy::Outvoted {
            size: own.size,
            witnesses: named(|word| word.is_some_and(|word| word.accuses())).len(),
        });
    }
    let agreed = named(|word| word == Some(Word::Agrees));
    match quorum.shortfalls(&agreed).is_empty() {
        true => Standing::Newest,
        false => Standing::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::keys::SigningKey;
    use crypto::log::checkpoint::Checkpoint;
    use crypto::note::KeyType;

    fn name(text: &str) -> KeyName {
        KeyName::new(text).expect("a name")
    }

    fn witness(n: u8) -> VerifierKey {
        let key = SigningKey::from_seed(&[n; 32]).verifying_key();
        VerifierKey::new(name(&format!("w{n}.example")), KeyType::Cosignature, key)
    }

    /// Three of four witnesses.
    fn quorum() -> Quorum {
        let lines: String = (1..=4)
            .map(|n| format!("witness w{n} {}\n", witness(n)))
            .collect();
        let text = format!("{lines}group all 3 w1 w2 w3 w4\nquorum all\n");
        Quorum::parse(text.as_bytes()).expect("a quorum file")
    }

    fn own() -> TreeHead {
        TreeHead {
            size: 10,
            root: Digest::sha256(b"ten"),
        }
    }

    fn words(said: &[(u8, Word)]) -> BTreeMap<KeyName, Word> {
        let said = said.iter();
        said.map(|(n, word)| (witness(*n).name().clone(), *word))
            .collect()
    }

    fn standing(said: &[(u8, Word)]) -> Standing {
        weigh(&own(), &quorum(), &words(said))
    }

    #[test]
    fn a_quorum_that_agrees_is_enough_and_less_is_not() {
        use Word::Agrees;
        let three = [(1, Agrees), (2, Agrees), (4, Agrees)];
        assert_eq!(standing(&three), Standing::Newest);
        assert_eq!(standing(&three[..2]), Standing::Unknown);
        assert_eq!(standing(&[]), Standing::Unknown);
        let none = Quorum::parse(b"quorum none\n").expect("a quorum file");
        assert_eq!(weigh(&own(), &none, &BTreeMap::new()), Standing::Newest);
    }

    #[test]
    fn one_word_stops_nothing_and_two_of_four_do() {
        use Word::{Agrees, Disagrees, Larger};
        assert_eq!(standing(&[(1, Larger(11))]), Standing::Unknown);
        let one = [(1, Larger(11)), (2, Agrees), (3, Agrees), (4, Agrees)];
        assert_eq!(standing(&one), Standing::Newest);
        let two = [(1, Larger(11)), (2, Disagrees), (3, Agrees), (4, Agrees)];
        let outvoted = OldCopy::Outvoted {
            size: 10,
            witnesses: 2,
        };
        assert_eq!(standing(&two), Standing::Old(outvoted));
    }

    #[test]
    fn one_proof_stops_all() {
        use Word::{Agrees, Proves};
        let said = [(1, Agrees), (2, Agrees), (3, Agrees), (4, Proves(11))];
        let proved = OldCopy::Proved {
            size: 10,
            signed: 11,
            witness: witness(4).name().clone(),
        };
        assert_eq!(standing(&said), Standing::Old(proved));
    }

    #[test]
    fn only_what_the_log_signed_is_a_proof() {
        let (key, other) = (
            SigningKey::from_seed(&[9; 32]),
            SigningKey::from_seed(&[8; 32]),
        );
        let log = VerifierKey::new(name("log.example"), KeyType::Ed25519, key.verifying_key());
        let signed = |origin: &str, size, root: &[u8], key: &SigningKey| {
            let head = TreeHead {
                size,
                root: Digest::sha256(root),
            };
            let origin = name(origin);
            Checkpoint { origin, head }.sign(key).encode()
        };
        let roots = |size| match size {
            9 => Some(Digest::sha256(b"nine")),
            10 => Some(own().root),
            _ => None,
        };
        let shown = |bytes: &[u8]| Word::shown(bytes, &log, &own(), roots);
        let larger = signed("log.example", 11, b"eleven", &key);
        assert_eq!(shown(&larger), Some(Word::Proves(11)));
        let fork = signed("log.example", 10, b"other", &key);
        assert_eq!(shown(&fork), Some(Word::Proves(10)));
        let same = signed("log.example", 10, b"ten", &key);
        assert_eq!(shown(&same), Some(Word::Agrees));
        let older = signed("log.example", 9, b"nine", &key);
        assert_eq!(shown(&older), Some(Word::Agrees));
        let forked = signed("log.example", 9, b"other", &key);
        assert_eq!(shown(&forked), Some(Word::Proves(9)));
        let unread = signed("log.example", 8, b"eight", &key);
        assert_eq!(shown(&unread), None);
        for bytes in [
            signed("log.example", 11, b"eleven", &other),
            signed("other.example", 11, b"eleven", &key),
            larger[..larger.len() - 9].to_vec(),
            Vec::new(),
        ] {
            assert_eq!(shown(&bytes), None);
        }
    }

    #[test]
    fn a_refusal_says_something_of_the_trees_or_nothing() {
        let of = |error| Word::of(&error, &own());
        assert_eq!(of(AnswerError::Holds(11)), Some(Word::Larger(11)));
        assert_eq!(of(AnswerError::Holds(10)), None);
        assert_eq!(of(AnswerError::Refused(422)), Some(Word::Disagrees));
        assert_eq!(of(AnswerError::Refused(429)), None);
        assert_eq!(of(AnswerError::Malformed), None);
    }

    #[test]
    fn a_damaged_checkpoint_proves_nothing_but_what_the_log_signed() {
        let key = SigningKey::from_seed(&[9; 32]);
        let log = VerifierKey::new(name("log.example"), KeyType::Ed25519, key.verifying_key());
        let head = TreeHead {
            size: 11,
            root: Digest::sha256(b"eleven"),
        };
        let origin = name("log.example");
        let good = Checkpoint { origin, head }.sign(&key).encode();
        let shown = |bytes: &[u8]| Word::shown(bytes, &log, &own(), |_| None);
        assert_eq!(shown(&good), Some(Word::Proves(11)));
        for place in 0..good.len() {
            assert_eq!(shown(&good[..place]), None, "cut at {place}");
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[place] ^= 1 << bit;
                assert_eq!(shown(&bad), None, "bit {bit} of byte {place}");
            }
        }
    }
}
