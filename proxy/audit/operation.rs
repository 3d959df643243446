//! What a statement or a command did, encoded once.

use std::rc::Rc;

use panoptes_event::{Access, Operation, json};
use panoptes_parser::sql::{self, Category, Class, Dialect, Parsed};

/// What was done, encoded, and what is counted of it.
#[derive(Debug)]
pub(crate) struct Operated {
    /// `operation`, a member of the event.
    pub(crate) encoded: Vec<u8>,
    pub(crate) category: Category,
    /// What it runs may commit on its own.
    pub(crate) commits: bool,
    /// It runs a statement that is not in its text.
    pub(crate) executes: bool,
}

impl Operated {
    /// Of a statement's text.
    pub(super) fn of(class: &Class) -> Rc<Self> {
        Self::new(&operation(class), class.category, matches!(class.verb, "CALL" | "DO"))
    }

    /// The same, of what runs something that may commit on its own.
    pub(super) fn committing(class: &Class) -> Rc<Self> {
        Self::new(&operation(class), class.category, true)
    }

    fn new(operation: &Operation, category: Category, commits: bool) -> Rc<Self> {
        let mut encoded = b"\"operation\":".to_vec();
        json::write(&mut encoded, operation);
        Rc::new(Self { encoded, category, commits, executes: operation.kind == "EXECUTE" })
    }

    /// Of a command that carries no SQL.
    pub(crate) fn command(command: &str, object: Option<String>) -> Rc<Self> {
        if let Some(text) = equivalent(command, object.as_deref()) {
            let class = sql::classify(&text, Dialect::MYSQL);
            let mut told = Operation { command: Some(command.into()), parsed: None, ..operation(&class) };
            if told.tables_involved.is_empty() {
                told.object_name = object;
            }
            return Self::new(&told, class.category, false);
        }
        let (kind, category) = match command {
            "FunctionCall" => ("CALL", Category::Dml),
            "SHOW" => ("SHOW", Category::Session),
            "COM_STMT_EXECUTE" | "COM_STMT_BULK_EXECUTE" => ("EXECUTE", Category::Dml),
            "COM_STMT_FETCH" => ("FETCH", Category::Dml),
            "COM_CHANGE_USER" => ("LOGIN", Category::Session),
            _ => ("UNKNOWN", Category::Other),
        };
        let operation = Operation {
            kind: kind.into(),
            category: category.as_str().into(),
            command: Some(command.into()),
            object_name: object,
            ..Operation::default()
        };
        Self::new(&operation, category, false)
    }

    /// Of a statement of which only the server's tag is known.
    pub(crate) fn tagged(tag: &[u8]) -> Rc<Self> {
        let class = sql::classify(&String::from_utf8_lossy(tag), Dialect::POSTGRES);
        let operation = Operation {
            kind: class.verb.into(),
            category: class.category.as_str().into(),
            object: class.object.map(Into::into),
            parsed: Some("none".into()),
            ..Operation::default()
        };
        Self::new(&operation, class.category, matches!(class.verb, "CALL" | "DO"))
    }

    /// Of a statement whose text is not known.
    pub(crate) fn unknown() -> Rc<Self> {
        let category = Category::Other;
        let operation = Operation {
            kind: "UNKNOWN".into(),
            category: category.as_str().into(),
            parsed: Some("none".into()),
            ..Operation::default()
        };
        Self::new(&operation, category, false)
    }
}

/// SQL that does what a command of MySQL does.
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase_utility.html>
fn equivalent(command: &str, object: Option<&str>) -> Option<String> {
    let name = || format!("`{}`", object.unwrap_or_default().replace('`', "``"));
    Some(match command {
        "COM_INIT_DB" => format!("USE {}", name()),
        "COM_FIELD_LIST" => format!("SHOW COLUMNS FROM {}", name()),
        "COM_CREATE_DB" => format!("CREATE DATABASE {}", name()),
        "COM_DROP_DB" => format!("DROP DATABASE {}", name()),
        "COM_PROCESS_KILL" => format!("KILL {}", object.unwrap_or_default()),
        "COM_PROCESS_INFO" => "SHOW PROCESSLIST".into(),
        "COM_REFRESH" => "FLUSH STATUS".into(),
        "COM_SHUTDOWN" => "SHUTDOWN".into(),
        "COM_RESET_CONNECTION" => "RESET CONNECTION".into(),
        "COM_SET_OPTION" => "SET OPTION".into(),
        _ => return None,
    })
}

fn operation(class: &Class) -> Operation {
    Operation {
        kind: class.verb.to_string(),
        category: class.category.as_str().into(),
        command: None,
        object: class.object.as_ref().map(ToString::to_string),
        main_table: class.main_table.clone(),
        object_name: class.object_name.clone(),
        tables_involved: class.tables.iter().map(|access| access.table.clone()).collect(),
        access: class
            .tables
            .iter()
            .map(|access| Access { table: access.table.clone(), mode: mode(access.mode).into() })
            .collect(),
        parsed: Some(
            match class.parsed {
                Parsed::Full => "full",
                Parsed::Partial => "partial",
                Parsed::None => "none",
            }
            .into(),
        ),
    }
}

fn mode(mode: sql::Mode) -> &'static str {
    match mode {
        sql::Mode::Read => "read",
        sql::Mode::Write => "write",
        sql::Mode::Both => "both",
    }
}
