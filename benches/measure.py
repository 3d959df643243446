"""What is read from the kernel about a proxy, and how figures are compared.

A figure is the median of paired ratios: each round gives every target its turn, and only turns of one round are
divided by each other. Absolutes drift by 15 % in minutes.
"""

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

REST_SECONDS = 0.1  # a window in which a process at rest uses next to nothing
REST_SHARE = 0.01
REST_LIMIT_SECONDS = 60


@dataclass
class Sample:
    """One turn of one target under one workload. What was not measured is None."""

    statements: int = 0
    rate: float | None = None  # statements (or bytes) a second
    cpu: float | None = None  # seconds of the proxy, its tail included
    user: float | None = None  # the part of it outside the kernel
    units: float = 0  # what the CPU is divided by: statements, connections or GB
    p50: float | None = None  # µs
    p99: float | None = None
    syscalls: float | None = None  # per statement
    switches: float | None = None
    base_rss: float | None = None  # MiB
    idle_rss: float | None = None  # KiB a connection
    events: int | None = None
    failure: str | None = None  # why there is no measurement

    @property
    def unit_cpu(self):
        """CPU seconds per unit."""
        return None if self.cpu is None else self.cpu / self.units

    @property
    def unit_user(self):
        return None if self.user is None else self.user / self.units

    @property
    def events_per_statement(self):
        return None if self.events is None else self.events / self.statements

    @property
    def void(self):
        """A proxy that recorded too little or too much was not measured doing its work."""
        return bool(self.failure) or (self.events is not None and self.events != self.statements)


def cpu_seconds(pid):
    """utime + stime of the whole process, threads that ended included, in nanosecond steps: its CPU clock."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def user_share_ticks(pid):
    """(utime, stime) in ticks: good for their ratio only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]), int(fields[12])


def context_switches(pid):
    """Of all threads, wanted or not."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        for line in Path(f"/proc/{pid}/task/{task}/status").read_text().splitlines():
            if "ctxt_switches" in line:
                total += int(line.split()[1])
    return total


def resident_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no VmRSS")


class Meter:
    """The CPU, switches and events of one target between its making and `read`."""

    def __init__(self, target):
        self.target = target
        if target.process:
            wait_for_rest(target)
            self.pid = target.process.pid
            self.events = target.trail.count() if target.trail else None
            self.cpu, self.ticks = cpu_seconds(self.pid), user_share_ticks(self.pid)
            self.switches = context_switches(self.pid)

    def read(self, sample):
        """Fills the sample, once the work that the clients left behind is done."""
        if not self.target.process:
            return sample
        wait_for_rest(self.target, None if self.events is None else self.events + sample.statements)
        sample.cpu = cpu_seconds(self.pid) - self.cpu
        user, system = (now - then for now, then in zip(user_share_ticks(self.pid), self.ticks))
        sample.user = sample.cpu * user / max(1, user + system)
        sample.switches = (context_switches(self.pid) - self.switches) / max(1, sample.statements)
        if self.events is not None:
            sample.events = self.target.trail.count() - self.events
        return sample


def wait_for_rest(target, events=None):
    """Until the proxy uses no CPU and, where asked, that many events are in its file."""
    deadline = time.monotonic() + REST_LIMIT_SECONDS
    events_deadline = time.monotonic() + REST_LIMIT_SECONDS / 4
    before, still = cpu_seconds(target.process.pid), 0
    while still < 3:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{target.name} is not at rest {REST_LIMIT_SECONDS} s after its clients left")
        time.sleep(REST_SECONDS)
        now = cpu_seconds(target.process.pid)
        awaited = events is not None and target.trail.count() < events and time.monotonic() < events_deadline
        still = still + 1 if now - before < REST_SHARE * REST_SECONDS and not awaited else 0
        before = now


@dataclass
class Figure:
    """A median and how far the rounds are apart: half of the distance of their quartiles."""

    value: float
    spread: float = 0.0


class Results:
    """All samples: by workload and target, in the order of the rounds."""

    def __init__(self):
        self.samples = {}

    def add(self, workload, target, sample):
        self.samples.setdefault(workload, {}).setdefault(target, []).append(sample)

    def of(self, workload, target):
        return self.samples.get(workload, {}).get(target, [])

    def absolute(self, workload, target, value):
        """The median of `value(sample)`, or None."""
        return figure([value(sample) for sample in self.of(workload, target) if not sample.void])

    def ratio(self, workload, target, base, value):
        """The median of the paired ratios of two targets, or None."""
        return self.paired(workload, target, base, value, lambda a, b: a / b if b else None)

    def added(self, workload, target, base, value):
        """The median of the paired differences, or None."""
        return self.paired(workload, target, base, value, lambda a, b: a - b)

    def paired(self, workload, target, base, value, combine):
        values = ((value(a), value(b)) for a, b in self.pairs(workload, target, base))
        return figure([combine(a, b) for a, b in values if a is not None and b is not None])

    def pairs(self, workload, target, base):
        """The turns of two targets in the same round, but for void ones."""
        pairs = zip(self.of(workload, target), self.of(workload, base))
        return [(a, b) for a, b in pairs if not a.void and not b.void]

    def void(self, workload, target):
        """Whether any turn of the target failed, or did not record one event for each statement."""
        return any(sample.void for sample in self.of(workload, target))


def figure(values):
    values = [value for value in values if value is not None]
    if not values:
        return None
    if len(values) == 1:
        return Figure(values[0])
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    return Figure(statistics.median(values), (quartiles[2] - quartiles[0]) / 2)
