//! The table form: an event as a row, for databases.
//!
//! * `columns`: [`COLUMNS`], each with what it holds and where in the event its value is.
//! * `row`: the parts of an encoded event that columns are made of, read in place; [`Verdict`]s.
//! * `schema`: the DDL of the table for each [`Engine`].
//!
//! The first columns are those that existing tables of this name have. The last one, `event`, holds the whole JSON.

mod columns;
mod row;
mod schema;

pub use self::{
    columns::{COLUMNS, Column, Holds, Value, WORD},
    row::{Row, Verdict},
    schema::{Schema, quoted},
};

/// The name of the table, where none is configured.
pub const TABLE: &str = "panoptes_audit_log";

/// A database that can hold the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
    /// Microsoft SQL Server.
    Sqlserver,
    /// Oracle.
    Oracle,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 5] = [Self::Postgres, Self::Mysql, Self::Sqlite, Self::Sqlserver, Self::Oracle];

    /// As it is configured.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Sqlite => "sqlite",
            Self::Sqlserver => "sqlserver",
            Self::Oracle => "oracle",
        }
    }
}
