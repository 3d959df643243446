"""The servers of a benchmark: a private PostgreSQL or MariaDB, the proxies in front of it, and ours.

Each is started on a free port with its files in a temporary folder. A `Target` is what a client connects to.
"""

import os
import shutil
import signal
import subprocess

import programs
from process import DATABASE, Process, Unavailable, answers_mysql, free_port

IDLE_CLIENTS = 1000
MAX_CLIENTS = IDLE_CLIENTS + 200


class Target:
    """What clients connect to: `process` is the proxy, None where they reach the server itself."""

    def __init__(self, name, server, process=None, trail=None):
        self.name, self.server, self.process, self.trail = name, server, process, trail

    @property
    def port(self):
        return (self.process or self.server).port

    def pin(self, cores):
        self.server.pin(cores)
        if self.process:
            self.process.pin(cores)


def postgres(folder, core, audited=False):
    """An empty PostgreSQL 15 in `folder`; with pgaudit writing all statements to a file, or without."""
    initdb = programs.POSTGRES_BIN / "initdb"
    if not initdb.exists():
        raise Unavailable("postgresql-15 is not installed")
    if audited and not programs.PGAUDIT.exists():
        raise Unavailable("postgresql-15-pgaudit is not installed")
    folder.mkdir()
    data, port = folder / "data", free_port()
    options = {"stdout": subprocess.DEVNULL, "check": True}
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        options |= {"user": "postgres", "group": "postgres", "extra_groups": []}
    subprocess.run([initdb, "-D", data, "-U", DATABASE, "-A", "trust", "-N", "-E", "UTF8", "--locale=C"], **options)
    with open(data / "postgresql.conf", "a") as file:
        file.writelines(f"{key} = {value}\n" for key, value in settings(folder, port, audited).items())
    command = [programs.POSTGRES_BIN / "postgres", "-D", data]
    # SIGQUIT: nobody wants this data again.
    return Process(command, port, folder.parent / f"{folder.name}.log", core, "postgres", signal.SIGQUIT)


def settings(folder, port, audited):
    """Those of a server whose disk and housekeeping must not show in the figures."""
    common = {
        "listen_addresses": "'127.0.0.1'", "port": port, "unix_socket_directories": f"'{folder}'",
        "max_connections": 2 * MAX_CLIENTS, "shared_buffers": "128MB", "ssl": "off",
        "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal",
        "max_wal_senders": 0, "max_wal_size": "4GB", "checkpoint_timeout": "1h", "autovacuum": "off",
        "log_min_messages": "fatal", "log_min_error_statement": "panic",
    }
    pgaudit = {
        "shared_preload_libraries": "'pgaudit'", "pgaudit.log": "'all'", "log_min_messages": "warning",
        "logging_collector": "on", "log_directory": f"'{folder}/log'", "log_rotation_size": 0,
    }
    return common | pgaudit if audited else common


def mariadb(folder, core, audited=False):
    """An empty MariaDB in `folder`; with its own server_audit plugin writing all statements to a file, or without."""
    if not programs.MARIADBD.exists():
        raise Unavailable("mariadb-server is not installed")
    folder.mkdir()
    data, port = folder / "data", free_port()
    user = ["--user=root"] if os.geteuid() == 0 else []
    install = [programs.MARIADB_INSTALL, "--no-defaults", *user, f"--datadir={data}", "--skip-test-db",
               "--auth-root-authentication-method=normal"]
    subprocess.run(install, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    options = [
        f"--datadir={data}", f"--socket={folder}/s", f"--port={port}", "--bind-address=127.0.0.1", "--skip-log-bin",
        "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=128M", "--skip-name-resolve",
        f"--max-connections={MAX_CLIENTS}", "--performance-schema=OFF",
    ]
    if audited:
        options += ["--plugin-load-add=server_audit", "--server-audit-logging=ON", "--server-audit-events=CONNECT,QUERY",
                    f"--server-audit-file-path={folder}/audit.log", "--server-audit-file-rotate-size=4G"]
    command = [programs.MARIADBD, "--no-defaults", *user, *options]
    log = folder.parent / f"{folder.name}.log"
    return Process(command, port, log, core, stop_signal=signal.SIGKILL, answers=answers_mysql)


def haproxy(folder, server, core, wrapper=()):
    """haproxy as a TCP relay on one thread."""
    port = free_port()
    file = folder / "haproxy.cfg"
    file.write_text(
        f"global\n  nbthread 1\n  maxconn {MAX_CLIENTS}\n"
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n"
        f"listen pg\n  bind 127.0.0.1:{port}\n  server s 127.0.0.1:{server.port}\n"
    )
    command = [*wrapper, programs.HAPROXY, "-db", "-f", file]
    return Target("haproxy", server, Process(command, port, folder / "log", core, answers=server.answers))


def pgbouncer(folder, server, core, wrapper=()):
    """pgbouncer, a server session for each client session."""
    port = free_port()
    (folder / "users").write_text(f'"{DATABASE}" ""\n')
    file = folder / "pgbouncer.ini"
    file.write_text(
        f"[databases]\n{DATABASE} = host=127.0.0.1 port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = session\n"
        f"auth_type = trust\nauth_file = {folder}/users\n"
        f"max_client_conn = {MAX_CLIENTS}\ndefault_pool_size = {MAX_CLIENTS}\n"
        "log_connections = 0\nlog_disconnections = 0\nlog_stats = 0\n"
        "server_tls_sslmode = disable\nignore_startup_parameters = extra_float_digits\n"
    )
    command = [*wrapper, programs.PGBOUNCER, file]
    return Target("pgbouncer", server, Process(command, port, folder / "log", core, "postgres"))


def forwarder(folder, server, core, wrapper=()):
    """benches/forwarder.rs: the floor of a proxy on tokio."""
    port = free_port()
    command = [*wrapper, programs.FORWARDER, f"127.0.0.1:{port}", f"127.0.0.1:{server.port}"]
    return Target("forwarder", server, Process(command, port, folder / "log", core, answers=server.answers))


def panoptes(folder, server, core, wrapper=(), mode="async"):
    """Ours with full audit: each event through the journal into a file."""
    port = free_port()
    file, trail = folder / "panoptes.toml", folder / "audit.ndjson"
    scheme = "mariadb" if server.answers is answers_mysql else "postgres"
    file.write_text(
        'app_name = "bench"\n\n'
        f'[[listen]]\naddress = "127.0.0.1:{port}"\n'
        f'upstream = "{scheme}://127.0.0.1:{server.port}"\n\n'
        f'[journal]\ndir = "{folder}/journal"\nmode = "{mode}"\n\n'
        f'[sinks.file]\npath = "{trail}"\n'
    )
    command = [*wrapper, programs.PANOPTES, "run", "--config", file]
    process = Process(command, port, folder / "log", core, answers=server.answers)
    return Target("panoptes", server, process, Trail(trail))


# By the order in which they take turns. `direct`, `pgaudit` and `server_audit` are the servers themselves.
PROXIES = {"haproxy": haproxy, "pgbouncer": pgbouncer, "forwarder": forwarder, "panoptes": panoptes}
TARGETS = ["direct", *PROXIES, "pgaudit", "server_audit"]


class Trail:
    """The file that Panoptes writes events to, read as it grows."""

    MARK = b'"kind":"statement"'
    CHUNK = 1 << 20

    def __init__(self, path):
        self.path, self.offset, self.rest, self.events = path, 0, b"", 0

    def count(self):
        """Statement events so far."""
        if not self.path.exists():
            return 0
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            while chunk := file.read(self.CHUNK):
                self.offset += len(chunk)
                chunk = self.rest + chunk
                self.events += chunk.count(self.MARK)
                self.rest = chunk[-(len(self.MARK) - 1):]  # a mark cut in two
        return self.events
