"""A bare client of PostgreSQL's protocol, and private servers to talk to."""

import base64
import hashlib
import hmac
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVERS = {
    "15": "/usr/lib/postgresql/15/bin",
    "18": os.path.join(HERE, "../../../.cache/pg18/bin"),
}
PASSWORD = "wide open to those who test"
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
wal_level = logical
max_prepared_transactions = 2
lc_messages = C
timezone = UTC
logging_collector = off
"""
HBA = """
host all scram_user 127.0.0.1/32 scram-sha-256
host all md5_user 127.0.0.1/32 md5
host all cleartext_user 127.0.0.1/32 password
host all,replication all 127.0.0.1/32 trust
"""


def version(number, minor=0):
    return number << 16 | minor


def frame(kind, body=b""):
    return kind.encode() + struct.pack("!I", len(body) + 4) + body


def packet(code, body=b""):
    return struct.pack("!II", 8 + len(body), code) + body


def text(word):
    return (word if isinstance(word, bytes) else word.encode()) + b"\0"


def startup(code=version(3), **parameters):
    parameters = {"user": "postgres", "database": "postgres", **parameters}
    return packet(code, b"".join(text(k) + text(v) for k, v in parameters.items()) + b"\0")


SSL = packet(80877103)
GSSENC = packet(80877104)


def cancel(pid, secret):
    return packet(80877102, struct.pack("!I", pid) + secret)


def Q(sql):
    return frame("Q", text(sql))


def P(sql, name="", types=()):
    return frame("P", text(name) + text(sql) + struct.pack(f"!H{len(types)}I", len(types), *types))


def B(statement="", portal="", values=()):
    body = text(portal) + text(statement) + struct.pack("!HH", 0, len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!I", len(value)) + value
    return frame("B", body + struct.pack("!H", 0))


def D(kind, name=""):
    return frame("D", kind.encode() + text(name))


def E(portal="", rows=0):
    return frame("E", text(portal) + struct.pack("!I", rows))


def C(kind, name=""):
    return frame("C", kind.encode() + text(name))


def F(oid, *values):
    body = struct.pack("!IHH", oid, 0, len(values))
    for value in values:
        body += struct.pack("!I", len(value)) + value
    return frame("F", body + struct.pack("!H", 0))


S, H, X, DONE = frame("S"), frame("H"), frame("X"), frame("c")


def data(chunk):
    return frame("d", chunk)


def fail(why):
    return frame("f", text(why))


def run(sql, portal="", name=""):
    """Parse, Bind, Execute."""
    return P(sql, name) + B(name, portal) + E(portal)


class Server:
    """A private server on a free port; gone at the end of its `with`."""

    def __init__(self, name):
        self.name, self.bin = name, SERVERS[name]

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="panoptes-wire-")
        shutil.chown(self.dir, "postgres")
        self.command("initdb", "--no-sync", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-D", self.dir + "/data")
        with open(self.dir + "/data/postgresql.conf", "a") as file:
            file.write(SETTINGS)
        with open(self.dir + "/data/pg_hba.conf", "w") as file:
            file.write(HBA)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command("pg_ctl", "-w", "-D", self.dir + "/data", "-l", self.dir + "/log", "-o", f"-p {self.port}", "start")
        for user in ("scram_user", "md5_user", "cleartext_user"):
            method = "md5" if user == "md5_user" else "scram-sha-256"
            self.sql(f"set password_encryption = '{method}'; create role {user} login password '{PASSWORD}'")
        return self

    def __exit__(self, *_):
        self.command("pg_ctl", "-m", "immediate", "-D", self.dir + "/data", "stop")
        shutil.rmtree(self.dir)

    def command(self, program, *args):
        become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run([*become, os.path.join(self.bin, program), *args], check=True, cwd="/", stdout=subprocess.DEVNULL)

    def sql(self, sql):
        """Runs SQL beside what is recorded; the rows as lists of strings."""
        with Talk(self.port) as talk:
            talk.login()
            talk.send(Q(sql))
            rows = []
            for kind, body in talk.until("Z"):
                if kind == "E":
                    raise RuntimeError(f"{sql}: {body}")
                if kind == "D":
                    rows.append(row(body))
            return rows


def row(body):
    count, place, values = *struct.unpack_from("!H", body), 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, place)
        place += 4
        values.append(None if length < 0 else body[place : place + length].decode())
        place += max(length, 0)
    return values


class Talk:
    """One connection. What passes goes to `log` as (direction, bytes), frame by frame."""

    def __init__(self, port, log=None):
        self.log = [] if log is None else log
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.key = b"", None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *messages):
        self.log.append((">", messages))
        self.socket.sendall(b"".join(messages))

    def byte(self):
        got = self.take(1)
        self.log.append(("<", [got]))
        return got

    def take(self, count):
        while len(self.buffer) < count:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.buffer += more
        got, self.buffer = self.buffer[:count], self.buffer[count:]
        return got

    def next(self):
        """The next frame of the server, or None at its end."""
        header = self.take(5)
        if header is None:
            return None
        (length,) = struct.unpack("!I", header[1:])
        body = self.take(length - 4)
        if body is None:
            # An error of protocol 2.0: a text, no length.
            body, self.buffer = self.buffer, b""
        self.log.append(("<", [header + body]))
        kind = chr(header[0])
        if kind == "K":
            self.key = struct.unpack("!I", body[:4])[0], body[4:]
        return kind, body

    def until(self, kinds):
        """Frames, up to one of each kind in turn."""
        seen = []
        for kind in kinds:
            while True:
                got = self.next()
                if got is None:
                    raise EOFError(f"no {kind} of {kinds} after {seen}")
                seen.append(got)
                if got[0] == kind:
                    break
        return seen

    def end(self):
        """Frames up to the server's end of the connection."""
        seen = []
        while (got := self.next()) is not None:
            seen.append(got)
        self.log.append(("<", None))
        return seen

    def finish(self):
        """Sends FIN."""
        self.log.append((">", None))
        self.socket.shutdown(socket.SHUT_WR)

    def login(self, *behind, code=version(3), **parameters):
        """Logs in by trust, `behind` in the same write."""
        self.send(startup(code, **parameters), *behind)
        self.until("Z")

    def scram(self, user, password):
        """Up to the server's verdict on the proof."""
        self.send(startup(user=user))
        self.until("R")
        first = f"n=,r={base64.b64encode(os.urandom(18)).decode()}"
        message = ("n,," + first).encode()
        self.send(frame("p", text("SCRAM-SHA-256") + struct.pack("!I", len(message)) + message))
        challenge = self.until("R")[-1][1][4:].decode()
        field = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(field["s"]), int(field["i"]))
        client = hmac.digest(salted, b"Client Key", "sha256")
        bare = f"c=biws,r={field['r']}"
        signed = hmac.digest(hashlib.sha256(client).digest(), f"{first},{challenge},{bare}".encode(), "sha256")
        proof = bytes(a ^ b for a, b in zip(client, signed))
        self.send(frame("p", f"{bare},p={base64.b64encode(proof).decode()}".encode()))

    def md5(self, user, password):
        self.send(startup(user=user))
        salt = self.until("R")[-1][1][4:]
        inner = hashlib.md5((password + user).encode()).hexdigest()
        self.send(frame("p", text("md5" + hashlib.md5(inner.encode() + salt).hexdigest())))

    def cleartext(self, user, password):
        self.send(startup(user=user))
        self.until("R")
        self.send(frame("p", text(password)))


def wait(condition):
    """Until `condition` holds; the server answers in its own time."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    raise TimeoutError
