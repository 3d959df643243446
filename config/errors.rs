//! What is wrong with a configuration: every problem that was found, one a line.

use std::fmt;

/// All problems of one configuration; never empty. `Display` prints one a line:
///
/// ```text
/// panoptes.toml: journal.max_size: "20 GB of" is not a size; write a number and a unit, e.g. "20 GiB"
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(pub(crate) Vec<Problem>);

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, variable or flag that the value came from; none for what was nowhere given.
    pub origin: Option<String>,
    /// The path of the option, e.g. `journal.max_size`; none where the problem is not one option's.
    pub key: Option<String>,
    /// What is wrong and what to do.
    pub what: String,
}

impl Errors {
    /// The problems, at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl std::error::Error for Errors {}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            let newline = if n == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.origin, &self.key].into_iter().flatten() {
            write!(f, "{part}: ")?;
        }
        f.write_str(&self.what)
    }
}
