//! Text of the few identifying fields, decoded by the data set's own character sets.
//!
//! dicom-rs decodes one character set a value. What it leaves to us is the switching by escape
//! sequences inside a value (ISO 2022; PS3.3 section C.12.1.1.2, PS3.5 section 6.1.2.5).

use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

const ESCAPE: u8 = 0x1b;

/// What stands for bytes that no declared character set explains.
const REPLACEMENT: char = '\u{fffd}';

/// One character set in the upper half. dicom-rs has no codec for Latin-5 and Latin-9, which
/// differ from Latin-1 in a few places.
#[derive(Debug, Clone)]
enum Set {
    Codec(SpecificCharacterSet),
    /// Latin-1 with some bytes standing for other characters.
    Latin(&'static [(char, char)]),
}

/// Latin-5, Turkish (ISO 8859-9, ISO IR 148) where it is not Latin-1.
const LATIN_5: &[(char, char)] = &[
    ('\u{d0}', 'Ğ'),
    ('\u{dd}', 'İ'),
    ('\u{de}', 'Ş'),
    ('\u{f0}', 'ğ'),
    ('\u{fd}', 'ı'),
    ('\u{fe}', 'ş'),
];

/// Latin-9 (ISO 8859-15, ISO IR 203) where it is not Latin-1.
const LATIN_9: &[(char, char)] = &[
    ('\u{a4}', '€'),
    ('\u{a6}', 'Š'),
    ('\u{a8}', 'š'),
    ('\u{b4}', 'Ž'),
    ('\u{b8}', 'ž'),
    ('\u{bc}', 'Œ'),
    ('\u{bd}', 'œ'),
    ('\u{be}', 'Ÿ'),
];

impl Set {
    const DEFAULT: Self = Self::Codec(SpecificCharacterSet::ISO_IR_6);

    /// The set of a defined term (PS3.3 tables C.12-2 to C.12-5).
    fn of(term: &str) -> Option<Self> {
        match term {
            "ISO_IR 148" | "ISO 2022 IR 148" => Some(Self::Latin(LATIN_5)),
            "ISO_IR 203" | "ISO 2022 IR 203" => Some(Self::Latin(LATIN_9)),
            term => SpecificCharacterSet::from_code(term).map(Self::Codec),
        }
    }

    fn decode(&self, bytes: &[u8]) -> String {
        let (codec, others) = match self {
            Self::Codec(codec) => (codec, &[][..]),
            Self::Latin(others) => (&SpecificCharacterSet::ISO_IR_100, *others),
        };
        let text = codec.decode(bytes);
        let text = text.unwrap_or_else(|_| bytes.iter().map(|_| REPLACEMENT).collect());
        if others.is_empty() {
            return text;
        }
        let other = |c| {
            others
                .iter()
                .find(|(latin, _)| *latin == c)
                .map_or(c, |(_, other)| *other)
        };
        text.chars().map(other).collect()
    }
}

/// The character sets of a data set, from the value of Specific Character Set (0008,0005).
#[derive(Debug)]
pub struct Charsets {
    first: Set,
    known: bool,
}

impl Charsets {
    /// Reads the element's value; absent or empty means the default repertoire (ISO IR 6).
    pub fn from_value(value: &[u8]) -> Self {
        let first = value.split(|b| *b == b'\\').next().unwrap_or_default();
        let first = String::from_utf8_lossy(first);
        let first = first.trim_matches(['\0', ' ']);
        let set = if first.is_empty() {
            Some(Set::DEFAULT)
        } else {
            Set::of(first)
        };
        let known = set.is_some();
        Self {
            first: set.unwrap_or(Set::DEFAULT),
            known,
        }
    }

    /// Decodes `value` and drops the padding. Never fails: an identifier with one bad byte must
    /// still be shown.
    pub fn decode(&self, value: &[u8]) -> String {
        let text = if value.contains(&ESCAPE) {
            self.decode_escaped(value)
        } else if let (false, Ok(text)) = (self.known, std::str::from_utf8(value)) {
            text.to_owned()
        } else {
            self.first.decode(value)
        };
        text.trim_matches(['\0', ' ']).to_owned()
    }

    /// Cuts at escape sequences and decodes each run by what the last one designated.
    fn decode_escaped(&self, value: &[u8]) -> String {
        let mut runs = value.split(|b| *b == ESCAPE);
        let mut text = self.first.decode(runs.next().unwrap_or_default());
        let mut upper = self.first.clone();
        for run in runs {
            match Designation::read(run) {
                Some((Designation::Ascii, rest)) => text.push_str(&upper.decode(rest)),
                Some((Designation::Upper(code), rest)) => {
                    upper = Set::of(code).unwrap_or(Set::DEFAULT);
                    text.push_str(&upper.decode(rest));
                }
                Some((Designation::TwoByteLower, _)) => {
                    let mut with_escape = Vec::with_capacity(run.len() + 1);
                    with_escape.push(ESCAPE);
                    with_escape.extend_from_slice(run);
                    let japanese = Set::of("ISO 2022 IR 87").unwrap_or(Set::DEFAULT);
                    text.push_str(&japanese.decode(&with_escape));
                }
                None => {
                    text.push(REPLACEMENT);
                    text.push_str(&upper.decode(run));
                }
            }
        }
        text
    }
}

/// What an escape sequence puts in force for the bytes after it.
enum Designation {
    /// ASCII or JIS X 0201 Roman in the lower half; the upper half stays.
    Ascii,
    /// The named set in the upper half.
    Upper(&'static str),
    /// JIS X 0208 or 0212 in the lower half, two bytes a character.
    TwoByteLower,
}

impl Designation {
    /// Reads the bytes after an escape character (PS3.3 tables C.12-3 and C.12-4).
    fn read(run: &[u8]) -> Option<(Self, &[u8])> {
        const TABLE: &[(&[u8], Designation)] = &[
            (b"(B", Designation::Ascii),
            (b"(J", Designation::Ascii),
            (b"$B", Designation::TwoByteLower),
            (b"$@", Designation::TwoByteLower),
            (b"$(D", Designation::TwoByteLower),
            (b")I", Designation::Upper("ISO 2022 IR 13")),
            (b"$)C", Designation::Upper("ISO 2022 IR 149")),
            (b"$)A", Designation::Upper("ISO 2022 IR 58")),
            (b"-A", Designation::Upper("ISO 2022 IR 100")),
            (b"-B", Designation::Upper("ISO 2022 IR 101")),
            (b"-C", Designation::Upper("ISO 2022 IR 109")),
            (b"-D", Designation::Upper("ISO 2022 IR 110")),
            (b"-F", Designation::Upper("ISO 2022 IR 126")),
            (b"-G", Designation::Upper("ISO 2022 IR 127")),
            (b"-H", Designation::Upper("ISO 2022 IR 138")),
            (b"-L", Designation::Upper("ISO 2022 IR 144")),
            (b"-M", Designation::Upper("ISO 2022 IR 148")),
            (b"-b", Designation::Upper("ISO 2022 IR 203")),
            (b"-T", Designation::Upper("ISO 2022 IR 166")),
        ];
        TABLE.iter().find_map(|(code, designation)| {
            let rest = run.strip_prefix(*code)?;
            let designation = match designation {
                Self::Ascii => Self::Ascii,
                Self::Upper(name) => Self::Upper(name),
                Self::TwoByteLower => Self::TwoByteLower,
            };
            Some((designation, rest))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // PS3.5 Annexes H, I, J and K print these names with their bytes.
    #[test]
    fn names_of_the_standard() {
        let cases: &[(&[u8], &[u8], &str)] = &[
            (
                b"\\ISO 2022 IR 87",
                b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B\
                  =\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
                "Yamada^Tarou=山田^太郎=やまだ^たろう",
            ),
            (
                b"ISO 2022 IR 13\\ISO 2022 IR 87",
                b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
                "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
            ),
            (
                b"\\ISO 2022 IR 149",
                b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7\
                  =\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
                "Hong^Gildong=洪^吉洞=홍^길동",
            ),
            (
                b"ISO_IR 192",
                "Wang^XiaoDong=王^小东".as_bytes(),
                "Wang^XiaoDong=王^小东",
            ),
            (
                b"GB18030",
                b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab",
                "Wang^XiaoDong=王^小东",
            ),
            (b"ISO_IR 148", b"Y\xfdld\xfdz^\xddbrahim", "Yıldız^İbrahim"),
            (b"ISO_IR 203", b"Z\xb8^\xa4", "Zž^€"),
            (b"ISO_IR 100", b"Buc^J\xe9r\xf4me ", "Buc^Jérôme"),
            (
                b"\\ISO 2022 IR 58",
                b"Zhang=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
                "Zhang=张^小东",
            ),
        ];
        for (charset, value, expected) in cases {
            assert_eq!(&Charsets::from_value(charset).decode(value), expected);
        }
    }

    #[test]
    fn undeclared_and_broken_text_is_still_text() {
        assert_eq!(Charsets::from_value(b"").decode(b"A^B\0"), "A^B");
        assert_eq!(Charsets::from_value(b"NO SUCH").decode("é".as_bytes()), "é");
        assert_eq!(Charsets::from_value(b"").decode(b"A\x1b%Q"), "A\u{fffd}%Q");
        assert!(
            Charsets::from_value(b"ISO_IR 192")
                .decode(b"A\xff")
                .starts_with('A')
        );
        assert_eq!(
            Charsets::from_value(b"\\ISO 2022 IR 87").decode(b"\x1b"),
            "\u{fffd}"
        );
    }
}
