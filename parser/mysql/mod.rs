//! MySQL's wire, and MariaDB's: client/server protocol 10, since MySQL 4.1.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>,
//! <https://mariadb.com/docs/server/reference/clientserver-protocol>
//!
//! * `packet`: length, sequence number, payload. `framer`: packets, of any cut of the stream.
//! * `capability`: what both sides may agree on, and what of it is followed here.
//! * `rewrite`: the few bytes that are changed as they pass: capabilities, and a redirection around the proxy.
//! * `charset`: how a session's text is read.
//! * `greeting`, `login`: the connection phase, a direction each.
//! * `leave`: a goodbye to a server that was only asked whether it is there.
//! * `command`: what the client asks. `answer`: OK, EOF and ERR. `response`: how the packets of an answer follow.
//! * `pipeline`: what was asked and not yet answered; ties answers to questions.
//! * `statements`: what is known of those that were prepared, to find the values of long runs.
//! * `session`: [`Mysql`], one session in both directions.
//! * [`values`]: parameters and query attributes as JSON.

mod answer;
mod capability;
mod charset;
mod command;
mod field;
mod framer;
mod greeting;
mod leave;
mod login;
mod packet;
mod pipeline;
mod response;
mod rewrite;
mod session;
mod statements;
pub mod values;

pub use charset::{encoding_of_charset, encoding_of_collation};
pub use leave::{Leave, leave};
pub use login::Login;
pub use session::Mysql;
