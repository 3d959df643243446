#!/usr/bin/env python3
"""Fills corpus/ from the transcripts of real servers: of PostgreSQL each direction by itself, and both in turn, behind
the login (the targets bring their own); of MySQL both in turn; and SQL from its corpora."""

import glob
import os

HERE = os.path.dirname(os.path.abspath(__file__))
SQL = os.path.join(HERE, "../../tests/data/sql/**/*.txt")
TRANSCRIPTS = os.path.join(HERE, "../../tests/data/{}/transcripts/*.txt")


def keep(target, name, data):
    os.makedirs(f"{HERE}/corpus/{target}", exist_ok=True)
    with open(f"{HERE}/corpus/{target}/{name}", "wb") as file:
        file.write(data)


def packets(path):
    lines = [line.split()[:2] for line in open(path) if line[0] in "<>" and line.split()[1] != "end"]
    return os.path.basename(path)[:-4], [(side, bytes.fromhex(text)) for side, text in lines]


def in_turn(frames):
    pair = b""
    for side, data in frames:
        for place in range(0, len(data), 127):
            piece = data[place : place + 127]
            pair += bytes([len(piece) << 1 | (side == ">")]) + piece
    return pair


for path in glob.glob(TRANSCRIPTS.format("postgres")):
    name, frames = packets(path)
    login = next((n for n, (side, data) in enumerate(frames) if side == "<" and data[:1] == b"Z"), -1)
    frames = frames[login + 1 :]
    keep("pg_frontend", name, b"".join(data for side, data in frames if side == ">"))
    keep("pg_backend", name, b"".join(data for side, data in frames if side == "<"))
    keep("pg_pair", name, in_turn(frames))

# Each statement of the corpora; what is expected of it stands behind the marks.
for path in glob.glob(SQL, recursive=True):
    for number, line in enumerate(open(path, encoding="utf-8")):
        if line[0] not in "=~#@\n":
            for target in ["sql_lexer", "sql_classify"]:
                keep(target, f"{os.path.basename(path)}-{number}", line.strip().encode())

for path in glob.glob(TRANSCRIPTS.format("mysql")):
    name, frames = packets(path)
    keep("my_session", name, in_turn(frames))
    # Greeting, response, OK: the target brings its own as well.
    keep("my_session", name + "-later", in_turn(frames[3:]))
