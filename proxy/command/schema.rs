//! `panoptes schema`: the DDL of the table that a database sink writes to.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use panoptes_event::table::{self, Engine};

use super::output::{complain, print};
use crate::{EXIT_FAILURE, EXIT_USAGE};

/// A table, and for which database.
#[derive(Args)]
pub(crate) struct Schema {
    /// The database.
    #[arg(long, short, value_name = "ENGINE")]
    engine: Database,
    /// Its name, with its schema where that is not the login's own.
    #[arg(long, short, value_name = "NAME", default_value = table::TABLE)]
    table: String,
    /// With a partition for each month; on PostgreSQL only.
    #[arg(long)]
    monthly: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Database {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    #[value(alias = "mariadb")]
    Mysql,
    /// SQLite.
    Sqlite,
    /// Microsoft SQL Server.
    #[value(alias = "mssql")]
    Sqlserver,
    /// Oracle.
    Oracle,
}

impl Schema {
    pub(crate) fn run(&self) -> ExitCode {
        let Self { engine, table, monthly } = self;
        let (engine, monthly) = (Engine::from(*engine), *monthly);
        if monthly && engine != Engine::Postgres {
            complain("panoptes: --monthly is there for PostgreSQL only; leave it out");
            return ExitCode::from(EXIT_USAGE);
        }
        if let Err(what) = panoptes_config::Database::check_table(table) {
            complain(format_args!("panoptes: --table: {what}"));
            return ExitCode::from(EXIT_USAGE);
        }
        match print(table::Schema { engine, table, monthly }.script()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(format_args!("panoptes: {error}"));
                ExitCode::from(EXIT_FAILURE)
            }
        }
    }
}

impl From<Database> for Engine {
    fn from(database: Database) -> Self {
        match database {
            Database::Postgres => Self::Postgres,
            Database::Mysql => Self::Mysql,
            Database::Sqlite => Self::Sqlite,
            Database::Sqlserver => Self::Sqlserver,
            Database::Oracle => Self::Oracle,
        }
    }
}
