//! What a message may hold: every field of a peer's is bounded before anything is made of it.
//!
//! A record copies envelopes and texts out of messages, and the log takes only so much of one
//! entry. So the bounds stand here, where a message comes in; `limits` asserts that they are low
//! enough.

use super::case::{Deny, GrantMessage, Message, Offer, ReceiptMessage};
use crate::ids::OfferId;
use crate::limits;
use crate::member::check::LANGUAGE_MAX;

/// Room for a message's own numbers and texts, and for fields of a later release, in bytes.
const ROOM: usize = 4 << 10;
const _: () = assert!(4 * limits::TEXT_MAX + 1_024 <= ROOM);

/// The longest message by its field in the frame, in bytes: looked at before anything is decoded,
/// because a list of empty strings grows twelvefold in memory.
pub(super) const fn longest(tag: u32) -> usize {
    match tag {
        3 => limits::SESSION_CERTIFICATE_MAX + ROOM,
        4 => limits::RULES_MAX * (limits::RULE_NAME_MAX + 3) + ROOM,
        5 => limits::GRANT_MAX + limits::ENTRY_MAX + limits::PROOF_MAX + ROOM,
        6 => limits::RECEIPT_MAX + limits::ENTRY_MAX + limits::PROOF_MAX + ROOM,
        12 => limits::REPORT_MAX + ROOM,
        _ => ROOM,
    }
}
const _: () = assert!(longest(5) <= limits::MESSAGE_MAX && longest(12) <= limits::MESSAGE_MAX);

/// The first field that is missing, of the wrong length, or beyond its bound.
pub(super) fn wrong_field(message: &Message) -> Option<&'static str> {
    match message {
        Message::Offer(offer) => of_offer(offer),
        Message::Taken(taken) => first_wrong(&[(is_offer(&taken.offer), "offer")]),
        Message::Claim(claim) => first_wrong(&[
            (is_offer(&claim.offer), "offer"),
            (
                claim.session.len() <= limits::SESSION_CERTIFICATE_MAX,
                "session",
            ),
        ]),
        Message::Deny(deny) => first_wrong(&[
            (is_offer(&deny.offer), "offer"),
            (are_rules(&deny.rules), "rules"),
            (is_text(&deny.reason), "reason"),
        ]),
        Message::Grant(grant) => of_grant(grant),
        Message::Receipt(receipt) => of_receipt(receipt),
        Message::Revoked(end) | Message::HandBack(end) | Message::Purged(end) => {
            first_wrong(&[(is_text(&end.reason), "reason")])
        }
        Message::Report(report) => {
            first_wrong(&[(report.report.len() <= limits::REPORT_MAX, "report")])
        }
        Message::ReportAck(ack) => first_wrong(&[(ack.report_hash.len() == 32, "report_hash")]),
        Message::ReceiptAck(_)
        | Message::Renew(_)
        | Message::Renewed(_)
        | Message::PurgedAck(_) => None,
    }
}

fn of_offer(offer: &Offer) -> Option<&'static str> {
    first_wrong(&[
        (is_offer(&offer.offer), "offer"),
        (is_text(&offer.modality), "modality"),
        (is_text(&offer.body_part), "body_part"),
        (is_text(&offer.subspecialty), "subspecialty"),
        (is_language(&offer.report_language), "report_language"),
        (is_country(&offer.jurisdiction), "jurisdiction"),
    ])
}

fn of_grant(grant: &GrantMessage) -> Option<&'static str> {
    first_wrong(&[
        (grant.grant.len() <= limits::GRANT_MAX, "grant"),
        (grant.entry.len() <= limits::ENTRY_MAX, "entry"),
        (grant.proof.len() <= limits::PROOF_MAX, "proof"),
    ])
}

fn of_receipt(receipt: &ReceiptMessage) -> Option<&'static str> {
    first_wrong(&[
        (receipt.receipt.len() <= limits::RECEIPT_MAX, "receipt"),
        (receipt.entry.len() <= limits::ENTRY_MAX, "entry"),
        (receipt.proof.len() <= limits::PROOF_MAX, "proof"),
    ])
}

/// The name of the first field that does not hold.
pub(crate) fn first_wrong(fields: &[(bool, &'static str)]) -> Option<&'static str> {
    let wrong = fields.iter().find(|(holds, _)| !holds);
    wrong.map(|(_, name)| *name)
}

/// An offer's identifier.
const fn is_offer(bytes: &[u8]) -> bool {
    bytes.len() == OfferId::LEN
}

/// A short text, or none.
pub(crate) const fn is_text(text: &str) -> bool {
    text.len() <= limits::TEXT_MAX
}

/// The length of a language tag, or none.
pub(crate) const fn is_language(text: &str) -> bool {
    text.len() <= LANGUAGE_MAX
}

/// The length of a country's code, or none.
pub(crate) const fn is_country(text: &str) -> bool {
    matches!(text.len(), 0 | 2)
}

/// As many rules, and as long, as one decision may name.
pub(crate) fn are_rules(rules: &[String]) -> bool {
    let short = |rule: &String| rule.len() <= limits::RULE_NAME_MAX;
    rules.len() <= limits::RULES_MAX && rules.iter().all(short)
}

/// Cuts what only tells a person something; a field that counts is never touched.
pub(super) fn cut(mut message: Message) -> Message {
    match &mut message {
        Message::Offer(offer) => cut_offer(offer),
        Message::Deny(deny) => cut_denial(deny),
        Message::Revoked(end) | Message::HandBack(end) | Message::Purged(end) => {
            cut_text(&mut end.reason, limits::TEXT_MAX);
        }
        Message::Taken(_)
        | Message::Claim(_)
        | Message::Grant(_)
        | Message::Receipt(_)
        | Message::ReceiptAck(_)
        | Message::Renew(_)
        | Message::Renewed(_)
        | Message::Report(_)
        | Message::ReportAck(_)
        | Message::PurgedAck(_) => {}
    }
    message
}

fn cut_offer(offer: &mut Offer) {
    let texts = [
        &mut offer.modality,
        &mut offer.body_part,
        &mut offer.subspecialty,
    ];
    texts
        .into_iter()
        .for_each(|text| cut_text(text, limits::TEXT_MAX));
    cut_text(&mut offer.report_language, LANGUAGE_MAX);
    if !is_country(&offer.jurisdiction) {
        offer.jurisdiction.clear();
    }
}

fn cut_denial(deny: &mut Deny) {
    cut_text(&mut deny.reason, limits::TEXT_MAX);
    deny.rules.truncate(limits::RULES_MAX);
    let rules = deny.rules.iter_mut();
    rules.for_each(|rule| cut_text(rule, limits::RULE_NAME_MAX));
}

/// Cuts a text at a character.
fn cut_text(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
}
