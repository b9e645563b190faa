//! `Phi<T>`: a value that identifies a patient, and that no log, error or `{:?}` can print.

use std::fmt;

/// A value taken from a patient's record (a name, an identifier, free text).
///
/// `Debug` prints a fixed word and `Display` does not exist, so that patient text reaches a log
/// or an error only through [`Phi::expose`], which is easy to search for.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phi<T>(T);

impl<T> Phi<T> {
    /// Marks `value` as identifying a patient.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for a screen, an index under seal, or a message to whoever may see it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value by move, under the same duty as [`Phi::expose`].
    pub fn into_inner(self) -> T {
        self.0
    }

    /// Applies `f` inside the wrapper.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Phi<U> {
        Phi(f(self.0))
    }
}

impl<T> fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phi(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_content() {
        let name = Phi::new("DOE^JANE".to_owned());
        assert_eq!(
            format!("{name:?} {:?}", Some(name.clone())),
            "Phi(redacted) Some(Phi(redacted))"
        );
        assert_eq!(name.expose(), "DOE^JANE");
    }
}
