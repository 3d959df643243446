"""What asyncpg puts on the wire: named statements, binary parameters and results, portals fetched in parts, binary COPY.

Where to connect comes from the PG* variables. Nothing that differs between two runs is printed.
"""

import asyncio
import datetime
import decimal
import io
import uuid

import asyncpg

TIMEOUT = 60  # seconds; a bound for waits, never a measure


async def main():
    conn = await connect()
    conn.add_log_listener(lambda _, m: show("notice", m.severity, m.sqlstate, m.message))
    for part in (schema, simple, parameters, prepared, errors, transactions, cursors, copying, listen_notify, cancelled):
        print(f"== {part.__name__}")
        await part(conn)
    await conn.execute("drop schema asyncpg_mix cascade")
    await conn.close()
    print("== pooled")
    await pooled()


async def connect():
    return await asyncpg.connect(server_settings={"application_name": "asyncpg_mix"}, command_timeout=TIMEOUT)


def show(*values):
    print(*(repr(v) for v in values))


async def run(conn, query, *args, method="fetch"):
    try:
        result = await getattr(conn, method)(query, *args)
        show([tuple(r) for r in result] if isinstance(result, list) else result)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as e:
        show("error", getattr(e, "sqlstate", None), str(e))


async def schema(conn):
    await conn.execute("drop schema if exists asyncpg_mix cascade; create schema asyncpg_mix /* n=2 */")
    await run(conn, "create table asyncpg_mix.item (id int primary key, name text, tags text[], data jsonb)", method="execute")
    await run(conn, "create type asyncpg_mix.mood as enum ('sad', 'ok', 'happy')", method="execute")
    await run(conn, "create type asyncpg_mix.pair as (a int, b text)", method="execute")
    show(conn.get_server_pid() == await conn.fetchval("select pg_backend_pid()"))


async def simple(conn):
    await run(conn, "insert into asyncpg_mix.item (id, name) select n, 'name ' || n from generate_series(1, 50) n", method="execute")
    await run(conn, "select 1; select 2; select 3 /* n=3 */", method="execute")
    await run(conn, "insert into asyncpg_mix.item (id) values (60); select 1 / 0; select 1 /* n=3 */", method="execute")
    await run(conn, "select count(*) from asyncpg_mix.item")
    await run(conn, "update asyncpg_mix.item set name = 'new' where id > $1", 45, method="execute")


async def parameters(conn):
    moment = datetime.datetime(2026, 11, 22, 9, 14, 3, 218411, tzinfo=datetime.timezone.utc)
    typed = [
        ("int2", -3), ("int4", 7), ("int8", 2**62), ("float4", 0.5), ("float8", 1.1), ("numeric", decimal.Decimal("123.4500")),
        ("bool", True), ("text", "text €"), ("varchar", "varchar"), ("bytea", b"\x00\xff"), ("timestamptz", moment),
        ("uuid", uuid.UUID("01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21")), ("date", moment.date()), ("time", moment.time()),
        ("timestamp", moment.replace(tzinfo=None)), ("interval", datetime.timedelta(days=1, seconds=2)),
        ("json", '{"a": 1}'), ("jsonb", '[1, "two"]'), ("inet", "192.0.2.1"), ("int4[]", [1, None, 3]),
        ("text[]", ["a", 'b"c', None]), ("int4[]", [[1, 2], [3, 4]]), ("point", (1.0, 2.0)), ("int4range", (1, 5)),
        ("asyncpg_mix.mood", "happy"), ("asyncpg_mix.pair", (1, "b")), ("text", None),
    ]
    for name, value in typed:
        await run(conn, f"select $1::{name} as value", value)
    await conn.executemany("insert into asyncpg_mix.item (id, name) values ($1, $2)", [(100 + n, f"many {n}") for n in range(50)])
    try:
        await conn.executemany("insert into asyncpg_mix.item (id) values ($1)", [(200,), (201,), (1,), (202,)])
    except asyncpg.PostgresError as e:
        show("error", e.sqlstate)
    await run(conn, "select count(*) from asyncpg_mix.item where id >= $1", 100)


async def prepared(conn):
    statement = await conn.prepare("select name from asyncpg_mix.item where id = $1")
    show([p.name for p in statement.get_parameters()], [a.name for a in statement.get_attributes()])
    for n in (1, 2, 3, 1000):
        show(await statement.fetchval(n))
    # A plan that the server finds stale: asyncpg prepares again.
    await conn.fetch("select * from asyncpg_mix.item where id = $1", 1)
    await conn.execute("alter table asyncpg_mix.item add column extra int")
    await run(conn, "select * from asyncpg_mix.item where id = $1", 1)
    await conn.reload_schema_state()
    await run(conn, "select * from asyncpg_mix.item where id = $1", 1)


async def errors(conn):
    await run(conn, "selct $1", 1)
    await run(conn, "select * from asyncpg_mix.nothing")
    await run(conn, "select 1 / $1::int", 0)
    await run(conn, "insert into asyncpg_mix.item (id) values ($1)", 1, method="execute")
    await run(conn, "select $1::int", "not a number")  # refused by asyncpg itself
    await run(conn, "select 1; select 2")
    await run(conn, "select length($1)", "z" * 1_000_000)


async def transactions(conn):
    async with conn.transaction():
        await conn.execute("insert into asyncpg_mix.item (id) values ($1)", 300)
        try:
            async with conn.transaction():
                await conn.execute("insert into asyncpg_mix.item (id) values ($1)", 300)
        except asyncpg.PostgresError as e:
            show("error", e.sqlstate)
    try:
        async with conn.transaction(isolation="serializable", readonly=True):
            await conn.execute("insert into asyncpg_mix.item (id) values (301)")
    except asyncpg.PostgresError as e:
        show("error", e.sqlstate)
    await run(conn, "select id from asyncpg_mix.item where id >= 300")


async def cursors(conn):
    async with conn.transaction():
        seen = []
        async for row in conn.cursor("select id from asyncpg_mix.item where id < $1 order by id", 40, prefetch=10):
            seen.append(row["id"])
        show(seen)
        cursor = await conn.cursor("select n from generate_series(1, 20) n")
        show([r[0] for r in await cursor.fetch(5)])
        show(await cursor.forward(3))
        show([r[0] for r in await cursor.fetch(100)])
        two = await conn.cursor("insert into asyncpg_mix.item (id) values (310), (311), (312) returning id")
        show([r[0] for r in await two.fetch(2)], [r[0] for r in await two.fetch(2)])


async def copying(conn):
    rows = [(400 + n, f"copied {n}", [str(n)], None, n) for n in range(1000)]
    show(await conn.copy_records_to_table("item", schema_name="asyncpg_mix", records=rows))
    source = io.BytesIO(b"2000,from csv\n2001,and another\n")
    show(await conn.copy_to_table("item", schema_name="asyncpg_mix", columns=["id", "name"], source=source, format="csv"))
    for form in ("text", "binary"):
        target = io.BytesIO()
        tag = await conn.copy_from_query("select id, name from asyncpg_mix.item where id < $1 order by id", 5, output=target, format=form)
        show(tag, target.getvalue())
    try:
        await conn.copy_to_table("item", schema_name="asyncpg_mix", columns=["id"], source=io.BytesIO(b"1\n"))
    except asyncpg.PostgresError as e:
        show("error", e.sqlstate)


async def listen_notify(conn):
    heard = asyncio.Queue()
    await conn.add_listener("asyncpg_mix", lambda _, pid, channel, payload: heard.put_nowait((pid, channel, payload)))
    other = await connect()
    await other.execute("notify asyncpg_mix, 'from another'")
    pid, channel, payload = await asyncio.wait_for(heard.get(), TIMEOUT)
    show(pid == other.get_server_pid(), channel, payload)
    await other.close()
    await conn.reset()
    await run(conn, "do $$ begin raise notice 'a notice'; raise warning 'a warning'; end $$", method="execute")


async def cancelled(conn):
    """The task is cancelled when the server says that the statement sleeps; asyncpg then sends a CancelRequest."""
    watcher = await connect()
    sleeper = asyncio.create_task(conn.fetch("select pg_sleep($1)", TIMEOUT))
    query = "select 1 from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'"
    async with asyncio.timeout(TIMEOUT):
        while not await watcher.fetch(query, conn.get_server_pid()):
            pass
    sleeper.cancel()
    try:
        await sleeper
    except asyncio.CancelledError:
        show("cancelled")
    await watcher.close()
    await run(conn, "select 'the session lives'")


async def pooled():
    settings = {"application_name": "asyncpg_mix"}
    async with asyncpg.create_pool(min_size=4, max_size=4, server_settings=settings) as pool:
        async def one(n):
            async with pool.acquire() as conn:
                async with conn.transaction():
                    return await conn.fetchval("select $1::int * 2", n)
        show(sorted(await asyncio.gather(*(one(n) for n in range(40)))))


asyncio.run(main())
