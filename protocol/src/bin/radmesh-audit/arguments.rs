//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};
use crypto::digest::Digest;
use crypto::note::VerifierKey;
use protocol::audit::export::Form;
use protocol::audit::query::{Ask, Question, when};

use super::explain::ExplainArguments;
use super::folder::{self, FolderError};
use super::page::ReportArguments;

/// Longest file with a patient's identifier, in bytes.
const SUBJECT_MAX: u64 = 4 << 10;

/// Days for a review unless told otherwise.
const REVIEW_DAYS: u32 = protocol::limits::REVIEW_DAYS as u32;

/// Verifies, questions and compares audit archives of radmesh nodes, offline.
#[derive(Parser)]
#[command(name = "radmesh-audit", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Verify archives, each by itself and all against one another.
    ///
    /// Exit code 0 only if everything holds, by the genesis given; 1 if anything fails; 2 if an
    /// archive cannot be opened; 3 if every check holds by a genesis that came with the archive.
    Verify(VerifyArguments),
    /// Answer a question from archives, which are verified first.
    ///
    /// The verdict comes first, the answer in any case, and last whether the answer is complete or
    /// what could not be seen. Exit codes are those of `verify`.
    Query(QueryArguments),
    /// Compare an archive with a checkpoint that you kept, or with another archive.
    ///
    /// Exit code 0 only if the log is the same, grown or not, and the archive verifies; 1 if not;
    /// 2 if a file cannot be opened.
    Compare(CompareArguments),
    /// Explain one release in sentences, and make its decision again from the archived policy text
    /// and the disclosed facts.
    ///
    /// The archives are verified first. Exit code 0 only if they verify and the decision is the
    /// same as logged; 1 if anything fails or the decision differs; 2 if an archive cannot be
    /// opened, has no such release, or this build has no policy engine; 3 if all holds by a genesis
    /// that came with the archive; 4 if the decision cannot be made again.
    Explain(ExplainArguments),
    /// Write the verdict and the answers on one HTML page that needs nothing else.
    ///
    /// The archives are verified first. Exit codes are those of `verify`.
    Report(ReportArguments),
    /// Write every entry of archives, which are verified first, as one message each.
    ///
    /// Exit codes are those of `verify`. Archives that do not verify are exported only if you say
    /// so; every message then says that it is not verified.
    Export(ExportArguments),
    /// Check that one entry stands in a log, by its proof and your quorum file.
    ///
    /// Needs no archive. Exit code 0 only if the log signed, the entry is in its tree and a quorum
    /// cosigned; 1 if not; 2 if a file cannot be opened.
    Proof(ProofArguments),
}

#[derive(Args)]
pub struct Trust {
    /// SHA-256 of the consortium's genesis, as you know it from elsewhere.
    #[arg(long, value_name = "HASH", value_parser = Digest::from_hex)]
    pub genesis: Option<Digest>,
    /// Without --genesis: take the archive's own, and exit with 0 if every check holds by it.
    #[arg(long, conflicts_with = "genesis")]
    pub trust_archive: bool,
    /// The quorum file that the archives must have, as you know it from elsewhere.
    #[arg(long, value_name = "FILE")]
    pub quorum: Option<PathBuf>,
}

#[derive(Args)]
pub struct VerifyArguments {
    /// Folders written by `radmesh audit export`.
    #[arg(required = true, value_name = "DIR")]
    pub archives: Vec<PathBuf>,
    #[command(flatten)]
    pub trust: Trust,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What a question is limited to.
#[derive(Args)]
pub struct Limits {
    /// From this time on: RFC 3339, or a date (UTC).
    #[arg(long, value_name = "T", value_parser = when::from)]
    from: Option<u64>,
    /// Up to this time, a whole date included: RFC 3339, or a date (UTC).
    #[arg(long, value_name = "T", value_parser = when::until)]
    to: Option<u64>,
    /// Only data that is in this country.
    #[arg(long, value_name = "CC", value_parser = country)]
    from_country: Option<String>,
    /// Only what is seen from this country.
    #[arg(long, value_name = "CC", value_parser = country)]
    to_country: Option<String>,
    /// Silence that is worth a line in `complete`: 90s, 30m, 1h, 2d.
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = when::span)]
    quiet: u64,
    /// Years that the logs should cover, for `retention`.
    #[arg(long, value_name = "N", default_value_t = 6)]
    years: u32,
    /// Days within which an entry must have been reviewed, for `reviews`.
    #[arg(long, value_name = "N", default_value_t = REVIEW_DAYS)]
    review_days: u32,
}

impl Limits {
    /// A question within them.
    pub fn ask(&self, question: Question) -> Ask {
        Ask {
            from_us: self.from.unwrap_or(0),
            until_us: self.to.unwrap_or(u64::MAX),
            from_country: self.from_country.clone(),
            to_country: self.to_country.clone(),
            quiet_us: self.quiet,
            years: self.years,
            review_days: self.review_days,
            ..Ask::of(question)
        }
    }
}

#[derive(Args)]
pub struct QueryArguments {
    /// `who` was let at a patient's studies; what `left` a country; releases without valid
    /// `credentials` or without a `basis`; whether the logs are `complete`; emergency `overrides`;
    /// `reviews`; `retention`; `outliers` among readers.
    #[arg(value_parser = question())]
    pub question: Question,
    /// Folders written by `radmesh audit export`.
    #[arg(required = true, value_name = "DIR")]
    pub archives: Vec<PathBuf>,
    /// The patient, as the hospital's openings have it: `id^^^issuer`.
    #[arg(long, value_name = "ID", conflicts_with = "subject")]
    pub patient: Option<String>,
    /// A file whose first line is the patient, so that it stands in no list of processes.
    #[arg(long, value_name = "FILE")]
    pub subject: Option<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub trust: Trust,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ExportArguments {
    /// `dicom`: audit messages of PS3.15 A.5, one XML document a line; `syslog`: the same, framed
    /// for syslog over TLS (RFC 5425); `fhir`: R4 AuditEvents as NDJSON; `csv`; `jsonl`.
    #[arg(long = "as", value_name = "FORM", value_parser = form())]
    pub form: Form,
    /// Folders written by `radmesh audit export`.
    #[arg(required = true, value_name = "DIR")]
    pub archives: Vec<PathBuf>,
    /// Write to this file, which must not exist yet, instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Export also what does not verify, marked as such.
    #[arg(long)]
    pub unverified: bool,
    #[command(flatten)]
    pub trust: Trust,
}

#[derive(Args)]
pub struct ProofArguments {
    /// The proof (`.tlog-proof`), as `radmesh audit prove` wrote it.
    pub proof: PathBuf,
    /// The entry's exact bytes, as it was written beside the proof.
    pub entry: PathBuf,
    /// The verifier key of the log, as its credential names it.
    #[arg(long, value_name = "KEY", value_parser = VerifierKey::parse)]
    pub log: VerifierKey,
    /// The quorum file, as you hold it.
    #[arg(long, value_name = "FILE")]
    pub quorum: PathBuf,
}

#[derive(Args)]
pub struct CompareArguments {
    /// A checkpoint file (a signed note) that you kept, or the folder of another archive.
    pub old: PathBuf,
    /// Folder written by `radmesh audit export`.
    #[arg(value_name = "DIR")]
    pub archive: PathBuf,
    #[command(flatten)]
    pub trust: Trust,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

impl QueryArguments {
    /// The question with its limits.
    ///
    /// # Errors
    /// [`FolderError::File`] for the file with the patient.
    pub fn ask(&self) -> Result<Ask, FolderError> {
        let patient = match &self.subject {
            None => self.patient.clone(),
            Some(file) => Some(folder::first_line(file, SUBJECT_MAX)?),
        };
        Ok(Ask {
            patient,
            ..self.limits.ask(self.question)
        })
    }
}

fn question() -> impl clap::builder::TypedValueParser<Value = Question> {
    let names = Question::ALL.map(Question::name);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Question>())
}

fn form() -> impl clap::builder::TypedValueParser<Value = Form> {
    let names = Form::ALL.map(Form::name);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Form>())
}

/// A country as ISO 3166-1 alpha-2 writes it.
fn country(text: &str) -> Result<String, &'static str> {
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        Ok(text.to_ascii_uppercase())
    } else {
        Err("a country is two letters (ISO 3166-1 alpha-2)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_with_its_limits() {
        let words = "radmesh-audit query left --from 2027-01-15 --to 2027-01-15 --from-country de \
                     --json archive";
        let arguments = Arguments::try_parse_from(words.split_whitespace()).expect("reads");
        let Command::Query(query) = arguments.command else {
            panic!("another command");
        };
        let ask = query.ask().expect("no file");
        assert_eq!(ask.question, Question::Left);
        assert_eq!(ask.from_us, 1_799_971_200_000_000);
        assert_eq!(ask.until_us, ask.from_us + 86_400_000_000);
        assert_eq!(ask.from_country.as_deref(), Some("DE"));
        assert_eq!((ask.quiet_us, ask.years), (3_600_000_000, 6));
    }

    #[test]
    fn what_is_no_question_is_refused() {
        for words in [
            "query what archive",
            "query left",
            "query left --from yesterday archive",
            "query left --to-country AUT archive",
            "query who --patient 1 --subject file archive",
            "compare old",
            "export archive",
            "export --as pdf archive",
            "export --as csv",
        ] {
            let words = std::iter::once("radmesh-audit").chain(words.split_whitespace());
            assert!(Arguments::try_parse_from(words).is_err());
        }
    }
}
