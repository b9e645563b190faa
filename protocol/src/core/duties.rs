//! What whoever keeps a log owes it: reviews, and word of every opening that is disclosed.

use super::context::{Context, Entry};
use super::log::Need;
use crate::audit::entry::Field;
use crate::audit::header::{Action, Header, Reviewed, bucket};
use crate::audit::record::{DisclosureRecord, Record, ReviewRecord};
use crate::audit::review::DAY_US;
use crate::document::review;
use crate::ids::SubjectId;
use crate::io::{Command, CommandError};
use crate::limits;

/// Takes a command about the log itself; others are not for here.
pub(super) fn command(command: Command, ctx: &mut Context) -> Result<(), CommandError> {
    if ctx.log.is_full() {
        return Err(CommandError::LogBehind);
    }
    match command {
        Command::LogReview { review } => log_review(review, ctx),
        Command::LogDisclosure {
            disclosure,
            subject,
            country,
        } => log_disclosure(disclosure, (subject, country), ctx),
        Command::ObjectStored { .. }
        | Command::CloseCase { .. }
        | Command::CancelCase { .. }
        | Command::Served { .. }
        | Command::Advertise { .. }
        | Command::Claim { .. }
        | Command::HandBack { .. }
        | Command::Report { .. } => Err(CommandError::Invalid("a role's command")),
    }
}

/// Logs a review that a key of this node's own credential signed.
fn log_review(envelope: Vec<u8>, ctx: &mut Context) -> Result<(), CommandError> {
    let wall = ctx.now.wall;
    let own = ctx.roster.valid_node(&ctx.identity.node, wall);
    let own = own.map_err(|_| CommandError::NotNow("this node's own credential does not hold"))?;
    let (review, _) = review::open(&envelope, &own.credential)
        .map_err(|_| CommandError::Invalid("the review is not signed by a key of this node"))?;
    if review.log_origin != ctx.identity.log.name().as_str() {
        return Err(CommandError::Invalid("the review is of another log"));
    }
    if review.end > ctx.log.next() {
        return Err(CommandError::Invalid(
            "the review covers entries that are not there",
        ));
    }
    let record = Record::LogReviewed(ReviewRecord { review: envelope });
    let day_us = wall.unix_us - wall.unix_us % DAY_US;
    let header = Header {
        reviewed: Some(Reviewed {
            first: review.first,
            end: review.end,
            findings: review.findings,
            next_due_us: day_us.saturating_add(limits::REVIEW_DAYS * DAY_US),
        }),
        ..ctx.header(&record, Action::Read)
    };
    let fields = vec![
        (Field::Person, review.by.into_bytes()),
        (Field::Reason, review.found.into_bytes()),
    ];
    ctx.append(
        Entry::new(record, header, None, fields),
        Need::Durable,
        vec![],
    );
    Ok(())
}

/// Logs that openings are disclosed. How many shows as a bucket, and for which country; to whom,
/// and which, is sealed.
fn log_disclosure(
    disclosure: DisclosureRecord,
    (subject, country): (Option<SubjectId>, String),
    ctx: &mut Context,
) -> Result<(), CommandError> {
    let named = !disclosure.to.is_empty() && disclosure.to.len() <= limits::TEXT_MAX;
    let short = disclosure.scope.len() <= limits::TEXT_MAX
        && disclosure.patient.len() <= limits::TEXT_MAX
        && matches!(country.len(), 0 | 2);
    let entries = &disclosure.entries;
    let ascending = entries.windows(2).all(|pair| pair[0] < pair[1]);
    let there = entries
        .last()
        .is_some_and(|last| ctx.log.is_durable(*last) && entries.len() <= limits::DISCLOSED_MAX);
    if !(named && short && ascending && there) {
        return Err(CommandError::Invalid(
            "a disclosure names a recipient, and durable entries in order",
        ));
    }
    let count = entries.len() as u64;
    let mut fields = vec![(Field::Person, disclosure.to.clone().into_bytes())];
    if !disclosure.patient.is_empty() {
        fields.push((Field::Patient, disclosure.patient.clone().into_bytes()));
    }
    let record = Record::OpeningDisclosed(disclosure);
    let header = Header {
        from_country: ctx.identity.country.clone(),
        to_country: country,
        instances_bucket: bucket(count),
        ..ctx.header(&record, Action::Read)
    };
    ctx.append(
        Entry::new(record, header, subject, fields),
        Need::Durable,
        vec![],
    );
    Ok(())
}
