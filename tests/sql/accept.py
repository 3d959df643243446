#!/usr/bin/env python3
"""Proves that a real PostgreSQL accepts the corpus tests/data/sql/postgres: accept.py BIN [BIN…]

BIN is a server's folder of programs (…/bin). For each one a server of its own is started, setup.sql run, and every statement in
a transaction that is rolled back; what cannot run in a block runs outside of one. A statement must be taken by one of
them. What none can run is parsed by the server's grammar (pglast) and listed with the reason."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
from pglast import parse_sql
from psycopg import pq

FOLDER = Path(__file__).parent.parent / "data/sql/postgres"
TAKEN = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT}
NOT_IN_A_BLOCK = b"25001"


def main(bins):
    statements = [
        (file.name, line)
        for file in sorted(FOLDER.glob("*.txt"))
        for line in file.read_text().splitlines()
        if line and line[0] not in "#=~"
    ]
    refused = dict.fromkeys(statements)
    for folder in bins:
        with server(Path(folder)) as connect:
            before = len(refused)
            refused = {case: told for case in refused if (told := run(connect, case[1]))}
            print(f"{folder}: {before - len(refused)} of {before} accepted")
    for (name, sql), told in refused.items():
        parse_sql(sql)
        print(f"parsed only: {name}: {sql}\n    {told}")
    print(f"{len(statements)} statements: {len(statements) - len(refused)} run, {len(refused)} parsed only")


def run(connect, sql):
    """What the server has against it, or None."""
    # Closed as it is: a `with` of its own would commit.
    with contextlib.closing(connect()) as connection:
        link = connection.pgconn
        link.exec_(b"BEGIN")
        must(link, (FOLDER / "session.sql").read_bytes())
        result = link.exec_(sql.encode())
        if result.status in TAKEN:
            return None
        if result.error_field(pq.DiagnosticField.SQLSTATE) == NOT_IN_A_BLOCK:
            link.exec_(b"ROLLBACK")
            result = link.exec_(sql.encode())
            if result.status in TAKEN:
                return None
        return result.error_message.decode().strip()


def must(link, sql):
    result = link.exec_(sql)
    if result.status not in TAKEN:
        sys.exit(result.error_message.decode())


@contextlib.contextmanager
def server(folder, settings=""):
    """A server with setup.sql in its database; gives how to connect."""
    user = "postgres" if os.geteuid() == 0 else None
    data = Path(tempfile.mkdtemp(prefix="panoptes-corpus-"))
    if user:
        os.chown(data, pwd.getpwnam(user).pw_uid, -1)
    options = {"user": user, "check": True, "stdout": subprocess.DEVNULL, "env": {**os.environ, "LC_ALL": "C"}}
    try:
        subprocess.run([folder / "initdb", "-D", data / "data", "-A", "trust", "-U", "postgres", "-N"], **options)
        flags = f"-c listen_addresses= -k {data} -c fsync=off -c max_prepared_transactions=2 -c wal_level=logical {settings}"
        subprocess.run([folder / "pg_ctl", "-D", data / "data", "-w", "-o", flags, "-l", data / "log", "start"], **options)
        try:
            link = f"host={data} user=postgres dbname=postgres"
            with psycopg.connect(link, autocommit=True) as connection:
                must(connection.pgconn, (FOLDER / "setup.sql").read_bytes())
            yield lambda: psycopg.connect(link, autocommit=True)
        finally:
            subprocess.run([folder / "pg_ctl", "-D", data / "data", "-m", "immediate", "stop"], **options)
    finally:
        shutil.rmtree(data)


if __name__ == "__main__":
    main(sys.argv[1:])
