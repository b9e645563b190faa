//! Every bound of the protocol, with its reason.

use std::time::Duration;

/// The longest message of a case, in bytes: what a request may have at all. Each kind has a lower
/// bound of its own (`wire::bounds`).
pub const MESSAGE_MAX: usize = 1 << 20;

/// The longest payload of a log entry before it is sealed, in bytes: the store keeps 1 MiB of
/// sealed bytes, of which the seal itself takes less than 4 KiB.
pub const PAYLOAD_MAX: usize = (1 << 20) - (4 << 10);

/// The longest session certificate, in bytes: 300 are used; a later release may add fields.
pub const SESSION_CERTIFICATE_MAX: usize = 4 << 10;

/// The longest grant, in bytes: [`RULES_MAX`] rules of the greatest length need 9 KiB, all else 2
/// KiB.
pub const GRANT_MAX: usize = 16 << 10;

/// The longest receipt, in bytes: 600 are used with the longest name of a log.
pub const RECEIPT_MAX: usize = 2 << 10;

/// The longest `.tlog-proof` text, in bytes: a path of 64 hashes and 64 cosignatures under the
/// longest names need 27 KiB.
pub const PROOF_MAX: usize = 32 << 10;

/// The longest HPKE box around a release key, in bytes: 82 are used; a hybrid suite with ML-KEM-768
/// needs 1,200.
pub const SEALED_KEY_MAX: usize = 2 << 10;

/// Rules that are named for one decision: a person must be able to read them.
pub const RULES_MAX: usize = 64;

/// The longest name of a rule, in bytes: twice what a policy may use.
pub const RULE_NAME_MAX: usize = 128;

/// The longest name of a log, in bytes (c2sp.org/signed-note as this code reads it).
pub const LOG_NAME_MAX: usize = 255;

/// Sections of a report: a template has four.
pub const SECTIONS_MAX: usize = 64;

/// The longest advert, in bytes: a few hundred are used; gossip multiplies each byte by its
/// fan-out.
pub const ADVERT_MAX: usize = 8 << 10;

/// The longest report, in bytes: [`OBJECTS_MAX`] opened objects by their identifiers, and thirty
/// dense pages.
pub const REPORT_MAX: usize = 880 << 10;

/// The longest leaf entry, in bytes: C2SP tlog-tiles gives its length in a `u16`.
pub const ENTRY_MAX: usize = 65_535;

/// Days within which an entry of the log must have been reviewed: records of access are to be
/// inspected at least once a month (Korea, Standards for Measures to Ensure the Safety of Personal
/// Information, art. 8(2)); 45 CFR 164.308(a)(1)(ii)(D) and NEN 7513 ask for it regularly and name
/// no number.
pub const REVIEW_DAYS: u64 = 31;

/// The longest text of what a review found, in bytes: a page; more belongs into a file of its own.
pub const REVIEW_TEXT_MAX: usize = 8 << 10;

/// The longest signed review, in bytes: the text in an envelope, and a name.
pub const REVIEW_MAX: usize = 16 << 10;

/// Entries whose openings one entry says were disclosed: what is more is said by several.
pub const DISCLOSED_MAX: usize = 1 << 16;

/// Cases that one hospital keeps open at once; beyond it new studies wait in the store.
pub const CASES_MAX: usize = 4_096;

/// How long a case that ended stays in memory: a desk that was off for a holiday still brings its
/// late report or its purge attestation.
pub const ENDED_KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Delivered cases that nobody has closed: a folder acknowledges nothing, and a person may be away
/// for some months of a busy hospital.
pub const CASES_UNCLOSED_MAX: usize = 1 << 16;

/// Cases that ended and are still in memory: as many as may be open; the oldest goes beyond it.
pub const CASES_ENDED_MAX: usize = CASES_MAX;

/// Studies remembered after their case was forgotten, so that a repeated or late object opens no
/// second case: nine years of 300 studies a day, 64 MiB when full; the oldest goes beyond it.
pub const ENDED_STUDIES_MAX: usize = 1 << 20;

/// Adverts kept in the directory: one a reader, and a consortium that is larger shards its topic.
pub const DIRECTORY_MAX: usize = 4_096;

/// Offers that a reader's desk keeps, from all hospitals together; the oldest is dropped beyond it.
pub const OFFERS_MAX: usize = 1_024;

/// Offers from one hospital that a desk keeps: one hospital cannot crowd out the others.
pub const OFFERS_PER_OWNER_MAX: usize = 256;

/// Readers asked in one ring. More only costs messages (`d` in 4..32 made no difference in
/// simulation).
pub const RING: usize = 4;

/// Between two offers of a ring, so that a quick claim saves the later ones.
pub const RING_STAGGER: Duration = Duration::from_millis(250);

/// How long a ring may stay unanswered before the next one.
pub const RING_TIMEOUT: Duration = Duration::from_secs(60);

/// Offers that a desk gets again when it comes back: more wait for the ring to be repeated. Far
/// below what may be under way to one peer.
pub const ASK_AGAIN_MAX: usize = 16;

/// The same for urgent cases.
pub const RING_TIMEOUT_URGENT: Duration = Duration::from_secs(20);

/// How long a lease lasts without a renewal: three missed renewals.
pub const LEASE: Duration = Duration::from_secs(90);

/// How long a claim is said again, and after a restart remembered: as long as the lease that it
/// may bring.
pub const CLAIM: Duration = LEASE;

/// Claimed offers that a desk remembers, so that it knows a second claim: weeks of reading.
pub const CLAIMED_MAX: usize = 4_096;

/// Leases and claims that a desk has open at once: more than a department reads in a day.
pub const READS_MAX: usize = 256;

/// Leases that are over at a desk and not yet acknowledged by their owners; the oldest is dropped
/// beyond it.
pub const LEASES_ENDED_MAX: usize = 256;

/// How long a desk says that a lease is over to an owner that does not answer: a hospital may be
/// down over a holiday.
pub const ENDED_KEEP: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How long a desk says a report that its owner does not acknowledge: by then both sides are
/// members under other credentials, and the log still holds it.
pub const REPORT_KEEP: Duration = CREDENTIAL_LIFE_MAX;

/// How often a reader renews.
pub const RENEW: Duration = Duration::from_secs(30);

/// How long after its grant went out a lease without a receipt is renewed. It ends one lease later
/// at most: two lost receipts in three are made good by then, and the case waits no longer for a
/// desk that never accepts.
pub const UNRECEIPTED: Duration = Duration::from_secs(2 * LEASE.as_secs());

/// After its lease has expired a holder may resume within this, unless the case was granted again.
pub const LEASE_GRACE: Duration = Duration::from_secs(300);

/// The tolerated clock drift is one part in this many (1e-3 is 50 times a poor quartz).
pub const DRIFT_DIVISOR: u32 = 1_000;

/// What the owner waits beyond the drift, for delay between sending and counting.
pub const LEASE_MARGIN: Duration = Duration::from_secs(2);

/// How long a sender waits for an answer before it says the same again.
pub const RESEND: Duration = Duration::from_secs(2);

/// The longest wait between two resends, reached by doubling.
pub const RESEND_MAX: Duration = Duration::from_secs(60);

/// How often a desk tries to make a receipt before it hands the case back: three minutes with the
/// doubled waits between them.
pub const RECEIPT_TRIES: u32 = 8;

/// How long an advert holds: three heartbeats.
pub const ADVERT_TTL: Duration = Duration::from_secs(180);

/// How often a reader on duty says so.
pub const ADVERT_HEARTBEAT: Duration = Duration::from_secs(60);

/// The longest validity of a desk's session certificate: one shift and its hand-over.
pub const SESSION_MAX: Duration = Duration::from_secs(16 * 3_600);

/// Clock skew between two nodes beyond which adverts and sessions are refused.
pub const SKEW_MAX: Duration = Duration::from_secs(30);

/// The wall clock may gain this much on the tick from one look to the next; more is logged as a
/// clock that was set.
pub const CLOCK_JUMP: Duration = Duration::from_secs(300);

/// Objects of one study: ten times the largest cardiac CT.
pub const OBJECTS_MAX: usize = 50_000;

/// Entries that wait for the log writer; beyond it commands are refused.
pub const APPEND_QUEUE_MAX: usize = 16_384;

/// Releases of one case that cannot be made, one after the other, before people are paged: once may
/// be a disk that is busy, and three minutes are not.
pub const UNMADE_PAGED: u32 = 3;

/// How long what is due waits when the log takes no entry: the writer needs that long for a batch
/// or two.
pub const LOG_BEHIND: Duration = Duration::from_secs(2);

/// Refusals of one reader for one case that are logged, each by other rules: a desk that asks again
/// and again must not fill the log.
pub const REFUSALS_MAX: usize = 16;

/// Short texts of a credential or an order (names, codes), in bytes.
pub const TEXT_MAX: usize = 256;

/// List items of a credential (licences, languages, modalities).
pub const LIST_MAX: usize = 256;

/// The longest credential payload, in bytes: a reader with licences in thirty countries needs four
/// thousand.
pub const CREDENTIAL_MAX: usize = 64 << 10;

/// The longest validity of a credential: membership is renewed every year.
pub const CREDENTIAL_LIFE_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);

/// Members of a consortium: one directory holds them all.
pub const MEMBERS_MAX: usize = 4_096;

/// Serial numbers that a roster remembers: each member renewed quarterly for a year.
pub const SERIALS_MAX: usize = MEMBERS_MAX * 4;

/// The longest policy or schema text, in bytes: two thousand rules; a person must be able to read
/// it.
pub const POLICY_MAX: usize = 256 << 10;

const _: () = assert!(RENEW.as_secs() * 3 <= LEASE.as_secs());
const _: () = assert!(ADVERT_HEARTBEAT.as_secs() * 3 <= ADVERT_TTL.as_secs());
const _: () = assert!(REPORT_MAX < MESSAGE_MAX);
const _: () = assert!(OBJECTS_MAX * 16 + (64 << 10) <= REPORT_MAX);
// What a record holds besides the parts of a message: identifiers, facts, one decision.
const RECORD_ROOM: usize = 128 << 10;
// A grant accepted, a receipt accepted, a report received: each fits a sealed payload.
const _: () = assert!(
    GRANT_MAX + ENTRY_MAX + PROOF_MAX + SESSION_CERTIFICATE_MAX + RECORD_ROOM <= PAYLOAD_MAX
);
const _: () = assert!(RECEIPT_MAX + ENTRY_MAX + PROOF_MAX + RECORD_ROOM <= PAYLOAD_MAX);
const _: () = assert!(REPORT_MAX + RECORD_ROOM <= PAYLOAD_MAX);
const _: () = assert!(REVIEW_MAX * 2 + RECORD_ROOM <= PAYLOAD_MAX);
// An index is a varint of at most ten bytes, and stands once.
const _: () = assert!(DISCLOSED_MAX * 10 + RECORD_ROOM <= PAYLOAD_MAX);
const _: () = assert!(REVIEW_TEXT_MAX + 3 * TEXT_MAX + (2 << 10) <= REVIEW_MAX);
// Rules are all of a header that a peer can make long: the rest, with every commitment, is room.
const _: () = assert!(RULES_MAX * (RULE_NAME_MAX + 3) + (16 << 10) <= ENTRY_MAX);
const _: () = assert!(RULES_MAX * (RULE_NAME_MAX + 3) + SEALED_KEY_MAX + (2 << 10) <= GRANT_MAX);
const _: () = assert!(OFFERS_PER_OWNER_MAX <= OFFERS_MAX);
