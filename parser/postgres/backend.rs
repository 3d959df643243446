//! What the server says: the bodies of its messages, as far as they matter.

use crate::{
    reader::Reader,
    wire::{Failure, TransactionStatus},
};

/// Fields of an ErrorResponse or a NoticeResponse.
/// <https://www.postgresql.org/docs/current/protocol-error-fields.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Report<'a> {
    severity: &'a [u8],
    sql_state: &'a [u8],
    message: &'a [u8],
    position: u32,
}

impl<'a> Report<'a> {
    /// Reads as many fields as there are.
    pub(super) fn parse(body: &'a [u8]) -> Self {
        let (mut reader, mut report, mut untranslated) = (Reader::new(body), Self::default(), false);
        while let Some(field @ 1..) = reader.u8() {
            let value = reader.cstr_or_rest();
            match field {
                // `V` is never translated, but servers before 9.6 do not send it.
                b'V' => (report.severity, untranslated) = (value, true),
                b'S' if !untranslated => report.severity = value,
                b'C' => report.sql_state = value,
                b'M' => report.message = value,
                b'P' => report.position = number(value),
                _ => {}
            }
        }
        report
    }

    /// Whether the session ends with it.
    pub(super) fn is_fatal(&self) -> bool {
        matches!(self.severity, b"FATAL" | b"PANIC")
    }

    /// Whether it is more than a remark.
    pub(super) fn is_warning(&self) -> bool {
        self.severity == b"WARNING"
    }

    /// The same as a failure.
    pub(super) fn failure(&self) -> Failure<&'a [u8]> {
        Failure {
            sql_state: self.sql_state,
            message: self.message,
            position: self.position,
            code: 0,
            fatal: self.is_fatal(),
        }
    }
}

/// The name of an authentication method, by the code of the server's request; `None` once it is content.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-AUTHENTICATIONOK>
pub(super) fn authentication(body: &[u8]) -> Option<&'static str> {
    let mut reader = Reader::new(body);
    Some(match reader.u32()? {
        2 => "kerberos",
        3 => "password",
        5 => "md5",
        7 => "gss",
        9 => "sspi",
        10 => mechanism(reader.rest()),
        _ => return None,
    })
}

/// The first mechanism on offer; a client may still choose another.
fn mechanism(list: &[u8]) -> &'static str {
    if list.starts_with(b"SCRAM-SHA-256") {
        "scram-sha-256"
    } else if list.starts_with(b"OAUTHBEARER") {
        "oauth"
    } else {
        "sasl"
    }
}

/// The status of a ReadyForQuery.
pub(super) fn transaction_status(body: &[u8]) -> TransactionStatus {
    match body {
        [b'T', ..] => TransactionStatus::Active,
        [b'E', ..] => TransactionStatus::Failed,
        _ => TransactionStatus::Idle,
    }
}

/// The rows that a command tag counts: `INSERT 0 5`, `SELECT 3`, `COPY 7`.
#[must_use]
pub fn tag_rows(tag: &[u8]) -> Option<u64> {
    let digits = tag.rsplit(|byte| *byte == b' ').next()?;
    (digits.len() < tag.len()).then_some(())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// An ErrorResponse.
pub(super) fn error_response(severity: &str, sql_state: &str, message: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in [(b'S', severity), (b'V', severity), (b'C', sql_state), (b'M', message)] {
        body.push(field);
        // A NUL would end the field early.
        body.extend(value.bytes().filter(|byte| *byte != 0));
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&b"E"[..], &length.to_be_bytes(), &body].concat()
}

fn number(digits: &[u8]) -> u32 {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_whatever_it_lacks() {
        let report = Report::parse(b"SFEHLER\0VERROR\0C42601\0Msyntax error\0P12\0\0");
        let failure = Failure {
            sql_state: &b"42601"[..],
            message: &b"syntax error"[..],
            position: 12,
            code: 0,
            fatal: false,
        };
        assert_eq!(report.failure(), failure);
        assert!(Report::parse(b"SFATAL\0C57P01\0").is_fatal());
        assert!(Report::parse(b"VWARNING\0SWARNUNG\0").is_warning());
        assert_eq!(Report::parse(b"").failure().sql_state, b"");
        assert_eq!(Report::parse(b"Mtorn").failure().message, b"torn");
    }

    #[test]
    fn our_own_errors_read_back() {
        let bytes = error_response("FATAL", "57P01", "bye\0bye");
        assert_eq!(
            bytes.len(),
            1 + usize::try_from(u32::from_be_bytes(bytes[1..5].try_into().unwrap())).unwrap()
        );
        let failure = Report::parse(&bytes[5..]).failure();
        assert_eq!(
            (failure.sql_state, failure.message, failure.fatal),
            (&b"57P01"[..], &b"byebye"[..], true)
        );
    }

    #[test]
    fn tags_count_rows() {
        for (tag, rows) in
            [("SELECT 3", Some(3)), ("INSERT 0 5", Some(5)), ("COPY 7", Some(7)), ("BEGIN", None), ("", None)]
        {
            assert_eq!(tag_rows(tag.as_bytes()), rows, "{tag}");
        }
        assert_eq!(tag_rows(b"CREATE TABLE"), None);
    }

    #[test]
    fn methods_have_names() {
        assert_eq!(authentication(&[0, 0, 0, 0]), None);
        assert_eq!(authentication(&[0, 0, 0, 5, 1, 2, 3, 4]), Some("md5"));
        assert_eq!(authentication(b"\0\0\0\x0aSCRAM-SHA-256\0\0"), Some("scram-sha-256"));
        assert_eq!(authentication(&[0, 0]), None);
    }
}
