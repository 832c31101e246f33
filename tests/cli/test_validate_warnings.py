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


@pytest.mark.parametrize(
    ("entity", "warnings"),
    [
        (
            builders.component(providesApis=["api:x", "component:x", "api:a b"]),
            [
                ("spec.providesApis.1", "names the kind Component, where API is"),
                ("spec.providesApis.2", "leads to no entity: its name must be"),
            ],
        ),
        (
            builders.component(subcomponentOf="api:x", system="a/b/c"),
            [
                ("spec.system", "leads to no entity: its name must be"),
                ("spec.subcomponentOf", "names the kind API, where Component is"),
            ],
        ),
        (
            builders.component(owner="System:x", dependsOn=["a b:c", "api:A_/c"]),
            [
                ("spec.owner", "names the kind System, where Group or User is"),
                ("spec.dependsOn.0", "leads to no entity: its kind must be"),
                ("spec.dependsOn.1", "leads to no entity: its namespace must be"),
            ],
        ),
        (builders.user(memberOf=["user:x"]), [("spec.memberOf.0", "kind User, whe")]),
        (builders.component(metadata={"namespace": "a"}, system="b"), []),
        (
            builders.component(
                owner="user:Shop/ann", dependsOn=["template:x"], system="squad:x"
            ),
            [],
        ),
    ],
)
async def test_refs_that_lead_to_no_entity_are_a_warning(
    database: Any, data: Path, entity: Any, warnings: list[tuple[str, str]]
) -> None:
    """The catalog takes them; kinds that may be own ones are not judged."""
    file = write(data, FILE, entity)
    async with running(database, data) as catalog:
        assert (await catalog.register(file, "?dryRun=true")).status_code == 201
    done = await asyncio.to_thread(validate, file)
    assert done.exit_code == 0
    text = str((await asyncio.to_thread(warnings_of, data))[FILE] or "")
    assert len(text.split("; ")) == max(len(warnings), 1)
    for path, rule in warnings:
        [problem] = [part for part in text.split("; ") if part.startswith(f"{path}: ")]
        assert rule in problem
        assert "(line " in problem
    assert warnings or not text


def test_a_document_with_an_error_has_its_warnings_too(tmp_path: Path) -> None:
    """An author corrects all refs of a list at once; each has its number and line."""
    refs = ["foo", "a:b/c/d", ":alone", "component:a"]
    file = write(tmp_path, FILE, builders.component(dependsOn=refs))
    [finding] = json.loads(validate(file, "--json").stdout)
    rows = file.read_text().split("\n")
    for name, number in (("error", 0), ("warning", 1), ("error", 2)):
        line = 1 + rows.index(next(row for row in rows if refs[number] in row))
        problem = finding[name].partition(f"spec.dependsOn.{number}: ")[2]
        assert f"(line {line}" in problem.split("; ")[0]
    done = validate(file)
    assert done.exit_code == 1
    [row] = done.stdout.splitlines()
    assert row.startswith("error ")
    assert "; warning: spec.dependsOn.1: 'a:b/c/d' leads to no entity" in row


def test_a_broken_namespace_is_named_once(tmp_path: Path) -> None:
    """Not at every ref that has it from its entity."""
    entity = builders.component(metadata={"namespace": "a.b"})
    [finding] = check_path(write(tmp_path, FILE, entity))
    assert "metadata.namespace: " in str(finding.error)
    assert finding.warning is None


def test_mistakes_of_a_template_are_warnings(tmp_path: Path) -> None:
    """Its form and its names, each with field and line; a run starts all the same."""
    message = "${{ steps.none.output.x }} ${{ parameters.none }}"
    template = builders.template(
        parameters={"properties": {"port": {"type": "strng"}}},
        steps=[{"id": "a", "action": "debug:log", "input": {"message": message}}],
    )
    file = write(tmp_path, "template.yaml", template)
    [finding] = json.loads(validate(file, "--json").stdout)
    assert finding["error"] is None
    rows = file.read_text().split("\n")
    for field, rule, text in (
        ("spec.parameters.properties.port.type", "must be one of null,", "strng"),
        ("spec.steps.0.input.message", "no step has the id 'none'", "steps.none"),
        ("spec.steps.0.input.message", "no parameter 'none'", "steps.none"),
    ):
        line = 1 + rows.index(next(row for row in rows if text in row))
        problems = finding["warning"].split("; ")
        [problem] = [
            part for part in problems if part.startswith(field) and rule in part
        ]
        assert f"(line {line})" in problem
    assert validate(file).exit_code == 0
    assert validate(file, "--strict").exit_code == 1
