//! What the rest of the node holds of the driver: bounded queues into it, and questions.

use protocol::ids::{Fence, NodeId, StudyId};
use protocol::io::{Command, CommandError};
use protocol::transfer::request::FetchStatus;
use protocol::wire::case::Message;
use tokio::sync::{mpsc, oneshot};

use crate::mesh::{Judge, Responder};

pub use protocol::case::owner::{CaseView, FetchTicket};
pub use protocol::case::reader::{LeaseView, OfferView};

/// Commands and questions that wait: one each for every association, stream and control client.
pub(super) const ASKS_MAX: usize = 256;

/// Messages that wait; beyond it the peer is told to come again.
pub(super) const MESSAGES_MAX: usize = 1_024;

/// Adverts that wait; one that finds no room is repeated by its sender.
pub(super) const ADVERTS_MAX: usize = 256;

/// The driver has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct DriverStopped;

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The driver has stopped.
    #[error(transparent)]
    Stopped(#[from] DriverStopped),
    /// The core refuses.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// A worklist as of one moment.
#[derive(Clone, Default)]
pub struct Views {
    /// The owner's cases.
    pub cases: Vec<CaseView>,
    /// Offers at this desk.
    pub offers: Vec<OfferView>,
    /// Leases of this desk.
    pub leases: Vec<LeaseView>,
}

/// A command or a question.
pub(super) enum Ask {
    /// Do this.
    Do(Box<Command>, oneshot::Sender<Result<(), CommandError>>),
    /// Show the worklists.
    Show(oneshot::Sender<Views>),
    /// May this fetch go?
    MayFetch {
        from: NodeId,
        fence: Fence,
        session: Vec<u8>,
        reply: oneshot::Sender<Result<FetchTicket, FetchStatus>>,
    },
}

/// A message with the end that says "received".
pub(super) struct Incoming {
    pub(super) from: NodeId,
    pub(super) message: Message,
    pub(super) reply: Responder,
}

/// An advert with the end that takes the verdict.
pub(super) struct Advert {
    pub(super) from: NodeId,
    pub(super) envelope: Vec<u8>,
    pub(super) verdict: Judge,
}

/// The driver, for everybody else. Clones share it.
#[derive(Clone)]
pub struct DriverHandle {
    pub(super) asks: mpsc::Sender<Ask>,
    pub(super) messages: mpsc::Sender<Incoming>,
    pub(super) adverts: mpsc::Sender<Advert>,
}

impl DriverHandle {
    /// Has the core handle a command.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn command(&self, command: Command) -> Result<(), AskError> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Do(Box::new(command), reply);
        self.asks.send(ask).await.map_err(|_| DriverStopped)?;
        Ok(answer.await.map_err(|_| DriverStopped)??)
    }

    /// Says that an object of a study is durable. For threads that may block.
    ///
    /// # Errors
    /// [`AskError`]; the object is kept whatever the answer is.
    pub fn object_stored(&self, study: StudyId) -> Result<(), AskError> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Do(Box::new(Command::ObjectStored { study }), reply);
        self.asks.blocking_send(ask).map_err(|_| DriverStopped)?;
        Ok(answer.blocking_recv().map_err(|_| DriverStopped)??)
    }

    /// The worklists now.
    ///
    /// # Errors
    /// [`DriverStopped`].
    pub async fn views(&self) -> Result<Views, DriverStopped> {
        let (reply, answer) = oneshot::channel();
        self.asks
            .send(Ask::Show(reply))
            .await
            .map_err(|_| DriverStopped)?;
        answer.await.map_err(|_| DriverStopped)
    }

    /// Whether a desk may fetch under a fence now. Asked for every stream.
    ///
    /// # Errors
    /// [`FetchStatus`] says why not; a stopping node says `Busy`.
    pub async fn may_fetch(
        &self,
        from: NodeId,
        fence: Fence,
        session: Vec<u8>,
    ) -> Result<FetchTicket, FetchStatus> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask::MayFetch {
            from,
            fence,
            session,
            reply,
        };
        self.asks.send(ask).await.map_err(|_| FetchStatus::Busy)?;
        answer.await.unwrap_or(Err(FetchStatus::Busy))
    }

    /// Hands in a peer's message; without room it is refused, and the peer says it again.
    pub fn message(&self, from: NodeId, bytes: &[u8], reply: Responder) {
        match Message::decode(bytes) {
            Ok(message) => {
                if self
                    .messages
                    .try_send(Incoming {
                        from,
                        message,
                        reply,
                    })
                    .is_err()
                {
                    tracing::warn!(%from, "a message found no room and is refused");
                }
            }
            Err(error) => tracing::warn!(%from, %error, "a message is refused"),
        }
    }

    /// Hands in an advert; without room it is ignored.
    pub fn advert(&self, from: NodeId, envelope: Vec<u8>, verdict: Judge) {
        if self
            .adverts
            .try_send(Advert {
                from,
                envelope,
                verdict,
            })
            .is_err()
        {
            tracing::debug!(%from, "an advert found no room");
        }
    }
}
