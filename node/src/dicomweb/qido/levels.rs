//! What a search returns at each level (PS3.18 tables 10.6.3-3 to 10.6.3-5).

use super::super::Pages;
use super::super::error::WebError;
use super::super::json::{self, Attributes};
use super::super::source::Instance;
use super::matching::Include;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is being listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Study,
    Series,
    Instance,
}

/// Study attributes that are returned at every level.
const STUDY: &[&str] = &[
    "00080005", "00080020", "00080030", "00080050", "00080056", "00080061", "00080090", "00080201",
    "00081030", "00081190", "00100010", "00100020", "00100021", "00100030", "00100040", "0020000D",
    "00200010", "00201206", "00201208",
];

/// Series attributes.
const SERIES: &[&str] = &[
    "00080021", "00080031", "00080060", "0008103E", "00180015", "0020000E", "00200011", "00201209",
    "00400244", "00400245", "00400275",
];

/// Instance attributes.
const INSTANCE: &[&str] = &[
    "00080016", "00080018", "00083002", "00200013", "00280008", "00280010", "00280011", "00280100",
];

/// A series of the study being listed: its instances, and the attributes of its first.
struct Series<'a> {
    members: Vec<&'a Arc<Instance>>,
    attributes: Attributes,
}

/// The attributes of every study, series or instance among the instances of one study, with
/// what is counted over them.
pub(super) fn candidates(
    level: Level,
    instances: &[Arc<Instance>],
    pages: &Pages,
) -> Result<Vec<Attributes>, WebError> {
    let all = group(instances, pages)?;
    let counted = count_study(&all, instances.len());
    let mut out = Vec::new();
    for Series {
        members,
        mut attributes,
    } in all
    {
        let Some(first) = members.first().copied() else {
            continue;
        };
        let mut counted = counted.clone();
        counted.insert(
            "00201209".to_owned(),
            json!({"vr": "IS", "Value": [members.len()]}),
        );
        match level {
            Level::Study => {
                attributes.extend(counted);
                locate(level, &mut attributes, first, instances.iter(), pages);
                return Ok(vec![attributes]);
            }
            Level::Series => {
                attributes.extend(counted);
                locate(level, &mut attributes, first, members.into_iter(), pages);
                out.push(attributes);
            }
            Level::Instance => {
                for member in members {
                    let mut own = json::attributes(member, &pages.instance_url(member))?;
                    own.extend(counted.clone());
                    let syntax = json!({"vr": "UI", "Value": [member.syntax.uid]});
                    own.insert("00083002".to_owned(), syntax);
                    locate(level, &mut own, member, std::iter::once(member), pages);
                    out.push(own);
                }
            }
        }
    }
    Ok(out)
}

/// Instances by series, in the order in which the series were met.
fn group<'a>(instances: &'a [Arc<Instance>], pages: &Pages) -> Result<Vec<Series<'a>>, WebError> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut all: Vec<Series<'a>> = Vec::new();
    for instance in instances {
        match places.get(instance.series.as_str()) {
            Some(place) => all[*place].members.push(instance),
            None => {
                places.insert(instance.series.as_str(), all.len());
                let attributes = json::attributes(instance, &pages.instance_url(instance))?;
                all.push(Series {
                    members: vec![instance],
                    attributes,
                });
            }
        }
    }
    Ok(all)
}

/// Modalities in Study, and the numbers of series and instances.
fn count_study(all: &[Series<'_>], instances: usize) -> Attributes {
    let mut modalities: Vec<&Value> = Vec::new();
    for series in all {
        let modality = series
            .attributes
            .get("00080060")
            .and_then(|m| m.pointer("/Value/0"));
        modalities.extend(modality.filter(|m| !modalities.contains(m)));
    }
    let mut counted = Attributes::new();
    counted.insert(
        "00080061".to_owned(),
        json!({"vr": "CS", "Value": modalities}),
    );
    counted.insert(
        "00201206".to_owned(),
        json!({"vr": "IS", "Value": [all.len()]}),
    );
    counted.insert(
        "00201208".to_owned(),
        json!({"vr": "IS", "Value": [instances]}),
    );
    counted
}

/// Adds Retrieve URL (0008,1190) and Instance Availability (0008,0056).
fn locate<'a>(
    level: Level,
    attributes: &mut Attributes,
    example: &Instance,
    mut members: impl Iterator<Item = &'a Arc<Instance>>,
    pages: &Pages,
) {
    let here = if members.all(|m| m.complete) {
        "ONLINE"
    } else {
        "NEARLINE"
    };
    attributes.insert("00080056".to_owned(), json!({"vr": "CS", "Value": [here]}));
    let base = &pages.base_url;
    let url = match level {
        Level::Study => format!("{base}/studies/{}", example.study),
        Level::Series => format!("{base}/studies/{}/series/{}", example.study, example.series),
        Level::Instance => pages.instance_url(example),
    };
    attributes.insert("00081190".to_owned(), json!({"vr": "UR", "Value": [url]}));
}

/// Keeps what the level returns and what was asked for besides.
pub(super) fn reduce(level: Level, attributes: Attributes, include: &Include) -> Attributes {
    let wanted = |key: &str| {
        STUDY.contains(&key)
            || (level >= Level::Series && SERIES.contains(&key))
            || (level >= Level::Instance && INSTANCE.contains(&key))
            || include.asks_for(key)
    };
    let mut kept: Attributes = attributes
        .into_iter()
        .filter(|(key, _)| wanted(key.as_str()))
        .collect();
    kept.sort_keys();
    kept
}
