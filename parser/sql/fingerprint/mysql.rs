//! What is other in MySQL: words that are keywords there alone, types and functions, variables and accounts.

use super::super::keyword::mysql_keyword;
use super::super::lexer::{Kind, Lexer, Token};
use super::parameter::is_part;
use super::value::precedes_value;
use super::{Form, Last};

impl<const POSTGRES: bool> Form<'_, '_, POSTGRES> {
    /// Where MySQL has a keyword, it becomes upper case, but for the names behind a dot or an `@`; `\N` is another spelling of NULL.
    #[inline(never)]
    pub(super) fn mysql_name(&mut self, token: Token, spelling: &[u8]) {
        let word =
            mysql_keyword(spelling).filter(|_| !matches!(self.last, Last::Dot | Last::At | Last::Account));
        match word {
            _ if spelling == b"\\N" && self.wants_value("NULL") => self.literal(token),
            _ if spelling == b"\\N" => self.write_as(token, "NULL", Last::Operand),
            Some(word) if spelling != word.as_bytes() => self.write_as(token, word, Last::Term),
            Some(_) => self.write(token, Last::Term),
            _ if spelling.iter().any(u8::is_ascii_uppercase) && self.is_caseless(token, spelling) => {
                self.write_lower(token, Last::Operand);
            }
            // A word of INSERT, if no column.
            _ if self.last != Last::Dot && spelling.eq_ignore_ascii_case(b"value") => {
                self.write(token, Last::Term);
            }
            _ => self.write(token, Last::Operand),
        }
    }

    /// Is it the name of a function that is called, of a type or a unit, which mean the same in any case? Names of tables may not:
    /// none of them stands behind these.
    pub(super) fn is_caseless(&self, token: Token, spelling: &[u8]) -> bool {
        let rest = self.text.as_bytes().get(token.end..).unwrap_or_default();
        let next = Lexer::new(rest, self.dialect).token();
        let behind = |kind: Kind| next.is_some_and(|next| next.kind == kind);
        let from = || next.and_then(|next| rest.get(next.start..next.end));
        let called = behind(Kind::Open)
            && match self.last {
                Last::Open | Last::Comma | Last::Other => true,
                Last::Keyword(word) => precedes_value(word),
                _ => false,
            };
        let typed = match self.last {
            Last::Operand | Last::Close | Last::String => true,
            // `EXTRACT(YEAR FROM …)`; else a table may be called so.
            Last::Open => from().is_some_and(|word| word.eq_ignore_ascii_case(b"from")),
            Last::Keyword(word) => matches!(word, "AS" | "EXTRACT"),
            _ => false,
        };
        // `DATE '2020-01-01'`
        called || (typed || behind(Kind::String)) && is_type(spelling)
    }

    /// Was the last token MySQL's `word`, and no name behind a dot?
    pub(super) fn after(&self, word: &[u8]) -> bool {
        let before = self.text.as_bytes().get(..self.end).unwrap_or_default();
        let (before, last) = before.split_at(before.len().saturating_sub(word.len()));
        !POSTGRES
            && self.last == Last::Term
            && last.eq_ignore_ascii_case(word)
            && !before.last().is_some_and(|byte| is_part(*byte))
    }

    pub(super) fn mysql_operator(&mut self, token: Token) {
        let at = matches!(self.text.as_bytes().get(token.start..token.end), Some(b"@" | b"@@"));
        self.write(
            token,
            match self.last {
                _ if !at => Last::Other,
                Last::Operand | Last::String => Last::Account,
                _ => Last::At,
            },
        );
    }

    /// MySQL's `@'a b'` is the name of a variable; the host of an account, `'ann'@'localhost'`, is a literal. Of a text that the
    /// server refuses, as `@ 'a b'`, no literal shows either.
    #[inline(never)]
    pub(super) fn variable(&mut self, token: Token) {
        match token.start == self.end {
            true => self.write(token, Last::Operand),
            false => self.literal(token),
        }
    }
}

/// Types of MySQL that are no keywords, and units of time: <https://dev.mysql.com/doc/refman/8.4/en/data-types.html>.
fn is_type(word: &[u8]) -> bool {
    #[rustfmt::skip]
    const TYPES: [&str; 32] = [
        "bit", "bool", "boolean", "date", "datetime", "day", "enum", "fixed", "geometry", "hour", "inet4", "inet6", "json",
        "linestring", "microsecond", "minute", "month", "national", "nchar", "nvarchar", "point", "polygon", "quarter", "second",
        "serial", "signed", "text", "time", "timestamp", "uuid", "week", "year",
    ];
    word.len() < 12 && TYPES.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}
