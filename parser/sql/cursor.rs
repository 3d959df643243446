//! Tokens with a little look-ahead, read as words.

use super::Dialect;
use super::lexer::{Kind, Lexer, Token};

/// How far a reader may look ahead.
const AHEAD: usize = 4;

/// A lexer whose next tokens can be looked at before they are taken.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) dialect: Dialect,
    lexer: Lexer<'a>,
    ahead: [Option<Token>; AHEAD],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        let mut lexer = Lexer::new(text.as_bytes(), dialect);
        let ahead = std::array::from_fn(|_| lexer.next());
        Self { text, dialect, lexer, ahead }
    }

    /// False once a string, comment or quoted identifier ran into the end of the text.
    pub(super) fn certain(&self) -> bool {
        self.lexer.certain()
    }

    /// The next token, left in place.
    pub(super) fn peek(&self) -> Option<Token> {
        self.ahead.first().copied().flatten()
    }

    /// The token `distance` after the next one.
    pub(super) fn peek_at(&self, distance: usize) -> Option<Token> {
        self.ahead.get(distance).copied().flatten()
    }

    pub(super) fn take(&mut self) -> Option<Token> {
        let token = self.peek()?;
        self.ahead.rotate_left(1);
        if let Some(last) = self.ahead.last_mut() {
            *last = self.lexer.next();
        }
        Some(token)
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        self.peek().map(|token| token.kind)
    }

    /// The unquoted word that comes next, as written; empty where none does.
    pub(super) fn word(&self) -> &'a str {
        self.word_at(0)
    }

    pub(super) fn word_at(&self, distance: usize) -> &'a str {
        let token = self.peek_at(distance).filter(|token| token.kind == Kind::Word);
        token.map_or("", |token| self.spelling(token))
    }

    pub(super) fn spelling(&self, token: Token) -> &'a str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    /// Is it MySQL's `0x…`, which is a string?
    pub(super) fn is_hex(&self, token: Token) -> bool {
        token.kind == Kind::Number && !self.dialect.is_postgres() && is_hex(self.spelling(token))
    }

    /// What the token at hand, if it is a `U&'…'`, writes its escapes with: the UESCAPE that follows says.
    pub(super) fn escape(&self) -> char {
        let mark = self.peek_at(1).filter(|_| self.at("uescape"));
        mark.and_then(|mark| self.spelling(mark).chars().nth(1)).unwrap_or('\\')
    }

    /// Is the next token the word `word`, in any case?
    pub(super) fn at(&self, word: &str) -> bool {
        let next = self.word();
        !next.is_empty() && next.eq_ignore_ascii_case(word)
    }

    pub(super) fn at_any(&self, words: &[&str]) -> bool {
        let next = self.word();
        !next.is_empty() && words.iter().any(|word| next.eq_ignore_ascii_case(word))
    }

    /// Do the next tokens spell `words`?
    pub(super) fn at_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(distance, word)| self.word_at(distance).eq_ignore_ascii_case(word))
    }

    /// Takes the next token if it is the word `word`.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.at(word);
        if found {
            self.take();
        }
        found
    }

    pub(super) fn eat_words(&mut self, words: &[&str]) -> bool {
        let found = self.at_words(words);
        if found {
            words.iter().for_each(|_| {
                self.take();
            });
        }
        found
    }

    /// Takes as many of `words` as come next, in any order.
    pub(super) fn skip(&mut self, words: &[&str]) {
        while self.at_any(words) {
            self.take();
        }
    }

    pub(super) fn eat_kind(&mut self, kind: Kind) -> Option<Token> {
        self.peek().filter(|token| token.kind == kind)?;
        self.take()
    }

    /// `IF EXISTS`, `IF NOT EXISTS`.
    pub(super) fn skip_if_exists(&mut self) {
        if self.eat("if") {
            self.eat("not");
            self.eat("exists");
        }
    }

    /// Takes a parenthesized run whole, if one comes next.
    pub(super) fn skip_parentheses(&mut self) {
        if self.kind() != Some(Kind::Open) {
            return;
        }
        let mut depth = 0usize;
        while let Some(token) = self.take() {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                _ => continue,
            }
            if depth == 0 {
                return;
            }
        }
    }
}

/// Does a number begin as `0x…` does?
pub(super) fn is_hex(number: &str) -> bool {
    number.get(..2).is_some_and(|mark| mark.eq_ignore_ascii_case("0x"))
}
