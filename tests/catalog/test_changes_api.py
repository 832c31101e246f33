"""Refreshing, deleting, checking and the history of single entities."""

from pathlib import Path
from typing import Any

import pytest

from shared.kit.http.service_tokens import Principal
from tests import builders
from tests.catalog.running import OPEN, Host, pointing, running, write

OWN = {"rule": "IS_ENTITY_OWNER", "params": {"claims": ["group:default/team-a"]}}
BO = Principal("user:default/bo", "user", decision="conditional", conditions=OWN)


async def test_a_refresh_shows_the_change_when_it_answers(
    database: Any, data: Path
) -> None:
    """The change is visible, and only what changed counts as changed."""
    write(data, "part.yaml", builders.component("web"), builders.component("calm"))
    file = write(data, "all.yaml", pointing("more", "./part.yaml"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        changed = builders.component("web", {"description": "new"}, owner="team-b")
        write(data, "part.yaml", changed, builders.component("calm"))
        answer = await catalog.ask("POST", "/refresh", {"entityRef": "Component:WEB"})
        assert (answer.status_code, answer.content) == (200, b"")
        newest, first = await catalog.history("component:default/web")
        assert len(await catalog.history("component:default/calm")) == 1
    assert (newest["revision"], first["revision"]) == (2, 1)
    assert newest["actor"] == "user:default/ann"
    assert newest["cause"] == {
        "kind": "refresh",
        "location": f"file:{data / 'part.yaml'}",
    }
    assert newest["changed"] == ["metadata.description", "spec.owner", "relations"]
    differences = {item["path"]: item for item in newest["diff"]}
    assert differences["spec.owner"] == {
        "path": "spec.owner",
        "before": "team-a",
        "after": "team-b",
    }
    assert differences["metadata.description"]["before"] is None
    assert first["diff"] == []
    assert first["cause"]["kind"] == "registration"


async def test_a_refresh_reads_new_targets_of_a_location(
    database: Any, data: Path
) -> None:
    """An entity's parent locations are read again with it."""
    write(data, "part.yaml", builders.component("web"))
    write(data, "late.yaml", builders.component("late"))
    file = write(data, "all.yaml", pointing("more", "./part.yaml"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        write(data, "all.yaml", pointing("more", "./part.yaml", "./late.yaml"))
        await catalog.ask("POST", "/refresh", {"entityRef": "component:web"})
        assert "component:late" in await catalog.refs()
        write(data, "all.yaml", pointing("more", "./late.yaml"))
        await catalog.ask("POST", "/refresh", {"entityRef": "component:late"})
        assert await catalog.refs() == {"location:more", "component:late"}


async def test_a_refresh_of_an_unchanged_source_writes_nothing(
    database: Any, data: Path
) -> None:
    """A refresh without a change makes no revision and no event."""
    file = write(data, "all.yaml", builders.component("web"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        await catalog.work.relay.drain()
        count = len(catalog.bus.sent)
        file.write_text(f"# a comment\n{file.read_text()}")
        await catalog.ask("POST", "/refresh", {"entityRef": "component:web"})
        await catalog.register(file, "?onConflict=refresh")
        await catalog.work.relay.drain()
        assert len(catalog.bus.sent) == count
        assert len(await catalog.history("component:default/web")) == 1


async def test_refresh_and_delete_need_permission_for_the_entity(
    database: Any, data: Path
) -> None:
    """Owners may, others get 403; a hidden entity is answered as a missing one."""
    hidden = {"annotations": {"callboard.dev/visibility": "restricted"}}
    file = write(
        data,
        "all.yaml",
        builders.component("own"),
        builders.component("foreign", owner="b"),
        builders.component("hidden", hidden, owner="b"),
    )
    async with running(database, data) as catalog:
        await catalog.register(file)
        for name, status in [("own", 200), ("foreign", 403), ("hidden", 404)]:
            body = {"entityRef": f"component:{name}"}
            answer = await catalog.ask("POST", "/refresh", body, BO)
            assert answer.status_code == status, name
        for name, status in [("own", 204), ("foreign", 403), ("hidden", 204)]:
            entity = await catalog.entity(f"component:default/{name}")
            assert entity is not None
            path = f"/entities/by-uid/{entity['metadata']['uid']}"
            answer = await catalog.ask("DELETE", path, principal=BO)
            assert answer.status_code == status, name
        assert len(await catalog.history("component:default/own")) == 3
        assert len(await catalog.history("component:default/hidden")) == 1


async def test_a_deleted_entity_that_its_source_still_has_returns(
    database: Any, data: Path
) -> None:
    """It returns as a new entity, and its history goes on."""
    file = write(data, "all.yaml", builders.component("web"), builders.component("b"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        before = await catalog.entity("component:default/web")
        assert before is not None
        path = f"/entities/by-uid/{before['metadata']['uid']}"
        assert (await catalog.ask("DELETE", path)).status_code == 204
        after = await catalog.entity("component:default/web")
        assert after is not None
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        revisions = await catalog.history("component:default/web")
        assert [item["revision"] for item in revisions] == [3, 2, 1]
        assert [item["deleted"] for item in revisions] == [False, True, False]
        assert (await catalog.ask("DELETE", path)).status_code == 204
        kinds = [
            event.type.split(".")[2]
            for event in await catalog.published()
            if event.subject == "component:default/web"
        ]
        assert kinds == ["created", "deleted", "created"]


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ({}, 400, "request/body must have required property 'entityRef'"),
        ({"entityRef": 5}, 400, "request/body/entityRef must be string"),
        ({"entityRef": "component:default/nope"}, 404, "component:default/nope"),
        ({"entityRef": "::x"}, 404, "Entity ::x not found"),
    ],
)
async def test_a_refresh_of_an_unknown_entity_is_not_found(
    database: Any, data: Path, body: Any, status: int, problem: str
) -> None:
    """An invalid ref is answered like the ref of no entity."""
    async with running(database, data) as catalog:
        answer = await catalog.ask("POST", "/refresh", body)
    assert answer.status_code == status
    assert problem in answer.json()["error"]["message"]


async def test_validation_stores_nothing(database: Any, data: Path) -> None:
    """200 and nothing, or 400 and every problem with its field."""
    write(data, "note.txt", "hello")
    location = f"file:{data / 'x.yaml'}"
    config = f"{OPEN}  locations:\n    - type: file\n      target: {data}/x.yaml\n"
    async with running(database, data, config) as catalog:

        async def check(entity: Any, at: str = location) -> Any:
            body = {"entity": entity, "location": at}
            return await catalog.ask("POST", "/validate-entity", body)

        good = await check(
            builders.component(metadata={"title": {"$text": "note.txt"}})
        )
        assert (good.status_code, good.content) == (200, b"")
        bad = await check(builders.component(metadata={"tags": "x"}))
        [problem] = bad.json()["errors"]
        assert bad.status_code == 400
        assert "metadata.tags: must be a list" in problem["message"]
        missing = await check(
            builders.component(metadata={"title": {"$text": "no.txt"}})
        )
        assert "$text no.txt" in missing.json()["errors"][0]["message"]
        nowhere = await check(builders.component(), "nope")
        assert "nope" in nowhere.json()["errors"][0]["message"]
        for body in ({"entity": builders.component()}, {"location": location}, {}):
            answer = await catalog.ask("POST", "/validate-entity", body)
            assert answer.status_code == 400
            assert "required property" in answer.json()["error"]["message"]
        assert await catalog.refs() == set()


async def test_location_analysis_lists_or_suggests_descriptors(
    database: Any, data: Path
) -> None:
    """The descriptors that a repository has, or a first one for it."""
    host = Host(data)
    host.commit("web", {"sub/catalog-info.yaml": builders.component("web")})
    host.commit("bare", {"readme.md": "# hi"})
    async with running(database, data, host.config()) as catalog:

        async def analysed(repository: str, **more: Any) -> Any:
            target = f"https://{host.name}/{repository}"
            body = {"location": {"type": "url", "target": target}, **more}
            return (await catalog.ask("POST", "/analyze-location", body)).json()

        analysis = await analysed("web")
        [existing] = analysis["existingEntityFiles"]
        assert existing["entity"]["metadata"]["name"] == "web"
        assert existing["isRegistered"] is False
        assert analysis["generateEntities"] == []
        await catalog.register(existing["location"]["target"])
        assert (await analysed("web"))["existingEntityFiles"][0]["isRegistered"] is True
        analysis = await analysed("bare", catalogFilename="catalog-info.yaml")
        [generated] = analysis["generateEntities"]
        assert generated["entity"]["metadata"]["name"] == "bare"
        assert generated["fields"][0]["state"] == "needsUserInput"
        for body in ({}, {"location": 5}, {"location": {"type": "url"}}):
            answer = await catalog.ask("POST", "/analyze-location", body)
            assert answer.status_code == 400


async def test_location_analysis_refuses_too_many_files(
    database: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file would be read for one request; the error says what to register."""
    host = Host(data)
    monkeypatch.setattr("services.catalog.handlers.analysis.MOST_FILES", 2)
    files = {f"{n}/catalog-info.yaml": builders.component(f"c{n}") for n in range(3)}
    host.commit("all", files)
    async with running(database, data, host.config()) as catalog:
        target = f"https://{host.name}/all"
        body = {"location": {"type": "url", "target": target}}
        answer = await catalog.ask("POST", "/analyze-location", body)
    assert answer.status_code == 400
    assert "**/catalog-info.yaml" in answer.json()["error"]["message"]


async def test_history_pages_have_no_gaps(database: Any, data: Path) -> None:
    """Each entry is compared with the one before it, on whatever page that is."""
    file = write(data, "all.yaml", builders.component("web", owner="o0"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        for number in range(1, 6):
            write(data, "all.yaml", builders.component("web", owner=f"o{number}"))
            await catalog.register(file, "?onConflict=refresh")
            if number == 3:
                # Half of it has been told already, half waits in the document.
                await catalog.work.relay.drain()
        path = "/entities/by-name/component/default/web/history?limit=2"
        items: list[Any] = []
        cursor = ""
        while True:
            page = (await catalog.ask("GET", f"{path}{cursor}")).json()
            items += page["items"]
            assert page["totalItems"] == 6
            if "nextCursor" not in page["pageInfo"]:
                break
            cursor = f"&cursor={page['pageInfo']['nextCursor']}"
    assert [item["revision"] for item in items] == [6, 5, 4, 3, 2, 1]
    steps = [item["diff"][0]["before"] for item in items[:-1]]
    assert steps == ["o4", "o3", "o2", "o1", "o0"]


async def test_history_needs_permission_to_read_the_entity(
    database: Any, data: Path
) -> None:
    """For a deleted entity its last state decides."""
    file = write(
        data, "all.yaml", builders.component("own"), builders.component("b", owner="b")
    )
    path = "/entities/by-name/component/default"
    async with running(database, data) as catalog:
        registration = await catalog.register(file)
        for is_deleted in (False, True):
            if is_deleted:
                identity = registration.json()["location"]["id"]
                await catalog.ask("DELETE", f"/locations/{identity}")
            for name, status in [("own", 200), ("b", 404), ("never", 404)]:
                answer = await catalog.ask("GET", f"{path}/{name}/history", None, BO)
                assert answer.status_code == status, (name, is_deleted)
        for bad in ("limit=0", "limit=x", "cursor=-1"):
            answer = await catalog.ask("GET", f"{path}/own/history?{bad}")
            assert answer.status_code == 400


async def test_placeholders_include_other_files(database: Any, data: Path) -> None:
    """As text, JSON and YAML; an object that is no placeholder stays unchanged."""
    write(data, "deep/note.txt", "hello\n")
    write(data, "data.json", '{"a": [1, null]}')
    write(data, "data.yml", "x: yes\n")
    entity = builders.component(
        "web",
        {"description": {"$text": "./deep/note.txt"}},
        json={"$json": "data.json"},
        yaml={"$yaml": "./data.yml"},
        two={"$text": "x", "other": 1},
        unknown={"$nothing": "x"},
    )
    file = write(data, "all.yaml", entity, builders.component("calm"))
    async with running(database, data) as catalog:
        await catalog.register(file)
        stored = await catalog.entity("component:default/web")
        assert stored is not None
        assert stored["metadata"]["description"] == "hello\n"
        assert stored["spec"]["json"] == {"a": [1, None]}
        assert stored["spec"]["yaml"] == {"x": "yes"}
        assert stored["spec"]["two"] == {"$text": "x", "other": 1}
        assert stored["spec"]["unknown"] == {"$nothing": "x"}
        write(data, "deep/note.txt", "changed\n")
        await catalog.ask("POST", "/refresh", {"entityRef": "component:web"})
        newest, _ = await catalog.history("component:default/web")
        assert newest["changed"] == ["metadata.description"]
        (data / "data.json").unlink()
        await catalog.ask("POST", "/refresh", {"entityRef": "component:web"})
        stored = await catalog.entity("component:default/web")
        assert stored is not None
        assert "$json data.json" in stored["status"]["items"][0]["message"]


@pytest.mark.parametrize("target", ["../secret.txt", "/etc/hostname", "./link.txt"])
async def test_a_placeholder_cannot_leave_its_folder(
    database: Any, data: Path, target: str
) -> None:
    """No file of the machine gets into an entity."""
    write(data, "secret.txt", "secret")
    entity = builders.component("web", {"description": {"$text": target}})
    file = write(data / "in", "all.yaml", entity)
    (data / "in" / "link.txt").symlink_to(data / "secret.txt")
    async with running(database, data) as catalog:
        answer = await catalog.register(file, "?dryRun=true")
    assert answer.status_code == 400
    assert "outside of the folders" in answer.json()["error"]["message"]
