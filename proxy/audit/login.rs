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
    /// One within the session, and how its texts would be read, where the server knows what it asks for.
    Again(Option<Encoding>),
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
        let server = match self.dialect {
            Dialect::Mysql { server, .. } => server,
            Dialect::Postgres { .. } => Server::Unknown,
        };
        let chosen = encoding_of_collation(login.collation, server);
        let encoding = chosen.unwrap_or(self.server_encoding);
        if self.login.is_done() {
            self.login = Login::Again(chosen);
            self.identity.begin_anew();
        } else {
            self.read_as(chosen);
        }
        let text = |bytes| encoding.decode(bytes).into_owned();
        self.identity.log_in(text(login.user), text(login.schema));
        for (name, value) in login.attributes() {
            self.identity.attribute(&text(name), text(value), self.dialect);
        }
    }

    /// The encoding of a login, where the server knows it. What a MariaDB goes back to where it does not is another
    /// session's.
    fn read_as(&mut self, chosen: Option<Encoding>) {
        self.encoding = chosen.unwrap_or(self.server_encoding);
        self.first_encoding = chosen.unwrap_or(Encoding::UNCERTAIN);
        self.encoding_assumed = chosen.is_none();
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
            b"no_backslash_escapes" => {
                self.no_escapes_told = value == b"on";
                self.follow_status();
            }
            // Where the server was told to track it.
            b"sql_mode" => {
                let modes = text();
                *ansi_quotes = modes.split(',').any(|mode| mode == "ANSI_QUOTES");
                *no_backslash_escapes = modes.split(',').any(|mode| mode == "NO_BACKSLASH_ESCAPES");
                (self.quotes_unknown, self.escapes_unknown, self.trusts_status) = (false, false, false);
            }
            b"server_collation" => {
                let collation = value.first().copied().unwrap_or_default();
                let encoding = encoding_of_collation(collation.into(), Server::Unknown);
                self.server_encoding = encoding.unwrap_or(Encoding::UNCERTAIN);
            }
            b"character_set_client" => {
                (self.encoding, self.encoding_assumed) = (encoding_of_charset(&text()), false);
            }
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
            (Login::Again(chosen), None) => {
                // What this ends is the one's who was logged in before.
                self.identity.exchange();
                self.begin_anew(self.encoding, tools);
                self.read_as(chosen);
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
