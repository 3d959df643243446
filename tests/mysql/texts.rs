//! Texts that the server reads in another way than they look: nothing that runs is hidden by them, and nothing is told that
//! did not run.

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named, Rig,
    memory::{GROWTH, resident},
    operations::of_kind,
    raw::Raw,
    support::panoptes::Panoptes,
    verdicts::{ended, run, verdict},
};

pub(crate) const TESTS: &[Named] = &[
    ("what_runs_is_told_or_doubted", hidden),
    ("a_reset_goes_back_to_its_character_set", reset),
    ("each_statement_of_a_mebibyte_is_told", script),
];

/// A text may be one to us and another to the server, by what was said before it, in the same text or by another.
const HIDING: [(&[&str], &[u8]); 12] = [
    (&[], br"SET sql_mode='NO_BACKSLASH_ESCAPES'; SELECT 'a\'; DELETE FROM hidden; -- '; DO 1; DO 2"),
    (&["SET sql_mode='NO_BACKSLASH_ESCAPES'"], br"SELECT 'a\'; DELETE FROM hidden; -- '"),
    (
        &["SET @m='ANSI_QUOTES'", "SET sql_mode=@m"],
        br#"SELECT 1 AS "a\"; DELETE FROM hidden; -- ", 2; DO 3; DO 4"#,
    ),
    (&["SET sql_mode='ANSI_QUOTES'"], br#"SELECT 1 AS "a\"; DELETE FROM hidden; -- ", 2; DO 3"#),
    (
        &["PREPARE s FROM 'SET sql_mode=''ANSI_QUOTES'''", "EXECUTE s"],
        br#"SELECT 1 AS "a\"; DELETE FROM hidden; -- ""#,
    ),
    (&["SET NAMES big5"], b"SELECT '\x87\\' , ' ; DELETE FROM hidden; -- '; DO 3; DO 4"),
    (&["SET NAMES big5"], b"SELECT '\x87\\'; DELETE FROM hidden; -- '"),
    (&["SET NAMES sjis"], b"SELECT '\x85\\'; DELETE FROM hidden; -- '; DO 3"),
    (&["SET NAMES gbk"], b"SELECT '\xbf\\'; DELETE FROM hidden; -- '"),
    (&["SET NAMES gb2312"], b"SELECT '\x81\\'; DELETE FROM hidden; -- '"),
    (&["SET @c='gbk'", "SET character_set_client=@c"], b"SELECT '\xbf\\'; DELETE FROM hidden; -- '"),
    (&[], b"DELETE FROM hidden; -- and no more"),
];

fn hidden(rig: &Rig) -> Result<(), Failed> {
    rig.server().sql("create table work.hidden (a int)");
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let (mut ran, mut sessions) = (Vec::new(), Vec::new());
    for (before, text) in HIDING {
        rig.server().sql("insert into work.hidden values (5)");
        let mut client = Raw::connect(proxy.port);
        run(&mut client, &["use work"]);
        client.allow_several();
        run(&mut client, before);
        client.query_bytes(text);
        ran.push(rig.server().sql("select count(*) from work.hidden") == "0\n");
        rig.server().sql("truncate work.hidden");
        sessions.push(client.id);
    }
    let events = ended(&proxy, HIDING.len());
    for (((_, text), ran), id) in HIDING.iter().zip(&ran).zip(&sessions) {
        let of_session = |e: &&Value| e["session"]["serverPid"] == *id && e["kind"] == "statement";
        let own: Vec<_> = events.iter().filter(of_session).collect();
        let doubted = own.iter().any(|e| e["sql"]["split"] == "uncertain");
        let told = own.iter().any(|e| e["operation"]["type"] == "DELETE" && e["sql"]["success"] == true);
        assert!(doubted || told == *ran, "{}: it ran: {ran}, told: {own:#?}", text.escape_ascii());
    }
    println!("hidden: {} of {} statements ran", ran.iter().filter(|ran| **ran).count(), HIDING.len());
    assert!(ran.iter().any(|ran| *ran) && ran.iter().any(|ran| !*ran), "both happen");
    Ok(())
}

/// As migrations and dumps are sent: bodies of routines in it, and `;` where they end nothing.
fn script(rig: &Rig) -> Result<(), Failed> {
    const ROWS: usize = 5_000;
    const MORE: usize = 1_000;
    let filling = r"a;b -- c'' \\ /* d */ ".repeat(8);
    let insert = |n: usize| format!("insert into work.script values ({n}, '{filling}')");
    let mut statements = vec![
        "create table work.script (n int primary key, t text)".to_owned(),
        "create procedure work.p(k int)\nbegin\n  if k > 0 then set @a = 1; end if;\n  case k when 1 then do 2; else do 3; end case;\nend"
            .to_owned(),
        "-- a remark; with a semicolon\ncall work.p(0)".to_owned(),
    ];
    statements.extend((0..ROWS).map(insert));
    let text = statements.join(";\n") + ";\n";
    assert!(text.len() > 1 << 20);
    // The one in the middle fails, and those behind it never run.
    let more: Vec<_> = (0..MORE).map(|n| insert(if n == MORE / 2 { 0 } else { ROWS + n })).collect();
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut client = Raw::connect(proxy.port);
    client.allow_several();
    let before = resident(&proxy, "VmRSS");
    assert_eq!(client.query_bytes(text.as_bytes()).error, None);
    let failed = client.query_bytes(more.join(";").as_bytes());
    assert_eq!(failed.error.map(|(code, _)| code), Some(1062));
    drop(client);
    // Its login and its logout.
    proxy.wait_for_lines(statements.len() + more.len() + 2);
    let events = proxy.events();
    let growth = resident(&proxy, "VmHWM").saturating_sub(before);
    let told: Vec<_> = of_kind(&events, "statement").filter(|e| e["sql"]["raw"].is_string()).collect();
    let raws: Vec<_> = told.iter().filter_map(|e| e["sql"]["raw"].as_str()).collect();
    assert!(statements.iter().chain(&more).eq(raws), "each, in its order; {} events", told.len());
    let ends = |outcome: &str| told.iter().filter(|e| e["sql"]["outcome"] == outcome).count();
    assert_eq!((ends("error"), ends("skipped")), (1, MORE - MORE / 2 - 1));
    let lasting = |e: &&&Value| {
        e["operation"]["type"] == "INSERT" && e["sql"]["rowCount"] == 1 && verdict(&events, e) == "committed"
    };
    let rows = rig.server().sql("select count(*) from work.script");
    assert_eq!(rows.trim(), told.iter().filter(lasting).count().to_string());
    println!("script: {} events, {growth} bytes more at the peak", told.len());
    assert!(growth < GROWTH, "grew by {growth} bytes");
    rig.server().sql("drop table work.script; drop procedure work.p");
    Ok(())
}

fn reset(rig: &Rig) -> Result<(), Failed> {
    let proxy = Panoptes::start_mysql(rig.server().port, "");
    let mut client = Raw::connect(proxy.port);
    run(&mut client, &["set names gbk"]);
    client.query_bytes(b"select 'before \xc4\x5c'");
    client.send(0, &[0x1f]);
    assert_eq!(client.answer().error, None);
    // Of another character set it has no row.
    let after = "select 'after \u{e4}' from dual where @@character_set_client = 'utf8mb4'";
    assert_eq!(client.query(after).rows, 1);
    drop(client);
    let events = ended(&proxy, 1);
    let raws: Vec<&str> = events.iter().filter_map(|e| e["sql"]["raw"].as_str()).collect();
    assert!(raws.contains(&"select 'before \u{816c}'") && raws.contains(&after), "{raws:?}");
    Ok(())
}
