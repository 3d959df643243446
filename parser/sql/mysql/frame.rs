//! Where a reader is, and what it has found: frames of brackets, tables, aims.

use crate::sql::tables::Mode;

/// The object of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) object: Option<&'static str>,
    /// Name of an object that is no table.
    pub(super) name: Option<String>,
    /// The name is a string in the text.
    pub(super) literal: bool,
}

/// A table where it is named.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// As written, less the quoting. The server compares it byte by byte (lower_case_table_names = 0).
    pub(super) name: String,
    pub(super) alias: Option<String>,
    pub(super) mode: Mode,
    /// What the statement aims at.
    pub(super) target: bool,
    pub(super) idle: bool,
    /// Which list of tables it stands in.
    pub(super) list: u32,
    pub(super) depth: usize,
}

/// A table of a list that is written: by SET, or by a DELETE that names it before or behind the list.
#[derive(Clone, Debug)]
pub(super) struct Aim {
    pub(super) list: u32,
    /// The table's name or alias; none where a column has no qualifier.
    pub(super) name: Option<String>,
}

/// The name of a common table expression.
pub(super) struct Expression {
    pub(super) name: String,
    pub(super) in_sight: bool,
}

/// One level of parentheses; the first is the statement itself.
#[derive(Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) fresh: Fresh,
    pub(super) verb: Verb,
    pub(super) list: List,
    /// The number of the list.
    pub(super) number: u32,
    /// In SET, where each comma brings another column.
    pub(super) assigns: bool,
    pub(super) with: With,
    pub(super) recursive: bool,
    /// Opened as the body of a common table expression.
    pub(super) body: bool,
    pub(super) expressions: usize,
    /// How many tables there were when WITH began.
    pub(super) tables: usize,
}

/// What may begin with the next token.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Fresh {
    #[default]
    Nothing,
    /// SELECT, VALUES, TABLE, WITH.
    Query,
    /// Any statement.
    Statement,
}

/// What the frame is a part of.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Verb {
    #[default]
    None,
    Select,
    Insert,
    Update,
    Delete,
    /// The head of CREATE TABLE or CREATE VIEW.
    Create,
    /// The actions of ALTER TABLE.
    Alter,
}

/// Where in a list of tables the frame is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum List {
    #[default]
    Idle,
    /// A table comes next.
    Expect(Mode),
    /// One was there: a comma or JOIN brings the next.
    After(Mode),
}

/// Where in a WITH clause the frame is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum With {
    #[default]
    None,
    Name,
    /// After the name: its columns, then AS.
    Header,
    /// After AS: the body.
    Body,
    /// After a body: a comma, or the statement.
    Next,
}
