"""Names of modules, classes, functions and variables: one meaning, plain words."""

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
#: A module with a name for each word that a variable must not have.
BREACH = """
def handle(told, *, limit):
    found, (seen, page) = limit
    with open(page) as kept:
        pass
    for each in kept:
        self.wanted = (there := each)
    try:
        pass
    except OSError as gone:
        pass
    match page:
        case {"a": held, **others}:
            return [some for some in others]
"""


def modules(*places: str) -> Iterator[Path]:
    """Every module of the places; skeletons of example templates are none."""
    for place in places:
        root = ROOT / place
        paths = [root] if root.suffix == ".py" else sorted(root.rglob("*.py"))
        yield from (path for path in paths if "skeleton" not in path.parts)


def definitions(path: Path) -> Iterator[tuple[str, str]]:
    """Kind and name of the module and of all classes and functions in it."""
    yield "module", path.stem
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            yield "class", node.name
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield "function", node.name


def variables(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of every parameter, variable and attribute that is bound."""
    for node in ast.walk(ast.parse(source)):
        name = _bound_name(node)
        if name is not None:
            yield getattr(node, "lineno", 0), name


def _bound_name(node: ast.AST) -> str | None:
    match node:
        case ast.arg(arg=name):
            return name
        case ast.Name(id=name, ctx=ast.Store()):
            return name
        case ast.Attribute(attr=name, ctx=ast.Store()):
            return name
        case ast.ExceptHandler(name=name) | ast.MatchAs(name=name):
            return name
        case ast.MatchStar(name=name) | ast.MatchMapping(rest=name):
            return name
    return None


def has_no_meaning(name: str, never_alone: str = "never-alone") -> bool:
    """Whether a name is, or contains, a word that says nothing by itself."""
    plain = name.strip("_").lower()
    parts = {part.lower() for part in PARTS.findall(name)}
    return plain in RULES[never_alone] or not parts.isdisjoint(RULES["never"])


def is_no_variable(name: str) -> bool:
    """Whether a name says neither what a variable holds nor what a parameter is."""
    return has_no_meaning(name) or has_no_meaning(name, "never-variables")


def unclear_variables(*places: str) -> list[str]:
    """The variables of the places that do not say what they hold."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules(*places)
        for line, name in variables(path.read_text())
        if is_no_variable(name)
    ]


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
def test_forbidden_words_are_recognised(name: str, expected: bool) -> None:
    """Some words are no part of a name, others are no name alone."""
    assert has_no_meaning(name) is expected


def test_module_class_and_function_names_are_no_bare_words() -> None:
    """None is a bare participle or pronoun."""
    unclear = [
        f"{path.relative_to(ROOT)}: {kind} {name}"
        for path in modules(*PLACES)
        for kind, name in definitions(path)
        if has_no_meaning(name)
    ]
    assert unclear == []


def test_every_form_of_binding_is_checked() -> None:
    """Parameters, assignments, loops, handlers and patterns are all variables."""
    unclear = {name for _, name in variables(BREACH) if is_no_variable(name)}
    assert unclear == {
        *("told", "found", "seen", "kept", "each", "wanted", "there", "gone"),
        *("held", "others", "some"),
    }


@pytest.mark.parametrize("place", RULES["clean"])
def test_variable_names_are_no_bare_words(place: str) -> None:
    """In clean folders no variable is called by a bare participle or pronoun."""
    assert (ROOT / place).exists(), "a folder of [tool.callboard.names] is gone"
    assert unclear_variables(place) == []


def test_class_names_are_unique() -> None:
    """Two different things never share a class name."""
    counts = Counter(
        name
        for path in modules(*PLACES)
        for kind, name in definitions(path)
        if kind == "class" and not name.startswith("_") and name != "Settings"
    )
    assert [name for name, count in counts.items() if count > 1] == []
