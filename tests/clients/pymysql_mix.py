"""PyMySQL: several statements in a text, LOCAL INFILE, streaming, COM_INIT_DB, a change of the character set, KILL."""

import os
import sys
import tempfile

import pymysql
from pymysql.constants import CLIENT

HOW = dict(host="127.0.0.1", port=int(sys.argv[1]), user=sys.argv[2], password=sys.argv[3], program_name="pymysql_mix")


def told(work):
    try:
        print(work())
    except pymysql.MySQLError as error:
        print(type(error).__name__, error.args)


def main():
    db = pymysql.connect(**HOW, client_flag=CLIENT.MULTI_STATEMENTS, local_infile=True)
    cursor = db.cursor()

    def run(text, *arguments):
        def work():
            count = cursor.execute(text, *arguments)
            results = [(count, cursor.rowcount, cursor.fetchall())]
            while cursor.nextset():
                results.append((cursor.rowcount, cursor.fetchall()))
            return results

        told(work)

    with open("tests/clients/mysql_setup.sql", encoding="utf-8") as file:
        cursor.execute(file.read())
    while cursor.nextset():
        pass
    run("select %s, %s, %s", (1, "ä'\\", None))
    run("select 1; select 2; insert into mix.items (name) values ('multi'); select 3 where 1 = 0")
    run("insert into mix.items (name) values ('a'); selct; select 3")
    run("select 1; select * from mix.nowhere; select 3")
    run("select ';', \"a;b\" /* ; */; -- ; \n select `id` from mix.items limit 1;;")
    run("create procedure mix.two() begin select 1; select 2; end")
    run("call mix.two(); select 7; call mix.two()")
    run("begin; insert into mix.items (name) values ('b'); commit; begin; delete from mix.items; rollback")
    run("/* only a comment */")
    run("")
    db.select_db("mix")
    told(lambda: db.select_db("nowhere"))
    told(lambda: db.ping())
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write("one\t1\ntwo\t2\n" * 5)
    told(lambda: cursor.execute(f"load data local infile '{file.name}' ignore into table items (name, price)"))
    told(lambda: cursor.execute("load data local infile '/nowhere/at/all' into table items (name)"))
    os.unlink(file.name)
    print(cursor.executemany("insert into kinds (i, s) values (%s, %s)", [(n, f"row {n}") for n in range(50)]))
    db.commit()
    stream = pymysql.cursors.SSCursor(db)
    stream.execute("with recursive r as (select 1 as n union all select n + 1 from r where n < 900) select n, repeat('y', 200) from r")
    print(sum(1 for _ in stream))
    stream.close()
    db.set_charset("latin1")
    run("select 'é', length('é')")
    db.set_charset("utf8mb4")
    run("select repeat('z', 17000000) as more_than_a_packet")
    db.rollback()
    told(lambda: db.kill(4294967290))
    db.close()
    told(lambda: pymysql.connect(**{**HOW, "password": "wrong"}))
    told(lambda: pymysql.connect(**HOW, database="nowhere"))
    plain = pymysql.connect(**HOW)
    told(lambda: plain.cursor().execute("select 1; select 2"))
    plain.close()




main()
