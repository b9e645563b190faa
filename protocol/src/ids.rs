//! Identifiers: one newtype each, so that a case is never mistaken for an offer.

use std::fmt;

/// Implements a fixed-size identifier: construction from bytes, access, hex text, wire reading.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Takes the identifier's bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Takes bytes off the wire; `None` unless the length is exact.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Reads the lower-case or upper-case hexadecimal form.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0; $len];
                hex_into(text, &mut bytes).then_some(Self(bytes))
            }

            /// The identifier's bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The identifier's bytes, owned, as wire messages want them.
            #[must_use]
            pub fn to_vec(&self) -> Vec<u8> {
                self.0.to_vec()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(
    /// A node: its Ed25519 transport public key. The shell converts it to a libp2p PeerId.
    NodeId,
    32
);
id!(
    /// A person: the Ed25519 public key that signs receipts and reports.
    PersonId,
    32
);
id!(
    /// A case: random, chosen by the hospital that owns it.
    CaseId,
    16
);
id!(
    /// An offer: random for each recipient, so that two readers cannot link what they were offered.
    OfferId,
    16
);
id!(
    /// An order as the hospital keeps it: a keyed digest of what identifies it there.
    OrderId,
    16
);
id!(
    /// A study as the hospital keeps it: a keyed digest of its Study Instance UID.
    StudyId,
    16
);
id!(
    /// A patient as the hospital keeps them: a keyed digest of the patient identifier and its
    /// issuer. Names the key under which a log payload is sealed.
    SubjectId,
    32
);

/// A lease's fence: the index of its grant's entry in the owner's log. A restored counter cannot
/// repeat it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fence {}", self.0)
    }
}

/// Reads exactly `out.len()` bytes of hexadecimal; false on any other text.
fn hex_into(text: &str, out: &mut [u8]) -> bool {
    let digits = text.as_bytes();
    if digits.len() != out.len() * 2 {
        return false;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else {
            return false;
        };
        *byte = high << 4 | low;
    }
    true
}

/// The value of one hexadecimal digit.
const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_exact() {
        let id = CaseId::from_bytes([0xab; 16]);
        assert_eq!(CaseId::from_hex(&id.to_string()), Some(id));
        assert_eq!(CaseId::from_hex("ab"), None);
        assert_eq!(CaseId::from_hex(&"zz".repeat(16)), None);
        assert_eq!(CaseId::from_slice(&[0; 15]), None);
    }
}
