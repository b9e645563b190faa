//! What a message promises is in the sender's log, durable (a grant: cosigned), before the message
//! leaves.

use protocol::audit::entry::Entry;
use protocol::audit::header::Kind;
use protocol::wire::Message;

use super::Broken;
use crate::host::Host;
use crypto::digest::Digest;

/// Checks one message as it leaves.
///
/// # Errors
/// [`Broken::NotLogged`].
pub fn check(host: &Host, message: &Message) -> Result<(), Broken> {
    let broken = |missing| Broken::NotLogged {
        host: host.number,
        message: message.name(),
        missing,
    };
    let holds = |kind: Kind, grant: Option<&Digest>| {
        host.disk.entries.iter().any(|stored| {
            Entry::decode_bytes(&stored.entry).is_ok_and(|entry| {
                let header = entry.header();
                let same = grant.is_none_or(|grant| header.grant_hash == grant.as_bytes());
                header.kind == kind as i32 && same
            })
        })
    };
    match message {
        Message::Grant(grant) => {
            let hash = Digest::sha256(&grant.grant);
            let at = host
                .disk
                .entries
                .iter()
                .position(|stored| stored.entry == grant.entry);
            let at = at.ok_or_else(|| broken("durable"))? as u64;
            if !holds(Kind::ReleaseGranted, Some(&hash)) {
                return Err(broken("for this grant"));
            }
            if at >= host.disk.cosigned {
                Err(broken("cosigned"))
            } else {
                Ok(())
            }
        }
        Message::Receipt(receipt) => {
            let there = host
                .disk
                .entries
                .iter()
                .any(|stored| stored.entry == receipt.entry);
            if there {
                Ok(())
            } else {
                Err(broken("durable"))
            }
        }
        Message::ReceiptAck(_) if !holds(Kind::AccessBegun, None) => Err(broken("durable")),
        Message::Claim(_) if !holds(Kind::CaseClaimed, None) => Err(broken("durable")),
        Message::Offer(_) if !holds(Kind::CaseOffered, None) => Err(broken("durable")),
        Message::Report(_) if !holds(Kind::ReportSigned, None) => Err(broken("durable")),
        Message::ReportAck(_) if !holds(Kind::ReportReceived, None) => Err(broken("durable")),
        Message::Purged(_) | Message::PurgedAck(_) if !holds(Kind::AccessEnded, None) => {
            Err(broken("durable"))
        }
        Message::Offer(_)
        | Message::Taken(_)
        | Message::Claim(_)
        | Message::Deny(_)
        | Message::ReceiptAck(_)
        | Message::Renew(_)
        | Message::Renewed(_)
        | Message::Revoked(_)
        | Message::HandBack(_)
        | Message::Report(_)
        | Message::ReportAck(_)
        | Message::Purged(_)
        | Message::PurgedAck(_) => Ok(()),
    }
}
