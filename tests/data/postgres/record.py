#!/usr/bin/env python3
"""Records what real servers say: one transcript for each scene of scenes.py, into transcripts/.

    record.py [scene ...]     record (all of them)
    record.py --differ [n]    send n random frames, sound and unsound, and compare what becomes of the connection with
                              the rule of parser/postgres/frontend.rs (in short form below)

A scene is played to PostgreSQL 15 and 18. Where both say the same kinds of messages, 15's words are kept as
`scene.txt`; else 18's as well, as `scene.18.txt`. A line is a frame: `>` from the client, `<` from the server, in
hexadecimal, in an order that keeps causes before effects; `end` is the end of that side's bytes. What a reader wants to
know of it is behind `#`. Beside it, `scene.expected` is written by hand: what an observer must see.
"""

import os
import random
import string
import struct
import sys

import wire
from scenes import SCENES

TRANSCRIPTS = os.path.join(wire.HERE, "transcripts")


def record(wanted):
    tapes = {}
    for name in wire.SERVERS:
        with wire.Server(name) as server:
            for title, (play, only, login) in SCENES.items():
                if only in (None, name) and (not wanted or title in wanted):
                    tapes.setdefault(title, {})[name] = tape(server, title, play, dict(login))
    os.makedirs(TRANSCRIPTS, exist_ok=True)
    for title, by_server in tapes.items():
        names = list(by_server)
        if len(names) == 2 and kinds(by_server["15"]) == kinds(by_server["18"]):
            names = ["15"]
        for name in names:
            suffix = ".18" if len(names) == 2 and name == "18" else ""
            write(title + suffix, SCENES[title][0].__doc__, name, by_server[name])


def tape(server, title, play, login):
    with wire.Talk(server.port) as talk:
        try:
            if login.pop("login", True):
                talk.login(**login)
            play(talk, server)
        except Exception:
            print(f"{title} on {server.name}: {kinds(talk.log)}", file=sys.stderr)
            raise
        return talk.log


def kinds(log):
    """What of a tape is the same at each run and each server: not how many parameters are reported."""
    seen = "".join(side + letter(m) for side, messages in log for m in messages or [b"."])
    return seen.replace("<S", "")


def letter(message):
    if message[:1] == b"Z":
        return message[-1:].decode()
    if message[:1] == b"K":
        return f"K{len(message)}"
    return chr(message[0]) if chr(message[0]).isprintable() else "0"


def write(name, row, version, log):
    with open(f"{TRANSCRIPTS}/{name}.txt", "w") as file:
        file.write(f"# {' '.join(row.split())}\n# PostgreSQL {version}\n")
        for side, messages in log:
            for message in messages or []:
                file.write(f"{side} {message.hex()} # {remark(message)}\n")
            if messages is None:
                file.write(f"{side} end\n")


def remark(message):
    shown = "".join(c if c in string.printable[:95] else "." for c in message.decode("latin-1"))
    return shown[:100]


# What becomes of a connection, by the type and length (with its own four bytes) of a frame, outside of COPY. The model.
LARGE, SMALL = 0x3FFFFFFE, 10_000


def fate(kind, length):
    most = LARGE if kind in b"QPBFd" else SMALL if kind in b"DECSHXcf" else None
    if most is None:
        return "fatal"
    if not 4 <= length <= most:
        return "silence"
    return "end" if kind == ord("X") else "lives"


def differ(count):
    dice = random.Random(count)
    lengths = [0, 1, 3, 4, 5, 6, 8, 12, 60, 9_996, 9_999, 10_000, 10_001, 10_005, 70_000, LARGE, LARGE + 1, LARGE + 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
    for name in wire.SERVERS:
        tried, differences = {}, 0
        with wire.Server(name) as server:
            for number in range(count):
                # Every type with every length at least once, then at random.
                kind = number // len(lengths) if number < 256 * len(lengths) else dice.randrange(256)
                length = lengths[number % len(lengths)]
                if kind == ord("X") and 4 <= length <= SMALL:
                    length = 4
                seen, said = observed(server, dice, kind, length)
                tried[seen] = tried.get(seen, 0) + 1
                if seen != fate(kind, length):
                    differences += 1
                    print(f"PostgreSQL {name}: {bytes([kind])!r} of {length}: {seen} ({said}), not {fate(kind, length)}")
        print(f"PostgreSQL {name}: {count} frames, {tried}, {differences} differences")


def observed(server, dice, kind, length):
    """Sends one frame with a body of anything, then Sync; whether the server takes up another question."""
    with wire.Talk(server.port) as talk:
        talk.login()
        body = dice.randbytes(max(0, length - 4)) if length < 100_000 else b""
        try:
            talk.send(bytes([kind]) + struct.pack("!I", length) + body)
            # A long frame that is accepted is never sent whole: the server would wait for it. That it waits is seen by
            # the end of our side: silence then is no refusal.
            if length >= 100_000:
                talk.socket.settimeout(0.3)
                try:
                    said = talk.end()
                    return ("fatal" if said else "silence"), said[-1:]
                except TimeoutError:
                    return "lives", []
            talk.send(wire.S, wire.Q("select 'another question'"))
            talk.finish()
            said = talk.end()
        except OSError:  # it has closed already
            said = talk.end()
    if any(k == "C" and b == b"SELECT 1\0" for k, b in said) and any(b"another question" in b for k, b in said if k == "D"):
        return "lives", []
    if any(k == "E" and b"FATAL" in b for k, b in said):
        return "fatal", said[-1:]
    return ("end" if kind == ord("X") and length == 4 else "silence"), said[-1:]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--differ"]:
        differ(int(sys.argv[2]) if len(sys.argv) > 2 else 6_000)
    else:
        record(set(sys.argv[1:]))
