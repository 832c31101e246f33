"""`callboard validate`: what the catalog says, for the right files, in plain lines."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deploy.cli.commands import app
from deploy.cli.validation import check_path
from tests import builders
from tests.catalog.running import pointing, running, write


def validate(*words: Any) -> Result:
    return CliRunner().invoke(app, ["validate", *map(str, words)])


def lines(done: Result) -> list[str]:
    """What the command says on standard output."""
    return done.stdout.splitlines()


def broken(tmp_path: Path) -> Path:
    """A descriptor that quotes brackets of all kinds, one of them closing."""
    return write(
        tmp_path,
        "catalog-info.yaml",
        builders.component("web [v2]"),
        builders.component("cart", {"tags": ["[/red]", "[bold]"]}),
        builders.component("calm"),
    )


def test_a_report_quotes_rule_and_value(tmp_path: Path) -> None:
    """They keep their brackets; one line for each entity, with all rules."""
    done = validate(broken(tmp_path))
    assert done.exit_code == 1
    one, two, three = lines(done)
    assert "component:default/web [v2]: metadata.name: must be sequences of" in one
    assert "[a-zA-Z0-9] separated by [-_.]" in one
    text = (tmp_path / "catalog-info.yaml").read_text()
    first, second, start = (
        text[: text.index(quoted)].count("\n") + 1
        for quoted in ("name: web", "- '[/red]'", "name: cart")
    )
    assert one.endswith(f"found 'web [v2]' (line {first} of catalog-info.yaml)")
    assert f"found '[/red]' (line {second}); metadata.tags.1: " in two
    assert f"found '[bold]' (line {second + 1}) (in the document at line " in two
    assert start < second
    assert three == f"ok {tmp_path}/catalog-info.yaml: component:default/calm"
    assert "1 file read, 0 left out, 2 errors" in done.stderr


def test_piped_lines_are_not_wrapped(tmp_path: Path) -> None:
    """As a process writing to a pipe, below a path of 300 characters."""
    deep = tmp_path / ("a" * 150) / ("b" * 150)
    broken(deep)
    command = [sys.executable, "-m", "deploy.cli", "validate", str(deep)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert all(str(deep) in line for line in done.stdout.splitlines())


TEMPLATE = {
    **builders.template("service"),
    "spec": {
        "type": "service",
        "owner": "team-a",
        "steps": [
            {"action": "fetch:template", "input": {"url": "./content"}},
            {
                "action": "fetch:template",
                "input": {"url": "./kinds/${{ parameters.k }}"},
            },
            {"action": "fetch:plain", "input": {"url": "https://git.example/x"}},
        ],
    },
}
POD = "apiVersion: v1\nkind: Template\nmetadata: {name: pod}\n"


def repository(tmp_path: Path) -> Path:
    """Templates with skeletons of all kinds, beside files of other tools."""
    write(tmp_path, "template.yaml", "AWSTemplateFormatVersion: '2010'\nX: !Ref Y\n")
    write(tmp_path, "charts/template.yaml", POD)
    write(tmp_path, "charts/all.yaml", "{{- if .Values.x }}\na: {{ .Values.y }}\n")
    write(tmp_path, "node_modules/a/catalog-info.yaml", "kind: [")
    write(tmp_path, "one/template.yaml", TEMPLATE)
    write(tmp_path, "one/content/catalog-info.yaml", builders.component("not ok"))
    write(tmp_path, "one/kinds/a/catalog-info.yaml", "kind: [\n")
    filled = builders.component("${{ values.name }}")
    write(tmp_path, "two/skeleton/catalog-info.yaml", filled)
    text = "a: 1\n{% if values.x %}\nb: {{ 1 }}\n{%- endif %}\n"
    write(tmp_path, "two/skeleton/all.yml", text)
    write(tmp_path, "users.json", '{"rows": []}')
    write(tmp_path, "catalog-info.yaml", builders.component("web"))
    return tmp_path


def test_skeletons_that_are_named_from_the_root_are_left_out(tmp_path: Path) -> None:
    """`/shared` is the repository's folder, and escapes are decoded."""
    (tmp_path / ".git").mkdir()
    for number, url in enumerate(("/shared%20skeleton", "../more%20skeletons")):
        steps = [{"id": "a", "action": "fetch:template", "input": {"url": url}}]
        file = f"t{number}/template.yaml"
        write(tmp_path, file, builders.template(f"t{number}", steps=steps))
    for folder in ("shared skeleton", "more skeletons"):
        write(tmp_path, f"{folder}/catalog-info.yaml", "kind: [")
    done = validate(tmp_path)
    assert done.exit_code == 0, done.output


def test_skeletons_and_foreign_files_are_left_out(tmp_path: Path) -> None:
    """A repository of templates is valid; the report names the skipped files."""
    folder = repository(tmp_path)
    done = validate(folder)
    assert done.exit_code == 0, done.output
    findings = {
        finding.file.relative_to(folder).as_posix(): finding
        for finding in check_path(folder)
    }
    reasons = {name: finding.left_out for name, finding in findings.items()}
    template = "belongs to the skeleton of template.yaml"
    filled_in = "holds ${{ … }}: a template fills it in"
    assert reasons.pop("one/content/catalog-info.yaml") == template
    assert reasons.pop("one/kinds/a/catalog-info.yaml") == template
    assert reasons.pop("two/skeleton/catalog-info.yaml") == filled_in
    assert reasons.pop("two/skeleton/all.yml") == filled_in
    for name in (
        "template.yaml",
        "charts/template.yaml",
        "charts/all.yaml",
        "users.json",
    ):
        assert "another tool's file" in (reasons.pop(name) or "")
    assert reasons == {"catalog-info.yaml": None, "one/template.yaml": None}
    assert "left out" in done.stdout


def test_a_broken_descriptor_is_an_error(tmp_path: Path) -> None:
    """An invalid `catalog-info` is not taken for another tool's file."""
    write(tmp_path, "a/catalog-info.yaml", "kind: [\n")
    write(tmp_path, "b/catalog-info.yaml", "apiVersion: v1\n")
    write(tmp_path, "c/all.yaml", {**builders.component(), "metadata": {}})
    done = validate(tmp_path)
    assert done.exit_code == 1
    first, second, third = lines(done)
    assert "YAML error" in first
    assert "kind: is required" in second
    assert "metadata.name: is required" in third


def test_a_file_with_an_entitys_api_version_is_checked(tmp_path: Path) -> None:
    """Whatever its name is, in YAML and JSON; an unreadable one is an error."""
    write(tmp_path, "parts/cart.yaml", builders.component("cart"))
    write(tmp_path, "parts/till.yml", builders.component("no name"))
    indented = json.dumps(builders.component("shelf"), indent=2)
    write(tmp_path, "parts/shelf.json", indented)
    half = "kind: Template\napiVersion: scaffolder.backstage.io/v1beta3\nspec: [\n"
    write(tmp_path, "template.yaml", half)
    inside = "kind: ConfigMap\nof:\n  apiVersion: backstage.io/v1alpha1\n  x: [\n"
    write(tmp_path, "charts/map.yaml", inside)
    findings = {
        finding.file.relative_to(tmp_path).as_posix(): finding.error
        for finding in check_path(tmp_path)
    }
    assert "metadata.name" in (findings.pop("parts/till.yml") or "")
    assert "YAML error" in (findings.pop("template.yaml") or "")
    assert findings == {"parts/cart.yaml": None, "parts/shelf.json": None}


def test_an_error_names_the_line_of_its_document(tmp_path: Path) -> None:
    """Of several documents, with comments, empty and left out ones among them."""
    text = """# All of the shop.
---
---
{fine}
---
{filled}
---
# Not yet right.

{wrong}
--- {wrong}
"""
    values = {
        "fine": builders.component("fine"),
        "filled": builders.component("${{ values.name }}"),
        "wrong": builders.component("wr ong"),
    }
    file = write(tmp_path, "catalog-info.yaml", text.format(**_as_json(values)))
    for path in (tmp_path, file):
        findings = json.loads(validate(path, "--json").stdout)
        wrong = [item for item in findings if item["ref"] == "component:default/wr ong"]
        assert [item["line"] for item in wrong] == [10, 11]
        for item in wrong:
            assert f"line {item['line']} of catalog-info.yaml)" in item["error"]
        assert [item["line"] for item in findings if item["error"] is None] == [None]
    assert "declared twice" in wrong[1]["error"]


def test_an_error_names_its_file_by_the_path(tmp_path: Path) -> None:
    """Files of one name in many folders are told apart, as in the register dialog."""
    for folder in ("a", "b/c"):
        write(tmp_path / folder, "c.yaml", builders.component(f"bad {folder[0]}"))
    findings = json.loads(validate(tmp_path, "--json").stdout)
    endings = [item["error"].rpartition(" of ")[2] for item in findings]
    assert endings == ["a/c.yaml)", "b/c/c.yaml)"]


def _as_json(values: dict[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in values.items()}


def test_an_empty_check_has_its_own_exit_code(tmp_path: Path) -> None:
    """A missing path, and a folder without descriptors: exit code 2."""
    for path in (tmp_path / "no", tmp_path):
        done = validate(path)
        assert done.exit_code == 2
        assert str(path) in done.stderr


def test_the_json_report_has_every_file(tmp_path: Path) -> None:
    """One object for each document or skipped file."""
    findings = json.loads(validate(repository(tmp_path), "--json").stdout)
    assert {tuple(item) for item in findings} == {
        ("file", "ref", "error", "warning", "line", "left_out")
    }
    assert sum(item["left_out"] is not None for item in findings) == 8
    refs = {item["ref"] for item in findings} - {None}
    assert refs == {"component:default/web", "template:default/service"}


def test_targets_of_locations_are_checked(tmp_path: Path) -> None:
    """Files that a Location names, by name or pattern; a missing one is its error."""
    write(tmp_path, "parts/odd.yaml", builders.component("not ok"))
    write(tmp_path, "parts/more/fine.yaml", builders.component("fine"))
    write(
        tmp_path,
        "catalog-info.yaml",
        pointing(
            "some", "./parts/odd.yaml", "./parts/**/f*.yaml", "https://x.example/a"
        ),
        pointing("gone", "./no.yaml"),
        pointing("calm", "./no.yaml", presence="optional"),
    )
    errors = {finding.ref: finding.error for finding in check_path(tmp_path)}
    assert "metadata.name" in (errors.pop("component:default/not ok") or "")
    assert "spec.targets" in (errors.pop("location:default/gone") or "")
    assert errors == {
        "component:default/fine": None,
        "location:default/some": None,
        "location:default/calm": None,
    }


SAME = {
    "a long definition": builders.api(definition="x" * 5_000_001),
    "a large entity": builders.component("big", {"description": "x" * 950_000}),
    "a missing file": builders.api(definition={"$text": "./no.yaml"}),
    "two broken rules": builders.component("a b", {"tags": ["A"]}),
    "an object for a text": builders.api(definition={"$yaml": "./whole.yaml"}),
    "an unknown placeholder": builders.api(definition={"$file": "./a.yaml"}),
    "no definition": builders.api(definition={"$openapi": "./half.yaml"}),
    "a bundle": builders.api(definition={"$openapi": "./whole.yaml"}),
    "broken refs": builders.component(dependsOn=["a", "resource:", "component:b"]),
    "a valid one": builders.component("fine"),
    "the second document": [builders.component("a"), builders.component("b c")],
}


@pytest.mark.parametrize("entity", SAME.values(), ids=SAME.keys())
async def test_validate_reports_the_same_problems_as_the_catalog(
    database: Any, data: Path, entity: Any
) -> None:
    """Word by word: limits, placeholders, all broken rules, by entity."""
    write(data, "half.yaml", "info: {}\n")
    write(data, "whole.yaml", "openapi: 3.0.0\nx: {$ref: 'part.yaml#/a'}\n")
    write(data, "part.yaml", "a: {type: string}\n")
    documents = entity if isinstance(entity, list) else [entity]
    file = write(data, "catalog-info.yaml", *documents)
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "validate", "--json", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    *_, finding = json.loads(done.stdout)
    async with running(database, data) as catalog:
        answer = await catalog.register(file, "?dryRun=true")
    if answer.status_code == 201:
        assert (finding["error"], done.returncode) == (None, 0)
    else:
        message = answer.json()["error"]["message"]
        assert message.removeprefix("InputError: ") == finding["error"]
        assert done.returncode == 1


def test_an_expression_that_a_run_takes_as_text_is_a_warning(tmp_path: Path) -> None:
    """Step, field and reason, in the template's own line; the catalog takes it."""
    steps = [
        {"id": "one", "action": "debug:log", "input": {"message": "${{ x | f( }}"}},
        {"action": "debug:log", "if": "${{ parameters.x == }}"},
    ]
    spec = {"type": "service", "owner": "team-a", "steps": steps}
    template = {**builders.template("service"), "spec": spec}
    done = validate(write(tmp_path, "template.yaml", template))
    assert done.exit_code == 0
    assert "1 file read, 0 left out, 0 errors, 1 warning" in done.stderr
    assert validate(tmp_path, "--strict").exit_code == 1
    [finding] = json.loads(validate(tmp_path, "--json").stdout)
    assert (finding["error"], finding["line"]) == (None, 1)
    assert "the expression cannot be parsed" in finding["warning"]
    (line,) = lines(done)
    assert line.startswith("warning ")
    assert "step one, input.message: the expression cannot be parsed: line 1" in line
    assert "; step step-2, if: the expression cannot be parsed: line 1" in line
    steps[0]["input"] = {"message": "${{ x | kebabCase }}"}
    del steps[1]["if"]
    done = validate(write(tmp_path, "template.yaml", template))
    assert done.exit_code == 0
    assert (
        'cannot be evaluated: line 1, column 9: Unknown template filter "keb'
        in (lines(done)[0])
    )
    steps[0]["input"] = {"message": "${{ x | replace('a', 'b') }}"}
    assert validate(write(tmp_path, "template.yaml", template)).exit_code == 0


def test_an_expression_that_every_run_fails_at_is_an_error(tmp_path: Path) -> None:
    """It is over a limit of what a run evaluates; a warning beside it is named too."""
    deep = "${{ " + "(" * 500 + "1" + ")" * 500 + " }}"
    steps = [
        {"id": "one", "action": "debug:log", "input": {"message": "${{ x | none }}"}},
        {"id": "two", "action": "debug:log", "input": {"message": deep}},
    ]
    template = builders.template("service", steps=steps)
    done = validate(write(tmp_path, "template.yaml", template))
    assert done.exit_code == 1
    (line,) = lines(done)
    assert line.startswith("error ")
    assert "step two, input.message" in line
    assert "a run fails there" in line
    assert "step one, input.message" in line


@pytest.mark.parametrize(
    ("name", "text", "line", "says_so"),
    [
        ("README.md", "# Shop\n\nIt sells: all\n---\n* [a](b) and\n\tmore\n", 5, True),
        ("catalog-info.yaml", "Shop: [", 2, True),
        ("catalog-info.yaml", "apiVersion: v1\nkind: [\n", 3, False),
        ("catalog-info.yaml", "a: ${{ values.name }}\nb: [\n", 3, False),
    ],
)
async def test_a_text_that_is_no_yaml_is_told_the_same(
    database: Any, data: Path, name: str, text: str, line: int, *, says_so: bool
) -> None:
    """With the line, and that it is no descriptor at all; as registering it says."""
    file = write(data, name, text)
    process = await asyncio.to_thread(validate, "--json", file)
    [finding] = json.loads(process.stdout)
    async with running(database, data) as catalog:
        answer = await catalog.register(file, "?dryRun=true")
    assert finding["error"] in answer.json()["error"]["message"]
    assert (finding["line"], finding["ref"]) == (line, None)
    assert ("it is no descriptor" in finding["error"]) == says_so
