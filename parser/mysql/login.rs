//! Who a client is: its answer to the greeting, and COM_CHANGE_USER.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html>,
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html>

use super::{
    answer::{self, Done},
    capability::Capabilities,
    field,
    packet::Packet,
};
use crate::{reader::Reader, wire::Failure};

/// A client that says no more than this may be one before MySQL 4.1, whose answers look different, or one that asks for
/// TLS.
const SHORTEST: usize = 33;

/// What a client says of itself, less its proof.
///
/// Its encoded form, as [`Startup`](crate::wire::Observation::Startup) carries it, is: character set (2 bytes,
/// little-endian), user, schema and plugin (each ended by NUL), attributes (names and values, each with its length
/// ahead).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login<'a> {
    /// Number of the session's collation, which tells its character set.
    pub collation: u16,
    /// User.
    pub user: &'a [u8],
    /// Schema; empty for none.
    pub schema: &'a [u8],
    /// How it proves who it is; empty where it leaves that to the server.
    pub plugin: &'a [u8],
    attributes: &'a [u8],
}

impl<'a> Login<'a> {
    /// Reads the encoded form; what is torn is empty.
    #[must_use]
    pub fn decode(parameters: &'a [u8]) -> Self {
        let mut reader = Reader::new(parameters);
        Self {
            collation: reader.u16_le().unwrap_or_default(),
            user: reader.cstr_or_rest(),
            schema: reader.cstr_or_rest(),
            plugin: reader.cstr_or_rest(),
            attributes: reader.rest(),
        }
    }

    /// What the client says of itself beside: names and values.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.attributes);
        std::iter::from_fn(move || Some((field::string(&mut reader)?, field::string(&mut reader)?)))
    }

    /// Appends the encoded form.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.collation.to_le_bytes());
        for word in [self.user, self.schema, self.plugin] {
            out.extend_from_slice(word);
            out.push(0);
        }
        out.extend_from_slice(self.attributes);
    }

    /// The capabilities that a client asks for, and the rest of its answer to the greeting; `None` from a client that is
    /// not followed.
    pub(super) fn response(body: &'a [u8], offered: Capabilities) -> Option<(Capabilities, Self)> {
        if body.len() < SHORTEST {
            return None;
        }
        let mut reader = Reader::new(body);
        let mut asked = Capabilities(reader.u32_le()?.into());
        // Its largest packet.
        reader.u32_le()?;
        let collation = reader.u8()?.into();
        reader.bytes(19)?;
        let extended = u64::from(reader.u32_le()?);
        if !asked.has(Capabilities::MYSQL) {
            asked.0 |= extended << 32;
        }
        let agreed = asked.and(offered);
        if !agreed.has(Capabilities::PROTOCOL_41) {
            return None;
        }
        let user = reader.cstr()?;
        if agreed.has(Capabilities::PLUGIN_AUTH_LENENC) {
            field::string(&mut reader)?;
        } else {
            proof(&mut reader, agreed)?;
        }
        let with_schema = agreed.has(Capabilities::CONNECT_WITH_DB);
        // A server takes a name that ends with the packet as well.
        let schema = if with_schema { reader.cstr_or_rest() } else { b"" };
        Some((agreed, Self { collation, user, schema, ..Self::tail(reader, agreed) }))
    }

    /// COM_CHANGE_USER, behind the command.
    pub(super) fn change(body: &'a [u8], agreed: Capabilities) -> Option<Self> {
        let mut reader = Reader::new(body);
        let user = reader.cstr()?;
        proof(&mut reader, agreed)?;
        let schema = reader.cstr_or_rest();
        let collation = reader.u16_le().unwrap_or_default();
        Some(Self { collation, user, schema, ..Self::tail(reader, agreed) })
    }

    /// Plugin and attributes.
    fn tail(mut reader: Reader<'a>, agreed: Capabilities) -> Self {
        let with_plugin = agreed.has(Capabilities::PLUGIN_AUTH);
        let plugin = if with_plugin { reader.cstr_or_rest() } else { b"" };
        let with_attributes = agreed.has(Capabilities::CONNECT_ATTRS);
        let attributes = if with_attributes { attributes(&mut reader) } else { b"" };
        Self { collation: 0, user: b"", schema: b"", plugin, attributes }
    }
}

/// Attributes that were cut are told as far as they are there.
fn attributes<'a>(reader: &mut Reader<'a>) -> &'a [u8] {
    let length = field::integer(reader).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let length = length.min(reader.left());
    reader.bytes(length).unwrap_or_default()
}

/// Passes over a scramble, or a password: it ends here.
fn proof(reader: &mut Reader<'_>, agreed: Capabilities) -> Option<()> {
    if agreed.has(Capabilities::SECURE_CONNECTION) {
        let length = reader.u8()?;
        reader.bytes(length.into())?;
    } else {
        reader.cstr()?;
    }
    Some(())
}

/// What the server says to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Something between both sides' plugins.
    On,
    /// The client is to prove itself in this way, or in this way as well.
    Switch(&'static str),
    /// The login is complete.
    Done(Done<'a>),
    /// It is refused.
    Failed(Failure<&'a [u8]>),
}

/// Reads what the server says to a login.
pub(super) fn step<'a>(packet: &Packet<'a>, agreed: Capabilities) -> Option<Step<'a>> {
    let behind = packet.body.get(1..).unwrap_or_default();
    Some(match packet.head? {
        answer::OK => Step::Done(Done::parse(packet.body, agreed)?),
        answer::ERR => Step::Failed(answer::failure(packet.body)),
        // Without a name it is the method of old.
        answer::EOF if behind.is_empty() => Step::Switch("mysql_old_password"),
        // Another method, or one more.
        answer::EOF | 2 => Step::Switch(method(Reader::new(behind).cstr_or_rest())),
        1 => Step::On,
        _ => return None,
    })
}

/// The name of a plugin, where it is one that is known.
/// <https://dev.mysql.com/doc/refman/8.4/en/authentication-plugins.html>,
/// <https://mariadb.com/docs/server/reference/plugins/authentication-plugins>
pub(super) fn method(plugin: &[u8]) -> &'static str {
    const KNOWN: [&str; 17] = [
        "auth_gssapi_client",
        "authentication_kerberos_client",
        "authentication_ldap_sasl_client",
        "authentication_oci_client",
        "authentication_openid_connect_client",
        "authentication_webauthn_client",
        "authentication_windows_client",
        "caching_sha2_password",
        "client_ed25519",
        "dialog",
        "fido_client",
        "mysql_clear_password",
        "mysql_native_password",
        "mysql_old_password",
        "parsec",
        "sha256_password",
        "unix_socket",
    ];
    KNOWN.into_iter().find(|known| known.as_bytes() == plugin).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Capabilities = Capabilities::FOLLOWED;

    fn response(capabilities: u32, tail: &[u8]) -> Vec<u8> {
        [&capabilities.to_le_bytes()[..], &[0, 0, 0, 1, 45], &[0; 23], tail].concat()
    }

    fn round_trip(login: Login<'_>) -> Vec<u8> {
        let mut encoded = Vec::new();
        login.encode(&mut encoded);
        assert_eq!(Login::decode(&encoded), login);
        encoded
    }

    #[test]
    fn a_response_is_read_without_its_proof() {
        let tail = b"ana\0\x06secretshop\0mysql_native_password\0\x0a\x03_os\x05Linux";
        let body = response(0x003a_8209, tail);
        let (agreed, login) = Login::response(&body, ALL).unwrap();
        assert_eq!(agreed.0, 0x003a_8209);
        assert_eq!(
            (login.user, login.schema, login.plugin),
            (&b"ana"[..], &b"shop"[..], &b"mysql_native_password"[..])
        );
        assert_eq!(login.attributes().collect::<Vec<_>>(), [(&b"_os"[..], &b"Linux"[..])]);
        assert_eq!(login.collation, 45);
        assert!(!round_trip(login).windows(6).any(|bytes| bytes == b"secret"));
    }

    #[test]
    fn a_response_of_an_old_client_is_read() {
        let body = response(0x0000_8201, b"ana\0\x06secretmore");
        let (_, login) = Login::response(&body, ALL).unwrap();
        assert_eq!((login.user, login.schema, login.plugin), (&b"ana"[..], &b""[..], &b""[..]));
        let body = response(0x0000_0209, b"ana\0secret\0shop");
        assert_eq!(Login::response(&body, ALL).unwrap().1.schema, b"shop");
    }

    #[test]
    fn a_client_that_is_not_followed_is_not_read() {
        let before_41 = response(0x0000_8001, b"ana\0\0");
        assert_eq!(Login::response(&before_41, ALL), None);
        let wants_tls = &response(0x0000_8a01, b"")[..32];
        assert_eq!(Login::response(wants_tls, ALL), None);
        assert_eq!(Login::response(&response(0x8201, b"ana"), ALL), None);
    }

    #[test]
    fn mariadbs_capabilities_are_asked_for_by_its_clients_alone() {
        let mut body = response(0x0000_8200, b"ana\0\0");
        body[28..32].copy_from_slice(&[0x1d, 0, 0, 0]);
        assert_eq!(Login::response(&body, ALL).unwrap().0, Capabilities(0x1d_0000_8200));
        body[0] = 1;
        assert_eq!(Login::response(&body, ALL).unwrap().0, Capabilities(0x8201));
        assert_eq!(Login::response(&body, Capabilities(0x8200)).unwrap().0, Capabilities(0x8200));
    }

    #[test]
    fn a_new_login_is_read() {
        let body = b"eve\0\x06secretshop\0\x2d\0caching_sha2_password\0\x06\x01a\x03b\0c";
        let login = Login::change(body, ALL).unwrap();
        assert_eq!((login.user, login.schema, login.collation), (&b"eve"[..], &b"shop"[..], 45));
        assert_eq!(login.attributes().collect::<Vec<_>>(), [(&b"a"[..], &b"b\0c"[..])]);
        round_trip(login);
        let short = Login::change(b"eve\0\0shop", ALL).unwrap();
        assert_eq!((short.schema, short.plugin, short.collation), (&b"shop"[..], &b""[..], 0));
        assert_eq!(Login::change(b"eve\0\x09short", ALL), None);
    }

    #[test]
    fn methods_have_names() {
        assert_eq!(method(b"caching_sha2_password"), "caching_sha2_password");
        assert_eq!(method(b"mine"), "other");
    }
}
