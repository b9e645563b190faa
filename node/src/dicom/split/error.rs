//! Why a data set is refused, in words that hold nothing of its content.

#[cfg(doc)]
use super::{DEPTH_MAX, FIELD_MAX, FRAGMENTS_MAX, HEADER_MAX};
use crate::dicom::uid::UidError;
use dicom_core::Tag;
use std::io;

/// Why a data set cannot be split. No variant carries a value from the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The source could not be read.
    #[error("reading the data set failed: {0}")]
    Read(io::ErrorKind),
    /// A deflated data set must be inflated before it is split.
    #[error("the data set is deflated")]
    StillDeflated,
    /// The data ends inside a header or a value.
    #[error("the data set is truncated at {position}")]
    Truncated {
        /// Where the incomplete part begins.
        position: u64,
    },
    /// A sequence, item or value reaches past the end of what holds it.
    #[error("a value at {position} is longer than its sequence or item")]
    Overrun {
        /// Where it begins.
        position: u64,
    },
    /// An item header or delimiter where none belongs, or the reverse.
    #[error("a misplaced item or delimiter at {position}")]
    BadItem {
        /// Where it begins.
        position: u64,
    },
    /// A plain value of undefined length.
    #[error("element {tag} has an undefined length and is no sequence")]
    UndefinedLength {
        /// The element.
        tag: Tag,
    },
    /// Command, file meta or directory-less groups inside a data set.
    #[error("element {tag} does not belong into a data set")]
    ForeignGroup {
        /// The element.
        tag: Tag,
    },
    /// Sequences nested deeper than [`DEPTH_MAX`].
    #[error("sequences are nested too deep")]
    TooDeep,
    /// More than [`HEADER_MAX`] bytes besides bulk values.
    #[error("the header is too large")]
    HeaderTooLarge,
    /// More than [`FRAGMENTS_MAX`] fragments.
    #[error("the pixel data has too many fragments")]
    TooManyFragments,
    /// A bulk element is there twice.
    #[error("element {tag} is there twice")]
    DuplicateBulk {
        /// The element.
        tag: Tag,
    },
    /// An identifying element is there twice with different values.
    #[error("element {tag} is there twice with different values")]
    Conflict {
        /// The element.
        tag: Tag,
    },
    /// A field is longer than [`FIELD_MAX`].
    #[error("the value of element {tag} is too long")]
    FieldTooLong {
        /// The element.
        tag: Tag,
    },
    /// One of the four UIDs of an instance is absent.
    #[error("element {tag} is missing")]
    MissingUid {
        /// The element.
        tag: Tag,
    },
    /// One of the four UIDs of an instance is no UID.
    #[error("element {tag} is no unique identifier: {reason}")]
    InvalidUid {
        /// The element.
        tag: Tag,
        /// The rule that it breaks.
        reason: UidError,
    },
}

impl From<io::Error> for SplitError {
    fn from(error: io::Error) -> Self {
        Self::Read(error.kind())
    }
}
