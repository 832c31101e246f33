"""Import directions: every contract notices the import that it is there for."""

import ast
import importlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "importlinter"
]["contracts"]
#: Of each contract a module and an import that it must not have.
BREACHES = {
    "No service imports another": (
        "services/search/model.py",
        "import services.catalog.model",
    ),
    "What is shared knows no service": (
        "shared/kit/http/bodies.py",
        "import services.search.words",
    ),
    "Contracts are the standard library and pydantic": (
        "shared/contracts/ref.py",
        "import orjson",
    ),
    "Guards know no plumbing: every package may use them": (
        "shared/guards/budgets.py",
        "import shared.kit.processes.tasks",
    ),
    "Kit: packages point down": (
        "shared/kit/processes/tasks.py",
        "import shared.kit.documents.mongo",
    ),
    "Catalog: packages point down": (
        "services/catalog/query/scopes.py",
        "import services.catalog.handlers.roots",
    ),
    "Scaffolder: packages point down": (
        "services/scaffolder/dialect/values.py",
        "import services.scaffolder.runs.pool",
    ),
    "TechDocs: packages point down": (
        "services/techdocs/generator/markup.py",
        "import services.techdocs.handlers.queue",
    ),
    "Search: packages point down": (
        "services/search/words.py",
        "import services.search.query",
    ),
    "Analytics: packages point down": (
        "services/analytics/model.py",
        "import services.analytics.stream",
    ),
    "Gateway: packages meet only in ports": (
        "services/gateway/stream/events.py",
        "import services.gateway.forward.front",
    ),
    "Portal: pages stand on what shows things, and that on the visit": (
        "services/portal/graph/layout.py",
        "import services.portal.visit",
    ),
    "Deploy: packages point down": (
        "deploy/engines/engine.py",
        "import deploy.embedded.engines",
    ),
    "Documents' driver is known to its own package alone": (
        "services/catalog/store/roots.py",
        "import motor.motor_asyncio",
    ),
    "What traces are made with is known to its own package alone": (
        "shared/kit/events/spans.py",
        "import opentelemetry.trace",
    ),
    "Faust is known to analytics alone": (
        "shared/kit/events/membership.py",
        "import faust",
    ),
    "Queries of documents stand in stores alone": (
        "services/techdocs/main.py",
        "import pymongo",
    ),
    "Neither services nor what they share know how they are deployed": (
        "shared/kit/http/serving.py",
        "import deploy.cli",
    ),
    "The inside knows no framework, no driver and no plumbing": (
        "services/catalog/model.py",
        "import fastapi",
    ),
}
#: Imports from inside of services, each with whether the command line may have it.
INSIDE = [
    ("from services.catalog.configuration import CatalogSection", True),
    ("from services.catalog import configuration, descriptor_checks", True),
    ("from services.scaffolder.templates.expression_syntax import MOST_TEXTS", True),
    ("from services.catalog.model import LocationRef", False),
    ("from services.catalog import descriptor_checks, handlers", False),
    ("from services.scaffolder.templates import filters", False),
    ("import services.gateway.settings", False),
]


def lint(folder: Path) -> str:
    """What import-linter prints of a source tree."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is printed of a tree in which every contract has a breach."""
    folder = tmp_path_factory.mktemp("breached")
    for place in ("services", "shared", "deploy"):
        shutil.copytree(ROOT / place, folder / place, ignore=_ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for path, line in BREACHES.values():
        module = folder / path
        module.write_text(f"{module.read_text()}\n\n{line}\n")
    return lint(folder)


def _ignored(at: str, names: list[str]) -> list[str]:
    """All that is no module, and the examples' repositories."""
    if "examples" in at:
        return names
    return [name for name in names if not _is_source(Path(at, name))]


def _is_source(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".py"


def test_every_contract_has_a_test_breach() -> None:
    """A contract that is added is tested too."""
    assert {contract["name"] for contract in CONTRACTS} == set(BREACHES)


@pytest.mark.parametrize("contract", BREACHES)
def test_a_breach_is_noticed(report: str, contract: str) -> None:
    """An import against a contract breaks it."""
    assert f"{contract} BROKEN" in report


def test_every_module_is_in_a_layer() -> None:
    """Where a package has layers, a module outside of them is an error."""
    layered = [contract for contract in CONTRACTS if contract["type"] == "layers"]
    assert all(contract.get("exhaustive") for contract in layered)


def imports_of_services(source: str) -> Iterator[str]:
    """The modules and names that a module imports from services, with full names."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name for name in names if name.startswith("services."))


def is_offered(name: str) -> bool:
    """Whether each package on the way to a module or name in it offers the next one."""
    _, *path = name.split(".")
    for depth in range(1, len(path)):
        module = importlib.import_module(".".join(["services", *path[:depth]]))
        if not hasattr(module, "__path__"):
            return True
        if path[depth] not in getattr(module, "__all__", ()):
            return False
    return len(path) > 1


@pytest.mark.parametrize(("line", "expected"), INSIDE)
def test_an_import_of_a_private_module_is_noticed(line: str, expected: bool) -> None:
    """An imported module of a service must be in its `__all__`."""
    assert all(map(is_offered, imports_of_services(line))) is expected


def test_the_command_line_imports_public_modules_only() -> None:
    """`__all__` of a service's package names the modules that `deploy` may use."""
    breaches = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "deploy").rglob("*.py"))
        if "examples" not in path.parts
        for name in imports_of_services(path.read_text())
        if not is_offered(name)
    ]
    assert breaches == []
