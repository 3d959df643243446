//! `panoptes classify`: what the audit would say of SQL.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use panoptes::{ClassifyError, Dialect, Server};

use super::output::complain;

/// SQL, and whose rules it follows.
#[derive(Args)]
pub(crate) struct Classify {
    /// Whose SQL it is.
    #[arg(long, short, value_name = "DIALECT")]
    dialect: Sql,
    /// MySQL's or MariaDB's version, as SELECT VERSION() shows it: it says which /*!50700 … */ runs. Without it all of them do.
    #[arg(long, value_name = "VERSION")]
    server: Option<String>,
    /// MySQL's sql_mode, which says whether "a" is a name (ANSI_QUOTES) and what a backslash is (NO_BACKSLASH_ESCAPES).
    #[arg(long, value_name = "MODES", default_value = "", hide_default_value = true)]
    sql_mode: String,
    /// One text of SQL; without it, JSON lines {"sql": "…"} are read from standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sql {
    /// PostgreSQL.
    Postgres,
    /// MySQL.
    Mysql,
    /// MariaDB.
    Mariadb,
}

impl Classify {
    /// Answers what it is given. A line that is none is told on standard error, and the exit tells that there was one.
    pub(crate) fn run(&self) -> ExitCode {
        let dialect = match self.dialect() {
            Ok(dialect) => dialect,
            Err(error) => {
                complain(format_args!("panoptes: {error}"));
                return ExitCode::from(crate::EXIT_USAGE);
            }
        };
        let mut wrong = false;
        let done = match &self.file {
            Some(file) => File::open(file)
                .map_err(ClassifyError::Read)
                .and_then(|input| panoptes::classify_text(input, io::stdout(), dialect)),
            None => panoptes::classify_lines(io::stdin(), io::stdout(), dialect, |error| {
                wrong = true;
                self.tell(&error);
            }),
        };
        match done {
            Ok(()) if wrong => ExitCode::from(crate::EXIT_USAGE),
            Ok(()) => ExitCode::SUCCESS,
            // Whoever reads has enough.
            Err(ClassifyError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            Err(error) => {
                self.tell(&error);
                let usage = matches!(error, ClassifyError::Encoding);
                ExitCode::from(if usage { crate::EXIT_USAGE } else { crate::EXIT_FAILURE })
            }
        }
    }

    fn tell(&self, error: &ClassifyError) {
        let file = self.file.as_deref().unwrap_or(Path::new("standard input"));
        complain(format_args!("panoptes: {}: {error}", file.display()));
    }

    fn dialect(&self) -> Result<Dialect, String> {
        let Self { dialect, server, sql_mode, .. } = self;
        if *dialect == Sql::Postgres {
            let given = [("--server", server.is_some()), ("--sql-mode", !sql_mode.is_empty())];
            return match given.into_iter().find(|(_, given)| *given) {
                Some((option, _)) => {
                    Err(format!("{option} is there for MySQL and MariaDB only; leave it out"))
                }
                None => Ok(Dialect::POSTGRES),
            };
        }
        if let Some(mode) = Dialect::unknown_sql_mode(sql_mode) {
            return Err(format!(
                "--sql-mode: no server knows {mode:?}; give modes with commas between them, such as ANSI_QUOTES"
            ));
        }
        let server = server.as_deref().map_or(Ok(Server::Unknown), |version| self.version(version))?;
        let dialect = Dialect::Mysql { ansi_quotes: false, no_backslash_escapes: false, server };
        Ok(dialect.with_sql_mode(sql_mode))
    }

    fn version(&self, version: &str) -> Result<Server, String> {
        let server = match (Server::of(version), self.dialect) {
            (Server::Mysql(number), Sql::Mariadb) => Server::Mariadb(number),
            (server, _) => server,
        };
        if server == Server::Unknown {
            let expected = "as SELECT VERSION() shows it, such as 8.4.3 or 10.11.6-MariaDB";
            return Err(format!("--server: {version:?} is no version; give it {expected}"));
        }
        Ok(server)
    }
}
