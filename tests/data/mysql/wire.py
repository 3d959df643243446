"""A bare client of MySQL's protocol, and a private MariaDB or MySQL to talk to."""

import base64

import hashlib
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PASSWORD = "wide open to those who test"

# Capabilities.
LONG_PASSWORD, CONNECT_WITH_DB, LOCAL_FILES, PROTOCOL_41 = 1 << 0, 1 << 3, 1 << 7, 1 << 9
TRANSACTIONS, SECURE, MULTI_STATEMENTS, MULTI_RESULTS, PS_MULTI_RESULTS = 1 << 13, 1 << 15, 1 << 16, 1 << 17, 1 << 18
PLUGIN_AUTH, CONNECT_ATTRS, SESSION_TRACK, DEPRECATE_EOF = 1 << 19, 1 << 20, 1 << 23, 1 << 24
OPTIONAL_METADATA, QUERY_ATTRIBUTES, SEVERAL_FACTORS = 1 << 25, 1 << 27, 1 << 28
PROGRESS, BULK, EXTENDED_METADATA, CACHE_METADATA = 1 << 32, 1 << 34, 1 << 35, 1 << 36
BULK_UNITS = 1 << 37
MARIADB = PROGRESS | BULK | EXTENDED_METADATA | CACHE_METADATA
BASE = PROTOCOL_41 | TRANSACTIONS | SECURE | MULTI_RESULTS | PS_MULTI_RESULTS | PLUGIN_AUTH
MORE_RESULTS, CURSOR, OUT_PARAMETERS = 8, 0x40, 0x1000


def integer(number):
    if number < 0xFB:
        return bytes([number])
    return b"\xfc" + struct.pack("<H", number) if number < 1 << 16 else b"\xfd" + struct.pack("<I", number)[:3]


def string(text):
    text = text if isinstance(text, bytes) else text.encode()
    return integer(len(text)) + text


def read_integer(body, at):
    first = body[at]
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
    return (int.from_bytes(body[at + 1 : at + 1 + size], "little"), at + 1 + size) if size else (first, at + 1)


def native(password, scramble):
    """mysql_native_password."""
    if not password:
        return b""
    inner = hashlib.sha1(password.encode()).digest()
    outer = hashlib.sha1(scramble + hashlib.sha1(inner).digest()).digest()
    return bytes(a ^ b for a, b in zip(inner, outer))


def sha2(password, scramble):
    """caching_sha2_password, where the server knows the password by heart."""
    if not password:
        return b""
    inner = hashlib.sha256(password.encode()).digest()
    outer = hashlib.sha256(hashlib.sha256(inner).digest() + scramble).digest()
    return bytes(a ^ b for a, b in zip(inner, outer))


def encrypt(pem, secret):
    """RSA-OAEP with SHA-1, by a public key in PEM."""
    der = base64.b64decode(b"".join(line for line in pem.split(b"\n") if line and not line.startswith(b"-")))
    # The last BIT STRING holds both numbers; the exponent is the last three bytes.
    exponent = int.from_bytes(der[-3:], "big")
    modulus = der[der.index(b"\x02\x82\x01\x01\0") + 5 :][:256]
    size, label = len(modulus), hashlib.sha1(b"").digest()

    def mask(seed, length):
        return b"".join(hashlib.sha1(seed + struct.pack(">I", n)).digest() for n in range(length // 20 + 1))[:length]

    def xor(a, b):
        return bytes(x ^ y for x, y in zip(a, b))

    seed, data = os.urandom(20), label + bytes(size - len(secret) - 42) + b"\1" + secret
    data = xor(data, mask(seed, len(data)))
    number = int.from_bytes(b"\0" + xor(seed, mask(data, 20)) + data, "big")
    return pow(number, exponent, int.from_bytes(modulus, "big")).to_bytes(size, "big")


class Server:
    """A private MariaDB on a free port; gone at the end of its `with`."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="panoptes-wire-")
        user = "--user=root" if os.geteuid() == 0 else "--skip-user"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["--bind-address=127.0.0.1", f"--port={self.port}", "--local-infile=1", "--log-bin", "--server-id=1"]
        self.process = self.start(user, options, {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL})
        wait(self.answers)
        for sql in (
            "create database shop",
            *self.USERS,
            "create user eve@'%'",
            "grant all on *.* to ana@'%'",
            "grant select on shop.* to eve@'%'",
            "create table shop.items (id int primary key auto_increment, name varchar(40), price decimal(8,2))",
            "insert into shop.items (name, price) values ('nut', 0.25), ('bolt', 0.50), ('gear', 12)",
            "create procedure shop.several() begin select 1; select 2, 3; update shop.items set price = price; end",
            "create procedure shop.outs(in a int, out b int) begin select a; set b = a * 2; end",
        ):
            self.sql(sql)
        return self

    USERS = (f"create user ana@'%' identified by '{PASSWORD}'",)

    def start(self, user, options, quiet):
        base = ["--no-defaults", f"--datadir={self.dir}/data", user]
        subprocess.run(["mariadb-install-db", *base, "--skip-test-db", "--auth-root-authentication-method=normal"], check=True, **quiet)
        return subprocess.Popen(["mariadbd", *base, *options, f"--socket={self.dir}/socket", "--skip-name-resolve", "--innodb-buffer-pool-size=16M", "--progress-report-time=1"], **quiet)

    def answers(self):
        try:
            with Talk(self.port) as talk:
                talk.login(user="root", password="")
                return True
        except (OSError, EOFError):
            return False

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir)

    def version(self):
        with Talk(self.port) as talk:
            talk.greet()
            return talk.greeting[1:].split(b"\0")[0].decode()

    def sql(self, sql):
        """Runs SQL beside what is recorded; the last packets of its answer."""
        with Talk(self.port) as talk:
            talk.login(user="root", password="")
            packets = talk.query(sql)
            if packets[-1][:1] == b"\xff":
                raise RuntimeError(f"{sql}: {packets[-1]}")
            return packets


class Mysql(Server):
    """A private MySQL of scripts/mysql9."""

    # Without its server's key no password goes over plain TCP.
    USERS = ("create user ana@'%'", f"create user sha@'%' identified with caching_sha2_password by '{PASSWORD}'", "grant all on *.* to sha@'%'")

    def start(self, user, options, quiet):
        script = os.path.join(HERE, "../../../scripts/mysql9")
        options += ["--skip-networking=OFF", "--plugin-load-add=authentication_webauthn.so", "--loose-authentication-webauthn-rp-id=panoptes.test"]
        return subprocess.Popen([script, "start", self.dir, *options], **quiet)


class Mariadb11(Server):
    """A private MariaDB 11 of scripts/mariadb11."""

    def start(self, user, options, quiet):
        script = os.path.join(HERE, "../../../scripts/mariadb11")
        return subprocess.Popen([script, "start", self.dir, "--skip-networking=OFF", *options], **quiet)


def wait(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError(condition)


class Talk:
    """One connection. What passes goes to `log` as (direction, packet)."""

    def __init__(self, port):
        self.log = []
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.capabilities = b"", 0
        self.greeting = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # Packets.

    def send(self, *packets):
        """Packets as (number, payload), in one write."""
        framed = [struct.pack("<I", len(payload))[:3] + bytes([number]) + payload for number, payload in packets]
        self.log += [(">", frame) for frame in framed]
        self.socket.sendall(b"".join(framed))

    def command(self, code, body=b""):
        self.send((0, bytes([code]) + body))

    def take(self, count):
        while len(self.buffer) < count:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                raise EOFError
            self.buffer += more
        got, self.buffer = self.buffer[:count], self.buffer[count:]
        return got

    def packet(self):
        header = self.take(4)
        payload = self.take(int.from_bytes(header[:3], "little"))
        self.log.append(("<", header + payload))
        self.number = header[3]
        return payload

    def end(self):
        """Reads up to the server's end."""
        packets = []
        while True:
            try:
                packets.append(self.packet())
            except EOFError:
                self.log.append(("<", None))
                return packets

    def quit(self):
        self.command(1)
        self.end()

    # The connection phase.

    def greet(self):
        self.greeting = self.packet()
        at = self.greeting.index(0) + 1
        self.thread = struct.unpack_from("<I", self.greeting, at)[0]
        self.scramble = self.greeting[at + 4 : at + 12] + self.greeting[at + 31 : at + 43]

    def respond(self, user="ana", password=PASSWORD, capabilities=BASE, schema=None, plugin="mysql_native_password", attributes=None, proof=None, collation=45):
        if schema:
            capabilities |= CONNECT_WITH_DB
        if attributes is not None:
            capabilities |= CONNECT_ATTRS
        self.capabilities = capabilities
        proof = native(password, self.scramble) if proof is None else proof
        body = struct.pack("<IIB19xI", capabilities & 0xFFFFFFFF, 1 << 24, collation, capabilities >> 32)
        body += user.encode() + b"\0" + bytes([len(proof)]) + proof
        if schema:
            body += schema.encode() + b"\0"
        if capabilities & PLUGIN_AUTH:
            body += plugin.encode() + b"\0"
        if attributes is not None:
            body += string(b"".join(string(k) + string(v) for k, v in attributes.items()))
        return (1, body)

    def login(self, **how):
        self.greet()
        self.send(self.respond(**how))
        last = self.packet()
        if last[0] == 0xFE:
            last = self.switch(last, how.get("password", PASSWORD))
        if last[0] != 0 and not how.get("fails"):
            raise EOFError(last)
        return last

    def switch(self, request, password):
        _, scramble = request[1:].split(b"\0", 1)
        self.send((self.number + 1, native(password, scramble[:20])))
        return self.packet()

    # The command phase.

    def has(self, capability):
        return self.capabilities & capability

    def is_end(self, packet):
        return packet[:1] == b"\xfe" and len(packet) < (0xFFFFFF if self.has(DEPRECATE_EOF) else 9)

    def status(self, packet):
        if packet[0] == 0xFE and not self.has(DEPRECATE_EOF) or len(packet) == 5:
            return struct.unpack_from("<H", packet, 3)[0]
        _, at = read_integer(packet, 1)
        _, at = read_integer(packet, at)
        return struct.unpack_from("<H", packet, at)[0]

    def result(self):
        """The packets of one result; whether another follows."""
        packets = [self.packet()]
        while packets[-1][:3] == b"\xff\xff\xff":
            packets.append(self.packet())
        first = packets[-1]
        if first[0] in (0, 0xFF, 0xFB) or len(first) == 5 and first[0] == 0xFE:
            return packets, first[0] == 0 and self.status(first) & MORE_RESULTS
        columns, at = read_integer(first, 0)
        if self.has(CACHE_METADATA | OPTIONAL_METADATA) and first[at : at + 1] == b"\0":
            columns = 0
        packets += [self.packet() for _ in range(columns)]
        if not self.has(DEPRECATE_EOF):
            packets.append(self.packet())
            if self.status(packets[-1]) & CURSOR:
                return packets, False
            if self.status(packets[-1]) & OUT_PARAMETERS:
                # At the end of the row a MySQL forgets to say that more follows.
                return self.rows(packets)[0], True
        return self.rows(packets)

    def rows(self, packets):
        while True:
            packets.append(self.packet())
            if packets[-1][:1] == b"\xff":
                return packets, False
            if self.is_end(packets[-1]):
                return packets, self.status(packets[-1]) & MORE_RESULTS

    def results(self):
        packets, more = self.result()
        while more:
            next_packets, more = self.result()
            packets += next_packets
        return packets

    def query(self, sql):
        self.command(3, sql.encode())
        return self.results()

    def prepare(self, sql):
        self.command(0x16, sql.encode())
        return self.prepared()

    def prepared(self):
        """The number of the statement that was prepared."""
        first = self.packet()
        if first[0] == 0xFF:
            return None
        number, columns, parameters = struct.unpack_from("<IHH", first, 1)
        lacking = self.has(OPTIONAL_METADATA) and first[12:13] == b"\0"
        for count in (parameters, columns):
            for _ in range((0 if lacking else count) + (count > 0 and not self.has(DEPRECATE_EOF))):
                self.packet()
        return number

    def execute(self, number, values=(), flags=0, types=True):
        self.send((0, run(number, values, flags, types)))
        return self.results()

    def fetch(self, number, rows):
        self.command(0x1C, struct.pack("<II", number, rows))
        return self.rows([])[0]


class Tap:
    """A man in the middle of one connection of a real client. What passes goes to `log` as (direction, bytes)."""

    def __init__(self, port, log):
        self.upstream, self.log = port, log
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.pass_on)
        self.thread.start()

    def pass_on(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.upstream))
        other = {client: (server, ">"), server: (client, "<")}
        while other:
            for side in select.select(list(other), [], [])[0]:
                to, direction = other[side]
                got = side.recv(65536)
                self.log.append((direction, got or None))
                if not got:
                    del other[side]
                    try:
                        to.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                else:
                    to.sendall(got)
        client.close()
        server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join()
        self.listener.close()


def run(number, values=(), flags=0, types=True):
    """COM_STMT_EXECUTE. A value is (type, its bytes), or (type, None) for NULL, or (type, ...) for one sent ahead."""
    body = struct.pack("<BIBI", 0x17, number & 0xFFFFFFFF, flags, 1)
    if values:
        nulls = sum(1 << place for place, (_, value) in enumerate(values) if value is None)
        body += nulls.to_bytes((len(values) + 7) // 8, "little") + bytes([types])
        if types:
            body += b"".join(struct.pack("<H", kind) for kind, _ in values)
        body += b"".join(value for _, value in values if isinstance(value, bytes))
    return body
