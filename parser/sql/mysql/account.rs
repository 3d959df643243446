//! Users and roles, and what they may do.
//!
//! <https://dev.mysql.com/doc/refman/8.4/en/account-management-statements.html>, <https://mariadb.com/kb/en/account-management-sql-statements/>

use super::frame::Target;
use super::reader::Reader;
use crate::sql::lexer::Kind;
use crate::sql::name::unquoted;
use crate::sql::tables::Mode;

/// `'user'@'host'`, `role`, `CURRENT_USER()`: less the quoting, and whether it is written as a string.
pub(super) fn account(reader: &mut Reader<'_>) -> Option<(String, bool)> {
    let cursor = &mut reader.cursor;
    let is_part = |kind| matches!(kind, Some(Kind::Word | Kind::Quoted | Kind::String));
    let first = cursor.peek().filter(|token| is_part(Some(token.kind)))?;
    cursor.take();
    let mut name = unquoted(cursor.text, first).into_owned();
    let mut literal = first.kind == Kind::String;
    if cursor.peek().is_some_and(|next| cursor.spelling(next) == "@") {
        cursor.take();
        if let Some(host) = cursor.peek().filter(|token| is_part(Some(token.kind))) {
            cursor.take();
            literal |= host.kind == Kind::String;
            name.push('@');
            name.push_str(&unquoted(cursor.text, host));
        }
    }
    cursor.skip_parentheses();
    Some((name, literal))
}

/// The object `object` whose name is an account.
pub(super) fn named(reader: &mut Reader<'_>, object: &'static str) -> Target {
    let (name, literal) = account(reader).map_or((None, false), |(name, literal)| (Some(name), literal));
    Target { object: Some(object), name, literal }
}

/// `GRANT privileges ON level TO …`, `GRANT role TO …`, `GRANT PROXY ON user TO …`, and REVOKE of all these.
pub(super) fn grant(reader: &mut Reader<'_>) -> Target {
    reader.cursor.skip_if_exists();
    reader.cursor.eat_words(&["admin", "option", "for"]);
    let proxy = reader.cursor.at("proxy");
    let all = reader.cursor.at("all");
    let mut ahead = Reader::new(reader.cursor.clone());
    let role = named(&mut ahead, "ROLE");
    while let Some(kind) = reader.cursor.kind() {
        match kind {
            Kind::Open => reader.cursor.skip_parentheses(),
            _ if reader.cursor.eat("on") => {
                return if proxy { named(reader, "USER") } else { level(reader) };
            }
            _ if reader.cursor.at("from") && all => {
                reader.cursor.take();
                return named(reader, "USER");
            }
            _ if reader.cursor.at_any(&["to", "from"]) => return role,
            _ => _ = reader.cursor.take(),
        }
    }
    // No server takes it.
    reader.doubt = true;
    role
}

/// `*.*`, `db.*`, `*`, `[TABLE] [db.]t`, `FUNCTION f`, …
fn level(reader: &mut Reader<'_>) -> Target {
    #[rustfmt::skip]
    const ROUTINES: [(&[&str], &str); 5] = [
        (&["package", "body"], "PACKAGE BODY"), (&["package"], "PACKAGE"), (&["procedure"], "PROCEDURE"), (&["function"], "FUNCTION"),
        (&["library"], "LIBRARY"),
    ];
    for (words, object) in ROUTINES {
        if reader.cursor.eat_words(words) {
            return Target { object: Some(object), name: reader.name(), literal: false };
        }
    }
    reader.cursor.eat("table");
    if reader.cursor.kind() == Some(Kind::Operator) {
        reader.cursor.take();
        let all = reader.cursor.kind() == Some(Kind::Dot);
        return Target { object: Some(if all { "GLOBAL" } else { "DATABASE" }), ..Target::default() };
    }
    let Some(name) = reader.name() else { return Target::default() };
    if reader.cursor.kind() == Some(Kind::Dot) {
        return Target { object: Some("DATABASE"), name: Some(name), literal: false };
    }
    reader.note(name, None, Mode::Write);
    Target { object: Some("TABLE"), ..Target::default() }
}
