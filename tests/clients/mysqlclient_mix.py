"""mysqlclient, on MariaDB's C library: its defaults, several results, a change of user."""

import sys

import MySQLdb

HOW = dict(host="127.0.0.1", port=int(sys.argv[1]), user=sys.argv[2], passwd=sys.argv[3])


def told(work):
    try:
        print(work())
    except MySQLdb.Error as error:
        print(type(error).__name__, error.args)


def main():
    db = MySQLdb.connect(**HOW, charset="utf8mb4")
    cursor = db.cursor()

    def run(text, *arguments):
        def work():
            count = cursor.execute(text, *arguments)
            results = [(count, cursor.fetchall())]
            while cursor.nextset() == 1:
                results.append(cursor.fetchall())
            return results

        told(work)

    with open("tests/clients/mysql_setup.sql", encoding="utf-8") as file:
        cursor.execute(file.read())
    while cursor.nextset() == 1:
        pass
    db.select_db("mix")
    run("select * from items order by id")
    run("insert into items (name, price) values (%s, %s)", ("mc", 3))
    run("insert into items (name) values ('mc')")
    run("select %s, %s", ("ä", None))
    run("select * from nowhere")
    db.commit()
    run("select 1; select 2")
    run("update items set price = 0")
    db.rollback()
    told(lambda: db.change_user(HOW["user"], HOW["passwd"], "mix"))
    run("select database()")
    told(lambda: db.change_user(HOW["user"], "wrong", "mix"))
    db.close()
    told(lambda: MySQLdb.connect(**{**HOW, "passwd": "wrong"}))


main()
