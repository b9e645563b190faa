//! One association: messages are put together from fragments and answered in order.

use super::negotiate::{Accepted, Context};
use super::sink::{Incoming, IncomingMeta, StoreOutcome, StoreRefusal};
use super::{ScpMetrics, Shared, StoreSink};
use crate::dicom::ae::AeTitle;
use crate::dicom::dimse::{COMMAND_MAX, Command, DimseError, command, status};
use crate::dicom::link::{Link, LinkError, Pdv, Received, Transport};
use bytes::Bytes;
use dicom_ul::pdu::{AbortRQServiceProviderReason, Pdu};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Pieces of an instance between the socket and the store: 8 of at most 256 KiB.
const QUEUE_LEN: usize = 8;

/// Longest wait for the store to take a piece or to make an instance durable. Senders wait about
/// as long for an answer.
const STORE_WAIT: Duration = Duration::from_secs(300);

/// Why an association broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum AssociationError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Command(#[from] DimseError),
    #[error("the peer aborted")]
    PeerAborted,
    #[error("a PDU that does not belong here")]
    UnexpectedPdu,
    #[error("a fragment out of order")]
    UnexpectedFragment,
    #[error("an unknown presentation context")]
    UnknownContext,
    #[error("a command set of more than {COMMAND_MAX} bytes")]
    CommandTooLong,
    #[error("the store did not keep up")]
    StoreStalled,
}

/// Serves the association until its release.
///
/// # Errors
/// [`AssociationError`]; the peer has then been sent A-ABORT where that made sense.
pub(super) async fn serve<S: Transport>(
    accepted: Accepted<S>,
    peer: IpAddr,
    shared: &Shared,
) -> Result<(), AssociationError> {
    let Accepted {
        mut link,
        calling,
        contexts,
    } = accepted;
    let mut messages = Messages {
        contexts,
        calling,
        peer,
        shared,
        phase: Phase::Idle,
    };
    let ended = messages.run(&mut link).await;
    // Ends an unfinished instance before the peer can hear of it and send it anew.
    drop(messages);
    match &ended {
        Ok(()) => link.close().await,
        Err(AssociationError::PeerAborted | AssociationError::Link(LinkError::Closed)) => {}
        Err(AssociationError::UnexpectedPdu) => {
            link.abort(AbortRQServiceProviderReason::UnexpectedPdu)
                .await;
        }
        Err(AssociationError::UnexpectedFragment | AssociationError::UnknownContext) => {
            link.abort(AbortRQServiceProviderReason::InvalidPduParameter)
                .await;
        }
        Err(
            AssociationError::Link(_)
            | AssociationError::Command(_)
            | AssociationError::CommandTooLong
            | AssociationError::StoreStalled,
        ) => {
            link.abort(AbortRQServiceProviderReason::ReasonNotSpecified)
                .await
        }
    }
    ended
}

/// Where in a message the association is.
enum Phase {
    /// Between messages.
    Idle,
    /// Inside a command set.
    Command { context: u8, set: Vec<u8> },
    /// Inside the data set of a C-STORE.
    Store {
        context: u8,
        command: Command,
        store: Store,
    },
    /// Inside a data set that nobody wants; the status is the answer after it.
    Discard {
        context: u8,
        command: Command,
        status: u16,
    },
}

struct Messages<'a> {
    contexts: BTreeMap<u8, Context>,
    calling: AeTitle,
    peer: IpAddr,
    shared: &'a Shared,
    phase: Phase,
}

impl Messages<'_> {
    async fn run<S: Transport>(&mut self, link: &mut Link<S>) -> Result<(), AssociationError> {
        loop {
            match link.receive().await? {
                Received::Data(values) => {
                    for value in values {
                        self.fragment(link, value).await?;
                    }
                }
                Received::Control(Pdu::ReleaseRQ) => {
                    link.send(&Pdu::ReleaseRP).await?;
                    return Ok(());
                }
                Received::Control(Pdu::AbortRQ { .. }) => {
                    return Err(AssociationError::PeerAborted);
                }
                Received::Control(_) => return Err(AssociationError::UnexpectedPdu),
            }
        }
    }

    /// One fragment moves the message on.
    async fn fragment<S: Transport>(
        &mut self,
        link: &mut Link<S>,
        value: Pdv,
    ) -> Result<(), AssociationError> {
        if !self.contexts.contains_key(&value.context) {
            return Err(AssociationError::UnknownContext);
        }
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Idle if value.is_command => self.command_fragment(link, value, Vec::new()).await,
            Phase::Command { context, set } if value.is_command && value.context == context => {
                self.command_fragment(link, value, set).await
            }
            Phase::Store {
                context,
                command,
                mut store,
            } if !value.is_command && value.context == context => {
                store.piece(value.data, &self.shared.metrics).await?;
                if !value.is_last {
                    self.phase = Phase::Store {
                        context,
                        command,
                        store,
                    };
                    return Ok(());
                }
                let outcome = store.finish().await?;
                self.answer_store(link, context, &command, outcome).await
            }
            Phase::Discard {
                context,
                command,
                status,
            } if !value.is_command && value.context == context => {
                if value.is_last {
                    let reply = command.response(status, None);
                    link.send_command(context, &reply).await?;
                } else {
                    self.phase = Phase::Discard {
                        context,
                        command,
                        status,
                    };
                }
                Ok(())
            }
            Phase::Idle | Phase::Command { .. } | Phase::Store { .. } | Phase::Discard { .. } => {
                Err(AssociationError::UnexpectedFragment)
            }
        }
    }

    async fn command_fragment<S: Transport>(
        &mut self,
        link: &mut Link<S>,
        value: Pdv,
        mut set: Vec<u8>,
    ) -> Result<(), AssociationError> {
        if set.len() + value.data.len() > COMMAND_MAX {
            return Err(AssociationError::CommandTooLong);
        }
        set.extend_from_slice(&value.data);
        if value.is_last {
            self.dispatch(link, value.context, Command::parse(&set)?)
                .await
        } else {
            self.phase = Phase::Command {
                context: value.context,
                set,
            };
            Ok(())
        }
    }

    async fn dispatch<S: Transport>(
        &mut self,
        link: &mut Link<S>,
        context: u8,
        command: Command,
    ) -> Result<(), AssociationError> {
        let status = match command.field {
            command::C_ECHO_RQ if !command.has_dataset => status::SUCCESS,
            // A request to cancel has no response, and nothing here runs long enough to cancel.
            command::C_CANCEL_RQ if !command.has_dataset => return Ok(()),
            command::C_STORE_RQ => match self.announced(context, &command) {
                Ok(meta) => {
                    let store = Store::begin(Arc::clone(&self.shared.sink), meta, self.shared);
                    self.phase = Phase::Store {
                        context,
                        command,
                        store,
                    };
                    return Ok(());
                }
                Err(status) => status,
            },
            field if field & command::RESPONSE != 0 => {
                return Err(AssociationError::UnexpectedFragment);
            }
            _ => status::UNRECOGNIZED_OPERATION,
        };
        if command.has_dataset {
            self.phase = Phase::Discard {
                context,
                command,
                status,
            };
            return Ok(());
        }
        link.send_command(context, &command.response(status, None))
            .await?;
        Ok(())
    }

    /// What a C-STORE-RQ announces, or the status that refuses it.
    fn announced(&self, context: u8, command: &Command) -> Result<IncomingMeta, u16> {
        let Some(terms) = self.contexts.get(&context) else {
            return Err(status::CLASS_NOT_SUPPORTED);
        };
        let (Some(class), Some(instance), true) = (
            &command.sop_class,
            &command.sop_instance,
            command.has_dataset,
        ) else {
            return Err(status::MISTYPED_ARGUMENT);
        };
        let class = class.as_ref().map_err(|_| status::MISTYPED_ARGUMENT)?;
        let instance = instance.as_ref().map_err(|_| status::INVALID_INSTANCE)?;
        if terms.class != *class || !super::negotiate::is_storage(class.as_str()) {
            return Err(status::CLASS_NOT_SUPPORTED);
        }
        Ok(IncomingMeta {
            calling: self.calling.clone(),
            peer: self.peer,
            sop_class: class.clone(),
            sop_instance: instance.clone(),
            syntax: terms.syntax,
        })
    }

    async fn answer_store<S: Transport>(
        &mut self,
        link: &mut Link<S>,
        context: u8,
        command: &Command,
        outcome: StoreOutcome,
    ) -> Result<(), AssociationError> {
        let metrics = &self.shared.metrics;
        let (counter, status, comment) = match outcome {
            StoreOutcome::Stored => (&metrics.stored, status::SUCCESS, None),
            StoreOutcome::Duplicate => (&metrics.duplicates, status::SUCCESS, None),
            StoreOutcome::Refused(refusal) => {
                tracing::warn!(reason = %refusal, peer = %self.peer, "an instance was refused");
                (&metrics.refused, refusal.status(), Some(refusal.comment()))
            }
        };
        ScpMetrics::count(counter, 1);
        link.send_command(context, &command.response(status, comment))
            .await?;
        Ok(())
    }
}

/// A piece on its way to the store, or the news that there are no more.
enum Piece {
    Bytes(Bytes),
    End,
}

/// An instance being stored on a blocking thread. Dropped before [`Store::finish`], it closes
/// the queue, and the thread drops what it has.
struct Store {
    queue: mpsc::Sender<Piece>,
    thread: JoinHandle<StoreOutcome>,
    /// Bytes that may still come.
    left: u64,
    over: bool,
}

impl Store {
    fn begin(sink: Arc<dyn StoreSink>, meta: IncomingMeta, shared: &Shared) -> Self {
        let (queue, pieces) = mpsc::channel(QUEUE_LEN);
        let thread = tokio::task::spawn_blocking(move || store(&*sink, meta, pieces));
        Self {
            queue,
            thread,
            left: shared.config.instance_max,
            over: false,
        }
    }

    async fn piece(&mut self, bytes: Bytes, metrics: &ScpMetrics) -> Result<(), AssociationError> {
        let length = bytes.len() as u64;
        ScpMetrics::count(&metrics.bytes, length);
        self.over |= length > self.left;
        if self.over {
            return Ok(());
        }
        self.left -= length;
        self.send(Piece::Bytes(bytes)).await
    }

    /// Hands a piece on. A closed queue means that the store has refused: the rest is dropped
    /// and the refusal comes with the outcome.
    async fn send(&self, piece: Piece) -> Result<(), AssociationError> {
        let sent = timeout(STORE_WAIT, self.queue.send(piece)).await;
        sent.map(|_| ()).map_err(|_| AssociationError::StoreStalled)
    }

    async fn finish(self) -> Result<StoreOutcome, AssociationError> {
        if self.over {
            return Ok(StoreOutcome::Refused(StoreRefusal::OutOfResources));
        }
        self.send(Piece::End).await?;
        match timeout(STORE_WAIT, self.thread).await {
            Ok(Ok(outcome)) => Ok(outcome),
            // The store panicked: nothing was promised to the peer.
            Ok(Err(_)) => Ok(StoreOutcome::Refused(StoreRefusal::Processing)),
            Err(_) => Err(AssociationError::StoreStalled),
        }
    }
}

/// The blocking side: pieces into the sink until the end, or until nobody sends any more.
fn store(
    sink: &dyn StoreSink,
    meta: IncomingMeta,
    mut pieces: mpsc::Receiver<Piece>,
) -> StoreOutcome {
    let mut incoming: Box<dyn Incoming> = match sink.begin(meta) {
        Ok(incoming) => incoming,
        Err(refusal) => return StoreOutcome::Refused(refusal),
    };
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Bytes(bytes)) => {
                if let Err(refusal) = incoming.write(&bytes) {
                    return StoreOutcome::Refused(refusal);
                }
            }
            Some(Piece::End) => return incoming.finish(),
            None => return StoreOutcome::Refused(StoreRefusal::Processing),
        }
    }
}
