//! QIDO-RS: searching the open studies (PS3.18 section 10.6).

mod levels;
mod matching;

use super::Pages;
use super::accept::Accept;
use super::error::WebError;
use super::json::Attributes;
use super::source::Instance;
use super::wado::{Answer, json_stream};
use crate::dicom::uid::Uid;
use axum::extract::{Path, Query as Params, State};
use axum::http::HeaderMap;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use levels::Level;
use matching::Search;
use serde_json::Value;
use std::sync::Arc;

/// Query parameters in their order.
type Pairs = Params<Vec<(String, String)>>;

pub(super) async fn studies(
    State(pages): State<Pages>,
    Params(pairs): Pairs,
    headers: HeaderMap,
) -> Answer {
    search(
        pages,
        Level::Study,
        Scope::default(),
        Asked { pairs, headers },
    )
    .await
}

pub(super) async fn all_series(
    State(pages): State<Pages>,
    Params(pairs): Pairs,
    headers: HeaderMap,
) -> Answer {
    search(
        pages,
        Level::Series,
        Scope::default(),
        Asked { pairs, headers },
    )
    .await
}

pub(super) async fn all_instances(
    State(pages): State<Pages>,
    Params(pairs): Pairs,
    headers: HeaderMap,
) -> Answer {
    search(
        pages,
        Level::Instance,
        Scope::default(),
        Asked { pairs, headers },
    )
    .await
}

pub(super) async fn series_of_study(
    State(pages): State<Pages>,
    Path(study): Path<String>,
    Params(pairs): Pairs,
    headers: HeaderMap,
) -> Answer {
    search(
        pages,
        Level::Series,
        Scope::of(&study, None)?,
        Asked { pairs, headers },
    )
    .await
}

pub(super) async fn instances_of_study(
    State(pages): State<Pages>,
    Path(study): Path<String>,
    Params(pairs): Pairs,
    headers: HeaderMap,
) -> Answer {
    search(
        pages,
        Level::Instance,
        Scope::of(&study, None)?,
        Asked { pairs, headers },
    )
    .await
}

pub(super) async fn instances_of_series(
    State(pages): State<Pages>,
    Path((study, series)): Path<(String, String)>,
    Params(pairs): Pairs,
    headers: HeaderMap,
) -> Answer {
    let scope = Scope::of(&study, Some(&series))?;
    search(pages, Level::Instance, scope, Asked { pairs, headers }).await
}

/// What the path narrows the search to.
#[derive(Default)]
struct Scope {
    study: Option<Uid>,
    series: Option<Uid>,
}

impl Scope {
    fn of(study: &str, series: Option<&str>) -> Result<Self, WebError> {
        let parse = |text| Uid::parse(text).map_err(|_| WebError::BadUid);
        Ok(Self {
            study: Some(parse(study)?),
            series: series.map(parse).transpose()?,
        })
    }
}

/// What the client sent besides the path.
struct Asked {
    pairs: Vec<(String, String)>,
    headers: HeaderMap,
}

async fn search(pages: Pages, level: Level, scope: Scope, asked: Asked) -> Answer {
    if !Accept::from_headers(&asked.headers).json() {
        return Err(WebError::NotAcceptable);
    }
    let search = Search::parse(&asked.pairs)?;
    let studies = match scope.study {
        Some(study) => vec![study],
        None => pages.source.studies().await?,
    };
    let mut found = Vec::new();
    for study in &studies {
        // A UID in the query spares reading every other study.
        if search.excludes_study(study) {
            continue;
        }
        let mut instances = pages.source.instances(study).await?;
        if let Some(series) = &scope.series {
            instances.retain(|instance| instance.series == *series);
        }
        found.extend(matches(&pages, level, instances, &search).await?);
        if found.len() >= search.needed() {
            break;
        }
    }
    let results: Vec<_> = found
        .into_iter()
        .skip(search.offset)
        .take(search.limit)
        .collect();
    let text = Value::Array(results.into_iter().map(Value::Object).collect()).to_string();
    Ok(json_stream(
        stream::once(std::future::ready(Ok(Bytes::from(text)))).boxed(),
    ))
}

/// The results of one study, made on a blocking thread since headers are parsed.
async fn matches(
    pages: &Pages,
    level: Level,
    instances: Vec<Arc<Instance>>,
    search: &Search,
) -> Result<Vec<Attributes>, WebError> {
    let (pages, search) = (pages.clone(), search.clone());
    let made = tokio::task::spawn_blocking(move || {
        let mut results = Vec::new();
        for candidate in levels::candidates(level, &instances, &pages)? {
            if search.matches(&candidate) {
                results.push(levels::reduce(level, candidate, &search.include));
            }
        }
        Ok(results)
    });
    made.await.map_err(|_| WebError::Internal)?
}
