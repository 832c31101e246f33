"""What the portal reads with its own rights, it reads only for who may see it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.kit.http.service_tokens import Grant, Principal
from tests.builders import component
from tests.catalog.running import Host, Running, generated, pointing, running, write

HIDDEN = {
    "rule": "HAS_ANNOTATION",
    "resourceType": "catalog-entity",
    "params": {"annotation": "callboard.dev/visibility", "value": "restricted"},
}
READING = {
    "anyOf": [
        {"not": HIDDEN},
        {
            "rule": "IS_ENTITY_OWNER",
            "resourceType": "catalog-entity",
            "params": {"claims": ["group:default/web"]},
        },
    ]
}
SEES = Grant("conditional", READING)
MARK = "fifteen-nights-only"


def somebody(*, explores: bool = True) -> Principal:
    """A user of another team: asked about what a route takes along, as by policy."""
    return Principal(
        "user:default/bo",
        "user",
        also={
            "callboard.source.read": SEES,
            "catalog.entity.read": SEES,
            "callboard.source.explore": Grant("allow" if explores else "deny"),
        },
    )


BO = somebody()


def entity(name: str, *, restricted: bool = False, **more: Any) -> dict[str, Any]:
    document = component(name, **more)
    document["spec"] = {**document["spec"], "owner": "group:default/vault"}
    if restricted:
        marks = {"callboard.dev/visibility": "Restricted"}
        document["metadata"] = {
            **document["metadata"],
            "annotations": marks,
            "description": MARK,
        }
    return document


@pytest.fixture
async def catalog(database: Any, data: Path, host: Host) -> AsyncIterator[Running]:
    """Repositories: all restricted, all open, both, and one that nothing comes from."""
    host.commit(
        "vault",
        {
            "catalog-info.yaml": entity("vault", restricted=True),
            "other.yaml": entity("plain-name"),
            "docs/index.md": f"# {MARK}\n",
            "values.yaml": f"password: {MARK}\n",
        },
    )
    host.commit("open", {"catalog-info.yaml": entity("open"), "notes.md": "notes\n"})
    host.commit(
        "mixed",
        {
            "catalog-info.yaml": pointing("all", "./a/info.yaml", "./b/info.yaml"),
            "a/info.yaml": entity("mixed-a"),
            "a/skeleton/x": "x\n",
            "b/info.yaml": entity("mixed-b", restricted=True),
            "b/skeleton/x": f"{MARK}\n",
        },
    )
    async with running(database, data, host.discovering()) as started:
        assert await started.refs() >= {"component:vault", "component:mixed-b"}
        host.commit("fresh", {"catalog-info.yaml": entity("fresh"), "mkdocs.yml": "a"})
        yield started


async def readable(catalog: Running, url: str, who: Principal = BO) -> bool:
    permissions = {"callboard.source.explore": who.also["callboard.source.explore"]}
    principal = Principal(
        who.subject,
        "user",
        permission="callboard.source.read",
        decision="conditional",
        conditions=READING,
        also=permissions,
    )
    body = {"locations": [f"url:{url}"]}
    answer = await catalog.ask("POST", "/sources/readable", body, principal)
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["items"][0]["readable"])


async def dry(catalog: Running, url: str, who: Any = BO) -> Any:
    body = {"type": "url", "target": url}
    return await catalog.ask("POST", "/locations?dryRun=true", body, who)


async def test_a_source_of_restricted_entities_only_is_closed(catalog, host) -> None:
    """At every path, ref and spelling, including its descriptors."""
    root = f"https://{host.name}"
    for url in (
        host.url("vault"),
        host.url("vault", "other.yaml"),
        f"{root}/vault",
        f"{root}/vault.git",
        f"{root}/vault/tree/main/docs",
        f"{root}/vault/blob/elsewhere/x.yaml",
        f"{root}/vault/tree/HEAD/",
        f"https://me@{host.name}/vault/blob/main/catalog-info.yaml",
    ):
        assert not await readable(catalog, url), url
    assert await readable(catalog, host.url("open", "notes.md"))
    assert await readable(catalog, f"{root}/open/tree/any-branch/")


async def test_a_source_without_entities_may_be_read(catalog, host) -> None:
    """Users may register new sources; an organisation may forbid it."""
    assert await readable(catalog, host.url("fresh"))
    assert not await readable(catalog, host.url("fresh"), somebody(explores=False))
    answer = await dry(catalog, host.url("fresh"))
    assert answer.status_code == 201, answer.text
    assert "fresh" in answer.text


async def test_a_mixed_source_is_open_around_visible_entities(catalog, host) -> None:
    """Skeletons beside an open template are readable; others are not."""
    root = f"https://{host.name}/mixed"
    for path in ("tree/main/a/skeleton", "blob/main/a/info.yaml", "tree/main/shared"):
        assert await readable(catalog, f"{root}/{path}"), path
    for path in (
        "tree/main/b/skeleton",
        "blob/main/b/info.yaml",
        "tree/main/a/../b",
        "tree/main/",
        "tree/other/a/skeleton",
    ):
        assert not await readable(catalog, f"{root}/{path}"), path


async def test_a_closed_source_answers_like_a_missing_one(catalog, host) -> None:
    """With the same message, whoever asks and by whichever route."""
    nowhere = host.url("nowhere")
    for path in ("/locations?dryRun=true", "/locations"):
        for url in (host.url("vault"), host.url("vault", "other.yaml")):
            closed = await catalog.ask("POST", path, {"type": "url", "target": url}, BO)
            absent = await catalog.ask(
                "POST", path, {"type": "url", "target": nowhere}, BO
            )
            assert closed.status_code == absent.status_code == 400
            same = closed.json()["error"]["message"].replace("vault", "nowhere")
            assert same == absent.json()["error"]["message"]
    assert "component:plain-name" not in await catalog.refs()


async def test_the_owner_of_a_restricted_entity_reads_its_source(catalog, host) -> None:
    """The rule is the policy's, not a mark of the repository."""
    mine = {"anyOf": [READING["anyOf"][0], {**READING["anyOf"][1]}]}
    mine["anyOf"][1] = {
        **READING["anyOf"][1],
        "params": {"claims": ["group:default/vault"]},
    }
    grant = Grant("conditional", mine)
    owner = Principal(
        "user:default/vera",
        "user",
        also={"callboard.source.read": grant, "catalog.entity.read": grant},
    )
    answer = await dry(catalog, host.url("vault"), owner)
    assert answer.status_code == 201, answer.text
    assert MARK in answer.text


async def test_a_dry_run_shows_no_restricted_entity(catalog, host) -> None:
    """Neither of a mixed source nor of a source without stored entities."""
    host.commit("fresh", {"secret.yaml": entity("later", restricted=True)})
    for url in (host.url("mixed"), host.url("fresh", "secret.yaml")):
        answer = await dry(catalog, url)
        assert answer.status_code == 201, answer.text
        assert MARK not in answer.text
    assert "mixed-a" in (await dry(catalog, host.url("mixed"))).text


async def analysed(catalog: Running, host: Host, repository: str, **more: Any) -> Any:
    place = {"type": "url", "target": f"https://{host.name}/{repository}"}
    return await catalog.ask(
        "POST", "/analyze-location", {"location": place, **more}, BO
    )


async def test_location_analysis_reveals_entities_only(catalog, host) -> None:
    """Whatever file name is requested; other YAML is treated as missing."""
    closed = await analysed(catalog, host, "vault")
    absent = await analysed(catalog, host, "nowhere")
    assert closed.status_code == absent.status_code == 400
    assert closed.text.replace("vault", "nowhere") == absent.text
    host.commit(
        "fresh",
        {
            "values.yaml": f"password: {MARK}\n",
            "broken.yaml": f"{{ {MARK}: [\n",
            "secret.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n"
            f"data: {{a: {MARK}}}\n",
        },
    )
    for name in ("values.yaml", "broken.yaml", "secret.yaml", "mkdocs.yml"):
        answer = await analysed(catalog, host, "fresh", catalogFilename=name)
        assert answer.status_code == 200, name
        assert MARK not in answer.text
        assert answer.json()["existingEntityFiles"] == []
    refused = await analysed(catalog, host, "fresh", catalogFilename="id_rsa")
    assert refused.status_code == 400
    mixed = await analysed(catalog, host, "mixed", catalogFilename="info.yaml")
    files = mixed.json()["existingEntityFiles"]
    assert [file["entity"]["metadata"]["name"] for file in files] == ["mixed-a"]


async def test_validation_includes_nothing_of_a_closed_source(catalog, host) -> None:
    """A placeholder is read with the caller's rights, as errors quote its content."""
    for name, kind in (("$text", "docs/index.md"), ("$yaml", "values.yaml")):
        document = entity("probe")
        document["spec"]["lifecycle"] = {name: f"./{kind}"}
        document["metadata"]["name"] = {name: f"./{kind}"}
        answer = await catalog.ask(
            "POST",
            "/validate-entity",
            {"entity": document, "location": f"url:{host.url('vault', 'x.yaml')}"},
            BO,
        )
        assert answer.status_code == 400
        assert MARK not in answer.text


async def test_a_location_does_not_open_other_sources(catalog, host) -> None:
    """Neither in its registrant's dry run, nor at later readings."""
    aim = host.url("vault", "other.yaml")
    host.commit("thief", {"catalog-info.yaml": pointing("thief", aim)})
    looked = await dry(catalog, host.url("thief"))
    assert looked.status_code == 400, looked.text
    assert "There is no repository vault" in looked.text
    for _ in range(2):
        await catalog.ask(
            "POST",
            "/locations",
            {"type": "url", "target": host.url("thief")},
            BO,
        )
        assert "component:plain-name" not in await catalog.refs()
        body = {"entityRef": f"location:default/{generated(host.url('thief'), 'url')}"}
        await catalog.ask("POST", "/refresh", body)
    assert "component:plain-name" not in await catalog.refs()
    assert any(
        "no repository vault" in item for item in await catalog.problems("thief")
    )


async def test_a_location_keeps_its_entities_of_other_sources(catalog, host) -> None:
    """Also when all of them become restricted: its own target led there first."""
    host.commit("far", {"catalog-info.yaml": "", "far.yaml": entity("far")})
    host.commit("list", {"all.yaml": pointing("listed", host.url("far", "far.yaml"))})
    answer = await catalog.register(host.url("list", "all.yaml"))
    assert answer.status_code == 201, answer.text
    assert "component:far" in await catalog.refs()
    host.commit("far", {"far.yaml": entity("far", restricted=True)})
    for _ in range(2):
        await catalog.ask("POST", "/refresh", {"entityRef": "component:default/far"})
    far = await catalog.entity("component:default/far")
    assert far is not None
    assert far["metadata"]["description"] == MARK


async def test_a_name_conflict_does_not_name_a_restricted_source(catalog, host) -> None:
    """The source of a restricted entity is restricted too."""
    host.commit("clash", {"catalog-info.yaml": entity("vault")})
    await catalog.ask(
        "POST", "/locations", {"type": "url", "target": host.url("clash")}, BO
    )
    problems = await catalog.problems(generated(host.url("clash"), "url"))
    assert any("another location" in item for item in problems)
    assert not any("vault/blob" in item for item in problems)


async def test_docs_sources_are_checked_for_all_readers_of_an_entity(
    catalog, host
) -> None:
    """Docs from another source must be readable for every reader of the entity."""
    service = Principal("service:techdocs", "service")
    host.commit("safe", {"catalog-info.yaml": entity("safe", restricted=True)})
    await catalog.register(host.url("safe"))

    async def is_open(name: str, repository: str) -> bool:
        location = f"url:https://{host.name}/{repository}/tree/main/"
        body = {"entityRef": f"component:default/{name}", "locations": [location]}
        answer = await catalog.ask("POST", "/sources/open", body, service)
        return bool(answer.json()["items"][0]["readable"])

    assert not await is_open("open", "vault")
    assert not await is_open("nobody", "vault")
    assert await is_open("safe", "vault")
    assert await is_open("open", "fresh")
    assert await is_open("mixed-b", "open")
    body = {"entityRef": "component:a", "locations": ["url:https://x"]}
    refused = await catalog.ask("POST", "/sources/open", body)
    assert refused.status_code == 403


async def test_outside_git_the_nearest_descriptor_decides(
    database: Any, data: Path
) -> None:
    """One restricted file closes its folder, not the machine or the host."""
    write(data, "files/open/a.yaml", entity("file-a"))
    write(data, "files/closed/b.yaml", entity("file-b", restricted=True))
    write(data, "files/new/c.yaml", entity("file-c"))
    async with running(database, data) as catalog:
        for name in ("open/a", "closed/b"):
            await catalog.register(data / "files" / f"{name}.yaml")

        async def looked(name: str) -> Any:
            place = {"type": "file", "target": str(data / "files" / name)}
            return await catalog.ask("POST", "/locations?dryRun=true", place, BO)

        closed = await looked("closed/b.yaml")
        absent = await looked("closed/never.yaml")
        assert closed.status_code == absent.status_code == 400
        assert MARK not in closed.text
        assert closed.text.replace("b.yaml", "never.yaml") == absent.text
        assert (await looked("new/c.yaml")).status_code == 201
        assert (await looked("open/a.yaml")).status_code == 201
        assert await readable(catalog, "https://files.example.org/x/y.yaml")


async def test_the_length_of_a_location_is_limited(catalog) -> None:
    """Each folder above it is looked up, and there could be 100,000."""
    for target in ("file:" + "/a" * 100_000, "url:https://h.example" + "/a" * 100_000):
        body = {"locations": [target]}
        answer = await catalog.ask("POST", "/sources/readable", body, BO)
        assert answer.status_code == 400
        assert "at most 8192 characters" in answer.json()["error"]["message"]


async def test_files_included_by_restricted_entities_are_closed(catalog, host) -> None:
    """Others cannot read such a file unless a visible entity includes it too."""
    api = entity("hidden-api", restricted=True)
    api["spec"] = {**api["spec"], "definition": {"$text": "./texts/api.md"}}
    shared = entity("shared-api", restricted=True)
    shared["spec"] = {**shared["spec"], "definition": {"$text": "./texts/shared.md"}}
    public = entity("public-api")
    public["spec"] = {**public["spec"], "definition": {"$text": "./texts/shared.md"}}
    host.commit(
        "including",
        {
            "catalog-info.yaml": [
                pointing("including", "./x.yaml", "./y.yaml", "./z.yaml")
            ],
            "x.yaml": api,
            "y.yaml": shared,
            "z.yaml": public,
            "texts/api.md": MARK,
            "texts/shared.md": "shared",
            "texts/other.md": "other",
        },
    )
    target = {"type": "url", "target": host.url("including")}
    answer = await catalog.ask("POST", "/locations", target)
    assert answer.status_code == 201, answer.text
    assert await catalog.refs() >= {"component:hidden-api", "component:public-api"}
    folder = f"https://{host.name}/including/tree/main/texts"
    for url in (
        host.url("including", "x.yaml"),
        host.url("including", "texts/api.md"),
        folder,
    ):
        assert not await readable(catalog, url), url
    for path in ("z.yaml", "texts/shared.md", "texts/other.md"):
        assert await readable(catalog, host.url("including", path)), path
