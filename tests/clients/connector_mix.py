"""mysql-connector-python: prepared statements of all types, attributes of queries, several results, COM_RESET_CONNECTION."""

import datetime
import decimal
import sys

import mysql.connector as connector

HOW = dict(host="127.0.0.1", port=int(sys.argv[1]), user=sys.argv[2], password=sys.argv[3], use_pure=True, ssl_disabled=True)


def told(work):
    try:
        print(work())
    except connector.Error as error:
        print(type(error).__name__, error.errno, error.sqlstate)


def main():
    db = connector.connect(**HOW, autocommit=True)
    cursor = db.cursor()
    with open("tests/clients/mysql_setup.sql", encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("--")]
    for text in filter(None, (part.strip() for part in "".join(lines).split(";"))):
        cursor.execute(text)
    db.database = "mix"
    prepared = db.cursor(prepared=True)
    insert = "insert into kinds (i, u, f, d, dt, da, ti, s, b, bi, y) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    moment = datetime.datetime(2026, 11, 22, 9, 14, 3, 123456)
    row = (-1, 2**64 - 1, 0.1, decimal.Decimal("12.500000"), moment, moment.date(), datetime.timedelta(hours=-26, seconds=3),
           "ä'\\", b"\x00\xff", 5, 2026)
    for change in range(3):
        told(lambda: (prepared.execute(insert, (change, *row[1:])), prepared.rowcount)[1])
    told(lambda: (prepared.execute(insert, (None,) * 11), prepared.rowcount)[1])
    told(lambda: prepared.execute(insert, ("no number", *row[1:])))
    told(lambda: (prepared.execute("select i, u, f, d, dt, da, ti, s, y from kinds order by id"), prepared.fetchall())[1])
    told(lambda: (prepared.execute("select ?", (b"x" * 100_000,)), len(prepared.fetchall()[0][0]))[1])
    told(lambda: prepared.execute("selct ?", (1,)))
    told(lambda: prepared.execute("select * from nowhere where a = ?", (1,)))
    told(lambda: (prepared.execute("update items set price = ? where id = ?", (decimal.Decimal("0.5"), 1)), prepared.rowcount)[1])
    prepared.close()
    cursor.execute("create procedure outs(in n int, out m int) begin select n; set m = n + 1; end")
    told(lambda: cursor.callproc("outs", (20, 0)))
    if hasattr(cursor, "add_attribute"):
        cursor.add_attribute("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        cursor.add_attribute("page", 7)
    told(lambda: (cursor.execute("select 'with attributes'"), cursor.fetchall())[1])
    if hasattr(cursor, "clear_attributes"):
        cursor.clear_attributes()
    db.start_transaction()
    told(lambda: (cursor.execute("delete from items"), cursor.rowcount)[1])
    db.rollback()
    told(lambda: (db.cmd_change_user(HOW["user"], HOW["password"], "mix"), db.database)[1])
    told(lambda: (db.cmd_reset_connection(), db.database)[1])
    told(lambda: db.cmd_debug() and None)
    told(lambda: db.cmd_query("select 1")["columns"][0][0])
    db.get_rows()
    told(lambda: db.cmd_process_kill(4294967290))
    db.close()


main()
