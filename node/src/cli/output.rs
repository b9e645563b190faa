//! The one place that prints: a value for a person, or as one line of JSON; hints and errors apart.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde::Serialize;

/// Where a command's answer goes. Answers to standard output, everything else to standard error.
#[derive(Debug)]
pub struct Output {
    json: bool,
    /// Answers are kept here and not printed.
    #[cfg(test)]
    kept: Option<std::sync::Mutex<Vec<String>>>,
}

impl Output {
    /// Answers as JSON, one value a line, or as text for a person.
    #[must_use]
    pub const fn new(json: bool) -> Self {
        Self {
            json,
            #[cfg(test)]
            kept: None,
        }
    }

    /// Keeps answers, as JSON, for a test to look at.
    #[cfg(test)]
    pub(crate) fn keeping() -> Self {
        Self {
            kept: Some(std::sync::Mutex::default()),
            ..Self::new(true)
        }
    }

    /// The answers kept since the last call.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> Vec<serde_json::Value> {
        let mut kept = self.kept.as_ref().unwrap().lock().unwrap();
        std::mem::take(&mut *kept)
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Whether answers are JSON.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints an answer: its JSON, or its text.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub fn answer<T: Serialize + Display>(&self, value: &T) -> anyhow::Result<()> {
        let text = match self.json {
            true => serde_json::to_string(value)?,
            false => value.to_string(),
        };
        #[cfg(test)]
        if let Some(kept) = &self.kept {
            kept.lock().unwrap().push(text);
            return Ok(());
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{}", text.trim_end_matches('\n'))?;
        out.flush()?;
        Ok(())
    }

    /// Says something beside the answer: a warning, a next step. Never in the JSON.
    pub fn hint(&self, text: &str) {
        #[cfg(test)]
        if self.kept.is_some() {
            return;
        }
        // A closed standard error changes nothing about what was done.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Says why a command failed, in one line.
    pub fn failure(&self, error: &anyhow::Error) -> ExitCode {
        if is_closed_pipe(error) {
            // `radmesh … | head` has read enough; there is nobody to tell.
            return ExitCode::FAILURE;
        }
        self.hint(&format!("radmesh: {}", one_line(error)));
        ExitCode::FAILURE
    }
}

/// An error with what caused it, in one line. A cause that an error has in its own words is not
/// said twice.
#[must_use]
pub fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let words = cause
            .to_string()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        if line.contains(&words) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&words);
    }
    line
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn an_error_is_one_line_and_says_nothing_twice() {
        let cause = anyhow::anyhow!("no such\nfile");
        let error = Err::<(), _>(cause)
            .context("genesis: no such file")
            .context("start")
            .unwrap_err();
        assert_eq!(one_line(&error), "start: genesis: no such file");
    }
}
