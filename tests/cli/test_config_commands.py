"""`callboard config`: every key that is wrong, with its line; a schema for editors."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from deploy.cli.commands import app
from deploy.cli.configuration import PortalConfig
from deploy.cli.configuration_page import PAGE, page
from shared.kit.config.sections import load_config

FILE = """\
organization: {name: Shop}
catalog:
  kinds: [product.yaml]
  locations:
    - type: ftp
      target: x
  providers:
    git:
      acme: {host: git.example, brnch: x}
techdocs:
  concurrency: 0
  allowPlugins: [tags, macros]
integrations:
  github:
    - token: ${SHOP_TOKEN}
proxy: {}
"""
EXPECTED = """\
error FILE:3: catalog.kinds.0: FOLDER/product.yaml: cannot be read: \
No such file or directory
warning FILE:5: catalog.locations.0.type: 'ftp' is no type of location that is read; \
use url or file
unknown FILE:9: catalog.providers.git.acme.brnch: means nothing here; did you mean \
branch?
warning FILE:9: catalog.providers.git.acme.host: no integration has this host
error FILE:11: techdocs.concurrency: Input should be greater than 0
unknown FILE:12: techdocs.allowPlugins.1: plugin macros means nothing here: only \
awesome-pages, literate-nav, material/meta, material/tags, meta, section-index, tags \
can be allowed
error FILE:15: integrations.github.0.token: the environment has no variable SHOP_TOKEN
unknown FILE:16: proxy: means nothing here
3 errors, 3 unknown keys, 2 warnings
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app-config.yaml"
    path.write_text(FILE)
    return path


def check(*arguments: object, **environ: str) -> tuple[int, str]:
    """Exit code and output of `callboard config check`."""
    command = ["config", "check", *map(str, arguments)]
    result = CliRunner(env=environ).invoke(app, command)
    return result.exit_code, result.output


def test_configuration_problems_are_named_with_their_lines(file: Path) -> None:
    """Wrong values, unknown keys with the likely one, and variables."""
    code, output = check(file)
    assert code == 1
    assert (
        output.replace(str(file), "FILE")
        .replace(str(file.parent), "FOLDER")
        .splitlines()
        == EXPECTED.splitlines()
    )


def test_a_check_does_not_need_the_variables(file: Path) -> None:
    """Where the file is checked, its secrets need not be known."""
    assert "SHOP_TOKEN" not in check(file, "--no-environment")[1]
    assert "SHOP_TOKEN" not in check(file, SHOP_TOKEN="hunter2")[1]
    assert "hunter2" not in check(file, SHOP_TOKEN="hunter2")[1]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("organization: {name: Shop}", [], 0),
        ("proxy: {}", [], 0),
        ("proxy: {}", ["--strict"], 1),
        ("auth: {environment: prod}", [], 0),
        ("auth: {environment: prod}", ["--strict"], 1),
        ("techdocs: {concurrency: none}", [], 1),
        ("catalog: [", [], 2),
        ("[1]", [], 2),
        ("text", [], 2),
        ("5", [], 2),
        ("false", [], 2),
        ("", [], 0),
        ("null", [], 0),
        ("{}", [], 0),
        ("---\n---\n", [], 0),
        ("a: 1\n---\nb: 1\n", [], 2),
        ("null: 1", [], 0),
        ("{app: 1, catalog: [], auth: x, integrations: null}", [], 1),
        ("$include: base.yaml", [], 2),
        ("{$include: base.yaml, app: {}}", [], 2),
        ("$env: HOME", [], 2),
        ("$file: base.yaml", [], 2),
        ("$file: [1]", [], 2),
        ("catalog: {$include: base.yaml}", [], 1),
        ("catalog: [{$env: HOME}]", [], 1),
        ("catalog: {locations: [{$file: gone}, 1, null, []]}", [], 1),
    ],
)
def test_the_exit_code_depends_on_errors_and_strictness(
    tmp_path: Path, text: str, options: list[str], expected: int
) -> None:
    """Unknown keys are no error unless --strict is given."""
    path = tmp_path / "app-config.yaml"
    path.write_text(text)
    assert check(path, *options)[0] == expected
    assert check(tmp_path / "gone.yaml")[0] == 2


def test_variables_of_keys_that_nothing_reads_are_no_problems(tmp_path: Path) -> None:
    """The key stays unknown; references that fail are errors at their keys."""
    path = tmp_path / "app-config.yaml"
    path.write_text(
        "organization: {name: {$include: name.yaml}}\n"
        "backend: {database: {connection: {host: '${PGHOST}'}}}\n"
        "app: {title: '${TITLE}'}\n"
        "catalog: {kinds: ['${KINDS}']}\n"
    )
    code, output = check(path)
    assert output.replace(str(path), "FILE").splitlines() == [
        (
            "error FILE:1: organization.name: $include is not supported: "
            "put the file's content here"
        ),
        "unknown FILE:2: backend.database: means nothing here",
        "error FILE:4: catalog.kinds.0: the environment has no variable KINDS",
        "2 errors, 1 unknown key, 0 warnings",
    ]
    assert code == 1
    assert "1 error," in check(path, "--no-environment")[1]


WARNINGS = """\
backend: {reading: {allow: [{host: files.example, paths: [/a]}]}}
integrations:
  github: [{token: a}, {host: GitHub.com}]
  gitlab: [{host: github.com}, {host: "${GIT_HOST:-git.example}"}]
auth: {environment: staging}
catalog:
  kinds: [product.yaml]
  rules: [{allow: [component, Componet, {kind: Sytem}, Product]}]
  providers: {git: {a: {host: git.example}, b: {host: git.nowhere}}}
  locations:
    - {type: url, target: "https://git.example/a/b", rules: [{allow: [Aip]}]}
    - {type: url, target: "https://files.example/b"}
    - {type: url, target: "https://files.example/a/b"}
    - {type: url, target: github.com/a/b}
    - {type: file, target: gone.yaml}
    - {type: file, target: product.yaml}
    - {type: file, target: "./*.yaml"}
    - {type: file, target: "gone/*.yaml"}
"""
NAMED = """\
3: integrations.github.1.host: integrations.github.0 has the same host: the last counts
4: integrations.gitlab.0.host: integrations.github.0 has the same host: the last counts
5: auth.environment: no provider has this environment, which counts as production
8: catalog.rules.0.allow.1: there is no kind Componet; did you mean Component?
8: catalog.rules.0.allow.2.kind: there is no kind Sytem; did you mean System?
9: catalog.providers.git.b.host: no integration has this host
11: catalog.locations.0.rules.0.allow.0: there is no kind Aip
12: catalog.locations.1.target: neither an integration nor backend.reading.allow is \
for it
14: catalog.locations.3.target: 'github.com/a/b' is not an http(s) address
15: catalog.locations.4.target: there is no DIR/gone.yaml
18: catalog.locations.7.target: there is no DIR/gone
0 errors, 0 unknown keys, 11 warnings
"""
PRODUCT = """\
kind: Product
versions: [acme.example/v1]
schema: {type: object}
"""


def test_values_that_lead_nowhere_are_warnings(tmp_path: Path) -> None:
    """A start accepts them; the check names them, and nothing else."""
    path = tmp_path / "app-config.yaml"
    path.write_text(WARNINGS)
    (tmp_path / "product.yaml").write_text(PRODUCT)
    code, output = check(path)
    load_config(path, {}, PortalConfig)
    lines = output.replace(f"warning {path}:", "").replace(str(tmp_path), "DIR")
    assert lines.splitlines() == NAMED.splitlines()
    assert code == 0


@pytest.mark.parametrize(
    "text",
    [
        "auth: {environment: prod, providers: {github: {prod: {clientId: a}}}}",
        "auth: {environment: development}",
        """
        catalog: {providers: {git: {a: {host: b}}}}
        integrations: {gitea: [{host: "${HOST}"}]}
        """,
        """
        catalog: {locations: [{type: url, target: "https://a/b"}]}
        backend: {reading: {allow: [{host: "http://a"}]}}
        """,
        """
        catalog: {locations: [{type: url, target: "https://acme.visualstudio.com/b"}]}
        integrations: {azure: [{token: a}]}
        """,
        "catalog: {rules: [{allow: [Product]}], kinds: ['${KINDS}']}",
    ],
)
def test_what_may_lead_somewhere_is_no_warning(tmp_path: Path, text: str) -> None:
    """A host or a kind that the check cannot know is not missed."""
    path = tmp_path / "app-config.yaml"
    path.write_text(text)
    assert "warning " not in check(path, "--no-environment")[1]


def test_configuration_problems_are_available_as_json(file: Path) -> None:
    """One object a problem."""
    problems: list[dict[str, Any]] = json.loads(check(file, "--json")[1])
    assert {name: problems[-1][name] for name in ("line", "key", "level")} == {
        "line": 16,
        "key": "proxy",
        "level": "unknown",
    }


def test_the_configuration_schema_accepts_valid_files_only() -> None:
    """Editors get a JSON Schema of the file."""
    output = CliRunner().invoke(app, ["config", "schema"]).output
    schema = json.loads(output)
    jsonschema.Draft202012Validator.check_schema(schema)
    judge = jsonschema.Draft202012Validator(schema)
    assert judge.is_valid(yaml.safe_load("catalog: {readonly: true}"))
    assert not judge.is_valid(yaml.safe_load(FILE))


def test_the_configuration_page_is_generated_from_the_models() -> None:
    """`docs/configuration.md` has the keys that the services read."""
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run `python -m deploy.cli.configuration_page`"
    )


def test_two_files_of_one_kind_are_an_error_of_the_second(tmp_path: Path) -> None:
    """The catalog would refuse to start with them."""
    kind = "kind: Product\nversions: [shop.example/v1]\nschema: {type: object}\n"
    for name in ("one.yaml", "two.yaml"):
        (tmp_path / name).write_text(kind)
    path = tmp_path / "app-config.yaml"
    path.write_text("catalog: {kinds: [one.yaml, two.yaml]}")
    code, output = check(path)
    assert code == 1
    assert "catalog.kinds.1: two.yaml: kind: Product is that of one.yaml" in output
    assert "catalog.kinds.0" not in output


def test_keys_of_backstage_are_no_mistakes_of_typing(tmp_path: Path) -> None:
    """They mean nothing here, and what does the same is named; others are guessed."""
    path = tmp_path / "app-config.yaml"
    path.write_text(
        "techdocs: {builder: local, concurency: 1}\n"
        "backend: {auth: {externalAccess: []}}\n"
        "catalog: {providers: {github: {}, githubOrg: []}}\n"
        "integrations: {github: [{rawBaseUrl: x}]}\n"
    )
    lines = check(path)[1].replace(str(path), "FILE").splitlines()
    assert lines == [
        "unknown FILE:1: techdocs.builder: means nothing here",
        (
            "unknown FILE:1: techdocs.concurency: means nothing here; did you mean "
            "concurrency?"
        ),
        (
            "unknown FILE:2: backend.auth: means nothing here; tokens of programs "
            "(externalAccess) are auth.staticTokens here"
        ),
        (
            "unknown FILE:3: catalog.providers.github: means nothing here; "
            "catalog.providers.git finds the repositories of every host"
        ),
        (
            "unknown FILE:3: catalog.providers.githubOrg: means nothing here; a file "
            "of User and Group entities describes the organisation"
        ),
        "unknown FILE:4: integrations.github.0.rawBaseUrl: means nothing here",
        "0 errors, 6 unknown keys, 0 warnings",
    ]
