"""Everything psycopg 3 can put on the wire; the transcript on stdout is the same for the same server.

Where to connect comes from the PG* variables (libpq's own). Nothing that differs between two runs is printed.
"""

import datetime
import decimal
import threading
import uuid

import psycopg
import psycopg.types.json

TIMEOUT = 60  # seconds; a bound for waits, never a measure


def main():
    with connect() as conn:
        conn.add_notice_handler(lambda d: show("notice", d.severity, d.sqlstate, d.message_primary))
        for part in (schema, simple, parameters, prepared, several, errors, transactions, savepoints, copying,
                     binary_copying, cursors, pipeline, pipeline_error, notices, listen_notify, cancelled,
                     function_call):
            print(f"== {part.__name__}")
            part(conn)
            conn.execute("drop table if exists psycopg_mix.scratch")
        conn.execute("drop schema psycopg_mix cascade")
    print("== endings")
    endings()


def connect(**options):
    return psycopg.connect(application_name="psycopg_mix", autocommit=True, **options)


def show(*values):
    print(*(repr(v) for v in values))


def run(conn, query, params=None, **options):
    """One execution and all of its results, or its error."""
    try:
        cur = conn.execute(query, params, **options)
        while True:
            show(cur.statusmessage, cur.rowcount, cur.fetchall() if cur.description else None)
            if not cur.nextset():
                return
    except psycopg.Error as e:
        error(e)


def error(e):
    show("error", e.sqlstate, e.diag.severity_nonlocalized, e.diag.message_primary, e.diag.statement_position)


def schema(conn):
    run(conn, "drop schema if exists psycopg_mix cascade")
    run(conn, "create schema psycopg_mix")
    run(conn, "create table psycopg_mix.item (id int primary key, name text, price numeric, born date, data jsonb)")
    show(conn.info.parameter_status("server_encoding"), conn.info.parameter_status("integer_datetimes"))
    show("pid is the server's", conn.info.backend_pid == conn.execute("select pg_backend_pid()").fetchone()[0])


def simple(conn):
    run(conn, "insert into psycopg_mix.item select n, 'name ' || n from generate_series(1, 20) n")
    run(conn, "select id, name from psycopg_mix.item where id <= 3 order by id")
    run(conn, "update psycopg_mix.item set price = id * 1.5 where id % 2 = 0")
    run(conn, "delete from psycopg_mix.item where id > 18 returning id, name")
    run(conn, "")
    run(conn, " ; -- nothing")


def parameters(conn):
    """Each common type there and back, as text and as binary."""
    moment = datetime.datetime(2026, 11, 22, 9, 14, 3, 218411, tzinfo=datetime.timezone.utc)
    values = [
        1, 2**31, 2**62, -7, 1.5, decimal.Decimal("12345.678900"), True, "text with 'quotes' and \u20ac", b"\x00\xff raw",
        uuid.UUID("01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21"), moment, moment.replace(tzinfo=None), moment.date(),
        moment.time(), datetime.timedelta(days=3, seconds=7, microseconds=5), None, [1, 2, None], ["a", "b,c", None],
    ]
    for binary in (False, True):
        mark = "%b" if binary else "%t"
        for value in values:
            run(conn, f"select {mark} as value", [value], binary=binary)
        run(conn, f"select {mark}::jsonb ->> 'k'", [psycopg.types.json.Jsonb({"k": [1, "two"]})], binary=binary)
    run(conn, "select %s::inet, %s::interval, %s::int4range", ["192.0.2.1/24", "1 day", "[1,5)"])
    run(conn, "insert into psycopg_mix.item (id, name, price, born, data) values (%s, %s, %s, %s, %s)",
        [100, "param", decimal.Decimal("9.99"), moment.date(), psycopg.types.json.Jsonb({"a": 1})])
    run(conn, "select * from psycopg_mix.item where id = %(id)s and name = %(name)s", {"id": 100, "name": "param"})
    with conn.cursor() as cur:
        cur.executemany("insert into psycopg_mix.item (id, name) values (%s, %s)", [(200 + n, f"many {n}") for n in range(10)])
        show(cur.rowcount)
        cur.executemany("insert into psycopg_mix.item (id) values (%s) returning id", [(220,), (221,)], returning=True)
        while True:
            show(cur.fetchall())
            if not cur.nextset():
                break


def prepared(conn):
    for n in range(3):
        run(conn, "select name from psycopg_mix.item where id = %s", [n + 1], prepare=True)
    for n in range(8):  # psycopg prepares by itself from the sixth on
        run(conn, "select %s::int + %s::int", [n, 1])
    run(conn, "deallocate all")
    conn.prepared_max = 2
    for n in range(4):  # a full cache: the oldest is deallocated
        run(conn, f"select {n} + %s::int", [n], prepare=True)
    conn.prepared_max = 100


def several(conn):
    run(conn, "select 1 /* n=3 */; select 'two', 2; select 3 where false")
    run(conn, "/* n=3 */ create table psycopg_mix.scratch (id int); insert into psycopg_mix.scratch values (1), (2); table psycopg_mix.scratch")
    run(conn, "/* n=3 */ insert into psycopg_mix.scratch values (3); select 1 / 0; select 4")
    run(conn, "table psycopg_mix.scratch")
    run(conn, "/* n=4 */ begin; insert into psycopg_mix.scratch values (5); commit; select 1 / 0")
    run(conn, "table psycopg_mix.scratch")


def errors(conn):
    run(conn, "selct 1")
    run(conn, "select * from psycopg_mix.nothing")
    run(conn, "select %s::int", ["not a number"])
    run(conn, "select 1 / %s::int", [0])
    run(conn, "select * from psycopg_mix.nothing where id = %s", [1])
    run(conn, "selct %s", [1])
    run(conn, "insert into psycopg_mix.item (id) values (%s)", [1])
    run(conn, "select 1; select %s", [1])  # refused by the server: two commands in one Parse
    run(conn, "select 'x' || repeat('y', 100000) as long where false")
    run(conn, "select length(%s)", ["z" * 1_000_000])
    run(conn, "select length(repeat('w', 1000000)), 'after a long answer'")


def transactions(conn):
    with conn.transaction():
        run(conn, "insert into psycopg_mix.item (id) values (300)")
    try:
        with conn.transaction():
            run(conn, "insert into psycopg_mix.item (id) values (%s)", [301])
            run(conn, "insert into psycopg_mix.item (id) values (%s)", [300])
            run(conn, "select 'in a failed transaction'")
            raise psycopg.Rollback()
    except psycopg.Error as e:
        error(e)
    run(conn, "select id from psycopg_mix.item where id >= 300 order by id")
    conn.autocommit = False
    run(conn, "insert into psycopg_mix.item (id) values (302)")
    conn.rollback()
    run(conn, "select id from psycopg_mix.item where id >= 300 order by id")
    conn.commit()
    conn.autocommit = True
    run(conn, "begin isolation level serializable")
    run(conn, "select count(*) from psycopg_mix.item where id = %s", [300])
    run(conn, "commit and chain")
    run(conn, "rollback")
    run(conn, "begin")
    run(conn, "select 1 / 0")
    run(conn, "commit")  # the server answers ROLLBACK


def savepoints(conn):
    with conn.transaction():
        run(conn, "insert into psycopg_mix.item (id) values (310)")
        try:
            with conn.transaction():
                conn.execute("insert into psycopg_mix.item (id) values (310)")
        except psycopg.Error as e:
            error(e)
        with conn.transaction("named"):
            run(conn, "insert into psycopg_mix.item (id) values (311)")
    run(conn, "select id from psycopg_mix.item where id >= 310 order by id")


def copying(conn):
    with conn.cursor() as cur:
        with cur.copy("copy psycopg_mix.item (id, name) from stdin") as copy:
            for n in range(400, 1400):
                copy.write_row((n, f"copied\t{n}\n" if n % 3 else None))
        show(cur.rowcount)
        with cur.copy("copy (select id, name from psycopg_mix.item where id between 400 and 410 order by id) to stdout") as copy:
            show(list(copy.rows()))
        with cur.copy("copy psycopg_mix.item (id) to stdout (format csv)") as copy:
            show(sum(len(block) for block in copy))
        try:
            with cur.copy("copy psycopg_mix.item (id) from stdin") as copy:
                copy.write("2000\nbroken\n2001\n")
        except psycopg.Error as e:
            error(e)
        try:
            with cur.copy("copy psycopg_mix.item (id) from stdin") as copy:
                copy.write("2002\n")
                raise ValueError("given up by the client")  # psycopg sends CopyFail
        except ValueError as e:
            show("raised", str(e))
        try:
            with cur.copy("copy psycopg_mix.nothing from stdin") as copy:
                copy.write("1\n")
        except psycopg.Error as e:
            error(e)
        with cur.copy("copy (select n from generate_series(1, %s) n) to stdout", [3]) as copy:
            show(b"".join(bytes(b) for b in copy))


def binary_copying(conn):
    run(conn, "create table psycopg_mix.scratch (id int4, name text, born date)")
    with conn.cursor() as cur:
        with cur.copy("copy psycopg_mix.scratch from stdin (format binary)") as copy:
            copy.set_types(["int4", "text", "date"])
            for n in range(100):
                copy.write_row((n, f"row {n}", datetime.date(2026, 1, 1) + datetime.timedelta(days=n)))
        show(cur.rowcount)
        with cur.copy("copy (select * from psycopg_mix.scratch order by id limit 3) to stdout (format binary)") as copy:
            copy.set_types(["int4", "text", "date"])
            show(list(copy.rows()))


def cursors(conn):
    with conn.transaction():
        with conn.cursor("declared") as cur:
            cur.execute("select id from psycopg_mix.item where id between %s and %s order by id", [400, 450])
            cur.itersize = 20
            show(cur.fetchmany(5), cur.fetchone(), len(cur.fetchall()))
        with conn.cursor("scrolling", scrollable=True, binary=True) as cur:
            cur.execute("select n from generate_series(1, 10) n")
            cur.scroll(5)
            show(cur.fetchone())
            cur.scroll(-3)
            show(cur.fetchone())
    cur = conn.cursor("held", withhold=True)
    cur.execute("select n from generate_series(1, 3) n")
    show(cur.fetchall())
    cur.close()
    with conn.cursor() as cur:  # row by row: single-row mode, or chunks
        show(sum(1 for _ in cur.stream("select n from generate_series(1, 1000) n")))


def pipeline(conn):
    with conn.pipeline() as p:
        one = conn.execute("select %s::int", [1])
        two = conn.execute("insert into psycopg_mix.item (id) values (%s)", [500_000])
        three = conn.execute("select name from psycopg_mix.item where id = 1")
        p.sync()
        four = conn.execute("select 'after the first sync'")
        show(one.fetchall(), two.rowcount, three.fetchall(), four.fetchall())
    with conn.pipeline():
        many = [conn.execute("select %s::int * 2", [n], prepare=True) for n in range(100)]
        show(sum(cur.fetchone()[0] for cur in many))


def pipeline_error(conn):
    """An error in the middle: what is before it in the same implicit transaction is undone, what follows is skipped.

    Whether psycopg has yet seen that preparing a statement failed is a matter of time, so it prepares none here.
    """
    conn.prepare_threshold = None
    conn.execute("create table psycopg_mix.scratch (id int)")
    try:
        with conn.pipeline() as p:
            for n in range(3):
                conn.execute("insert into psycopg_mix.scratch values (%s)", [n])
            conn.execute("select 1 / %s::int", [0])
            for n in range(3, 6):
                conn.execute("insert into psycopg_mix.scratch values (%s)", [n])
            p.sync()
            conn.execute("insert into psycopg_mix.scratch values (%s)", [100])
    except psycopg.Error as e:
        error(e)
    run(conn, "select id from psycopg_mix.scratch order by id")
    try:
        with conn.pipeline() as p:
            conn.execute("insert into psycopg_mix.scratch values (%s)", [200])
            conn.execute("select * from psycopg_mix.nothing where id = %s", [1])  # fails at its Parse
            conn.execute("insert into psycopg_mix.scratch values (%s)", [201])
            p.sync()
    except psycopg.Error as e:
        error(e)
    run(conn, "select id from psycopg_mix.scratch order by id")
    conn.prepare_threshold = 5


def notices(conn):
    run(conn, "do $$ begin raise notice 'a notice %', 1; raise warning 'a warning'; raise info 'info'; end $$")
    run(conn, "create table if not exists psycopg_mix.item (id int)")
    run(conn, "do $$ begin raise notice 'before an error'; raise exception 'own error' using errcode = 'PX001', hint = 'a hint'; end $$")
    run(conn, "commit")  # WARNING: there is no transaction in progress


def listen_notify(conn):
    run(conn, "listen psycopg_mix")
    run(conn, "notify psycopg_mix, 'from myself'")
    with connect() as other:
        other.execute("select pg_notify('psycopg_mix', 'from another')")
    for n in conn.notifies(timeout=TIMEOUT, stop_after=2):
        show(n.channel, n.payload, "from myself" == n.payload and n.pid == conn.info.backend_pid)
    run(conn, "unlisten psycopg_mix")


def cancelled(conn):
    """A cancel is sent when the server says that the statement sleeps, not when a while has passed."""
    for cancel in ("cancel", "cancel_safe"):
        caught = []
        victim = threading.Thread(target=lambda: caught.append(sleeping(conn)))
        victim.start()
        with connect() as watcher:
            wait_until_asleep(watcher, conn.info.backend_pid)
        getattr(conn, cancel)()
        victim.join(TIMEOUT)
        show(caught)
        run(conn, "select 'the session lives'")


def sleeping(conn):
    try:
        return conn.execute("select pg_sleep(%s)", [TIMEOUT]).fetchall()
    except psycopg.errors.QueryCanceled as e:
        return e.sqlstate, e.diag.message_primary


def wait_until_asleep(watcher, pid):
    deadline = datetime.datetime.now() + datetime.timedelta(seconds=TIMEOUT)
    query = "select 1 from pg_stat_activity where pid = %s and wait_event = 'PgSleep'"
    while not watcher.execute(query, [pid]).fetchall():
        if datetime.datetime.now() > deadline:
            raise TimeoutError(f"backend {pid} never slept")


def function_call(conn):
    """The fast path is what large objects use in libpq; psycopg has no call for it, so its SQL twin stands in."""
    with conn.transaction():
        oid = conn.execute("select lo_creat(-1)").fetchone()[0]
        run(conn, "select lo_put(%s, 0, %s)", [oid, b"large object"], binary=True)
        run(conn, "select lo_get(%s)", [oid])
        run(conn, "select lo_unlink(%s)", [oid])


def endings():
    with connect() as killer:
        victim = connect()
        killer.execute("select pg_terminate_backend(%s, %s)", [victim.info.backend_pid, TIMEOUT * 1000])
        try:
            victim.execute("select 1")
        except psycopg.Error as e:
            show("terminated", e.sqlstate)
        run(killer, "select 1")
    conn = connect()
    conn.execute("begin")
    conn.execute("create table public.psycopg_mix_undone (id int)")
    conn.close()  # the block is rolled back
    with connect() as other:
        run(other, "select to_regclass('public.psycopg_mix_undone')")
    try:
        connect(dbname="psycopg_mix_no_such_database")
    except psycopg.OperationalError as e:
        show("refused", str(e).split("FATAL:")[-1].strip())
    try:
        connect(options="-c nonsense.without_value")
    except psycopg.OperationalError as e:
        show("refused", str(e).split("FATAL:")[-1].strip())
    with connect(options="-c search_path=pg_catalog -c statement_timeout=0") as conn:
        run(conn, "show search_path")
    if psycopg.pq.version() >= 180000:  # protocol 3.2 where the server has it: longer cancel keys
        with connect(max_protocol_version="latest") as conn:
            run(conn, "select 'the newest protocol'")
            cancelled(conn)


main()
