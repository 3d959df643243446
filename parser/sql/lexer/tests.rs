use proptest::prelude::*;

use super::*;
use crate::sql::Server;

/// Tokens as `kind:text`, then `unsure` where it is.
fn tokens(text: &str, dialect: Dialect) -> String {
    let mut lexer = Lexer::new(text.as_bytes(), dialect);
    let mut out: Vec<String> =
        lexer.by_ref().map(|token| format!("{:?}:{}", token.kind, &text[token.start..token.end])).collect();
    if !lexer.certain() {
        out.push("unsure".into());
    }
    out.join(" ")
}

#[test]
fn postgres() {
    for (sql, expected) in [
        ("a'b''c'd", "Word:a String:'b''c' Word:d"),
        (r"'a\' b", r"String:'a\' Word:b"),
        (r"E'a\'b' c", r"String:E'a\'b' Word:c"),
        (r#"U&'\0061' U&"b""c""#, r#"String:U&'\0061' Quoted:U&"b""c""#),
        ("b'1' X'f' n'x'", "String:b'1' String:X'f' String:n'x'"),
        ("$$a;b$$ $t$ $$ $t$", "String:$$a;b$$ String:$t$ $$ $t$"),
        ("a$b $1 $12c", "Word:a$b Parameter:$1 Parameter:$12 Word:c"),
        ("a/* /* ' */ -- */b--c\nd", "Word:a Word:b Word:d"),
        (
            "1 1.5e3 .5 5. 0xFF 1_000 1e",
            "Number:1 Number:1.5e3 Number:.5 Number:5. Number:0xFF Number:1_000 Number:1 Word:e",
        ),
        ("1..2", "Number:1 Dot:. Number:.2"),
        (
            "a=-1 b@-1 c<=--d",
            "Word:a Operator:= Operator:- Number:1 Word:b Operator:@- Number:1 Word:c Operator:<=",
        ),
        (
            "a->>'b'::text[1]:=2",
            "Word:a Operator:->> String:'b' Cast::: Word:text OpenBracket:[ Number:1 CloseBracket:] Colon::= Number:2",
        ),
        ("a?|b", "Word:a Operator:?| Word:b"),
        ("é.ß", "Word:é Dot:. Word:ß"),
        ("'a", "String:'a unsure"),
        ("a /* b", "Word:a unsure"),
        ("$x$ a $y$", "String:$x$ a $y$ unsure"),
        ("\"a", "Quoted:\"a unsure"),
        (r"E'\", r"String:E'\ unsure"),
        ("'a'\n'b' c", "String:'a'\n'b' Word:c"),
        ("E'a' -- x'\r\n\t-- '\n'\\''; d", "String:E'a' -- x'\r\n\t-- '\n'\\'' Semicolon:; Word:d"),
        ("'a'\n'\\'; d", "String:'a'\n'\\' Semicolon:; Word:d"),
        ("X'0'\n'f' U&'a'\n'b'\n'c'", "String:X'0'\n'f' String:U&'a'\n'b'\n'c'"),
        ("'a' 'b'", "String:'a' String:'b'"),
        ("'a' /*\n*/ 'b'", "String:'a' String:'b'"),
        ("'a'\n/* */ 'b'", "String:'a' String:'b'"),
        ("'a'\nE'b'", "String:'a' String:E'b'"),
        ("$$a$$\n'b'", "String:$$a$$ String:'b'"),
        ("\"a\"\n'b'", "Quoted:\"a\" String:'b'"),
        ("'a'\n--", "String:'a'"),
        ("'a'\n'b", "String:'a'\n'b unsure"),
        ("", ""),
    ] {
        assert_eq!(tokens(sql, Dialect::POSTGRES), expected, "{sql}");
    }
    let old = Dialect::Postgres { standard_conforming_strings: false };
    assert_eq!(tokens(r"'a\'b' c", old), r"String:'a\'b' Word:c");
}

#[test]
fn mysql() {
    for (sql, expected) in [
        ("`a``b` \"c\\\"d\" ?", "Quoted:`a``b` String:\"c\\\"d\" Parameter:?"),
        ("1--1 # x\n2 -- y\n3", "Number:1 Operator:- Operator:- Number:1 Number:2 Number:3"),
        ("a /*!50003 b */ c /* d */ e /*M! f */", "Word:a Word:b Word:c Word:e Word:f"),
        ("1st 1e5 @@x @y := 2", "Word:1st Number:1e5 Operator:@@ Word:x Operator:@ Word:y Colon::= Number:2"),
        ("a<=>b", "Word:a Operator:<=> Word:b"),
        ("0x1F 0X1F 0b1 0b2 1_0 0xg", "Number:0x1F Word:0X1F Number:0b1 Word:0b2 Word:1_0 Word:0xg"),
        (
            "1.5 .5 1e3 1e 1e+ 2.e1 1e3a",
            "Number:1.5 Number:.5 Number:1e3 Word:1e Word:1e Operator:+ Number:2.e1 Number:1e3 Word:a",
        ),
        ("t.1 t.5x `t`.1e2", "Word:t Dot:. Word:1 Word:t Dot:. Word:5x Quoted:`t` Dot:. Word:1e2"),
        ("1..3", "Number:1 Dot:. Number:.3"),
        ("_utf8'a' n'b' N'c'", "String:_utf8'a' String:n'b' String:N'c'"),
        (
            "_latin1 \"a\" 'b' _binary X'41' _UTF8MB4 0x41 _utf8 a",
            "String:_latin1 \"a\" 'b' String:_binary X'41' String:_UTF8MB4 0x41 Word:_utf8 Word:a",
        ),
        ("_a 'b' _utf8 /* c */ 'd'", "Word:_a String:'b' String:_utf8 /* c */ 'd'"),
        ("a /*!123 b */ c", "Word:a Number:123 Word:b Word:c"),
        ("a /*M!999999\\- b */ c", "Word:a Word:c"),
        ("a /*!800001 b */ c", "Word:a Word:b Word:c"),
        ("a /*!80000 b /* c */ d */ e", "Word:a Word:b Word:d Word:e"),
        ("a /*!80000 '*/ b'", "Word:a String:'*/ b' unsure"),
        ("a /*!80000 # */ b", "Word:a unsure"),
        ("a /*!80000 '*/' */ b", "Word:a String:'*/' Word:b unsure"),
        ("1 --\u{1}2\n3 --4", "Number:1 Number:3 Operator:- Operator:- Number:4"),
        ("$a $ $$", "Word:$a Word:$ Word:$$"),
        ("AS $$a;'b$$ c", "Word:AS String:$$a;'b$$ Word:c unsure"),
        ("/*+ hint */ a", "Word:a"),
        (r#"'a' "b\"" /* c */ '\'' d"#, r#"String:'a' "b\"" /* c */ '\'' Word:d"#),
        ("X'0f' 'a'", "String:X'0f' String:'a'"),
        ("'a' /*! 'b' */ 'c' d", "String:'a' /*! 'b' */ 'c' Word:d"),
        ("a /*! 'b' */ 'c' /*! 'd' */ e", "Word:a String:'b' */ 'c' /*! 'd' Word:e"),
        ("'a' /*! 'b*/' */ c", "String:'a' /*! 'b*/' Word:c unsure"),
        ("'a' /*! b */ 'c'", "String:'a' Word:b String:'c'"),
        ("'a' /* b", "String:'a' unsure"),
    ] {
        assert_eq!(tokens(sql, Dialect::MYSQL), expected, "{sql}");
    }
    let ansi = Dialect::Mysql { ansi_quotes: true, no_backslash_escapes: true, server: Server::Unknown };
    assert_eq!(tokens(r#""a" 'b\' c"#, ansi), r#"Quoted:"a" String:'b\' Word:c"#);
    assert_eq!(tokens(r#"'a' "b""#, ansi), r#"String:'a' Quoted:"b""#);
}

fn by(server: Server) -> Dialect {
    Dialect::Mysql { ansi_quotes: false, no_backslash_escapes: false, server }
}

/// `/*!…*/` runs by version; <https://mariadb.com/kb/en/comment-syntax/>. Seen on MariaDB 10.11 and on MySQL 9.7.
#[test]
fn version_comments_run_where_the_server_says() {
    let (mariadb, mysql) = (by(Server::Mariadb(101_119)), by(Server::Mysql(90_704)));
    for (sql, on_mariadb, on_mysql) in [
        ("1 /*! +1 */", true, true),
        ("1 /*!50600 +1 */", true, true),
        ("1 /*!50700 +1 */", false, true),
        ("1 /*!80000 +1 */", false, true),
        ("1 /*!80000+1 */", false, true),
        ("1 /*!90701 +1 */", false, true),
        ("1 /*!90799 +1 */", false, false),
        ("1 /*!050600 +1 */", true, true),
        ("1 /*!090700\t+1 */", false, true),
        ("1 /*!090900 +1 */", false, false),
        ("1 /*!99999 ' */", false, false),
        ("1 /*!100000 +1 */", true, false),
        ("1 /*M!50700 +1 */", true, false),
        ("1 /*M!110000 +1 */", false, false),
        ("1 /*m! +1 */", false, false),
        ("1 /*!90000 /* x */ +1 */", false, true),
        ("1 /*!99900 /* x */ +1 */", false, false),
    ] {
        for (dialect, runs) in [(mariadb, on_mariadb), (mysql, on_mysql)] {
            let expected = if runs { "Number:1 Operator:+ Number:1" } else { "Number:1" };
            assert_eq!(tokens(sql, dialect), expected, "{sql} {dialect:?}");
        }
    }
}

/// A sixth digit belongs to the statement where no white space follows it, and in MySQL 8.0 always: what a reader of six digits
/// took for a comment would run. Seen on MySQL 9.7 and MariaDB 10.11.
#[test]
fn six_digits_are_a_version_where_the_server_says() {
    for (sql, on_mariadb, on_mysql, on_old) in [
        (
            "1+/*!1000000+t */",
            "Number:0 Operator:+ Word:t",
            "Word:00 Operator:+ Word:t",
            "Word:00 Operator:+ Word:t",
        ),
        ("1+/*!100000+t */", "Operator:+ Word:t", "Number:0 Operator:+ Word:t", "Number:0 Operator:+ Word:t"),
        ("1+/*!5070012*/", "", "Number:12", "Number:12"),
        ("1+/*!800001 */", "", "", "Number:1"),
        ("1+/*!990000 */", "", "", ""),
    ] {
        for (server, expected) in [
            (Server::Mariadb(101_119), on_mariadb),
            (Server::Mysql(90_704), on_mysql),
            (Server::Mysql(80_036), on_old),
        ] {
            let expected = format!("Number:1 Operator:+ {expected}");
            assert_eq!(
                tokens(sql, by(server)),
                expected.replace("Word:00", "Number:00").trim_end(),
                "{sql} {server:?}"
            );
        }
    }
}

/// Seen on MySQL 9.7, where a tag may be a number too, and on MariaDB 10.11.
#[test]
fn dollar_quotes_are_strings_of_new_mysql() {
    for (sql, on_mysql, on_mariadb) in [
        ("$$ a $$ b", "String:$$ a $$ Word:b", "Word:$$ Word:a Word:$$ Word:b"),
        ("$1$;$a$ $1$", "String:$1$;$a$ $1$", "Word:$1$ Semicolon:; Word:$a$ Word:$1$"),
        ("$é$'$é$", "String:$é$'$é$", "Word:$é$ String:'$é$ unsure"),
        ("$a b$", "Word:$a Word:b$", "Word:$a Word:b$"),
        ("t.$$ a", "Word:t Dot:. Word:$$ Word:a", "Word:t Dot:. Word:$$ Word:a"),
        ("@$$a$$", "Operator:@ Word:$$a$$", "Operator:@ Word:$$a$$"),
        ("1$$ $$", "Word:1$$ String:$$ unsure", "Word:1$$ Word:$$"),
        ("$$ a", "String:$$ a unsure", "Word:$$ Word:a"),
    ] {
        assert_eq!(tokens(sql, by(Server::Mysql(90_704))), on_mysql, "{sql}");
        assert_eq!(tokens(sql, by(Server::Mariadb(101_119))), on_mariadb, "{sql}");
    }
    // Whatever the server is.
    let body = tokens("LANGUAGE JAVASCRIPT AS $$;$$", Dialect::MYSQL);
    assert_eq!(body, "Word:LANGUAGE Word:JAVASCRIPT Word:AS String:$$;$$");
}

/// MySQL 9.7 takes neither `\N` nor `:name`; MariaDB 10.11 takes `\Nx` for NULL named x.
#[test]
fn null_and_variables() {
    let sql = r"\N \Nx,\n";
    assert_eq!(tokens(sql, by(Server::Mariadb(101_119))), r"Word:\N Word:\N Word:x Comma:, Other:\ Word:n");
    assert_eq!(
        tokens(sql, by(Server::Mysql(90_704))),
        r"Other:\ Word:N Other:\ Word:Nx Comma:, Other:\ Word:n"
    );
    assert_eq!(tokens("@'c' 'd' 'e'", Dialect::MYSQL), "Operator:@ String:'c' String:'d' 'e'");
}

#[test]
fn dollar_words_are_looked_at_in_linear_time() {
    let words: String = (0..200_000).map(|number| format!("$a{number}$ ")).collect();
    let mut lexer = Lexer::new(words.as_bytes(), Dialect::MYSQL);
    assert_eq!(lexer.by_ref().filter(|token| token.kind == Kind::Word).count(), 200_000);
    assert!(!lexer.certain());
    assert!(lexer.dollar_searches < 100);
}

proptest! {
    #[test]
    fn any_bytes_give_ordered_tokens(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
            let mut end = 0;
            for token in Lexer::new(&bytes, dialect) {
                prop_assert!(token.start >= end && token.end > token.start && token.end <= bytes.len());
                end = token.end;
            }
        }
    }

    #[test]
    fn bounds_fall_on_characters(text in r#"([$'"`/*\-#;:E]|[a-z]|é|\PC){0,60}"#) {
        for dialect in [Dialect::POSTGRES, Dialect::MYSQL] {
            for token in Lexer::new(text.as_bytes(), dialect) {
                prop_assert!(text.get(token.start..token.end).is_some());
            }
        }
    }
}
