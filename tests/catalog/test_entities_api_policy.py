"""What a reader may not see is nowhere: not in lists, totals, facets or relations."""

from collections.abc import AsyncIterator, Callable

import pytest
from httpx import AsyncClient

from services.catalog.readmodel import ReadModel
from shared.kit.http.service_tokens import PrincipalTokens
from tests import builders
from tests.catalog.entities_app import client_of, reading_app
from tests.catalog.readmodels import model_of, stored, uid_of

Headers = Callable[..., dict[str, str]]
RESTRICTED = {"annotations": {"callboard.dev/visibility": "restricted"}}
OPEN, SECRET = "component:default/web", "component:default/vault"
SYSTEM, OWNERS = "system:default/shop", "group:default/guards"


@pytest.fixture
def model() -> ReadModel:
    vault = builders.component("vault", RESTRICTED, type="safe")
    plan = builders.entity("Location", "plan", {"target": "x"}, RESTRICTED)
    return model_of(
        stored(
            builders.component("web"),
            ("partOf", SYSTEM),
            ("dependsOn", SECRET),
            ("dependsOn", "component:default/dangling"),
            parents=["location:default/plan"],
        ),
        stored(vault, ("partOf", SYSTEM), ("ownedBy", OWNERS)),
        stored(builders.system("shop")),
        stored(builders.group("guards")),
        stored(plan, ("ownedBy", OWNERS)),
    )


@pytest.fixture
async def stranger(
    model: ReadModel, tokens: PrincipalTokens, principal_headers: Headers
) -> AsyncIterator[AsyncClient]:
    headers = principal_headers(conditions=builders.open_or_owned("user:default/ann"))
    async with client_of(reading_app(model, tokens), headers) as client:
        yield client


@pytest.fixture
async def guard(
    model: ReadModel, tokens: PrincipalTokens, principal_headers: Headers
) -> AsyncIterator[AsyncClient]:
    headers = principal_headers(
        conditions=builders.open_or_owned("user:default/bo", OWNERS)
    )
    async with client_of(reading_app(model, tokens), headers) as client:
        yield client


READS = [
    "/entities",
    "/entities?fields=relations",
    "/entities/by-query",
    "/entities/by-query?fields=kind,relations",
    "/entities/by-query?fullTextFilterTerm=vault&fullTextFilterFields=metadata.name",
    "/entities/by-name/system/default/shop",
    "/entities/by-name/group/default/guards",
    "/entities/by-name/component/default/web/ancestry",
    "/entity-facets?facet=metadata.name&facet=spec.type",
    "/entity-facets?facet=relations.hasPart&facet=relations.ownerOf",
    "/entity-facets?facet=relations.dependsOn",
    "/entity-facets?facet=relations.ownedBy&filter=relations.ownedBy",
]


@pytest.mark.parametrize("path", READS)
async def test_a_restricted_entity_is_shown_to_its_owners_only(
    stranger: AsyncClient, guard: AsyncClient, path: str
) -> None:
    """The same request names the entity to an owner and not to others."""
    owner_text = (await guard.get(path)).text
    assert "vault" in owner_text or "plan" in owner_text or OWNERS in owner_text
    text = (await stranger.get(path)).text
    assert "vault" not in text
    assert "safe" not in text
    assert "location:default/plan" not in text


@pytest.mark.parametrize("path", READS)
async def test_a_remembered_answer_is_for_equal_readers_only(
    model: ReadModel, tokens: PrincipalTokens, principal_headers: Headers, path: str
) -> None:
    """One process answers its owner first, then another reader, then everybody."""
    owner, other = (
        principal_headers(conditions=builders.open_or_owned(*refs))
        for refs in (("user:default/bo", OWNERS), ("user:default/ann",))
    )
    async with client_of(reading_app(model, tokens)) as client:
        first = await client.get(path, headers=owner)
        text = (await client.get(path, headers=other)).text
        assert (await client.get(path, headers=owner)).text == first.text
    assert "vault" not in text
    assert "location:default/plan" not in text


async def test_totals_and_facets_count_readable_entities_only(
    stranger: AsyncClient, guard: AsyncClient
) -> None:
    """An entity that the reader may not see is not counted."""
    path = "/entities/by-query?limit=0"
    assert (await stranger.get(path)).json()["totalItems"] == 3
    assert (await guard.get(path)).json()["totalItems"] == 5
    path = "/entity-facets?facet=kind"
    facet = (await stranger.get(path)).json()["facets"]["kind"]
    assert facet[0] == {"value": "Component", "count": 1}


async def test_reading_a_restricted_entity_answers_not_found(
    stranger: AsyncClient, guard: AsyncClient
) -> None:
    """The response is the same as for an entity that does not exist."""
    path = "/entities/by-name/component/default/vault"
    assert (await stranger.get(path)).status_code == 404
    assert (await stranger.get(f"{path}/ancestry")).status_code == 404
    uid = f"/entities/by-uid/{uid_of(SECRET)}"
    assert (await stranger.get(uid)).status_code == 404
    assert (await guard.get(uid)).status_code == 200
    body = {"entityRefs": [OPEN, SECRET]}
    items = (await stranger.post("/entities/by-refs", json=body)).json()["items"]
    assert items[0] is not None
    assert items[1] is None


async def test_relation_filters_do_not_reveal_restricted_entities(
    stranger: AsyncClient, guard: AsyncClient
) -> None:
    """A filter by a hidden target finds as little as one by a missing target."""
    for path in (
        f"/entities?filter=relations.hasPart={SECRET}",
        f"/entities?filter=relations.dependsOn={SECRET}",
        f"/entities?filter=relations.ownerOf={SECRET}",
        "/entities?filter=kind=group,relations.ownerOf",
    ):
        assert (await stranger.get(path)).json() == [], path
        assert len((await guard.get(path)).json()) == 1, path


async def test_relations_to_missing_entities_stay(stranger: AsyncClient) -> None:
    """Only targets that exist and are hidden are left out of relations."""
    path = "/entities/by-name/component/default/web"
    relations = (await stranger.get(path)).json()["relations"]
    assert [r["targetRef"] for r in relations] == ["component:default/dangling", SYSTEM]


async def test_a_cursor_is_evaluated_with_its_readers_conditions(
    stranger: AsyncClient, guard: AsyncClient
) -> None:
    """The conditions of the reader apply, not those of the cursor's first user."""
    path = "/entities/by-query?orderField=metadata.name,asc&limit=1"
    cursor = (await guard.get(path)).json()["pageInfo"]["nextCursor"]
    page = (await stranger.get(f"/entities/by-query?cursor={cursor}")).json()
    assert "vault" not in str(page)
    assert page["totalItems"] == 3


async def test_an_entity_that_becomes_restricted_is_hidden_at_once(
    stranger: AsyncClient, model: ReadModel
) -> None:
    """A reader's scope is computed anew after each change."""
    path = "/entities/by-name/component/default/web"
    assert (await stranger.get(path)).status_code == 200
    model.put(stored(builders.component("web", RESTRICTED), revision=2))
    assert (await stranger.get(path)).status_code == 404


async def test_unknown_conditions_are_an_error(
    model: ReadModel, tokens: PrincipalTokens, principal_headers: Headers
) -> None:
    """An unknown rule never shows more entities."""
    headers = principal_headers(conditions={"not": {"rule": "NOBODY_KNOWS"}})
    async with client_of(reading_app(model, tokens), headers) as client:
        for path in READS:
            assert (await client.get(path)).status_code == 400


async def test_relations_are_hidden_where_most_entities_are(
    model: ReadModel,
    tokens: PrincipalTokens,
    principal_headers: Headers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where most entities are hidden, each relation is checked by itself."""
    monkeypatch.setattr("services.catalog.query.scopes.FEW_HIDDEN", 0)
    rule = {"rule": "IS_ENTITY_KIND", "params": {"kinds": ["system"]}}
    headers = principal_headers(conditions=rule)
    async with client_of(reading_app(model, tokens), headers) as client:
        entities = (await client.get("/entities")).json()
    assert [entity["relations"] for entity in entities] == [[]]


async def test_conditions_decide_about_given_entities(
    stranger: AsyncClient, guard: AsyncClient
) -> None:
    """ALLOW or DENY for each ref; an entity hidden from the caller is denied."""
    root = "/.well-known/backstage/permissions"
    owner = {"rule": "IS_ENTITY_OWNER", "params": {"claims": [OWNERS]}}
    item = {"id": "1", "resourceType": "catalog-entity", "conditions": owner}
    body = {
        "items": [
            {**item, "resourceRef": SECRET},
            {**item, "id": "2", "resourceRef": [SECRET, OPEN, "component:x/nope"]},
        ]
    }
    decisions = (await guard.post(f"{root}/apply-conditions", json=body)).json()
    assert decisions["items"] == [
        {"id": "1", "result": "ALLOW"},
        {"id": "2", "result": ["ALLOW", "DENY", "DENY"]},
    ]
    decisions = (await stranger.post(f"{root}/apply-conditions", json=body)).json()
    assert decisions["items"][0] == {"id": "1", "result": "DENY"}
    for wrong in ({}, {"items": [1]}, {"items": [{**item, "resourceType": "x"}]}):
        answer = await guard.post(f"{root}/apply-conditions", json=wrong)
        assert answer.status_code == 400
    metadata = (await guard.get(f"{root}/metadata")).json()
    assert {rule["name"] for rule in metadata["rules"]} >= {
        "HAS_LABEL",
        "IS_ENTITY_OWNER",
    }
    assert "catalog.entity.read" in {p["name"] for p in metadata["permissions"]}
