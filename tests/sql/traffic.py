#!/usr/bin/env python3
"""What PostgreSQL's own programs send, as its log tells: traffic.py BIN FOLDER

Starts a server from BIN, runs pgbench, pg_dump, pg_dumpall, vacuumdb, reindexdb and psql's \\d family against it, and leaves the log
(*.json) in FOLDER, for compare.py."""

import shutil
import subprocess
import sys
from pathlib import Path

import accept

DESCRIBE = "d d+ dA dAc dAf dAo dAp da db dc dC dd dD ddp dE de des deu dew df df+ dF dFd dFp dFt dg dg+ di di+ dl dL dm dm+ dn dn+ do dO dp dP drds dRp dRp+ dRs ds dt dt+ dT dT+ du dv dv+ dx dx+ dX dy l l+ z sf sv".split()
TABLES = "users orders events items sales.invoices remote_orders active_users daily_totals users_name order_numbers".split()


def main(folder, kept):
    folder, kept = Path(folder), Path(kept)
    kept.mkdir(parents=True, exist_ok=True)
    log = "-c log_destination=jsonlog -c logging_collector=on -c log_directory=told -c log_file_mode=0644 -c log_statement=all"
    with accept.server(folder, log) as connect:
        with connect() as connection:
            host = connection.info.host
        link = ["-h", host, "-U", "postgres"]

        def run(*command):
            subprocess.run([folder / command[0], *link, *command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        run("pgbench", "-i", "-s", "1", "--partitions=3", "--foreign-keys", "postgres")
        for script in ("tpcb-like", "simple-update", "select-only"):
            for mode in ("simple", "extended", "prepared"):
                run("pgbench", "-b", script, "-M", mode, "-t", "20", "-n", "postgres")
        for options in ([], ["--inserts"], ["--column-inserts", "--on-conflict-do-nothing", "--rows-per-insert=5"], ["--clean", "--if-exists", "--serializable-deferrable"]):
            run("pg_dump", "-f", str(kept / f"dump{len(options)}.sql"), *options, "postgres")
        run("pg_dumpall", "-f", str(kept / "all.sql"), "--clean")
        run("vacuumdb", "--analyze-in-stages", "postgres")
        run("reindexdb", "--concurrently", "postgres")
        run("clusterdb", "postgres")
        commands = [f"\\{word}" for word in DESCRIBE] + [f"\\d{plus} {table}" for table in TABLES for plus in ("", "+")]
        arguments = [part for command in commands for part in ("-c", command)]
        run("psql", "-d", "postgres", *arguments)
        for file in Path(host, "data/told").glob("*.json"):
            shutil.copy(file, kept / file.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
