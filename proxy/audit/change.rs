//! What a statement changes in its session for those that follow: names, the schema, how texts are read.

use std::rc::Rc;

use panoptes_parser::{
    mysql::encoding_of_charset,
    sql::{Dialect, Effect, Server},
    text::Encoding,
};

use super::{Tools, names::Prepared, session::Session, text::Text};

impl Session {
    /// What a statement changes for those that follow.
    pub(super) fn apply(&mut self, text: &Rc<Text>, tools: &mut Tools) {
        if self.dialect.is_postgres() {
            self.follow_reading(&text.effect);
        }
        match &text.effect {
            Effect::Prepare { name, .. } => {
                let text = text.prepares.clone();
                let prepared = Prepared::new(name.as_bytes(), text, Vec::new());
                // Its own event tells the text, where there is no room for it.
                _ = self.prepare(Rc::new(prepared), tools);
            }
            Effect::Deallocate(name) => self.names.deallocate(name.as_bytes()),
            Effect::DeallocateAll => {
                self.prepares_unseen = false;
                self.names.deallocate_all();
            }
            Effect::DiscardAll => {
                self.prepares_unseen = false;
                self.names.deallocate_all();
                self.names.close_all_portals();
            }
            Effect::Declare { name, hold } => self.declare(name.as_bytes(), *hold, text, tools),
            Effect::Close(name) => self.names.close_portal(name.as_bytes()),
            Effect::CloseAll => self.names.close_all_portals(),
            Effect::Set { .. } => self.set(text),
            Effect::Execute(name) if !self.dialect.is_postgres() => {
                let known = self.names.statement(name.as_bytes()).and_then(|known| known.text.clone());
                self.set_by(known.as_deref());
            }
            Effect::ExecuteImmediate { .. } => self.set_by(text.prepares.as_deref()),
            Effect::Use(name) => self.choose(name.clone().into_owned()),
            _ => {}
        }
    }

    /// The schema of names that are told without one is another for what comes; empty for none. What is held ran in the old.
    pub(super) fn choose(&mut self, schema: String) {
        let known = self.transactions.chosen().or(self.identity.schema()).unwrap_or_default();
        if known == schema {
            return;
        }
        match self.held_since {
            Some(_) => self.transactions.choose(schema),
            None => self.identity.choose(schema),
        }
    }

    /// A schema is gone: if it was that of the session, it has none.
    pub(super) fn drop_schema(&mut self, schema: &str) {
        if self.transactions.chosen().or(self.identity.schema()) == Some(schema) {
            self.choose(String::new());
        }
    }

    /// What runs by another name may be a SET.
    fn set_by(&mut self, text: Option<&Text>) {
        match text.map(|text| (&text.effect, text)) {
            Some((Effect::Set { .. }, text)) => self.set(text),
            Some((Effect::Use(name), _)) => self.choose(name.clone().into_owned()),
            Some(_) => {}
            None => (self.quotes_unknown, self.escapes_unknown) = (true, true),
        }
    }

    /// A SET of what decides how texts are read.
    fn set(&mut self, text: &Text) {
        let Effect::Set { ansi_quotes: quotes, no_backslash_escapes: no_escapes, charset, unknown } =
            &text.effect
        else {
            return;
        };
        if quotes.is_some() || *unknown {
            self.quotes_unknown = *unknown;
            // What is a backslash the status tells: whatever functions it calls, they have run before it is set.
            (self.trusts_status, self.escapes_unknown) = (*unknown, false);
        }
        if let Dialect::Mysql { ansi_quotes, no_backslash_escapes, .. } = &mut self.dialect {
            *ansi_quotes = quotes.unwrap_or(*ansi_quotes);
            *no_backslash_escapes = no_escapes.unwrap_or(*no_backslash_escapes);
        }
        if let Some(charset) = charset {
            (self.encoding, self.encoding_assumed) = (encoding_of_charset(charset), false);
        }
    }

    /// The status tells what a backslash is: of a plain SET, and of a session that begins. A routine that has changed it for
    /// itself leaves it as it was there.
    pub(super) fn follow_status(&mut self) {
        let told = self.no_escapes_told;
        if let Dialect::Mysql { no_backslash_escapes, .. } = &mut self.dialect
            && self.trusts_status
        {
            *no_backslash_escapes = told;
        }
    }

    /// MariaDB goes back to the character set of the login, MySQL to its own.
    pub(super) fn encoding_at_reset(&self) -> Encoding {
        if self.is_mariadb() { self.first_encoding } else { self.server_encoding }
    }

    pub(super) fn is_mariadb(&self) -> bool {
        matches!(self.dialect, Dialect::Mysql { server: Server::Mariadb(_), .. })
    }
}
