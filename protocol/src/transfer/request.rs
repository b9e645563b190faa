//! Frames of the fetch stream `/radmesh/fetch/1`: one request, then only ciphertext.
//!
//! ```text
//! desk -> hospital   u32be length ‖ FetchRequest
//! hospital -> desk   u32be length ‖ FetchResponse, then the ranges' bytes in order
//! ```

/// A range of one sealed file of a release.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Range {
    /// SHA-256 of the sealed file.
    #[prost(bytes = "vec", tag = "1")]
    pub digest: Vec<u8>,
    /// First byte of the ciphertext.
    #[prost(uint64, tag = "2")]
    pub offset: u64,
    /// Bytes.
    #[prost(uint64, tag = "3")]
    pub length: u64,
}

/// What a desk asks for on one stream.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct FetchRequest {
    /// Format: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The lease's fence.
    #[prost(uint64, tag = "2")]
    pub fence: u64,
    /// The session certificate, exact envelope.
    #[prost(bytes = "vec", tag = "3")]
    pub session: Vec<u8>,
    /// Ranges, in the order in which they are wanted; at most [`RANGES_MAX`].
    #[prost(message, repeated, tag = "4")]
    pub ranges: Vec<Range>,
}

/// Why a fetch is refused. The numbers are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum FetchStatus {
    /// Not a status; refused.
    Unspecified = 0,
    /// The bytes follow.
    Ok = 1,
    /// No such lease, or not this peer's, or over.
    NoLease = 2,
    /// The receipt is missing.
    NoReceipt = 3,
    /// The session certificate is not valid for this.
    BadSession = 4,
    /// A file or range that the grant does not hold.
    NotGranted = 5,
    /// The request is malformed.
    Malformed = 6,
    /// The hospital cannot read the file.
    Failed = 7,
    /// Too many streams.
    Busy = 8,
}

/// The answer's head.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct FetchResponse {
    /// Format: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// [`FetchStatus`].
    #[prost(enumeration = "FetchStatus", tag = "2")]
    pub status: i32,
}

/// Ranges in one request: a batch of small objects; more go on another stream.
pub const RANGES_MAX: usize = 1_024;

/// The longest request frame, in bytes: [`RANGES_MAX`] ranges and a session certificate.
pub const REQUEST_MAX: usize = 96 << 10;
