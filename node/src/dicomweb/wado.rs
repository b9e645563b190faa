//! WADO-RS: whole instances and their metadata (PS3.18 sections 10.4.1.1.1 and 10.4.1.1.2).

use super::accept::{Accept, DICOM};
use super::error::WebError;
use super::json;
use super::multipart::{Part, Parts, respond};
use super::source::{ByteStream, Instance, SourceError};
use super::{Pages, accept::Wrapping};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use serde_json::Value;
use std::sync::Arc;

/// Media type of DICOM JSON.
pub(super) const DICOM_JSON: &str = "application/dicom+json";

/// Headers that are converted at the same time while metadata streams.
const CONVERTING: usize = 2;

/// What a handler answers.
pub(super) type Answer = Result<Response, WebError>;

/// Path parameters of the three levels.
type StudyPath = Path<String>;
type SeriesPath = Path<(String, String)>;
type InstancePath = Path<(String, String, String)>;

pub(super) async fn study(
    State(pages): State<Pages>,
    Path(study): StudyPath,
    headers: HeaderMap,
) -> Answer {
    instances(&pages, &[&study], &headers).await
}

pub(super) async fn series(
    State(pages): State<Pages>,
    Path((study, series)): SeriesPath,
    headers: HeaderMap,
) -> Answer {
    instances(&pages, &[&study, &series], &headers).await
}

pub(super) async fn instance(
    State(pages): State<Pages>,
    Path((study, series, instance)): InstancePath,
    headers: HeaderMap,
) -> Answer {
    instances(&pages, &[&study, &series, &instance], &headers).await
}

pub(super) async fn study_metadata(
    State(pages): State<Pages>,
    Path(study): StudyPath,
    headers: HeaderMap,
) -> Answer {
    metadata(pages, &[&study], &headers).await
}

pub(super) async fn series_metadata(
    State(pages): State<Pages>,
    Path((study, series)): SeriesPath,
    headers: HeaderMap,
) -> Answer {
    metadata(pages, &[&study, &series], &headers).await
}

pub(super) async fn instance_metadata(
    State(pages): State<Pages>,
    Path((study, series, instance)): InstancePath,
    headers: HeaderMap,
) -> Answer {
    metadata(pages, &[&study, &series, &instance], &headers).await
}

/// Instances as DICOM files, each in its stored transfer syntax.
async fn instances(pages: &Pages, path: &[&str], headers: &HeaderMap) -> Answer {
    let accept = Accept::from_headers(headers);
    let found = pages.select(path).await?;
    // One that is not acceptable must not leave a gap: the whole request is refused.
    let mut wrapping = Wrapping::Single;
    for instance in &found {
        wrapping = accept
            .instances(instance.syntax.uid)
            .ok_or(WebError::NotAcceptable)?;
    }
    if wrapping == Wrapping::Single && found.len() > 1 {
        return Err(WebError::NotAcceptable);
    }
    let mut found = found.into_iter();
    let first = found.next().ok_or(WebError::NotFound)?;
    let first = instance_part(pages.clone(), first).await?;
    let pages = pages.clone();
    let rest: Parts = stream::iter(found)
        .then(move |next| instance_part(pages.clone(), next))
        .boxed();
    Ok(respond(wrapping, DICOM, first, rest))
}

async fn instance_part(pages: Pages, instance: Arc<Instance>) -> Result<Part, SourceError> {
    let content_type = format!("{DICOM}; transfer-syntax={}", instance.syntax.uid);
    let content = pages.file(instance).await?;
    Ok(Part {
        content_type,
        content,
    })
}

/// Headers as one JSON array, streamed instance by instance.
async fn metadata(pages: Pages, path: &[&str], headers: &HeaderMap) -> Answer {
    if !Accept::from_headers(headers).json() {
        return Err(WebError::NotAcceptable);
    }
    let found = pages.select(path).await?;
    let mut lead = "[";
    let items = stream::iter(found)
        .map(move |instance| convert(pages.clone(), instance))
        .buffered(CONVERTING)
        .map(move |item| {
            let text = format!("{lead}{}", item?);
            lead = ",";
            Ok(Bytes::from(text))
        });
    let end = stream::once(std::future::ready(Ok(Bytes::from_static(b"]"))));
    Ok(json_stream(items.chain(end).boxed()))
}

/// One header's JSON, made on a blocking thread: a large header takes milliseconds.
async fn convert(pages: Pages, instance: Arc<Instance>) -> Result<String, SourceError> {
    let converted = tokio::task::spawn_blocking(move || {
        json::attributes(&instance, &pages.instance_url(&instance))
            .map(|attributes| Value::Object(attributes).to_string())
    });
    match converted.await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(_)) | Err(_) => {
            tracing::error!("a stored header could not be converted to JSON");
            Err(SourceError::Failed)
        }
    }
}

/// An answer in DICOM JSON.
pub(super) fn json_stream(body: ByteStream) -> Response {
    let mut response = Response::new(Body::from_stream(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(DICOM_JSON));
    response
}
