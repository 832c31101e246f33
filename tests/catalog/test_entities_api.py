"""The reading routes as a client sees them."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from httpx import AsyncClient

from services.catalog.readmodel import ReadModel
from shared.kit.http.service_tokens import PrincipalTokens
from tests import builders
from tests.catalog.entities_app import ask, client_of, reading_app, refused
from tests.catalog.readmodels import stored, uid_of

Headers = Callable[..., dict[str, str]]
TEAM = "group:default/team-a"
PARENT = "location:default/generated-1"


async def test_an_entity_is_found_by_name_in_any_case(client: AsyncClient) -> None:
    """Kind, namespace and name are compared without regard to case."""
    entity = await ask(client, "/entities/by-name/Component/Default/WEB")
    assert entity["metadata"]["name"] == "web"
    assert entity["relations"] == [{"type": "ownedBy", "targetRef": TEAM}]
    error = await refused(client, "/entities/by-name/component/default/nope")
    assert error["status"] == 404
    assert error["name"] == "NotFoundError"
    assert "'nope'" in error["message"]


async def test_an_entity_is_found_by_uid(client: AsyncClient) -> None:
    """The uid in an entity leads back to it."""
    entity = await ask(client, f"/entities/by-uid/{uid_of(TEAM)}")
    assert entity["kind"] == "Group"
    assert (await refused(client, "/entities/by-uid/nope"))["status"] == 404


async def test_reading_requires_a_principal(
    model: ReadModel, tokens: PrincipalTokens
) -> None:
    """Every route refuses a request that did not come through the gateway."""
    app = reading_app(model, tokens)
    paths = [
        "/entities",
        "/entities/by-query",
        "/entities/by-name/component/default/web",
        "/entities/by-name/component/default/web/ancestry",
        "/entities/by-uid/x",
        "/entity-facets?facet=kind",
        "/snapshot",
        "/snapshot/checksum",
        "/.well-known/backstage/permissions/metadata",
    ]
    async with client_of(app) as client:
        for path in paths:
            assert (await refused(client, path))["name"] == "AuthenticationError", path
        error = await refused(client, "/entities/by-refs", {"entityRefs": []})
        assert error["status"] == 401


async def test_entities_by_refs_come_in_the_order_of_the_refs(
    client: AsyncClient,
) -> None:
    """A missing or filtered entity is null in its place; refs are canonical."""
    refs = ["component:default/web", "component:default/no", TEAM, "Group:default/x"]
    body = {"entityRefs": refs, "fields": ["kind", "metadata.name"]}
    answer = await ask(client, "/entities/by-refs", body)
    web = {"kind": "Component", "metadata": {"name": "web"}}
    team = {"kind": "Group", "metadata": {"name": "team-a"}}
    assert answer["items"] == [web, None, team, None]
    answer = await ask(client, "/entities/by-refs?filter=kind=group", body)
    assert answer["items"] == [None, None, team, None]
    body["query"] = {"kind": "component"}  # type: ignore[assignment]
    answer = await ask(client, "/entities/by-refs", body)
    assert answer["items"] == [web, None, None, None]


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({}, "must have required property 'entityRefs'"),
        ({"entityRefs": "x"}, "entityRefs must be array"),
        ({"entityRefs": [1]}, "entityRefs/0 must be string"),
        ({"entityRefs": [], "fields": ["a[0]"]}, "array type fields"),
        ({"entityRefs": [], "query": 1}, "query must be object"),
        ([], "body must be object"),
    ],
)
async def test_invalid_refs_are_refused(
    client: AsyncClient, body: Any, part: str
) -> None:
    """The message names the property and the rule."""
    answer = await client.post("/entities/by-refs", json=body)
    assert answer.status_code == 400
    assert part in answer.json()["error"]["message"]


async def test_the_fields_parameter_selects_fields(client: AsyncClient) -> None:
    """Only the requested fields are in the response, relations if requested."""
    entities = await ask(
        client, "/entities?filter=metadata.name=web&fields=kind,spec.type"
    )
    assert entities == [{"kind": "Component", "spec": {"type": "library"}}]
    path = "/entities?filter=metadata.name=web&fields=metadata.name,relations"
    entities = await ask(client, path)
    assert entities[0] == {
        "metadata": {"name": "web"},
        "relations": [{"type": "ownedBy", "targetRef": TEAM}],
    }
    assert await ask(client, "/entities?filter=kind=group&fields=spec.nope") == [{}]


async def test_ancestry_leads_to_the_root_location(client: AsyncClient) -> None:
    """Each item names its parents, and the parents follow."""
    path = "/entities/by-name/component/default/web/ancestry"
    answer = await ask(client, path)
    assert answer["rootEntityRef"] == "component:default/web"
    ancestors = [(i["entity"]["kind"], i["parentEntityRefs"]) for i in answer["items"]]
    assert ancestors == [("Component", [PARENT]), ("Location", [])]
    error = await refused(client, "/entities/by-name/component/default/no/ancestry")
    assert error["message"] == "No such entity component:default/no"


async def test_a_response_is_never_older_than_the_last_change(
    client: AsyncClient, model: ReadModel
) -> None:
    """The response cache is emptied when anything changes."""
    paths = [
        "/entities/by-query?filter=kind=component&limit=9",
        "/entity-facets?facet=metadata.title",
        "/entities?fields=metadata.title&filter=kind=component",
        "/entities/by-name/component/default/web",
    ]
    before = [(await client.get(path)).text for path in paths]
    assert [(await client.get(path)).text for path in paths] == before
    model.put(stored(builders.component("web", {"title": "Fresh"}), revision=2))
    after = [(await client.get(path)).text for path in paths]
    assert all("Fresh" in text for text in after)


async def test_a_reader_can_wait_for_a_revision(
    client: AsyncClient, model: ReadModel
) -> None:
    """`Callboard-At-Least` with the revision of a response is met at once."""
    path = "/entities/by-name/component/default/web"
    answer = await client.get(path)
    now = answer.headers["callboard-revision"]
    assert now == f"{model.revision.value}-{model.revision.process}"
    again = await client.get(path, headers={"callboard-at-least": now})
    assert again.status_code == 200
    for wrong in ("soon", "-1", "1-a/b", "9" * 19, f"1-{'a' * 33}"):
        answer = await client.get(path, headers={"callboard-at-least": wrong})
        assert answer.status_code == 400


async def test_a_revision_that_does_not_arrive_answers_503(
    client: AsyncClient, model: ReadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalog does not answer with a state older than the reader's write."""
    monkeypatch.setattr("services.catalog.api.revisions.WAIT_SECONDS", 0.01)
    ahead = {"callboard-at-least": str(model.revision.value + 1)}
    answer = await client.get("/entities?limit=1", headers=ahead)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


async def test_the_snapshot_lists_every_entity_and_a_checksum(
    client: AsyncClient, model: ReadModel, principal_headers: Headers
) -> None:
    """One line for each entity by ref; the checksum covers the same revisions."""
    service = principal_headers(subject="service:search", kind="service")
    answer = await client.get("/snapshot", headers=service)
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [orjson.loads(line) for line in answer.text.splitlines()]
    assert [line["ref"] for line in lines] == sorted(model.ids)
    team = next(line for line in lines if line["ref"] == TEAM)
    assert team["revision"] == 1
    assert len(team["entity"]["relations"]) == 5
    answer = await client.get("/snapshot?refs_only=1", headers=service)
    first = orjson.loads(answer.text.splitlines()[0])
    assert first == {"ref": lines[0]["ref"], "revision": 1}
    answer = await client.get("/snapshot/checksum", headers=service)
    assert answer.json() == {"count": 7, "checksum": model.checksum()}
    assert (await refused(client, "/snapshot"))["status"] == 403
    assert (await refused(client, "/snapshot/checksum"))["status"] == 403
