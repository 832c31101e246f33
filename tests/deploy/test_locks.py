"""The locks and what each part says that it needs: complete, equal, and no more."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from deploy.embedded.rundata import SERVICES

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
OWN_PACKAGES = {"services", "shared", "deploy", "tests"}
#: Loaded by name, by a framework or a plugin's entry: no import tells of them.
BY_NAME = {
    # One namespace is three distributions' together.
    "shared": {"httptools", "opentelemetry-api", "opentelemetry-sdk", "uvloop"},
    "techdocs": {"mkdocs-techdocs-core"},
    "gateway": {"python-multipart"},
    "portal": {"python-multipart"},
    "deploy": {"nx-27017"},
}
#: Large ones that one service alone needs.
ONLY = {
    "mkdocs": {"techdocs"},
    "opensearch-py": {"search"},
    "faust-streaming": {"analytics"},
    "tantivy": {"search"},
    "regopy": {"gateway"},
    "pyroaring": {"catalog", "operator"},
    "confluent-kafka": {"operator"},
    "nx-27017": set(),
}
FILES = (*SERVICES, "operator")


def pins(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Each package of a lock: its version, and its files' hashes."""
    text = (REQUIREMENTS / f"{name}.txt").read_text().replace("\\\n", " ")
    pinned = {}
    for line in text.splitlines():
        if match := re.match(r"([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)", line):
            hashes = frozenset(re.findall(r"sha256:[0-9a-f]{64}", line))
            pinned[plain(match[1])] = (match[2], hashes)
    return pinned


def plain(name: str) -> str:
    """A distribution's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(folder: Path, *, extras: bool = False) -> set[str]:
    """What a part's pyproject.toml asks for."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    requirements = list(project["dependencies"])
    if extras:
        requirements += [
            name
            for group in project.get("optional-dependencies", {}).values()
            for name in group
        ]
    return {plain(re.split(r"[\s\[<>=!~;]", name)[0]) for name in requirements}


def imported(folder: Path) -> dict[str, str]:
    """The distributions that a part's code imports, each with a file that does."""
    distributions = packages_distributions()
    paths: dict[str, str] = {}
    for path in folder.rglob("*.py"):
        if "repositories" in path.parts or "templates" in path.parts:
            continue
        for name in _modules(ast.parse(path.read_text())):
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in OWN_PACKAGES:
                distribution = plain(distributions.get(top, [top])[0])
                paths[distribution] = str(path.relative_to(ROOT))
    return paths


def _modules(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return names


def test_every_locked_package_has_hashes() -> None:
    """Nothing is installed unchecked."""
    for name in (*FILES, "all", "dev", "uv", "assets"):
        assert pins(name)
        for package, (_, hashes) in pins(name).items():
            assert hashes, f"{name}: {package}"


def test_no_lock_names_a_registry() -> None:
    """Where packages come from is the machine's business."""
    for path in REQUIREMENTS.iterdir():
        assert "://" not in path.read_text(), path.name


@pytest.mark.parametrize("name", FILES)
def test_a_services_lock_is_part_of_the_common_lock(name: str) -> None:
    """The same versions everywhere: an image has what the tests ran with."""
    whole = pins("all")
    different = {p for p, pin in pins(name).items() if whole.get(p) != pin}
    assert different == set()


def test_the_common_lock_is_part_of_the_development_lock() -> None:
    """Checks and tests run on the deployed versions."""
    development = pins("dev")
    assert {p for p, pin in pins("all").items() if development.get(p) != pin} == set()


@pytest.mark.parametrize("part", [*SERVICES, "shared", "deploy"])
def test_every_declared_package_is_used(part: str) -> None:
    """A package that is not imported would need updates for nothing."""
    folder = ROOT / "services" / part if part in SERVICES else ROOT / part
    used = set(imported(folder)) | BY_NAME.get(part, set())
    assert declared(folder, extras=True) - used == set()


def test_every_declared_package_is_locked() -> None:
    """`make lock` was run after the last change of a pyproject.toml."""
    shared = declared(ROOT / "shared")
    for name in SERVICES:
        assert shared | declared(ROOT / "services" / name) <= set(pins(name)), name
    assert shared | declared(ROOT / "deploy") <= set(pins("operator"))
    assert declared(ROOT / "deploy", extras=True) <= set(pins("all"))


def test_large_packages_are_only_in_locks_that_need_them() -> None:
    """An image does not contain another service's engine."""
    for package, owners in ONLY.items():
        holders = {name for name in FILES if package in pins(name)}
        assert holders <= owners, package
