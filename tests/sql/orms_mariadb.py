#!/usr/bin/env python3
"""What mariadb-dump, sysbench, Django, SQLAlchemy, Sequelize, TypeORM and Knex send to MariaDB, beside `panoptes classify`:
orms_mariadb.py [--quiet] PANOPTES [CLIENT…]

Starts a server of its own. It tells: the texts as they came (general log), each statement that it made of them and its name for it
(performance_schema), and the tables that each one opened (its audit plugin). Prints for each client:

  texts       distinct texts; cuts: those of which we make as many statements as the server, with the same texts
  verbs       the server's name of the statement is ours
  tables      the tables that it opened are those that we name, of statements that ran and for which it tells any
  unknown     what the server took and we call UNKNOWN"""

import collections
import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import clients
import pymysql
from classified import classify

SCHEMA = Path(__file__).parent.parent / "data/sql/mysql/schema.sql"
DUMPS = [
    ["shop"], ["--single-transaction", "--routines", "--events", "--triggers", "--hex-blob", "shop"],
    ["--skip-extended-insert", "--complete-insert", "--replace", "--skip-lock-tables", "--dump-date", "shop"],
    ["--insert-ignore", "--no-create-info", "--order-by-primary", "--where=id > 1", "shop", "orders"],
    ["--compatible=ansi", "--skip-opt", "--create-options", "shop"], ["--xml", "shop"], ["--no-data", "--databases", "shop", "mysql"],
    ["--all-databases", "--add-drop-database", "--flush-privileges", "--master-data=2", "--lock-all-tables", "--routines"],
    ["--system=all", "--insert-ignore"], ["--delayed-insert", "--disable-keys", "--no-autocommit", "--add-drop-trigger", "shop"],
]  # fmt: skip
# What the server calls otherwise than we do.
NAMES = {
    "insert_select": "INSERT", "replace_select": "REPLACE", "update_multi": "UPDATE", "delete_multi": "DELETE", "change_db": "USE",
    "set_option": "SET", "rollback_to_savepoint": "ROLLBACK", "release_savepoint": "RELEASE", "call_procedure": "CALL",
    "prepare_sql": "PREPARE", "execute_sql": "EXECUTE", "dealloc_sql": "DEALLOCATE", "compound_sql": "DO",
}  # fmt: skip
# What the server opens for its own sake, and the table behind its view `mysql.user`.
ITS_OWN = {"mysql.general_log", "mysql.proc", "mysql.event", "mysql.global_priv", "mysql.db", "mysql.tables_priv",
           "mysql.columns_priv", "mysql.column_stats", "mysql.index_stats", "mysql.table_stats", "mysql.func", "mysql.time_zone", "mysql.time_zone_name",
           "mysql.time_zone_transition", "mysql.time_zone_transition_type"}
# Statements whose tables the server opens, unless they stand in its temporary tables or under LOCK TABLES.
OPENING = {"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME"}


def main(panoptes, wanted, show):
    total = collections.Counter()
    with server() as (folder, link):
        watcher = connect(link).cursor()
        watcher.execute(SCHEMA.read_text())
        while watcher.nextset():
            pass
        for name in wanted or ["mariadb-dump", *clients.names()]:
            # Django asks for times in zones.
            watcher.execute("REPLACE INTO mysql.time_zone (time_zone_id) VALUES (1)")
            watcher.execute("REPLACE INTO mysql.time_zone_name VALUES ('UTC', 1)")
            watcher.execute("REPLACE INTO mysql.time_zone_transition_type VALUES (1, 0, 0, 0, 'UTC')")
            watcher.execute(f"CREATE USER `{name}`@localhost")
            watcher.execute(f"GRANT ALL ON *.* TO `{name}`@localhost WITH GRANT OPTION")
            watcher.execute(f"CREATE DATABASE `{name}`")
            heard = Heard(watcher, folder)
            run(name, {"engine": "mysql", "host": link, "user": name}, folder)
            count = Judge(panoptes, heard.all(name), show).judge(name)
            print(f"{name}: " + ", ".join(f"{what} {number}" for what, number in count.items()))
            total.update(count)
    print("all: " + ", ".join(f"{what} {number}" for what, number in total.items()))


def run(name, link, folder):
    if name != "mariadb-dump":
        return clients.run(name, link)
    login = [f"--socket={link['host']}", f"--user={name}"]
    for options in DUMPS:
        dump = folder / "dump.sql"
        with dump.open("wb") as out:
            subprocess.run(["mariadb-dump", "--no-defaults", *login, *options], stdout=out, check=True)
        if "--xml" not in options and "mysql" not in options and "--system=all" not in options and "--all-databases" not in options:
            with dump.open("rb") as back:
                subprocess.run(["mariadb", "--no-defaults", *login, "--force", name], stdin=back, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def server():
    """A MariaDB that tells what it hears: its folder and its socket."""
    folder = Path(tempfile.mkdtemp(prefix="panoptes-orms-"))
    data, link = folder / "data", str(folder / "socket")
    process = None
    try:
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--auth-root-authentication-method=normal"],
                       check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        process = subprocess.Popen(
            [shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={link}",
             "--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--log-bin=binlog", "--log-bin-trust-function-creators",
             "--general-log", "--log-output=TABLE",
             "--performance-schema=ON", "--performance-schema-instrument=statement/%=ON", "--performance-schema-consumer-events-statements-current=ON",
             "--performance-schema-consumer-events-statements-history-long=ON", "--use-stat-tables=never",
             "--performance-schema-events-statements-history-long-size=20000", "--performance-schema-max-sql-text-length=16384",
             "--plugin-load-add=server_audit", "--server-audit-logging=ON", "--server-audit-events=QUERY,TABLE",
             f"--server-audit-file-path={folder}/audit.log", "--server-audit-file-rotate-size=1G", "--server-audit-query-log-limit=1048576"],
            stdout=subprocess.DEVNULL, stderr=(folder / "errors").open("w"))  # fmt: skip
        while not Path(link).exists():
            if process.poll() is not None:
                sys.exit((folder / "errors").read_text())
            time.sleep(0.1)
        yield folder, link
    finally:
        if process:
            process.terminate()
            process.wait()
        shutil.rmtree(folder)


def connect(link):
    return pymysql.connect(unix_socket=link, user="root", charset="utf8mb4", autocommit=True, client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS)


Told = collections.namedtuple("Told", "texts pieces opened")


class Heard:
    """What the server heard from one client on."""

    def __init__(self, watcher, folder):
        self.watcher, self.audit = watcher, folder / "audit.log"
        watcher.execute("TRUNCATE mysql.general_log")
        watcher.execute("TRUNCATE performance_schema.events_statements_history_long")
        self.start = self.audit.stat().st_size

    def all(self, user):
        time.sleep(0.5)  # the events of the client's last statement
        self.watcher.execute("SELECT DISTINCT command_type, argument FROM mysql.general_log WHERE user_host LIKE %s AND command_type IN ('Query', 'Prepare', 'Execute')",
                             (user + "[%",))  # fmt: skip
        texts = list(self.watcher.fetchall())
        self.watcher.execute("SELECT thread_id, event_name, sql_text FROM performance_schema.events_statements_history_long "
                             "WHERE nesting_event_level = 0 AND sql_text IS NOT NULL ORDER BY thread_id, event_id")  # fmt: skip
        return Told(texts, pieces(self.watcher.fetchall()), self.opened(user))

    def opened(self, user):
        """(database, text) → the tables opened, of the statements that ran."""
        with self.audit.open("rb") as file:
            file.seek(self.start)
            lines = file.read().decode("utf-8", "backslashreplace").splitlines()
        tables, found = collections.defaultdict(set), {}
        for line in lines:
            parts = line.split(",", 8)
            if len(parts) < 9 or parts[2] != user:
                continue
            operation, database, rest = parts[6], parts[7], parts[8]
            if operation == "QUERY":
                text, _, code = rest.rpartition(",")
                if code == "0":
                    found.setdefault((database, unescape(text[1:-1])), set()).update(tables.get((parts[4], parts[5]), ()))
            elif operation in ("READ", "WRITE", "CREATE", "ALTER", "DROP", "RENAME"):
                names = rest.rpartition(",")[0].split("|")  # RENAME tells the old name and database.new
                tables[parts[4], parts[5]].update([f"{database}.{names[0]}", *names[1:]])
        return found


def unescape(text):
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}.get(found.group(1), found.group(1)), text)


def pieces(events):
    """text → [(name, statement)]: the server shows the rest of the text from each statement on."""
    found = {}
    for at, (thread, name, text) in enumerate(events):
        if text in found:
            continue
        tails = [(name, text)]
        for other, name, tail in events[at + 1 :]:
            before = tails[-1][1]
            if other != thread or len(tail) >= len(before) or not before.endswith(tail):
                break
            tails.append((name, tail))
        ends = [tail for _, tail in tails[1:]] + [""]
        found[text] = [(name, tail.removesuffix(end)) for (name, tail), end in zip(tails, ends)]
    return found


class Judge:
    def __init__(self, panoptes, told, show):
        self.panoptes, self.told, self.show = panoptes, told, show
        self.views = self.made(r"VIEW") | {"mysql.user", "shop.big_orders"}
        # Sequences are no tables of ours; temporary tables are opened unseen.
        self.unseen = self.made(r"SEQUENCE(?:\s+IF\s+NOT\s+EXISTS)?|TEMPORARY\s+TABLE") | {"shop.numbers"}
        self.children = self.foreign_keys()
        self.count = collections.Counter({"texts": 0})

    def made(self, kind):
        pattern = re.compile(rf"\bCREATE\b.*\b(?:{kind})\s+(?:[`\w]+\.)?[`\"]?(\w+)", re.I)
        return {f"{database}.{name}" for database, text in self.told.opened for name in pattern.findall(text)}

    def foreign_keys(self):
        """table → the tables that refer to it: the server opens them where it changes rows of the first."""
        children = collections.defaultdict(set)
        name = r"[`\"]?(\w+)[`\"]?"
        for database, text in self.told.opened:
            if made := re.match(rf"\s*(?:CREATE|ALTER)\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{name}", text, re.I):
                for parent in re.findall(rf"\bREFERENCES\s+{name}", text, re.I):
                    children[f"{database}.{parent}"].add(f"{database}.{made.group(1)}")
        return children

    def referring(self, tables):
        found, todo = set(), list(tables)
        while todo:
            more = self.children[todo.pop()] - found
            found |= more
            todo += more
        return found

    def judge(self, client):
        texts = [text for _, text in self.told.texts]
        answers = dict(zip(texts, classify(self.panoptes, "mysql", texts), strict=True))
        for kind, text in self.told.texts:
            self.count["texts"] += 1
            ours = answers[text]
            if any(answer["operation"]["type"] == "UNKNOWN" for answer in ours):
                self.wrong("unknown", client, text, "")
            if kind == "Query":
                self.cut_and_named(client, text, ours)
        self.tables(client)
        return self.count

    def cut_and_named(self, client, text, ours):
        theirs = self.told.pieces.get(text)
        if not theirs:
            self.count["not told (cut short)"] += 1
            return
        theirs = [(name, piece) for name, piece in theirs if not name.endswith("/Query") or piece.strip(" ;\n\t")]
        if not theirs[-1][0].endswith("/error"):
            self.count["cuts judged"] += 1
            if len(ours) != len(theirs):
                return self.wrong("cuts", client, text, f"{len(ours)} statements, the server made {len(theirs)}: {theirs}")
        for answer, (name, piece) in zip(ours, theirs):
            name, verb = name.rsplit("/", 1)[-1], answer["operation"]["type"]
            if name in ("error", "Query"):
                self.count["refused by the grammar"] += 1
                continue
            self.count["verbs judged"] += 1
            actual = NAMES.get(name) or name.split("_")[0].upper()
            if verb != actual and not (verb in ("EXPLAIN", "DESCRIBE", "ANALYZE")):
                self.wrong("verbs", client, piece, f"{verb}, the server says {name}")

    def tables(self, client):
        told = [(database, text, tables) for (database, text), tables in self.told.opened.items()]
        for (database, text, theirs), ours in zip(told, classify(self.panoptes, "mysql", [text for _, text, _ in told]), strict=True):
            if not ours or ours[0]["operation"]["type"] not in OPENING:
                continue
            tables = ours[0]["operation"].get("tablesInvolved", [])
            named = {table if "." in table else f"{database}.{table}" for table in tables}
            named = {table for table in named if table.split(".")[0].lower() not in ("information_schema", "performance_schema")}
            named -= self.unseen
            theirs = theirs - self.unseen - (ITS_OWN - named)
            if not theirs and not named:
                self.count["without tables"] += 1
                continue
            if not theirs:
                self.count["tables not told"] += 1
                if self.show > 1000:
                    print(f"{client}: not told: {sorted(named)}\n    {text[:300]}")
                continue
            self.count["tables judged"] += 1
            # It opens the tables below a view, and those of triggers; it does not open the view.
            more = {table for table in named - theirs - self.views if not refers(text, table)}
            less = set() if named & self.views else theirs - named - self.referring(named)
            if more or less:
                self.wrong("tables", client, text, f"more {sorted(more)}, less {sorted(less)}")

    def wrong(self, what, client, text, why):
        self.count[f"{what} wrong"] += 1
        if self.show:
            print(f"{client}: {what}: {why}\n    {text[:self.show]}")


def refers(text, table):
    """The other table of a foreign key or of LIKE is named, and not opened."""
    return re.search(rf"\b(?:REFERENCES|LIKE)\s+(?:[`\"]?\w+[`\"]?\.)?[`\"]?{re.escape(table.split('.')[1])}\b", text, re.I)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    show = 400
    if arguments[0] == "--quiet":
        show = 0
        del arguments[0]
    main(arguments[0], arguments[1:], show)
