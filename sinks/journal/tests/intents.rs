//! Intents without an outcome: kept while they are open, told once behind a crash.

use panoptes_event::{Event, Meta, Outcome, Session, Sql, Verdict};

use super::*;

/// A session of a strict listener, as an auditor would write it.
struct Client {
    journal: Journal,
    session: Uuid,
    seq: u64,
}

impl Client {
    fn new(journal: &Journal) -> Self {
        Self { journal: journal.clone(), session: Uuid::now_v7(), seq: 0 }
    }

    fn write(&mut self, kind: Kind, id: Uuid, intents: Option<(Uuid, u32)>) {
        self.seq += 1;
        let session = Session { id: self.session, seq: Some(self.seq), ..Session::default() };
        let outcome = (kind == Kind::Statement).then_some(Outcome::Ok);
        let sql = Sql { raw: Some("select 'padding of some length'".into()), outcome, ..Sql::default() };
        let mut batch = Batch::default();
        batch.event(id, kind, 5, |event| {
            event.member("meta", &Meta { app_name: "shop".into(), ..Meta::default() });
            event.member("sql", &sql).member("session", &session);
            if let Some((first, count)) = intents {
                event.uuid("intentId", first).optional("intentCount", Some(count).filter(|count| *count > 1));
            }
        });
        if let Some((first, count)) = intents {
            batch.meets(first, count);
        }
        self.journal.append(&batch).unwrap();
    }

    fn intends(&mut self) -> Uuid {
        let id = Uuid::now_v7();
        self.write(Kind::Intent, id, None);
        id
    }

    fn meets(&mut self, first: Uuid, count: u32) {
        self.write(Kind::Statement, Uuid::now_v7(), Some((first, count)));
    }
}

/// What a kill leaves.
fn killed(dir: &Path) -> tempfile::TempDir {
    let image = image(dir);
    fs::write(image.path().join(crate::journal::open::RUNNING), "").unwrap();
    image
}

fn events(journal: &Journal) -> Vec<Event> {
    journal.0.shared.tail.forget();
    let mut events = Vec::new();
    scan::scan(journal.dir(), 0..=u64::MAX, |seen| {
        if let scan::Seen::Event { json, .. } = seen {
            events.push(serde_json::from_slice(json).unwrap());
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })
    .unwrap();
    events
}

/// Of the outcomes that a start wrote: the intent, and the number in the session.
fn lost(events: &[Event]) -> Vec<(Uuid, u64)> {
    let lost =
        events.iter().filter(|event| event.sql.as_ref().and_then(|sql| sql.outcome) == Some(Outcome::Lost));
    lost.map(|event| {
        let (sql, session) = (event.sql.as_ref().unwrap(), event.session.as_ref().unwrap());
        assert_eq!((event.kind, sql.success), (Kind::Statement, Some(false)));
        assert_eq!(sql.raw.as_deref(), Some("select 'padding of some length'"));
        assert_eq!(event.transaction.as_ref().unwrap().verdict, Some(Verdict::Unknown));
        assert_eq!(event.meta.app_name, "shop");
        (event.intent_id.unwrap(), session.seq.unwrap())
    })
    .collect()
}

#[test]
fn what_was_under_way_at_a_crash_is_told_once_however_often_it_crashes() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path()));
    let (mut one, mut other) = (Client::new(&journal), Client::new(&journal));
    let met = one.intends();
    let [first, second] = [one.intends(), other.intends()];
    one.meets(met, 1);
    let several = other.intends();
    other.write(Kind::Intent, Uuid::from_u128(several.as_u128() + 1), None);
    other.meets(several, 2);
    assert_eq!((journal.stats().intents, journal.stats().open_intents), (5, 2));
    let mut dir = killed(dir.path());
    for crash in 0..3 {
        let journal = open(&small(dir.path()));
        assert_eq!(lost(&events(&journal)), [(first, 4), (second, 5)], "crash {crash}");
        assert_eq!(journal.stats().open_intents, 0);
        dir = killed(journal.dir());
    }
}

#[test]
fn a_crash_while_outcomes_are_told_leaves_the_rest_to_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let options = config::Journal { segment_size: ByteSize::kib(16), ..options(dir.path()) };
    let journal = open(&options);
    let mut client = Client::new(&journal);
    let intents = [(); 4].map(|()| client.intends());
    let crashed = killed(dir.path());
    let (_, before) = last(&journal);
    drop(open(&config::Journal { dir: crashed.path().to_owned(), ..options.clone() }));
    let path = crashed.path().join(segment::name(1));
    let whole = fs::read(&path).unwrap();
    // Wherever the outcomes, and the gap event before them, are torn.
    for end in (before as usize..whole.len()).step_by(113) {
        let torn = killed(dir.path());
        fs::write(torn.path().join(segment::name(1)), &whole[..end]).unwrap();
        let journal = open(&config::Journal { dir: torn.path().to_owned(), ..options.clone() });
        let expected: Vec<_> = intents.into_iter().zip(5..).collect();
        assert_eq!(lost(&events(&journal)), expected, "torn at {end}");
    }
}

#[test]
fn a_journal_that_was_closed_has_nothing_to_tell() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(&small(dir.path()));
    Client::new(&journal).intends();
    drop(journal);
    assert_eq!(lost(&events(&open(&small(dir.path())))), []);
}

#[test]
fn segments_of_open_intents_are_kept_while_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let options = config::Journal { max_size: ByteSize::kib(64), ..small(dir.path()) };
    let journal = open(&options);
    let mut follower = journal.follow("sink").unwrap();
    let mut client = Client::new(&journal);
    let pass = |follower: &mut Follower| {
        append(&journal, 10);
        rest(follower);
        follower.save();
    };
    let mut long = client.intends();
    (0..10).for_each(|_| pass(&mut follower));
    assert_eq!(firsts(&journal).first(), Some(&1), "kept, though every sink has passed it");
    client.meets(long, 1);
    pass(&mut follower);
    assert!(firsts(&journal).len() <= 2, "{:?}", firsts(&journal));
    long = client.intends();
    let begun = journal.stats().last_seq;
    while journal.stats().open_intents > 0 {
        pass(&mut follower);
        assert!(journal.stats().bytes < 56 << 10);
    }
    assert!(journal.stats().last_seq > begun + 100, "not at once");
    client.meets(long, 1);
}
