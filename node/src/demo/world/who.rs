//! Who takes part in the demo, and what each has.

use protocol::member::MemberKind;

use crate::keystore::KeyKind;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::demo) enum Who {
    /// Where nodes find each other.
    Relay,
    /// Who cosigns the logs.
    Witness,
    /// The hospital whose studies are read.
    HospitalA,
    /// The hospital whose studies must stay in their country.
    HospitalB,
    /// A radiologist who may read for both countries.
    Reader,
    /// A radiologist without a licence.
    Unlicensed,
}

/// In the order in which they start: everybody finds the ones before.
pub(in crate::demo) const EVERYBODY: [Who; 6] = [
    Who::Relay,
    Who::Witness,
    Who::HospitalA,
    Who::HospitalB,
    Who::Reader,
    Who::Unlicensed,
];

impl Who {
    /// Its name: in the timeline, and of its folder.
    pub(in crate::demo) const fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Witness => "witness",
            Self::HospitalA => "hospital-a",
            Self::HospitalB => "hospital-b",
            Self::Reader => "reader",
            Self::Unlicensed => "unlicensed",
        }
    }

    pub(super) const fn kind(self) -> MemberKind {
        match self {
            Self::Relay => MemberKind::Relay,
            Self::Witness => MemberKind::Witness,
            Self::HospitalA | Self::HospitalB => MemberKind::Hospital,
            Self::Reader | Self::Unlicensed => MemberKind::Reader,
        }
    }

    pub(super) const fn organisation(self) -> (&'static str, &'static str) {
        match self {
            Self::Relay => ("Relay", "DE"),
            Self::Witness => ("Witness", "DE"),
            Self::HospitalA => ("Hospital A", "DE"),
            Self::HospitalB => ("Hospital B", "KR"),
            Self::Reader => ("Radiology practice", "DE"),
            Self::Unlicensed => ("Practice without a licence", "DE"),
        }
    }

    /// Whether it keeps a log of its own.
    pub(in crate::demo) const fn has_log(self) -> bool {
        match self {
            Self::HospitalA | Self::HospitalB | Self::Reader | Self::Unlicensed => true,
            Self::Relay | Self::Witness => false,
        }
    }

    pub(super) const fn keys(self) -> &'static [KeyKind] {
        use KeyKind::{Hospital, Log, Master, Person, Transport, Witness};
        match self {
            Self::Relay => &[Transport],
            Self::Witness => &[Transport, Witness],
            Self::HospitalA | Self::HospitalB => &[Transport, Log, Hospital, Master],
            Self::Reader | Self::Unlicensed => &[Transport, Log, Person, Master],
        }
    }
}
