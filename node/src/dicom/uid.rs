//! `Uid`: the only form in which a peer's identifier text becomes a key, a name or a URL part.

use std::fmt;

/// Longest UID (PS3.5 section 9.1).
pub const UID_LEN_MAX: usize = 64;

/// A DICOM unique identifier: digits and dots, 1 to 64 characters, no empty component
/// (PS3.5 section 9.1).
///
/// Leading zeros in a component are against the standard but harmless and in circulation, so
/// they are kept as received: two spellings stay two identifiers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Box<str>);

/// Why a text is no UID. The text itself is not repeated: it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UidError {
    /// Nothing but padding.
    #[error("the identifier is empty")]
    Empty,
    /// More than [`UID_LEN_MAX`] characters.
    #[error("the identifier has {length} characters, the limit is 64")]
    TooLong {
        /// Characters found, padding not counted.
        length: usize,
    },
    /// A character other than a digit or a dot.
    #[error("the identifier holds a character that is no digit or dot, at {position}")]
    Character {
        /// Zero-based position of the first such character.
        position: usize,
    },
    /// Two dots in a row, or a dot at an end.
    #[error("the identifier has an empty component")]
    EmptyComponent,
}

impl Uid {
    /// Reads a UID from text without padding.
    ///
    /// # Errors
    /// [`UidError`] says which rule of PS3.5 section 9.1 is broken.
    pub fn parse(text: &str) -> Result<Self, UidError> {
        if text.is_empty() {
            return Err(UidError::Empty);
        }
        if text.len() > UID_LEN_MAX {
            return Err(UidError::TooLong { length: text.len() });
        }
        if let Some(position) = text
            .bytes()
            .position(|b| !(b.is_ascii_digit() || b == b'.'))
        {
            return Err(UidError::Character { position });
        }
        if text.split('.').any(str::is_empty) {
            return Err(UidError::EmptyComponent);
        }
        Ok(Self(text.into()))
    }

    /// Reads a UID from an element's value: trailing NULs and spaces are padding
    /// (the standard pads with one NUL; spaces are a common mistake).
    ///
    /// # Errors
    /// As [`Uid::parse`].
    pub fn from_value(value: &[u8]) -> Result<Self, UidError> {
        let end = value
            .iter()
            .rposition(|b| *b != 0 && *b != b' ')
            .map_or(0, |last| last + 1);
        let value = &value[..end];
        match std::str::from_utf8(value) {
            Ok(text) => Self::parse(text),
            Err(e) => Err(UidError::Character {
                position: e.valid_up_to(),
            }),
        }
    }

    /// A UID under the root 2.25, which takes any 128-bit number (PS3.5 section B.2).
    pub fn from_u128(number: u128) -> Self {
        Self(format!("2.25.{number}").into())
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Uid {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uid({})", self.0)
    }
}

impl std::str::FromStr for Uid {
    type Err = UidError;

    fn from_str(text: &str) -> Result<Self, UidError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_the_standard_and_the_field_write() {
        for text in [
            "1",
            "1.2.840.10008.1.2",
            "2.25.0",
            "1.02.3",
            &"1".repeat(64),
        ] {
            assert_eq!(Uid::parse(text).map(|u| u.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(
            Uid::from_value(b"1.2\0").map(|u| u.to_string()),
            Ok("1.2".to_owned())
        );
        assert_eq!(
            Uid::from_value(b"1.2 ").map(|u| u.to_string()),
            Ok("1.2".to_owned())
        );
    }

    #[test]
    fn refuses_by_rule() {
        assert_eq!(Uid::parse(""), Err(UidError::Empty));
        assert_eq!(Uid::from_value(b"\0 "), Err(UidError::Empty));
        assert_eq!(
            Uid::parse(&"1".repeat(65)),
            Err(UidError::TooLong { length: 65 })
        );
        assert_eq!(Uid::parse("../1"), Err(UidError::Character { position: 2 }));
        assert_eq!(
            Uid::parse("1.2/3"),
            Err(UidError::Character { position: 3 })
        );
        assert_eq!(
            Uid::from_value(b" 1.2"),
            Err(UidError::Character { position: 0 })
        );
        assert_eq!(
            Uid::from_value(b"1.\xff"),
            Err(UidError::Character { position: 2 })
        );
        for text in [".", "..", ".1", "1.", "1..2"] {
            assert_eq!(Uid::parse(text), Err(UidError::EmptyComponent), "{text}");
        }
    }

    #[test]
    fn largest_number_fits() {
        let uid = Uid::from_u128(u128::MAX);
        assert_eq!(Uid::parse(uid.as_str()), Ok(uid));
    }
}
