"""Reads a callgrind file: instructions by function and by source line's file, so that inlined code is seen too.

The format: https://valgrind.org/docs/manual/cl-format.html
"""

import re
from collections import Counter
from dataclasses import dataclass, field

NAME = re.compile(r"\((\d+)\)(?: (.*))?")
OURS = re.compile(r"(?:panoptes(?:_\w+)?|forwarder)::\w+(?:::\w+)*")
CRATE = re.compile(r"/registry/src/[^/]+/([^/]+?)-\d[^/]*/")
STANDARD = re.compile(r"/(?:rustc/\w+|rust/deps|library)/")


@dataclass
class Profile:
    """Instructions of one run; of two runs, their difference."""

    total: int = 0
    own: Counter = field(default_factory=Counter)  # (source file, function): instructions there
    inclusive: Counter = field(default_factory=Counter)  # function: with all that it calls
    calls: Counter = field(default_factory=Counter)  # function: how often it is called

    def __sub__(self, other):
        return Profile(self.total - other.total, *(
            Counter({key: mine[key] - theirs[key] for key in mine.keys() | theirs.keys()})
            for mine, theirs in ((self.own, other.own), (self.inclusive, other.inclusive), (self.calls, other.calls))
        ))

    def by_place(self, root):
        """Own instructions by file of this project, by crate, or by std's function; inlined code counts where it is written."""
        places = Counter()
        for (file, function), count in self.own.items():
            places[place(file, function, root)] += count
        return places


def place(file, function, root):
    if file.startswith(f"{root}/"):
        return file.removeprefix(f"{root}/")
    if re.match(r"(?:proxy|parser|event|config|sinks|benches)/", file):
        return file
    if crate := CRATE.search(file):
        return crate[1]
    # Generic code of std belongs to whoever used it; callgrind knows the function that it was inlined into.
    return f"{'std' if STANDARD.search(file) else 'libc'} within {module(function) or short(function)}"


def short(function):
    """The first parts of a foreign function's path."""
    return "::".join(function.split("::")[:3])


def module(function):
    """The path in our crates that a function's name begins with, or None."""
    found = OURS.match(function.lstrip("<&"))
    return found and found[0]


def read(path):
    """The profile in a file that callgrind wrote."""
    profile, names = Profile(), {"file": {}, "function": {}}
    file = function = callee = ""
    calls = 0
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, _, value = line.rstrip("\n").partition("=")
            if key in ("fl", "fi", "fe"):
                file = named(names["file"], value)
            elif key == "fn":
                function = named(names["function"], value)
            elif key in ("cfi", "cfl"):
                named(names["file"], value)
            elif key == "cfn":
                callee = named(names["function"], value)
            elif key == "calls":
                calls = int(value.split()[0])
            elif line[0] in "0123456789+-*":
                cost = int(line.split()[1])
                profile.inclusive[function] += cost
                if calls:
                    profile.calls[callee] += calls
                    calls = 0
                else:
                    profile.own[file, function] += cost
                    profile.total += cost
    return profile


def named(names, text):
    """A name, which the file spells out the first time only."""
    number, name = NAME.match(text).groups()
    if name is not None:
        names[number] = name
    return names.get(number, "?")
