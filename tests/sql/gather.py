"""SQL that nobody here wrote: the statements of psql scripts, of strings in Python sources, of a server's log."""

import ast
import json
import re
from pathlib import Path

STOP = re.compile(r"""
    (?P<comment>--[^\n]*) | (?P<block>/\*) | (?P<escape>[eE]'(?:[^'\\]|\\.|'')*') | (?P<string>'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")*") | (?P<dollar>\$(?:[A-Za-z_\x80-\uffff][\w]*)?\$) | (?P<end>;) | (?P<meta>\\[^\n]*) | (?P<open>\()
  | (?P<close>\)) | (?P<word>[A-Za-z_\x80-\uffff][\w$]*)
""", re.X | re.S)  # fmt: skip


def script(text):
    """The statements of a psql script, less its meta-commands and what COPY reads from it."""
    start = at = depth = body = 0
    words = []
    while found := STOP.search(text, at):
        kind, at = found.lastgroup, found.end()
        if kind == "block":
            at = block_end(text, at)
        elif kind == "dollar":
            end = text.find(found.group(), at)
            at = len(text) if end < 0 else end + len(found.group())
        elif kind == "word":
            words = words[-15:] + [found.group().lower()]
            if words[-2:] == ["begin", "atomic"]:
                body += 1
            elif body and words[-1] == "case":
                body += 1
            elif body and words[-1] == "end":
                body -= 1
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
        elif kind == "meta" or (kind == "end" and depth <= 0 and body <= 0):
            statement = text[start : found.start()]
            if kind == "end" and re.match(r"\s*copy\b.*\bfrom\s+stdin\b", less_comments(statement), re.I | re.S):
                end = re.compile(r"^\\\.[ \t]*$", re.M).search(text, at)
                at = end.end() if end else at
            start, depth, body, words = at, 0, 0, []
            yield statement
    yield text[start:]


def less_comments(text):
    return re.sub(r"--[^\n]*|/\*.*?\*/", " ", text, flags=re.S)


def block_end(text, at):
    depth = 1
    while depth and (found := re.compile(r"/\*|\*/").search(text, at)):
        depth += 1 if found.group() == "/*" else -1
        at = found.end()
    return len(text) if depth else at


def python_strings(text):
    """All string constants of a Python source that look like a statement."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield from script(node.value)


def log(text):
    """The statements of a server's jsonlog; other JSON has none."""
    for line in text.splitlines():
        message = json.loads(line).get("message", "") if line.startswith('{"') and line.endswith("}") else ""
        found = re.match(r"(?:statement|execute [^:]*): (.*)", message, re.S)
        if found:
            yield from script(found.group(1))


READERS = {".sql": script, ".py": python_strings, ".json": log}


def gather(paths):
    """(source, statement) of all files below the paths that can be read."""
    for path in map(Path, paths):
        files = sorted(file for file in path.rglob("*") if file.suffix in READERS) if path.is_dir() else [path]
        for file in files:
            for statement in READERS[file.suffix](file.read_text(errors="replace")):
                if statement.strip():
                    yield str(file.relative_to(path) if path.is_dir() else file.name), statement.strip()
