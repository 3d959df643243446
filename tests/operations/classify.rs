//! `panoptes classify`: SQL in, what the audit would say of it out.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
};

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::{Named, Rig};

pub(crate) const TESTS: &[Named] = &[
    ("a_line_for_each_statement", statements),
    ("of_a_file_with_the_lines_of_its_statements", file),
    ("answers_at_once", at_once),
    ("bad_lines_are_named", bad_lines),
    ("servers_and_modes", servers),
    ("what_is_repeated_is_short", repeated),
    ("handlers_by_other_names", handlers),
    ("does_not_grow", does_not_grow),
];

fn statements(_: &Rig) -> Result<(), Failed> {
    let (out, answers) = classify(
        "postgres",
        concat!(
            r#"{"sql": "update t set a = 1 from u; begin"}"#,
            "\n\n",
            r#"{"note": "let pass", "sql": "alter role ana password 'canary'"}"#,
        ),
    );
    assert_eq!(out.status.code(), Some(0));
    let update = json!({
        "line": 1,
        "operation": {
            "type": "UPDATE", "category": "DML", "mainTable": "t", "tablesInvolved": ["t", "u"],
            "access": [{"table": "t", "mode": "write"}, {"table": "u", "mode": "read"}], "parsed": "full",
        },
        "raw": "update t set a = 1 from u",
        "normalized": "UPDATE t SET a = ? FROM u",
        "fingerprint": answers[0]["fingerprint"],
    });
    assert_eq!(answers[0], update);
    assert_eq!(answers[0]["fingerprint"].as_str().map(str::len), Some(16));
    assert_eq!((&answers[1]["operation"]["type"], &answers[1]["line"]), (&json!("BEGIN"), &json!(1)));
    assert_eq!((&answers[2]["redacted"], &answers[2]["line"]), (&json!(["password"]), &json!(3)));
    assert_eq!(answers.len(), 3);
    assert!(!String::from_utf8_lossy(&out.stdout).contains("canary"));
    Ok(())
}

/// HANDLER by another name has the table that was opened by it, and none where that is not known.
fn handlers(_: &Rig) -> Result<(), Failed> {
    let sql =
        r#"{"sql": "handler d.a open as h; handler h read first; handler h close; handler h read next"}"#;
    let (_, answers) = classify("mysql", sql);
    let tables: Vec<_> = answers.iter().map(|answer| &answer["operation"]["tablesInvolved"]).collect();
    assert_eq!(tables, [&json!(["d.a"]), &json!(["d.a"]), &json!(["d.a"]), &Value::Null]);
    let parsed: Vec<_> = answers.iter().map(|answer| &answer["operation"]["parsed"]).collect();
    assert_eq!(parsed, ["full", "full", "full", "partial"]);
    Ok(())
}

/// EXECUTE and FETCH name the tables of what they run, but not thousands of them each time.
fn repeated(_: &Rig) -> Result<(), Failed> {
    let few = r#"{"sql": "prepare p as delete from a using b; execute p"}"#;
    let tables: Vec<_> = (0..900).map(|number| format!("a_table_{number}")).collect();
    let list = tables.join(", ");
    let many = format!(r#"{{"sql": "prepare p as select 1 from {list}; execute p"}}"#);
    // What is written is named, behind however many that are read.
    let written =
        format!(r#"{{"sql": "prepare p as with a as (select 1 from {list}) delete from z; execute p"}}"#);
    let (_, answers) = classify("postgres", &format!("{few}\n{many}\n{written}"));
    let [_, few, _, many, _, written] = answers.as_slice() else { return Err("not six answers".into()) };
    assert_eq!(
        (&written["operation"]["mainTable"], &written["operation"]["access"][0]),
        (&json!("z"), &json!({"table": "z", "mode": "write"}))
    );
    assert_eq!(
        (&few["operation"]["tablesInvolved"], &few["operation"]["parsed"]),
        (&json!(["a", "b"]), &json!("full"))
    );
    assert!(many.to_string().len() < 40 << 10);
    assert_eq!(
        (&many["operation"]["mainTable"], &many["operation"]["parsed"]),
        (&json!("a_table_0"), &json!("partial"))
    );
    Ok(())
}

fn file(_: &Rig) -> Result<(), Failed> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(&file, "select 1;\n\n-- two\nselect `a`\nfrom t; show tables\n")?;
    let out = panoptes("mariadb").arg(file.path()).stdin(Stdio::null()).output()?;
    let seen: Vec<(Value, Value)> =
        answers(&out).into_iter().map(|mut answer| (answer["line"].take(), answer["raw"].take())).collect();
    // Comments belong to what they stand before.
    let expected = [(1, "select 1"), (4, "-- two\nselect `a`\nfrom t"), (5, "show tables")]
        .map(|(line, raw)| (json!(line), json!(raw)));
    assert_eq!((out.status.code(), &seen[..]), (Some(0), &expected[..]));

    let out = panoptes("mysql").arg(Path::new("/nowhere/x.sql")).output()?;
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(1) && told.contains("/nowhere/x.sql"), "{told}");
    Ok(())
}

/// Whoever asks line by line has the answer before the next one.
fn at_once(_: &Rig) -> Result<(), Failed> {
    let mut child = spawn();
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for n in 0..3 {
        let stdin = child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, r#"{{"sql": "select {n} from t{n}"}}"#).expect("a reader");
        let answer = answers.next().expect("an answer").expect("a line");
        assert!(answer.contains(&format!("\"mainTable\":\"t{n}\"")), "{answer}");
    }
    drop(child.stdin.take());
    assert!(child.wait()?.success());
    Ok(())
}

fn bad_lines(_: &Rig) -> Result<(), Failed> {
    let good = r#"{"sql": "select 1"}"#;
    for bad in ["select 1", "{\"sql\": 1}", "{}", "\"x\"", "{\"sql\": \"\\ud800\"}", "{\"sql\": \"a\"} {"] {
        let (out, answers) = classify("postgres", &format!("{good}\n\n{bad}\n{good}\n"));
        let told = String::from_utf8_lossy(&out.stderr);
        // It goes on behind it; the exit tells.
        assert_eq!((out.status.code(), answers.len()), (Some(2), 2), "{bad}: {told}");
        assert!(told.contains("line 3: ") && told.contains(r#"{"sql": "#), "{bad}: {told}");
    }
    let out = Command::new(env!("CARGO_BIN_EXE_panoptes")).arg("classify").output()?;
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(2) && told.contains("--dialect"), "{told}");
    Ok(())
}

/// What a version runs, and options that no server knows.
fn servers(_: &Rig) -> Result<(), Failed> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(&file, "/*!99999 DROP TABLE a */; SELECT \"a\" FROM b")?;
    let run = |dialect: &str, options: &[&str]| {
        panoptes(dialect)
            .args(options)
            .arg(file.path())
            .stdin(Stdio::null())
            .output()
            .expect("the built binary")
    };
    for (dialect, options, verbs) in [
        ("mysql", &[][..], &["DROP", "SELECT"][..]),
        ("mysql", &["--server", "8.4.3", "--sql-mode", "ansi_quotes, NO_ZERO_DATE"], &["SELECT"]),
        ("mariadb", &["--server", "10.11.6"], &["SELECT"]),
    ] {
        let out = run(dialect, options);
        let seen: Vec<Value> =
            answers(&out).into_iter().map(|mut answer| answer["operation"]["type"].take()).collect();
        assert_eq!((out.status.code(), seen), (Some(0), verbs.iter().map(|verb| json!(verb)).collect()));
    }
    for (dialect, options, told) in [
        ("mysql", ["--sql-mode", "ANSI_QUOTES,NO_BACKSLASHES"], "\"NO_BACKSLASHES\""),
        ("mysql", ["--server", "latest"], "\"latest\""),
        ("postgres", ["--sql-mode", "ANSI"], "--sql-mode"),
        ("postgres", ["--server", "16.2"], "--server"),
    ] {
        let out = run(dialect, &options);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(2) && said.contains(told) && out.stdout.is_empty(), "{said}");
    }
    Ok(())
}

/// 100,000 forms, of which none comes twice.
fn does_not_grow(_: &Rig) -> Result<(), Failed> {
    const LINES: usize = 100_000;
    const FILLED: usize = LINES / 4;
    let mut child = spawn();
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let writer = thread::spawn(move || {
        (0..LINES).try_for_each(|n| writeln!(stdin, r#"{{"sql": "select a from t{n} where b = {n}"}}"#))
    });
    let mut expect = |count| (0..count).for_each(|_| _ = answers.next().expect("an answer").expect("a line"));
    expect(FILLED);
    let filled = resident(&child);
    expect(LINES - FILLED - 1);
    let last = resident(&child);
    expect(1);
    writer.join().expect("the writer").expect("a reader");
    assert!(child.wait()?.success() && answers.next().is_none());
    // 75,000 forms more would be some 50 MiB; the allocator needs some room for what comes and goes.
    assert!(last < filled + (10 << 10), "{filled} KiB grew to {last} KiB");
    Ok(())
}

/// In KiB.
fn resident(child: &Child) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.split_whitespace().next().and_then(|size| size.parse().ok()).expect("a size")
}

fn panoptes(dialect: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panoptes"));
    command.args(["classify", "--dialect", dialect]);
    command
}

fn spawn() -> Child {
    let mut command = panoptes("postgres");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the built binary")
}

/// The exit, and the answers to these lines.
fn classify(dialect: &str, lines: &str) -> (Output, Vec<Value>) {
    let mut input = tempfile::tempfile().expect("a file");
    input.write_all(lines.as_bytes()).expect("the lines");
    std::io::Seek::rewind(&mut input).expect("the begin");
    let out = panoptes(dialect).stdin(input).output().expect("the built binary");
    let answers = answers(&out);
    (out, answers)
}

fn answers(out: &Output) -> Vec<Value> {
    out.stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect()
}
