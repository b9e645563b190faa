//! What PS3.15 and FHIR have no field for: named details of the log entry.

use super::event::Event;
use super::text::hex;

/// Name and value, in one order; what is not there is left out.
pub(super) fn of(event: &Event) -> Vec<(&'static str, String)> {
    let (header, opened) = (&event.header, &event.opened);
    let mut all = vec![
        ("verification", event.standing.name().to_owned()),
        ("leaf", event.place.leaf.to_hex()),
        ("logged-action", event.logged_action().to_owned()),
        ("time-uncertainty-us", header.uncertainty_us.to_string()),
    ];
    let mut say = |name, value: &str| {
        if !value.is_empty() {
            all.push((name, value.to_owned()));
        }
    };
    say("from-country", &header.from_country);
    say("to-country", &header.to_country);
    say("legal-role", &header.legal_role);
    say("basis", &header.basis);
    say("purpose", &header.purpose);
    say("policy", &hex(&cut(&header.policy_hash)));
    say("rules", &header.rules.join(" "));
    say("urgency", urgency(event));
    if header.revocation_version > 0 {
        say("revocation-list", &header.revocation_version.to_string());
    }
    if header.emergency {
        say("emergency", "true");
    }
    for (name, bound) in [
        ("bytes-at-most", at_most(header.bytes_bucket)),
        ("instances-at-most", at_most(header.instances_bucket)),
    ] {
        say(
            name,
            &bound.map_or_else(String::new, |bound| bound.to_string()),
        );
    }
    if let Some((bytes, instances)) = opened.counts {
        say("bytes", &bytes.to_string());
        say("instances", &instances.to_string());
    }
    if let Some(serial) = opened.credential {
        say("credential", &serial.to_string());
    }
    if opened.more_studies > 0 {
        say("studies-not-named", &opened.more_studies.to_string());
    }
    if let Some(purged) = opened.purged {
        say("purged", if purged { "true" } else { "false" });
    }
    for (name, value) in [
        ("case", &opened.case),
        ("report", &opened.report),
        ("destination", &opened.destination),
        ("software", &opened.software),
        ("reason", &opened.reason),
    ] {
        say(name, value.as_deref().unwrap_or_default());
    }
    say("sealed", &event.sealed.join(" "));
    all
}

/// A digest is 32 bytes; more is no digest, and is cut.
pub(super) fn cut(digest: &[u8]) -> Vec<u8> {
    digest.iter().copied().take(32).collect()
}

/// Urgency in words; nothing where the entry has none.
pub(super) fn urgency(event: &Event) -> &'static str {
    match event.header.urgency {
        0 => "",
        1 => "stat",
        2 => "emergent",
        3 => "urgent",
        4 => "routine",
        5.. => "not known to this release",
    }
}

/// The most that a bucket holds.
pub(super) fn at_most(bucket: u32) -> Option<u64> {
    match bucket {
        0 => None,
        bucket => Some(1_u64.checked_shl(bucket - 1).unwrap_or(u64::MAX)),
    }
}
