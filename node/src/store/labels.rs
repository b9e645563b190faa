//! What the store's keyed digests and derived keys mean; one label, one purpose.

/// Associated data of the root key under the master key.
pub const ROOT_KEY: &str = "radmesh/store/root-key/1";
/// Key that seals the values of one column family.
pub const VALUES: &str = "radmesh/store/values/1";
/// Name of a study in the index, from its Study Instance UID.
pub const STUDY: &str = "radmesh/store/study/1";
/// Name of a series within its study, from its Series Instance UID.
pub const SERIES: &str = "radmesh/store/series/1";
/// Name of an instance in the index, from its SOP Instance UID.
pub const INSTANCE: &str = "radmesh/store/instance/1";
/// Names a dataset for the duplicate test, from SOP Instance UID and dataset digest.
pub const DUPLICATE: &str = "radmesh/store/duplicate/1";
/// Digest of a dataset: transfer syntax, header bytes and each bulk value's place and digest.
pub const DATASET: &str = "radmesh/store/dataset/1";
/// Name of a subject's key in the index.
pub const SUBJECT: &str = "radmesh/store/subject/1";
/// Name of an entry in the key-value families.
pub const ENTRY: &str = "radmesh/store/entry/1";
/// Associated data of a payload under its subject's key.
pub const PAYLOAD: &str = "radmesh/store/payload/1";
/// Digest over one frame of the journal's stage file.
pub const STAGE: &str = "radmesh/journal/stage/1";

/// All labels above; a test holds them unique.
#[cfg(test)]
pub const ALL: &[&str] = &[
    ROOT_KEY, VALUES, STUDY, INSTANCE, DUPLICATE, DATASET, SERIES, SUBJECT, ENTRY, PAYLOAD, STAGE,
];

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_purposes_share_a_label() {
        assert_eq!(ALL.iter().collect::<BTreeSet<_>>().len(), ALL.len());
        let own = |label: &&str| label.starts_with("radmesh/") && label.ends_with("/1");
        assert!(ALL.iter().all(own));
    }
}
