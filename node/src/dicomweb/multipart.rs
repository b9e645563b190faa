//! Streaming answers: `multipart/related` (RFC 2387) or a single part, in bounded memory.

use super::accept::Wrapping;
use super::source::{ByteStream, SourceError};
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, StreamExt};

/// A part: its media type with parameters, and its content.
pub(super) struct Part {
    pub(super) content_type: String,
    pub(super) content: ByteStream,
}

/// Parts as they become ready. An error after the first bytes cuts the answer off, so that no
/// client takes half an image for a whole one.
pub(super) type Parts = stream::BoxStream<'static, Result<Part, SourceError>>;

/// The answer with `parts`, of which the first is ready. `media` is the type of every part.
pub(super) fn respond(wrapping: Wrapping, media: &str, first: Part, rest: Parts) -> Response {
    match wrapping {
        Wrapping::Single => reply(&first.content_type, Body::from_stream(first.content)),
        Wrapping::Multipart => {
            let boundary = format!("radmesh-{}", uuid::Uuid::new_v4().simple());
            let content_type = format!("multipart/related; type=\"{media}\"; boundary={boundary}");
            let all = stream::once(std::future::ready(Ok(first))).chain(rest);
            reply(&content_type, Body::from_stream(joined(all, boundary)))
        }
    }
}

fn reply(content_type: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    match HeaderValue::from_str(content_type) {
        Ok(value) => {
            response.headers_mut().insert(CONTENT_TYPE, value);
        }
        // Our own texts are ASCII; a foreign one must not become a header.
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response
}

/// The bytes of a multipart body.
fn joined(
    parts: impl stream::Stream<Item = Result<Part, SourceError>> + Send + 'static,
    boundary: String,
) -> ByteStream {
    let end = Bytes::from(format!("\r\n--{boundary}--\r\n"));
    let mut lead = "";
    let parts = parts.flat_map(move |part| match part {
        Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
        Ok(part) => {
            let head = format!(
                "{lead}--{boundary}\r\nContent-Type: {}\r\n\r\n",
                part.content_type
            );
            lead = "\r\n";
            stream::once(std::future::ready(Ok(Bytes::from(head))))
                .chain(part.content)
                .boxed()
        }
    });
    parts
        .chain(stream::once(std::future::ready(Ok(end))))
        .boxed()
}
