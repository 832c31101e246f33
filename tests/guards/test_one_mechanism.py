"""Foreign input is read, matched and checked by the guards: a new way would be found.

Each exception says why it may be one. Whoever adds to the lists below says so, too.
"""

import ast
import functools
from collections.abc import Container, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("services", "shared", "deploy/cli", "deploy/embedded")

#: Modules that only the guards import, and who else does for a reason.
GUARDED = {
    "yaml": {
        "services/techdocs/mkdocs_file.py": "tags of mkdocs; the guards read it first",
        "services/techdocs/generator/configuration.py": "writes for mkdocs itself",
        "services/techdocs/generator/front_matter.py": "as mkdocs itself reads it",
    },
    "jsonschema": {},
    "referencing": {},
    "re2": {},
    "regex": {},
    "wcmatch": {},
    "fnmatch": {},
    "glob": {},
    "urllib.request": {},
    "pickle": {"services/catalog/readmodel/snapshot.py": "its own, by a checksum"},
    "marshal": {},
    "shelve": {},
    "xml": {},
    "urllib.parse.urlsplit": {
        "services/gateway/policy/opa.py": "an address of this installation",
        "services/gateway/forward/hosts.py": "names of hosts, with their errors",
        "shared/kit/documents/mongo.py": "an address of this installation",
        "shared/kit/config/tracing.py": "an address of this installation",
        "deploy/embedded/backing.py": "an address of this installation",
        "deploy/cli/portal.py": "an address of this installation",
    },
    "urllib.parse.urljoin": {},
    "urllib.parse.urlparse": {},
    "tomllib": {},
    "configparser": {},
    "unicodedata.normalize": {},
    "unicodedata.is_normalized": {},
    "tenacity": {"shared/kit/resilience/retries.py": "the one form of retries"},
}
#: Functions of `re` whose first argument is a pattern.
MATCHERS = frozenset(
    {"compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall"}
    | {"finditer"}
)
#: Files whose patterns are put together from parts of our own or from escaped texts.
COMPOSED = {
    "services/portal/highlighting.py": "marks of our own around words, escaped",
    "services/scaffolder/dialect/template.py": "signs of our own, escaped",
    "services/scaffolder/dialect/lexing.py": "signs and words of our own, escaped",
    "services/scaffolder/dialect/methods_list.py": "names of our own",
    "services/scaffolder/dialect/filters_number.py": "digits of a base of our own",
    "services/scaffolder/secrets/redaction.py": "secrets, escaped: no part repeats",
    "deploy/cli/descriptors.py": "groups of our own, escaped",
    "services/search/query.py": "a table of Unicode's marks",
    "services/search/words.py": "tables of Unicode's letters and marks",
    "shared/guards/json_text.py": "digits, for texts and for bytes",
    "services/techdocs/build_log.py": "paths of our own, escaped",
    "shared/contracts/permissions.py": "paths of our own table of routes",
    "services/search/opensearch/alias.py": "a name of our own, escaped",
    "shared/guards/globs.py": "written by the guard from a glob that it has bounded",
}
#: Who reads JSON that is not foreign: ours, or an engine's.
OWN_JSON = {
    "deploy": "files and answers of this installation",
    "services/analytics/snapshot.py": "tables that we have saved",
    "services/catalog/api/definitions.py": "answers of our own, to be made lighter",
    "services/catalog/api/writing.py": "documents of the store",
    "services/catalog/query/rendering.py": "records of our own read model",
    "services/catalog/readmodel": "records and events of our own",
    "services/catalog/store": "documents of the store",
    "services/gateway/model.py": "answers of services, and events of our own",
    "services/gateway/forward/services.py": "answers of services",
    "services/gateway/stream": "events of our own",
    "services/gateway/preferences/store.py": "values that we have written out",
    "services/portal/model.py": "answers of the public API, and who its tokens name",
    "services/search/api.py": "conditions that we have just written",
    "services/search/index": "records of our own index",
    "services/search/opensearch": "answers of the engine",
    "services/techdocs/generator": "files of the builder's own, in its process",
    "services/techdocs/handlers": "records of sites that we have written",
    "services/techdocs/stages/generate.py": "what the builder's process tells",
    "services/scaffolder/secrets/vault.py": "secrets that we have sealed",
    "services/scaffolder/dialect/json_text.py": "texts of templates, within a budget",
    "shared/kit/http/clients.py": "answers of services",
    "shared/kit/events/dead_letters.py": "letters of our own topics",
    "shared/kit/events/outbox.py": "events of our own",
    "shared/kit/events/spans.py": "events of our own",
}
#: Who of the scaffolder works in a thread without a person's turn.
OWN_THREADS = {
    "services/scaffolder/workspace/retention.py": "no person's: old folders",
    "services/scaffolder/store/tasks.py": "documents of the store, a page of them",
}
#: Routers of pages: they take forms, no JSON, or read bodies by hand within limits.
FORM_ROUTERS = {
    "services/portal": "forms of pages",
    "services/gateway/webhooks/api.py": "raw bodies, signed, read by `load_json`",
    "services/catalog/api": "`CatalogRoute` is a `BoundedRoute`",
    "services/gateway/identity": "forms of sign-in",
}


def files() -> list[Path]:
    paths = [path for place in PLACES for path in (ROOT / place).rglob("*.py")]
    return [path for path in paths if "vendor" not in path.parts]


FILES = files()
assert len(FILES) > 300


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_listed(name: str, listed: dict[str, str]) -> bool:
    return any(name == entry or name.startswith(f"{entry}/") for entry in listed)


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Each call of `module.function` or `object.method`, with its written name."""
    for node in nodes(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node, ast.unparse(node.func)


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    """The calls and imports of a file."""
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    kinds = (ast.Call, ast.Import, ast.ImportFrom)
    return [node for node in tree if isinstance(node, kinds)]


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """The modules, and the names in them, that a file imports."""
    imported: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported |= {str(node.module)}
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(imported)


def is_fixed(pattern: ast.expr) -> bool:
    """Whether a pattern is written out where it is used."""
    if isinstance(pattern, ast.Constant):
        return True
    if isinstance(pattern, ast.BinOp):
        return is_fixed(pattern.left) and is_fixed(pattern.right)
    return isinstance(pattern, ast.JoinedStr) and all(
        isinstance(part, ast.Constant) for part in pattern.values
    )


@pytest.mark.parametrize("module", GUARDED)
def test_guarded_libraries_are_imported_by_the_guards_only(module: str) -> None:
    """Libraries that process foreign input are used behind a limit."""
    outside = {
        name_of(path)
        for path in FILES
        if any(
            imported == module or imported.startswith(f"{module}.")
            for imported in imports(path)
        )
    }
    outside = {name for name in outside if not name.startswith("shared/guards/")}
    assert outside == set(GUARDED[module])


def calls_of(functions: Container[str]) -> Iterator[tuple[str, ast.Call, str]]:
    """Every call of these functions: the file's name, the call, and both as a text."""
    for path in FILES:
        name = name_of(path)
        for call, written in calls(path):
            if written in functions:
                yield name, call, f"{name}:{call.lineno}: {written}"


def test_regular_expressions_outside_the_guards_are_constant() -> None:
    """Python's own matcher gets only patterns that are written in the source."""
    matchers = {f"re.{name}" for name in MATCHERS}
    foreign = {
        text
        for name, call, text in calls_of(matchers)
        if not is_fixed(call.args[0]) and not is_listed(name, COMPOSED)
    }
    assert foreign == set()


def test_foreign_json_is_parsed_by_the_guards_only() -> None:
    """`loads` of any JSON library is for texts of this installation."""
    foreign = {
        text
        for name, _, text in calls_of({"json.loads", "json.load", "orjson.loads"})
        if not name.startswith("shared/guards/") and not is_listed(name, OWN_JSON)
    }
    assert foreign == set()


def test_work_of_runs_is_done_in_turns_of_people() -> None:
    """Whoever starts many runs, dry runs or requests leaves threads to others."""
    of_all = {"shared.guards.workers.run_beside", "shared.guards.workers.run_bounded"}
    outside = {
        name_of(path)
        for path in FILES
        if name_of(path).startswith("services/scaffolder/")
        and (
            imports(path) & of_all
            or any(written == "asyncio.to_thread" for _, written in calls(path))
        )
    }
    assert outside == set(OWN_THREADS)


def test_text_is_normalized_by_the_guards_only() -> None:
    """Python's own functions take quadratic time for a row of marks."""
    own = {"unicodedata.normalize", "unicodedata.is_normalized"}
    foreign = {
        text
        for name, _, text in calls_of(own)
        if name != "shared/guards/unicode_forms.py"
    }
    assert foreign == set()


def test_routes_with_bodies_use_the_limiting_route_class() -> None:
    """A router that takes JSON has the route class that limits it."""
    unbounded = set()
    for path in FILES:
        text = path.read_text("utf-8")
        takes = any(f"router.{verb}(" in text for verb in ("post", "put", "patch"))
        if takes and "route_class=BoundedRoute" not in text:
            unbounded.add(name_of(path))
    assert {name for name in unbounded if not is_listed(name, FORM_ROUTERS)} == set()


def test_every_listed_exception_is_still_needed() -> None:
    """The lists do not outlive their reasons."""
    listed = [*COMPOSED, *OWN_JSON, *OWN_THREADS, *FORM_ROUTERS]
    listed += [name for names in GUARDED.values() for name in names]
    assert [name for name in listed if not (ROOT / name).exists()] == []
