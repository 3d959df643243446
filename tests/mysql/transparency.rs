//! A client cannot tell the proxy from the server.

use std::{collections::BTreeMap, process::Command};

use libtest_mimic::Failed;

use crate::{
    Rig,
    operations::{of_kind, statement},
    raw::Raw,
    support::{
        clients::same_lines,
        mysql::{Client, USER, Version},
        panoptes::Panoptes,
        root,
        tap::{Streams, Tap},
    },
};

/// What MariaDB 11.3 and later tell at a login; through the proxy it has another name, so that nobody goes around it.
const REDIRECT: &[u8] = b"\x0credirect_url";
/// COM_QUIT.
const QUIT: &[u8] = b"\x01\0\0\0\x01";

pub(crate) fn same_transcript(rig: &Rig, client: Client) -> Result<(), Failed> {
    let _turn = rig.turn();
    let [direct, through] = [rig.server().port, rig.proxy().port].map(|port| {
        // Some mixes leave it behind, others tell whether it was there.
        rig.server().sql("DROP DATABASE IF EXISTS mix");
        client.run(rig.version, port)
    });
    same_lines(&direct, &through)
}

/// All mixes with a tap on each side of the proxy: what the client sent and what the server sent arrive byte by byte, but
/// for the capabilities that the proxy does not pass on.
pub(crate) fn same_bytes(rig: &Rig) -> Result<(), Failed> {
    let _turn = rig.turn();
    let inner = Tap::start(rig.server().port);
    let proxy = Panoptes::start_mysql(inner.port, "");
    let outer = Tap::start(proxy.port);
    for client in Client::ALL.into_iter().filter(|client| client.installed()) {
        client.run(rig.version, outer.port);
    }
    let (outside, inside) = (recorded(&outer), recorded(&inner));
    assert!(outside.len() > 15, "{} connections were recorded", outside.len());
    assert_eq!(outside.len(), inside.len(), "connections");
    let mut changed = 0;
    for (thread, theirs) in &outside {
        let ours = inside.get(thread).ok_or_else(|| format!("connection {thread} is on one side alone"))?;
        for (side, a, b) in [("client", &theirs.0, &ours.0), ("server", &theirs.1, &ours.1)] {
            assert_eq!(a.len(), b.len(), "connection {thread}, {side}: as many bytes");
            let different: Vec<_> =
                (0..a.len()).filter(|&n| a[n] != b[n] && !b[..=n].ends_with(REDIRECT)).collect();
            // All within the first packet: the greeting, or the answer to it.
            let first = 4 + usize::from(a[0]) + (usize::from(a[1]) << 8);
            assert!(different.iter().all(|&n| n < first), "connection {thread}, {side}: {different:?}");
            assert!(different.len() <= 8, "connection {thread}, {side}: {different:?}");
            changed += different.len();
        }
    }
    assert!(changed > 0, "no greeting offered what is not followed");
    Ok(())
}

/// Both streams of each connection, by the id in its greeting.
fn recorded(tap: &Tap) -> BTreeMap<u32, (Vec<u8>, Vec<u8>)> {
    let all = tap.finished();
    let of = |streams: &Streams| {
        let (mut client, server) = (streams.client(), streams.server());
        // Where the server has hung up, whether a goodbye still comes through is a matter of time.
        if client.ends_with(QUIT) {
            client.truncate(client.len() - QUIT.len());
        }
        let version_end = server.iter().skip(5).position(|&byte| byte == 0)? + 6;
        let id = u32::from_le_bytes(server.get(version_end..version_end + 4)?.try_into().ok()?);
        (!client.is_empty()).then_some((id, (client, server)))
    };
    all.iter().filter_map(|streams| of(streams)).collect()
}

/// Every method of authentication passes: the right password lets in, a wrong one is refused in the same words.
pub(crate) fn same_logins(rig: &Rig) -> Result<(), Failed> {
    const MARIADB: [(&str, &str); 3] = [
        ("native", "identified via mysql_native_password using password('pass word')"),
        ("ed", "identified via ed25519 using password('pass word')"),
        ("nobody", "identified via mysql_native_password using 'invalid'"),
    ];
    let methods: &[(&str, &str)] = match rig.version {
        Version::Maria => &MARIADB,
        Version::Maria11 => &[
            MARIADB[0],
            MARIADB[1],
            MARIADB[2],
            ("parsec", "identified via parsec using password('pass word')"),
        ],
        Version::My9 => &[
            ("sha2", "identified with caching_sha2_password by 'pass word'"),
            ("sha256", "identified with sha256_password by 'pass word'"),
        ],
    };
    if rig.version == Version::Maria11 {
        rig.server().sql("install soname 'auth_parsec'");
    }
    if rig.version.is_mariadb() {
        // Debian has it in a package of its own, but some builds do not.
        rig.server().sql("install soname 'auth_ed25519'");
    }
    for (name, how) in methods {
        rig.server().sql(&format!("create user {name}_login@'%' {how}"));
        for password in ["pass word", "wrong", "pass word"] {
            let [direct, through] =
                [rig.server().port, rig.proxy().port].map(|port| log_in(rig, port, name, password));
            let lets_in = password != "wrong" && *name != "nobody";
            assert_eq!(direct.contains("let in"), lets_in, "{name}: {direct}");
            same_lines(&direct, &through)?;
        }
    }
    let [direct, through] = [rig.server().port, rig.proxy().port].map(|port| log_in(rig, port, USER, "x"));
    same_lines(&direct, &through)
}

/// An account whose second factor is still to be registered: the server asks for it, takes none, and lets its owner do
/// nothing but register. No device that could answer can be had here.
pub(crate) fn second_factor(rig: &Rig) -> Result<(), Failed> {
    rig.server().sql(
        "create user factors@'%' identified with caching_sha2_password by '' \
         and identified with authentication_webauthn",
    );
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let [direct, through] = [rig.server().port, proxy.port].map(|port| {
        let (mut client, said) = Raw::connect_by_factors(port, "factors");
        (said, client.query("select 'registered'").error)
    });
    assert_eq!(direct, through);
    let (said, refused) = through;
    assert_eq!(said[0], b"\x02authentication_webauthn_client\0", "the next factor");
    assert_eq!((said[1][0], said.len()), (0, 2), "{said:?}");
    assert!(refused.is_some(), "to be registered first");
    let events = proxy.wait_for("the logout", |events| of_kind(events, "logout").count() == 1);
    let login = of_kind(&events, "login").next().expect("it");
    assert_eq!((&login["db"]["user"], &login["sql"]["success"]), (&"factors".into(), &true.into()));
    assert_eq!(login["session"]["authMethod"], "authentication_webauthn_client");
    let refused = refused.map(|(code, _)| code.to_string());
    assert_eq!(statement(&events, "registered")["sql"]["errorCode"].as_str(), refused.as_deref());
    Ok(())
}

fn log_in(rig: &Rig, port: u16, user: &str, password: &str) -> String {
    let mut client = Command::new("mariadb");
    if rig.version == Version::Maria11 {
        // Debian's own is too old for what this one can.
        client = Command::new(root().join("scripts/mariadb11"));
        client.arg("mariadb");
    }
    // MariaDB 11's expects TLS, which is not offered through the proxy.
    let plain = (rig.version == Version::Maria11).then_some("--skip-ssl");
    let out = client
        .arg("--no-defaults")
        .args(plain)
        .args(["-N", "-h127.0.0.1", &format!("-P{port}"), &format!("-u{user}_login")])
        .args([&format!("-p{password}"), "-e", "select 'let in', current_user()"])
        .output()
        .expect("mariadb");
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}
