"""What is said in each transcript of a MySQL: the scenes that it plays otherwise than a MariaDB does, and its own."""

import struct

import scenes
import wire
from scenes import NEW, long
from wire import BASE, CONNECT_ATTRS, DEPRECATE_EOF, MULTI_STATEMENTS, OPTIONAL_METADATA, PASSWORD, QUERY_ATTRIBUTES, SESSION_TRACK, SEVERAL_FACTORS, integer, sha2, string

SCENES = {}
EMPTY = {"password": "", "plugin": "caching_sha2_password"}

# Played by a MariaDB too.
for name in (
    "b1-login", "b4-queries-without-eof", "b4-several-statements", "b4-empty-statements", "b4-procedures",
    "b4-prepared-without-eof", "b4-cursor", "b4-cursor-without-eof", "b4-out-parameters", "b4-local-infile",
    "b4-binlog-dump", "b5-all-types", "b5-transactions", "b5-timeout",
    "b5-sql-mode-of-a-moment", "b5-transactions-by-name", "b5-torn-execution", "b5-last-prepared",
    "b5-character-sets", "b5-ansi-quotes", "b5-killed-benchmark", "b5-prepared-in-sql", "b4-field-list",
    "b4-several-statements-unasked", "b4-prepared", "b4-long-data", "b5-sql-mode",
):
    play, login = scenes.SCENES[name]
    SCENES[name + "-my"] = (play, {**EMPTY, **login})


def scene(**login):
    """A scene that is played after a login, or without one (`login=False`)."""

    def add(play):
        SCENES[play.__name__.replace("_", "-")] = (play, {**EMPTY, **login} if login.get("login", True) else login)
        return play

    return add


def proof(talk, capabilities=BASE, password=PASSWORD):
    talk.greet()
    talk.send(talk.respond(user="sha", plugin="caching_sha2_password", proof=sha2(password, talk.scramble), capabilities=capabilities))
    return talk.packet()


def by_key(talk, password=PASSWORD):
    """The server does not know the password by heart: it wants it whole, by its key."""
    talk.send((talk.number + 1, b"\2"))
    key = talk.packet()[1:]
    secret = bytes(a ^ b for a, b in zip(password.encode() + b"\0", (talk.scramble * 9)))
    talk.send((talk.number + 1, wire.encrypt(key, secret)))
    return talk.packet()


@scene(login=False)
def b1_sha2_full_my(talk, server):
    """caching_sha2_password on plain TCP: the server asks for the password, and gives its RSA key."""
    server.sql("flush privileges")
    assert proof(talk)[:2] == b"\1\4"
    assert by_key(talk)[0] == 0
    talk.query("select 1")
    talk.quit()


@scene(login=False)
def b1_sha2_fast_my(talk, server):
    """The same again: it knows the password by heart."""
    with wire.Talk(server.port) as before:
        if proof(before)[:2] == b"\1\4":
            by_key(before)
    assert proof(talk)[:2] == b"\1\3"
    talk.packet()
    talk.query("select 1")
    talk.quit()


@scene(login=False)
def b1_sha2_full_refused_my(talk, server):
    """By the key, and wrong."""
    server.sql("flush privileges")
    assert proof(talk, password="wrong")[:2] == b"\1\4"
    assert by_key(talk, "wrong")[0] == 0xFF
    talk.end()


@scene(login=False)
def b1_second_factor_my(talk, server):
    """A second factor: AuthNextFactor. Before its device is registered it lets in, to do that alone."""
    server.sql("create user factors@'%' identified with caching_sha2_password by '' and identified with authentication_webauthn")
    talk.greet()
    talk.send(talk.respond(user="factors", capabilities=BASE | SEVERAL_FACTORS, **EMPTY))
    assert talk.packet()[0] == 2
    assert talk.packet()[0] == 0
    talk.query("select 1")
    talk.quit()


@scene(capabilities=BASE | CONNECT_ATTRS, attributes={"a": "b"}, schema="shop")
def b4_change_user_my(talk, _):
    """COM_CHANGE_USER: a switch to the method of the other user, its rounds, and another session."""
    talk.command(0x11, b"sha\0\0shop\0\x2d\0caching_sha2_password\0" + string(string("program_name") + string("other")))
    last = talk.packet()
    if last[0] == 0xFE:
        scramble = last[1:].split(b"\0", 1)[1][:20]
        talk.scramble = scramble
        talk.send((talk.number + 1, sha2(PASSWORD, scramble)))
        last = talk.packet()
    if last[:2] == b"\1\4":
        by_key(talk)
    elif last[:2] == b"\1\3":
        talk.packet()
    talk.query("select current_user()")
    talk.quit()


@scene(collation=8)
def b4_reset_my(talk, _):
    """COM_RESET_CONNECTION: the session has the server's character set, not that of the login."""
    talk.command(3, b"select 'caf\xe9'")
    talk.results()
    talk.command(0x1F)
    talk.packet()
    talk.query("select 'caf\u00e9', @@character_set_client")
    talk.quit()


@scene(capabilities=NEW)
def b4_session_track_my(talk, _):
    """Variables and the schema as they change, in the OKs."""
    for sql in ("use shop", "set names latin1", "set autocommit = 0", "select 1", "set time_zone = '+01:00'", "drop database if exists gone", "use mysql"):
        talk.query(sql)
    talk.quit()


def attributes(*pairs):
    """Ahead of a query: numbers, NULLs, names and values."""
    head = integer(len(pairs)) + integer(1)
    if not pairs:
        return head
    types = b"".join(struct.pack("<H", 253) + string(name) for name, _ in pairs)
    return head + bytes((len(pairs) + 7) // 8) + b"\1" + types + b"".join(string(value) for _, value in pairs)


@scene(capabilities=NEW | QUERY_ATTRIBUTES)
def b4_query_attributes_my(talk, _):
    """COM_QUERY with attributes, without, with several statements; COM_STMT_EXECUTE with a parameter that has a name."""
    context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for ahead, sql in (
        (attributes(("traceparent", context), ("page", "7")), "select mysql_query_attribute_string('page')"),
        (attributes(), "select 1"),
        (attributes(("route", "/x")), "select 1; select 2"),
        (attributes(("route", "/x")), "selct"),
    ):
        talk.command(3, ahead + sql.encode())
        talk.results()
    number = talk.prepare("select ?")
    body = struct.pack("<BIBI", 0x17, number, 8, 1) + integer(2) + b"\0\1"
    body += struct.pack("<H", 3) + string("") + struct.pack("<H", 253) + string("route") + long(5) + string("/y")
    talk.send((0, body))
    talk.results()
    talk.quit()


@scene(capabilities=BASE | OPTIONAL_METADATA, schema="shop")
def b4_without_metadata_my(talk, _):
    """resultset_metadata = NONE: no definitions, and their EOFs all the same."""
    talk.query("select id from items")
    talk.query("set resultset_metadata = none")
    talk.query("select id from items")
    number = talk.prepare("select ?, id from items")
    talk.execute(number, [(3, long(1))])
    talk.query("set resultset_metadata = full")
    talk.query("select id from items")
    talk.quit()


@scene(capabilities=NEW | OPTIONAL_METADATA, schema="shop")
def b4_without_metadata_and_eof_my(talk, _):
    """The same where there are no EOFs."""
    talk.query("set resultset_metadata = none")
    talk.query("select id from items")
    number = talk.prepare("select ?, id from items")
    talk.execute(number, [(3, long(1))])
    talk.quit()


@scene(schema="shop", capabilities=NEW)
def b4_out_parameters_without_eof_my(talk, _):
    """CALL of a prepared statement, where there are no EOFs."""
    number = talk.prepare("call outs(?, ?)")
    talk.execute(number, [(3, long(21)), (3, None)])
    talk.quit()


@scene(schema="shop")
def b4_simple_commands_my(talk, _):
    """Commands that are answered by OK, by a text, or as unknown: a MySQL 9 has fewer of them."""
    for code, body in ((0x02, b"mysql"), (0x02, b"nowhere"), (0x0E, b""), (0x09, b""), (0x0D, b""), (0x07, b"\1"), (0x0A, b""), (0x0C, long(99999)), (0x05, b"new_one"), (0x06, b"new_one"), (0x1F, b"")):
        talk.command(code, body)
        talk.packet()
    talk.quit()


@scene(login=False)
def b1_fetch_behind_login_my(talk, _):
    """COM_STMT_FETCH and COM_QUERY in one write with the login."""
    talk.greet()
    talk.send(talk.respond(**EMPTY), (0, b"\x1c" + long(7) + long(2)), (0, b"\x03select 1"))
    talk.packet()
    talk.packet()
    talk.result()
    talk.quit()


@scene()
def b4_binlog_dump_gtid_my(talk, _):
    """COM_BINLOG_DUMP_GTID that ends with the log, and the session with it."""
    talk.query("set @source_binlog_checksum = 'NONE'")
    talk.command(0x1E, struct.pack("<HII", 1, 77, 0) + struct.pack("<QI", 4, 8) + bytes(8))
    talk.rows([])
    talk.end()


@scene(schema="shop")
def b5_killed_query_my(talk, server):
    """KILL QUERY of a sleep, which a MySQL ends with a row, and of a statement that reads."""
    scenes.killed(talk, server, "select sleep(60)", "query")
    talk.results()
    talk.query("select 1")
    talk.quit()


@scene()
def b5_killed_connection_my(talk, server):
    """KILL: the end, with a word or without."""
    scenes.killed(talk, server, "select sleep(60)", "connection")
    talk.end()
