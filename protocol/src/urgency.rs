//! Urgency: as ordered, as attested, and the deadline are three things; this is the scale of the
//! first two.

use std::time::Duration;

/// How urgent a read is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Urgency {
    /// Life at stake: stroke, polytrauma.
    Stat = 1,
    /// Emergency department.
    Emergent = 2,
    /// Within hours.
    Urgent = 3,
    /// The rest.
    Routine = 4,
}

impl Urgency {
    /// Reads the stored number.
    #[must_use]
    pub const fn from_u32(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Stat),
            2 => Some(Self::Emergent),
            3 => Some(Self::Urgent),
            4 => Some(Self::Routine),
            _ => None,
        }
    }

    /// Reads the name used in configuration and orders.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Stat, Self::Emergent, Self::Urgent, Self::Routine]
            .into_iter()
            .find(|urgency| urgency.name() == name)
    }

    /// The name used in configuration, orders and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Emergent => "emergent",
            Self::Urgent => "urgent",
            Self::Routine => "routine",
        }
    }

    /// The longest that one reader may hold a case, whatever is renewed: about three times the time
    /// in which 95 of 100 such reads are done. A person who walked away must not keep a case.
    #[must_use]
    pub const fn read_cap(self) -> Duration {
        match self {
            Self::Stat => Duration::from_secs(45 * 60),
            Self::Emergent => Duration::from_secs(90 * 60),
            Self::Urgent => Duration::from_secs(2 * 3_600),
            Self::Routine => Duration::from_secs(4 * 3_600),
        }
    }

    /// The span from opening to deadline where a rule names none.
    #[must_use]
    pub const fn default_span(self) -> Duration {
        match self {
            Self::Stat => Duration::from_secs(30 * 60),
            Self::Emergent => Duration::from_secs(60 * 60),
            Self::Urgent => Duration::from_secs(4 * 3_600),
            Self::Routine => Duration::from_secs(24 * 3_600),
        }
    }
}
