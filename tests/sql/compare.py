#!/usr/bin/env python3
"""Compares `panoptes classify` with PostgreSQL's own grammar: compare.py PANOPTES PATH…

Paths hold psql scripts (*.sql), Python sources whose strings are SQL (*.py) and server logs (*.json). Needs pglast (PyPI)."""

import collections
import sys

import gather
import grammar
from classified import classify
from pglast import parse_sql, parser


def main(panoptes, paths, show):
    counted, cases = collections.Counter(), []
    seen = set()
    for source, sql in gather.gather(paths):
        if sql in seen or "\0" in sql:
            continue
        seen.add(sql)
        try:
            statements = parse_sql(sql)
        except (parser.ParseError, ValueError, RecursionError):
            counted["refused by the grammar"] += 1
            continue
        if len(statements) == 1:
            cases.append((source, sql, statements[0].stmt))
    told = classify(panoptes, "postgres", [sql for _, sql, _ in cases])
    for (source, sql, node), answer in zip(cases, told, strict=True):
        compare(source, sql, node, answer, counted, show)
    total = counted["statements"]
    for name in ["statements", "full", "verbs", "objects", "tables", "modes", "refused by the grammar"]:
        print(f"{name}: {counted[name]}" + (f" ({100 * counted[name] / total:.3f} %)" if name != "statements" else ""))
    return counted


def compare(source, sql, node, answers, counted, show):
    counted["statements"] += 1
    if len(answers) != 1:
        return told(show, source, sql, f"split in {len(answers)}")
    operation = answers[0]["operation"]
    counted["full"] += operation["parsed"] == "full"
    expected, actual = grammar.verb(node), operation["type"]
    counted["verbs"] += expected == actual
    if expected != actual:
        told(show, source, sql, f"verb {actual}, not {expected}")
    expected, actual = grammar.objects(node), operation.get("object")
    counted["objects"] += actual in expected
    if actual not in expected:
        told(show, source, sql, f"object {actual}, not {expected}")
    expected = grammar.tables(node)
    actual = {entry["table"].lower(): entry["mode"] for entry in operation.get("access", [])}
    counted["tables"] += expected.keys() == actual.keys()
    counted["modes"] += expected == actual
    if expected.keys() != actual.keys():
        more, less = actual.keys() - expected.keys(), expected.keys() - actual.keys()
        told(show, source, sql, f"tables: more {sorted(more)}, less {sorted(less)}")
    elif expected != actual:
        differ = {table: (actual[table], mode) for table, mode in expected.items() if actual[table] != mode}
        told(show, source, sql, f"modes (ours, theirs): {differ}")


def told(show, source, sql, what):
    if show:
        print(f"{source}: {what}\n    {sql[:show]}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    show = 300
    if arguments[0] == "--quiet":
        show = 0
        del arguments[0]
    main(arguments[0], arguments[1:], show)
