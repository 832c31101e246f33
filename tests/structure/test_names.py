"""Names of modules, classes and functions: one meaning each, and words that say it."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("services", "shared", "plugins", "deploy")
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["callboard"][
    "names"
]
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def modules() -> Iterator[Path]:
    """Every module of the product; skeletons of example templates are none."""
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*.py")):
            if "examples" not in path.parts:
                yield path


def definitions(path: Path) -> Iterator[tuple[str, str]]:
    """Kind and name of the module and of all that it defines."""
    yield "module", path.stem
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            yield "class", node.name
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield "function", node.name


def has_no_meaning(name: str) -> bool:
    """Whether a name is, or contains, a word that says nothing by itself."""
    plain = name.strip("_").lower()
    parts = {part.lower() for part in PARTS.findall(name)}
    return plain in RULES["never-alone"] or not parts.isdisjoint(RULES["never"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Wanted", True),
        ("_told", True),
        ("asked_in_body", True),
        ("WantedBatch", True),
        ("_known", True),
        ("Found", True),
        ("NotFound", False),
        ("known_user", False),
        ("RunRequest", False),
    ],
)
def test_words_are_told_apart(name: str, expected: bool) -> None:
    """Some words are no part of a name, others are no name alone."""
    assert has_no_meaning(name) is expected


def test_names_say_what_they_are() -> None:
    """No module, class or function is called by a bare participle or pronoun."""
    unclear = [
        f"{path.relative_to(ROOT)}: {kind} {name}"
        for path in modules()
        for kind, name in definitions(path)
        if has_no_meaning(name)
    ]
    assert unclear == []


def test_a_class_name_stands_once() -> None:
    """Two different things never share a class name."""
    counts = Counter(
        name
        for path in modules()
        for kind, name in definitions(path)
        if kind == "class" and not name.startswith("_") and name != "Settings"
    )
    assert [name for name, count in counts.items() if count > 1] == []
