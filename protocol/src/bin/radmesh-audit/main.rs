//! `radmesh-audit`: the regulator's offline tool. It links no network, no storage engine, and by
//! default no policy engine; it reads folders, and writes to standard output or to a new file.

mod arguments;
mod explain;
mod export;
mod folder;
mod page;
mod proof;
mod run;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Verify(arguments) => run::verify(&arguments).map_err(|error| error.to_string()),
        Command::Query(arguments) => run::query(&arguments).map_err(|error| error.to_string()),
        Command::Compare(arguments) => run::compare(&arguments).map_err(|error| error.to_string()),
        Command::Explain(arguments) => {
            explain::explain(&arguments).map_err(|error| error.to_string())
        }
        Command::Export(arguments) => return export::run(&arguments),
        Command::Report(arguments) => page::report(&arguments).map_err(|error| error.to_string()),
        Command::Proof(arguments) => proof::check(&arguments).map_err(|error| error.to_string()),
    };
    match done {
        Ok((code, text)) => {
            // A closed pipe does not change the verdict.
            let _ = std::io::stdout().write_all(text.as_bytes());
            code
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "radmesh-audit: {error}");
            ExitCode::from(2)
        }
    }
}
