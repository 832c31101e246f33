"""JavaScript regular expressions on Python's engine, with a guard against runaway ones.

A pattern whose quantifiers nest or pile up can keep Python's matcher busy for years and
nothing inside the process can stop it; such a pattern runs in a short-lived process of
its own that can be stopped.
"""

import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from services.scaffolder.dialect.failure import TemplateLimitError, ValueFailure
from services.scaffolder.dialect.values import Pattern

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "u": 0, "g": 0, "y": 0}
_LONGEST = 16_384
_SECONDS = 2.0
_FEW_REPEATS = 2
_SHORT = 2_000
_NAMED = re.compile(r"\(\?<(?=[A-Za-z_$])")
_END = re.compile(r"(\\.|\[(?:\\.|[^\]\\])*\])|\$")
_DOLLAR = re.compile(r"\$(?:([$&`'])|(\d{1,2})|<([^>]*)>)")
_QUANTIFIER = re.compile(r"[*+]|\{\d*,?\d*\}")
_PIECE = re.compile(
    r"\\.|\[(?:\\.|[^\]\\])*\]|\((?:\?[:=!]|\?<[=!]|\?<\w+>)?|\)|.", re.DOTALL
)

# What the child process runs: the same search, told by JSON on standard input.
_CHILD = """
import json, re, sys
q = json.load(sys.stdin)
p = re.compile(q["pattern"], q["flags"])
found = []
for m in p.finditer(q["text"]):
    found.append([m.span(i) for i in range(p.groups + 1)])
    if len(found) == q["count"]:
        break
json.dump([found, p.groupindex], sys.stdout)
"""

Spans = list[list[tuple[int, int]]]


@functools.lru_cache(maxsize=512)
def compiled(pattern: Pattern) -> re.Pattern[str]:
    """The pattern for Python's engine.

    Raises:
        ValueFailure: if it, or one of its flags, is not one.
    """
    if len(pattern.source) > _LONGEST:
        raise ValueFailure(f"A regular expression is over {_LONGEST} characters")
    flags = re.ASCII
    for flag in pattern.flags:
        if flag not in _FLAGS:
            raise ValueFailure(f'Unknown regular expression flag "{flag}"')
        flags |= _FLAGS[flag]
    source = _NAMED.sub("(?P<", pattern.source).replace("[^]", r"[\s\S]")
    if "m" not in pattern.flags:
        # JavaScript's `$` is the very end; Python's also stands before a last newline.
        source = _END.sub(lambda m: m[1] or r"\Z", source)
    try:
        return re.compile(source, flags)
    except (re.error, OverflowError) as error:
        raise ValueFailure(f"Invalid regular expression: {error}") from error


@functools.lru_cache(maxsize=512)
def is_tame(source: str) -> bool:
    """Whether no repeated group repeats or chooses inside, and repeats are few."""
    repeats, wild = 0, [False]
    pieces = _PIECE.findall(source)
    for index, piece in enumerate(pieces):
        following = "".join(pieces[index + 1 : index + 8])
        if piece.startswith("(") and piece != "\\(":
            wild.append(False)
        elif piece == ")" and len(wild) > 1:
            inner = wild.pop()
            if inner and _QUANTIFIER.match(following):
                return False
            wild[-1] = wild[-1] or inner
        elif piece in {"*", "+", "{", "|"}:
            wild[-1] = True
            repeats += piece != "|"
    return repeats <= _FEW_REPEATS


def spans(pattern: Pattern, text: str, count: int) -> tuple[Spans, dict[str, int]]:
    """Where `pattern` matches in `text` (at most `count` times; 0 is all), by group.

    Raises:
        ValueFailure: if the pattern is not one.
        TemplateLimitError: if matching takes longer than two seconds.
    """
    expression = compiled(pattern)
    if is_tame(pattern.source) or (
        len(text) < _SHORT and "(" not in pattern.source.replace("\\(", "")
    ):
        found: Spans = []
        for match in expression.finditer(text):
            found.append([match.span(i) for i in range(expression.groups + 1)])
            if len(found) == count:
                break
        return found, dict(expression.groupindex)
    return _apart(expression, text, count)


def _apart(
    expression: re.Pattern[str], text: str, count: int
) -> tuple[Spans, dict[str, int]]:
    question = {
        "pattern": expression.pattern,
        "flags": expression.flags & ~re.UNICODE,
        "text": text,
        "count": count,
    }
    try:
        answer = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _CHILD],
            input=json.dumps(question).encode(),
            capture_output=True,
            check=True,
            timeout=_SECONDS,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        raise TemplateLimitError(
            f"a regular expression ran longer than {_SECONDS:g} s"
        ) from error
    found, names = json.loads(answer.stdout)
    return found, names


def replace(
    pattern: Pattern,
    text: str,
    replacement: str,
    pay: Callable[[int], None],
) -> str:
    """JavaScript's `text.replace(pattern, replacement)` with `$1`, `$&`, `$<name>`."""
    found, names = spans(pattern, text, 0 if "g" in pattern.flags else 1)
    parts: list[str] = []
    at = 0
    for groups in found:
        start, end = groups[0]
        piece = expanded(replacement, text, groups, names)
        pay(start - at + len(piece))
        parts += (text[at:start], piece)
        at = end
    parts.append(text[at:])
    return "".join(parts)


def expanded(
    replacement: str, text: str, groups: list[tuple[int, int]], names: dict[str, int]
) -> str:
    """A replacement with its `$…` filled in for one match."""

    def group(index: int) -> str:
        start, end = groups[index]
        return text[start:end] if start >= 0 else ""

    def one(match: re.Match[str]) -> str:
        sign, digits, name = match.groups()
        if sign:
            return {
                "$": "$",
                "&": group(0),
                "`": text[: groups[0][0]],
                "'": text[groups[0][1] :],
            }[sign]
        if name is not None:
            return (group(names[name]) if name in names else "") if names else match[0]
        for size in (len(digits), 1):
            index = int(digits[:size])
            if 0 < index < len(groups):
                return group(index) + digits[size:]
        return str(match[0])

    return _DOLLAR.sub(one, replacement) if "$" in replacement else replacement


def split(pattern: Pattern, text: str) -> list[Any]:
    """JavaScript's `text.split(pattern)`: groups are part of the answer."""
    found, _ = spans(pattern, text, 0)
    parts: list[Any] = []
    at = 0
    for groups in found:
        start, end = groups[0]
        if end == start and (start in {0, len(text)} or start == at):
            if start != at or start == 0:
                continue
            if start == len(text):
                break
        parts.append(text[at:start])
        parts += (text[a:b] if a >= 0 else None for a, b in groups[1:])
        at = end
    parts.append(text[at:])
    return parts
