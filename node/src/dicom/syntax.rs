//! The transfer syntaxes this node takes: how each encodes a data set and how its pixels travel.

/// How the elements of a data set are written (PS3.5 section 7 and Annex A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Implicit VR, little endian.
    ImplicitLittle,
    /// Explicit VR, little endian.
    ExplicitLittle,
    /// Explicit VR, big endian (retired, still on disks).
    ExplicitBig,
    /// Explicit VR little endian inside one raw deflate stream (RFC 1951).
    Deflated,
}

/// How pixel data is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelForm {
    /// Plain values.
    Native,
    /// A sequence of fragments in which a frame is one or more fragments (PS3.5 section A.4).
    Encapsulated,
    /// A sequence of fragments that together are one video stream.
    Video,
}

/// One transfer syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferSyntax {
    /// The UID (PS3.6 Annex A).
    pub uid: &'static str,
    /// How elements are written.
    pub encoding: Encoding,
    /// How pixel data is carried.
    pub pixels: PixelForm,
    /// Media type of its frames in DICOMweb (PS3.18 section 8.7.3.3).
    pub media_type: &'static str,
}

/// Implicit VR Little Endian: the default, which every application must take.
pub const IMPLICIT_LITTLE: &str = "1.2.840.10008.1.2";
/// Explicit VR Little Endian.
pub const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
/// Deflated Explicit VR Little Endian.
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
/// Explicit VR Big Endian.
pub const EXPLICIT_BIG: &str = "1.2.840.10008.1.2.2";

/// Media type of frames that are plain values.
pub const OCTETS: &str = "application/octet-stream";

const fn native(uid: &'static str, encoding: Encoding) -> TransferSyntax {
    TransferSyntax {
        uid,
        encoding,
        pixels: PixelForm::Native,
        media_type: OCTETS,
    }
}

const fn image(uid: &'static str, media_type: &'static str) -> TransferSyntax {
    let pixels = PixelForm::Encapsulated;
    TransferSyntax {
        uid,
        encoding: Encoding::ExplicitLittle,
        pixels,
        media_type,
    }
}

const fn video(uid: &'static str, media_type: &'static str) -> TransferSyntax {
    let pixels = PixelForm::Video;
    TransferSyntax {
        uid,
        encoding: Encoding::ExplicitLittle,
        pixels,
        media_type,
    }
}

/// Every transfer syntax that is accepted, stored and sent. Compressed pixels are opaque here:
/// taking a syntax needs no codec for it.
pub const TABLE: &[TransferSyntax] = &[
    native(IMPLICIT_LITTLE, Encoding::ImplicitLittle),
    native(EXPLICIT_LITTLE, Encoding::ExplicitLittle),
    native(DEFLATED, Encoding::Deflated),
    native(EXPLICIT_BIG, Encoding::ExplicitBig),
    image("1.2.840.10008.1.2.1.98", OCTETS),
    image("1.2.840.10008.1.2.5", "image/dicom-rle"),
    image("1.2.840.10008.1.2.4.50", "image/jpeg"),
    image("1.2.840.10008.1.2.4.51", "image/jpeg"),
    image("1.2.840.10008.1.2.4.53", "image/jpeg"),
    image("1.2.840.10008.1.2.4.55", "image/jpeg"),
    image("1.2.840.10008.1.2.4.57", "image/jpeg"),
    image("1.2.840.10008.1.2.4.70", "image/jpeg"),
    image("1.2.840.10008.1.2.4.80", "image/jls"),
    image("1.2.840.10008.1.2.4.81", "image/jls"),
    image("1.2.840.10008.1.2.4.90", "image/jp2"),
    image("1.2.840.10008.1.2.4.91", "image/jp2"),
    image("1.2.840.10008.1.2.4.92", "image/jpx"),
    image("1.2.840.10008.1.2.4.93", "image/jpx"),
    image("1.2.840.10008.1.2.4.201", "image/jphc"),
    image("1.2.840.10008.1.2.4.202", "image/jphc"),
    image("1.2.840.10008.1.2.4.203", "image/jphc"),
    image("1.2.840.10008.1.2.4.110", "image/jxl"),
    image("1.2.840.10008.1.2.4.111", "image/jxl"),
    image("1.2.840.10008.1.2.4.112", "image/jxl"),
    image("1.2.840.10008.1.2.8.1", "application/x-deflate"),
    video("1.2.840.10008.1.2.4.100", "video/mpeg"),
    video("1.2.840.10008.1.2.4.100.1", "video/mpeg"),
    video("1.2.840.10008.1.2.4.101", "video/mpeg"),
    video("1.2.840.10008.1.2.4.101.1", "video/mpeg"),
    video("1.2.840.10008.1.2.4.102", "video/mp4"),
    video("1.2.840.10008.1.2.4.102.1", "video/mp4"),
    video("1.2.840.10008.1.2.4.103", "video/mp4"),
    video("1.2.840.10008.1.2.4.103.1", "video/mp4"),
    video("1.2.840.10008.1.2.4.104", "video/mp4"),
    video("1.2.840.10008.1.2.4.104.1", "video/mp4"),
    video("1.2.840.10008.1.2.4.105", "video/mp4"),
    video("1.2.840.10008.1.2.4.105.1", "video/mp4"),
    video("1.2.840.10008.1.2.4.106", "video/mp4"),
    video("1.2.840.10008.1.2.4.106.1", "video/mp4"),
    video("1.2.840.10008.1.2.4.107", "video/H265"),
    video("1.2.840.10008.1.2.4.108", "video/H265"),
];

/// The table's row for `uid` (without padding), if the syntax is known here.
pub fn find(uid: &str) -> Option<&'static TransferSyntax> {
    TABLE.iter().find(|row| row.uid == uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_distinct_uids() {
        let uids: BTreeSet<_> = TABLE.iter().map(|row| row.uid).collect();
        assert_eq!(uids.len(), TABLE.len());
        assert!(
            uids.iter()
                .all(|uid| crate::dicom::uid::Uid::parse(uid).is_ok())
        );
    }

    #[test]
    fn unknown_is_none() {
        assert_eq!(find("1.2.840.10008.1.2.1 "), None);
        assert_eq!(find("1.2.3"), None);
        assert_eq!(
            find(DEFLATED).map(|row| row.encoding),
            Some(Encoding::Deflated)
        );
    }
}
