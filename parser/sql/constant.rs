//! The text that an expression puts together, so far as the statement tells: `'a' || x`, `CONCAT('a', x)`, `format('… %L', 'b')`.
//!
//! PostgreSQL: <https://www.postgresql.org/docs/current/functions-string.html>, MySQL:
//! <https://dev.mysql.com/doc/refman/8.4/en/string-functions.html>.

use super::cursor::Cursor;
use super::lexer::{Kind, Token};
use super::literal;

/// What stands for a part that only the server knows: a letter that nobody writes, so that what touches it is no known word.
pub(super) const UNKNOWN: char = '\u{e000}';

/// Calls and brackets within each other that are looked into.
const MAX_DEPTH: usize = 16;
/// How much longer than its expression a text may get: `format('%1$s%1$s', …)`.
const MAX_GROWTH: usize = 4;

/// What an expression says.
#[derive(Debug)]
pub(super) struct Constant<'a> {
    pub(super) text: String,
    /// False where a literal went through something that may have changed it.
    pub(super) certain: bool,
    /// Its literals, and the names of its variables.
    pub(super) literals: usize,
    pub(super) names: Vec<&'a str>,
    /// Where it ends in the text.
    pub(super) end: usize,
    /// Brackets of it are too deep, and were passed by.
    pub(super) deep: bool,
    /// It is one literal, name or variable.
    pub(super) alone: bool,
    /// Only one of its texts, between semicolons, will be: `IF(a, 'b', 'c')`.
    choice: bool,
}

impl<'a> Constant<'a> {
    /// Reads the expression that the cursor stands before, up to a comma, a bracket that closes, or a word that ends it.
    pub(super) fn read(cursor: Cursor<'a>) -> Self {
        let mut reader = Reader::new(cursor);
        let text = reader.expression(0);
        reader.said(text)
    }

    /// The same where the variable of this name, in lower case, holds a known text.
    pub(super) fn read_with(cursor: Cursor<'a>, name: String, text: String) -> Self {
        let mut reader = Reader::new(cursor);
        reader.room += text.len();
        reader.known = Some((name, text));
        let text = reader.expression(0);
        reader.said(text)
    }

    /// Reads the call of this function, before whose bracket the cursor stands.
    pub(super) fn call(function: &str, cursor: Cursor<'a>) -> Self {
        let mut reader = Reader::new(cursor);
        let mut text = String::new();
        reader.call(function, 0, &mut text);
        reader.said(text)
    }

    /// Does the text tell all of it?
    pub(super) fn is_known(&self) -> bool {
        self.certain && !self.choice && self.literals > 0 && !self.text.contains(UNKNOWN)
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    certain: bool,
    literals: usize,
    tokens: usize,
    names: Vec<&'a str>,
    end: usize,
    deep: bool,
    choice: bool,
    known: Option<(String, String)>,
    /// Bytes that may still be written.
    room: usize,
}

impl<'a> Reader<'a> {
    fn new(cursor: Cursor<'a>) -> Self {
        let start = cursor.peek().map_or(cursor.text.len(), |token| token.start);
        let room = MAX_GROWTH * cursor.text.len().saturating_sub(start);
        Self {
            cursor,
            certain: true,
            literals: 0,
            tokens: 0,
            names: Vec::new(),
            end: start,
            deep: false,
            choice: false,
            known: None,
            room,
        }
    }

    fn said(self, text: String) -> Constant<'a> {
        let Self { certain, literals, tokens, names, end, deep, choice, .. } = self;
        // The `@` of a variable is a token too.
        let variable = tokens == 2 && names.len() == 1 && text.chars().eq([UNKNOWN]);
        Constant { text, certain, literals, names, end, deep, alone: tokens == 1 || variable, choice }
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.cursor.take()?;
        (self.tokens, self.end) = (self.tokens + 1, token.end);
        Some(token)
    }

    fn expression(&mut self, depth: usize) -> String {
        const ENDS: [&str; 3] = ["into", "loop", "using"];
        let mut out = String::new();
        let (mut variable, mut selects) = (false, false);
        while let Some(token) = self.cursor.peek() {
            match token.kind {
                Kind::Close | Kind::CloseBracket | Kind::Comma | Kind::Semicolon => break,
                Kind::Word if depth == 0 && self.cursor.at_any(&ENDS) => break,
                // What a query reads is no part of what it answers.
                Kind::Word if selects && self.cursor.at("from") => {
                    self.skip_rest();
                    break;
                }
                Kind::Open if depth == MAX_DEPTH => {
                    self.cursor.skip_parentheses();
                    // What was passed by is not read again, from within it.
                    self.end = self.cursor.peek().map_or(self.cursor.text.len(), |next| next.start);
                    (self.certain, self.deep) = (false, true);
                    continue;
                }
                _ => self.take(),
            };
            // MySQL's `@'a b'` is a variable.
            let is_name = std::mem::replace(&mut variable, self.cursor.spelling(token) == "@");
            match token.kind {
                Kind::String if is_name => {
                    self.names.push(self.cursor.spelling(token));
                    out.push(UNKNOWN);
                }
                Kind::Word if is_form(self.cursor.spelling(token)) => {
                    selects |= self.cursor.spelling(token).eq_ignore_ascii_case("select");
                    out.push(' ');
                }
                Kind::String | Kind::Number => self.literal(token, &mut out),
                Kind::Word | Kind::Quoted => self.name(token, depth, &mut out),
                Kind::Open => {
                    out += &self.expression(depth + 1);
                    self.close(Kind::Close);
                }
                Kind::OpenBracket if depth < MAX_DEPTH => {
                    self.expression(depth + 1);
                    self.close(Kind::CloseBracket);
                }
                Kind::OpenBracket => self.certain = false,
                Kind::Cast => self.of_type(),
                Kind::Dot => {}
                Kind::Operator if matches!(self.cursor.spelling(token), "||" | "@" | "@@") => {}
                _ => out.push(UNKNOWN),
            }
            if out.len() > self.room {
                self.certain = false;
                out.clear();
            }
        }
        out
    }

    /// To the end of the bracket that is open.
    fn skip_rest(&mut self) {
        let mut depth = 0usize;
        while let Some(token) = self.cursor.peek() {
            match token.kind {
                Kind::Open | Kind::OpenBracket => depth += 1,
                Kind::Close | Kind::CloseBracket if depth == 0 => break,
                Kind::Close | Kind::CloseBracket => depth -= 1,
                Kind::Semicolon => break,
                _ => {}
            }
            self.take();
        }
    }

    fn close(&mut self, kind: Kind) {
        if self.cursor.kind() == Some(kind) {
            self.take();
        } else {
            // Another bracket closes, or a comma is where none belongs.
            self.certain = false;
            if matches!(self.cursor.kind(), Some(Kind::Comma | Kind::Close | Kind::CloseBracket)) {
                self.take();
            }
        }
    }

    fn literal(&mut self, token: Token, out: &mut String) {
        if token.kind == Kind::Number && !self.cursor.is_hex(token) {
            return out.push_str(self.cursor.spelling(token));
        }
        self.literals += 1;
        let escape = self.cursor.escape();
        out.push_str(&literal::value(self.cursor.spelling(token), self.cursor.dialect, escape).text);
        if self.cursor.at("uescape") {
            self.take();
            self.take();
        }
    }

    /// `::varchar(20)[]`
    fn of_type(&mut self) {
        self.take();
        if self.cursor.kind() == Some(Kind::Open) {
            self.take();
            self.expression(1);
            self.close(Kind::Close);
        }
    }

    fn name(&mut self, token: Token, depth: usize, out: &mut String) {
        // The type of a literal: `text 'a'`, `_utf8mb4 'a'`, `DATE '…'`.
        if self.cursor.kind() == Some(Kind::String) || self.cursor.kind() == Some(Kind::Dot) {
            return;
        }
        if self.cursor.kind() != Some(Kind::Open) {
            let name = self.cursor.spelling(token);
            self.names.push(name);
            let known = self.known.as_ref();
            let known = known.filter(|(known, _)| name.trim_matches('`').eq_ignore_ascii_case(known));
            return out.push_str(known.map_or("\u{e000}", |(_, text)| text));
        }
        if depth == MAX_DEPTH {
            return; // its bracket is left out
        }
        self.call(self.cursor.spelling(token), depth, out);
    }

    fn call(&mut self, name: &str, depth: usize, out: &mut String) {
        let name = name.to_ascii_lowercase();
        self.take();
        let literals = self.literals;
        let mut arguments = Vec::new();
        loop {
            arguments.push(self.expression(depth + 1));
            if self.cursor.kind() != Some(Kind::Comma) {
                break;
            }
            self.take();
        }
        self.close(Kind::Close);
        self.choice |= name == "if";
        match called(&name, &arguments, self.room) {
            Some(text) => out.push_str(&text),
            None => {
                self.certain &= self.literals == literals || is_formatting(&name);
                out.push(UNKNOWN);
            }
        }
    }
}

/// What a function makes of its arguments, if it is one that puts texts together.
fn called(name: &str, arguments: &[String], room: usize) -> Option<String> {
    let quoted = |text: &String| format!("'{}'", text.replace('\'', "''"));
    Some(match (name, arguments) {
        ("concat" | "coalesce" | "group_concat" | "ifnull" | "string_agg", all) => all.concat(),
        ("if", [_, yes, no]) => format!("{yes};{no}"),
        ("concat_ws", [separator, rest @ ..]) => rest.join(separator),
        ("format", [template, rest @ ..]) => formatted(template, rest, room),
        ("quote_literal" | "quote_nullable" | "quote", [text]) => quoted(text),
        ("quote_ident" | "trim" | "btrim" | "ltrim" | "rtrim" | "text" | "varchar", [text]) => text.clone(),
        _ => return None,
    })
}

/// Words that give an expression its form, and no text.
fn is_form(word: &str) -> bool {
    const WORDS: [&str; 6] = ["by", "distinct", "null", "order", "select", "separator"];
    word.len() < 10 && WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Functions whose literals are formats and names, not parts of the text.
fn is_formatting(name: &str) -> bool {
    #[rustfmt::skip]
    const NAMES: [&str; 7] = [
        "array_to_string", "current_setting", "date_format", "date_trunc", "extract", "nextval", "to_char",
    ];
    NAMES.contains(&name)
}

/// PostgreSQL's `format`: `%s`, `%I`, `%L`, with `2$`, `-` and a width before the letter.
fn formatted(template: &str, arguments: &[String], room: usize) -> String {
    let (mut out, mut next) = (String::new(), 0);
    let mut pieces = template.split('%');
    out.push_str(pieces.next().unwrap_or_default());
    while let Some(piece) = pieces.next() {
        if piece.is_empty() {
            // `%%`
            out.push('%');
            out.push_str(pieces.next().unwrap_or_default());
            continue;
        }
        let letter =
            piece.find(|char: char| !matches!(char, '0'..='9' | '$' | '-' | '*')).unwrap_or(piece.len());
        let (place, rest) = piece.split_at_checked(letter).unwrap_or_default();
        let place = place.split_once('$').and_then(|(number, _)| number.parse::<usize>().ok());
        next = place.map_or(next, |place| place.saturating_sub(1));
        let argument = arguments.get(next).map_or("\u{e000}", String::as_str);
        next += 1;
        match rest.chars().next() {
            Some('L') => out += &format!("'{}'", argument.replace('\'', "''")),
            _ => out.push_str(argument),
        }
        out.push_str(rest.get(1..).unwrap_or_default());
        if out.len() > room {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::Dialect;
    use super::*;

    fn read(text: &str, dialect: Dialect) -> (String, bool) {
        let constant = Constant::read(Cursor::new(text, dialect));
        (constant.text.replace(UNKNOWN, "¿"), constant.certain)
    }

    #[test]
    fn expressions_are_put_together() {
        for (text, dialect, expected) in [
            ("'a' || 'b' USING 'c'", Dialect::POSTGRES, "ab"),
            ("'a' || x || E'\\x62' INTO y", Dialect::POSTGRES, "a¿b"),
            ("pg_catalog.concat('a', x.y, ('b' || 'c'))", Dialect::POSTGRES, "a¿bc"),
            ("concat_ws('-', 'a', 'b', x)", Dialect::POSTGRES, "a-b-¿"),
            ("format('%I %s %% %L %2$s %s', 'a', 'b', 'c''d')", Dialect::POSTGRES, "a b % 'c''d' b c'd"),
            ("'a'::text || quote_literal(p)::varchar(20)", Dialect::POSTGRES, "a'¿'"),
            ("(('a')) || $1 || arr[1 + 2]", Dialect::POSTGRES, "a¿¿"),
            ("'a' || to_char(d, 'YYYY') ; 'b'", Dialect::POSTGRES, "a¿"),
            ("CONCAT(\"a\", 'b' 'c', 0x646566676869, @x, @'y z')", Dialect::MYSQL, "abcdefghi¿¿"),
            ("_utf8mb4 X'6162'", Dialect::MYSQL, "ab"),
            (
                "(SELECT IF((SELECT count(*) FROM t WHERE a = 'x') > 0, 'b', CONCAT('c ', @d)))",
                Dialect::MYSQL,
                " b;c ¿",
            ),
        ] {
            assert_eq!(read(text, dialect), (expected.to_owned(), true), "{text}");
        }
        for text in ["replace('a', 'b', 'c')", "'a' || chr('5')", "concat('a'], 'b')", "format('a' 'b'"] {
            assert!(!read(text, Dialect::POSTGRES).1, "{text}");
        }
        let deep = format!("{}'a'{}", "(".repeat(5_000), ")".repeat(5_000));
        assert!(!read(&deep, Dialect::POSTGRES).1);
        let long = format!("format('{}', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')", "%1$s".repeat(5_000));
        assert!(read(&long, Dialect::POSTGRES).0.len() < 5 * long.len());
    }
}
