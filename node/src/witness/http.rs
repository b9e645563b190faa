//! The witness over HTTP/1.1 (c2sp.org/tlog-witness): for logs that are not on the mesh, and for
//! those that reach it faster this way.
//!
//! `POST …/add-checkpoint` is answered, and, of our own, `GET …/held/HEX`: the checkpoint that is
//! held of the log whose origin has that SHA-256. Nothing here is secret and every word is signed,
//! so this end speaks plain HTTP; where a certificate is wanted, a proxy stands before it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Method, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::audit::witness::{Answer, MAX_REQUEST_LEN};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::WitnessRole;

/// Connections at a time: a consortium's logs, twice. One more waits in the kernel's queue.
const CONNECTIONS_MAX: usize = 64;
/// For a request's head, and for the next request on the same connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// For a request's body: at most some kilobytes.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest head of a request.
const HEAD_MAX: usize = 16 << 10;
/// The folder of the checkpoints that are held.
pub(crate) const HELD: &str = "held";
/// After a failed accept, which is the process's want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers until `stop`.
pub async fn serve(listener: TcpListener, role: Arc<WitnessRole>, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the witness cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (role, stop) = (Arc::clone(&role), stop.clone());
        tokio::spawn(async move {
            connection(stream, role, stop).await;
            drop(permit);
        });
    }
}

async fn connection(stream: TcpStream, role: Arc<WitnessRole>, stop: CancellationToken) {
    let service = service_fn(move |request| respond(Arc::clone(&role), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = stop.cancelled() => {}
        ended = served => if let Err(error) = ended {
            tracing::debug!(%error, "a connection to the witness ended");
        }
    }
}

async fn respond(
    role: Arc<WitnessRole>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = match answer(role, request).await {
        Ok(answer) => answer,
        Err(status) => return Ok(plain(status, Bytes::new())),
    };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = plain(status, answer.body.into());
    if let Some(kind) = answer.content_type {
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    Ok(response)
}

async fn answer(role: Arc<WitnessRole>, request: Request<Incoming>) -> Result<Answer, StatusCode> {
    let path = request.uri().path();
    // A prefix is allowed: a proxy may serve several witnesses.
    if let Some((before, digest)) = path.rsplit_once('/')
        && before.rsplit('/').next() == Some(HELD)
    {
        if request.method() != Method::GET {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let digest = digest.to_owned();
        let held = tokio::task::spawn_blocking(move || role.held_by_digest(&digest)).await;
        return held.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
    }
    if path.rsplit('/').next() != Some("add-checkpoint") {
        return Err(StatusCode::NOT_FOUND);
    }
    if request.method() != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let body = Limited::new(request.into_body(), MAX_REQUEST_LEN).collect();
    let body = match timeout(BODY_TIMEOUT, body).await {
        Err(_) => return Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Err(_)) => return Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Ok(body)) => body.to_bytes(),
    };
    let decided = tokio::task::spawn_blocking(move || role.decide(&body)).await;
    decided.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn plain(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}
