//! One execution of a statement, from its answer until it is held for its transaction.

use std::rc::Rc;

use panoptes_event::Uuid;
use panoptes_parser::{
    sql::Effect,
    wire::{Answer, Failure, Settled, TransactionStatus},
};

use super::{
    Tools,
    names::Prepared,
    session::Session,
    statement::{End, Error, Statement, What},
    text::Text,
};

impl Session {
    pub(super) fn settle_one(&mut self, what: What, settled: Settled<&[u8]>, tools: &mut Tools) {
        if let Some(statement) = self.statement(what, settled, tools) {
            self.hold(statement, &settled.answer, tools);
        }
    }

    /// The execution that was just settled; `None` where there was nothing to do.
    pub(super) fn statement(
        &mut self,
        what: What,
        settled: Settled<&[u8]>,
        tools: &Tools,
    ) -> Option<Statement> {
        let text = |bytes: &[u8]| self.encoding.decode(bytes).into_owned();
        // Its verb stands behind more comment than is kept of a text: the server tells it.
        let what = match (what, &settled.answer) {
            (What::Sql(text), Answer::Complete { tag, .. }) if text.verb() == "UNKNOWN" => {
                What::Sql(Rc::new(text.tagged(tag)))
            }
            (what, _) => what,
        };
        let end =
            End::of(&settled.answer, settled.warnings, text).map(|end| end.behind(self.broke_off.take()));
        let mut end = end.or_else(|| self.has_intent().then(End::empty))?;
        if let Some((returned, sent)) = self.beside.as_ref().and_then(|beside| beside.streamed) {
            (end.bytes, end.sent, end.apart) = (returned, sent, true);
        }
        let unix_micros = tools.anchor.unix_micros(settled.asked);
        let mut statement = Statement {
            id: tools.event_id(unix_micros),
            commits: what.operation().commits,
            what,
            prepared: None,
            parameters: Rc::clone(&tools.no_parameters),
            secrets: None,
            parameters_truncated: None,
            split_uncertain: false,
            unix_micros,
            duration_micros: settled.answered.saturating_sub(settled.asked) / 1_000,
            end,
            transaction: None,
            status: TransactionStatus::Idle,
            verdict: None,
            undone_by: None,
            aside: self.beside.take(),
        };
        statement.meet_intent(self.intents.as_deref_mut());
        Some(statement)
    }

    pub(super) fn hold(&mut self, mut statement: Statement, answer: &Answer<&[u8]>, tools: &mut Tools) {
        if let Some(text) = statement.text().filter(|text| text.effect != Effect::None).map(Rc::clone) {
            self.resolve(&text, &mut statement);
            if let Effect::Kill { session } = text.effect {
                statement.aside().kill = Some(self.kill(session, tools));
            }
            if statement.end.is_success() {
                self.apply(&text, tools);
            }
        }
        self.may_read_otherwise |= statement.end.is_success() && !statement.is_followed_in_reading();
        if let What::Sql(text) = &statement.what {
            match self.dialect.is_postgres() {
                true => self.prepares_unseen |= text.prepares_unseen(),
                // MySQL has no statement that ends this doubt: a name is known again when it is prepared again.
                false if text.verb() == "CALL" || text.prepares_unseen() => self.names.forget_named(),
                false => {}
            }
        }
        statement.hide(self.dialect);
        if let Answer::Failed(Failure { fatal: true, .. }) = answer {
            self.identity.ended_by.clone_from(&statement.end.error);
        }
        let dropped = statement.dropped_schema();
        let rolled_back = matches!(answer, Answer::Complete { tag, .. } if tag.starts_with(b"ROLLBACK"));
        self.transactions.borrow(&mut tools.spare);
        self.transactions.settle(statement, rolled_back, Uuid::now_v7);
        if self.transactions.is_full() {
            self.spill(tools);
        } else if self.held_since.is_none() {
            self.held_since = Some(tools.anchor.at());
        }
        if let Some(text) = dropped {
            self.drop_schema(text.form.class.object_name.as_deref().unwrap_or_default());
        }
    }

    /// `EXECUTE name` has the tables of what it runs, and its secrets. Where it is not known, or never ran and so may have
    /// been meant for another one, any argument may be a secret.
    fn resolve(&self, text: &Text, statement: &mut Statement) {
        let (name, runs) = match &text.effect {
            Effect::Execute(name) => (name, true),
            Effect::Explain(name) => (name, false),
            Effect::Fetch(name) => return self.resolve_cursor(name, text, statement),
            Effect::Close(name) if !self.dialect.is_postgres() => {
                return self.resolve_cursor(name, text, statement);
            }
            _ => return,
        };
        let prepared = self.names.statement(name.as_bytes());
        let body = prepared.and_then(|prepared| prepared.text.as_ref());
        let resolved = match body.filter(|_| statement.end.was_run() && !self.prepares_unseen) {
            Some(body) if runs => Some(text.executing(body, self.dialect)),
            Some(body) => Some(text.explaining(body, self.dialect)),
            None => text.without_arguments(None, self.dialect),
        };
        if let Some(resolved) = resolved {
            statement.commits |= resolved.form.operation.commits;
            statement.what = What::Sql(Rc::new(resolved));
        }
        statement.prepared = prepared.filter(|_| runs).map(Rc::clone);
    }

    /// `FETCH name` reads the tables of its cursor, MySQL's `HANDLER name` has that which was opened so.
    fn resolve_cursor(&self, name: &str, text: &Text, statement: &mut Statement) {
        let portal = self.names.portal(name.as_bytes()).filter(|_| statement.end.was_run());
        if let Some(declared) = portal.and_then(|portal| portal.prepared.text.as_ref()) {
            statement.what = What::Sql(Rc::new(text.fetching(declared)));
        }
    }

    /// Remembers a statement; `false` if there is no room.
    pub(super) fn prepare(&mut self, prepared: Rc<Prepared>, tools: &Tools) -> bool {
        let kept = self.names.prepare(prepared);
        tools.metrics.names_forgotten.inc_by(u64::from(!kept));
        kept
    }

    pub(super) fn error(&self, failure: &Failure<&[u8]>) -> Rc<Error> {
        Error::of(failure, |bytes| self.encoding.decode(bytes).into_owned())
    }
}
