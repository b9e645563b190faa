//! How records become bytes before they are sealed: fixed-width big-endian numbers and
//! length-prefixed byte strings, in the order the type states. One value has one encoding.

use zeroize::Zeroizing;

/// Longest byte string in a record, so that a damaged length cannot ask for more than this. A
/// header is the longest thing stored; its own limit lies below.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why the bytes of a record were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The record is shorter than its type.
    #[error("record is cut short")]
    Short,
    /// The record is longer than its type.
    #[error("record has bytes after its end")]
    Long,
    /// A value that no program of ours wrote.
    #[error("record holds an impossible {0}")]
    Value(&'static str),
    /// A newer program wrote this record.
    #[error("record has version {found}, this program knows up to {known}")]
    Newer {
        /// The version in the record.
        found: u8,
        /// The newest version this program reads.
        known: u8,
    },
    /// Version zero is no version.
    #[error("record has no version")]
    Unversioned,
    /// The seal does not open: changed bytes, another place, or another key.
    #[error("record's seal is broken")]
    Seal,
}

/// A type that rests in the index. The version stands in clear before the sealed bytes, and is
/// bound by the seal.
///
/// A changed layout takes the next `VERSION`; `decode` then keeps reading every older one and
/// returns the type as it is today, so that old records stay readable for ever and are rewritten
/// only when they change.
pub trait Stored: Sized {
    /// The version that `encode` writes. Starts at 1.
    const VERSION: u8;

    /// Appends the record's fields.
    fn encode(&self, writer: &mut Writer);

    /// Reads the fields of a record of `version` (1 to `VERSION`), migrating older ones.
    ///
    /// # Errors
    /// `RecordError` when the bytes are not such a record.
    fn decode(version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError>;
}

/// Encodes a record's fields. The buffer is overwritten when it is dropped: records hold keys.
pub fn encode<T: Stored>(record: &T) -> Zeroizing<Vec<u8>> {
    let mut writer = Writer {
        bytes: Zeroizing::new(Vec::with_capacity(512)),
    };
    record.encode(&mut writer);
    writer.bytes
}

/// Decodes a record of the given version, all of it.
///
/// # Errors
/// `RecordError`, by what is wrong.
pub fn decode<T: Stored>(version: u8, bytes: &[u8]) -> Result<T, RecordError> {
    if version == 0 {
        return Err(RecordError::Unversioned);
    }
    if version > T::VERSION {
        return Err(RecordError::Newer {
            found: version,
            known: T::VERSION,
        });
    }
    let mut reader = Reader { bytes };
    let record = T::decode(version, &mut reader)?;
    if reader.bytes.is_empty() {
        Ok(record)
    } else {
        Err(RecordError::Long)
    }
}

/// Collects a record's fields.
pub struct Writer {
    bytes: Zeroizing<Vec<u8>>,
}

impl Writer {
    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Eight bytes, big-endian two's complement.
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A fixed number of bytes, without a length.
    pub fn array<const N: usize>(&mut self, value: &[u8; N]) {
        self.bytes.extend_from_slice(value);
    }

    /// A byte string: u32 length, then the bytes. Callers bound what they store far below 4 GiB.
    pub fn bytes(&mut self, value: &[u8]) {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        debug_assert!(
            value.len() <= BYTES_MAX,
            "a record field is bounded by its owner"
        );
        self.u32(length);
        self.bytes.extend_from_slice(value);
    }

    /// A text, as its UTF-8 bytes.
    pub fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// How many items follow: u32. Callers bound their lists far below 2^32.
    pub fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// An optional number: a byte that says whether it is there, then the number.
    pub fn optional_i64(&mut self, value: Option<i64>) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            self.i64(value);
        }
    }
}

/// Takes a record's fields off its bytes.
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// One byte.
    ///
    /// # Errors
    /// `RecordError::Short` at the end of the record; so for all fixed-width fields.
    pub fn u8(&mut self) -> Result<u8, RecordError> {
        Ok(self.array::<1>()?[0])
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    /// `RecordError::Short`.
    pub fn u32(&mut self) -> Result<u32, RecordError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// `RecordError::Short`.
    pub fn u64(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Eight bytes, big-endian two's complement.
    ///
    /// # Errors
    /// `RecordError::Short`.
    pub fn i64(&mut self) -> Result<i64, RecordError> {
        self.array().map(i64::from_be_bytes)
    }

    /// A fixed number of bytes.
    ///
    /// # Errors
    /// `RecordError::Short`.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (head, tail) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or(RecordError::Short)?;
        self.bytes = tail;
        Ok(*head)
    }

    /// A byte string, borrowed.
    ///
    /// # Errors
    /// `RecordError::Short` when it runs past the end, `Value` when its length is out of bounds.
    pub fn bytes(&mut self) -> Result<&'a [u8], RecordError> {
        let length = self.u32()? as usize;
        if length > BYTES_MAX {
            return Err(RecordError::Value("length"));
        }
        let (head, tail) = self
            .bytes
            .split_at_checked(length)
            .ok_or(RecordError::Short)?;
        self.bytes = tail;
        Ok(head)
    }

    /// A text.
    ///
    /// # Errors
    /// As [`Reader::bytes`]; `Value` when it is not UTF-8.
    pub fn text(&mut self) -> Result<String, RecordError> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| RecordError::Value("text"))
    }

    /// An optional number.
    ///
    /// # Errors
    /// `RecordError::Short`, or `Value` for a marker other than 0 and 1.
    pub fn optional_i64(&mut self) -> Result<Option<i64>, RecordError> {
        if self.flag()? {
            self.i64().map(Some)
        } else {
            Ok(None)
        }
    }

    /// A byte that is 0 or 1.
    ///
    /// # Errors
    /// `RecordError::Short`, or `Value` for anything else.
    pub fn flag(&mut self) -> Result<bool, RecordError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(RecordError::Value("flag")),
        }
    }

    /// How many items follow, each of at least `item_bytes_min` (not zero). A count that the
    /// record's rest cannot hold is refused before anything is allocated for it.
    ///
    /// # Errors
    /// `RecordError::Short`.
    pub fn count(&mut self, item_bytes_min: usize) -> Result<usize, RecordError> {
        let count = self.u32()? as usize;
        if count > self.bytes.len() / item_bytes_min {
            Err(RecordError::Short)
        } else {
            Ok(count)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record whose second version added `added`; the first is read with a default.
    #[derive(Debug, PartialEq)]
    struct Grown {
        name: String,
        added: Option<i64>,
    }

    impl Stored for Grown {
        const VERSION: u8 = 2;

        fn encode(&self, writer: &mut Writer) {
            writer.text(&self.name);
            writer.optional_i64(self.added);
        }

        fn decode(version: u8, reader: &mut Reader<'_>) -> Result<Self, RecordError> {
            let name = reader.text()?;
            let added = if version < 2 {
                None
            } else {
                reader.optional_i64()?
            };
            Ok(Self { name, added })
        }
    }

    #[test]
    fn every_field_comes_back() {
        let record = Grown {
            name: "x".into(),
            added: Some(-7),
        };
        assert_eq!(decode(2, &encode(&record)), Ok(record));
    }

    #[test]
    fn old_records_migrate_and_new_ones_are_refused() {
        let first = [0, 0, 0, 1, b'x'];
        assert_eq!(
            decode(1, &first),
            Ok(Grown {
                name: "x".into(),
                added: None
            })
        );
        let newer = RecordError::Newer { found: 3, known: 2 };
        assert_eq!(decode::<Grown>(3, &first), Err(newer));
        assert_eq!(decode::<Grown>(0, &first), Err(RecordError::Unversioned));
    }

    #[test]
    fn every_cut_and_every_extra_byte_is_refused() {
        let whole = encode(&Grown {
            name: "name".into(),
            added: Some(1),
        });
        for cut in 0..whole.len() {
            assert_eq!(
                decode::<Grown>(2, &whole[..cut]),
                Err(RecordError::Short),
                "{cut}"
            );
        }
        let mut longer = whole.to_vec();
        longer.push(0);
        assert_eq!(decode::<Grown>(2, &longer), Err(RecordError::Long));
        assert_eq!(
            decode::<Grown>(2, &[255; 9]),
            Err(RecordError::Value("length"))
        );
        assert_eq!(
            decode::<Grown>(2, &[0, 0, 0, 1, 255, 0]),
            Err(RecordError::Value("text"))
        );
        assert_eq!(
            decode::<Grown>(2, &[0, 0, 0, 0, 2]),
            Err(RecordError::Value("flag"))
        );
    }
}
