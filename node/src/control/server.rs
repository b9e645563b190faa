//! The server's end of the control socket.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::document::report::Section;
use protocol::ids::{CaseId, Fence, NodeId, OfferId};
use protocol::io::{Command, ReportDraft};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::duties::Duties;
use super::timeline::Timeline;
use super::view;
use super::wire::{LINE_MAX, Reply, Request, SectionText};
use crate::driver::ports::Undone;
use crate::driver::{AskError, DriverHandle, DriverStopped, LeaseView};

/// Clients at the same time: a person, a script and a monitor, with room.
const CLIENTS_MAX: usize = 16;

/// Why the socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket's file cannot be made.
    #[error("{}: {source}", socket.display())]
    Socket {
        /// The socket.
        socket: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the request is not one: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("`{0}` is not a hexadecimal identifier of the right length")]
    Id(&'static str),
    #[error("no lease has this fence here")]
    NoLease,
    #[error("leases of more than one hospital have this fence: name the owner")]
    Ambiguous,
    #[error("name the report's language")]
    Language,
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Undone(#[from] Undone),
}

impl From<DriverStopped> for Refusal {
    fn from(stopped: DriverStopped) -> Self {
        Self::Ask(stopped.into())
    }
}

/// What the node shows of itself. Calls may block.
pub trait Facts: Send + Sync + 'static {
    /// Who and where it is.
    fn status(&self) -> Value;

    /// Studies in the store, by hashed identifiers.
    ///
    /// # Errors
    /// [`Undone`].
    fn studies(&self) -> Result<Value, Undone>;

    /// Writes an audit archive.
    ///
    /// # Errors
    /// [`Undone`].
    fn export(&self, dir: &Path) -> Result<Value, Undone>;

    /// The duties that go with a log.
    ///
    /// # Errors
    /// [`Undone`] where the node keeps no log.
    fn duties(&self) -> Result<&dyn Duties, Undone>;

    /// The language of the report that a lease's grant asks for.
    fn language(&self, fence: Fence, owner: NodeId) -> Option<String>;

    /// Internal identifiers of objects opened under a lease.
    fn opened(&self, fence: Fence, owner: NodeId) -> Vec<[u8; 16]>;
}

/// Serves the control socket. Clones share it.
#[derive(Clone)]
pub struct Server {
    driver: Option<DriverHandle>,
    timeline: Timeline,
    facts: Arc<dyn Facts>,
}

impl Server {
    /// A server; a node without hospital and reader role has no driver.
    #[must_use]
    pub fn new(driver: Option<DriverHandle>, timeline: Timeline, facts: Arc<dyn Facts>) -> Self {
        Self {
            driver,
            timeline,
            facts,
        }
    }

    /// Makes the socket's file, for the node's own user alone. One that is left over from a node
    /// that died is replaced: the data folder's lock says that no other node runs.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn bind(socket: &Path) -> Result<UnixListener, ControlError> {
        let at = |source| ControlError::Socket {
            socket: socket.to_owned(),
            source,
        };
        match fs::remove_file(socket) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(error)),
        }
        let listener = UnixListener::bind(socket).map_err(at)?;
        fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).map_err(at)?;
        Ok(listener)
    }

    /// Serves until `stop`.
    pub async fn run(self, listener: UnixListener, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(CLIENTS_MAX));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else { continue };
            // Without room the connection is closed unheard.
            let Ok(slot) = Arc::clone(&room).try_acquire_owned() else {
                continue;
            };
            let (server, stop) = (self.clone(), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    served = server.serve(stream) => if let Err(error) = served {
                        tracing::debug!(%error, "a control client went away");
                    }
                }
                drop(slot);
            });
        }
    }

    async fn serve(&self, stream: UnixStream) -> io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut reader).take(LINE_MAX as u64);
            bounded.read_until(b'\n', &mut line).await?;
            if line.last() != Some(&b'\n') {
                return Ok(());
            }
            let reply = match self.handle(&line).await {
                Ok(value) => Reply::Ok(value),
                Err(refusal) => Reply::Error(refusal.to_string()),
            };
            let mut bytes = serde_json::to_vec(&reply)?;
            bytes.push(b'\n');
            writer.write_all(&bytes).await?;
        }
    }

    async fn handle(&self, line: &[u8]) -> Result<Value, Refusal> {
        match serde_json::from_slice(line)? {
            Request::Status {} => self.blocking(|facts| Ok(facts.status())).await,
            Request::Studies {} => self.blocking(|facts| facts.studies()).await,
            Request::Export { dir } => self.blocking(move |facts| facts.export(&dir)).await,
            request @ (Request::ReviewDue {}
            | Request::Review { .. }
            | Request::Prove { .. }
            | Request::Disclose { .. }) => self.duty(request).await,
            Request::Events { since } => Ok(json!({ "events": self.timeline.since(since) })),
            Request::Cases {} => {
                let views = self.driver()?.views().await?;
                Ok(json!({ "cases": views.cases.iter().map(view::case).collect::<Vec<_>>() }))
            }
            Request::Offers {} => {
                let views = self.driver()?.views().await?;
                Ok(json!({ "offers": views.offers.iter().map(view::offer).collect::<Vec<_>>() }))
            }
            Request::Leases {} => {
                let views = self.driver()?.views().await?;
                Ok(json!({ "leases": views.leases.iter().map(view::lease).collect::<Vec<_>>() }))
            }
            command @ (Request::Claim { .. }
            | Request::Report { .. }
            | Request::Handback { .. }
            | Request::CaseClose { .. }
            | Request::CaseCancel { .. }) => {
                let command = self.command(command).await?;
                self.driver()?.command(command).await?;
                Ok(json!({}))
            }
        }
    }

    pub(super) fn driver(&self) -> Result<&DriverHandle, Refusal> {
        let none = || Undone("this node has neither cases nor a desk".to_owned());
        Ok(self.driver.as_ref().ok_or_else(none)?)
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Facts) -> Result<T, Undone> + Send + 'static,
    ) -> Result<T, Refusal> {
        let facts = Arc::clone(&self.facts);
        let answer = tokio::task::spawn_blocking(move || ask(&*facts)).await;
        Ok(answer.unwrap_or_else(|error| Err(Undone::of(error)))?)
    }

    async fn command(&self, request: Request) -> Result<Command, Refusal> {
        match request {
            Request::Claim { offer, owner } => self.claim(&offer, owner.as_deref()).await,
            Request::Report {
                fence,
                owner,
                template,
                language,
                sections,
                is_final,
            } => {
                let lease = self.lease(fence, owner.as_deref()).await?;
                let (fence, owner) = (lease.fence, lease.owner);
                let asked = || self.facts.language(fence, owner);
                let language = language.or_else(asked).ok_or(Refusal::Language)?;
                let section = |given: SectionText| Section {
                    name: given.name,
                    text: given.text,
                };
                let sections = sections.into_iter().map(section).collect();
                let opened = self.facts.opened(fence, owner);
                let draft = ReportDraft {
                    template,
                    language,
                    sections,
                    opened,
                    is_final,
                };
                Ok(Command::Report {
                    fence,
                    owner,
                    draft,
                })
            }
            Request::Handback {
                fence,
                owner,
                reason,
            } => {
                let lease = self.lease(fence, owner.as_deref()).await?;
                Ok(Command::HandBack {
                    fence: lease.fence,
                    owner: lease.owner,
                    reason,
                })
            }
            Request::CaseClose { case, reason } => Ok(Command::CloseCase {
                case: case_id(&case)?,
                reason,
            }),
            Request::CaseCancel { case, reason } => Ok(Command::CancelCase {
                case: case_id(&case)?,
                reason,
            }),
            Request::Status {}
            | Request::Cases {}
            | Request::Offers {}
            | Request::Leases {}
            | Request::Studies {}
            | Request::Events { .. }
            | Request::ReviewDue {}
            | Request::Review { .. }
            | Request::Prove { .. }
            | Request::Disclose { .. }
            | Request::Export { .. } => Err(Undone("that is no command".to_owned()).into()),
        }
    }

    async fn claim(&self, offer: &str, owner: Option<&str>) -> Result<Command, Refusal> {
        let offer = OfferId::from_hex(offer).ok_or(Refusal::Id("offer"))?;
        let owner = match owner {
            Some(owner) => node(owner)?,
            None => {
                let offers = self.driver()?.views().await?.offers;
                let known = offers.iter().find(|view| view.offer == offer);
                known
                    .ok_or_else(|| Undone("no such offer is in the book".to_owned()))?
                    .owner
            }
        };
        Ok(Command::Claim { offer, owner })
    }

    async fn lease(&self, fence: u64, owner: Option<&str>) -> Result<LeaseView, Refusal> {
        let owner = owner.map(node).transpose()?;
        let mut leases = self.driver()?.views().await?.leases;
        leases.retain(|lease| {
            lease.fence == Fence(fence) && owner.is_none_or(|owner| owner == lease.owner)
        });
        match leases.len() {
            0 => Err(Refusal::NoLease),
            1 => Ok(leases.swap_remove(0)),
            _ => Err(Refusal::Ambiguous),
        }
    }
}

fn node(text: &str) -> Result<NodeId, Refusal> {
    NodeId::from_hex(text).ok_or(Refusal::Id("owner"))
}

fn case_id(text: &str) -> Result<CaseId, Refusal> {
    CaseId::from_hex(text).ok_or(Refusal::Id("case"))
}

#[cfg(test)]
mod tests {
    use super::super::client::{ClientError, ask};
    use super::*;

    struct Shown;

    impl Facts for Shown {
        fn status(&self) -> Value {
            json!({ "node": "ab" })
        }

        fn studies(&self) -> Result<Value, Undone> {
            Err(Undone("no store".to_owned()))
        }

        fn export(&self, dir: &Path) -> Result<Value, Undone> {
            Ok(json!({ "folder": dir.display().to_string() }))
        }

        fn duties(&self) -> Result<&dyn Duties, Undone> {
            Err(Undone("no log".to_owned()))
        }

        fn language(&self, _fence: Fence, _owner: NodeId) -> Option<String> {
            None
        }

        fn opened(&self, _fence: Fence, _owner: NodeId) -> Vec<[u8; 16]> {
            Vec::new()
        }
    }

    fn refused(answer: Result<Value, ClientError>) -> String {
        match answer {
            Err(ClientError::Refused(reason)) => reason,
            Ok(_) | Err(_) => panic!("not refused"),
        }
    }

    #[tokio::test]
    async fn a_client_is_answered_and_refused_in_words() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("control");
        std::fs::write(&socket, "left over").expect("written");
        let listener = Server::bind(&socket).expect("bound");
        let mode = std::fs::metadata(&socket)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let (stop, timeline) = (CancellationToken::new(), Timeline::default());
        timeline.note("step", 3, Value::Null);
        let server = Server::new(None, timeline, Arc::new(Shown));
        let served = tokio::spawn(server.run(listener, stop.clone()));
        let status = ask(&socket, &Request::Status {}).await.expect("answered");
        assert_eq!(status, json!({ "node": "ab" }));
        let events = ask(&socket, &Request::Events { since: 0 })
            .await
            .expect("answered");
        assert_eq!(events["events"][0]["bytes"], 3);
        let studies = ask(&socket, &Request::Studies {}).await;
        assert_eq!(refused(studies), "no store");
        let cases = ask(&socket, &Request::Cases {}).await;
        assert_eq!(refused(cases), "this node has neither cases nor a desk");
        let due = ask(&socket, &Request::ReviewDue {}).await;
        assert_eq!(refused(due), "no log");
        let prove = ask(&socket, &Request::Prove { index: 0 }).await;
        assert_eq!(refused(prove), "no log");
        let bad = Request::CaseClose {
            case: "xy".into(),
            reason: String::new(),
        };
        assert!(refused(ask(&socket, &bad).await).starts_with("`case` is not"));
        stop.cancel();
        served.await.expect("ended");
    }

    #[tokio::test]
    async fn garbage_is_refused_and_the_connection_goes_on() {
        let server = Server::new(None, Timeline::default(), Arc::new(Shown));
        let (near, far) = UnixStream::pair().expect("a pair");
        let served = tokio::spawn(async move { server.serve(far).await });
        let (reader, mut writer) = near.into_split();
        writer
            .write_all(b"nonsense\n{\"cmd\":\"status\"}\n")
            .await
            .expect("sent");
        let mut lines = BufReader::new(reader).lines();
        let first = lines.next_line().await.expect("read").expect("a line");
        assert!(first.starts_with("{\"error\":"));
        let second = lines.next_line().await.expect("read").expect("a line");
        assert_eq!(second, "{\"ok\":{\"node\":\"ab\"}}");
        drop((writer, lines));
        served.await.expect("ended").expect("no error");
    }
}
