//! What only MySQL and MariaDB have: their blocks of statements, and how their statements are classified.
//!
//! No grammar helps here: of the first 1,009 statements of tests/data/sql/mysql, all written from the manuals, sqlparser 0.63 takes 55 %
//! and gives the right tables for 40 %. Reserved words make the tokens say safely where tables stand.
//!
//! | file | what |
//! |---|---|
//! | `compound` | where statements begin and end inside of bodies and blocks |
//! | `reader` | one pass over a statement: what may begin where |
//! | `frame` | where the reader is, and what it has found |
//! | `brackets` | brackets, commas, WITH |
//! | `rows` | SELECT, INSERT, UPDATE, DELETE, REPLACE: lists of tables, and which of them are written |
//! | `definition`, `account`, `command` | the heads of all other statements |
//! | `verb` | their first words |
//! | `literal` | what a string says |
//! | `effect` | what SET, USE, KILL and XA do to the session |

mod account;
mod assignment;
mod brackets;
mod command;
mod compound;
mod definition;
pub(in crate::sql) mod effect;
mod frame;
pub(in crate::sql) mod literal;
mod reader;
mod rows;
#[cfg(test)]
mod tests;
mod verb;

pub use assignment::{Assignment, Setting, assignments};
pub(super) use compound::Compound;
pub(super) use literal::value;

use self::frame::Table;
use self::reader::Reader;
use super::Dialect;
use super::classify::{Class, Parsed, accesses, main_table};
use super::cursor::Cursor;
use super::tables::{Mode, Named};
use super::verb::{Category, UNKNOWN};

/// Classifies one statement of MySQL or MariaDB.
pub(super) fn classify(text: &str, dialect: Dialect) -> Class {
    let mut reader = Reader::new(Cursor::new(text, dialect));
    reader.read();
    let certain = reader.cursor.certain() && reader.compound.as_ref().is_none_or(Compound::certain);
    let (verb, category) = reader.verb.unwrap_or((UNKNOWN, Category::Other));
    let parsed = match (verb, certain && !reader.doubt) {
        (UNKNOWN, _) => Parsed::None,
        (_, true) => Parsed::Full,
        (_, false) => Parsed::Partial,
    };
    let mut found: Vec<Named> = reader.tables.into_iter().map(named).collect();
    let main_table = main_table(&found);
    for table in found.iter_mut().filter(|table| table.listed) {
        table.mode = Mode::Read;
    }
    Class {
        verb,
        category,
        object: reader.target.object,
        main_table,
        object_name: reader.target.name,
        by_literal: reader.target.literal || reader.literal,
        tables: accesses(found, false),
        parsed,
    }
}

/// The same table in the terms that PostgreSQL's reader shares. `listed` stands for one that is only explained.
fn named(table: Table) -> Named {
    let Table { name, mode, target, idle, depth, .. } = table;
    Named { at: 0, key: name.clone(), name, mode, target, listed: idle, depth }
}
