"""The workloads of a benchmark: what the clients do in one turn, and the sample that comes of it.

Pinned = client, proxy and server on one core: what makes figures repeat.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass

import measure
import process
import programs
from measure import Meter, Sample
from servers import IDLE_CLIENTS

ACCOUNTS = 1_000_000  # pgbench -i -s 10
BURST = 100  # statements between two Syncs
BULK_ROWS = 3_000_000  # of 100 bytes
TRACED_TRANSACTIONS = 20_000
COUNTED = ["raw_syscalls:sys_enter", "context-switches"]  # of perf
SYSBENCH_USER, SYSBENCH_ROWS = "sbtest", 100_000
CLIENT_SECONDS = 120  # a client that takes longer hangs
SELECT = "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
DRAW = f"\\set aid random(1, {ACCOUNTS})\n"
SCRIPTS = {
    # As `pgbench -S`, but without the builtin script's own questions, so that transactions = statements.
    "select.sql": DRAW + SELECT,
    "burst.sql": DRAW + "\\startpipeline\n" + SELECT * BURST + "\\endpipeline\n",
}
CLIENT_ENVIRONMENT = {"PGSSLMODE": "disable", "PGGSSENCMODE": "disable", "PGOPTIONS": ""}


@dataclass
class Bench:
    """What every workload needs to know: where its files are, the core, and how long a turn lasts."""

    folder: object
    core: int
    seconds: float

    def load(self, server):
        """Fills an empty server with what the workloads read."""
        self.run([programs.POSTGRES_BIN / "pgbench", "-i", "-q", "-s", ACCOUNTS // 100_000, *session(server.port)])
        self.psql(server.port, "CHECKPOINT")

    def load_bulk(self, server):
        """The table of the COPY workloads and the file of its rows."""
        rows = f"SELECT id, repeat('x', 92) AS filler FROM generate_series(1000000, {999_999 + BULK_ROWS}) AS id"
        self.psql(server.port, f"CREATE UNLOGGED TABLE bulk AS {rows}")
        self.psql(server.port, "VACUUM ANALYZE bulk")
        self.psql(server.port, "COPY bulk TO STDOUT", stdout=self.bulk_file)

    def write_scripts(self):
        for name, text in SCRIPTS.items():
            (self.folder / name).write_text(text)

    @property
    def bulk_file(self):
        return self.folder / "bulk.tsv"

    def psql(self, port, text, stdout=os.devnull, stdin=os.devnull, pinned=True):
        """One statement through psql, which itself sends none."""
        command = [programs.POSTGRES_BIN / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *session(port, "-d"), "-c", text]
        with open(stdout, "wb") as output, open(stdin, "rb") as source:
            self.run(command, stdout=output, stdin=source, pinned=pinned)

    def pgbench(self, port, clients, mode, script, *more, wrapper=()):
        """Runs pgbench; its report as (transactions, transactions a second)."""
        command = [programs.POSTGRES_BIN / "pgbench", "-n", "-c", clients, "-M", mode, "-f", self.folder / script]
        report = self.run([*wrapper, *command, *more, *session(port)], text=True).stdout
        done = int(re.search(r"actually processed: (\d+)", report)[1])
        if done == 0 or not re.search(r"failed transactions: 0 ", report):
            raise RuntimeError(f"pgbench failed:\n{report}")
        return done, float(re.search(r"^tps = ([\d.]+)", report, re.M)[1])

    def load_mariadb(self, server):
        """Fills an empty MariaDB with what the workloads read."""
        self.run([programs.MARIADB, "--no-defaults", "-uroot", "-h127.0.0.1", f"-P{server.port}", "-e",
                  f"create database sbtest; create user {SYSBENCH_USER}@'%'; grant all on *.* to {SYSBENCH_USER}@'%'"])
        self.sysbench(server.port, "oltp_read_write", "prepare")

    def mariadb(self, port, text, pinned=True):
        """One query through the command line client, row by row, its result thrown away."""
        command = [programs.MARIADB, "--no-defaults", "-A", "--quick", "-N", "-h127.0.0.1", f"-P{port}",
                   f"-u{SYSBENCH_USER}", "sbtest", "-e", text]
        with open(os.devnull, "wb") as nowhere:
            self.run(command, stdout=nowhere, pinned=pinned)

    def sysbench(self, port, script, *more):
        """Runs a script of sysbench's; its report."""
        command = [programs.SYSBENCH, "--db-driver=mysql", "--mysql-host=127.0.0.1", f"--mysql-port={port}",
                   f"--mysql-user={SYSBENCH_USER}", "--mysql-db=sbtest", "--tables=1", f"--table-size={SYSBENCH_ROWS}",
                   "--report-interval=0", script, *more]
        return self.run(command, text=True).stdout

    def run(self, command, pinned=True, stdout=subprocess.PIPE, **options):
        prefix = ["taskset", "-c", str(self.core)] if pinned else []
        environment = {**os.environ, **CLIENT_ENVIRONMENT}
        done = subprocess.run([*prefix, *map(str, command)], stdout=stdout, stderr=subprocess.PIPE, env=environment,
                              cwd=self.folder, timeout=CLIENT_SECONDS, **options)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stderr}")
        return done


@dataclass
class Queries:
    """pgbench for a time: rate, CPU and events."""

    name: str
    clients: int
    mode: str
    script: str = "select.sql"
    burst: int = 1
    reconnect: bool = False
    without: tuple = ("server_audit",)  # the targets that take no turn
    rounds: int | None = None

    def turn(self, bench, target):
        meter = Meter(target)
        more = ["-C"] if self.reconnect else []
        done, rate = bench.pgbench(target.port, self.clients, self.mode, self.script, "-T", bench.seconds, *more)
        count = done * self.burst
        return meter.read(Sample(statements=count, units=count, rate=rate * self.burst))


@dataclass
class Latency:
    """What one client waits for, statement by statement."""

    name: str
    clients: int
    mode: str
    without: tuple = ("server_audit",)
    rounds: int | None = None

    def turn(self, bench, target):
        logs = bench.folder / "latency"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir()
        meter = Meter(target)
        log = ["-l", f"--log-prefix={logs}/log", "-T", bench.seconds]
        done, rate = bench.pgbench(target.port, self.clients, self.mode, "select.sql", *log)
        waits = sorted(int(line.split()[2]) for file in logs.iterdir() for line in open(file))
        sample = Sample(statements=done, units=done, rate=rate)
        sample.p50, sample.p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
        return meter.read(sample)


@dataclass
class Syscalls:
    """Exact counts, so one round is enough; counted apart, because counting takes time."""

    name: str
    clients: int
    mode: str
    without: tuple = ("direct", "pgaudit", "server_audit")
    rounds: int | None = 1

    def turn(self, bench, target):
        meter = Meter(target)
        report = bench.folder / "perf"
        perf = ["perf", "stat", "-x", ",", "-o", report, "-e", ",".join(COUNTED), "-p", target.process.pid]
        # Given a command, perf counts the process for as long as the command runs: a second more, for the tail.
        perf = [*perf, "--", "sh", "-ec", '"$@"; sleep 1', "sh"] if perf_counts() else []
        done, _ = bench.pgbench(target.port, self.clients, self.mode, "select.sql", "-t",
                                TRACED_TRANSACTIONS // self.clients, wrapper=perf)
        sample = meter.read(Sample(statements=done, units=done))
        if perf:
            # Better than /proc's switches: threads that ended are in it.
            counts = re.findall(r"^(\d+),", report.read_text(), re.M)
            sample.syscalls, sample.switches = (int(count) / done for count in counts)
        return sample


def perf_counts():
    """Whether this kernel lets perf count them (strace would slow the proxy tenfold)."""
    if not shutil.which("perf"):
        return False
    command = ["perf", "stat", "-e", ",".join(COUNTED), "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@dataclass
class Copy:
    """Bulk rows one way. Pinned it gives CPU; with both cores the rate a user sees."""

    name: str
    into: bool
    pinned: bool
    without: tuple = ("pgaudit", "server_audit")
    rounds: int | None = None

    def turn(self, bench, target):
        if not self.pinned:
            target.pin(os.sched_getaffinity(0))
        size = os.path.getsize(bench.bulk_file)
        meter = Meter(target)
        began = time.monotonic()
        if self.into:
            # WHERE false: the server reads every row and keeps none, so that each turn finds the same table.
            bench.psql(target.port, "COPY bulk FROM STDIN WHERE false", stdin=bench.bulk_file, pinned=self.pinned)
        else:
            bench.psql(target.port, "COPY bulk TO STDOUT", pinned=self.pinned)
        seconds = time.monotonic() - began
        return meter.read(Sample(statements=1, units=size / 1e9, rate=size / seconds))


@dataclass
class Idle:
    """A thousand sessions that ran a statement each and wait."""

    name: str
    without: tuple = ("direct", "pgaudit", "server_audit")
    rounds: int | None = 1

    def turn(self, bench, target):
        pid = target.process.pid
        base = measure.resident_bytes(pid)
        meter = Meter(target)
        with contextlib.ExitStack() as stack:
            for _ in range(IDLE_CLIENTS):
                stack.enter_context(process.connect(target.port))
            sample = meter.read(Sample(statements=IDLE_CLIENTS, units=IDLE_CLIENTS))
            sample.base_rss = base / (1 << 20)
            sample.idle_rss = (measure.resident_bytes(pid) - base) / 1024 / IDLE_CLIENTS
        target.process.stop()  # a pooler would keep the server's sessions from the next target
        return sample


@dataclass
class Sysbench:
    """sysbench against MariaDB for a time: one of its scripts, with prepared statements or without."""

    name: str
    clients: int
    prepared: bool
    script: str = "oltp_point_select"
    without: tuple = ("pgbouncer", "pgaudit")
    rounds: int | None = None
    mariadb = True

    def turn(self, bench, target):
        options = [f"--threads={self.clients}", f"--time={bench.seconds}",
                   f"--db-ps-mode={'auto' if self.prepared else 'disable'}"]
        meter = Meter(target)
        report = bench.sysbench(target.port, self.script, *options, "run")
        done = int(re.search(r"^ +total: +(\d+)$", report, re.M)[1])
        rate = float(re.search(r"queries: .*\(([\d.]+) per sec\.\)", report)[1])
        if re.search(r"ignored errors: +[1-9]", report):
            raise RuntimeError(f"sysbench failed:\n{report}")
        return meter.read(Sample(statements=done, units=done, rate=rate))


@dataclass
class BigResult:
    """Rows of 100 bytes out of MariaDB. Pinned it gives CPU; with both cores the rate a user sees."""

    name: str
    pinned: bool
    without: tuple = ("pgbouncer", "pgaudit")
    rounds: int | None = None
    mariadb = True

    def turn(self, bench, target):
        if not self.pinned:
            target.pin(os.sched_getaffinity(0))
        text = f"select seq, repeat('x', 92) from seq_1000000_to_{999_999 + BULK_ROWS}"
        meter = Meter(target)
        began = time.monotonic()
        bench.mariadb(target.port, text, pinned=self.pinned)
        seconds = time.monotonic() - began
        # 7 digits, 92 letters, a tab and a newline's worth of lengths: as on the wire, less the packets' heads.
        size = BULK_ROWS * 101
        return meter.read(Sample(statements=1, units=size / 1e9, rate=size / seconds))


def session(port, database_flag=""):
    database = [database_flag, process.DATABASE] if database_flag else [process.DATABASE]
    return ["-h", "127.0.0.1", "-p", port, "-U", process.DATABASE, *database]


# Each with the rows of the bar that it feeds; one without is in the table alone.
WORKLOADS = [
    (Queries("c1-simple", 1, "simple"), {2, 4, 5}),
    (Queries("c1-prepared", 1, "prepared"), {1, 4, 5}),
    (Queries("c8-simple", 8, "simple"), set()),
    (Queries("c8-prepared", 8, "prepared"), {3, 5}),
    (Latency("latency", 1, "prepared"), {6}),
    (Syscalls("syscalls", 1, "prepared"), {7}),
    (Queries("pipeline", 1, "prepared", "burst.sql", BURST), {8, 9}),
    (Copy("copy-out", into=False, pinned=True), {10}),
    (Copy("copy-out-free", into=False, pinned=False), {10}),
    (Copy("copy-in", into=True, pinned=True), {11}),
    (Queries("connect", 1, "simple", reconnect=True, without=("pgaudit", "server_audit")), {12}),
    (Idle("idle"), {13}),
    (Sysbench("my-text-c1", 1, False), {14}),
    (Sysbench("my-prepared-c1", 1, True), {14}),
    (Sysbench("my-text-c16", 16, False), {14}),
    (Sysbench("my-prepared-c16", 16, True), {14}),
    (Sysbench("my-read-write-c1", 1, True, "oltp_read_write"), {14}),
    (Sysbench("my-read-write-c16", 16, True, "oltp_read_write"), {14}),
    (BigResult("my-result", pinned=True), {15}),
    (BigResult("my-result-free", pinned=False), {15}),
]
