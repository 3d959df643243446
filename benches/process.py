"""A server that a benchmark started, and the sessions that say whether it serves."""

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import time
from pathlib import Path

DATABASE = "postgres"  # and the name of its superuser
START_SECONDS = 15
STOP_SECONDS = 10


class Unavailable(Exception):
    """A server cannot be had here; the text says why."""


class Process:
    """A server that we started, and the port it serves on 127.0.0.1."""

    def __init__(self, command, port, log_file, core, user=None, stop_signal=signal.SIGTERM, answers=None):
        if not os.path.exists(command[0]):
            raise Unavailable(f"{command[0]} is not there")
        self.port, self.log_file, self.stop_signal = port, log_file, stop_signal
        self.answers = answers or answers_postgres
        # A session of its own: Ctrl-C reaches us alone, and we stop the servers in order.
        options = {"start_new_session": True, "stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        if user and os.geteuid() == 0:
            options |= {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        with open(log_file, "wb") as output:
            command = ["taskset", "-c", str(core), *map(str, command)]
            self.child = subprocess.Popen(command, stdout=output, **options)

    def __enter__(self):
        try:
            self.wait_until_it_serves()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        """The server's own: taskset became it."""
        return self.child.pid

    def wait_until_it_serves(self):
        deadline = time.monotonic() + START_SECONDS
        while not self.answers(self.port):
            if self.child.poll() is not None:
                raise Unavailable(f"stopped with status {self.child.returncode}: {self.last_line()}")
            if time.monotonic() > deadline:
                raise Unavailable(f"does not serve after {START_SECONDS} s: {self.last_line()}")
            time.sleep(0.05)

    def last_line(self):
        lines = Path(self.log_file).read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    def pin(self, cores):
        """Moves all threads to these cores; what is forked later follows."""
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(task), cores)

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(self.stop_signal)
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers_mysql(port):
    """Whether a MySQL or MariaDB greets at this port: its protocol's number, or an error, comes first."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
            return link.recv(5)[4:] == b"\x0a"
    except OSError:
        return False


def answers_postgres(port):
    """Whether a PostgreSQL session can be had through this port."""
    try:
        with connect(port):
            return True
    except OSError:
        return False


def connect(port):
    """A raw session that has run one statement, as each idle client of a pool once did."""
    link = socket.create_connection(("127.0.0.1", port), timeout=5)
    try:
        pairs = f"user\0{DATABASE}\0database\0{DATABASE}\0\0".encode()
        link.sendall((len(pairs) + 8).to_bytes(4, "big") + (3 << 16).to_bytes(4, "big") + pairs)
        until_ready(link)
        text = b"SELECT 1\0"
        link.sendall(b"Q" + (len(text) + 4).to_bytes(4, "big") + text)
        until_ready(link)
    except BaseException:
        link.close()
        raise
    return link


def until_ready(link):
    """Reads up to ReadyForQuery; an ErrorResponse is an OSError."""
    stream = b""
    while True:
        while len(stream) >= 5 and len(stream) >= (size := 1 + int.from_bytes(stream[1:5], "big")):
            kind, stream = stream[:1], stream[size:]
            if kind == b"Z":
                return
            if kind == b"E":
                raise ConnectionError("refused by the server")
        if not (chunk := link.recv(4096)):
            raise ConnectionError("closed by the server")
        stream += chunk
