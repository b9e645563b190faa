//! When something unanswered is said again: doubling from two seconds to a minute.

use std::time::Duration;

use crate::limits;
use crate::time::Tick;

/// The timer of one unanswered message. Quiet until something was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resend {
    due: Option<Tick>,
    wait: Duration,
}

impl Resend {
    /// It was sent now.
    pub(crate) fn sent(&mut self, tick: Tick) {
        self.wait = (self.wait * 2).clamp(limits::RESEND, limits::RESEND_MAX);
        self.due = Some(tick.plus(self.wait));
    }

    /// It was answered.
    pub(crate) const fn answered(&mut self) {
        self.due = None;
        self.wait = Duration::ZERO;
    }

    /// It is being done: quiet until the next [`Resend::sent`], which waits longer.
    pub(crate) const fn taken_up(&mut self) {
        self.due = None;
    }

    /// When it is due again.
    pub(crate) const fn due(&self) -> Option<Tick> {
        self.due
    }

    /// Whether it is due.
    pub(crate) fn is_due(&self, tick: Tick) -> bool {
        self.due.is_some_and(|due| tick >= due)
    }
}
