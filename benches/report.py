"""What a benchmark says: the table of all targets, and each row of the bar for one of them.

The bar is that of the project's page on speed: what a proxy must reach to be ahead of those that record nothing,
what puts it ahead of every peer, and the limit.
"""

from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Callable

from measure import figure

# CPU µs a statement of haproxy on the machine that the bar was set on: bounds in µs are scaled by it.
REFERENCE_HAPROXY = {"c1-simple": 20.1, "c1-prepared": 20.5}

rate, cpu, user, p50, p99 = map(attrgetter, ("rate", "unit_cpu", "unit_user", "p50", "p99"))


@dataclass
class Bound:
    """One figure of a row, and what it must keep to. `at_least`: more is better."""

    row: int
    name: str
    workload: str
    must: float
    ahead: float
    figure: Callable  # (results, target) -> Figure or None
    at_least: bool = False

    def verdict(self, results, target):
        if results.void(self.workload, target):
            return "void"
        figure = self.figure(results, target)
        if figure is None:
            return "not measured"
        reached = figure.value.__ge__ if self.at_least else figure.value.__le__
        return "ahead" if reached(self.ahead) else "must" if reached(self.must) else "MISSED"


def against(workload, base, value):
    return lambda results, target: results.ratio(workload, target, base, value)


def alone(workload, value):
    return lambda results, target: results.absolute(workload, target, value)


def scaled_user(workload):
    """User-space µs a statement, on a machine where haproxy takes what it took when the bar was set."""
    scale = REFERENCE_HAPROXY[workload]

    def median(results, target):
        pairs = results.pairs(workload, target, "haproxy")
        return figure([user(a) / cpu(b) * scale for a, b in pairs if user(a) is not None])

    return median


BAR = [
    Bound(1, "CPU ÷ haproxy, 1 client, prepared", "c1-prepared", 1.00, 0.86, against("c1-prepared", "haproxy", cpu)),
    Bound(2, "CPU ÷ haproxy, 1 client, simple", "c1-simple", 1.00, 0.89, against("c1-simple", "haproxy", cpu)),
    Bound(3, "CPU ÷ haproxy, 8 clients, prepared", "c8-prepared", 1.00, 0.85, against("c8-prepared", "haproxy", cpu)),
    Bound(4, "user-space µs, prepared (haproxy = 20.5)", "c1-prepared", 4.3, 3.5, scaled_user("c1-prepared")),
    Bound(4, "user-space µs, simple (haproxy = 20.1)", "c1-simple", 4.3, 3.5, scaled_user("c1-simple")),
    Bound(5, "rate ÷ haproxy, 1 client, simple", "c1-simple", 1.00, 1.06, against("c1-simple", "haproxy", rate), True),
    Bound(5, "rate ÷ haproxy, 1 client, prepared", "c1-prepared", 1.00, 1.06,
          against("c1-prepared", "haproxy", rate), True),
    Bound(5, "rate ÷ haproxy, 8 clients, prepared", "c8-prepared", 1.00, 1.06,
          against("c8-prepared", "haproxy", rate), True),
    Bound(6, "p99 ÷ haproxy, 1 client, prepared", "latency", 1.05, 0.95, against("latency", "haproxy", p99)),
    Bound(7, "system calls a statement", "syscalls", 6.5, 6.1, alone("syscalls", attrgetter("syscalls"))),
    Bound(7, "context switches a statement", "syscalls", 2.1, 2.05, alone("syscalls", attrgetter("switches"))),
    Bound(8, "rate ÷ direct, pipeline of 100", "pipeline", 0.70, 0.92, against("pipeline", "direct", rate), True),
    Bound(8, "CPU ÷ haproxy, pipeline of 100", "pipeline", 3.3, 1.4, against("pipeline", "haproxy", cpu)),
    Bound(9, "rate ÷ pgaudit, pipeline of 100", "pipeline", 1.4, 1.8, against("pipeline", "pgaudit", rate), True),
    Bound(10, "COPY out, MB/s ÷ direct, both cores", "copy-out-free", 0.85, 0.97,
          against("copy-out-free", "direct", rate), True),
    Bound(10, "COPY out, CPU ÷ haproxy", "copy-out", 1.9, 1.2, against("copy-out", "haproxy", cpu)),
    Bound(11, "COPY in, CPU ÷ haproxy", "copy-in", 1.35, 1.2, against("copy-in", "haproxy", cpu)),
    Bound(12, "connect + query + close, CPU ÷ haproxy", "connect", 1.2, 1.0, against("connect", "haproxy", cpu)),
    Bound(13, "KiB of RSS an idle connection", "idle", 18, 4, alone("idle", attrgetter("idle_rss"))),
    Bound(13, "MiB of RSS at rest", "idle", 15, 8, alone("idle", attrgetter("base_rss"))),
    *(Bound(14, f"MariaDB, CPU ÷ haproxy, {how}, {clients}", workload, must, ahead, against(workload, "haproxy", cpu))
      for how, clients, workload, must, ahead in [
          ("text", "1 client", "my-text-c1", 1.00, 0.90), ("prepared", "1 client", "my-prepared-c1", 1.00, 0.90),
          ("text", "16 clients", "my-text-c16", 1.05, 0.98), ("prepared", "16 clients", "my-prepared-c16", 1.05, 0.98)]),
    Bound(15, "MariaDB, big result, rate ÷ direct", "my-result-free", 0.98, 0.99,
          against("my-result-free", "direct", rate), True),
    Bound(15, "MariaDB, big result, CPU ÷ haproxy", "my-result", 1.4, 1.2, against("my-result", "haproxy", cpu)),
]

# The columns of the table: heading, figure(results, workload, target), digits.
MICRO, MEGA = 1e6, 1e-6
COLUMNS = {
    "÷ direct": lambda r, w, t: r.ratio(w, t, "direct", rate),
    "÷ haproxy": lambda r, w, t: r.ratio(w, t, "haproxy", rate),
    "CPU µs": lambda r, w, t: r.absolute(w, t, lambda s: s.unit_cpu and s.unit_cpu * MICRO),
    "CPU ÷ haproxy": lambda r, w, t: r.ratio(w, t, "haproxy", cpu),
    "user µs": lambda r, w, t: r.absolute(w, t, lambda s: s.unit_user and s.unit_user * MICRO),
    "MB/s": lambda r, w, t: r.absolute(w, t, lambda s: s.rate * MEGA),
    "CPU s/GB": lambda r, w, t: r.absolute(w, t, cpu),
    "p50 µs": lambda r, w, t: r.absolute(w, t, p50),
    "p99 µs": lambda r, w, t: r.absolute(w, t, p99),
    "added p50": lambda r, w, t: r.added(w, t, "direct", p50),
    "added p99": lambda r, w, t: r.added(w, t, "direct", p99),
    "p99 ÷ haproxy": lambda r, w, t: r.ratio(w, t, "haproxy", p99),
    "syscalls": lambda r, w, t: r.absolute(w, t, attrgetter("syscalls")),
    "switches": lambda r, w, t: r.absolute(w, t, attrgetter("switches")),
    "KiB/connection": lambda r, w, t: r.absolute(w, t, attrgetter("idle_rss")),
    "base MiB": lambda r, w, t: r.absolute(w, t, attrgetter("base_rss")),
}
QUERY = ["÷ direct", "÷ haproxy", "CPU µs", "CPU ÷ haproxy", "user µs"]
BULK = ["MB/s", "÷ direct", "CPU s/GB", "CPU ÷ haproxy"]
LAYOUT = {
    "latency": ["p50 µs", "p99 µs", "added p50", "added p99", "p99 ÷ haproxy"],
    "syscalls": ["syscalls", "switches"],
    "copy-out": BULK,
    "copy-out-free": ["MB/s", "÷ direct", "÷ haproxy"],
    "copy-in": BULK,
    "idle": ["KiB/connection", "base MiB"],
    "my-result": BULK,
    "my-result-free": ["MB/s", "÷ direct", "÷ haproxy"],
}


OVERVIEW = ["c1-simple", "c1-prepared", "c8-simple", "c8-prepared", "my-text-c1", "my-prepared-c1", "my-text-c16",
            "my-prepared-c16"]


def overview(results, targets):
    """Everything about small queries in one table."""
    workloads = [workload for workload in OVERVIEW if workload in results.samples]
    if workloads:
        yield "Pinned: rate ÷ direct / CPU µs a statement / CPU ÷ haproxy"
        yield row("", workloads)
    for target in targets:
        if any(results.of(workload, target) for workload in workloads):
            yield row(target, [triple(results, workload, target) for workload in workloads])


def triple(results, workload, target):
    figures = (COLUMNS[column](results, workload, target) for column in ("÷ direct", "CPU µs", "CPU ÷ haproxy"))
    return " / ".join("–" if figure is None else f"{figure.value:.{digits}f}" for figure, digits in zip(figures, (2, 1, 2)))


def tables(results, targets):
    """One table a workload: a line a target, medians with their spread, and the events per statement."""
    for workload in results.samples:
        columns = LAYOUT.get(workload, QUERY)
        yield f"\n{workload}"
        yield row("", [*columns, "events/statement"])
        for target in targets:
            if results.of(workload, target):
                cells = [show(COLUMNS[column](results, workload, target)) for column in columns]
                yield row(target, [*cells, events(results, workload, target)])


def row(head, cells):
    return f"  {head:<11}" + "".join(f"{cell:>21}" for cell in cells)


def show(figure):
    if figure is None:
        return "–"
    digits = 3 if abs(figure.value) < 1 else 2 if abs(figure.value) < 100 else 0
    spread = f" ±{figure.spread / abs(figure.value):.0%}" if figure.spread and figure.value else ""
    return f"{figure.value:.{digits}f}{spread}"


def events(results, workload, target):
    """Events per statement over all rounds: 1.000, or the line is void."""
    samples = results.of(workload, target)
    if failed := sum(bool(sample.failure) for sample in samples):
        return f"FAILED {failed}/{len(samples)}"
    if any(sample.events is None for sample in samples):
        return "–"
    share = sum(sample.events for sample in samples) / sum(sample.statements for sample in samples)
    return f"{share:.6f} VOID" if results.void(workload, target) else f"{share:.3f}"


def bar(results, target, rows):
    """The rows of the bar as `target` stands to them."""
    yield f"\nThe bar, for {target}"
    yield f"  {'row':<4}{'figure':<44}{'measured':>14}{'must':>9}{'ahead':>9}  verdict"
    for bound in BAR:
        if bound.row in rows:
            sign = "≥" if bound.at_least else "≤"
            bounds = f"{sign + f'{bound.must:g}':>9}{sign + f'{bound.ahead:g}':>9}"
            measured = show(bound.figure(results, target))
            yield f"  {bound.row:<4}{bound.name:<44}{measured:>14}{bounds}  {bound.verdict(results, target)}"
    for number in sorted(rows - {bound.row for bound in BAR}):
        yield f"  {number:<4}not measured here"


def as_json(results, target, rows):
    """All samples and verdicts, for a program to read."""
    verdicts = []
    for bound in BAR:
        if bound.row in rows:
            figure = bound.figure(results, target)
            verdicts.append({
                "row": bound.row, "name": bound.name, "must": bound.must, "ahead": bound.ahead,
                "figure": figure and figure.value, "spread": figure and figure.spread,
                "verdict": bound.verdict(results, target),
            })
    samples = {
        workload: {name: [asdict(sample) for sample in turns] for name, turns in by_target.items()}
        for workload, by_target in results.samples.items()
    }
    return {"target": target, "bar": verdicts, "samples": samples}
