"""What is said to the server: one function a transcript, its first line the row of the catalogue."""

import wire
from wire import B, C, D, DONE, E, F, GSSENC, H, P, Q, S, SSL, X, cancel, data, fail, frame, packet, run, startup, text, version

SCENES = {}


def scene(only=None, **login):
    """Registers a scene. `login`: parameters of a login by trust; `login=False`: the scene logs in by itself."""

    def register(function):
        SCENES[function.__name__.replace("_", "-")] = function, only, login
        return function

    return register


def ends(talk):
    talk.send(X)
    talk.end()


# A1: before the login

@scene(login=False)
def a1_ssl_declined(talk, _):
    """SSLRequest to a server without TLS: one byte N, then a plain login."""
    talk.send(SSL)
    talk.byte()
    talk.login()
    ends(talk)


@scene(only="18", login=False)  # Debian's 15 knows GSSAPI, and says G
def a1_gssenc_and_ssl_declined(talk, _):
    """GSSENCRequest: N; SSLRequest on the same connection: N; login."""
    talk.send(GSSENC)
    talk.byte()
    talk.send(SSL)
    talk.byte()
    talk.login()
    ends(talk)


@scene(login=False)
def a1_query_behind_startup(talk, _):
    """StartupMessage and Query in one write (trust): both are executed."""
    talk.login(Q("select 1 as early"))
    talk.until("Z")
    ends(talk)


@scene(login=False)
def a1_query_behind_refused_startup(talk, _):
    """StartupMessage and Query in one write, no such database: FATAL 3D000, the Query never runs."""
    talk.send(startup(database="nowhere"), Q("select 1 as early"))
    talk.end()


@scene(login=False)
def a1_second_startup_during_scram(talk, _):
    """A second StartupMessage where a SASL response is due: FATAL 08P01."""
    talk.send(startup(user="scram_user"))
    talk.until("R")
    talk.send(startup())
    talk.end()


@scene(login=False)
def a1_startup_of_7_bytes(talk, _):
    """A startup packet that is too short: silence."""
    talk.send(b"\0\0\0\x07\0\3\0")
    talk.end()


@scene(login=False)
def a1_startup_of_10005_bytes(talk, _):
    """A startup packet that is too long: silence."""
    talk.send(b"\0\0\x27\x15\0\3\0\0user\0")
    talk.end()


@scene(login=False)
def a1_startup_without_terminator(talk, _):
    """A startup packet of 8 bytes: FATAL 08P01."""
    talk.send(packet(version(3)))
    talk.end()


@scene(login=False)
def a1_ssl_twice(talk, _):
    """A second SSLRequest is taken for a protocol version: FATAL 0A000."""
    talk.send(SSL)
    talk.byte()
    talk.send(SSL)
    talk.end()


@scene(login=False)
def a1_protocol_2(talk, _):
    """Protocol 2.0: FATAL 0A000."""
    talk.send(packet(version(2), bytes(288)))
    talk.end()


@scene(login=False)
def a1_startup_options(talk, _):
    """Settings in the startup packet; application_name and client_encoding are reported."""
    talk.login(application_name="shop", client_encoding="LATIN1", options="-c search_path=pg_catalog -c statement_timeout=5s")
    talk.send(Q("show statement_timeout"))
    talk.until("Z")
    ends(talk)


# A2: versions and keys

@scene(only="18", login=False)
def a2_protocol_3_2(talk, _):
    """Protocol 3.2: a key of 32 bytes."""
    talk.login(code=version(3, 2))
    ends(talk)


@scene(login=False)
def a2_protocol_3_9999(talk, _):
    """A minor version from the future, and options that nobody knows: NegotiateProtocolVersion, then the login."""
    talk.login(code=version(3, 9999), **{"_pq_.foo": "bar"})
    ends(talk)


@scene(login=False)
def a2_unknown_option(talk, _):
    """Protocol 3.0 with an option that nobody knows: NegotiateProtocolVersion."""
    talk.login(**{"_pq_.foo": "bar"})
    ends(talk)


@scene(login=False)
def a2_protocol_4(talk, _):
    """A major version from the future: FATAL 0A000."""
    talk.send(packet(version(4), text("user") + text("postgres") + b"\0"))
    talk.end()


# A3: cancel

@scene()
def a3_cancelled(talk, server):
    """A CancelRequest on another connection: ERROR 57014, the session lives."""
    talk.send(Q("select pg_sleep(60)"))
    wire.wait(lambda: server.sql("select 1 from pg_stat_activity where query = 'select pg_sleep(60)' and wait_event = 'PgSleep'"))
    with wire.Talk(server.port) as other:
        other.send(cancel(*talk.key))
        other.end()
    talk.until("Z")
    ends(talk)


# A5: logins

@scene(login=False)
def a5_md5(talk, _):
    """AuthenticationMD5Password."""
    talk.md5("md5_user", wire.PASSWORD)
    talk.until("Z")
    ends(talk)


@scene(login=False)
def a5_md5_wrong(talk, _):
    """AuthenticationMD5Password, wrong password: FATAL 28P01."""
    talk.md5("md5_user", "wrong")
    talk.end()


@scene(login=False)
def a5_scram(talk, _):
    """AuthenticationSASL with SCRAM-SHA-256."""
    talk.scram("scram_user", wire.PASSWORD)
    talk.until("Z")
    ends(talk)


@scene(login=False)
def a5_scram_wrong(talk, _):
    """AuthenticationSASL, wrong password: FATAL 28P01."""
    talk.scram("scram_user", "wrong")
    talk.end()


@scene(login=False)
def a5_password(talk, _):
    """AuthenticationCleartextPassword."""
    talk.cleartext("cleartext_user", wire.PASSWORD)
    talk.until("Z")
    ends(talk)


@scene(login=False)
def a5_password_wrong(talk, _):
    """AuthenticationCleartextPassword, wrong password: FATAL 28P01."""
    talk.cleartext("cleartext_user", "wrong")
    talk.end()


@scene(login=False)
def a5_password_given_up(talk, _):
    """The client leaves when it is asked for a password (psql does, to prompt)."""
    talk.send(startup(user="scram_user"))
    talk.until("R")
    talk.finish()
    talk.end()


@scene(login=False)
def a5_no_such_role(talk, _):
    """No such role, by trust: FATAL 28000."""
    talk.send(startup(user="nobody"))
    talk.end()


@scene(login=False)
def a5_no_such_database(talk, _):
    """No such database, after the password was right: FATAL 3D000."""
    talk.send(startup(user="md5_user", database="nowhere"))
    salt = talk.until("R")[-1][1][4:]
    inner = wire.hashlib.md5((wire.PASSWORD + "md5_user").encode()).hexdigest()
    talk.send(frame("p", text("md5" + wire.hashlib.md5(inner.encode() + salt).hexdigest())))
    talk.end()


# A6: simple query

@scene()
def a6_one(talk, _):
    """One statement, rows."""
    talk.send(Q("select generate_series(1, 3)"))
    talk.until("Z")
    ends(talk)


@scene()
def a6_empty(talk, _):
    """Nothing, blanks and semicolons, a comment: EmptyQueryResponse each."""
    for sql in ("", " ; ;", "-- nothing", "/* nothing */ ;"):
        talk.send(Q(sql))
        talk.until("Z")
    ends(talk)


@scene()
def a6_multi(talk, _):
    """Four statements in one text: four answers."""
    talk.send(Q("select 1; create temp table t (a int); insert into t values (1), (2); select a from t"))
    talk.until("Z")
    ends(talk)


@scene()
def a6_multi_error(talk, server):
    """An error in the middle: what was complete is undone, what follows never runs."""
    talk.send(Q("create table a6 (a int); insert into a6 values (1); select 1/0; insert into a6 values (2)"))
    talk.until("Z")
    assert server.sql("select to_regclass('a6')") == [[None]]
    ends(talk)


@scene()
def a6_begin_commit_inside(talk, server):
    """BEGIN and COMMIT inside a text: what was committed stays, though an error follows."""
    server.sql("create table a6_c (a int)")
    talk.send(Q("begin; insert into a6_c values (1); commit; select 1/0; select 2"))
    talk.until("Z")
    assert server.sql("select a from a6_c") == [["1"]]
    ends(talk)


@scene()
def a6_begin_left_open(talk, _):
    """BEGIN in a text, the block stays open: the status says so."""
    talk.send(Q("begin; select 1"))
    talk.until("Z")
    talk.send(Q("select 1/0; select 2"))
    talk.until("Z")
    talk.send(Q("select 3"))
    talk.until("Z")
    talk.send(Q("rollback"))
    talk.until("Z")
    ends(talk)


@scene()
def a6_raw_parse_failure(talk, _):
    """A syntax error in the second statement: nothing of the text runs."""
    talk.send(Q("select 1; selct 2"))
    talk.until("Z")
    ends(talk)


@scene()
def a6_query_without_nul(talk, _):
    """A text without its NUL: ERROR 08P01, the session lives."""
    talk.send(frame("Q", b"select 1"))
    talk.until("Z")
    talk.send(Q("select 2"))
    talk.until("Z")
    ends(talk)


@scene()
def a6_query_with_inner_nul(talk, _):
    """A text with a NUL inside: ERROR 08P01, the session lives."""
    talk.send(frame("Q", b"select 1\0; drop table x\0"))
    talk.until("Z")
    talk.send(frame("Q"))
    talk.until("Z")
    ends(talk)


@scene()
def a6_deferred_constraint(talk, server):
    """A deferred constraint fails behind the last statement: its error takes the place of that statement's answer."""
    server.sql("create table a6_d (a int unique deferrable initially deferred); insert into a6_d values (1)")
    talk.send(Q("insert into a6_d values (1); select 2"))
    talk.until("Z")
    talk.send(Q("insert into a6_d values (1)"))
    talk.until("Z")
    assert server.sql("select a from a6_d") == [["1"]]
    ends(talk)


@scene()
def a6_pipelined(talk, _):
    """Three texts in one write."""
    talk.send(Q("select 1; select 2"), Q("select 1/0"), Q("select 3"))
    talk.until("ZZZ")
    ends(talk)


@scene()
def a6_warnings(talk, _):
    """Warnings and notices: only warnings are counted, each with its own statement."""
    talk.send(Q("do $$ begin raise warning 'a'; raise warning 'b'; raise notice 'c'; end $$; select 1; rollback"))
    talk.until("Z")
    ends(talk)


# A7: extended protocol

@scene()
def a7_once(talk, _):
    """Parse, Bind, Describe, Execute, Sync with a parameter."""
    talk.send(P("select $1::int + 1", types=[23]), B(values=[b"41"]), D("P"), E(), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_prepared(talk, _):
    """A named statement, described, then run twice: its parameter types are told."""
    talk.send(P("select $1 + 1, $2::text", "s1"), D("S", "s1"), S)
    talk.until("Z")
    for value in (b"1", None):
        talk.send(B("s1", values=[value, b"x"]), E(), S)
        talk.until("Z")
    talk.send(C("S", "s1"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_pipeline_error(talk, server):
    """Three executions up to one Sync, the second fails: the first is undone, the third skipped."""
    server.sql("create table a7_p (a int)")
    talk.send(run("insert into a7_p values (1)"), run("select 1/0"), run("insert into a7_p values (2)"), S)
    talk.until("Z")
    assert server.sql("select a from a7_p") == []
    ends(talk)


@scene()
def a7_pipeline_parse_error(talk, _):
    """Parse fails: Bind, Describe, Execute are skipped; the next Sync's work is done."""
    talk.send(P("selct 1"), B(), D("P"), E(), S, run("select 2"), S)
    talk.until("ZZ")
    ends(talk)


@scene()
def a7_pipeline_bind_error(talk, _):
    """Bind fails on a value, Describe on a name, Execute and Close are skipped or not by what came first."""
    talk.send(P("select $1::int"), B(values=[b"x"]), D("P"), E(), S)
    talk.until("Z")
    talk.send(D("S", "none"), C("S", "none"), S)
    talk.until("Z")
    talk.send(E("none"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_pipeline_commit(talk, server):
    """COMMIT inside a pipeline: what was before it stays, though an error follows."""
    server.sql("create table a7_c (a int)")
    talk.send(run("begin"), run("insert into a7_c values (1)"), run("commit"), run("select 1/0"), S)
    talk.until("Z")
    assert server.sql("select a from a7_c") == [["1"]]
    ends(talk)


@scene()
def a7_deferred_constraint(talk, server):
    """A deferred constraint fails at Sync, though Execute was complete."""
    server.sql("create table a7_d (a int unique deferrable initially deferred); insert into a7_d values (1)")
    talk.send(run("insert into a7_d values (1)"), S)
    talk.until("Z")
    assert server.sql("select a from a7_d") == [["1"]]
    talk.send(run("select 1"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_skipped_as_they_come(talk, _):
    """The server passes over what comes between an error and the next Sync, a Query and a Flush with a body too."""
    talk.send(run("select 1/0"), H)
    talk.until("E")
    talk.send(run("select 1"), C("S", "x"), D("S", "x"), frame("H", b"x"), data(b"x"), DONE)
    talk.send(Q("create table never (a int)"), F(177, b"1", b"2"))
    talk.send(S)
    talk.until("Z")
    talk.send(Q("select 2"))
    talk.until("Z")
    ends(talk)


@scene()
def a7_portal_thrice(talk, _):
    """Five rows by two: suspended twice, then complete."""
    talk.send(P("select generate_series(1, 5)"), B(), E(rows=2), E(rows=2), E(rows=2), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_insert_returning_by_portions(talk, _):
    """INSERT RETURNING by two: the last tag counts only what the last Execute returned."""
    talk.send(Q("create temp table t (a int)"))
    talk.until("Z")
    talk.send(P("insert into t select generate_series(1, 5) returning a"), B(), E(rows=2), E(rows=2), E(rows=2), S)
    talk.until("Z")
    talk.send(P("insert into t select generate_series(1, 5)"), B(), E(rows=2), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_two_portals(talk, _):
    """Two portals of one statement, in turn."""
    talk.send(P("select generate_series(1, $1::int)", "s"), B("s", "p1", [b"2"]), B("s", "p2", [b"3"]))
    talk.send(E("p1", 1), E("p2", 1), E("p1"), E("p2"), C("P", "p1"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_portal_life(talk, _):
    """A portal dies at Sync outside of a block (34000), and lives on inside of one."""
    talk.send(P("select generate_series(1, 3)", "s"), B("s", "p"), E("p", 1), S)
    talk.until("Z")
    talk.send(E("p", 1), S)
    talk.until("Z")
    talk.send(Q("begin"))
    talk.until("Z")
    talk.send(B("s", "p"), E("p", 1), S)
    talk.until("Z")
    talk.send(E("p", 1), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_parse_of_a_live_name(talk, _):
    """Parse of a name that is taken: 42P05."""
    talk.send(P("select 1", "s"), S, P("select 2", "s"), S, B("s"), E(), S)
    talk.until("ZZZ")
    ends(talk)


@scene()
def a7_close_of_unknown(talk, _):
    """Close of what is not there is no error."""
    talk.send(C("S", "none"), C("P", "none"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_describe_of_ddl(talk, _):
    """Describe of what returns no rows: NoData."""
    talk.send(P("create temp table t (a int)", "ddl"), D("S", "ddl"), B("ddl"), D("P"), E(), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_names_shared_with_sql(talk, _):
    """EXECUTE of what Parse prepared, Bind of what PREPARE prepared; DEALLOCATE and DISCARD clear both."""
    talk.send(P("select 1", "s"), S)
    talk.until("Z")
    talk.send(Q("execute s; prepare y as select 2"))
    talk.until("Z")
    talk.send(B("y"), E(), S)
    talk.until("Z")
    talk.send(Q("deallocate all"))
    talk.until("Z")
    talk.send(B("s"), E(), S, B("y"), E(), S)
    talk.until("ZZ")
    ends(talk)


@scene()
def a7_unnamed_statement(talk, _):
    """Sync keeps the unnamed statement, a Query takes it away (26000)."""
    talk.send(P("select 1"), S)
    talk.until("Z")
    talk.send(B(), E(), S)
    talk.until("Z")
    talk.send(Q("select 2"))
    talk.until("Z")
    talk.send(B(), E(), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_empty(talk, _):
    """An empty statement: EmptyQueryResponse to Execute."""
    talk.send(P(""), B(), D("P"), E(), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_two_statements_in_parse(talk, _):
    """Two statements in a Parse: 42601."""
    talk.send(run("select 1; select 2"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_sync_with_payload(talk, _):
    """A Sync with a body: ERROR 08P01 and ReadyForQuery; what was complete is undone."""
    talk.send(run("select 1"), frame("S", b"Q\0\0\0\x0dselect 1\0"))
    talk.until("Z")
    talk.send(run("select 2"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a7_flush_with_payload(talk, _):
    """A Flush with a body: ERROR 08P01, and everything up to the next Sync is skipped."""
    talk.send(run("select 1"), frame("H", b"x"), run("select 2"), S, run("select 3"), S)
    talk.until("ZZ")
    ends(talk)


@scene()
def a7_malformed_bodies(talk, _):
    """Bodies that are torn or too long: ERROR 08P01 each, skipped up to Sync."""
    for bad in (
        frame("B", b"p"),
        frame("B", b"\0\0\0\0\0\x05\0\0"),
        frame("P", b"s\0select 1"),
        frame("P", b"\0select 1\0\0\x02\0\0"),
        frame("E", b"p"),
        frame("E", b"\0\0"),
        frame("D"),
        frame("D", b"X\0"),
        frame("C", b"Q\0"),
        frame("C", b"S\0behind"),
    ):
        talk.send(bad, run("select 1"), S)
        talk.until("Z")
    talk.send(frame("F", b"\0\0"))
    talk.until("Z")
    talk.send(run("select 2"), S)
    talk.until("Z")
    ends(talk)


@scene(only="15")  # 18.4 answers Z(T), then Z(I) without a commit, then XX000: a bug of the server
def a7_query_without_sync(talk, server):
    """A Query behind Execute without a Sync between: it commits both."""
    server.sql("create table a7_q (a int)")
    talk.send(run("insert into a7_q values (1)"), Q("insert into a7_q values (2)"))
    talk.until("Z")
    assert server.sql("select a from a7_q") == [["1"], ["2"]]
    ends(talk)


@scene()
def a7_long_names(talk, _):
    """Names longer than NAMEDATALEN are cut: the same statement by its first 63 bytes."""
    talk.send(P("select 1", "n" * 100), B("n" * 63), E(), B("n" * 63 + "m"), E(), S)
    talk.until("Z")
    ends(talk)


# A8: COPY and others

COPY = "create temp table t (a int)"


def with_table(talk):
    talk.send(Q(COPY))
    talk.until("Z")


@scene()
def a8_copy_in(talk, _):
    """COPY FROM STDIN by Query."""
    with_table(talk)
    talk.send(Q("copy t from stdin"))
    talk.until("G")
    talk.send(data(b"1\n2\n"), data(b"3\n"), DONE)
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_in_unasked(talk, _):
    """COPY FROM STDIN by Query, data and CopyDone in the same write, and more behind it."""
    with_table(talk)
    talk.send(Q("select 1"), Q("copy t from stdin"), data(b"1\n2\n"), DONE, Q("copy t from stdin"), data(b"3\n"), DONE, Q("select 2"))
    talk.until("ZZZZ")
    ends(talk)


@scene()
def a8_copy_fail(talk, _):
    """CopyFail: ERROR 57014."""
    with_table(talk)
    talk.send(Q("copy t from stdin"))
    talk.until("G")
    talk.send(data(b"1\n"), fail("no more"))
    talk.until("Z")
    talk.send(Q("select 1"))
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_server_error(talk, _):
    """Bad data: E Z while the client still sends; what it still sends is passed over."""
    with_table(talk)
    talk.send(Q("copy t from stdin"))
    talk.until("G")
    talk.send(data(b"bad\n"))
    talk.send(data(b"1\n"), data(b"2\n"))
    talk.until("Z")
    talk.send(data(b"3\n"), DONE, Q("select 1"))
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_server_error_before_done(talk, _):
    """Bad data, CopyDone and the next Query in one write."""
    with_table(talk)
    talk.send(Q("copy t from stdin"))
    talk.until("G")
    talk.send(data(b"bad\n"), data(b"1\n"), DONE, Q("select 1"))
    talk.until("ZZ")
    ends(talk)


@scene()
def a8_copy_sync_and_flush_inside(talk, _):
    """Sync and Flush (with a body too) while the server reads COPY data: passed over."""
    with_table(talk)
    talk.send(Q("copy t from stdin"))
    talk.until("G")
    talk.send(data(b"1\n"), S, H, frame("H", b"x"), frame("S", b"x"), data(b"2\n"), DONE)
    talk.until("Z")
    talk.send(Q("select 1"))
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_query_inside(talk, _):
    """A Query while the server reads COPY data: ERROR 08P01, then FATAL 08P01, and the end."""
    with_table(talk)
    talk.send(Q("copy t from stdin"))
    talk.until("G")
    talk.send(data(b"1\n"), Q("select 1"))
    talk.end()


@scene()
def a8_copy_in_multi(talk, _):
    """Two COPYs and a SELECT in one text."""
    with_table(talk)
    talk.send(Q("copy t from stdin; copy t from stdin; select count(*) from t"))
    talk.until("G")
    talk.send(data(b"1\n"), DONE)
    talk.until("G")
    talk.send(data(b"2\n"), data(b"3\n"), DONE)
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_in_multi_error(talk, _):
    """Two COPYs in one text, the first fails by CopyFail, the data of the second comes nevertheless."""
    with_table(talk)
    talk.send(Q("copy t from stdin; copy t from stdin; select 1"))
    talk.until("G")
    talk.send(data(b"1\n"), fail("no"), data(b"2\n"), DONE, Q("select 2"))
    talk.until("ZZ")
    ends(talk)


@scene()
def a8_copy_in_extended(talk, _):
    """COPY FROM STDIN by Execute, as libpq does: Sync right behind Execute (passed over), another behind CopyDone."""
    with_table(talk)
    talk.send(P("copy t from stdin"), B(), D("P"), E(), S)
    talk.until("G")
    talk.send(data(b"1\n"), DONE, S)
    talk.until("Z")
    talk.send(run("select 1"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_in_extended_unasked(talk, _):
    """The same in one write, with a SELECT behind it."""
    with_table(talk)
    talk.send(P("copy t from stdin"), B(), E(), S, data(b"1\n2\n"), DONE, S, run("select 1"), S)
    talk.until("ZZ")
    ends(talk)


@scene()
def a8_copy_in_extended_bad_data(talk, _):
    """Bad data, as libpq sends it: the Sync behind Execute was passed over, the one behind CopyDone counts."""
    with_table(talk)
    talk.send(P("copy t from stdin"), B(), D("P"), E(), S)
    talk.until("G")
    talk.send(data(b"bad\n"), DONE, S)
    talk.until("Z")
    talk.send(run("select 1"), S)
    talk.until("Z")
    talk.send(Q("select 2"))
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_in_extended_bad_data_seen(talk, _):
    """The same, but the client sees the error before it sends CopyDone and Sync."""
    with_table(talk)
    talk.send(P("copy t from stdin"), B(), D("P"), E(), S)
    talk.until("G")
    talk.send(data(b"bad\n"))
    talk.until("E")
    talk.send(DONE, S)
    talk.until("Z")
    talk.send(Q("select 1/0"))
    talk.until("Z")
    talk.send(Q("select 2"))
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_in_extended_refused_late(talk, _):
    """COPY to a view: the server asks for data, then fails before it reads any; the Sync behind Execute counts."""
    talk.send(Q("create temp view v as select 1 as a"))
    talk.until("Z")
    talk.send(P("copy v from stdin"), B(), E(), S)
    talk.until("Z")
    talk.send(Q("select 1"))
    talk.until("Z")
    talk.send(run("select 2"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_in_extended_refused_late_libpq(talk, _):
    """The same, but the client sends CopyDone and Sync all the same: two times ready."""
    talk.send(Q("create temp view v as select 1 as a"))
    talk.until("Z")
    talk.send(P("copy v from stdin"), B(), E(), S)
    talk.until("G")
    talk.send(DONE, S)
    talk.until("ZZ")
    talk.send(Q("select 1"))
    talk.until("Z")
    talk.send(run("select 2"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_in_extended_query_behind_error(talk, _):
    """Bad data, a Sync and a Query in one write: the Sync counts, the Query runs. Nobody may take it for skipped."""
    with_table(talk)
    talk.send(run("copy t from stdin"), H)
    talk.until("G")
    talk.send(data(b"bad\n"), S, Q("select 'evil'"))
    talk.until("ZZ")
    talk.send(Q("select 1"))
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_in_extended_query_skipped(talk, _):
    """A Sync (passed over), bad data and a Query in one write: the Query is skipped, up to the second Sync. On the wire
    this cannot be told from the scene before: the answers come late by one, and the observer says so."""
    with_table(talk)
    talk.send(run("copy t from stdin"), H)
    talk.until("G")
    talk.send(S, data(b"bad\n"), Q("select 'skipped'"), S)
    talk.until("Z")
    for sql in ("select 1", "select 2", "select 3"):
        talk.send(Q(sql))
        talk.until("Z")
    ends(talk)


@scene()
def a8_copy_in_simple_sync_behind_error(talk, _):
    """COPY by Query, bad data and a Sync in one write: the Sync counts, so two times ready."""
    with_table(talk)
    talk.send(Q("copy t from stdin"))
    talk.until("G")
    talk.send(data(b"bad\n"), S, Q("select 'evil'"))
    talk.until("ZZZ")
    talk.send(Q("select 1"))
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_out(talk, _):
    """COPY TO STDOUT by Query and by Execute."""
    talk.send(Q("copy (select generate_series(1, 3)) to stdout"))
    talk.until("Z")
    talk.send(P("copy (select generate_series(1, 3)) to stdout"), B(), D("P"), E(), S)
    talk.until("Z")
    talk.send(Q("copy (select 1) to stdout; select 2"))
    talk.until("Z")
    ends(talk)


@scene()
def a8_copy_out_error(talk, _):
    """COPY TO STDOUT that fails in the middle."""
    talk.send(Q("copy (select 1/(3 - a) from generate_series(1, 5) a) to stdout"))
    talk.until("Z")
    ends(talk)


@scene(replication="database")
def a8_replication_commands(talk, _):
    """A walsender for a database: replication commands and SQL; the extended protocol is refused."""
    talk.send(Q("IDENTIFY_SYSTEM"))
    talk.until("Z")
    talk.send(Q("select 1"))
    talk.until("Z")
    talk.send(run("select 1"), S)
    talk.until("Z")
    talk.send(F(177, b"1", b"2"))
    talk.until("Z")
    ends(talk)


def stream(talk, server, table):
    """Begins a replication stream, and makes something come over it."""
    ((position,),) = server.sql("select pg_current_wal_lsn()")
    talk.send(Q(f"START_REPLICATION PHYSICAL {position}"))
    talk.until("W")
    server.sql(f"create table {table} (a int); insert into {table} values (1)")
    talk.until("d")


@scene(replication="true")
def a8_replication_stream(talk, server):
    """START_REPLICATION: CopyBothResponse, data both ways, ended by CopyDone; then another command."""
    stream(talk, server, "a8_r")
    talk.send(data(b"r" + bytes(33)))
    talk.send(DONE)
    talk.until("Z")
    talk.send(Q("IDENTIFY_SYSTEM"))
    talk.until("Z")
    ends(talk)


@scene(replication="true")
def a8_replication_stream_refused(talk, _):
    """START_REPLICATION of WAL that is no more: CopyBothResponse, then the error. Another command goes on."""
    talk.send(Q("START_REPLICATION 0/1"))
    talk.until("WZ")
    talk.send(Q("IDENTIFY_SYSTEM"))
    talk.until("Z")
    ends(talk)


@scene(replication="true")
def a8_replication_stream_left(talk, server):
    """A stream that the client ends by Terminate."""
    stream(talk, server, "a8_l")
    talk.send(data(b"r" + bytes(33)))
    ends(talk)


@scene(replication="true")
def a8_replication_stream_killed(talk, server):
    """A stream that the server ends: pg_terminate_backend."""
    stream(talk, server, "a8_k")
    server.sql(f"select pg_terminate_backend({talk.key[0]})")
    talk.end()


@scene()
def a8_function_call(talk, _):
    """FunctionCall: int4pl(1, 2), then a function that fails, then one that is not there."""
    talk.send(F(177, b"1", b"2"))
    talk.until("Z")
    talk.send(F(154, b"1", b"0"))
    talk.until("Z")
    talk.send(F(1))
    talk.until("Z")
    talk.send(Q("select 1"))
    talk.until("Z")
    ends(talk)


@scene()
def a8_notifications(talk, server):
    """LISTEN, NOTIFY: NotificationResponse at any time, with no place in the queue."""
    talk.send(Q("listen news"))
    talk.until("Z")
    talk.send(Q("notify news, 'own'"))
    talk.until("Z")
    server.sql("notify news, 'other'")
    talk.until("A")
    talk.send(run("select 1"), S)
    talk.until("Z")
    ends(talk)


# A9: transactions and session state

@scene()
def a9_failed_commit(talk, _):
    """COMMIT of a failed block is answered ROLLBACK."""
    talk.send(Q("begin"))
    talk.until("Z")
    talk.send(Q("select 1/0"))
    talk.until("Z")
    talk.send(Q("commit"))
    talk.until("Z")
    ends(talk)


@scene()
def a9_deferred_at_commit(talk, server):
    """A deferred constraint fails at COMMIT."""
    server.sql("create table a9_d (a int unique deferrable initially deferred); insert into a9_d values (1)")
    talk.send(Q("begin"))
    talk.until("Z")
    talk.send(Q("insert into a9_d values (1)"))
    talk.until("Z")
    talk.send(Q("commit"))
    talk.until("Z")
    ends(talk)


@scene()
def a9_commit_and_chain(talk, _):
    """COMMIT AND CHAIN: a block stays open."""
    for sql in ("begin", "select 1", "commit and chain", "rollback and chain", "rollback"):
        talk.send(Q(sql))
        talk.until("Z")
    ends(talk)


@scene()
def a9_savepoint(talk, _):
    """ROLLBACK TO brings a failed block back."""
    for sql in ("begin", "savepoint a", "select 1/0", "rollback to a", "release a", "commit"):
        talk.send(Q(sql))
        talk.until("Z")
    ends(talk)


@scene()
def a9_parameter_status(talk, _):
    """Parameters are reported as they change, and as a rollback changes them back."""
    for sql in (
        "set application_name = 'shop'",
        "begin; set local timezone = 'Asia/Tokyo'; rollback",
        "select set_config('datestyle', 'German', false)",
        "set role pg_monitor",
        "set client_encoding = 'LATIN1'",
    ):
        talk.send(Q(sql))
        talk.until("Z")
    ends(talk)


@scene()
def a9_encoding_in_a_pipeline(talk, _):
    """client_encoding set, and set back, between two statements of a pipeline: reported at its end only."""
    e_utf8, e_latin1 = "select 'é'".encode(), "select 'é'".encode("latin-1")
    talk.send(Q("set client_encoding = 'LATIN1'"))
    talk.until("Z")
    talk.send(run(e_latin1), run("set client_encoding to 'UTF8'"), run(e_utf8), run("set names 'latin1'"), run(e_latin1), S)
    talk.until("Z")
    talk.send(run("select set_config('client_encoding', 'UTF8', false)"), run(e_utf8), S)
    talk.until("Z")
    talk.send(run("begin"), run("set local client_encoding = latin1"), run(e_latin1), run("rollback"), run(e_utf8), S)
    talk.until("Z")
    talk.send(run("set client_encoding = latin1"), run("reset client_encoding"), run(e_utf8), S)
    talk.until("Z")
    talk.send(Q(e_utf8))
    talk.until("Z")
    ends(talk)


@scene()
def a9_quotes_in_a_pipeline(talk, _):
    """standard_conforming_strings set between two statements of a pipeline."""
    odd = r"select 'a\', from t --'"
    talk.send(run("set standard_conforming_strings = off"), run(odd), S)
    talk.until("Z")
    talk.send(run("reset standard_conforming_strings"), run(r"select 'a\' as b"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a9_quotes_in_a_function(talk, server):
    """A function sets standard_conforming_strings, and a Query comes behind it before a Sync: who does not know it cuts that otherwise."""
    odd = r"select '\'' ; values (1); --'; values (2)"
    talk.send(run("do $$ begin perform set_config('standard_conforming_strings', 'off', false); end $$"), Q(odd))
    talk.until("Z")
    talk.send(Q(odd))
    talk.until("Z")
    talk.send(run("begin"), run("set local standard_conforming_strings = on"), run("rollback"), Q(odd))
    talk.until("Z")
    ends(talk)


@scene()
def a9_commits_at_once(talk, server):
    """What cannot run in a block is committed at once, whatever fails behind it."""
    server.sql("create table a9_o (a int)")
    server.sql("insert into a9_o values (1), (1)")
    for sql in ("create index concurrently a9_i on a9_o (a)", "vacuum a9_o", "reindex table a9_o", "drop index concurrently a9_i"):
        talk.send(run(sql), run("insert into a9_o values (2)"), run("select 1/0"), S)
        talk.until("Z")
    talk.send(Q("create unique index concurrently a9_u on a9_o (a)"))
    talk.until("Z")
    talk.send(run("insert into a9_o values (3)"), run("vacuum a9_o"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a9_prepared_in_a_pipeline(talk, server):
    """PREPARE TRANSACTION without BEGIN: 15 commits what was begun by itself, 18 prepares it."""
    server.sql("create table a9_t (a int)")
    talk.send(run("insert into a9_t values (1)"), run("prepare transaction 'a9p'"), S)
    talk.until("Z")
    assert server.sql("select a from a9_t") == ([["1"]] if server.name == "15" else [])
    if server.name == "18":
        server.sql("rollback prepared 'a9p'")
    ends(talk)


@scene()
def a9_rolls_back_itself(talk, server):
    """A procedure, and a DO, that roll back: they are done all the same."""
    server.sql("create table a9_r (a int)")
    server.sql("create procedure a9r() language plpgsql as $$ begin insert into a9_r values (1); rollback; end $$")
    for sql in (
        "call a9r()",
        "do $$ begin insert into a9_r values (2); rollback; end $$",
        "do $$ begin insert into a9_r values (3); end $$",
    ):
        talk.send(Q(sql))
        talk.until("Z")
    talk.send(run("insert into a9_r values (4)"), S, run("call a9r()"), run("insert into a9_r values (5)"), S)
    talk.until("ZZ")
    assert server.sql("select a from a9_r order by a") == [["3"], ["4"], ["5"]]
    ends(talk)


@scene()
def a9_call_with_commit(talk, server):
    """A procedure that commits, then fails."""
    server.sql("create table a9_p (a int)")
    server.sql("create procedure a9() language plpgsql as $$ begin insert into a9_p values (1); commit; insert into a9_p values (1/0); end $$")
    talk.send(Q("call a9()"))
    talk.until("Z")
    assert server.sql("select a from a9_p") == [["1"]]
    ends(talk)


@scene()
def a9_two_phase(talk, _):
    """PREPARE TRANSACTION, COMMIT PREPARED."""
    for sql in ("begin", "prepare transaction 'a9'", "commit prepared 'a9'"):
        talk.send(Q(sql))
        talk.until("Z")
    ends(talk)


# A10: endings

@scene()
def a10_terminate_without_sync(talk, server):
    """Execute and Flush, answered, then Terminate: not committed."""
    server.sql("create table a10_t (a int)")
    talk.send(run("insert into a10_t values (1)"), H)
    talk.until("C")
    talk.send(X)
    talk.end()
    assert server.sql("select a from a10_t") == []


@scene()
def a10_fin_without_sync(talk, server):
    """Execute and Flush, answered, then FIN: not committed."""
    server.sql("create table a10_f (a int)")
    talk.send(run("insert into a10_f values (1)"), H)
    talk.until("C")
    talk.finish()
    talk.end()
    assert server.sql("select a from a10_f") == []


@scene()
def a10_fin_in_a_pipeline(talk, server):
    """Parse, Bind, Execute and FIN: run by now, not committed."""
    server.sql("create table a10_p (a int)")
    talk.send(run("insert into a10_p values (1)"), run("select 1"))
    talk.finish()
    talk.end()
    assert server.sql("select a from a10_p") == []


@scene()
def a10_fin_behind_commit(talk, server):
    """Begin, insert and commit by Execute, and FIN without Sync: committed, and nobody was told."""
    server.sql("create table a10_c (a int)")
    talk.send(run("begin"), run("insert into a10_c values (1)"), run("commit"))
    talk.finish()
    talk.end()
    assert server.sql("select a from a10_c") == [["1"]]


@scene()
def a10_behind_terminate(talk, server):
    """What is sent behind Terminate is not read: neither a Query nor what is no message."""
    server.sql("create table a10_b (a int)")
    talk.send(Q("select 1"), X, Q("drop table a10_b"), b"!" + bytes(9))
    talk.end()
    assert server.sql("select a from a10_b") == []


@scene()
def a10_fin_behind_query(talk, server):
    """A Query and FIN: executed, committed, answered."""
    server.sql("create table a10_q (a int)")
    talk.send(Q("insert into a10_q values (1)"))
    talk.finish()
    talk.end()
    assert server.sql("select a from a10_q") == [["1"]]


@scene()
def a10_terminate_behind_query(talk, server):
    """A Query and Terminate in one write."""
    server.sql("create table a10_x (a int)")
    talk.send(Q("insert into a10_x values (1)"), X)
    talk.end()
    assert server.sql("select a from a10_x") == [["1"]]


@scene()
def a10_terminate_in_a_block(talk, server):
    """BEGIN, INSERT, Terminate: undone."""
    server.sql("create table a10_b (a int)")
    talk.send(Q("begin; insert into a10_b values (1)"))
    talk.until("Z")
    ends(talk)
    assert server.sql("select a from a10_b") == []


@scene()
def a10_statement_timeout(talk, _):
    """statement_timeout: ERROR 57014, the session lives."""
    talk.send(Q("set statement_timeout = 100"))
    talk.until("Z")
    talk.send(Q("select 1; select pg_sleep(60); select 2"))
    talk.until("Z")
    talk.send(run("select pg_sleep(60)"), S)
    talk.until("Z")
    ends(talk)


@scene()
def a10_terminated_while_idle(talk, server):
    """pg_terminate_backend on an idle session: FATAL 57P01 out of nothing."""
    talk.send(Q("select 1"))
    talk.until("Z")
    server.sql(f"select pg_terminate_backend({talk.key[0]})")
    talk.end()


@scene()
def a10_terminated_by_itself(talk, _):
    """pg_terminate_backend of its own session in the second of three statements, a Query behind it."""
    talk.send(Q("select 1; select pg_terminate_backend(pg_backend_pid()); select 2"), Q("select 3"))
    talk.end()


@scene()
def a10_terminated_in_a_pipeline(talk, _):
    """The same in a pipeline: what follows never runs."""
    talk.send(run("select 1"), run("select pg_terminate_backend(pg_backend_pid())"), run("select 2"), S)
    talk.end()


@scene()
def a10_idle_in_transaction_timeout(talk, _):
    """idle_in_transaction_session_timeout: FATAL 25P03."""
    talk.send(Q("set idle_in_transaction_session_timeout = 100; begin"))
    talk.until("Z")
    talk.end()


@scene(only="18")
def a10_transaction_timeout(talk, _):
    """transaction_timeout: FATAL 25P04 in the middle of a statement."""
    talk.send(Q("set transaction_timeout = 100"))
    talk.until("Z")
    talk.send(Q("select pg_sleep(60)"))
    talk.end()


@scene()
def a10_length_of_3(talk, _):
    """A length below four: silence, the end."""
    talk.send(Q("select 1"), b"Q\0\0\0\3")
    talk.end()


@scene()
def a10_sync_of_20000(talk, _):
    """A Sync that is too long: the end at its header."""
    talk.send(b"S" + (20000).to_bytes(4, "big"))
    talk.end()


@scene()
def a10_query_of_2_gib(talk, _):
    """A Query that is too long: the end at its header."""
    talk.send(b"Q\x7f\xff\xff\xff")
    talk.end()


@scene()
def a10_unknown_type(talk, _):
    """A type that nobody knows: FATAL 08P01."""
    talk.send(frame("!", b"what"))
    talk.end()
