//! DIMSE command sets: reading, writing, and the names of commands and status codes (PS3.7).
//!
//! A command set is a flat list of group 0000 elements in Implicit VR Little Endian. It is read
//! here element by element, so that a peer's bytes never become an object tree.

use super::uid::{Uid, UidError};
use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// Largest command set. Those of C-ECHO and C-STORE have some 200 bytes.
pub const COMMAND_MAX: usize = 16 * 1024;

/// Command fields (PS3.7 section E.1).
pub mod command {
    /// C-STORE-RQ.
    pub const C_STORE_RQ: u16 = 0x0001;
    /// C-ECHO-RQ.
    pub const C_ECHO_RQ: u16 = 0x0030;
    /// C-CANCEL-RQ.
    pub const C_CANCEL_RQ: u16 = 0x0fff;
    /// Set in the command field of every response.
    pub const RESPONSE: u16 = 0x8000;
}

/// Status codes (PS3.7 annex C, PS3.4 section B.2.3).
pub mod status {
    /// Success.
    pub const SUCCESS: u16 = 0x0000;
    /// Processing failure.
    pub const PROCESSING_FAILURE: u16 = 0x0110;
    /// Invalid object instance: the announced instance UID is none.
    pub const INVALID_INSTANCE: u16 = 0x0117;
    /// SOP class not supported on this presentation context.
    pub const CLASS_NOT_SUPPORTED: u16 = 0x0122;
    /// Not authorized.
    pub const NOT_AUTHORIZED: u16 = 0x0124;
    /// Unrecognized operation.
    pub const UNRECOGNIZED_OPERATION: u16 = 0x0211;
    /// Mistyped argument: a required field is missing or wrong.
    pub const MISTYPED_ARGUMENT: u16 = 0x0212;
    /// Refused: out of resources.
    pub const OUT_OF_RESOURCES: u16 = 0xa700;
    /// Error: data set does not match SOP class.
    pub const CLASS_MISMATCH: u16 = 0xa900;
    /// Error: cannot understand.
    pub const CANNOT_UNDERSTAND: u16 = 0xc000;
    /// Error: cannot understand, for an instance UID that is already stored with other content.
    pub const CONFLICTING_INSTANCE: u16 = 0xc001;

    /// Whether the code says that the instance is kept: success or a warning (PS3.7 annex C.1,
    /// PS3.4 table B.2-1).
    pub const fn is_kept(status: u16) -> bool {
        matches!(status, SUCCESS | 0x0001 | 0x0107 | 0x0116 | 0xb000..=0xbfff)
    }
}

/// Command Data Set Type of a message without data set (PS3.7 section E.1).
const NO_DATASET: u16 = 0x0101;

/// Priority MEDIUM.
const PRIORITY_MEDIUM: u16 = 0x0000;

/// The elements of a command set that this node uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// Command Field (0000,0100).
    pub field: u16,
    /// Message ID (0000,0110), or Message ID Being Responded To (0000,0120) in a response.
    pub message_id: u16,
    /// Whether a data set follows (0000,0800).
    pub has_dataset: bool,
    /// Status (0000,0900) of a response.
    pub status: Option<u16>,
    /// Affected or Requested SOP Class UID.
    pub sop_class: Option<Result<Uid, UidError>>,
    /// Affected or Requested SOP Instance UID.
    pub sop_instance: Option<Result<Uid, UidError>>,
}

/// Why bytes are no command set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DimseError {
    /// An element reaches past the end.
    #[error("the command set is truncated")]
    Truncated,
    /// An element outside group 0000.
    #[error("the command set holds element {tag}")]
    ForeignElement {
        /// The element.
        tag: Tag,
    },
    /// A required element is missing or has the wrong length.
    #[error("the command set's element {tag} is missing or wrong")]
    BadElement {
        /// The element.
        tag: Tag,
    },
}

impl Command {
    /// Reads a command set (at most [`COMMAND_MAX`] bytes, which the caller bounds).
    ///
    /// # Errors
    /// [`DimseError`].
    pub fn parse(mut bytes: &[u8]) -> Result<Self, DimseError> {
        let mut found = Self::default();
        let (mut field, mut message_id, mut dataset_type) = (None, None, None);
        while let Some((tag, value, rest)) = next_element(bytes)? {
            bytes = rest;
            let number = || {
                <[u8; 2]>::try_from(value)
                    .map(u16::from_le_bytes)
                    .map_err(|_| DimseError::BadElement { tag })
            };
            match tag {
                tags::COMMAND_FIELD => field = Some(number()?),
                tags::MESSAGE_ID | tags::MESSAGE_ID_BEING_RESPONDED_TO => {
                    message_id = Some(number()?);
                }
                tags::COMMAND_DATA_SET_TYPE => dataset_type = Some(number()?),
                tags::STATUS => found.status = Some(number()?),
                tags::AFFECTED_SOP_CLASS_UID | tags::REQUESTED_SOP_CLASS_UID => {
                    found.sop_class = Some(Uid::from_value(value));
                }
                tags::AFFECTED_SOP_INSTANCE_UID | tags::REQUESTED_SOP_INSTANCE_UID => {
                    found.sop_instance = Some(Uid::from_value(value));
                }
                Tag(0x0000, _) => {}
                tag => return Err(DimseError::ForeignElement { tag }),
            }
        }
        found.field = field.ok_or(DimseError::BadElement {
            tag: tags::COMMAND_FIELD,
        })?;
        // C-CANCEL names the message that it cancels; nothing else may be without a number.
        found.message_id = message_id.ok_or(DimseError::BadElement {
            tag: tags::MESSAGE_ID,
        })?;
        let dataset_type = dataset_type.ok_or(DimseError::BadElement {
            tag: tags::COMMAND_DATA_SET_TYPE,
        })?;
        found.has_dataset = dataset_type != NO_DATASET;
        Ok(found)
    }

    /// The response to this request, as bytes. `comment` goes into Error Comment (0000,0902) and
    /// must be fixed text: it ends in a peer's log.
    pub fn response(&self, status: u16, comment: Option<&'static str>) -> Vec<u8> {
        let mut set = CommandSet::default();
        if let Some(Ok(uid)) = &self.sop_class {
            set.uid(tags::AFFECTED_SOP_CLASS_UID, uid);
        }
        set.number(tags::COMMAND_FIELD, self.field | command::RESPONSE);
        set.number(tags::MESSAGE_ID_BEING_RESPONDED_TO, self.message_id);
        set.number(tags::COMMAND_DATA_SET_TYPE, NO_DATASET);
        set.number(tags::STATUS, status);
        if let Some(comment) = comment {
            set.text(tags::ERROR_COMMENT, comment);
        }
        if let Some(Ok(uid)) = &self.sop_instance {
            set.uid(tags::AFFECTED_SOP_INSTANCE_UID, uid);
        }
        set.finish()
    }
}

/// A C-ECHO-RQ (PS3.7 section 9.3.5.1).
pub fn echo_request(message_id: u16) -> Vec<u8> {
    let mut set = CommandSet::default();
    set.text(
        tags::AFFECTED_SOP_CLASS_UID,
        dicom_dictionary_std::uids::VERIFICATION,
    );
    set.number(tags::COMMAND_FIELD, command::C_ECHO_RQ);
    set.number(tags::MESSAGE_ID, message_id);
    set.number(tags::COMMAND_DATA_SET_TYPE, NO_DATASET);
    set.finish()
}

/// A C-STORE-RQ (PS3.7 section 9.3.1.1); its data set follows.
pub fn store_request(message_id: u16, sop_class: &Uid, sop_instance: &Uid) -> Vec<u8> {
    let mut set = CommandSet::default();
    set.uid(tags::AFFECTED_SOP_CLASS_UID, sop_class);
    set.number(tags::COMMAND_FIELD, command::C_STORE_RQ);
    set.number(tags::MESSAGE_ID, message_id);
    set.number(tags::PRIORITY, PRIORITY_MEDIUM);
    // Any value but `NO_DATASET` says that a data set follows.
    set.number(tags::COMMAND_DATA_SET_TYPE, 0x0000);
    set.uid(tags::AFFECTED_SOP_INSTANCE_UID, sop_instance);
    set.finish()
}

/// The next element of a command set: tag, value, and what follows.
type Element<'a> = (Tag, &'a [u8], &'a [u8]);

fn next_element(bytes: &[u8]) -> Result<Option<Element<'_>>, DimseError> {
    let [a, b, c, d, l0, l1, l2, l3, rest @ ..] = bytes else {
        return if bytes.is_empty() {
            Ok(None)
        } else {
            Err(DimseError::Truncated)
        };
    };
    let tag = Tag(u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d]));
    let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
    let (value, rest) = rest.split_at_checked(length).ok_or(DimseError::Truncated)?;
    Ok(Some((tag, value, rest)))
}

/// A command set being written; elements must come in ascending order.
#[derive(Default)]
struct CommandSet(Vec<u8>);

impl CommandSet {
    fn element(&mut self, tag: Tag, value: &[u8], padding: u8) {
        let padded = value.len().next_multiple_of(2);
        self.0.extend(tag.group().to_le_bytes());
        self.0.extend(tag.element().to_le_bytes());
        self.0.extend((padded as u32).to_le_bytes());
        self.0.extend(value);
        self.0
            .extend(std::iter::repeat_n(padding, padded - value.len()));
    }

    fn uid(&mut self, tag: Tag, uid: &Uid) {
        self.element(tag, uid.as_str().as_bytes(), 0);
    }

    fn text(&mut self, tag: Tag, text: &str) {
        let padding = if tag == tags::ERROR_COMMENT { b' ' } else { 0 };
        self.element(tag, text.as_bytes(), padding);
    }

    fn number(&mut self, tag: Tag, number: u16) {
        self.element(tag, &number.to_le_bytes(), 0);
    }

    /// The set with its group length in front (0000,0000).
    fn finish(self) -> Vec<u8> {
        let mut whole = Self::default();
        let length = self.0.len() as u32;
        whole.element(tags::COMMAND_GROUP_LENGTH, &length.to_le_bytes(), 0);
        whole.0.extend(self.0);
        whole.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_responses_read_back() {
        let class = Uid::parse("1.2.840.10008.5.1.4.1.1.2").expect("valid");
        let instance = Uid::parse("2.25.7").expect("valid");
        let request = Command::parse(&store_request(9, &class, &instance)).expect("ours");
        assert_eq!(
            (request.field, request.message_id),
            (command::C_STORE_RQ, 9)
        );
        assert!(request.has_dataset);
        assert_eq!(request.sop_instance, Some(Ok(instance)));
        let response = request.response(status::OUT_OF_RESOURCES, Some("disk is full"));
        let response = Command::parse(&response).expect("ours");
        assert_eq!(response.field, command::C_STORE_RQ | command::RESPONSE);
        assert_eq!((response.message_id, response.status), (9, Some(0xa700)));
        assert!(!response.has_dataset);
        assert_eq!(
            Command::parse(&echo_request(1)).map(|c| c.field),
            Ok(command::C_ECHO_RQ)
        );
    }

    #[test]
    fn broken_sets_are_refused() {
        let echo = echo_request(1);
        for end in 1..echo.len() {
            assert!(Command::parse(&echo[..end]).is_err(), "cut at {end}");
        }
        let field = DimseError::BadElement {
            tag: tags::COMMAND_FIELD,
        };
        assert_eq!(Command::parse(b""), Err(field));
        let huge = b"\0\0\0\x01\xff\xff\xff\xff";
        assert_eq!(Command::parse(huge), Err(DimseError::Truncated));
        let foreign = DimseError::ForeignElement { tag: Tag(8, 5) };
        assert_eq!(Command::parse(b"\x08\0\x05\0\0\0\0\0"), Err(foreign));
        assert_eq!(Command::parse(b"\0\0\0\x01\x01\0\0\0\x01"), Err(field));
    }

    #[test]
    fn warnings_keep_and_failures_do_not() {
        for kept in [0x0000, 0xb000, 0xb006, 0xb007, 0x0107] {
            assert!(status::is_kept(kept), "{kept:04x}");
        }
        for lost in [
            0x0110, 0x0111, 0x0124, 0xa700, 0xa900, 0xc000, 0xfe00, 0xff00,
        ] {
            assert!(!status::is_kept(lost), "{lost:04x}");
        }
    }
}
