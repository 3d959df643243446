//! A goodbye to a server that has greeted, for those who only want to know whether it does: a login of nobody, which it
//! refuses. Who just hangs up is counted as a broken handshake.

use super::{
    answer::{self, ERR},
    capability::Capabilities,
    greeting::Greeting,
    packet::HEADER,
};

/// Who knocks. Where an account of this name exists and needs no password, the server logs no refusal.
const USER: &[u8] = b"panoptes";
/// The largest packet that it would take.
const LARGEST: u32 = 1 << 16;
/// `utf8mb4_general_ci`
const COLLATION: u8 = 45;

/// What to do with the first bytes of a server.
#[derive(Debug, PartialEq, Eq)]
pub enum Leave {
    /// Read on.
    More,
    /// It takes no connections, for this reason.
    Refused(String),
    /// It greets: answer this.
    Say(Vec<u8>),
}

/// Looks at all that a server has sent so far.
#[must_use]
pub fn leave(bytes: &[u8]) -> Leave {
    let Some((head, payload)) = bytes.split_first_chunk::<HEADER>() else { return Leave::More };
    let [a, b, c, number] = *head;
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    let Some(body) = payload.get(..length) else { return Leave::More };
    if body.first() == Some(&ERR) {
        let failure = answer::failure(body);
        return Leave::Refused(format!("{} {}", failure.code, String::from_utf8_lossy(failure.message)));
    }
    match Greeting::parse(body) {
        Some(_) => Leave::Say(login(number.wrapping_add(1))),
        None => Leave::Refused("it does not speak MySQL's protocol".into()),
    }
}

/// A login of [`USER`] with a method that needs no answer of the server's to be refused.
fn login(number: u8) -> Vec<u8> {
    let asked = Capabilities::PROTOCOL_41.0 | Capabilities::SECURE_CONNECTION.0 | Capabilities::PLUGIN_AUTH.0;
    let asked = u32::try_from(asked).unwrap_or_default();
    let mut packet = vec![0, 0, 0, number];
    packet.extend_from_slice(&asked.to_le_bytes());
    packet.extend_from_slice(&LARGEST.to_le_bytes());
    packet.push(COLLATION);
    packet.extend_from_slice(&[0; 23]);
    packet.extend_from_slice(USER);
    packet.extend_from_slice(b"\0\0mysql_native_password\0");
    let length = u32::try_from(packet.len() - HEADER).unwrap_or_default().to_le_bytes();
    packet.iter_mut().zip(length).take(3).for_each(|(byte, of)| *byte = of);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_greets_is_answered() {
        let greeting = b"\x0a5.5.5-10.11.19-MariaDB\0\x1f\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15\
            \0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0mysql_native_password\0";
        let packet = [&[u8::try_from(greeting.len()).unwrap(), 0, 0, 0][..], greeting].concat();
        for cut in 0..packet.len() {
            assert_eq!(leave(&packet[..cut]), Leave::More);
        }
        let Leave::Say(answer) = leave(&packet) else { panic!("no answer") };
        assert_eq!((usize::from(answer[0]), answer[3]), (answer.len() - HEADER, 1));
        assert!(answer.windows(USER.len()).any(|bytes| bytes == USER));
    }

    #[test]
    fn one_that_does_not_is_known_by_its_words() {
        let refused = answer::err_packet(0, 1040, None, "Too many connections");
        assert_eq!(leave(&refused), Leave::Refused("1040 Too many connections".into()));
        assert!(matches!(leave(b"\x03\0\0\0SSH"), Leave::Refused(_)));
    }
}
