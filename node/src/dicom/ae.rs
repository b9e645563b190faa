//! `AeTitle`: the name of an application entity (PS3.8 section 9.3.2, PS3.5 table 6.2-1).

use std::fmt;

/// Longest title.
pub const AE_TITLE_MAX: usize = 16;

/// An application entity's title: 1 to 16 printable ASCII characters, no backslash, outer
/// spaces not significant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AeTitle(Box<str>);

/// Why a text is no AE title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AeTitleError {
    /// Nothing but spaces.
    #[error("the AE title is empty")]
    Empty,
    /// More than [`AE_TITLE_MAX`] characters.
    #[error("the AE title has {length} characters, the limit is 16")]
    TooLong {
        /// Characters found, outer spaces not counted.
        length: usize,
    },
    /// A control character, a backslash, or a character outside ASCII.
    #[error("the AE title holds a character that is not allowed")]
    Character,
}

impl AeTitle {
    /// Reads a title; outer spaces and NULs are padding.
    ///
    /// # Errors
    /// [`AeTitleError`].
    pub fn parse(text: &str) -> Result<Self, AeTitleError> {
        let text = text.trim_matches([' ', '\0']);
        if text.is_empty() {
            return Err(AeTitleError::Empty);
        }
        if text.len() > AE_TITLE_MAX {
            return Err(AeTitleError::TooLong { length: text.len() });
        }
        if text
            .bytes()
            .any(|b| !(b' '..=b'~').contains(&b) || b == b'\\')
        {
            return Err(AeTitleError::Character);
        }
        Ok(Self(text.into()))
    }

    /// The characters without padding.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AeTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AeTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AeTitle({})", self.0)
    }
}

impl std::str::FromStr for AeTitle {
    type Err = AeTitleError;

    fn from_str(text: &str) -> Result<Self, AeTitleError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_checked() {
        assert_eq!(
            AeTitle::parse(" CT 1  ").map(|t| t.to_string()),
            Ok("CT 1".to_owned())
        );
        assert_eq!(AeTitle::parse("  "), Err(AeTitleError::Empty));
        assert_eq!(
            AeTitle::parse(&"A".repeat(17)),
            Err(AeTitleError::TooLong { length: 17 })
        );
        assert_eq!(AeTitle::parse("A\\B"), Err(AeTitleError::Character));
        assert_eq!(AeTitle::parse("A\nB"), Err(AeTitleError::Character));
        assert_eq!(AeTitle::parse("é"), Err(AeTitleError::Character));
    }
}
