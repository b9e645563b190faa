//! A reader's advert: on duty, with this capacity and these subspecialties. Signed by the person.

use super::is_sized;
use crate::ids::NodeId;
use crate::limits;
use crate::wire::bounds::{first_wrong, is_country, is_text};

/// Payload of an advert. It names no patient.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Advert {
    /// Format: 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The desk's node, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub node: Vec<u8>,
    /// When it was made, microseconds since the Unix epoch. A newer one supersedes.
    #[prost(uint64, tag = "3")]
    pub issued_us: u64,
    /// When it ends, likewise.
    #[prost(uint64, tag = "4")]
    pub expires_us: u64,
    /// Where the desk says it is (ISO 3166-1 alpha-2).
    #[prost(string, tag = "5")]
    pub country: String,
    /// Reads that can be taken on now; 0 goes off duty.
    #[prost(uint32, tag = "6")]
    pub slots: u32,
    /// Subspecialties offered in this shift (a part of the credential's).
    #[prost(string, repeated, tag = "7")]
    pub subspecialties: Vec<String>,
    /// Modalities offered in this shift (a part of the credential's).
    #[prost(string, repeated, tag = "8")]
    pub modalities: Vec<String>,
    /// Since when this desk is on duty without a break, likewise: a later time than before says
    /// that it has forgotten its offers.
    #[prost(uint64, tag = "9")]
    pub since_us: u64,
}

super::document!(
    Advert,
    "advert",
    "application/vnd.radmesh.advert.v1",
    limits::ADVERT_MAX,
    |advert| {
        first_wrong(&[
            (is_sized(&advert.node, NodeId::LEN), "node"),
            (is_country(&advert.country), "country"),
            (is_list(&advert.subspecialties), "subspecialties"),
            (is_list(&advert.modalities), "modalities"),
        ])
    }
);

/// As many short texts as a credential may list.
fn is_list(list: &[String]) -> bool {
    list.len() <= limits::LIST_MAX && list.iter().all(|text| is_text(text))
}
