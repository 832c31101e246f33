"""The papers agree with the code: services, topics, commands, paths, words, links."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

from deploy.cli.commands import all_commands
from deploy.embedded.rundata import SERVICES
from shared.contracts.topics import TOPICS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAPERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_readme_fits_one_screen() -> None:
    """A newcomer reads it in one go."""
    assert README.count("\n") <= 90


def test_the_readmes_table_has_the_services() -> None:
    """Each service stands in the table, and no other."""
    named = [row[0] for row in rows(README) if row[0] in SERVICES]
    assert sorted(named) == sorted(SERVICES)
    folders = {path.parent.name for path in (ROOT / "services").glob("*/main.py")}
    assert folders == set(SERVICES)


def test_the_readme_names_only_topics_that_exist() -> None:
    """What a service consumes and publishes is a topic of the contracts."""
    for row in rows(README):
        if row[0] in SERVICES:
            for name in re.findall(r"`([a-z-]+)`", row[2] + row[3]):
                assert name in TOPICS


def test_every_command_of_the_readme_exists() -> None:
    """`callboard X` in the README is a command of the program."""
    program = all_commands()
    names = {
        command.name or command.callback.__name__
        for command in program.registered_commands
    }  # type: ignore[union-attr]
    names |= {group.name for group in program.registered_groups if group.name}
    for name in re.findall(r"`callboard ([a-z]+)", README):
        assert name in names


def test_every_documented_make_target_exists() -> None:
    """`make X` in a document is a target of the Makefile."""
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    for paper in PAPERS:
        for name in re.findall(r"`make ([a-z-]+)", paper.read_text()):
            assert name in targets, f"{paper.name}: make {name}"


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_relative_links_have_targets(paper: Path) -> None:
    """A relative link's target exists."""
    for target in re.findall(r"\]\(([^)#:]+)\)", paper.read_text()):
        assert (paper.parent / target).exists(), f"{paper.name}: {target}"


def test_every_folder_of_the_readmes_tree_exists() -> None:
    """Every folder that the README points to exists."""
    block = README.split("## Find your way")[1].split("```")[1]
    for line in block.strip().splitlines():
        assert (ROOT / line.split()[0]).is_dir(), line


def test_adrs_are_numbered_without_gaps() -> None:
    """Decisions are found by their number."""
    numbers = sorted(
        int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("*.md")
    )
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_glossary_is_sorted_and_has_each_word_once() -> None:
    """One word per thing."""
    words = [row[0] for row in rows((ROOT / "docs" / "glossary.md").read_text())][2:]
    assert words == sorted(set(words))


def test_file_names_say_what_they_hold() -> None:
    """No `utils`, `helpers` or similar."""
    vague = {"utils.py", "common.py", "base.py", "core.py", "helpers.py", "service.py"}
    for top in ("services", "shared", "deploy"):
        vague_names = {path.name for path in (ROOT / top).rglob("*.py")} & vague
        assert not vague_names


def test_requirements_name_no_registry() -> None:
    """A lock holds names, versions and hashes, and no host."""
    for path in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in path.read_text(), path.name


def test_every_declared_dependency_is_locked() -> None:
    """A service's dependencies are in its own lock and in the common locks."""
    for name in SERVICES:
        declared = declared_by(ROOT / "services" / name) | declared_by(ROOT / "shared")
        for lock in (f"{name}.txt", "all.txt", "dev.txt"):
            text = (ROOT / "requirements" / lock).read_text().lower()
            missing = {
                d
                for d in declared
                if not re.search(rf"^{d}(\[|==)", text, re.MULTILINE)
            }
            assert not missing, f"{lock}: run `make lock` for {missing}"


def declared_by(folder: Path) -> set[str]:
    text = (folder / "pyproject.toml").read_text()
    lists = re.findall(r"^[a-z]+ = \[(.*?)\n\]", text, re.DOTALL | re.MULTILINE)
    return {
        name
        for requirements in lists
        for name in re.findall(r'"([a-z0-9-]+)', requirements)
    }


def test_ci_calls_the_readmes_test_command() -> None:
    """CI proves what the README promises."""
    assert re.search(r"make .*\btest\b", (ROOT / ".ci" / "run").read_text())


def test_every_example_has_a_yaml_configuration() -> None:
    """Each example has a configuration."""
    for name in ("playhouse", "golden", "empty"):
        path = ROOT / "deploy" / "examples" / name / "app-config.yaml"
        assert yaml.safe_load(path.read_text())["organization"]["name"]


#: Import names that are not the distribution's.
DISTRIBUTIONS = {
    "faust": "faust-streaming",
    "jwt": "pyjwt",
    "markdown_it": "markdown-it-py",
    "nx_27017": "nx-27017",
    "opa_client": "opa-python-client",
    "opensearchpy": "opensearch-py",
    "opentelemetry": "opentelemetry-api",
    "prometheus_client": "prometheus-client",
    "pymdownx": "pymdown-extensions",
    "pydantic_settings": "pydantic-settings",
    "yaml": "pyyaml",
}
#: What comes with a declared one, by design: both are each other's halves.
COMES_WITH = {
    "bson": "motor",
    "markupsafe": "jinja2",
    "mode": "faust",
    "pydantic_core": "pydantic",
    "pymongo": "motor",
    "re2": "google-re2",
    "starlette": "fastapi",
}


@pytest.mark.parametrize(
    "part", ["shared", "deploy", *(f"services/{s}" for s in SERVICES)]
)
def test_every_import_is_declared_where_it_is_used(part: str) -> None:
    """Each part declares the packages that it imports."""
    declared = declared_by(ROOT / part) | declared_by(ROOT / "shared")
    own = set(sys.stdlib_module_names) | {"services", "shared", "deploy"}
    for path in (ROOT / part).rglob("*.py"):
        if "examples" in path.parts:
            continue
        for name in imported_by(path) - own:
            package = COMES_WITH.get(name, name)
            distribution = DISTRIBUTIONS.get(package, package).replace("_", "-")
            assert distribution in declared, f"{path.relative_to(ROOT)} imports {name}"


def imported_by(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


#: Words of the mechanisms in docs/security.md that are no paths.
NO_PATHS = {"children", "regex"}


def is_there(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_modules_and_tests_in_the_security_document_exist() -> None:
    """Every module and test in the tables of docs/security.md is there.

    A shortened path is beside the full path before it or, if it names a folder, in
    the same package (`services/catalog`).
    """
    text = (ROOT / "docs" / "security.md").read_text()
    tests = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"`(?:tests/[\w/]*/)?(test_\w+)`", text)) <= tests
    for _, *cells in rows(text):
        beside = ROOT
        for path in re.findall(r"`([a-z_0-9]+(?:/\w+)*)`", " ".join(cells)):
            if path in NO_PATHS | tests:
                continue
            if path.partition("/")[0] in {"shared", "services", "deploy", "tests"}:
                place = ROOT / path
                beside = place.parent
            elif "/" in path:
                place = ROOT.joinpath(*beside.relative_to(ROOT).parts[:2]) / path
            else:
                place = beside / path
            assert is_there(place), path
