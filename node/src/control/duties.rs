//! The log's own duties on the control socket: reviews, single proofs, disclosed openings.

use std::path::Path;

use protocol::io::Command;
use serde_json::{Value, json};

use super::server::{Refusal, Server};
use super::wire::{Disclosed, Request};
use crate::driver::ports::Undone;

/// A review as a person gives it. The text may be about a patient: no Debug.
pub struct ReviewText {
    /// The reviewer, as they name themselves.
    pub by: String,
    /// What was found, in words.
    pub found: String,
    /// How many things were found that somebody must look into.
    pub findings: u32,
    /// One more than the index of the last entry that was reviewed.
    pub end: u64,
}

/// A signed review.
pub struct SignedReview {
    /// The command that logs it.
    pub command: Command,
    /// Index of the first entry that it covers.
    pub first: u64,
    /// Whose key signed it: "person" or "hospital".
    pub signed_by: &'static str,
}

/// What is to be disclosed. It may name a patient: no Debug.
pub struct Planned {
    /// Whose openings.
    pub scope: Disclosed,
    /// Indexes of the entries, ascending.
    pub entries: Vec<u64>,
    /// Entries that would belong to it and whose payload was erased.
    pub erased: u64,
    /// The commands that log it.
    pub commands: Vec<Command>,
}

/// What the node does for its log. Calls block.
pub trait Duties {
    /// What is due of reviews. Reads the whole log.
    ///
    /// # Errors
    /// [`Undone`].
    fn review_due(&self) -> Result<Value, Undone>;

    /// Signs a review of all entries that none covered yet, up to before its end.
    ///
    /// # Errors
    /// [`Undone`].
    fn sign_review(&self, review: ReviewText) -> Result<SignedReview, Undone>;

    /// The exact entry at `index`, and its proof.
    ///
    /// # Errors
    /// [`Undone`], also while no cosigned checkpoint covers it.
    fn prove(&self, index: u64) -> Result<Value, Undone>;

    /// Which entries have openings for somebody. Opens every payload that may.
    ///
    /// # Errors
    /// [`Undone`], also where `dir` is not free: what could not be written is not to be logged.
    fn plan(&self, scope: Disclosed, to: &str, dir: &Path) -> Result<Planned, Undone>;

    /// Writes the archive with what was planned, once that is logged.
    ///
    /// # Errors
    /// [`Undone`].
    fn disclose(&self, planned: &Planned, dir: &Path) -> Result<Value, Undone>;
}

impl Server {
    /// Answers a request about the log's duties.
    pub(super) async fn duty(&self, request: Request) -> Result<Value, Refusal> {
        match request {
            Request::ReviewDue {} => self.blocking(|facts| facts.duties()?.review_due()).await,
            Request::Review {
                by,
                found,
                findings,
                end,
            } => {
                let review = ReviewText {
                    by,
                    found,
                    findings,
                    end,
                };
                self.review(review).await
            }
            Request::Prove { index } => {
                self.blocking(move |facts| facts.duties()?.prove(index))
                    .await
            }
            Request::Disclose { scope, to, dir } => self.disclose((scope, to), &dir).await,
            Request::Status {}
            | Request::Cases {}
            | Request::Offers {}
            | Request::Leases {}
            | Request::Studies {}
            | Request::Events { .. }
            | Request::Claim { .. }
            | Request::Report { .. }
            | Request::Handback { .. }
            | Request::CaseClose { .. }
            | Request::CaseCancel { .. }
            | Request::Export { .. } => Err(Undone("that is no duty".to_owned()).into()),
        }
    }

    /// Signs a review, and answers when its entry is durable.
    async fn review(&self, review: ReviewText) -> Result<Value, Refusal> {
        let end = review.end;
        let signed = self
            .blocking(move |facts| facts.duties()?.sign_review(review))
            .await?;
        let SignedReview {
            command,
            first,
            signed_by,
        } = signed;
        self.driver()?.command(command).await?;
        Ok(json!({ "from": first, "to": end.saturating_sub(1), "signed_by": signed_by }))
    }

    /// Logs a disclosure, and writes it only when every entry about it is durable.
    async fn disclose(
        &self,
        (scope, to): (Disclosed, String),
        dir: &Path,
    ) -> Result<Value, Refusal> {
        if !dir.is_absolute() {
            return Err(Undone("the folder's path must be absolute".to_owned()).into());
        }
        let target = dir.to_owned();
        let mut planned = self
            .blocking(move |facts| facts.duties()?.plan(scope, &to, &target))
            .await?;
        for command in std::mem::take(&mut planned.commands) {
            self.driver()?.command(command).await?;
        }
        let dir = dir.to_owned();
        self.blocking(move |facts| facts.duties()?.disclose(&planned, &dir))
            .await
    }
}
