"""What pg8000 puts on the wire: a pure Python driver, each statement an unnamed Parse with text parameters.

Where to connect comes from the PG* variables. Nothing that differs between two runs is printed.
"""

import datetime
import decimal
import io
import os
import uuid

import pg8000.native


def main():
    conn = connect()
    for part in (schema, simple, parameters, prepared, several, errors, transactions, copying, notifications):
        print(f"== {part.__name__}")
        part(conn)
        show("notices", [(n[b"S"], n[b"C"], n[b"M"]) for n in conn.notices])
        conn.notices.clear()
    conn.run("drop schema pg8000_mix cascade")
    conn.close()


def connect():
    env = os.environ
    return pg8000.native.Connection(
        env["PGUSER"], host=env["PGHOST"], port=int(env["PGPORT"]), database=env["PGDATABASE"],
        password=env.get("PGPASSWORD"), application_name="pg8000_mix")


def show(*values):
    print(*(repr(v) for v in values))


def run(conn, query, **params):
    try:
        rows = conn.run(query, **params)
        show(rows, conn.row_count, [c["name"] for c in conn.columns] if conn.columns else None)
    except pg8000.native.DatabaseError as e:
        fields = e.args[0]
        show("error", {k: fields[k] for k in sorted(fields) if k in "SCMP"} if isinstance(fields, dict) else str(e))


def schema(conn):
    run(conn, "drop schema if exists pg8000_mix cascade")
    run(conn, "create schema pg8000_mix")
    run(conn, "create table pg8000_mix.item (id int primary key, name text, price numeric)")


def simple(conn):
    run(conn, "insert into pg8000_mix.item select n, 'name ' || n from generate_series(1, 20) n")
    run(conn, "select id, name from pg8000_mix.item where id < 4 order by id")
    run(conn, "update pg8000_mix.item set price = id / 3.0 where id < 3 returning *")
    run(conn, "delete from pg8000_mix.item where id = 20")
    run(conn, "")


def parameters(conn):
    moment = datetime.datetime(2026, 11, 22, 9, 14, 3, 218411)
    for value in (1, 2**40, 1.5, decimal.Decimal("1.50"), True, "text \u20ac", b"\x00\xff", moment, moment.date(), moment.time(),
                  datetime.timedelta(days=2), uuid.UUID("01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21"), [1, 2, 3], ["a", None], None):
        run(conn, "select :value as value", value=value)
    run(conn, "select id from pg8000_mix.item where id between :low and :high order by id", low=3, high=5)
    run(conn, "insert into pg8000_mix.item (id, name) values (:id, :name)", id=100, name="param")


def prepared(conn):
    statement = conn.prepare("select name from pg8000_mix.item where id = :id")
    for n in (1, 2, 100, 1000):
        show(statement.run(id=n))
    statement.close()


def several(conn):
    run(conn, "select 1 /* n=2 */; select 2")
    run(conn, "/* n=3 */ insert into pg8000_mix.item (id) values (200); select 1 / 0; select 3")
    run(conn, "select count(*) from pg8000_mix.item where id = 200")


def errors(conn):
    run(conn, "selct 1")
    run(conn, "select * from pg8000_mix.nothing")
    run(conn, "select 1 / :n", n=0)
    run(conn, "selct :n", n=0)
    run(conn, "insert into pg8000_mix.item (id) values (:id)", id=1)
    run(conn, "select cast(:n as int)", n="not a number")
    run(conn, "select 'the session lives'")


def transactions(conn):
    for query in ("begin", "insert into pg8000_mix.item (id) values (300)", "savepoint s", "select 1 / 0", "select 1",
                  "rollback to savepoint s", "commit", "select id from pg8000_mix.item where id >= 300",
                  "begin", "delete from pg8000_mix.item", "rollback", "select count(*) from pg8000_mix.item"):
        run(conn, query)


def copying(conn):
    conn.run("copy pg8000_mix.item (id, name) from stdin", stream=io.BytesIO(b"400\tfour hundred\n401\t\\N\n"))
    show(conn.row_count)
    conn.run("copy pg8000_mix.item (id, name) from stdin (format csv)", stream=["402,from an iterable\n", "403,second\n"])
    target = io.BytesIO()
    conn.run("copy (select id, name from pg8000_mix.item where id >= 400 order by id) to stdout", stream=target)
    show(target.getvalue())


def notifications(conn):
    run(conn, "listen pg8000_mix")
    run(conn, "notify pg8000_mix, 'to myself'")
    run(conn, "select 1")
    show([(channel, payload) for _, channel, payload in conn.notifications])
    run(conn, "do $$ begin raise notice 'a notice'; raise warning 'a warning'; end $$")


main()
