//! A receipt: the reader accepted this grant, and their own log says so. Signed by the person.

use super::is_sized;
use crate::limits;
use crate::wire::bounds::first_wrong;

/// Payload of a receipt.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Receipt {
    /// Format: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// SHA-256 of the exact grant envelope.
    #[prost(bytes = "vec", tag = "2")]
    pub grant_hash: Vec<u8>,
    /// The grant's fence.
    #[prost(uint64, tag = "3")]
    pub fence: u64,
    /// Origin of the reader's own log.
    #[prost(string, tag = "4")]
    pub log_origin: String,
    /// Index of the entry for this grant in it.
    #[prost(uint64, tag = "5")]
    pub log_index: u64,
    /// When, microseconds since the Unix epoch.
    #[prost(uint64, tag = "6")]
    pub time_us: u64,
}

super::document!(
    Receipt,
    "receipt",
    "application/vnd.radmesh.receipt.v1",
    limits::RECEIPT_MAX,
    |receipt| {
        first_wrong(&[
            (is_sized(&receipt.grant_hash, 32), "grant_hash"),
            (
                receipt.log_origin.len() <= limits::LOG_NAME_MAX,
                "log_origin",
            ),
        ])
    }
);
