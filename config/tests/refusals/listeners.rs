//! Of what listens, and where it leads.

use panoptes_config::Flags;

use super::{LISTEN, refused, refused_file, refused_options};

#[test]
fn listeners_must_make_sense() {
    assert_eq!(
        refused_file(""),
        ["nothing to listen on: give --listen and --upstream, or a [[listen]] in the configuration"]
    );
    assert_eq!(refused_file("listen = []"), refused_file(""));
    assert_eq!(
        refused_file("[listen]\naddress = \"127.0.0.1:1\"\n"),
        [
            "panoptes.toml: listen: is not a list; write [[listen]] with two brackets in the file, or set PANOPTES_LISTEN and PANOPTES_UPSTREAM"
        ]
    );
    assert_eq!(
        refused_file("[[listen]]\nupstream = \"postgres://db\"\n"),
        [
            "panoptes.toml: listen[0].address: is missing; give the IP and port that clients connect to, e.g. --listen 127.0.0.1:6432"
        ]
    );
    assert_eq!(
        refused("", &[("PANOPTES_LISTEN", "127.0.0.1:1")], &Flags::default()),
        [
            "PANOPTES_LISTEN: listen[0].upstream: is missing; give the database behind it, e.g. --upstream postgres://db.internal:5432"
        ]
    );
    assert_eq!(
        refused_file(&format!("{LISTEN}protocol = \"mysql\"\n")),
        [
            "panoptes.toml: listen[0]: protocol is mysql, but upstream is a postgres URL; make them agree, or leave protocol out"
        ]
    );
    assert_eq!(
        refused_file(&format!("{LISTEN}sql_mode = \"ANSI\"\n")),
        ["panoptes.toml: listen[0]: sql_mode is MySQL's; remove it"]
    );
    assert_eq!(
        refused_file(&format!("{}sql_mode = \"a-b\"\n", LISTEN.replace("postgres:", "mysql:"))),
        ["panoptes.toml: listen[0]: sql_mode \"a-b\" has no modes; write e.g. \"ANSI_QUOTES\""]
    );
    let two = format!("{LISTEN}{}", LISTEN.replace("6432", "6433"));
    let flags = Flags { upstream: Some("postgres://x".to_owned()), ..Flags::default() };
    assert_eq!(
        refused(two, &[], &flags),
        [
            "--upstream: upstream: is given for one listener, but 2 are configured; give --listen and --upstream both, or neither"
        ]
    );
}

#[test]
fn addresses_must_not_collide() {
    for other in ["127.0.0.1:6432", "0.0.0.0:6432", "[::]:6432"] {
        assert_eq!(
            refused_file(&format!("{LISTEN}{}", LISTEN.replace("127.0.0.1:6432", other))),
            [format!(
                "panoptes.toml: listen[1].address: {other} is already taken by listen[0].address; use another port"
            )]
        );
        assert_eq!(
            refused_options(&format!("[admin]\naddress = \"{other}\"")),
            format!(
                "panoptes.toml: admin.address: {other} is already taken by listen[0].address; use another port"
            )
        );
    }
}

#[test]
fn an_upstream_that_is_the_proxy_itself_is_refused() {
    for (address, upstream) in [
        ("127.0.0.1:6432", "127.0.0.1:6432"),
        ("127.0.0.1:6432", "localhost:6432"),
        ("0.0.0.0:6432", "127.0.0.1:6432"),
        ("0.0.0.0:6432", "LOCALHOST:6432"),
        ("[::1]:6432", "[::1]:6432"),
        ("[::]:6432", "[::ffff:127.0.0.1]:6432"),
        ("127.0.0.1:6432", "0.0.0.0:6432"),
    ] {
        let lines = refused_file(&format!(
            "[[listen]]\naddress = \"{address}\"\nupstream = \"postgres://{upstream}\"\n"
        ));
        let end = " is listen[0].address itself, an endless loop; name the database";
        assert!(
            lines[0].starts_with("panoptes.toml: listen[0].upstream: ") && lines[0].ends_with(end),
            "{lines:?}"
        );
    }
    // Another listener's address is a loop, too: here of two hops.
    let toml = "[[listen]]\naddress = \"127.0.0.1:1\"\nupstream = \"postgres://localhost:2\"\n\
                [[listen]]\naddress = \"127.0.0.1:2\"\nupstream = \"postgres://db\"\n";
    assert_eq!(
        refused_file(toml),
        [
            "panoptes.toml: listen[0].upstream: localhost:2 is listen[1].address itself, an endless loop; name the database"
        ]
    );
}
