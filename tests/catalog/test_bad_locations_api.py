"""Registrations and sources that are refused: what stays, and what is said."""

from pathlib import Path
from typing import Any

import pytest

from tests import builders
from tests.catalog.running import Host, generated, pointing, running, write


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "bad.yaml: YAML error: did not find expected node content at line"),
        ("- a\n", "must be an object at its root"),
        ("kind: Component\n", "apiVersion: is required"),
        ("x: &a [1]\ny: [" + "*a, " * 200 + "]", "too many aliases"),
        ("[" * 300, "nested deeper than 100"),
        ("\0binary", "control characters"),
    ],
)
async def test_a_dry_run_of_bad_input_names_the_rule(
    database: Any, data: Path, text: str, problem: str
) -> None:
    """400 with the rule, and the place where there is one."""
    file = write(data, "bad.yaml", text)
    async with running(database, data) as catalog:
        answer = await catalog.register(file, "?dryRun=true")
    assert answer.status_code == 400
    assert answer.json()["error"]["name"] == "InputError"
    assert problem in answer.json()["error"]["message"]


async def test_a_dry_run_names_the_document_that_fails(
    database: Any, data: Path
) -> None:
    """Its file and the field's line, also below the file that is registered."""
    good, bad = builders.component("good"), builders.component("bad name")
    parts = write(data, "parts.yaml", good, bad)
    first = parts.read_text().partition("name: bad name")[0]
    line = first.count("\n") + 1
    file = write(data, "all.yaml", pointing("more", "./parts.yaml"))
    async with running(database, data) as catalog:
        answer = await catalog.register(file, "?dryRun=true")
    message = answer.json()["error"]["message"]
    assert "component:default/bad name: metadata.name" in message
    assert message.endswith(f"(line {line} of parts.yaml)")


@pytest.mark.parametrize("count", [2, 25])
async def test_a_dry_run_names_the_problems_of_all_documents_of_a_file(
    database: Any, data: Path, count: int
) -> None:
    """A line for each, so that they are mended at once; of many, how many more."""
    bad = [builders.component(f"bad name {number}") for number in range(count)]
    file = write(data, "bad.yaml", *bad)
    async with running(database, data) as catalog:
        answer = await catalog.register(file, "?dryRun=true")
    assert answer.status_code == 400
    lines = answer.json()["error"]["message"].split("\n")
    assert len(lines) == min(count, 21)
    assert "bad name 0: metadata.name" in lines[0]
    assert "bad name 1: metadata.name" in lines[1]
    assert lines[-1] == "and 5 more" if count > 20 else "(line" in lines[-1]


@pytest.mark.parametrize("kind", ["file", "url"])
async def test_a_dry_run_names_the_file_by_its_path(
    database: Any, data: Path, kind: str
) -> None:
    """Where several files have one name, the error gives the path of the wrong one."""
    host = Host(data)
    names = {"a": "first", "b/c": "bad name", "d": "third"}
    files = {
        f"apps/{at}/c.yaml": builders.component(name) for at, name in names.items()
    }
    host.commit("mono", files)
    url = f"{host.url('mono', '').rstrip('/')}/apps/**/c.yaml"
    file = data / "copies" / "mono" / "apps" / "**" / "c.yaml"
    async with running(database, data, host.config()) as catalog:
        answer = await catalog.register(file if kind == "file" else url, "?dryRun=true")
        assert answer.status_code == 400
    path = "apps/b/c/c.yaml" if kind == "url" else "b/c/c.yaml"
    message = answer.json()["error"]["message"]
    assert f" of {path})" in message
    assert str(data) not in message


async def test_the_status_of_a_pattern_names_the_file_by_its_path(
    database: Any, data: Path
) -> None:
    """Its Location has the errors of all files."""
    write(data, "apps/a/c.yaml", builders.component("first"))
    write(data, "apps/b/c.yaml", builders.component("bad name"))
    pattern = data / "apps" / "*" / "c.yaml"
    async with running(database, data) as catalog:
        await catalog.register(pattern)
        [problem] = await catalog.problems(generated(pattern))
    assert problem.endswith(" of b/c.yaml)")


async def test_one_invalid_entity_does_not_block_the_others(
    database: Any, data: Path
) -> None:
    """Valid entities are stored; the location's status names the invalid one."""
    bad = builders.component("bad name")
    file = write(data, "all.yaml", bad, builders.component("good"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        assert await catalog.refs() == {"component:good"}
        [problem] = await catalog.problems(generated(file))
    assert "metadata.name" in problem


async def test_a_missing_target_does_not_drop_other_targets(
    database: Any, data: Path
) -> None:
    """Readable targets are read; an optional target may be missing silently."""
    write(data, "good.yaml", builders.component("good"))
    targets = pointing("more", "./missing.yaml", "./good.yaml")
    optional = pointing("maybe", "./nowhere.yaml", presence="optional")
    file = write(data, "all.yaml", targets, optional)
    async with running(database, data) as catalog:
        await catalog.register(file)
        assert "component:good" in await catalog.refs()
        [problem] = await catalog.problems("more")
        assert "missing.yaml" in problem
        assert await catalog.problems("maybe") == []
        write(data, "missing.yaml", builders.component("late"))
        await catalog.ask("POST", "/refresh", {"entityRef": "location:more"})
        assert "component:late" in await catalog.refs()
        assert await catalog.problems("more") == []


@pytest.mark.parametrize(
    "target",
    ["../outside.yaml", "/etc/passwd", "./link.yaml", "javascript:alert(1)", "./\0"],
)
async def test_a_target_cannot_leave_its_folder(
    database: Any, data: Path, target: str
) -> None:
    """A descriptor reaches below its own folder, not by `..`, root or a link."""
    inside = data / "inside"
    write(data, "outside.yaml", builders.component("secret"))
    target = target.replace("\0", "\\0")
    file = write(
        inside,
        "all.yaml",
        "apiVersion: backstage.io/v1alpha1\nkind: Location\n"
        f'metadata: {{name: more}}\nspec: {{target: "{target}"}}\n',
    )
    (inside / "link.yaml").symlink_to(data / "outside.yaml")
    async with running(database, data) as catalog:
        await catalog.register(file)
        assert await catalog.refs() == {"location:more"}
        assert len(await catalog.problems("more")) == 1


async def test_the_same_entity_twice_in_a_file_is_refused(
    database: Any, data: Path
) -> None:
    """In a dry run for the whole file, else for the second one."""
    file = write(data, "all.yaml", builders.component("a"), builders.component("a"))
    async with running(database, data) as catalog:
        dry = await catalog.register(file, "?dryRun=true")
        assert dry.status_code == 400
        assert "declared twice" in dry.json()["error"]["message"]
        await catalog.register(file)
        [problem] = await catalog.problems(generated(file))
        assert "component:default/a: is declared twice" in problem


async def test_kinds_that_the_rules_do_not_allow_are_refused(
    database: Any, data: Path
) -> None:
    """Without rules: components, APIs and locations; a location may have its own."""
    people = write(data, "people.yaml", builders.user("ann"), builders.component("p"))
    file = write(data, "all.yaml", builders.user("bo"), builders.component("a"))
    config = (
        "catalog:\n  fileLocations: true\n  locations:\n    - type: file\n"
        f"      target: {people}\n      rules:\n        - allow: [User]\n"
    )
    async with running(database, data, config) as catalog:
        await catalog.register(file)
        assert await catalog.refs() == {"user:ann", "component:a", "component:p"}
        [problem] = await catalog.problems(generated(file))
        assert "kind User is not allowed" in problem


async def test_what_new_rules_refuse_stays_until_it_is_deleted(
    database: Any, data: Path
) -> None:
    """Its status names the rule; once it is deleted, nothing brings it back."""
    file = write(data, "all.yaml", builders.group("old"), builders.component("a"))
    async with running(database, data) as catalog:
        await catalog.register(file)
    rules = "catalog:\n  fileLocations: true\n  rules: [{allow: [Component]}]\n"
    async with running(database, data, rules) as catalog:
        group = await catalog.entity("group:default/old")
        assert group is not None
        message = group["status"]["items"][0]["message"]
        assert "the kind Group is not allowed from" in message
        uid = group["metadata"]["uid"]
        await catalog.ask("DELETE", f"/entities/by-uid/{uid}")
        write(data, "all.yaml", builders.group("old"), builders.component("b"))
        await catalog.ask("POST", "/refresh", {"entityRef": "component:a"})
        assert await catalog.refs() == {"component:a", "component:b"}


async def test_an_invalid_change_keeps_the_last_valid_entity(
    database: Any, data: Path
) -> None:
    """The status shows the error of the change; the entity stays as it was."""
    file = write(data, "all.yaml", builders.component("web"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        write(data, "all.yaml", builders.component("web", owner=""))
        await catalog.ask("POST", "/refresh", {"entityRef": "component:web"})
        entity = await catalog.entity("component:default/web")
        assert entity is not None
        assert entity["spec"]["owner"] == "team-a"
        assert "spec.owner" in entity["status"]["items"][0]["message"]
        write(data, "all.yaml", "a: [")
        await catalog.ask("POST", "/refresh", {"entityRef": "component:web"})
        assert await catalog.refs() == {"component:web"}
        write(data, "all.yaml", builders.component("web", owner="team-b"))
        await catalog.ask("POST", "/refresh", {"entityRef": "component:web"})
        entity = await catalog.entity("component:default/web")
        assert entity is not None
        assert entity["spec"]["owner"] == "team-b"
        assert "status" not in entity
        assert await catalog.problems(generated(file)) == []


async def test_a_source_that_loses_most_entities_deletes_nothing(
    database: Any, data: Path
) -> None:
    """A reading without more than half of many entities is taken for an error."""
    many = [builders.component(f"c{number}") for number in range(40)]
    file = write(data, "all.yaml", *many)
    async with running(database, data) as catalog:
        await catalog.register(file)
        write(data, "all.yaml", *many[:2])
        await catalog.register(file, "?onConflict=refresh")
        assert len(await catalog.refs()) == 40
        [problem] = await catalog.problems(generated(file))
        assert "no longer names 38 entities" in problem
        write(data, "all.yaml", *many[:30])
        await catalog.register(file, "?onConflict=refresh")
        assert len(await catalog.refs()) == 30
        assert await catalog.problems(generated(file)) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"type": "url"}, "request/body must have required property 'target'"),
        ({"target": "x"}, "request/body must have required property 'type'"),
        ({"type": "url", "target": 5}, "request/body/target must be string"),
        ({"type": "url", "target": "https://x.example", "a": 1}, "'a'"),
        ({"type": "ftp", "target": "x"}, 'allowed type ["url"]'),
        ({"type": "file", "target": "/etc/passwd"}, 'allowed type ["url"]'),
        ({"type": "url", "target": "javascript:alert(1)"}, "javascript"),
        ({"type": "url", "target": "not a url"}, "http(s)"),
        ([], "request/body must be object"),
    ],
)
async def test_a_bad_request_names_what_is_wrong(
    database: Any, data: Path, body: Any, problem: str
) -> None:
    """400 before anything is read."""
    async with running(database, data, "catalog: {}\n") as catalog:
        answer = await catalog.ask("POST", "/locations", body)
    assert answer.status_code == 400
    assert problem in answer.json()["error"]["message"]


async def test_a_host_that_is_not_allowed_names_the_setting(
    database: Any, data: Path
) -> None:
    """Reading from anywhere has to be allowed first."""
    async with running(database, data) as catalog:
        answer = await catalog.register("https://x.example/a.yaml", "?dryRun=true")
    assert answer.status_code == 400
    assert "backend.reading.allow" in answer.json()["error"]["message"]


async def test_every_route_requires_a_principal(database: Any, data: Path) -> None:
    """Without a principal from the gateway every route answers 401."""
    async with running(database, data) as catalog:
        for method, path in [
            ("GET", "/locations"),
            ("POST", "/locations"),
            ("POST", "/refresh"),
            ("POST", "/validate-entity"),
            ("POST", "/analyze-location"),
            ("DELETE", "/entities/by-uid/x"),
            ("GET", "/entities/by-name/a/b/c/history"),
        ]:
            answer = await catalog.http.request(method, path, json={})
            assert answer.status_code == 401, path
