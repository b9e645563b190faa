//! What the nouns that talk to a running node share: where it listens, and one question.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::Output;
use crate::config::Settings;
use crate::control::client;
use crate::control::wire::Request;

/// Which node.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// The node's configuration file; its control socket is asked.
    #[arg(long, value_name = "FILE", required_unless_present = "socket")]
    config: Option<PathBuf>,
    /// The control socket itself.
    #[arg(long, value_name = "SOCKET", conflicts_with = "config")]
    socket: Option<PathBuf>,
}

impl Target {
    /// Asks one question.
    ///
    /// # Errors
    /// The configuration does not read, no node listens, or it says no.
    pub(super) fn ask(&self, request: &Request) -> anyhow::Result<Value> {
        let socket = match (&self.socket, &self.config) {
            (Some(socket), _) => socket.clone(),
            (None, Some(config)) => Settings::load(config)?.control_socket,
            (None, None) => anyhow::bail!("name the node: --config FILE or --socket SOCKET"),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        Ok(runtime.block_on(client::ask(&socket, request))?)
    }

    /// Asks, and prints the answer.
    ///
    /// # Errors
    /// As [`Target::ask`].
    pub(super) fn show(&self, request: &Request, out: &Output) -> anyhow::Result<()> {
        out.answer(&Shown(self.ask(request)?))
    }
}

/// An answer: as JSON, or as lines of `name value` that a person reads.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Shown(pub(super) Value);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lines(f, &self.0, "")
    }
}

/// Lists one row each, objects one line a field; what is empty says so.
fn lines(f: &mut fmt::Formatter<'_>, value: &Value, indent: &str) -> fmt::Result {
    match value {
        Value::Object(fields) if fields.is_empty() => writeln!(f, "{indent}done"),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| match value {
            Value::Array(rows) if rows.is_empty() => writeln!(f, "{indent}no {name}"),
            Value::Array(rows) => rows.iter().try_for_each(|row| match row.is_object() {
                true => row_of(f, row, indent),
                false => writeln!(f, "{indent}{name} {}", text(row)),
            }),
            Value::Object(_) => {
                writeln!(f, "{indent}{name}")?;
                lines(f, value, &format!("{indent}  "))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                writeln!(f, "{indent}{name:<12} {}", text(value))
            }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            writeln!(f, "{indent}{}", text(value))
        }
    }
}

fn row_of(f: &mut fmt::Formatter<'_>, row: &Value, indent: &str) -> fmt::Result {
    write!(f, "{indent}")?;
    for (name, value) in row.as_object().into_iter().flatten() {
        if !value.is_null() {
            write!(f, "{name}={} ", text(value))?;
        }
    }
    writeln!(f)
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_lines() {
        let shown = Shown(json!({ "cases": [{ "case": "ab", "fence": null, "state": "open" }] }));
        assert_eq!(shown.to_string(), "case=ab state=open \n");
        assert_eq!(Shown(json!({ "cases": [] })).to_string(), "no cases\n");
        assert_eq!(Shown(json!({})).to_string(), "done\n");
    }
}
