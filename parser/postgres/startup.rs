//! The packets before the first typed message: StartupMessage, SSLRequest, GSSENCRequest, CancelRequest.
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use crate::{
    reader::Reader,
    wire::{CancelKey, Opening},
};

use super::backend;

/// The server's own limit: its `MAX_STARTUP_PACKET_LENGTH`, which does not count the length itself.
const MAX_STARTUP_BYTES: usize = 10_000 + 4;
/// Length and code.
const MIN_STARTUP_BYTES: usize = 8;
/// A CancelRequest's secret: four bytes in protocol 3.0, up to 256 since 3.2.
const MAX_SECRET_BYTES: usize = 256;

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;

/// What a client asked for before it logs in. Each may be asked once.
#[derive(Debug, Default)]
pub(super) struct Requests {
    ssl: bool,
    gss: bool,
}

impl Requests {
    /// Looks at all that a client sent so far.
    pub(super) fn open(&mut self, bytes: &[u8]) -> Opening {
        let mut reader = Reader::new(bytes);
        let Some(length) = reader.u32() else { return Opening::More };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !(MIN_STARTUP_BYTES..=MAX_STARTUP_BYTES).contains(&length) {
            // So does the server: silence. A TLS ClientHello without a request before it ends up here as well.
            return Opening::Refuse { bytes: Vec::new(), reason: "invalid length of startup packet" };
        }
        let Some((packet, behind)) = bytes.split_at_checked(length) else { return Opening::More };
        let mut reader = Reader::new(packet.get(4..).unwrap_or_default());
        match reader.u32().unwrap_or_default() {
            CANCEL_REQUEST => cancel(reader),
            SSL_REQUEST if !self.ssl => {
                self.ssl = true;
                negotiate(length, behind, "received unencrypted data after SSL request")
            }
            GSSENC_REQUEST if !self.gss => {
                self.gss = true;
                negotiate(length, behind, "received unencrypted data after GSSAPI encryption request")
            }
            version if version >> 16 == 3 => Opening::Dial,
            version => refuse_version(version),
        }
    }
}

/// The parameters of a StartupMessage: names and values, each ended by NUL.
pub(super) fn parameters(packet: &[u8]) -> &[u8] {
    packet.get(MIN_STARTUP_BYTES..).unwrap_or_default()
}

/// Names and values of a StartupMessage, as [`crate::wire::Observation::Startup`] carries them.
pub fn pairs(parameters: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut reader = Reader::new(parameters);
    std::iter::from_fn(move || {
        let name = reader.cstr().filter(|name| !name.is_empty())?;
        Some((name, reader.cstr()?))
    })
}

/// A CancelRequest.
pub(super) fn cancel_request(key: &CancelKey) -> Vec<u8> {
    let length = u32::try_from(MIN_STARTUP_BYTES + 4 + key.secret.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &CANCEL_REQUEST.to_be_bytes(), &key.pid.to_be_bytes(), &key.secret].concat()
}

fn cancel(mut reader: Reader<'_>) -> Opening {
    let key = reader.u32().map(|pid| CancelKey { pid, secret: reader.rest().to_vec() });
    match key {
        Some(key) if (4..=MAX_SECRET_BYTES).contains(&key.secret.len()) => Opening::Cancel(key),
        _ => Opening::Refuse { bytes: Vec::new(), reason: "invalid length of cancel request" },
    }
}

/// Answers `N`: no encryption here. What came along with the request may be a stranger's, so the server refuses it
/// (CVE-2021-23214), and so do we.
fn negotiate(used: usize, behind: &[u8], stuffed: &'static str) -> Opening {
    if behind.is_empty() {
        Opening::Reply { used, bytes: b"N".to_vec() }
    } else {
        Opening::Refuse { bytes: backend::error_response("FATAL", "08P01", stuffed), reason: stuffed }
    }
}

fn refuse_version(version: u32) -> Opening {
    let (major, minor) = (version >> 16, version & 0xffff);
    let message = format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2");
    Opening::Refuse {
        bytes: backend::error_response("FATAL", "0A000", &message),
        reason: "unsupported frontend protocol",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(code: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(8 + body.len()).unwrap();
        [&length.to_be_bytes()[..], &code.to_be_bytes(), body].concat()
    }

    fn refusal(opening: Opening) -> String {
        match opening {
            Opening::Refuse { bytes, reason } => format!("{reason} | {}", String::from_utf8_lossy(&bytes)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_startup_message_is_awaited_whole() {
        let bytes = packet(196_608, b"user\0ana\0database\0shop\0\0");
        for cut in 0..bytes.len() {
            assert_eq!(Requests::default().open(&bytes[..cut]), Opening::More, "{cut}");
        }
        assert_eq!(Requests::default().open(&bytes), Opening::Dial);
        let seen: Vec<_> = pairs(parameters(&bytes)).collect();
        assert_eq!(seen, [(&b"user"[..], &b"ana"[..]), (b"database", b"shop")]);
    }

    #[test]
    fn encryption_is_declined_once_each() {
        let mut requests = Requests::default();
        let declined = Opening::Reply { used: 8, bytes: b"N".to_vec() };
        assert_eq!(requests.open(&packet(GSSENC_REQUEST, b"")), declined);
        assert_eq!(requests.open(&packet(SSL_REQUEST, b"")), declined);
        let again = refusal(requests.open(&packet(SSL_REQUEST, b"")));
        assert!(again.contains("unsupported frontend protocol 1234.5679"), "{again}");
    }

    #[test]
    fn bytes_stuffed_behind_a_request_are_refused() {
        let bytes = [packet(SSL_REQUEST, b""), packet(196_608, b"user\0eve\0\0")].concat();
        assert!(refusal(Requests::default().open(&bytes)).starts_with("received unencrypted data after SSL"));
    }

    #[test]
    fn lengths_that_the_server_refuses_are_refused() {
        for length in [0_u32, 7, 10_005, 0x1603_0100] {
            assert!(refusal(Requests::default().open(&length.to_be_bytes())).ends_with("| "));
        }
    }

    #[test]
    fn cancel_requests_carry_keys_of_either_protocol() {
        for secret in [4, 32, 256] {
            let bytes = packet(CANCEL_REQUEST, &[&7_u32.to_be_bytes()[..], &vec![9; secret]].concat());
            let key = CancelKey { pid: 7, secret: vec![9; secret] };
            assert_eq!(cancel_request(&key), bytes);
            assert_eq!(Requests::default().open(&bytes), Opening::Cancel(key));
        }
        for secret in [0, 3, 257] {
            let bytes = packet(CANCEL_REQUEST, &[&7_u32.to_be_bytes()[..], &vec![9; secret]].concat());
            refusal(Requests::default().open(&bytes));
        }
    }

    #[test]
    fn other_versions_are_refused_as_the_server_does() {
        for (version, text) in [(131_072, "2.0"), (262_144, "4.0")] {
            assert!(refusal(Requests::default().open(&packet(version, b"x"))).contains(text));
        }
        assert_eq!(Requests::default().open(&packet(196_610, b"user\0a\0\0")), Opening::Dial);
        assert_eq!(Requests::default().open(&packet(0x0003_270f, b"user\0a\0\0")), Opening::Dial);
    }
}
