//! Mode `strict`: no statement reaches the server before its intent is on disk, whatever happens to client, journal or
//! proxy meanwhile; and nothing else changes for a client.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    net::Shutdown,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named, Rig, is_error,
    overload::{overloaded_in, sink},
    statement,
    support::{
        intents::{pair, texts},
        panoptes::Panoptes,
        postgres::{DATABASE, USER},
        raw::{Exchange, Raw, bind, execute, message, parse, query, sync},
        server_log::sessions,
        wait_for,
    },
};

pub(crate) const TESTS: &[Named] = &[
    ("all_passes_as_it_is", passes),
    ("sent_and_gone", sent_and_gone),
    ("stop_while_withheld", stop_while_withheld),
    ("fail_closed_runs_nothing_unseen", fail_closed),
    ("a_server_that_goes_while_it_is_withheld", server_goes),
];

/// Nobody syncs but for the sake of a statement or an answer.
const STRICT: [(&str, &str); 2] =
    [("PANOPTES_JOURNAL__MODE", "strict"), ("PANOPTES_JOURNAL__SYNC_INTERVAL", "1 h")];

/// What may wait for what: a pipeline larger than any buffer, COPY data with a statement behind it, a statement that
/// comes with the login, a FunctionCall, a cancelled statement. Each as it is without a proxy.
fn passes(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = Panoptes::start_prepared(rig.server().port, "", &STRICT, |_| {});
    for work in [pipeline, copy, call, with_login] {
        let (through, direct) = (work(proxy.port)?, work(rig.server().port)?);
        assert_eq!(through, direct);
    }
    cancelled(proxy.port)?;
    assert!(proxy.stop().success(), "{}", proxy.log());
    let events = proxy.events();
    let intents = pair(&events);
    assert_eq!((&intents.problems[..], &intents.open[..]), (&[][..], &[][..]));
    assert!(intents.count > PIPELINED, "{}", intents.count);
    assert_eq!(statement(&events, "pg_sleep")["sql"]["outcome"], "cancelled");
    Ok(())
}

const PIPELINED: usize = 3_000;

/// Each answer is larger than what the client reads at a time, and all of them larger than any buffer.
fn pipeline(port: u16) -> io::Result<Vec<Exchange>> {
    let mut session = Raw::connect(port)?;
    let mut writer = session.stream().try_clone()?;
    let one = [parse("", "select repeat('x', 5000), $1"), bind("", &["y"]), execute()].concat();
    let writing = thread::spawn(move || {
        for _ in 0..PIPELINED {
            writer.write_all(&one)?;
        }
        writer.write_all(&sync())
    });
    let answered = session.exchange()?;
    writing.join().expect("no panic")?;
    assert_eq!(answered.rows, PIPELINED as u64);
    Ok(vec![answered])
}

/// All at once: the server reads the data before it answers, and the statement behind it waits for its own intent.
fn copy(port: u16) -> io::Result<Vec<Exchange>> {
    let mut session = Raw::connect(port)?;
    session.query("create temporary table copied (a text)")?;
    let mut all = query("copy copied from stdin");
    for n in 0..20_000 {
        all.extend(message(b'd', format!("row {n} {}\n", "x".repeat(n % 97)).as_bytes()));
    }
    all.extend(message(b'c', b""));
    all.extend(query("select count(*) from copied"));
    session.stream().write_all(&all)?;
    let answers = vec![session.exchange()?, session.exchange()?];
    assert_eq!((answers[0].completed, answers[1].rows), (1, 1));
    Ok(answers)
}

/// `int4pl(2, 3)`.
fn call(port: u16) -> io::Result<Vec<Exchange>> {
    let mut session = Raw::connect(port)?;
    let body = [
        &177_u32.to_be_bytes()[..],
        &[0, 1, 0, 1, 0, 2],
        &[0, 0, 0, 4, 0, 0, 0, 2],
        &[0, 0, 0, 4, 0, 0, 0, 3],
        &[0, 1],
    ];
    session.stream().write_all(&message(b'F', &body.concat()))?;
    Ok(vec![session.exchange()?])
}

fn with_login(port: u16) -> io::Result<Vec<Exchange>> {
    let parameters = format!("user\0{USER}\0database\0{DATABASE}\0\0");
    let length = u32::try_from(8 + parameters.len()).expect("short");
    let startup = [&length.to_be_bytes()[..], &[0, 3, 0, 0], parameters.as_bytes()].concat();
    let mut session = Raw::open(port, &[startup, query("select 'with the login'")].concat())?;
    let answers = vec![session.exchange()?, session.exchange()?];
    assert_eq!(answers[1].rows, 1);
    Ok(answers)
}

fn cancelled(port: u16) -> io::Result<()> {
    let mut session = Raw::connect(port)?;
    session.stream().write_all(&query("select pg_sleep(600)"))?;
    let request = [&16_u32.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), &session.key].concat();
    // It comes to nothing where it is faster than the statement.
    let (done, told) = mpsc::channel::<()>();
    let again = thread::spawn(move || {
        while told.recv_timeout(Duration::from_millis(20)).is_err() {
            Raw::open(port, &request).expect("the proxy listens");
        }
    });
    let answer = session.exchange()?;
    done.send(()).expect("it listens");
    again.join().expect("no panic");
    assert!(matches!(&answer.errors[..], [error] if is_error(error, "ERROR", "57014")), "{answer:?}");
    Ok(())
}

/// Who sends and goes without a look at the answer has sent.
fn sent_and_gone(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = Panoptes::start_prepared(rig.server().port, "", &STRICT, |_| {});
    rig.server().sql("test", "create table if not exists sent_and_gone (n int)");
    let sent = 20;
    for n in 0..sent {
        let session = Raw::connect(proxy.port)?;
        session.stream().write_all(&query(&format!("insert into sent_and_gone values ({n})")))?;
        session.stream().shutdown(Shutdown::Both)?;
    }
    rig.server().wait_until(&format!("(select count(*) = {sent} from sent_and_gone)"));
    assert!(proxy.stop().success(), "{}", proxy.log());
    let events = proxy.events();
    let intents = pair(&events);
    assert_eq!((&intents.problems[..], &intents.open[..], intents.count), (&[][..], &[][..], sent));
    rig.server().sql("test", "drop table sent_and_gone");
    Ok(())
}

/// The journal is full, and stays so: statements wait, and never run.
fn stop_while_withheld(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = overloaded_in(rig, "block", "strict");
    let late = Raw::connect(proxy.port)?;
    let clients = clients(proxy.port, "stopped");
    proxy.wait_for_log("the journal takes no more events");
    let sent = wait_until_all_wait(&clients);
    late.stream().write_all(&query("select 'stopped late'"))?;
    proxy.signal("TERM");
    assert!(proxy.ended().success(), "{}", proxy.log());
    clients.into_iter().for_each(|client| drop(client.thread.join().expect("no panic")));
    drop(late);
    fs::remove_file(sink(proxy.dir()))?;
    proxy.start_again();
    assert!(proxy.stop().success(), "{}", proxy.log());
    nothing_ran_unseen(rig, &proxy.events(), "stopped", sent)?;
    assert!(!ran(rig, "stopped").contains("select 'stopped late'"));
    Ok(())
}

/// Sessions end between two statements: one that waits is not begun.
fn fail_closed(rig: &Rig) -> Result<(), Failed> {
    let mut proxy = overloaded_in(rig, "fail_closed", "strict");
    let clients = clients(proxy.port, "closed");
    let sent: usize = clients
        .into_iter()
        .map(|client| {
            let (sent, last) = client.thread.join().expect("no panic");
            assert!(last.iter().all(|error| is_error(error, "FATAL", "57P01")), "{last:?}");
            sent
        })
        .sum();
    proxy.wait_for_log("fail_closed: sessions are ended");
    fs::remove_file(sink(proxy.dir()))?;
    proxy.wait_for_log("sessions are served");
    assert_eq!(Raw::connect(proxy.port)?.query("select 1")?.completed, 1);
    assert!(proxy.stop().success(), "{}", proxy.log());
    let events = proxy.events();
    let intents = pair(&events);
    assert_eq!((&intents.problems[..], &intents.open[..]), (&[][..], &[][..]));
    nothing_ran_unseen(rig, &events, "closed", sent)
}

/// The statement was never sent, so it never ran; the client is told what the server said.
fn server_goes(rig: &Rig) -> Result<(), Failed> {
    let proxy = overloaded_in(rig, "block", "strict");
    let mut idle = Raw::connect(proxy.port)?;
    let pid = idle.query("select pg_backend_pid()")?.last_row;
    let pid = String::from_utf8_lossy(&pid[6..]).into_owned();
    let clients = clients(proxy.port, "left");
    proxy.wait_for_log("the journal takes no more events");
    wait_until_all_wait(&clients);
    idle.stream().write_all(&query("select 'never sent'"))?;
    rig.server().sql("test", &format!("select pg_terminate_backend({pid})"));
    // What the server says is held back as well: there is no room for it.
    fs::remove_file(sink(proxy.dir()))?;
    let last = idle.last_words()?;
    assert!(!last.errors.is_empty() && last.completed == 0, "{last:?}");
    clients.into_iter().for_each(|client| drop(client.thread.join().expect("no panic")));
    let events = proxy.wait_for("its event", |events| {
        events.iter().any(|e| e["kind"] == "statement" && e["sql"]["raw"] == "select 'never sent'")
    });
    // The server's last words came while it was asked for, so they are its answer; else it was skipped.
    let sql = &statement(&events, "never sent")["sql"];
    assert!(sql["outcome"] == "skipped" || sql["sqlState"] == "57P01", "{sql}");
    assert!(!ran(rig, "never sent").contains("select 'never sent'"));
    Ok(())
}

/// Whatever of a test's statements the server ran was told before; and what waited did not run.
fn nothing_ran_unseen(rig: &Rig, events: &[Value], test: &str, sent: usize) -> Result<(), Failed> {
    let intended: BTreeSet<String> = texts(events).collect();
    let ran = ran(rig, test);
    let unseen: Vec<_> = ran.difference(&intended).take(3).collect();
    assert!(unseen.is_empty(), "{} ran, {} intended: {unseen:?}", ran.len(), intended.len());
    assert!(!ran.is_empty() && ran.len() <= sent, "{} of {sent} ran", ran.len());
    println!("strict, {test}: {sent} sent, {} ran, {} intended", ran.len(), intended.len());
    Ok(())
}

/// The texts with these words that the server ran, once their sessions are over.
fn ran(rig: &Rig, words: &str) -> BTreeSet<String> {
    wait_for("the server to log the end of each session", || {
        let all = sessions(&rig.server().log());
        let ours: Vec<_> =
            all.into_values().filter(|s| s.units.iter().any(|unit| unit.text.contains(words))).collect();
        let texts = || ours.iter().flat_map(|session| &session.units).map(|unit| unit.text.clone());
        ours.iter()
            .all(|session| session.ended)
            .then(|| texts().filter(|text| text.contains(words)).collect())
    })
}

/// A client that sends statements one by one until it is sent away.
struct Client {
    sent: Arc<AtomicUsize>,
    thread: thread::JoinHandle<(usize, Vec<String>)>,
}

/// Far more than the journal holds.
const STATEMENTS: usize = 3_000;
const TEXT: usize = 2_000;

fn clients(port: u16, test: &str) -> Vec<Client> {
    let client = |client: usize| {
        let sent = Arc::<AtomicUsize>::default();
        let (count, test) = (Arc::clone(&sent), test.to_owned());
        let thread = thread::spawn(move || {
            let Ok(mut session) = Raw::connect(port) else { return (0, Vec::new()) };
            for n in 0..STATEMENTS {
                let text = format!("select '{test} {client} {n} {}'", "x".repeat(TEXT));
                if session.stream().write_all(&query(&text)).is_err() {
                    return (n, Vec::new());
                }
                count.store(n + 1, Ordering::Relaxed);
                match session.exchange_or_last() {
                    Ok(answer) if answer.errors.is_empty() && answer.completed == 1 => {}
                    Ok(answer) => return (n + 1, answer.errors),
                    Err(_) => return (n + 1, Vec::new()),
                }
            }
            (STATEMENTS, Vec::new())
        });
        Client { sent, thread }
    };
    (0..2).map(client).collect()
}

/// Waits until nothing moves for a while; how many statements were sent.
fn wait_until_all_wait(clients: &[Client]) -> usize {
    const WHILE: Duration = Duration::from_millis(500);
    let sent = || clients.iter().map(|client| client.sent.load(Ordering::Relaxed)).sum();
    let (mut last, mut since) = (0, Instant::now());
    wait_for("clients to wait", || {
        let now = sent();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() > WHILE).then_some(now)
    })
}
