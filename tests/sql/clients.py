"""The clients that applications use, run against a server that keeps a log: sysbench and those of clients/.

run(link) needs {"engine": "postgres" | "mysql", "host": folder or path of its socket, "user": …}, and makes a database for each."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent / "clients"
CACHE = Path(os.environ.get("PANOPTES_CLIENTS", Path(__file__).parents[2] / ".cache/orm"))
SYSBENCH = ["oltp_read_write", "oltp_read_only", "oltp_write_only", "oltp_point_select", "oltp_insert", "oltp_delete", "oltp_update_index",
            "oltp_update_non_index", "select_random_points", "select_random_ranges", "bulk_insert"]  # fmt: skip
SCRIPTS = {"django": "django_orm.py", "sqlalchemy": "alchemy.py", "sequelize": "sequelize.js", "typeorm": "typeorm.js", "knex": "knex.js"}


def names():
    return ["sysbench", *SCRIPTS]


def run(name, link):
    """Ends the program where a client fails: a run cut short proves little."""
    if name == "sysbench":
        return sysbench(link)
    script = SCRIPTS[name]
    program = [CACHE / "venv/bin/python"] if script.endswith(".py") else ["node"]
    environment = {**os.environ, "NODE_PATH": str(CACHE / "node/node_modules")}
    if subprocess.run([*program, HERE / script, json.dumps({**link, "database": name})], env=environment).returncode:
        sys.exit(f"{name} on {link['engine']} failed")


def sysbench(link):
    """Each test with prepared statements and without; few events, of one thread."""
    if link["engine"] == "postgres":
        options = ["--db-driver=pgsql", f"--pgsql-host={link['host']}", f"--pgsql-user={link['user']}", "--pgsql-db=sysbench"]
    else:
        options = ["--db-driver=mysql", f"--mysql-socket={link['host']}", f"--mysql-user={link['user']}", "--mysql-db=sysbench"]
    for test in SYSBENCH:
        for mode in ("auto", "disable"):
            tables = 1 if test.startswith("select_random") else 2
            more = [f"--tables={tables}", "--table-size=200", "--events=4", "--time=0", f"--db-ps-mode={mode}"]
            for step in ("prepare", "run", "cleanup"):
                done = subprocess.run(["sysbench", test, *options, *more, step], capture_output=True)
                if done.returncode:
                    sys.exit(f"sysbench {test} {step} on {link['engine']}: {(done.stdout + done.stderr).decode()}")
