//! Character sets: the number of a collation tells one, and each has a name of MySQL's own.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_character_set.html>

use crate::{characters::Characters, sql::Server, text::Encoding};

/// The first MariaDB that knows MySQL's collations of 8.0, such as its default one (255).
const WITH_MYSQL_8: u32 = 110_405;

/// The encoding that a session begins with, by the number of its collation; `None` where the server does not know that: it
/// takes the one of its own then, as its greeting told it.
///
/// Those of MariaDB alone (from 1024) are MySQL's without padding, or UCA 14 (from 2048), whose character set is in the
/// high byte; a session of them is UTF-8 or of one byte a character.
#[must_use]
pub fn encoding_of_collation(collation: u16, server: Server) -> Option<Encoding> {
    match (collation, server) {
        (0 | 100 | 125..=127 | 152..=158 | 184..=191 | 216..=222 | 251..=254, _) => return None,
        (248..=250, Server::Mariadb(_)) => return None,
        (255..=575, Server::Mariadb(own)) if own < WITH_MYSQL_8 => return None,
        _ => {}
    }
    let number = if (1024..2048).contains(&collation) { collation - 1024 } else { collation };
    Some(encoding_of_charset(match number {
        1 | 84 => "big5",
        2 | 9 | 21 | 27 | 77 => "latin2",
        5 | 8 | 15 | 31 | 47 | 48 | 49 | 94 => "latin1",
        7 | 74 => "koi8r",
        12 | 91 => "ujis",
        13 | 88 => "sjis",
        14 | 23 | 50 | 51 | 52 => "cp1251",
        16 | 71 => "hebrew",
        18 | 89 => "tis620",
        19 | 85 => "euckr",
        20 | 41 | 42 | 79 => "latin7",
        22 | 75 => "koi8u",
        24 | 86 => "gb2312",
        25 | 70 => "greek",
        26 | 34 | 44 | 66 | 99 => "cp1250",
        28 | 87 => "gbk",
        29 | 58 | 59 => "cp1257",
        30 | 78 => "latin5",
        36 | 68 => "cp866",
        39 | 53 => "macroman",
        57 | 67 => "cp1256",
        95 | 96 => "cp932",
        97 | 98 => "eucjpms",
        248..=250 => "gb18030",
        3 | 4 | 6 | 10 | 17 | 32 | 37 | 38 | 40 | 43 | 69 | 72 | 73 | 80..=82 | 92 | 93 => "of old",
        _ => "utf8mb4",
    }))
}

/// The encoding of a character set of this name, in any case. What MySQL calls `latin1` is windows-1252.
/// <https://dev.mysql.com/doc/refman/8.4/en/charset-charsets.html>
#[must_use]
pub fn encoding_of_charset(name: &str) -> Encoding {
    let name = name.to_ascii_lowercase();
    let encoding = match name.as_str() {
        "utf8" | "utf8mb3" | "utf8mb4" | "ascii" | "binary" => Encoding::UTF8,
        "latin1" => Encoding::named("windows1252"),
        "hebrew" => Encoding::named("iso88598"),
        "greek" => Encoding::named("iso88597"),
        "gb2312" => Encoding::named("euccn"),
        "cp932" => Encoding::named("sjis"),
        "ujis" | "eucjpms" => Encoding::named("eucjp"),
        "tis620" => Encoding::named("windows874"),
        other => match other.strip_prefix("cp") {
            Some("866") => Encoding::named("windows866"),
            Some(page) => Encoding::named(&format!("windows{page}")),
            None => Encoding::named(other),
        },
    };
    encoding.by_ranges(Characters::of(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collation_tells_how_text_is_read() {
        for (collation, bytes, text) in [
            (45, &b"\xc3\xa4"[..], "ä"),
            (255, b"\xc3\xa4", "ä"),
            (8, b"\x80\xe4", "€ä"),
            (1032, b"\x80\xe4", "€ä"),
            (28, b"\xc4\x5c", "腬"),
            (13, b"\x95\x5c", "表"),
            (51, b"\xe4", "д"),
            (25, b"\xe4", "δ"),
            (36, b"\xa4", "д"),
            (63, b"\xff", "\\xff"),
        ] {
            let encoding = encoding_of_collation(collation, Server::Unknown).unwrap();
            assert!(encoding.is_known(), "{collation}");
            assert_eq!(encoding.decode(bytes), text, "{collation}");
        }
    }

    #[test]
    fn what_has_no_table_is_not_known() {
        for name in ["dec8", "swe7", "macroman", "keybcs2", "nonsense"] {
            assert!(!encoding_of_charset(name).is_known(), "{name}");
        }
        let of = |collation| encoding_of_collation(collation, Server::Unknown);
        assert!(!of(10).unwrap().is_known());
        assert_eq!(Some(encoding_of_charset("GBK")), of(87));
    }

    /// As MySQL 9.7, MariaDB 10.11 and 11.8 take them.
    #[test]
    fn a_server_does_not_know_each_collation() {
        let (mysql, old, new) = (Server::Mysql(90_704), Server::Mariadb(101_119), Server::Mariadb(110_809));
        for (collation, known) in
            [(0, ""), (45, "mysql old new"), (100, ""), (248, "mysql"), (254, ""), (255, "mysql new")]
        {
            let servers = [("mysql", mysql), ("old", old), ("new", new)].into_iter();
            let knows = servers.filter(|(_, server)| encoding_of_collation(collation, *server).is_some());
            assert_eq!(knows.map(|(name, _)| name).collect::<Vec<_>>().join(" "), known, "{collation}");
        }
    }
}
