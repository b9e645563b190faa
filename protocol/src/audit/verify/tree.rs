//! The log as a whole: every hash against the signed checkpoint, its cosignatures, and each entry
//! in order.

use crypto::log::checkpoint::SignedCheckpoint;
use crypto::log::fsck::{Problem, fsck};
use crypto::log::merkle::tree_root;
use crypto::log::quorum::Evaluation;
use crypto::log::reader::TileTree;
use crypto::log::tile::CHECKPOINT_PATH;
use crypto::note::VerifierKey;

use super::entries::Walk;
use super::fault::{Check, Fault};
use super::reconcile::Account;
use super::remark::Remark;
use super::report::Report;
use super::trust::Trust;
use super::{LogFiles, Source};
use crate::audit::archive::FileName;
use crate::audit::archive::name::LOG_PREFIX;

/// Checks the log and everything that hangs on its entries. Gives the archive's account of the
/// other logs.
pub(super) fn check(
    source: &dyn Source,
    trust: &Trust,
    log: &VerifierKey,
    report: &mut Report,
) -> Option<Account> {
    let files = LogFiles(source);
    let mut listing = Vec::new();
    source.each_path(&mut |path| {
        let of_log = path.strip_prefix(LOG_PREFIX);
        listing.extend(of_log.map(str::to_owned));
    });
    report.organisation = trust
        .of_log(log)
        .map(|credential| credential.organisation.clone());
    let bytes = super::read(source, FileName::Checkpoint, Check::Tree, report)?;
    let signed = SignedCheckpoint::parse(&bytes).ok();
    if let Some(signed) = &signed {
        report.origin = Some(signed.checkpoint().origin.clone());
        report.size = signed.head().size;
    }
    let cosigned = signed
        .as_ref()
        .and_then(|signed| quorum(signed, trust, log, report));

    let mut walk = Walk::new(source, trust, log, report);
    let found = fsck(&files, log, listing, |index, entry| {
        walk.visit(index, entry)
    });
    if signed
        .as_ref()
        .is_some_and(|signed| signed.head().size == found.entries)
    {
        walk.strays();
    }
    let mut account = walk.finish(cosigned);
    report.looked(Check::Tree);
    report.counts.entries = found.entries;
    for finding in found.findings {
        let file = format!("{LOG_PREFIX}{}", finding.path);
        report.fail(Check::Tree, file, None, finding.problem);
    }
    report.remark(Check::Tree, None, Remark::AfterCheckpoint);
    let signed = signed?;
    if found.checkpoint.is_some() && found.entries != signed.head().size && report.holds() {
        report.fail(
            Check::Tree,
            FileName::Checkpoint,
            None,
            Problem::RootMismatch,
        );
    }
    account.head = *signed.head();
    own_heads(&files, &account, report);
    Some(account)
}

/// Counts the cosignatures on the archive's checkpoint. Gives the earliest and latest time, in
/// microseconds.
fn quorum(
    signed: &SignedCheckpoint,
    trust: &Trust,
    log: &VerifierKey,
    report: &mut Report,
) -> Option<u64> {
    let quorum = trust.quorum.as_ref()?;
    report.looked(Check::Quorum);
    let file = format!("{LOG_PREFIX}{CHECKPOINT_PATH}");
    match quorum.evaluate(signed, log) {
        Err(error) => {
            report.fail(Check::Quorum, file, None, error);
            None
        }
        Ok(found) => {
            if !found.satisfied() {
                report.fail(
                    Check::Quorum,
                    file,
                    None,
                    Fault::Shortfall(shortfall(&found)),
                );
            }
            report.witnesses.clone_from(&found.counted);
            latest_us(&found)
        }
    }
}

/// What a checkpoint lacks, in words.
pub(super) fn shortfall(found: &Evaluation) -> String {
    let lines: Vec<String> = found.shortfalls.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// The latest time at which a witness cosigned, in microseconds since the Unix epoch.
pub(super) fn latest_us(found: &Evaluation) -> Option<u64> {
    found
        .counted
        .values()
        .max()
        .map(|seconds| seconds.saturating_mul(1_000_000))
}

/// Checks that every checkpoint this log handed out with a proof is one of its own tree.
fn own_heads(files: &LogFiles<'_>, account: &Account, report: &mut Report) {
    let size = account.head.size;
    let Ok(tree) = TileTree::new(files, size) else {
        return;
    };
    for (head, index) in &account.own_heads {
        report.looked(Check::Grants);
        let same = head.size <= size && tree_root(&tree, head.size) == Ok(head.root);
        if !same {
            let file = FileName::Proof(*index);
            report.fail(Check::Grants, file, Some(*index), Fault::Forked(head.size));
        }
    }
}
