"""What is said in each transcript. A scene's name begins with its row in the catalogue: connection phase (b1), packets
(b2), commands (b4), parameters, transactions and kills (b5); c is for clients as they are."""

import struct
import subprocess
import tempfile

import wire
from wire import BASE, CONNECT_ATTRS, DEPRECATE_EOF, LOCAL_FILES, MARIADB, MULTI_STATEMENTS, SESSION_TRACK, Talk, Tap, run, string

SCENES = {}
UNSIGNED = 0x8000
NEW = BASE | DEPRECATE_EOF | SESSION_TRACK | MULTI_STATEMENTS


def scene(**login):
    """A scene that is played after a login, or without one (`login=False`)."""

    def add(play):
        SCENES[play.__name__.replace("_", "-")] = (play, login)
        return play

    return add


def long(number):
    return struct.pack("<i", number)


# B1: the connection phase.


@scene(schema="shop", attributes={"_client_name": "scenes", "program_name": "shop", "_pid": "7"})
def b1_login(talk, _):
    """mysql_native_password, a schema, connection attributes."""
    talk.query("select database()")
    talk.quit()


@scene(login=False)
def b1_wrong_password(talk, _):
    """ERR 1045, and the end."""
    talk.greet()
    talk.send(talk.respond(password="wrong"))
    talk.end()


@scene(login=False)
def b1_no_such_user(talk, _):
    """ERR 1045."""
    talk.greet()
    talk.send(talk.respond(user="nobody"))
    talk.end()


@scene(login=False)
def b1_no_such_schema(talk, _):
    """ERR 1049 once the password was right."""
    talk.greet()
    talk.send(talk.respond(schema="nowhere"))
    talk.end()


@scene(plugin="caching_sha2_password")
def b1_auth_switch(talk, _):
    """The client proposes another plugin than the user's: AuthSwitchRequest."""
    talk.query("select 1")
    talk.quit()


@scene(login=False)
def b1_auth_switch_wrong(talk, _):
    """AuthSwitchRequest, and the wrong password."""
    talk.greet()
    talk.send(talk.respond(plugin="client_ed25519", proof=b""))
    talk.switch(talk.packet(), "wrong")
    talk.end()


@scene(login=False)
def b1_client_gone(talk, _):
    """The client leaves when it was asked for another proof."""
    talk.greet()
    talk.send(talk.respond(plugin="client_ed25519", proof=b""))
    talk.packet()


@scene(capabilities=BASE & ~(1 << 19))
def b1_without_plugins(talk, _):
    """A client that knows no plugins."""
    talk.query("select 1")
    talk.quit()


@scene(collation=255)
def b1_unknown_collation(talk, _):
    """A collation of MySQL 8, which this MariaDB does not know: the session has the server's own, as its greeting tells, and behind a reset
    another session's."""
    talk.command(3, b"select 'caf\xe9'")
    talk.results()
    talk.command(0x1F)
    talk.packet()
    talk.command(3, b"select 'caf\xe9'")
    talk.results()
    talk.query("set names utf8mb4")
    talk.query("select 'caf\u00e9'")
    talk.quit()


@scene(capabilities=NEW | MARIADB)
def b1_all_that_mariadb_has(talk, _):
    """MariaDB's own capabilities: a flag behind the number of columns."""
    talk.query("select id, name from shop.items")
    talk.query("select 1; select 2")
    talk.quit()


@scene(login=False)
def b1_query_behind_login(talk, _):
    """A query in one write with the login."""
    talk.greet()
    talk.send(talk.respond(), (0, b"\x03select 1"), (0, b"\x01"))
    talk.end()


@scene(login=False)
def b1_query_behind_refused_login(talk, _):
    """A query in one write with a login that is refused: it never ran."""
    talk.greet()
    talk.send(talk.respond(password="wrong"), (0, b"\x03select 1"))
    talk.end()


# B2: packets.


@scene()
def b2_pipeline(talk, _):
    """Two pings and a query in one write: answers in order."""
    talk.send((0, b"\x0e"), (0, b"\x0e"), (0, b"\x03select 1"), (0, b"\x02shop"), (0, b"\x03selct"), (0, b"\x03select 2"))
    for _ in range(6):
        talk.results()
    talk.quit()


@scene()
def b2_wrong_number(talk, _):
    """A command whose sequence number is not 0: ERR 1156, and the end."""
    talk.send((3, b"\x03select 1"))
    talk.end()


@scene()
def b2_empty(talk, _):
    """An empty packet is an unknown command: ERR 1047."""
    talk.send((0, b""))
    talk.packet()
    talk.query("select 1")
    talk.quit()


@scene()
def b2_unknown(talk, _):
    """Commands that nobody knows, or not any more: ERR 1047."""
    for code in (0x00, 0x0B, 0x0F, 0x10, 0x13, 0x14, 0x1D, 0x20, 0x77, 0xFE):
        talk.command(code)
        talk.packet()
    talk.query("select 1")
    talk.quit()


@scene(schema="shop")
def b2_sequence_wraps(talk, _):
    """300 rows: sequence numbers begin again."""
    talk.query("select seq from seq_1_to_300")
    talk.query("select 1")
    talk.quit()


# B4: commands.


@scene()
def b4_queries(talk, _):
    """OK with rows, numbers and remarks; errors; empty results; warnings."""
    for sql in (
        "insert into shop.items (name, price) values ('pin', 0.01), ('rod', 0.75)",
        "update shop.items set price = 0.80 where name = 'rod'",
        "delete from shop.items where name in ('pin', 'rod')",
        "select * from shop.items where id < 0",
        "select 1/0, 'a' + 1",
        "selct 1",
        "select * from nowhere.at_all",
        "",
        "-- nothing",
        "do 1",
    ):
        talk.query(sql)
    talk.quit()


@scene(capabilities=NEW)
def b4_queries_without_eof(talk, _):
    """The same with OK in place of EOF, and with session tracking."""
    talk.query("select id, name from shop.items")
    talk.query("select 1 where 1 = 0")
    talk.query("use shop")
    talk.query("set autocommit = 0, character_set_client = latin1")
    talk.query("set time_zone = '+01:00'")
    talk.quit()


@scene(capabilities=BASE | MULTI_STATEMENTS)
def b4_several_statements(talk, _):
    """Several statements, and one that fails: what was before it stays."""
    talk.query("select 1; insert into shop.items (name) values ('cog'); select 2, 3; delete from shop.items where name = 'cog'")
    talk.query("insert into shop.items (name) values ('cam'); selct; select 3")
    talk.query("delete from shop.items where name = 'cam'; select * from nowhere.at_all; select 3")
    talk.quit()


@scene(capabilities=BASE | MULTI_STATEMENTS)
def b4_empty_statements(talk, _):
    """An empty statement among others, or a version comment that this server does not run, is a syntax error; behind the last a comment is answered."""
    for sql in (
        "do 1; ; do 2",
        "; do 2",
        "-- nothing\n; do 2",
        "do 1; /*!50701 do 2 */; do 3",
        "do 1; /*M!100000 do 2 */; do 3",
        "/*!50701 do 1 */; do 2",
        "do 1; /*! */; do 2",
        "do 1; /*!99999 do 2 */",
        "do 1; /*!99999 do 2 */;",
        "/*!99999 do 1 */",
        "/*! */",
        "do 1; ;",
    ):
        talk.query(sql)
    talk.quit()


@scene()
def b4_several_statements_unasked(talk, _):
    """Without the capability `1;2` is one syntax error; COM_SET_OPTION allows it, and forbids it again."""
    talk.query("select 1; select 2")
    talk.command(0x1B, b"\0\0")
    talk.packet()
    talk.query("select 1; select 2")
    talk.command(0x1B, b"\1\0")
    talk.packet()
    talk.query("select 1; select 2")
    talk.quit()


@scene(capabilities=BASE | DEPRECATE_EOF)
def b4_set_option_without_eof(talk, _):
    """COM_SET_OPTION and COM_DEBUG are answered by an EOF of five bytes all the same."""
    talk.command(0x1B, b"\0\0")
    talk.packet()
    talk.command(0x0D)
    talk.packet()
    talk.query("select 1; select 2")
    talk.quit()


@scene(schema="shop")
def b4_procedures(talk, _):
    """CALL: several results, and an OK."""
    talk.query("call several()")
    talk.query("call nowhere()")
    talk.quit()


@scene(schema="shop")
def b4_simple_commands(talk, _):
    """Commands that are answered by OK, or by a text."""
    for code, body in ((0x02, b"mysql"), (0x02, b"nowhere"), (0x0E, b""), (0x09, b""), (0x0D, b""), (0x07, b"\1"), (0x05, b"new_one"), (0x06, b"new_one")):
        talk.command(code, body)
        talk.packet()
    talk.command(0x0A)
    talk.results()
    talk.command(0x1F)
    talk.packet()
    talk.quit()


@scene(schema="shop")
def b4_field_list(talk, _):
    """COM_FIELD_LIST: definitions without their number."""
    talk.command(0x04, b"items\0%")
    talk.rows([])
    talk.command(0x04, b"nowhere\0%")
    talk.rows([])
    talk.query("select 1")
    talk.quit()


@scene(capabilities=NEW, schema="shop")
def b4_field_list_without_eof(talk, _):
    """The same without EOF."""
    talk.command(0x04, b"items\0")
    talk.rows([])
    talk.query("select 1")
    talk.quit()


@scene()
def b4_process_kill(talk, server):
    """COM_PROCESS_KILL of another session, and of one that is not there."""
    with Talk(server.port) as other:
        other.login()
        talk.command(0x0C, struct.pack("<I", other.thread))
        talk.packet()
        other.end()
    talk.command(0x0C, struct.pack("<I", 99999))
    talk.packet()
    talk.quit()


@scene(capabilities=BASE | CONNECT_ATTRS, attributes={"a": "b"}, schema="shop")
def b4_change_user(talk, _):
    """COM_CHANGE_USER: a new login, with its own auth switch."""
    talk.query("select 1")
    talk.command(0x11, b"eve\0\0shop\0\x2d\0mysql_native_password\0" + string(string("program_name") + string("other")))
    last = talk.packet()
    if last[0] == 0xFE:
        talk.switch(last, "")
    talk.query("select current_user()")
    talk.query("delete from items")
    talk.quit()


@scene()
def b4_change_user_refused(talk, _):
    """COM_CHANGE_USER with a wrong password: the session goes on as it was."""
    talk.command(0x11, b"ana\0\0\0\x2d\0mysql_native_password\0")
    last = talk.packet()
    if last[0] == 0xFE:
        talk.switch(last, "wrong")
    talk.query("select current_user()")
    talk.quit()


@scene(schema="shop")
def b4_prepared(talk, _):
    """COM_STMT_PREPARE, executions, COM_STMT_RESET, COM_STMT_CLOSE; statements that cannot be prepared."""
    number = talk.prepare("select id, name from items where id < ?")
    talk.execute(number, [(3, long(3))])
    talk.execute(number, [(3, long(2))], types=False)
    talk.command(0x1A, long(number))
    talk.packet()
    talk.command(0x19, long(number))
    talk.execute(number, [(3, long(3))])
    number = talk.prepare("update items set price = ? where id = ?")
    talk.execute(number, [(246, string("0.30")), (3, long(1))])
    talk.execute(number, [(246, string("0.25")), (3, long(1))])
    talk.prepare("selct 1")
    talk.prepare("do 1")
    talk.quit()


@scene(capabilities=NEW, schema="shop")
def b4_prepared_without_eof(talk, _):
    """The same without EOF."""
    number = talk.prepare("select id, name from items where id < ? and name <> ?")
    talk.execute(number, [(3, long(3)), (253, string("bolt"))])
    talk.command(0x19, long(number))
    talk.quit()


@scene(schema="shop")
def b4_cursor(talk, _):
    """A cursor: no rows with the execution, COM_STMT_FETCH for them, up to the last."""
    number = talk.prepare("select id from items order by id")
    talk.execute(number, flags=1)
    talk.fetch(number, 2)
    talk.fetch(number, 2)
    talk.fetch(number, 2)
    talk.quit()


@scene(capabilities=NEW, schema="shop")
def b4_cursor_without_eof(talk, _):
    """The same without EOF."""
    number = talk.prepare("select id from items order by id")
    talk.execute(number, flags=1)
    talk.fetch(number, 2)
    talk.fetch(number, 2)
    talk.quit()


@scene(schema="shop")
def b4_long_data(talk, _):
    """COM_STMT_SEND_LONG_DATA, which is not answered, then the execution, and another without it."""
    number = talk.prepare("select length(?), ?")
    talk.command(0x18, struct.pack("<IH", number, 0) + b"first ")
    talk.command(0x18, struct.pack("<IH", number, 0) + b"second")
    talk.execute(number, [(252, ...), (3, long(7))])
    talk.command(0x1A, long(number))
    talk.packet()
    talk.execute(number, [(252, string("short")), (3, long(8))])
    talk.quit()


@scene(schema="shop")
def b4_out_parameters(talk, _):
    """CALL of a prepared statement: its results, a row of OUT parameters, an OK."""
    number = talk.prepare("call outs(?, ?)")
    talk.execute(number, [(3, long(21)), (3, None)])
    talk.quit()


@scene(schema="shop", capabilities=BASE | MARIADB)
def b4_bulk(talk, _):
    """COM_STMT_BULK_EXECUTE: rows of parameters, with indicators."""
    number = talk.prepare("insert into items (name, price) values (?, ?)")
    cells = b"\0" + string("axle") + b"\0" + string("1.50") + b"\0" + string("belt") + b"\1" + b"\1" + b"\2"
    talk.send((0, b"\xfa" + struct.pack("<IH", number, 128) + struct.pack("<HH", 253, 253) + cells))
    talk.results()
    talk.query("delete from items where id > 3")
    talk.quit()


@scene(schema="shop", capabilities=NEW | MARIADB)
def b4_cached_metadata(talk, _):
    """MariaDB leaves the definitions out when they are the same as when the statement was prepared."""
    number = talk.prepare("select id, name from items")
    talk.execute(number)
    talk.execute(number)
    talk.quit()


@scene(schema="shop", capabilities=BASE | MARIADB)
def b4_cached_metadata_with_eof(talk, _):
    """The same with EOF."""
    number = talk.prepare("select id, name from items")
    talk.execute(number)
    talk.quit()


@scene(schema="shop", capabilities=BASE | LOCAL_FILES)
def b4_local_infile(talk, _):
    """LOAD DATA LOCAL INFILE: the server asks for the file; its packets, an empty one, OK."""
    talk.query("load data local infile '/etc/some file' into table items (name)")
    talk.send((2, b"wheel\nlever\n"), (3, b"spring\n"), (4, b""))
    talk.packet()
    talk.query("delete from items where id > 3")
    talk.query("load data local infile 'x' into table nowhere")
    talk.query("load data local infile 'empty' into table items (name)")
    talk.send((2, b""))
    talk.packet()
    talk.quit()


@scene(schema="shop")
def b4_local_infile_not_allowed(talk, _):
    """Without the capability it is an error."""
    talk.query("load data local infile 'x' into table items (name)")
    talk.quit()


@scene(schema="shop", capabilities=BASE | wire.PROGRESS)
def b4_progress(talk, _):
    """Progress reports: ERR packets that are none."""
    talk.query("create table shop.big engine=myisam select seq from seq_1_to_2500000")
    talk.query("alter table shop.big add key (seq), algorithm=copy")
    talk.query("drop table shop.big")
    talk.quit()


@scene()
def b4_binlog_dump(talk, _):
    """COM_REGISTER_SLAVE, and COM_BINLOG_DUMP that ends with the log, and the session with it."""
    talk.query("set @master_binlog_checksum = 'NONE'")
    talk.command(0x15, struct.pack("<I", 77) + b"\0\0\0" + struct.pack("<HII", 0, 0, 0))
    talk.packet()
    talk.command(0x12, struct.pack("<IHI", 4, 1, 77))
    talk.rows([])
    talk.end()


@scene(user="eve", password="")
def b4_binlog_dump_refused(talk, _):
    """COM_BINLOG_DUMP without the privilege: the session goes on."""
    talk.command(0x12, struct.pack("<IHI", 4, 1, 77))
    talk.packet()
    talk.query("select 1")
    talk.quit()


# B5: parameters, transactions, kills.


@scene()
def b5_all_types(talk, _):
    """A parameter of each type: a year and a number of three bytes are NULL to a MariaDB."""
    values = [
        (1, b"\xff"), (1 | UNSIGNED, b"\xff"), (2, b"\xfe\xff"), (13, b""), (3, long(-3)), (3 | UNSIGNED, long(-3)), (9, b""),
        (8, struct.pack("<q", -(1 << 63))), (8 | UNSIGNED, struct.pack("<Q", (1 << 64) - 1)), (4, struct.pack("<f", 1.5)), (5, struct.pack("<d", 0.1)),
        (246, string("123.4500")), (10, b"\x04\xea\x07\x0b\x16"), (12, b"\x07\xea\x07\x0b\x16\x09\x0e\x03"), (7, b"\x0b\xea\x07\x0b\x16\x09\x0e\x03\x40\xe2\x01\x00"),
        (11, b"\x0c\x01\x01\0\0\0\x02\x03\x04\x01\0\0\0"), (253, string("text")), (254, string("char")), (252, string(b"\x00\xff")), (6, None), (253, None),
    ]
    number = talk.prepare("select " + ", ".join("?" * len(values)))
    talk.execute(number, values)
    talk.quit()


@scene(capabilities=BASE | MARIADB)
def b5_last_prepared(talk, _):
    """PREPARE and EXECUTE in one write: the statement that was prepared last is -1; if that failed, ERR 1243."""
    talk.send((0, b"\x16select ?"), (0, run(-1, [(3, long(5))])))
    talk.prepared()
    talk.results()
    talk.send((0, b"\x16selct ?"), (0, run(-1, [(3, long(5))])))
    talk.prepared()
    talk.results()
    talk.quit()


@scene()
def b5_prepared_in_sql(talk, _):
    """PREPARE, EXECUTE, DEALLOCATE, EXECUTE IMMEDIATE."""
    for sql in ("prepare p from 'select ?'", "set @a = 5", "execute p using @a", "deallocate prepare p", "execute p", "execute immediate 'select 1'"):
        talk.query(sql)
    talk.quit()


@scene()
def b5_transactions(talk, _):
    """The status tells the transaction: DDL commits, autocommit off begins one with the first statement."""
    for sql in (
        "begin", "insert into shop.items (name) values ('x')", "rollback",
        "begin", "insert into shop.items (name) values ('x')", "create table shop.t (a int)", "drop table shop.t",
        "set autocommit = 0", "select * from shop.items", "commit", "set autocommit = 1", "delete from shop.items where id > 3",
    ):
        talk.query(sql)
    talk.quit()


@scene()
def b5_sql_mode(talk, _):
    """NO_BACKSLASH_ESCAPES is in the status."""
    talk.query("set sql_mode = 'no_backslash_escapes'")
    talk.query("select 'a\\'")
    talk.query("set sql_mode = ''")
    talk.quit()


def doubtful_text(talk, server):
    """A text whose statements depend on what a backslash is."""
    talk.query("select '\\'' ; do 5; -- '; do 6; do 7")


@scene(capabilities=BASE | MULTI_STATEMENTS)
def b5_sql_mode_of_a_moment(talk, server):
    """A routine that sets sql_mode for itself leaves the flag of it in the status, and the mode as it was."""
    for sql in ("drop procedure if exists shop.plain", "create procedure shop.plain() set sql_mode = 'NO_BACKSLASH_ESCAPES'"):
        server.sql(sql)
    doubtful_text(talk, server)
    talk.query("call shop.plain()")
    doubtful_text(talk, server)
    talk.query("set sql_mode = 'NO_BACKSLASH_ESCAPES'")
    doubtful_text(talk, server)
    talk.quit()


@scene(capabilities=BASE | MULTI_STATEMENTS)
def b5_sql_mode_of_a_statement(talk, server):
    """SET STATEMENT, and a block: likewise."""
    for sql in ("set statement sql_mode = 'NO_BACKSLASH_ESCAPES' for do 1", "begin not atomic set sql_mode = 'NO_BACKSLASH_ESCAPES'; end"):
        talk.query(sql)
        doubtful_text(talk, server)
    talk.query("set sql_mode = 'NO_BACKSLASH_ESCAPES'")
    talk.query("begin not atomic set sql_mode = ''; end")
    doubtful_text(talk, server)
    talk.quit()


@scene()
def b5_transactions_by_name(talk, _):
    """What EXECUTE runs ends transactions and begins them."""
    for sql in (
        "begin", "insert into shop.items (name) values ('lasts')", "prepare s from 'commit and chain'", "execute s",
        "insert into shop.items (name) values ('goes')", "rollback",
        "begin", "insert into shop.items (name) values ('goes')", "prepare s from 'rollback and chain'", "execute s",
        "insert into shop.items (name) values ('lasts')", "commit",
        "begin", "savepoint \u00e9", "insert into shop.items (name) values ('goes')", "rollback to E", "commit",
        "delete from shop.items where id > 3",
    ):
        talk.query(sql)
    talk.quit()


@scene()
def b5_transactions_by_set_statement(talk, _):
    """What SET STATEMENT, and EXECUTE IMMEDIATE, run does so, too."""
    for sql in (
        "begin", "insert into shop.items (name) values ('goes')", "set statement max_statement_time = 9 for rollback",
        "begin", "insert into shop.items (name) values ('lasts')", "set statement max_statement_time = 9 for begin", "rollback",
        "begin", "savepoint a", "insert into shop.items (name) values ('goes')", "execute immediate 'rollback to a'",
        "insert into shop.items (name) values ('lasts')", "commit", "delete from shop.items where id > 3",
    ):
        talk.query(sql)
    talk.quit()


@scene()
def b5_torn_execution(talk, _):
    """An execution that cannot be read uses up no value that was sent ahead, and its types are none."""
    number = talk.prepare("select ?, ?")
    talk.execute(number, [(253, string("a")), (253, string("b"))])
    talk.command(0x18, struct.pack("<IH", number, 1) + b"ahead")
    talk.send((0, struct.pack("<BIBIB", 0x17, number, 0, 1, 0) + b"\1\3"))
    talk.results()
    talk.execute(number, [(253, string("abc")), (253, ...)], types=False)
    talk.quit()


@scene(user="eve", password="")
def b4_shutdown_refused(talk, _):
    """COM_SHUTDOWN without the privilege."""
    talk.command(0x08, b"\0")
    talk.packet()
    talk.query("select 1")
    talk.quit()


@scene(login=False)
def b4_shutdown(talk, server):
    """COM_SHUTDOWN: an answer, and the end of the server."""
    with type(server)() as own, Talk(own.port) as theirs:
        theirs.login()
        theirs.command(0x08, b"\0")
        theirs.packet()
        theirs.end()
        talk.log = theirs.log


@scene()
def b5_killed_benchmark(talk, server):
    """KILL QUERY of what does not look: a row as ever, or an error."""
    killed(talk, server, "select benchmark(30000000, 1 + 1)", "query")
    talk.results()
    talk.query("select 1")
    talk.quit()


@scene(capabilities=BASE | MULTI_STATEMENTS)
def b5_character_sets(talk, _):
    """Of gbk, sjis and big5 a second byte may be a backslash: there it escapes nothing."""
    for charset, letter in ("gbk", b"\xc4\x5c"), ("sjis", b"\x95\x5c"), ("big5", b"\xa5\x5c"):
        talk.query(f"set names {charset}")
        talk.command(3, b"select '" + letter + b"'; do 5; -- '; do 6")
        talk.results()
    talk.command(3, b"set names utf8mb4; select '\xc3\xa4'")
    talk.results()
    talk.quit()


@scene(capabilities=BASE | MULTI_STATEMENTS)
def b5_ansi_quotes(talk, _):
    """What a quotation mark begins is said by sql_mode."""
    for sql in ("set sql_mode = ''", 'select "a\\"; do 5; -- "', "set sql_mode = 'ansi_quotes'", 'select 1 as "a\\"; do 5; -- "'):
        talk.query(sql)
    talk.quit()


@scene()
def b4_set_option_short(talk, _):
    """COM_SET_OPTION with a byte too few: 0, which is on."""
    talk.command(0x1B, b"\0")
    talk.packet()
    talk.query("do 1; do 2")
    talk.quit()


def killed(talk, server, sql, kill):
    talk.command(3, sql.encode())
    wire.wait(lambda: b"PanoptesHere" in b"".join(server.sql(f"select 'PanoptesHere' from information_schema.processlist where id = {talk.thread} and command = 'Query' and info like 'select %'")[2:]))
    server.sql(f"kill {kill} {talk.thread}")


@scene(schema="shop")
def b5_killed_query(talk, server):
    """KILL QUERY: ERR 1317, among the rows or ahead of them."""
    killed(talk, server, "select sleep(60)", "query")
    talk.results()
    killed(talk, server, "select count(*) from seq_1_to_1000000000 where seq % 7 = 1", "query")
    talk.results()
    talk.query("select 1")
    talk.quit()


@scene(schema="shop")
def b5_killed_connection(talk, server):
    """KILL: ERR, and the end."""
    killed(talk, server, "select count(*) from seq_1_to_1000000000 where seq % 7 = 1", "connection")
    talk.end()


@scene()
def b5_timeout(talk, _):
    """wait_timeout: the server goes without being asked."""
    talk.query("set wait_timeout = 1")
    talk.end()


@scene()
def b5_client_gone(talk, _):
    """The client leaves while its statement runs."""
    talk.command(3, b"select sleep(0.2)")


# Clients as they are: what passes between them and the server, piece by piece.


@scene(login=False)
def c_mariadb_client(talk, server):
    """The `mariadb` client: several results, LOAD DATA LOCAL, a procedure, errors, a change of user."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file, Tap(server.port, talk.log) as tap:
        file.write("wheel\nlever\n")
        file.flush()
        sql = f"""
            select * from items; call several(); show warnings;
            load data local infile '{file.name}' into table items (name);
            delete from items where id > 3; selct 1; show tables; use mysql; select database();
            prepare p from 'select ? + 1'; set @a = 1; execute p using @a; deallocate prepare p; insert into shop.items (name) values ('x'), ('y');
            begin; delete from shop.items where id > 3; commit; create temporary table t (a int); drop table t;
        """
        subprocess.run(
            ["mariadb", "--no-defaults", "-hlocalhost", "--protocol=tcp", f"-P{tap.port}", "-uana", f"-p{wire.PASSWORD}", "--local-infile=1", "--force", "shop"],
            input=sql.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )


@scene(login=False)
def c_pymysql(talk, server):
    """PyMySQL: transactions, many rows, unbuffered rows, a procedure, errors."""
    import pymysql

    with Tap(server.port, talk.log) as tap:
        link = pymysql.connect(host="127.0.0.1", port=tap.port, user="ana", password=wire.PASSWORD, database="shop", program_name="scenes")
        with link.cursor() as cursor:
            cursor.execute("select id, name from items where id < %s", (3,))
            cursor.executemany("insert into items (name, price) values (%s, %s)", [("a", 1), ("b", None)])
            cursor.execute("delete from items where id > 3")
            cursor.callproc("several")
            while cursor.nextset():
                pass
            try:
                cursor.execute("select * from nowhere")
            except pymysql.Error:
                pass
        link.commit()
        with link.cursor(pymysql.cursors.SSCursor) as cursor:
            cursor.execute("select seq, repeat('x', 30) from seq_1_to_30")
            cursor.fetchall()
        link.ping()
        link.select_db("mysql")
        link.rollback()
        link.close()
