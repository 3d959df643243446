#!/usr/bin/env python3
"""Records what real servers say: one transcript for each scene of scenes.py (MariaDB 10.11), of scenes_mysql.py and of
scenes_mariadb11.py, into transcripts/.

    record.py [scene ...]     record (all of them; PyMySQL is needed for its own)

A line is a packet, or of a real client a piece of the stream: `>` from the client, `<` from the server, in hexadecimal, in an order that keeps causes before
effects; `end` is the end of that side's bytes. What a reader wants to know of it is behind `#`. Beside it,
`scene.expected` is what an observer must see.
"""

import os
import string
import sys

import wire
import scenes
import scenes_mariadb11
import scenes_mysql

TRANSCRIPTS = os.path.join(wire.HERE, "transcripts")


def record(wanted):
    os.makedirs(TRANSCRIPTS, exist_ok=True)
    kinds = (wire.Server, scenes.SCENES), (wire.Mysql, scenes_mysql.SCENES), (wire.Mariadb11, scenes_mariadb11.SCENES)
    for kind, all_scenes in kinds:
        chosen = {title: scene for title, scene in all_scenes.items() if not wanted or title in wanted}
        if chosen:
            record_on(kind, chosen)


def record_on(kind, chosen):
    with kind() as server:
        for title, (play, login) in chosen.items():
            write(title, play.__doc__, server.version(), tape(server, title, play, dict(login)))


def tape(server, title, play, login):
    with wire.Talk(server.port) as talk:
        try:
            if login.pop("login", True):
                talk.login(**login)
            play(talk, server)
        except Exception:
            print(f"{title}: {talk.log[-5:]}", file=sys.stderr)
            raise
        return talk.log


def write(name, row, version, log):
    with open(f"{TRANSCRIPTS}/{name}.txt", "w") as file:
        file.write(f"# {' '.join(row.split())}\n# {version}\n")
        for side, packet in log:
            file.write(f"{side} end\n" if packet is None else f"{side} {packet.hex()} # {remark(packet)}\n")


def remark(packet):
    shown = "".join(c if c in string.printable[:95] else "." for c in packet.decode("latin-1"))
    return shown[:100]


if __name__ == "__main__":
    record(set(sys.argv[1:]))
