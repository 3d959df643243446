#!/usr/bin/env python3
"""The corpus tests/data/sql/postgres, judged and kept: corpus.py PANOPTES [--write]

Each statement is read by PostgreSQL's own grammar (pglast) and must have the verb, the object, the tables and what is
done to them that the tree says. With --write the expected lines are made anew from what `panoptes classify` says: read the
difference before it is committed."""

import sys
from pathlib import Path

import grammar
from classified import classify
from pglast import parse_sql
from pglast.parser import ParseError

FOLDER = Path(__file__).parent.parent / "data/sql/postgres"


def main(panoptes, write):
    wrong = 0
    for file in sorted(FOLDER.glob("*.txt")):
        lines = file.read_text().splitlines()
        statements = [line for line in lines if line and line[0] not in "#=~"]
        answers = classify(panoptes, "postgres", statements)
        expected = dict(zip(statements, map(line_of, (answer[0]["operation"] for answer in answers)), strict=True))
        for sql, answer in zip(statements, answers, strict=True):
            wrong += differs(file.name, sql, answer[0]["operation"])
        if write:
            kept = [line for line in lines if not line or line[0] not in "=~"]
            file.write_text("".join(line + "\n" + (expected[line] + "\n" if line in expected else "") for line in kept))
    print(f"{wrong} differ from the grammar")
    return wrong


def differs(name, sql, operation):
    try:
        node = parse_sql(sql)[0].stmt
    except ParseError as error:
        print(f"{name}: {sql}\n  {error}")
        return 1
    ours = operation["type"], {entry["table"].lower(): entry["mode"] for entry in operation.get("access", [])}
    theirs = grammar.verb(node), grammar.tables(node)
    if ours != theirs or operation.get("object") not in grammar.objects(node):
        print(f"{name}: {sql}\n  ours   {ours} {operation.get('object')}\n  theirs {theirs} {grammar.objects(node)}")
        return 1
    return 0


def line_of(operation):
    """`= VERB CATEGORY [object=name] main: table/mode …`, with `~` where a part of it is from tokens alone."""
    line = ("=" if operation["parsed"] == "full" else "~") + f" {operation['type']} {operation['category']}"
    if "object" in operation or "objectName" in operation:
        name = f"={operation['objectName']}" if "objectName" in operation else ""
        line += f" [{operation.get('object', '')}{name}]"
    if "mainTable" in operation:
        line += f" {operation['mainTable']}:"
    return line + "".join(f" {entry['table']}/{entry['mode']}" for entry in operation.get("access", []))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--write" in sys.argv) > 0)
