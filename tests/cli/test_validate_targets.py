"""`callboard validate` takes and refuses the targets that the catalog does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.validation import Finding, check_path
from services.catalog.descriptor.kinds import PROBLEMS_NAMED
from tests import builders
from tests.catalog.running import Host, pointing, running, write

FILE = "catalog-info.yaml"


@pytest.fixture
def host(data: Path) -> Host:
    return Host(data)


#: Targets of a file in the folder `sub`, and whether the catalog reads something there.
TARGETS = {
    "../odd%20names/enc.yaml": True,
    "../odd names/enc.yaml": True,
    "../100%/half.yaml": True,
    "../o#dd/c?.yaml": True,
    "../o%23dd/c%3F.yaml": True,
    "/odd%20names/enc.yaml": True,
    "../odd%20names/*.yaml": True,
    "../{odd names,o#dd}/enc.yaml": True,
    "../**/[e]nc.yaml": True,
    "./%2e%2e/odd%20names/enc.yaml": True,
    "../odd%2520names/enc.yaml": False,
    "../odd+names/enc.yaml": False,
    "../odd names/no*.yaml": False,
    "./cat*.yaml": False,
    "../../../../over.yaml": False,
}


def files_with(*targets: str, **spec: Any) -> dict[str, Any]:
    """A repository with odd names, and a Location that names some of them."""
    return {
        "odd names/enc.yaml": builders.component("enc"),
        "100%/half.yaml": builders.component("half"),
        "o#dd/c?.yaml": builders.component("signs"),
        f"sub/{FILE}": pointing("some", *targets, **spec),
    }


def errors_of(path: Path) -> dict[str | None, str | None]:
    return {finding.ref: finding.error for finding in check_path(path)}


async def catalog_problems(
    database: Any, data: Path, host: Host, files: dict[str, Any]
) -> tuple[set[str], list[str]]:
    """What the catalog makes of a pushed repository: entities, and problems."""
    host.commit("odd", files)
    async with running(database, data, host.config()) as catalog:
        answer = await catalog.register(host.url("odd", f"sub/{FILE}"))
        assert answer.status_code == 201, answer.text
        return await catalog.refs(), await catalog.problems("some")


@pytest.mark.parametrize("target", TARGETS)
async def test_targets_in_a_repository_are_parts_of_addresses(
    database: Any, data: Path, host: Host, target: str
) -> None:
    """Escapes, signs, patterns and the way out: as the catalog reads them."""
    refs, problems = await catalog_problems(database, data, host, files_with(target))
    file = host.copies / "odd" / "sub" / FILE
    findings = await asyncio.to_thread(check_path, file)
    errors = {finding.ref: finding.error for finding in findings}
    assert (not problems, errors["location:default/some"] is None) == (
        TARGETS[target],
        TARGETS[target],
    )
    checked = {f"{ref}".replace("default/", "") for ref in errors}
    assert checked == refs


@pytest.mark.parametrize(
    "target", ["./odd%20names/enc.txt", "/odd names/enc.txt", "./o#dd/c?.txt"]
)
async def test_placeholders_in_a_repository_are_parts_of_addresses(
    database: Any, data: Path, host: Host, target: str
) -> None:
    """As targets of a Location are."""
    files = {
        "odd names/enc.txt": "type Query { a: Int }",
        "o#dd/c?.txt": "type Query { b: Int }",
        FILE: builders.api("orders", definition={"$text": target}),
    }
    host.commit("odd", files)
    async with running(database, data, host.config()) as catalog:
        await catalog.register(host.url("odd"))
        assert "api:orders" in await catalog.refs()
    errors = await asyncio.to_thread(errors_of, host.copies / "odd" / FILE)
    assert errors == {"api:default/orders": None}


@pytest.mark.parametrize(
    "target", ["../odd names/enc.yaml", "https://github.com/a/b/blob/main/c.yaml"]
)
@pytest.mark.parametrize("kind", ["github", "file", "github-discovery", "nothing"])
async def test_types_that_the_catalog_refuses_are_errors(
    database: Any, data: Path, host: Host, kind: str, target: str
) -> None:
    """With its words and the line, also of targets that lie at an address."""
    files = files_with(target, type=kind)
    _, [problem] = await catalog_problems(database, data, host, files)
    file = host.copies / "odd" / "sub" / FILE
    [finding] = await asyncio.to_thread(check_path, file)
    rule = problem.partition(": ")[2].partition(" (since")[0]
    assert rule.startswith("spec.type: ")
    assert str(finding.error).startswith(rule)
    lines = file.read_text().split("\n")
    assert finding.line_number == 1 + lines.index(f"  type: {kind}")


def test_each_file_is_judged_by_its_own_repository(tmp_path: Path) -> None:
    """Of a folder of several repositories, and of a copy that is none."""
    for name in ("one", "two", "copy"):
        location = pointing(f"in-{name}", "./teams.yaml", type="url")
        write(tmp_path, f"{name}/{FILE}", location)
        write(tmp_path, f"{name}/teams.yaml", builders.component(name))
        if name != "copy":
            (tmp_path / name / ".git").mkdir()
    errors = {ref: error for ref, error in errors_of(tmp_path).items() if error}
    assert list(errors) == ["location:default/in-copy"]
    assert "in no Git repository: check a clone of it" in str(errors.popitem()[1])


def test_a_folder_outside_of_repositories_is_a_file_location(tmp_path: Path) -> None:
    """Names are literal and the type `file` is right; addresses stay addresses."""
    write(tmp_path, "a%20b.yaml", builders.component("literal"))
    targets = ("./a%20b.yaml", "https://x.example/a")
    write(tmp_path, FILE, pointing("some", *targets))
    write(tmp_path, "all.yaml", pointing("of-files", "./a%20b.yaml", type="file"))
    write(tmp_path, "org.yaml", pointing("odd", "./a%20b.yaml", type="github"))
    errors = errors_of(tmp_path)
    assert "spec.type: 'github' is no type" in str(errors.pop("location:default/odd"))
    assert errors == {
        "location:default/some": None,
        "location:default/of-files": None,
        "component:default/literal": None,
    }
    write(tmp_path, "all.yaml", pointing("up", "../over.yaml"))
    write(tmp_path.parent, "over.yaml", builders.component("over"))
    error = str(errors_of(tmp_path)["location:default/up"])
    assert f"../over.yaml is outside of {tmp_path}, the folder that is checked" in error


@pytest.mark.parametrize("is_repository", [True, False])
def test_every_missing_target_is_named_in_its_line(
    tmp_path: Path, *, is_repository: bool
) -> None:
    """What the others name is still checked; of very many the first are named."""
    if is_repository:
        (tmp_path / ".git").mkdir()
    write(tmp_path, "odd.yaml", builders.component("not ok"))
    targets = ["./no.yaml", "./odd.yaml", "./neither.yaml", "./none-*.yaml"]
    file = write(tmp_path, FILE, pointing("some", *targets))
    findings: dict[str | None, Finding] = {
        finding.ref: finding for finding in check_path(file)
    }
    error = str(findings["location:default/some"].error)
    text = file.read_text().split("\n")
    for number, target in enumerate(targets):
        line = 1 + text.index(next(row for row in text if target in row))
        named = f"spec.targets.{number}: there is no file {target} (line {line})"
        assert (named in error) == (number != 1)
    assert "metadata.name" in str(findings["component:default/not ok"].error)
    many = [f"./no-{number}.yaml" for number in range(PROBLEMS_NAMED + 5)]
    error = str(check_path(write(tmp_path, FILE, pointing("some", *many)))[0].error)
    assert error.count("there is no file") == PROBLEMS_NAMED
    assert "; and 5 more" in error


@pytest.mark.parametrize("is_repository", [True, False])
def test_a_file_outside_of_what_is_checked_names_what_to_check(
    tmp_path: Path, *, is_repository: bool
) -> None:
    """Nothing is configured here: a folder above has both, or nobody reads it."""
    shop = tmp_path / "shop"
    target = "../../shared/api.yaml"
    if is_repository:
        (shop / ".git").mkdir(parents=True)
        (shop / "a").mkdir()
        (shop / "a/link.yaml").symlink_to("../../shared/api.yaml")
        target = "./link.yaml"
    write(tmp_path, "shared/api.yaml", "openapi: 3.1.0")
    api = builders.api("orders", definition={"$text": target})
    file = write(tmp_path, f"shop/a/{FILE}", api)
    error = str(errors_of(file)["api:default/orders"])
    assert "configured" not in error
    if is_repository:
        assert f"is outside of the repository {shop}" in error
    else:
        scope = f"{file.parent}, the folder that is checked: check a folder above it"
        assert f"shared/api.yaml is outside of {scope} that holds both" in error
        assert errors_of(tmp_path) == {"api:default/orders": None}


@pytest.mark.parametrize("is_repository", [True, False])
async def test_a_placeholder_of_a_folder_wants_a_file_in_it(
    database: Any, data: Path, host: Host, *, is_repository: bool
) -> None:
    """Not a descriptor, as a Location does; the catalog uses the same words."""
    api = builders.api("orders", definition={"$text": "./sub"})
    files = {"sub/x.txt": "x", FILE: api}
    host.commit("odd", files)
    if is_repository:
        address = host.url("odd")
        file = host.copies / "odd" / FILE
    else:
        write(data / "plain", "sub/x.txt", "x")
        file = address = write(data / "plain", FILE, api)
    async with running(database, data, host.config()) as catalog:
        answer = await catalog.register(address, "?dryRun=true")
    errors = await asyncio.to_thread(errors_of, file)
    for problem in (answer.json()["error"]["message"], errors["api:default/orders"]):
        assert "/sub is a folder, not a file: name a file in it" in problem
        assert "descriptor" not in problem
