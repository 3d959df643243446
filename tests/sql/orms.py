#!/usr/bin/env python3
"""What sysbench, Django, SQLAlchemy, Sequelize, TypeORM and Knex send to PostgreSQL, as its log tells: orms.py BIN FOLDER [CLIENT…]

Starts a server from BIN, runs each client in a database of its own, and leaves what the server logged of it in FOLDER as
CLIENT.json, for compare.py."""

import json
import sys
from pathlib import Path

import accept
import clients


def main(folder, kept, *wanted):
    kept = Path(kept)
    kept.mkdir(parents=True, exist_ok=True)
    log = "-c log_destination=jsonlog -c logging_collector=on -c log_directory=told -c log_file_mode=0644 -c log_statement=all"
    with accept.server(Path(folder), log) as connect:
        with connect() as connection:
            host = connection.info.host
            for name in wanted or clients.names():
                connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
                clients.run(name, {"engine": "postgres", "host": host, "user": "postgres"})
        told = {}
        for file in sorted(Path(host, "data/told").glob("*.json")):
            for line in file.read_text().splitlines():
                told.setdefault(json.loads(line).get("dbname"), []).append(line + "\n")
        for name in wanted or clients.names():
            (kept / f"{name}.json").write_text("".join(told[name]))
            print(f"{name}: {len(told[name])} lines")


if __name__ == "__main__":
    main(*sys.argv[1:])
