//! Errors of the DICOMweb pages and the status codes that they become.

use super::source::SourceError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Seconds after which a client should ask again for what is still on its way.
const RETRY_AFTER_S: u16 = 2;

/// Why a request is not served. The texts hold nothing of the request or of a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// A UID in the path or the query is none.
    #[error("a UID is malformed")]
    BadUid,
    /// The frame list is malformed or too long.
    #[error("the frame list is malformed")]
    BadFrames,
    /// The query names an unknown attribute or a malformed value.
    #[error("the query is malformed")]
    BadQuery,
    /// No such study, series, instance, frame or bulk value.
    #[error("not found")]
    NotFound,
    /// Nothing that the client accepts can be made from what is stored.
    #[error("not available in an acceptable media type")]
    NotAcceptable,
    /// It is on its way.
    #[error("not here yet, ask again")]
    NotYet,
    /// It was here.
    #[error("no longer available")]
    Gone,
    /// A fault of ours.
    #[error("internal error")]
    Internal,
}

impl From<SourceError> for WebError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::NotYet => Self::NotYet,
            SourceError::Gone => Self::Gone,
            SourceError::Failed => Self::Internal,
        }
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::BadUid | Self::BadFrames | Self::BadQuery => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::NotYet => StatusCode::SERVICE_UNAVAILABLE,
            Self::Gone => StatusCode::GONE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = (status, self.to_string()).into_response();
        if self == Self::NotYet {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}
