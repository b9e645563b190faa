//! The states of a case at its owner, and the one table of what may follow what.

/// Where a case stands. The names are those of code, log and pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Images and order are being joined.
    Received,
    /// May be offered.
    Open,
    /// Offered to readers.
    Offered,
    /// Nobody claimed in time, or nobody may: the hospital's own people are paged. Offers stay
    /// open.
    Escalated,
    /// Granted to one reader; their receipt is awaited.
    Leased,
    /// The reader's receipt is logged; images may be fetched.
    Reading,
    /// A signed report is durable here.
    Reported,
    /// The report went to the receiving system.
    Delivered,
    /// The receiving system acknowledged it, or a named person closed it.
    Closed,
    /// Cancelled by the hospital.
    Cancelled,
}

/// What happens to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The order and a complete study are there.
    Open,
    /// A ring of offers is out.
    Offer,
    /// Nobody claims.
    Escalate,
    /// A grant is logged.
    Grant,
    /// The reader's receipt is logged.
    Receipt,
    /// The lease ran out.
    Expire,
    /// The reader gave it back.
    HandBack,
    /// The holder of an expired lease goes on.
    Resume,
    /// A report under the current fence.
    Report,
    /// The report went out.
    Deliver,
    /// Acknowledged, or closed by hand.
    Close,
    /// The hospital cancels.
    Cancel,
}

/// All states, in the order of a case's life.
pub const STATES: [State; 10] = [
    State::Received,
    State::Open,
    State::Offered,
    State::Escalated,
    State::Leased,
    State::Reading,
    State::Reported,
    State::Delivered,
    State::Closed,
    State::Cancelled,
];

impl State {
    /// The state's name in code, log and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Open => "open",
            Self::Offered => "offered",
            Self::Escalated => "escalated",
            Self::Leased => "leased",
            Self::Reading => "reading",
            Self::Reported => "reported",
            Self::Delivered => "delivered",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
        }
    }

    /// A reader may be given the case.
    #[must_use]
    pub const fn is_grantable(self) -> bool {
        self.after(Step::Grant).is_some()
    }

    /// The state after `step`; `None` where the step is illegal.
    #[must_use]
    pub const fn after(self, step: Step) -> Option<Self> {
        match step {
            Step::Open => match self {
                Self::Received => Some(Self::Open),
                Self::Open
                | Self::Offered
                | Self::Escalated
                | Self::Leased
                | Self::Reading
                | Self::Reported
                | Self::Delivered
                | Self::Closed
                | Self::Cancelled => None,
            },
            Step::Offer => match self {
                Self::Open | Self::Offered => Some(Self::Offered),
                Self::Escalated => Some(Self::Escalated),
                Self::Received
                | Self::Leased
                | Self::Reading
                | Self::Reported
                | Self::Delivered
                | Self::Closed
                | Self::Cancelled => None,
            },
            Step::Escalate => self.while_unleased(Self::Escalated),
            Step::Grant => self.while_unleased(Self::Leased),
            Step::Resume => self.while_unleased(Self::Reading),
            Step::Receipt => match self {
                Self::Leased => Some(Self::Reading),
                Self::Received
                | Self::Open
                | Self::Offered
                | Self::Escalated
                | Self::Reading
                | Self::Reported
                | Self::Delivered
                | Self::Closed
                | Self::Cancelled => None,
            },
            Step::Expire | Step::HandBack => match self {
                Self::Leased | Self::Reading => Some(Self::Open),
                Self::Received
                | Self::Open
                | Self::Offered
                | Self::Escalated
                | Self::Reported
                | Self::Delivered
                | Self::Closed
                | Self::Cancelled => None,
            },
            Step::Report => self.only_from(Self::Reading, Self::Reported),
            Step::Deliver => self.only_from(Self::Reported, Self::Delivered),
            Step::Close => self.only_from(Self::Delivered, Self::Closed),
            Step::Cancel => match self {
                Self::Received
                | Self::Open
                | Self::Offered
                | Self::Escalated
                | Self::Leased
                | Self::Reading => Some(Self::Cancelled),
                Self::Reported | Self::Delivered | Self::Closed | Self::Cancelled => None,
            },
        }
    }

    /// `to` while the case is open and nobody holds it.
    const fn while_unleased(self, to: Self) -> Option<Self> {
        match self {
            Self::Open | Self::Offered | Self::Escalated => Some(to),
            Self::Received
            | Self::Leased
            | Self::Reading
            | Self::Reported
            | Self::Delivered
            | Self::Closed
            | Self::Cancelled => None,
        }
    }

    /// `to` from exactly one state.
    const fn only_from(self, from: Self, to: Self) -> Option<Self> {
        if self as u8 == from as u8 {
            Some(to)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_path_is_legal() {
        let steps = [
            Step::Open,
            Step::Offer,
            Step::Grant,
            Step::Receipt,
            Step::Report,
            Step::Deliver,
            Step::Close,
        ];
        let end = steps
            .iter()
            .try_fold(State::Received, |state, step| state.after(*step));
        assert_eq!(end, Some(State::Closed));
    }

    #[test]
    fn a_held_case_is_never_granted_again() {
        for state in [
            State::Leased,
            State::Reading,
            State::Reported,
            State::Delivered,
            State::Closed,
        ] {
            assert!(!state.is_grantable(), "{state:?}");
        }
    }

    #[test]
    fn a_reported_case_cannot_be_cancelled() {
        for state in [
            State::Reported,
            State::Delivered,
            State::Closed,
            State::Cancelled,
        ] {
            assert_eq!(state.after(Step::Cancel), None, "{state:?}");
        }
    }
}
