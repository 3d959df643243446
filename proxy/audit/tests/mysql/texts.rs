//! Texts: of several statements and answers, and how they are read.

use panoptes_config::Protocol;
use panoptes_parser::wire::{Answer, Ask, Failure, TransactionStatus, sha256};

use super::{
    super::{NameLimits, Stage},
    affected, refused, returned, stage,
};

#[test]
fn a_procedure_is_one_statement_of_several_results() {
    let mut stage = stage();
    stage.several().query("call p(); select 2; call p()", returned(1)).turned(TransactionStatus::Idle);
    stage.next(returned(3)).turned(TransactionStatus::Idle).next(affected(0)).turned(TransactionStatus::Idle);
    stage
        .next(returned(1))
        .turned(TransactionStatus::Idle)
        .next(returned(4))
        .next(refused(1317, "70100"))
        .idle();
    assert_eq!(
        stage.told(),
        "1 CALL \"call p()\" rows 4 ok | idle unknown\n\
         2 SELECT \"select 2\" rows 1 ok | idle committed\n\
         3 CALL \"call p()\" rows 4 cancelled 1317 70100 no | idle unknown\n"
    );
}

#[test]
fn statements_of_a_text_last_each_for_itself() {
    let mut stage = stage();
    stage
        .several()
        .query("insert into t values (1); selct; select 3", affected(1))
        .turned(TransactionStatus::Idle);
    stage.next(refused(1064, "42000")).idle();
    assert_eq!(
        stage.told(),
        "1 INSERT(write t) \"insert into t values (1)\" rows 1 ok | idle committed\n\
         2 UNKNOWN \"selct\" error 1064 42000 no | idle rolledBack\n\
         3 SELECT \"select 3\" skipped | idle\n"
    );
}

/// The server stops there, and what follows never ran.
#[test]
fn the_error_of_an_empty_statement_is_no_other_statements() {
    for (text, first, second) in [
        ("select 1; ; select 2", "select 1", "select 2\" skipped |"),
        ("select 1 /* ; */ ;\n-- ;\n;select 2", "select 1 /* ; */", "select 2\" skipped |"),
        ("select 1; /* ; */ select 2", "select 1", "/* ; */ select 2\" error 1064 42000 no |"),
    ] {
        let mut stage = stage();
        stage.several().query(text, returned(1)).turned(TransactionStatus::Idle);
        stage.next(refused(1064, "42000")).idle();
        let told = stage.told();
        assert!(told.contains(&format!("1 SELECT \"{first}\" rows 1 ok")), "{told}");
        assert!(told.contains(&format!("2 SELECT \"{second}")), "{told}");
    }
}

/// The server answers once more, for the comment.
#[test]
fn a_comment_behind_the_last_statement_is_no_statement() {
    for text in [
        "delete from t; -- c",
        "delete from t; /* a; b */",
        "delete from t ;\n# c\n",
        "delete from t; -- a\n/* b */",
    ] {
        let mut stage = stage();
        stage.several().query(text, affected(2)).turned(TransactionStatus::Idle).next(affected(0)).idle();
        assert_eq!(
            stage.told(),
            "1 DELETE(write t) \"delete from t\" rows 2 ok | idle committed\n",
            "{text}"
        );
    }
    for (text, answer) in [
        // It may run, it has changed something, and there is none.
        ("delete from t; /*! do 1 */", affected(0)),
        ("delete from t; -- c", affected(1)),
        ("delete from t -- c", affected(0)),
        ("delete from t;", affected(0)),
    ] {
        let mut stage = stage();
        stage
            .several()
            .query(text, affected(2))
            .turned(TransactionStatus::Idle)
            .next(answer)
            .next(affected(0))
            .idle();
        let told = stage.told();
        assert!(told.contains("split uncertain"), "{text}: {told}");
    }
}

/// The server reads each statement as those before it have set: what is a string to one is a statement to the other.
#[test]
fn a_text_that_changes_how_it_is_read_is_not_cut() {
    for first in [
        "set sql_mode='NO_BACKSLASH_ESCAPES'",
        "set @@sql_mode = @m",
        "execute s",
        "/*!40101 set sql_mode='' */",
    ] {
        let mut stage = stage();
        stage.several().query(&format!("{first}; select 'a\\'; delete from t; -- '; do 1"), affected(0));
        stage.next(returned(1)).next(affected(1)).next(affected(0)).idle();
        let told = stage.told();
        assert!(told.lines().count() == 1 && told.contains("split uncertain"), "{first}: {told}");
    }
    for (text, answers) in [
        ("set names big5; select '\u{e4}'", [affected(0), returned(1)]),
        ("set names utf8mb4, character_set_client = @c; select '\u{e4}'", [affected(0), returned(1)]),
    ] {
        let mut stage = stage();
        stage.several().query(text, answers[0]).next(answers[1]).idle();
        assert!(stage.told().contains("split uncertain"), "{text}");
    }
    for text in
        ["set names utf8mb4; select '\u{e4}\\''", "set sql_mode = ''; select 1", "set @a = 1; select '\\''"]
    {
        let mut stage = stage();
        stage.several().query(text, affected(0)).next(returned(1)).idle();
        assert_eq!(stage.told().lines().count(), 2, "{text}");
    }
}

#[test]
fn a_mode_that_no_text_tells_leaves_a_doubt() {
    let hidden = r#"select 1 as "a\"; delete from t; -- ", 2; do 3; do 4"#;
    let answers = |stage: &mut Stage| {
        stage.query(hidden, returned(1)).next(affected(1)).next(affected(0)).idle();
        let told = stage.told();
        (told.lines().last().unwrap().contains("split uncertain"), told)
    };
    let mut prepared = stage();
    prepared
        .several()
        .prepared("set sql_mode=?", 1)
        .run(Some(&[0, 1, 0, 0, 0, 0, 1, 253, 0, 0]), affected(0))
        .idle();
    let (uncertain, told) = answers(&mut prepared);
    assert!(uncertain, "{told}");
    for first in ["set sql_mode=@m", "execute s", "prepare s from 'set sql_mode=@m'; execute s"] {
        let mut stage = stage();
        stage.several();
        for text in first.split("; ") {
            stage.done(text).idle();
        }
        let (uncertain, told) = answers(&mut stage);
        assert!(uncertain, "{first}: {told}");
    }
}

/// It saves how texts are read, and goes back to it at its end.
#[test]
fn a_dump_is_cut() {
    let dump = "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n\
        /*!40101 SET NAMES utf8mb4 */;\n\
        /*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n\
        /*!40101 SET @saved_cs_client     = @@character_set_client */;\n\
        /*!40101 SET character_set_client = utf8 */;\n\
        /*!40101 SET character_set_client = @saved_cs_client */;\n\
        LOCK TABLES `characters` WRITE;\n\
        INSERT INTO `characters` VALUES (1,'ä\\'; a@b.c');\n\
        /*!40000 ALTER TABLE `characters` ENABLE KEYS */;\n\
        UNLOCK TABLES;\n\
        INSERT INTO `others` VALUES (1,'ä\\';');\n\
        /*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\n\
        /*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;\n";
    let rest = "SELECT 'ä\\n';\n";
    let told = |dump: &str| {
        let mut stage = stage();
        stage.parameter("server_version", "8.4.3");
        stage.several().query(dump, affected(0));
        for _ in 1..13 {
            stage.turned(TransactionStatus::Idle).next(affected(0));
        }
        stage.idle().told()
    };
    let whole = told(dump);
    assert!(whole.lines().count() == 13 && !whole.contains("uncertain"), "{whole}");
    for (found, other) in [
        ("NAMES utf8mb4", "NAMES gbk"),
        ("'NO_AUTO_VALUE_ON_ZERO'", "'ANSI'"),
        ("= @saved_cs_client */", "= @OLD_SQL_MODE */"),
        ("SET character_set_client = utf8 ", "SET @saved_cs_client = 'gbk' "),
        ("SET character_set_client = utf8 ", "SET @a = f() "),
        ("/*!40101 SET character_set_client = utf8 */", "call p()"),
        ("/*!40101 SET character_set_client = utf8 */", "create table a as select f()"),
        // What an INSERT runs may have set it.
        ("/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;\n", rest),
    ] {
        let other = dump.replace(found, other);
        assert!(other != dump && told(&other).contains("uncertain"), "{found}: {other}");
    }
}

#[test]
fn a_mode_that_no_text_tells_is_no_doubt_where_it_makes_no_difference() {
    for first in ["execute s", "set sql_mode=@m", "set sql_mode=(select trim(@@sql_mode))"] {
        let mut stage = stage();
        stage.several().done(first).idle();
        for text in ["insert into t values (1, 'a\\nb;c'); do 2", "insert into t values (\"a\\nb;c\"); do 2"]
        {
            stage.query(text, affected(1)).turned(TransactionStatus::Idle).next(affected(0)).idle();
        }
        let told = stage.told();
        assert!(told.lines().count() == 5 && !told.contains("uncertain"), "{first}: {told}");
    }
}

/// It tells what a backslash is, behind a SET to whatever functions make of it.
#[test]
fn the_status_behind_a_mode_that_is_computed_is_believed() {
    let text = "select 'a\\'; delete from t; -- '; do 3";
    for (status, last) in [("on", "delete from t"), ("off", "do 3")] {
        let mut stage = stage();
        stage.several().done("set sql_mode=(select concat(@@sql_mode, lower(@m)))");
        stage.parameter("no_backslash_escapes", status).idle();
        stage.query(text, returned(1)).turned(TransactionStatus::Idle).next(affected(0)).idle();
        let told = stage.told();
        assert!(!told.contains("uncertain"), "{told}");
        assert_eq!(stage.last().sql.unwrap().raw.as_deref(), Some(last), "{told}");
    }
}

/// Whatever led to it.
#[test]
fn an_answer_to_another_statement_is_not_believed() {
    for (text, first, second) in [
        ("select 1; select 2", returned(1), affected(0)),
        ("select 1; do 1", returned(1), affected(1)),
        ("select 1; do 1", returned(1), returned(1)),
    ] {
        let mut stage = stage();
        stage.several().query(text, first).next(second).idle();
        assert!(stage.told().contains("split uncertain"), "{text}");
    }
    let mut stage = stage();
    stage.several().query("select 1; select 2 into @a", returned(1)).next(affected(1)).idle();
    assert!(!stage.told().contains("split uncertain"));
}

#[test]
fn texts_are_read_as_the_session_says() {
    let mut stage = stage();
    stage.done("set sql_mode = 'ANSI_QUOTES'").idle().query("select \"a\" from \"t\"", returned(1)).idle();
    assert!(stage.last().sql.unwrap().normalized.unwrap().contains("\"a\""), "a name, not a literal");
    stage.done("set names latin1").idle();
    stage.bytes(b"select '\xe4'", returned(1)).idle();
    assert_eq!(stage.last().sql.unwrap().raw.as_deref(), Some("select 'ä'"));
    stage.parameter("character_set_client", "utf8mb4").bytes(b"select '\xc3\xa4'", returned(1)).idle();
    assert_eq!(stage.last().sql.unwrap().raw.as_deref(), Some("select 'ä'"));
    stage.done("use `Other`").idle().query("select 1", returned(1)).idle();
    assert_eq!(stage.last().db.unwrap().name.as_deref(), Some("Other"));
    stage.query("select 1; select 2", refused(1064, "42000")).idle();
    assert_eq!(stage.last().sql.unwrap().raw.as_deref(), Some("select 1; select 2"), "unasked, it is one");
}

#[test]
fn a_character_set_that_no_text_tells_leaves_a_doubt() {
    for text in ["set names default", "set character_set_client = @utf8"] {
        let mut stage = stage();
        stage.done("set names gbk").idle().done(text).idle().bytes(b"select '\xc3\xa4'", returned(1)).idle();
        let sql = stage.last().sql.unwrap();
        assert_eq!(
            (sql.raw.as_deref(), sql.split.as_deref()),
            (Some("select '\u{e4}'"), Some("uncertain")),
            "{text}"
        );
    }
}

/// What is a character here is none there, and the backslash behind it hides the quote.
#[test]
fn a_character_that_the_server_reads_otherwise_leaves_a_doubt() {
    let text = b"select '\x87\\' , ' ; delete from t where a=5; -- '; do 3; do 4";
    let mut stage = stage();
    stage.several().done("set names big5").idle();
    stage.bytes(text, returned(1)).next(affected(1)).next(affected(0)).next(affected(0)).idle();
    let told = stage.told();
    assert!(told.lines().count() == 2 && told.contains("split uncertain"), "{told}");
    stage.bytes(b"select '\xb3\x5c'", returned(1)).idle();
    assert_eq!(stage.last().sql.unwrap().split, None);
}

/// Each is told by its head where it is long itself, with the size and the digest of what was sent.
#[test]
fn statements_of_a_long_text_are_told_one_by_one() {
    let limits = NameLimits { count: 9, bytes: 1 << 20, ahead: 1 << 10, text: 40 };
    let long = format!("insert into t values ('{};')", "ä".repeat(30));
    let text = format!("create procedure p() begin select 1; select 2; end; {long}; delete from t; select 4");
    let mut stage = Stage::with(Protocol::Mysql, limits);
    stage.several().query(&text, affected(0)).turned(TransactionStatus::Idle);
    stage.next(affected(1)).turned(TransactionStatus::Idle).next(refused(1146, "42S02")).idle();
    let told = stage.told();
    let lines: Vec<_> = told.lines().collect();
    assert!(lines.len() == 4 && !told.contains("uncertain"), "{told}");
    assert!(lines[0].starts_with("1 CREATE \"create procedure p() begin select 1; sel\" "), "{told}");
    assert!(lines[2].starts_with("3 DELETE(write t) \"delete from t\" error"), "{told}");
    assert_eq!(lines[3], "4 SELECT \"select 4\" skipped | idle");
    let sql = stage.events()[1].sql.clone().unwrap();
    let raw = sql.raw.unwrap();
    assert!(long.starts_with(&raw) && raw.len() == 39, "{raw}");
    let hex: String = sha256(long.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        (sql.truncated.unwrap()["raw"].as_u64(), sql.raw_sha256),
        (Some(long.len() as u64), Some(hex))
    );
}

/// One that stands alone, with a `;` in it that ends nothing.
#[test]
fn a_long_statement_is_told_by_its_head() {
    let limits = NameLimits { count: 9, bytes: 1 << 20, ahead: 1 << 10, text: 40 };
    let mut stage = Stage::with(Protocol::Mysql, limits);
    let text = format!("insert into t values ('{};');", "a".repeat(60));
    stage.several().query(&text, affected(1)).idle();
    let told = stage.told();
    assert!(told.lines().count() == 1 && told.contains("rows 1 ok | idle committed"), "{told}");
    let sql = stage.last().sql.unwrap();
    let length = sql.truncated.unwrap()["raw"].as_u64();
    assert_eq!((sql.raw.as_deref(), length), (text.get(..40), Some(text.len() as u64)));
}

#[test]
fn a_long_text_that_is_not_cut_has_its_head() {
    let limits = NameLimits { count: 9, bytes: 1 << 20, ahead: 1 << 10, text: 40 };
    let mut stage = Stage::with(Protocol::Mysql, limits);
    let text = "set sql_mode = @m; select 'a\\'; delete from t; -- ', 'more of it than is told'";
    stage.several().query(text, affected(0)).turned(TransactionStatus::Idle);
    stage.next(returned(1)).turned(TransactionStatus::Idle).next(affected(1)).idle();
    let sql = stage.last().sql.unwrap();
    assert_eq!(
        (sql.raw.as_deref(), sql.split.as_deref(), sql.truncated.unwrap()["raw"].as_u64()),
        (text.get(..40), Some("uncertain"), Some(text.len() as u64))
    );
}

/// The server quotes what follows, too.
#[test]
fn the_error_of_a_long_text_tells_no_secret() {
    let limits = NameLimits { count: 9, bytes: 1 << 20, ahead: 1 << 10, text: 40 };
    let mut stage = Stage::with(Protocol::Mysql, limits);
    let text = "do 1; do 2; selct; set password = 's3cr3tK3Y'; do 3; do 4; do 5";
    let message = &b"... near 'selct; set password = 's3cr3tK3Y'; do 3' at line 1"[..];
    stage.several().query(text, affected(0)).turned(TransactionStatus::Idle).next(affected(0));
    stage.turned(TransactionStatus::Idle).next(Answer::Failed(Failure {
        sql_state: b"42000",
        message,
        position: 0,
        code: 1064,
        fatal: false,
    }));
    let told = stage.idle().told();
    assert!(told.lines().count() == 7 && !told.contains("s3cr3tK3Y"), "{told}");
}

/// Its statements are not known, but all of their answers are.
#[test]
fn a_text_that_was_cut_has_the_rows_of_all_its_statements() {
    let mut stage = stage();
    let text = Some(&b"insert into t values (1); select /* long"[..]);
    stage.several().settled(Ask::Query { text, length: 70_000 }, affected(2)).turned(TransactionStatus::Idle);
    stage.next(returned(3)).turned(TransactionStatus::Idle).next(affected(4)).idle();
    let told = stage.told();
    assert!(
        told.lines().count() == 1 && told.contains("split uncertain") && told.contains("rows 9 ok"),
        "{told}"
    );
    let sql = stage.last().sql.unwrap();
    assert_eq!((sql.truncated.unwrap()["raw"].as_u64(), sql.bytes_returned), (Some(70_000), Some(15)));
}

#[test]
fn of_a_text_that_was_not_sent_an_error_quotes_nothing() {
    let mut stage = stage();
    let unread = |message: &'static str| {
        let (sql_state, message) = (&b"42000"[..], message.as_bytes());
        Answer::Failed(Failure { sql_state, message, position: 0, code: 1064, fatal: false })
    };
    for (text, message, expected) in [
        ("prepare s from @s", "near 'bi 'canary'' at line 1", "near '[REDACTED]' at line 1"),
        ("call p(5)", "near ''canary'' at line 1", "near '[REDACTED]' at line 1"),
        ("execute immediate 'selec 5, 6'", "near 'selec 5, 6' at line 1", "near 'selec 5, 6' at line 1"),
        // What follows it is another statement's.
        ("selec 5", "near 'selec 5; select 6' at line 1", "near 'selec 5; select 6' at line 1"),
    ] {
        stage.query(text, unread(message)).idle();
        assert_eq!(stage.last().sql.unwrap().error_message.unwrap(), expected, "{text}");
    }
}

#[test]
fn what_is_not_told_of_a_long_text_may_name_a_secret_of_its_head() {
    let padding = "x".repeat(70 << 10);
    for rest in [format!("; select '{padding}'; "), format!(", @b = '{padding}'; ")] {
        let text = format!("set @k = 'CANARY'{rest}{}select aes_encrypt('x', @k)", "do 1; ".repeat(30_000));
        let mut stage = stage();
        stage.several().query(&text, affected(0)).next(affected(0)).idle();
        let event = stage.last();
        assert!(!format!("{event:?}").contains("CANARY"));
        assert_eq!(event.sql.unwrap().split.as_deref(), Some("uncertain"));
    }
}
