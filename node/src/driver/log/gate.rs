//! The gate before the log: nothing is appended until the witnesses were heard.

use protocol::audit::restore::OldCopy;
use tokio::sync::watch;

/// Whether entries may be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not yet: the witnesses are being asked.
    Shut,
    /// Yes.
    Open,
    /// Never: this is an old copy of the log.
    Refused(OldCopy),
}

/// The end that opens it. Dropped while it is shut, nothing is ever appended.
pub(super) struct Gatekeeper(watch::Sender<State>);

/// The end of those that append. Clones share the gate.
#[derive(Clone)]
pub(super) struct Gate(watch::Receiver<State>);

/// A gate that is shut.
pub(super) fn gate() -> (Gatekeeper, Gate) {
    let (keeper, gate) = watch::channel(State::Shut);
    (Gatekeeper(keeper), Gate(gate))
}

impl Gatekeeper {
    /// Lets entries through, unless they were refused before.
    pub(super) fn open(&self) {
        self.0.send_if_modified(|state| {
            let shut = *state == State::Shut;
            if shut {
                *state = State::Open;
            }
            shut
        });
    }

    /// Lets none through any more.
    pub(super) fn refuse(&self, why: OldCopy) {
        self.0.send_replace(State::Refused(why));
    }
}

impl Gate {
    /// Waits until entries may be appended; blocks. False when they never may.
    pub(super) fn pass(&mut self) -> bool {
        let decided = self.0.wait_for(|state| *state != State::Shut);
        futures::executor::block_on(decided).is_ok_and(|state| *state == State::Open)
    }

    /// Waits until entries are refused; for ever when they never are.
    pub(super) async fn refused(&mut self) {
        let refused = |state: &State| matches!(state, State::Refused(_));
        if self.0.wait_for(refused).await.is_err() {
            std::future::pending().await
        }
    }

    /// Why entries are refused, if they are.
    pub(super) fn why(&self) -> Option<OldCopy> {
        match &*self.0.borrow() {
            State::Refused(why) => Some(why.clone()),
            State::Shut | State::Open => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: OldCopy = OldCopy::Outvoted {
        size: 1,
        witnesses: 1,
    };

    #[test]
    fn a_gate_opens_once_and_a_refusal_stays() {
        let (keeper, mut gate) = gate();
        keeper.open();
        assert!(gate.pass());
        keeper.refuse(OLD);
        keeper.open();
        assert!(!gate.pass());
        assert_eq!(gate.why(), Some(OLD));
    }

    #[test]
    fn a_gate_that_nobody_opens_any_more_lets_nothing_through() {
        let (keeper, mut gate) = gate();
        drop(keeper);
        assert!(!gate.pass());
        let (keeper, mut gate) = super::gate();
        keeper.open();
        drop(keeper);
        assert!(gate.pass());
    }
}
