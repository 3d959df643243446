//! What stands between tokens: white space and comments.

use memchr::{memchr, memchr2, memmem};

use super::Lexer;
use crate::sql::{Dialect, Server};

/// <https://dev.mysql.com/blog-archive/are-you-ready-for-mysql-10/>
const SIX_DIGITS: u32 = 80_100;

impl Lexer<'_> {
    #[inline(always)] // once per token: as a call it costs a tenth of the whole pass
    pub(super) fn skip_gap(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'-' if self.peek(1) == b'-' && self.dashes_comment() => self.skip_line(),
                b'#' if !self.dialect.is_postgres() => self.skip_line(),
                b'/' if self.peek(1) == b'*' => self.skip_block(),
                b'*' if self.in_version_comment && self.peek(1) == b'/' => {
                    self.in_version_comment = false;
                    self.at += 2;
                    self.closed = self.at;
                }
                _ => return,
            }
        }
    }

    /// MySQL wants white space, a control character or the end after `--`.
    fn dashes_comment(&self) -> bool {
        self.dialect.is_postgres() || self.peek(2) <= b' ' || self.peek(2) == 0x7f
    }

    pub(super) fn skip_line(&mut self) {
        let rest = self.rest();
        let end = if self.dialect.is_postgres() { memchr2(b'\n', b'\r', rest) } else { memchr(b'\n', rest) };
        let end = end.unwrap_or(rest.len());
        self.doubt_version_comment(rest.get(..end).unwrap_or_default());
        self.at += end;
    }

    fn skip_block(&mut self) {
        let Dialect::Mysql { server, .. } = self.dialect else { return self.skip_nested_block() };
        let mariadb = self.peek(2) == b'M' && self.peek(3) == b'!' && !matches!(server, Server::Mysql(_));
        if self.peek(2) != b'!' && !mariadb {
            let end = memmem::find(self.text.get(self.at + 2..).unwrap_or_default(), b"*/");
            let end = end.map(|found| self.at + 2 + found + 2);
            return self.finish(end);
        }
        let opened = self.at;
        self.at += if mariadb { 4 } else { 3 };
        let version = self.comment_version(server);
        if runs(server, version, mariadb) {
            self.in_version_comment = true;
            self.opened = opened;
        } else {
            self.skip_version_comment();
        }
    }

    /// The five or six digits of `/*!50700`; fewer are a number of the statement. MySQL takes a sixth since 8.1, and only where
    /// white space follows: to others it is a part of the statement.
    fn comment_version(&mut self, server: Server) -> Option<u32> {
        let digits = (0..6).take_while(|ahead| self.peek(*ahead).is_ascii_digit()).count();
        let digits = match server {
            Server::Mysql(own) if own < SIX_DIGITS || !matches!(self.peek(6), b' ' | b'\t'..=b'\r') => {
                digits.min(5)
            }
            _ => digits,
        };
        let digits = self.text.get(self.at..self.at + digits).filter(|digits| digits.len() >= 5)?;
        self.at += digits.len();
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// One that does not run; a comment inside it does not end it.
    fn skip_version_comment(&mut self) {
        let mut inside = false;
        while let Some(found) = memchr2(b'/', b'*', self.rest()) {
            self.at += found;
            match (self.peek(0), self.peek(1)) {
                (b'*', b'/') if !inside => return self.at += 2,
                (b'*', b'/') => inside = false,
                (b'/', b'*') if !inside => inside = true,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 2;
        }
        self.finish(None);
    }

    /// Where it is not known whether a version comment runs, one that would end inside of `token` if it does not,
    /// makes all that follows doubtful.
    pub(super) fn doubt_version_comment(&mut self, token: &[u8]) {
        let unknown = matches!(self.dialect, Dialect::Mysql { server: Server::Unknown, .. });
        self.certain &= !(self.in_version_comment && unknown && memmem::find(token, b"*/").is_some());
    }

    fn skip_nested_block(&mut self) {
        let mut depth = 0u32;
        while let Some(found) = memchr2(b'/', b'*', self.rest()) {
            self.at += found;
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => depth += 1,
                (b'*', b'/') => depth -= 1,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
        self.finish(None);
    }
}

/// Length of the gap at the start of `text`, which stands between two pieces of a string: `*/` ends a version comment there.
pub(in crate::sql) fn gap_between_pieces(text: &str, dialect: Dialect) -> usize {
    let mut lexer = Lexer::new(text.as_bytes(), dialect);
    lexer.in_version_comment = !dialect.is_postgres();
    lexer.skip_gap();
    while !dialect.is_postgres() && lexer.rest().starts_with(b"*/") {
        lexer.at += 2;
        lexer.skip_gap();
    }
    lexer.at
}

/// `/*M!999999\- enable the sandbox mode */`, the first line of mariadb-dump's output, is for its client alone.
const NO_VERSION: u32 = 990_000;

/// Does the server run what is inside? MariaDB takes the versions of MySQL 5.7 and later for none of its own.
/// <https://mariadb.com/kb/en/comment-syntax/>, <https://dev.mysql.com/doc/refman/8.4/en/comments.html>
fn runs(server: Server, version: Option<u32>, mariadb: bool) -> bool {
    let Some(version) = version else { return true };
    match server {
        Server::Unknown => version < NO_VERSION,
        Server::Mysql(own) => version <= own,
        Server::Mariadb(own) => version <= own && (mariadb || !(50_700..=99_999).contains(&version)),
    }
}
