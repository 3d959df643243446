//! Who a session is, and how its texts are read: its login, and the parameters that the server reports.

use panoptes_config::Protocol;
use panoptes_parser::{
    mysql::{self, encoding_of_charset, encoding_of_collation},
    postgres::pairs,
    sql::{Dialect, Server},
    text::Encoding,
    wire::{Failure, Nanos},
};

use super::{Tools, session::Session};

/// What was told of the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Awaited,
    Done,
    Refused,
    /// One within the session, and how its texts would be read.
    Again(Encoding),
}

impl Login {
    /// Whether there is a session, which is to be ended.
    pub(crate) fn is_done(self) -> bool {
        matches!(self, Self::Done | Self::Again(_))
    }
}

impl Session {
    /// What the client says of itself.
    pub(super) fn start(&mut self, parameters: &[u8]) {
        match self.identity.upstream().protocol {
            Protocol::Postgres => self.start_postgres(parameters),
            Protocol::Mysql => self.start_mysql(parameters),
        }
        self.identity.change();
    }

    fn start_postgres(&mut self, parameters: &[u8]) {
        for (name, value) in pairs(parameters) {
            let value = String::from_utf8_lossy(value).into_owned();
            if name == b"replication" {
                self.replication = asks_for_replication(&value);
            }
            self.identity.parameter(&String::from_utf8_lossy(name), value, self.dialect);
        }
    }

    /// The first login, or COM_CHANGE_USER.
    fn start_mysql(&mut self, parameters: &[u8]) {
        let login = mysql::Login::decode(parameters);
        let encoding = encoding_of_collation(login.collation);
        if self.login.is_done() {
            self.login = Login::Again(encoding);
            self.identity.begin_anew();
        } else {
            self.encoding = encoding;
            self.first_encoding = encoding;
        }
        let text = |bytes| encoding.decode(bytes).into_owned();
        self.identity.log_in(text(login.user), text(login.schema));
        for (name, value) in login.attributes() {
            self.identity.attribute(&text(name), text(value), self.dialect);
        }
    }

    /// A parameter of the session, as the server reports it.
    pub(super) fn parameter(&mut self, name: &[u8], value: &[u8]) {
        let known = match &mut self.dialect {
            Dialect::Postgres { .. } => self.postgres_parameter(name, value),
            Dialect::Mysql { .. } => self.mysql_parameter(name, value),
        };
        if known {
            self.identity.change();
        }
    }

    fn postgres_parameter(&mut self, name: &[u8], value: &[u8]) -> bool {
        let text = || self.encoding.decode(value).into_owned();
        match name {
            b"client_encoding" => {
                let reported = Encoding::named(&text());
                self.settle_reading(false);
                self.encoding = reported;
                self.report_reading();
            }
            b"standard_conforming_strings" => {
                self.settle_reading(false);
                self.dialect = Dialect::Postgres { standard_conforming_strings: value != b"off" };
                self.report_reading();
            }
            b"application_name" => self.identity.call_app(text(), self.dialect),
            b"server_version" => self.identity.server_version = Some(text()),
            _ => return false,
        }
        true
    }

    fn mysql_parameter(&mut self, name: &[u8], value: &[u8]) -> bool {
        let Dialect::Mysql { ansi_quotes, no_backslash_escapes, server } = &mut self.dialect else {
            return false;
        };
        let text = || self.encoding.decode(value).into_owned();
        match name {
            b"server_version" => {
                let announced = text();
                *server = Server::of(&announced);
                self.identity.server_version = Some(Server::own_version(&announced).to_owned());
            }
            b"schema" => {
                let schema = text();
                self.choose(schema);
            }
            b"multi_statements" => self.several = value == b"on",
            b"no_backslash_escapes" => *no_backslash_escapes = value == b"on",
            // Where the server was told to track it.
            b"sql_mode" => {
                *ansi_quotes = text().split(',').any(|mode| mode == "ANSI_QUOTES");
                self.quotes_unknown = false;
            }
            b"character_set_client" => self.encoding = encoding_of_charset(&text()),
            _ => return false,
        }
        true
    }

    /// The login is complete, or refused.
    pub(super) fn login(&mut self, at: Nanos, failure: Option<&Failure<&[u8]>>, tools: &mut Tools) {
        let error = failure.map(|failure| self.error(failure));
        self.identity.change();
        match (self.login, failure) {
            (Login::Awaited, _) => {
                self.login = if error.is_none() { Login::Done } else { Login::Refused };
                self.identity.write_login(None, at, error.as_deref(), tools);
            }
            (Login::Again(encoding), None) => {
                // What this ends is the one's who was logged in before.
                self.identity.exchange();
                self.first_encoding = encoding;
                self.begin_anew(encoding, tools);
                self.write(tools);
                self.identity.exchange();
                self.login = Login::Done;
                self.identity.write_login(Some(at), at, None, tools);
            }
            (Login::Again(_), Some(_)) => {
                self.login = Login::Done;
                self.identity.write_login(Some(at), at, error.as_deref(), tools);
                self.identity.exchange();
            }
            // A login that was refused may be told twice: by the server, and by the way the session ended.
            (Login::Done | Login::Refused, _) => {}
        }
    }
}

/// As the server reads it: a boolean of its kind, or `database`.
fn asks_for_replication(value: &str) -> bool {
    let begins = |word: &str| word.get(..value.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(value));
    let yes = begins("true") || begins("yes") || value.eq_ignore_ascii_case("on") || value == "1";
    value == "database" || !value.is_empty() && yes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replication_is_asked_for_as_the_server_reads_it() {
        for value in ["database", "1", "on", "ON", "t", "tRu", "true", "y", "YES"] {
            assert!(asks_for_replication(value), "{value}");
        }
        for value in ["", "DATABASE", "0", "o", "off", "f", "no", "truer", "11", "2"] {
            assert!(!asks_for_replication(value), "{value}");
        }
    }
}
