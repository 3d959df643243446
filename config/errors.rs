//! What is wrong with a configuration: every problem that was found, one a line.

use std::fmt;

/// All problems of one configuration; never empty. `Display` prints one a line:
///
/// ```text
/// panoptes.toml: journal.max_size: "20 GB of" is not a size; write a number and a unit, e.g. "20 GiB"
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(Vec<Problem>);

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

/// The most problems that are collected; a file that is no configuration at all has thousands.
const MAX_PROBLEMS: usize = 64;
/// The most of one problem that is shown, in characters.
const MAX_SHOWN: usize = 1_000;

/// The problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if !self.are_enough() && !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Whether looking further is of no use.
    pub(crate) fn are_enough(&self) -> bool {
        self.0.len() >= MAX_PROBLEMS
    }

    /// Whether this option has one already, so that what follows from it need not be said.
    pub(crate) fn concern(&self, key: &str) -> bool {
        self.0.iter().any(|problem| problem.key.as_deref() == Some(key))
    }

    /// Whether a whole file or variable could not be read: what is missing may be in there.
    pub(crate) fn lack_a_source(&self) -> bool {
        self.0.iter().any(|problem| problem.origin.is_some() && problem.key.is_none())
    }

    /// The value, if nothing was wrong with it.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Errors> {
        if self.0.is_empty() { Ok(value) } else { Err(Errors(self.0)) }
    }
}

impl Problem {
    pub(crate) fn new(origin: Option<String>, key: Option<String>, what: impl AsRef<str>) -> Self {
        Self {
            origin: origin.map(|o| one_line(&o)),
            key: key.map(|k| one_line(&k)),
            what: shown(what.as_ref()),
        }
    }
}

/// Fit to be printed: one line, bounded, no login of a URL in it.
fn shown(what: &str) -> String {
    let hidden = || {
        let (before, rest) = what.split_once("://")?;
        let (_login, after) = rest.rsplit_once('@')?;
        Some(format!("{before}://***@{after}"))
    };
    one_line(hidden().as_deref().unwrap_or(what))
}

fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars().take(MAX_SHOWN) {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    if text.chars().nth(MAX_SHOWN).is_some() {
        line.push('…');
    }
    line
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_bounded_line_without_a_password() {
        let shown = |what: &str| Problem::new(None, None, what).to_string();
        assert_eq!(shown("\"postgres://me:p@ss@db\" is bad"), "\"postgres://***@db\" is bad");
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown("@ before ://"), "@ before ://");
        assert_eq!(shown(&"x".repeat(5_000)).chars().count(), MAX_SHOWN + 1);
    }

    #[test]
    fn every_problem_prints_on_its_own_line() {
        let mut problems = Problems::default();
        problems.push(Problem::new(Some("panoptes.toml".into()), Some("journal.dir".into()), "is empty"));
        problems.push(Problem::new(None, None, "nothing to listen on"));
        let errors = problems.or(()).unwrap_err();
        assert_eq!(errors.to_string(), "panoptes.toml: journal.dir: is empty\nnothing to listen on");
    }
}
