//! What the demo tells: the timeline, the refusals, and whether everything held.

use std::fmt;

use serde::Serialize;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What happened.
    pub step: String,
    /// Where.
    pub node: &'static str,
    /// Milliseconds since the first image was sent.
    pub ms: u64,
    /// Bytes that moved, where some did.
    pub bytes: u64,
}

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What was tried.
    pub what: String,
    /// Why it was refused, in the words of whoever refused.
    pub reason: String,
}

/// What the demo showed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Every image equal, every log verified, every refusal seen.
    pub verified: bool,
    /// SHA-256 of the consortium's genesis: what the archives are verified by.
    pub genesis: String,
    /// Images that the reader saw and that were compared.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// From the first case's claim to its first image at the desk.
    pub first_image_ms: u64,
    /// From the first case's claim to its last image at the desk.
    pub all_images_ms: u64,
    /// The first case from arrival to audit, and the others in short.
    pub timeline: Vec<Step>,
    /// What was refused.
    pub refusals: Vec<Refusal>,
    /// Why it did not hold; none where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>8}  {:<11} {:>12}  step", "ms", "node", "bytes")?;
        for Step {
            step,
            node,
            ms,
            bytes,
        } in &self.timeline
        {
            let bytes = if *bytes == 0 {
                String::new()
            } else {
                bytes.to_string()
            };
            writeln!(f, "{ms:>8}  {node:<11} {bytes:>12}  {step}")?;
        }
        writeln!(f)?;
        for Refusal { what, reason } in &self.refusals {
            writeln!(f, "refused: {what}\n         {reason}")?;
        }
        writeln!(
            f,
            "\n{} objects, {} bytes compared; \
             first image {} ms and all images {} ms after the claim",
            self.objects, self.bytes, self.first_image_ms, self.all_images_ms
        )?;
        match &self.failure {
            Some(failure) => writeln!(f, "NOT VERIFIED: {failure}"),
            None => writeln!(f, "verified"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_and_a_success_says_nothing_of_one() {
        let good = Summary {
            verified: true,
            ..Summary::default()
        };
        assert!(good.to_string().ends_with("\nverified\n"));
        let json = serde_json::to_value(&good).expect("JSON");
        assert!(json.get("failure").is_none());
        let bad = Summary {
            failure: Some("late".to_owned()),
            ..Summary::default()
        };
        assert!(bad.to_string().ends_with("NOT VERIFIED: late\n"));
    }
}
