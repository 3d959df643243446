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
    without: tuple = ()  # the targets that take no turn
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
    without: tuple = ()
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
    without: tuple = ("direct", "pgaudit")
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
    without: tuple = ("pgaudit",)
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
    without: tuple = ("direct", "pgaudit")
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
    (Queries("connect", 1, "simple", reconnect=True, without=("pgaudit",)), {12}),
    (Idle("idle"), {13}),
]
