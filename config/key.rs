//! The path of an option.

use std::fmt;

/// The path of an option, e.g. `journal.max_size` or `listen[0].address`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key(Vec<String>);

impl Key {
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// From its written form; names that have dots themselves need [`Key::then`].
    pub(crate) fn of(path: &str) -> Self {
        Self(path.split('.').map(str::to_owned).collect())
    }

    pub(crate) fn then(&self, name: &str) -> Self {
        Self(self.0.iter().cloned().chain([name.to_owned()]).collect())
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, name) in self.0.iter().enumerate() {
            match name {
                number if n > 0 && number.bytes().all(|b| b.is_ascii_digit()) => write!(f, "[{number}]")?,
                _ if n > 0 => write!(f, ".{name}")?,
                _ => f.write_str(name)?,
            }
        }
        Ok(())
    }
}
