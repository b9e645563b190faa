//! `radmesh case`: a hospital's cases.

use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::Output;
use super::client::{Shown, Target};
use crate::control::wire::Request;

/// Between two looks at the timeline.
const LOOK: Duration = Duration::from_millis(250);

/// What to do with cases.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// All cases.
    List(Target),
    /// One case.
    Show(One),
    /// Follow what happens, until interrupted.
    Watch(Target),
    /// Close a delivered case by hand.
    Close(WithReason),
    /// Cancel a case.
    Cancel(WithReason),
}

/// One case.
#[derive(Debug, Args)]
pub(super) struct One {
    #[command(flatten)]
    target: Target,
    /// The case, as `case list` shows it.
    #[arg(value_name = "CASE")]
    case: String,
}

/// One case, and why.
#[derive(Debug, Args)]
pub(super) struct WithReason {
    #[command(flatten)]
    one: One,
    /// Why, in words; it is logged.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Command {
    pub(super) fn run(self, out: &Output) -> anyhow::Result<()> {
        match self {
            Self::List(target) => target.show(&Request::Cases {}, out),
            Self::Show(one) => show(&one, out),
            Self::Watch(target) => watch(&target, out),
            Self::Close(WithReason {
                one: One { target, case },
                reason,
            }) => target.show(&Request::CaseClose { case, reason }, out),
            Self::Cancel(WithReason {
                one: One { target, case },
                reason,
            }) => target.show(&Request::CaseCancel { case, reason }, out),
        }
    }
}

fn show(one: &One, out: &Output) -> anyhow::Result<()> {
    let mut answer = one.target.ask(&Request::Cases {})?;
    let found = answer
        .get_mut("cases")
        .and_then(Value::as_array_mut)
        .and_then(|cases| {
            cases
                .iter_mut()
                .find(|case| case.get("case").and_then(Value::as_str) == Some(&one.case))
        })
        .map(Value::take);
    match found {
        Some(case) => out.answer(&Shown(case)),
        None => bail!("there is no such case"),
    }
}

fn watch(target: &Target, out: &Output) -> anyhow::Result<()> {
    let mut since = 0;
    loop {
        let answer = target.ask(&Request::Events { since })?;
        for event in answer
            .get("events")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            since = event.get("seq").and_then(Value::as_u64).unwrap_or(since);
            out.answer(&Shown(event.clone()))?;
        }
        std::thread::sleep(LOOK);
    }
}
