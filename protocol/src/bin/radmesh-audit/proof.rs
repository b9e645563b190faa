//! One entry, one proof: whether a log that a quorum watches holds it.

use std::process::ExitCode;

use crypto::log::proof::{LogProof, MAX_FILE_LEN};
use crypto::log::quorum::{MAX_POLICY_LEN, Quorum};
use protocol::audit::entry::Entry;
use protocol::audit::header::Kind;
use protocol::audit::query::{kind_name, when};
use protocol::limits::ENTRY_MAX;

use super::arguments::ProofArguments;
use super::folder::{self, FolderError};

/// Checks a proof.
pub fn check(arguments: &ProofArguments) -> Result<(ExitCode, String), FolderError> {
    let proof = folder::small(&arguments.proof, MAX_FILE_LEN as u64)?;
    let entry = folder::small(&arguments.entry, ENTRY_MAX as u64)?;
    let quorum = folder::small(&arguments.quorum, MAX_POLICY_LEN as u64)?;
    let refused = |what: &dyn std::fmt::Display| {
        let text = format!("NOT PROVED: {what}\n");
        Ok((ExitCode::FAILURE, text))
    };
    let proof = match LogProof::parse(&proof) {
        Ok(proof) => proof,
        Err(error) => return refused(&error),
    };
    let quorum = match Quorum::parse(&quorum) {
        Ok(quorum) => quorum,
        Err(error) => return refused(&error),
    };
    if quorum.witnesses().is_empty() {
        return refused(&"the quorum file demands no witness");
    }
    let found = proof.verify(&entry, &arguments.log, &quorum);
    let (code, first) = match found.holds() {
        true => (ExitCode::SUCCESS, "PROVED"),
        false => (ExitCode::FAILURE, "NOT PROVED"),
    };
    let log = arguments.log.name();
    let mut text = format!("{first}: entry {} of {log}\n{found}", found.index);
    match Entry::decode_bytes(&entry) {
        Ok(entry) => {
            let header = entry.header();
            let kind = Kind::try_from(header.kind).map_or("unknown kind", kind_name);
            let time = when::show(header.time_us);
            text += &format!("the entry: {kind}, {time}\n");
        }
        Err(error) => text += &format!("the entry does not read: {error}\n"),
    }
    Ok((code, text))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make files")]
mod tests {
    use std::path::Path;

    use clap::Parser as _;
    use crypto::keys::SigningKey;
    use crypto::log::checkpoint::Checkpoint;
    use crypto::log::cosign::cosign;
    use crypto::log::writer::LogWriter;
    use crypto::note::{KeyName, KeyType, VerifierKey};

    use super::super::arguments::{Arguments, Command};
    use super::*;

    fn name(text: &str) -> KeyName {
        KeyName::new(text).expect("a name")
    }

    fn key(name_: &str, kind: KeyType, seed: u8) -> VerifierKey {
        let key = SigningKey::from_seed(&[seed; 32]);
        VerifierKey::new(name(name_), kind, key.verifying_key())
    }

    /// A log of five entries; the third is proved.
    fn write(folder: &Path) {
        let mut writer = LogWriter::new();
        let entries: Vec<Vec<u8>> = (0..5_u8).map(|number| vec![number; 9]).collect();
        for entry in &entries {
            writer.append(entry).expect("short");
        }
        let files = writer.take_files().into_iter();
        let files: std::collections::BTreeMap<String, Vec<u8>> =
            files.map(|file| (file.path, file.bytes)).collect();
        let checkpoint = Checkpoint {
            origin: name("nord.example/log"),
            head: writer.head(),
        };
        let witness = SigningKey::from_seed(&[2; 32]);
        let line = cosign(&checkpoint, &name("w.example"), &witness, 1_800_000_000);
        let mut signed = checkpoint.sign(&SigningKey::from_seed(&[1; 32]));
        signed.add(line.expect("a time")).expect("room");
        let proof = LogProof::make(&files, 5, 2, signed).expect("tiles are there");
        std::fs::write(folder.join("2.tlog-proof"), proof.encode()).expect("written");
        std::fs::write(folder.join("2.entry"), &entries[2]).expect("written");
        std::fs::write(folder.join("3.entry"), &entries[3]).expect("written");
        for (file, seed) in [("quorum", 2), ("other", 3)] {
            let witness = key("w.example", KeyType::Cosignature, seed);
            let text = format!("witness w {witness}\nquorum w\n");
            std::fs::write(folder.join(file), text).expect("written");
        }
        std::fs::write(folder.join("none"), "quorum none\n").expect("written");
    }

    fn checked(folder: &Path, entry: &str, quorum: &str, log: u8) -> (bool, String) {
        let at = |file: &str| folder.join(file).display().to_string();
        let log = key("nord.example/log", KeyType::Ed25519, log).to_string();
        let words = [
            "radmesh-audit",
            "proof",
            &at("2.tlog-proof"),
            &at(entry),
            "--log",
            &log,
            "--quorum",
            &at(quorum),
        ];
        let arguments = Arguments::try_parse_from(words).unwrap_or_else(|e| panic!("{e}"));
        let Command::Proof(arguments) = arguments.command else {
            panic!("another command");
        };
        let (code, text) = check(&arguments).unwrap_or_else(|e| panic!("{e}"));
        (code == ExitCode::SUCCESS, text)
    }

    #[test]
    fn a_proof_holds_for_its_entry_its_log_and_its_quorum_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        write(folder);
        let (good, text) = checked(folder, "2.entry", "quorum", 1);
        assert!(good, "{text}");
        assert!(
            text.starts_with("PROVED: entry 2 of nord.example/log\n"),
            "{text}"
        );
        for (entry, quorum, log, says) in [
            ("3.entry", "quorum", 1, "entry in the log: NO"),
            ("2.entry", "other", 1, "witnessed by a quorum: NO"),
            ("2.entry", "quorum", 9, "signed by the log: NO"),
            ("2.entry", "none", 1, "demands no witness"),
        ] {
            let (good, text) = checked(folder, entry, quorum, log);
            assert!(!good && text.starts_with("NOT PROVED: "), "{text}");
            assert!(text.contains(says), "{text}");
        }
        let absent = folder.join("absent");
        assert!(folder::small(&absent, 9).is_err());
    }
}
