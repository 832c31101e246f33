"""The product's own patterns take a time that grows with the text, not with its square.

Texts of strangers are searched with them. Each is tried in the way the code uses it on
long texts made of its own parts, repeated without the end that it waits for.
"""

import ast
import heapq
import importlib
import itertools
import re
import re._constants as codes  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.costs import slowness

ROOT = Path(__file__).parents[2]
PLACES = ("services", "shared", "deploy/cli", "deploy/embedded")
METHODS = frozenset(
    {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
)
#: Those that look at the beginning alone; the others try every place of a text.
ANCHORED = frozenset({"match", "fullmatch"})
SHORT, LONG = 1_000, 60_000
#: Patterns that are used under another name, and how.
ELSEWHERE = {
    "services/portal/definitions/graphql.py": "match",
    "services/portal/definitions/grpc.py": "match",
    "services/techdocs/generator/markup.py": "match",
}
#: Processor seconds for a long text: a linear pattern takes a tenth of it, and one that
#: is tried anew from every place at least twice as much.
LIMIT = 0.4
CLASSES = {
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_WORD: "a",
    codes.CATEGORY_DIGIT: "0",
    codes.CATEGORY_NOT_SPACE: "a",
    codes.CATEGORY_NOT_WORD: "-",
    codes.CATEGORY_NOT_DIGIT: "a",
}


class Own(NamedTuple):
    """A pattern of ours, and how it is used."""

    file: str
    source: str
    flags: int
    methods: tuple[str, ...]


def patterns() -> Iterator[Own]:
    """Every pattern that a module compiles under a name, and every one used at once."""
    uses = _uses()
    for path in _files():
        name = path.relative_to(ROOT).as_posix()
        module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
        for key, value in vars(module).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                used = uses.get((name, key)) or uses.get(("", key))
                used = used or {ELSEWHERE.get(name, "finditer")}
                yield Own(name, value.pattern, value.flags, tuple(sorted(used)))
        for method, source in _used_at_once(_tree(path)):
            yield Own(name, source, 0, (method,))


def _files() -> list[Path]:
    paths = (path for place in PLACES for path in (ROOT / place).rglob("*.py"))
    return sorted(path for path in paths if path.stem not in {"__main__", "__init__"})


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _uses() -> dict[tuple[str, str], set[str]]:
    """The methods that are called on each name: in each file, and ("") in any."""
    uses: dict[tuple[str, str], set[str]] = {}
    for path in _files():
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                owner = ast.unparse(node.value).rpartition(".")[2]
                for file in ("", path.relative_to(ROOT).as_posix()):
                    uses.setdefault((file, owner), set()).add(node.attr)
    return uses


def _used_at_once(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in METHODS
            and ast.unparse(node.func.value) == "re"
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node.func.attr, node.args[0].value


def parts(items: Any) -> Iterator[str]:
    """Characters that a parsed pattern takes somewhere, and its literal beginning."""
    for code, value in items:
        if code is codes.LITERAL:
            yield chr(value)
        elif code is codes.NOT_LITERAL:
            yield "b" if value == ord("a") else "a"
        elif code is codes.ANY:
            yield "a"
        elif code is codes.IN:
            yield from _of_class(value)
        elif code in {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}:
            yield from parts(value[2])
        elif code is codes.SUBPATTERN:
            yield from parts(value[3])
        elif code is codes.BRANCH:
            yield from itertools.chain.from_iterable(map(parts, value[1]))
        elif code is codes.ATOMIC_GROUP:
            yield from parts(value)
        elif code in {codes.ASSERT, codes.ASSERT_NOT}:
            yield from parts(value[1])


def _of_class(items: Any) -> Iterator[str]:
    for code, value in items:
        if code is codes.LITERAL:
            yield chr(value)
        elif code is codes.RANGE:
            yield chr(value[0])
        elif code is codes.CATEGORY and value in CLASSES:
            yield CLASSES[value]


def texts(source: str, flags: int) -> Iterator[tuple[str, str]]:
    """A beginning and what is repeated after it."""
    parsed = list(parser.parse(source, flags & ~re.DEBUG))
    literal = "".join(chr(value) for code, value in parsed if code is codes.LITERAL)
    single = list(dict.fromkeys([*itertools.islice(parts(parsed), 40), "a", " ", "\n"]))
    single = [*single[:10], *([literal] if len(literal) > 1 else [])]
    pairs = (one + other for one, other in itertools.product(single, single))
    for unit in dict.fromkeys([*single, *pairs]):
        for beginning in ("", single[0]):
            yield beginning, unit


def seconds(pattern: re.Pattern[str], method: str, text: str) -> float:
    """Processor seconds of one use."""
    started_at = time.thread_time()
    if method in ANCHORED:
        getattr(pattern, method)(text)
    else:
        for _ in pattern.finditer(text):
            pass
    return time.thread_time() - started_at


def long_text(beginning: str, unit: str, size: int) -> str:
    return beginning + unit * (size // len(unit)) + "\x01"


def slowest_texts(
    pattern: re.Pattern[str], method: str, most: int = 3
) -> list[tuple[str, str]]:
    """Those of the short texts that took the longest, less what a pause added."""

    def cost(text: tuple[str, str]) -> float:
        short = long_text(*text, SHORT)
        return min(seconds(pattern, method, short) for _ in range(2))

    return heapq.nlargest(most, texts(pattern.pattern, pattern.flags), key=cost)


def test_own_patterns_take_linear_time() -> None:
    """The slowest of the short texts, repeated, is matched fast."""
    slow: list[str] = []
    for own in dict.fromkeys(patterns()):
        pattern = re.compile(own.source, own.flags)
        for method in {"fullmatch" if m == "match" else m for m in own.methods}:
            for text in slowest_texts(pattern, method):
                took = seconds(pattern, method, long_text(*text, LONG // 10))
                if took <= LIMIT:
                    # Not so bad that nobody would see the end of it.
                    took = seconds(pattern, method, long_text(*text, LONG))
                if took > LIMIT and took > LIMIT * slowness():
                    slow.append(f"{own.file}: {own.source!r}: {text}: {took:.2f} s")
    assert not slow


def test_a_quadratic_pattern_is_noticed() -> None:
    """The test can find what it searches for."""
    bad = re.compile(r"[&']|<([^>]*)>")
    slowest = slowest_texts(bad, "sub")
    costs = (seconds(bad, "sub", long_text(*text, LONG // 2)) for text in slowest)
    assert any(cost > LIMIT for cost in costs)
