#!/usr/bin/env python3
"""Are texts cut where PostgreSQL cuts them? cuts.py PANOPTES LOG…

Each text that a server logged (*.json of traffic.py and orms.py), whole, beside the statements that pglast makes of it."""

import json
import re
import sys
from pathlib import Path

from classified import classify
from pglast import parse_sql
from pglast.parser import ParseError


def main(panoptes, *logs):
    texts = list(dict.fromkeys(text for log in logs for text in sent(Path(log).read_text())))
    several = wrong = refused = 0
    for text, answers in zip(texts, classify(panoptes, "postgres", texts), strict=True):
        try:
            # Places are of bytes.
            whole = text.encode()
            theirs = [whole[node.stmt_location :][: node.stmt_len or None].decode() for node in parse_sql(text)]
        except ParseError:
            refused += 1
            continue
        several += len(theirs) > 1
        ours = [answer["raw"] for answer in answers]
        redacted = any("redacted" in answer for answer in answers)
        if len(ours) != len(theirs) or not redacted and list(map(bare, theirs)) != list(map(bare, ours)):
            wrong += 1
            print(f"{text}\n    ours   {ours}\n    theirs {theirs}")
    print(f"{len(texts)} texts, {several} of several statements, {refused} refused by the grammar: {wrong} cut otherwise")


def sent(log):
    for line in log.splitlines():
        if found := re.match(r"(?:statement|execute [^:]*): (.*)", json.loads(line).get("message", ""), re.S):
            yield found.group(1)


def bare(statement):
    """Less the white space and comments around it."""
    return re.sub(r"^(\s|--[^\n]*(\n|$)|/\*.*?\*/)*|(\s|--[^\n]*(\n|$)|/\*[^/]*\*/)*$", "", statement, flags=re.S)


if __name__ == "__main__":
    main(*sys.argv[1:])
