#!/usr/bin/env python3
"""Fills corpus/ from the transcripts of real servers: each direction by itself, and both in turn, behind the
login (the targets bring their own)."""

import glob
import os

HERE = os.path.dirname(os.path.abspath(__file__))
TRANSCRIPTS = os.path.join(HERE, "../../tests/data/postgres/transcripts/*.txt")


def keep(target, name, data):
    os.makedirs(f"{HERE}/corpus/{target}", exist_ok=True)
    with open(f"{HERE}/corpus/{target}/{name}", "wb") as file:
        file.write(data)


for path in glob.glob(TRANSCRIPTS):
    name = os.path.basename(path)[:-4]
    frames = [line.split()[:2] for line in open(path) if line[0] in "<>" and line.split()[1] != "end"]
    frames = [(side, bytes.fromhex(text)) for side, text in frames]
    login = next((n for n, (side, data) in enumerate(frames) if side == "<" and data[:1] == b"Z"), -1)
    frames = frames[login + 1 :]
    keep("pg_frontend", name, b"".join(data for side, data in frames if side == ">"))
    keep("pg_backend", name, b"".join(data for side, data in frames if side == "<"))
    pair = b""
    for side, data in frames:
        for place in range(0, len(data), 127):
            piece = data[place : place + 127]
            pair += bytes([len(piece) << 1 | (side == ">")]) + piece
    keep("pg_pair", name, pair)
