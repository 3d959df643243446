//! The text of a simple Query, and its statements, each of which has an answer.

mod answers;
mod long;

use std::{borrow::Cow, ops::Range, rc::Rc};

use panoptes_parser::sql::{Dialect, SecretNames, redact, semicolons, split};

use super::{
    secret::Secrets,
    session::Session,
    statement::Statement,
    text::{Cut, Text},
    texts::Texts,
};
use long::Long;

/// A text with more statements than this is told as one.
const MAX_STATEMENTS: usize = 20_000;
/// So much of what follows a statement its error may quote, and more.
const QUOTED: usize = 1 << 10;
/// What the client said beside a text is told with each of its statements up to so many bytes, else with the first.
const MAX_REPEATED: usize = 1 << 10;

const REPLICATION_COMMANDS: [&str; 9] = [
    "IDENTIFY_SYSTEM",
    "TIMELINE_HISTORY",
    "CREATE_REPLICATION_SLOT",
    "ALTER_REPLICATION_SLOT",
    "READ_REPLICATION_SLOT",
    "START_REPLICATION",
    "DROP_REPLICATION_SLOT",
    "UPLOAD_MANIFEST",
    "BASE_BACKUP",
];

/// A text whose answers are coming in.
#[derive(Debug)]
pub(crate) struct Query {
    text: String,
    /// Where it is longer than what is told of a statement.
    long: Option<Long>,
    dialect: Dialect,
    /// Where its statements are; nothing where they cannot be told apart.
    pieces: Option<Vec<Range<usize>>>,
    answered: usize,
    /// What the server says is not what it would say of these statements.
    doubted: bool,
    /// All of it, once it was read.
    whole: Option<Rc<Text>>,
    /// The last statement that was answered, where more should follow.
    last: Option<Box<Statement>>,
    /// What the client said beside it, of all its statements; its size as it was sent, and whether it was told.
    request: Vec<u8>,
    said: u64,
    told: bool,
    /// Names by which one of its statements gives a secret to another.
    names: Option<SecretNames>,
    /// Size of that, where it was too much to be kept.
    left_out: Option<u64>,
}

impl Query {
    /// A text, or the head of one that was cut.
    pub(crate) fn new(text: Cow<'_, str>, long: Option<Long>, dialect: Dialect, several: bool) -> Self {
        let is_head = long.as_ref().is_some_and(Long::is_head);
        let pieces = if is_head { None } else { pieces(&text, dialect, several) };
        let several = pieces.as_ref().is_some_and(|pieces| pieces.len() > 1);
        // What is not told of a long one may name secrets of its head.
        let is_cut_here = long.is_some() && !is_head;
        let names = if several || is_cut_here { SecretNames::of(&text, dialect) } else { None };
        Self {
            text: text.into_owned(),
            long,
            dialect,
            pieces,
            answered: 0,
            doubted: false,
            whole: None,
            last: None,
            request: Vec::new(),
            said: 0,
            told: false,
            names,
            left_out: None,
        }
    }

    /// The statement that the next answer is about, or the whole text where they cannot be told apart.
    pub(crate) fn next(&mut self, texts: &mut Texts) -> Rc<Text> {
        let place = self.answered;
        self.answered += 1;
        match self.pieces.as_ref().map(|pieces| pieces.get(place).cloned()) {
            Some(Some(range)) => return self.read(range, texts),
            // It is refused before any statement is looked for.
            Some(None) if place == 0 => self.pieces = None,
            // More answers than statements: ours is the wrong count.
            Some(None) => self.doubt(),
            None => {}
        }
        self.whole(texts)
    }

    /// Its statements are not where they seemed to be.
    pub(crate) fn doubt(&mut self) {
        self.pieces = None;
        self.doubted = true;
    }

    /// Whether one event stands for statements that could not be told apart.
    pub(crate) fn is_uncertain(&self) -> bool {
        self.doubted || self.pieces.is_none() && self.answered > 1
    }

    /// Whether statements are left that had no answer.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.pieces.as_ref().is_some_and(|pieces| self.answered < pieces.len())
    }

    /// The whole text, read once. What each EXECUTE in it runs is not looked for: all their arguments go.
    pub(crate) fn whole(&mut self, texts: &mut Texts) -> Rc<Text> {
        let read = || {
            let text = self.text.trim();
            let (text, cut) = self.long.as_ref().map_or((text, None), |long| long.whole(text));
            let text = match &self.names {
                Some(names) => texts.read_among(text, cut, names, self.dialect),
                None => texts.read(text, cut, self.dialect),
            };
            let resolved = !self.doubted && single(&self.text).is_some();
            let hidden = if resolved { None } else { text.without_arguments(None, self.dialect) };
            hidden.map_or(text, Rc::new)
        };
        Rc::clone(self.whole.get_or_insert_with(read))
    }

    /// What is hidden of several statements, and what is shown of them: which of them an error quotes is not certain.
    fn secrets(&self) -> Option<(Secrets, Cow<'_, str>)> {
        let text = if self.is_single() { return None } else { self.quotable() };
        let redacted = redact(text, self.dialect)?;
        let hidden = redacted.hidden.iter().filter_map(|range| text.get(range.clone()));
        // A message is compared with all of it. What is not shown is hidden.
        let shown = if self.long.is_some() { Cow::Borrowed("") } else { redacted.text };
        Some((hidden.collect(), shown))
    }

    /// What an error may quote: of a long text, the statement that was answered last and the beginning of what follows.
    fn quotable(&self) -> &str {
        let (Some(_), Some(pieces)) = (&self.long, &self.pieces) else { return &self.text };
        let mut behind = pieces.iter().skip(self.answered.saturating_sub(1));
        let Some(last) = behind.next() else { return &self.text };
        let end =
            behind.find(|piece| piece.end >= last.end + QUOTED).map_or(self.text.len(), |piece| piece.end);
        self.text.get(last.start..end).unwrap_or(&self.text)
    }

    /// The statements that no answer will come for.
    pub(crate) fn rest(&mut self, texts: &mut Texts) -> Vec<Rc<Text>> {
        let place = self.answered;
        let pieces = self.pieces.as_ref().and_then(|pieces| pieces.get(place..)).unwrap_or_default().to_vec();
        self.answered += pieces.len();
        pieces.into_iter().map(|range| self.read(range, texts)).collect()
    }

    /// All that may run, before any of it was answered: each statement, or the whole text.
    pub(crate) fn all(&mut self, texts: &mut Texts) -> Vec<Rc<Text>> {
        match (self.is_split(), self.is_empty()) {
            (true, false) => self.rest(texts),
            (true, true) if self.dialect.is_postgres() || !self.may_run() => Vec::new(),
            _ => vec![self.whole(texts)],
        }
    }

    /// How many statements stand before the one at a character's position (from 1), if nothing was answered yet: the
    /// server refused the text as a whole, for the sake of that one.
    pub(crate) fn before(&self, position: u32) -> usize {
        let Some(pieces) = self.pieces.as_ref().filter(|_| self.answered == 0 && position > 0) else {
            return 0;
        };
        let place = usize::try_from(position - 1).unwrap_or(usize::MAX);
        let byte = self.text.char_indices().nth(place).map_or(self.text.len(), |(byte, _)| byte);
        let before = pieces.iter().take_while(|piece| piece.end < byte).count();
        before.min(pieces.len().saturating_sub(1))
    }

    /// The command of the replication protocol that the text begins with.
    /// <https://www.postgresql.org/docs/current/protocol-replication.html>
    pub(crate) fn replication_command(&self) -> Option<&'static str> {
        let text = self.text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
        let first = text.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_').next()?;
        REPLICATION_COMMANDS.iter().find(|command| command.eq_ignore_ascii_case(first)).copied()
    }

    /// Whether the statements could be told apart, so far.
    pub(crate) fn is_split(&self) -> bool {
        self.pieces.is_some()
    }

    /// All of it that is here.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its statements, as far as they can be told apart.
    pub(super) fn statements(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.pieces.iter().flatten().filter_map(|piece| self.text.get(piece.clone()))
    }

    /// What is behind the statement at a place.
    pub(super) fn behind(&self, place: usize) -> &str {
        let statement = self.pieces.as_ref().and_then(|pieces| pieces.get(place));
        statement.and_then(|statement| self.text.get(statement.end..)).unwrap_or_default()
    }

    /// Whether its statements would be the same if it were read in another way.
    pub(super) fn is_cut_alike(&self, dialect: Dialect) -> bool {
        self.pieces.is_some() && self.pieces == pieces(&self.text, dialect, true)
    }

    /// Whether no statement was found in it.
    fn is_empty(&self) -> bool {
        self.pieces.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether it has comments of which it is the server's to say if they run.
    fn may_run(&self) -> bool {
        runs(&self.text)
    }

    /// Whether the next answer is that of comments behind the last statement, for which the server has one more.
    fn ends_in_comment(&mut self) -> bool {
        let last =
            self.pieces.as_ref().filter(|pieces| pieces.len() == self.answered).and_then(|all| all.last());
        let behind = last.and_then(|last| self.text.get(last.end..)).map(str::trim_ascii);
        let comment = behind.and_then(|behind| behind.strip_prefix(';')).map(str::trim_ascii_start);
        let ends = comment.is_some_and(|comment| !comment.is_empty() && !runs(comment));
        self.answered += usize::from(ends);
        ends
    }

    /// Whether the next answer is that of an empty statement, ahead of the next one: `a; ; b`, `; b`.
    fn awaits_empty(&self) -> bool {
        let Some(pieces) = &self.pieces else { return false };
        let last = self.answered.checked_sub(1).and_then(|last| pieces.get(last));
        let next = pieces.get(self.answered).map_or(self.text.len(), |next| next.start);
        let ahead = self.text.get(last.map_or(0, |last| last.end)..next).unwrap_or_default();
        // Of two `;` the first ends what was answered.
        semicolons(ahead.as_bytes(), self.dialect) > usize::from(last.is_some())
    }

    /// Tells with a statement what the client said beside the text.
    fn tell_beside(&mut self, statement: &mut Statement) {
        if self.request.is_empty() && self.left_out.is_none() {
            return;
        }
        let again = std::mem::replace(&mut self.told, true) && !self.is_uncertain();
        let aside = statement.aside();
        if again && self.request.len() > MAX_REPEATED {
            aside.left_out = Some(self.said);
        } else {
            (aside.request, aside.left_out) = (self.request.clone(), self.left_out);
        }
    }

    /// Whether it is one statement.
    pub(crate) fn is_single(&self) -> bool {
        self.pieces.as_ref().is_some_and(|pieces| pieces.len() == 1)
    }

    fn read(&self, range: Range<usize>, texts: &mut Texts) -> Rc<Text> {
        let text = self.text.get(range).unwrap_or_default();
        let (text, cut) =
            self.long.as_ref().map_or((text, None), |long| long.statement(text, self.is_single()));
        match &self.names {
            Some(names) => texts.read_among(text, cut, names, self.dialect),
            None => texts.read(text, cut, self.dialect),
        }
    }
}

impl Session {
    /// The text that is told now, `length` bytes in all; and whether it is uncertain where the server finds its statements.
    pub(super) fn asked_query(&mut self, bytes: &[u8], length: u64) -> (Query, bool) {
        let whole = Cut { length, sha256: self.take_digest() };
        let text = self.encoding.decode(bytes);
        let long = Long::of(whole, bytes, &text, self.encoding, self.limits.text);
        let mut query = Query::new(text, long, self.dialect, self.several);
        let doubted = !self.encoding.is_certain(bytes) || self.may_be_cut_otherwise(&query);
        if doubted {
            query.doubt();
        }
        (query, doubted)
    }
}

fn pieces(text: &str, dialect: Dialect, several: bool) -> Option<Vec<Range<usize>>> {
    if let Some(piece) = single(text) {
        return Some(vec![piece]);
    }
    let mut statements = split(text.as_bytes(), dialect).with_comments();
    let pieces: Vec<_> = statements.by_ref().take(MAX_STATEMENTS + 1).collect();
    if let (false, [first, .., last]) = (several, pieces.as_slice()) {
        // The server reads them as one, and refuses it.
        let whole = first.start..last.end;
        return Some(vec![whole]);
    }
    (statements.certain() && pieces.len() <= MAX_STATEMENTS).then_some(pieces)
}

/// Whether a server may run some of the comments in it. A version does not tell for certain: servers that are neither a MySQL
/// nor a MariaDB call themselves one, and run them all.
fn runs(text: &str) -> bool {
    text.contains("/*!") || text.contains("/*M!")
}

/// Nearly every text is one statement, which shows without a look at its tokens: it begins with a word, and no `;` stands
/// before its end.
fn single(text: &str) -> Option<Range<usize>> {
    let trimmed = text.trim_ascii_end();
    let piece = trimmed.strip_suffix(';').unwrap_or(trimmed).trim_ascii_end();
    let start = piece.len() - piece.trim_ascii_start().len();
    let word = piece.as_bytes().get(start).is_some_and(u8::is_ascii_alphabetic);
    (word && !piece.contains(';')).then_some(start..piece.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::new(text.into(), None, Dialect::POSTGRES, true)
    }

    #[test]
    fn a_position_finds_its_statement() {
        let query = query("select 'ä'; selct 2; select 3");
        for (position, before) in [(0, 0), (1, 0), (11, 0), (13, 1), (20, 1), (22, 2), (999, 2)] {
            assert_eq!(query.before(position), before, "{position}");
        }
    }

    #[test]
    fn a_secret_that_one_statement_gives_another_is_hidden() {
        let (mut query, mut texts) = (
            query("set app.k = 'canary'; select 'b'; select crypt(current_setting('app.k'), a) from t"),
            Texts::new(1 << 20),
        );
        for shown in ["set app.k = '[REDACTED]'", "select 'b'"] {
            assert_eq!(String::from_utf8_lossy(&query.next(&mut texts).raw), format!("\"raw\":\"{shown}\""));
        }
    }

    #[test]
    fn more_answers_than_statements_make_the_count_uncertain() {
        let (mut query, mut texts) = (query("select 1; select 2"), Texts::new(1 << 20));
        query.next(&mut texts);
        assert!(query.is_unfinished());
        query.next(&mut texts);
        assert!(query.is_split() && !query.is_unfinished());
        let whole = query.next(&mut texts);
        assert!(query.is_uncertain() && !query.is_split());
        assert!(Rc::ptr_eq(&whole, &query.next(&mut texts)), "it is read once");
    }

    #[test]
    fn a_command_of_the_replication_protocol_ends_with_its_word() {
        for text in ["BASE_BACKUP(LABEL 'x')", " \x0bbase_backup;", "BASE_BACKUP"] {
            assert_eq!(query(text).replication_command(), Some("BASE_BACKUP"), "{text}");
        }
        for text in ["BASE_BACKUP2", "BASE_BACKUPä", "", "select 1"] {
            assert_eq!(query(text).replication_command(), None, "{text}");
        }
    }

    #[test]
    fn one_statement_is_found_as_the_lexer_finds_it() {
        for text in
            ["select 1", " select 1 ; ", "select ';'", "a;b", "-- a", ";", "", "select 1;;", "/* a */ b;"]
        {
            let pieces = query(text).pieces.unwrap();
            let split: Vec<_> = split(text.as_bytes(), Dialect::POSTGRES).with_comments().collect();
            assert_eq!(pieces, split, "{text}");
        }
    }

    #[test]
    fn what_is_not_answered_is_the_rest() {
        let (mut query, mut texts) = (query("select 1; select 2; select 3;"), Texts::new(1 << 20));
        query.next(&mut texts);
        assert_eq!(query.rest(&mut texts).len(), 2);
        assert!(query.rest(&mut texts).is_empty());
    }
}
