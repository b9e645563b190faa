//! QIDO-RS and WADO-RS (PS3.18) on loopback, for the desk.
//!
//! Everything is streamed: an image is served as its own segments come in, in bounded memory,
//! and what has not arrived within [`WAIT`] is answered with 503 and Retry-After. Instances go
//! out in the transfer syntax in which they were stored. [`Guard`] stands before these routes
//! and before the desk's own pages.

mod accept;
mod error;
mod frames;
mod json;
mod multipart;
mod qido;
mod read;
mod security;
mod source;
#[cfg(test)]
mod tests;
mod wado;

pub use error::WebError;
pub use security::{Guard, Refused, SESSION_COOKIE, SessionToken};
pub use source::{ByteStream, Instance, SourceError, StudySource};

use crate::dicom::uid::Uid;
use axum::Router;
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the first bytes of what is on its way, and for each next piece of it.
/// Browsers and viewers give up after 30 s or more.
pub const WAIT: Duration = Duration::from_secs(20);

/// The pages' state.
#[derive(Clone)]
struct Pages {
    source: Arc<dyn StudySource>,
    /// Address of the routes as a browser sees it, without a slash at the end.
    base_url: Arc<str>,
    wait: Duration,
}

/// The routes, to be nested where `base_url` (for example `http://localhost:8042/dicomweb`) says
/// they are, and to be put behind a [`Guard`].
pub fn router(source: Arc<dyn StudySource>, base_url: &str) -> Router {
    routes(source, base_url, WAIT)
}

fn routes(source: Arc<dyn StudySource>, base_url: &str, wait: Duration) -> Router {
    const INSTANCE: &str = "/studies/{study}/series/{series}/instances/{instance}";
    let under_instance = |rest: &str| format!("{INSTANCE}/{rest}");
    let pages = Pages {
        source,
        base_url: base_url.trim_end_matches('/').into(),
        wait,
    };
    Router::new()
        .route("/studies", get(qido::studies))
        .route("/series", get(qido::all_series))
        .route("/instances", get(qido::all_instances))
        .route("/studies/{study}/series", get(qido::series_of_study))
        .route("/studies/{study}/instances", get(qido::instances_of_study))
        .route(
            "/studies/{study}/series/{series}/instances",
            get(qido::instances_of_series),
        )
        .route("/studies/{study}", get(wado::study))
        .route("/studies/{study}/series/{series}", get(wado::series))
        .route(INSTANCE, get(wado::instance))
        .route("/studies/{study}/metadata", get(wado::study_metadata))
        .route(
            "/studies/{study}/series/{series}/metadata",
            get(wado::series_metadata),
        )
        .route(&under_instance("metadata"), get(wado::instance_metadata))
        .route(&under_instance("bulkdata/{tag}"), get(frames::bulkdata))
        .route(&under_instance("frames/{frames}"), get(frames::frames))
        .with_state(pages)
}

impl Pages {
    fn instance_url(&self, instance: &Instance) -> String {
        let Instance {
            study,
            series,
            instance,
            ..
        } = instance;
        format!(
            "{}/studies/{study}/series/{series}/instances/{instance}",
            self.base_url
        )
    }

    /// The instances of a study, of one of its series, or one of them.
    ///
    /// # Errors
    /// [`WebError::BadUid`], [`WebError::NotFound`] if there is none, or the source's error.
    async fn select(&self, path: &[&str]) -> Result<Vec<Arc<Instance>>, WebError> {
        let uids: Result<Vec<Uid>, _> = path.iter().map(|text| Uid::parse(text)).collect();
        let uids = uids.map_err(|_| WebError::BadUid)?;
        let mut uids = uids.iter();
        let study = uids.next().ok_or(WebError::NotFound)?;
        let (series, instance) = (uids.next(), uids.next());
        let mut found = self.source.instances(study).await?;
        found.retain(|i| {
            series.is_none_or(|series| i.series == *series)
                && instance.is_none_or(|instance| i.instance == *instance)
        });
        if found.is_empty() {
            Err(WebError::NotFound)
        } else {
            Ok(found)
        }
    }
}
