//! Answers to a text, statement by statement.

use panoptes_parser::{
    postgres::tag_rows,
    wire::{Answer, Failure, Settled},
};

use super::{
    super::{
        Tools,
        item::TakenBack,
        operation::Operated,
        session::Session,
        statement::{Statement, What, contradicts, contradicts_answer},
    },
    Query,
};

/// ER_EMPTY_QUERY.
const EMPTY_QUERY: u16 = 1065;
/// ER_PARSE_ERROR.
const PARSE_ERROR: u16 = 1064;

impl Session {
    /// One answer to a text, or to the rest of it.
    pub(in crate::audit) fn query(
        &mut self,
        text: Option<&[u8]>,
        length: u64,
        settled: Settled<&[u8]>,
        tools: &mut Tools,
    ) {
        let unheard = matches!(settled.answer, Answer::Skipped | Answer::Lost);
        if let Some(bytes) = text {
            if !unheard {
                self.names.deallocate(b"");
            }
            let (mut query, doubted) = self.asked_query(bytes, length);
            if let Some(beside) = &mut self.beside {
                query.request = std::mem::take(&mut beside.request);
                query.said = beside.said;
                query.left_out = beside.left_out;
            }
            self.quotes_unknown |= doubted;
            self.transactions.begin_text();
            self.query = Some(query);
        }
        // Its first statement was left out, or the server says more than it was asked.
        let Some(mut query) = self.query.take() else { return };
        let skipped = Settled { answer: Answer::Skipped, ..settled };
        match &settled.answer {
            answer if self.running.is_some() => {
                self.go_on(&settled, tools);
                if let Answer::Failed(_) | Answer::Skipped | Answer::Lost = answer {
                    self.rest(&mut query, skipped, tools);
                }
            }
            // MySQL's answer to a text without any statement, and MariaDB's.
            Answer::Failed(Failure { code: EMPTY_QUERY, .. }) if query.is_empty() && !self.has_intent() => {}
            Answer::Affected { .. } if query.is_empty() && !query.may_run() => {}
            Answer::Affected { rows: 0, insert_id: 0, .. }
                if !self.dialect.is_postgres() && query.ends_in_comment() => {}
            Answer::Empty if query.is_unfinished() || self.has_intent() => {
                query.doubt();
                let answer = Answer::Complete { tag: &b""[..], rows: 0, bytes: 0, sent: 0 };
                self.piece(&mut query, Settled { answer, ..settled }, tools);
            }
            Answer::Empty => {}
            // It is no statement's error.
            Answer::Failed(Failure { code: PARSE_ERROR | EMPTY_QUERY, .. })
                if self.several && query.awaits_empty() =>
            {
                self.rest(&mut query, skipped, tools);
            }
            Answer::Failed(failure) => {
                for _ in 0..query.before(failure.position) {
                    self.piece(&mut query, skipped, tools);
                }
                self.piece(&mut query, settled, tools);
                self.rest(&mut query, skipped, tools);
            }
            Answer::Skipped | Answer::Lost if query.is_split() => self.rest(&mut query, settled, tools),
            _ => self.piece(&mut query, settled, tools),
        }
        self.query = Some(query);
    }

    /// One answer to the text at hand.
    fn piece(&mut self, query: &mut Query, settled: Settled<&[u8]>, tools: &mut Tools) {
        let split = query.is_split();
        let mut text = query.next(&mut tools.texts);
        let command = if self.replication { query.replication_command() } else { None };
        let tag = if let Answer::Complete { tag, .. } = settled.answer { tag } else { b"" };
        let other = contradicts(tag, text.verb())
            || !query.is_single()
                && !self.dialect.is_postgres()
                && contradicts_answer(&settled.answer, &text);
        // Of one that was cut its head does not tell all.
        if command.is_none() && split && text.cut.is_none() && other {
            query.doubt();
            text = query.whole(&mut tools.texts);
        }
        // One event stands for all of it: what was held of it is taken back.
        let mut taken_back = match query.is_uncertain() {
            true => self.transactions.take_back(),
            false => TakenBack::default(),
        };
        // A command of the replication protocol has no SQL.
        let what = match command {
            Some(command) => What::Command(Operated::command(command, None)),
            None => What::Sql(text),
        };
        let Some(mut statement) = self.statement(what, settled, tools) else { return };
        statement.split_uncertain = query.is_uncertain();
        if statement.split_uncertain {
            let back = taken_back.intents + statement.intents();
            self.meet_all_intents(&mut statement, back);
        }
        query.tell_beside(&mut statement);
        statement.end.apart |= command.is_some();
        // In PostgreSQL several statements are one transaction.
        statement.commits &= query.is_single() || !self.dialect.is_postgres();
        // A rule may add rows to those of the statement itself, which the tag counts.
        statement.end.rows = tag_rows(tag).or(statement.end.rows);
        if statement.split_uncertain {
            taken_back.end.add(std::mem::take(&mut statement.end), false);
            statement.end = taken_back.end;
        }
        if let Some(error) = &statement.end.error
            && let Some((secrets, shown)) = query.secrets()
        {
            let hidden = error.without([Some(&secrets), None], &shown, self.dialect);
            statement.end.error = hidden.or(statement.end.error);
        }
        query.last = query.is_unfinished().then(|| Box::new(statement.clone()));
        let goes_on = match settled.answer {
            Answer::Returned { .. } => self.may_go_on(&statement),
            // BASE_BACKUP has several results.
            Answer::Complete { .. } => command.is_some(),
            _ => false,
        };
        if goes_on {
            self.running = Some(Box::new(statement));
            return;
        }
        self.hold(statement, &settled.answer, tools);
    }

    /// The server is ready. Where it answered fewer statements than were found, without an error, they were not found
    /// where the server has them: one event stands for all.
    pub(in crate::audit) fn finish_query(&mut self, tools: &mut Tools) {
        let Some(mut query) = self.query.take().filter(Query::is_unfinished) else { return };
        let Some(last) = query.last.take() else { return };
        query.doubt();
        let taken_back = self.transactions.take_back();
        let what = What::Sql(query.whole(&mut tools.texts));
        // Part of it may be written already.
        let id = tools.event_id(last.unix_micros);
        let mut whole = Statement { id, what, split_uncertain: true, ..*last };
        query.tell_beside(&mut whole);
        self.meet_all_intents(&mut whole, taken_back.intents);
        if taken_back.end.outcome.is_some() {
            whole.end = taken_back.end;
        }
        self.hold(whole, &Answer::Empty, tools);
    }

    /// The statements of a text that have no answer of their own.
    fn rest(&mut self, query: &mut Query, settled: Settled<&[u8]>, tools: &mut Tools) {
        for text in query.rest(&mut tools.texts) {
            if let Some(mut statement) = self.statement(What::Sql(text), settled, tools) {
                query.tell_beside(&mut statement);
                self.hold(statement, &settled.answer, tools);
            }
        }
    }
}
