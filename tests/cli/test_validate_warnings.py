"""What `callboard validate` warns of: the catalog takes it, and it is a mistake."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deploy.cli.commands import app
from deploy.cli.validation import check_path
from tests import builders
from tests.catalog.running import pointing, running, write

FILE = "catalog-info.yaml"


def validate(*words: Any) -> Result:
    return CliRunner().invoke(app, ["validate", *map(str, words)])


def warnings_of(path: Path) -> dict[str, str | None]:
    """The warning of each finding, by its path below the folder `path`."""
    return {
        finding.file.relative_to(path).as_posix(): finding.warning
        for finding in check_path(path)
    }


async def test_an_entity_of_several_files_is_a_warning(
    database: Any, data: Path
) -> None:
    """Names count in lower case; the catalog shows one and reports a conflict."""
    for folder, name in (("a", "same"), ("b", "same"), ("c", "SAME"), ("d", "other")):
        write(data, f"{folder}/{FILE}", builders.component(name))
    targets = [f"./{folder}/{FILE}" for folder in "abcd"]
    file = write(data, "all.yaml", pointing("all", *targets))
    async with running(database, data) as catalog:
        answer = await catalog.register(file)
        assert answer.status_code == 201, answer.text
        assert {"component:same", "component:other"} <= await catalog.refs()
        problems = await catalog.problems("all")
    assert sum("first registrant wins" in problem for problem in problems) == 2
    for path in (data, file):
        done = await asyncio.to_thread(validate, path)
        assert done.exit_code == 0, done.output
        assert "5 files read, 0 left out, 0 errors, 2 warnings" in done.stderr
    assert validate(data, "--strict").exit_code == 1
    warnings = await asyncio.to_thread(warnings_of, data)
    for folder in "bc":
        warning = str(warnings.pop(f"{folder}/{FILE}"))
        assert warning.startswith(
            f"metadata.name: a/{FILE} declares component:default/same as well"
        )
        assert f"(line 4 of {folder}/{FILE})" in warning
    assert set(warnings.values()) == {None}


def test_links_and_broken_documents_declare_nothing_twice(tmp_path: Path) -> None:
    """A file with two names is one; what breaks a rule is no entity."""
    write(tmp_path, "real.yaml", builders.component("one"))
    (tmp_path / FILE).symlink_to("real.yaml")
    write(tmp_path, f"a/{FILE}", builders.component("two", {"tags": ["A"]}))
    write(tmp_path, f"b/{FILE}", builders.component("two"))
    assert set(warnings_of(tmp_path).values()) == {None}


@pytest.mark.parametrize("text", ["", "# Nothing yet.\n", "---\n---\n# None\n"])
def test_a_file_without_documents_is_named(tmp_path: Path, text: str) -> None:
    """It is counted; with nothing else there is nothing to check."""
    file = write(tmp_path, FILE, text)
    for path in (file, tmp_path):
        done = validate(path)
        assert done.exit_code == 2
        assert done.stdout.startswith(f"warning {file}: holds no document")
        assert "1 file read, 0 left out, 0 errors, 1 warning" in done.stderr
        [finding] = json.loads(validate(path, "--json").stdout)
        assert "holds no document" in finding["warning"]
    write(tmp_path, f"a/{FILE}", builders.component())
    assert validate(tmp_path).exit_code == 0
    assert validate(tmp_path, "--strict").exit_code == 1


def test_a_target_without_documents_is_named(tmp_path: Path) -> None:
    """A Location that leads to it stays valid, as in the catalog."""
    empty = write(tmp_path, "parts/empty.yaml", "# Nothing yet.\n")
    done = validate(write(tmp_path, FILE, pointing("all", "./parts/empty.yaml")))
    assert done.exit_code == 0
    assert f"warning {empty}: holds no document" in done.stdout
