//! How a witness is asked: over the mesh if it is a member, or over HTTP (c2sp.org/tlog-witness).

use std::time::Duration;

use crypto::digest::Digest;
use crypto::note::{KeyName, VerifierKey};
use protocol::audit::witness::{MAX_ANSWER_LEN, get_checkpoint};
use protocol::ids::NodeId;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};

use crate::mesh::{MeshHandle, Protocol};
use crate::witness::HELD;

/// For a connection to a witness, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// For one request and its answer.
const ANSWER: Duration = Duration::from_secs(10);
/// A witness closes idle connections after ten seconds: this end closes first.
const IDLE: Duration = Duration::from_secs(5);

/// A witness that can be asked.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Its key, of type 04.
    pub key: VerifierKey,
    /// Where.
    pub at: At,
}

/// Where a witness is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// A member of the mesh.
    Mesh(NodeId),
    /// The URL of its `add-checkpoint`.
    Http(Url),
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    /// The mesh does not reach it.
    #[error("{0}")]
    Mesh(#[from] crate::mesh::SendError),
    /// It is on the mesh, and this asker is not.
    #[error("no mesh")]
    NoMesh,
    /// HTTP does not reach it.
    #[error("{}", chain(.0))]
    Http(#[from] reqwest::Error),
    /// What came back is longer than any answer, or is none.
    #[error("its answer is none")]
    Answer,
}

/// The error with its causes: the first line of it says only that sending failed.
fn chain(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

/// Asks. Clones share connections.
#[derive(Clone)]
pub struct Asker {
    mesh: Option<MeshHandle>,
    http: Client,
}

impl Asker {
    /// An asker over this mesh and over HTTP.
    ///
    /// # Errors
    /// TLS cannot be set up (the system has no certificates).
    pub fn new(mesh: MeshHandle) -> reqwest::Result<Self> {
        let mesh = Some(mesh);
        Ok(Self {
            mesh,
            ..Self::over_http()?
        })
    }

    /// An asker over HTTP alone.
    ///
    /// # Errors
    /// As for [`Asker::new`].
    pub fn over_http() -> reqwest::Result<Self> {
        let http = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            // The quorum names the witness, and no witness another.
            .redirect(Policy::none())
            .build()?;
        Ok(Self { mesh: None, http })
    }

    /// Sends an `add-checkpoint` request; status and body of the answer.
    ///
    /// # Errors
    /// [`Unreached`].
    pub(super) async fn ask(
        &self,
        witness: &Witness,
        request: Vec<u8>,
    ) -> Result<(u16, Vec<u8>), Unreached> {
        match &witness.at {
            At::Mesh(node) => {
                let mesh = self.mesh.as_ref().ok_or(Unreached::NoMesh)?;
                let answer = mesh.send(*node, Protocol::Witness, request).await?;
                let (status, body) = split_answer(&answer).ok_or(Unreached::Answer)?;
                Ok((status, body.to_vec()))
            }
            At::Http(url) => {
                let request = self.http.post(url.clone()).body(request);
                http(request.header(CONTENT_TYPE, "text/plain; charset=utf-8")).await
            }
        }
    }

    /// Asks for the checkpoint that a witness holds of the log `origin`; status and body of the
    /// answer. A stock witness knows no such question.
    ///
    /// # Errors
    /// [`Unreached`].
    pub(super) async fn held(
        &self,
        witness: &Witness,
        origin: &KeyName,
    ) -> Result<(u16, Vec<u8>), Unreached> {
        match &witness.at {
            At::Mesh(_) => self.ask(witness, get_checkpoint(origin)).await,
            At::Http(url) => {
                let digest = Digest::sha256(origin.as_str().as_bytes()).to_hex();
                let beside = format!("{HELD}/{digest}");
                let url = url.join(&beside).map_err(|_| Unreached::Answer)?;
                http(self.http.get(url)).await
            }
        }
    }
}

async fn http(request: RequestBuilder) -> Result<(u16, Vec<u8>), Unreached> {
    let mut answer = request.send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_LEN {
            return Err(Unreached::Answer);
        }
        body.extend_from_slice(&chunk);
    }
    Ok((answer.status().as_u16(), body))
}

/// Splits "status line, body"; `None` for anything else.
pub(crate) fn split_answer(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let status = std::str::from_utf8(answer.get(..end)?).ok()?.parse().ok()?;
    Some((status, answer.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_line_and_a_body() {
        assert_eq!(split_answer(b"200\nbody"), Some((200, b"body".as_slice())));
        assert_eq!(split_answer(b"409\n"), Some((409, b"".as_slice())));
        for bad in [b"".as_slice(), b"200", b"x\n", b"-1\n", b"99999999\n"] {
            assert_eq!(split_answer(bad), None);
        }
    }
}
