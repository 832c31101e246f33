"""Requests with much to do let others have their turn, and answer as of one moment."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient

from services.catalog.api import permissions
from services.catalog.query.listing import ListRequest, page_of
from services.catalog.query.ordering import OrderField, indexes_in_turns, indexes_of
from services.catalog.query.scopes import everything
from services.catalog.readmodel import ReadModel, projections
from shared.guards import turns
from shared.kit.http.service_tokens import PrincipalTokens
from tests import builders
from tests.catalog.conftest import Headers
from tests.catalog.entities_app import ask, client_of, reading_app, refused
from tests.catalog.readmodels import model_of, stored
from tests.costs import limit_stretches

COUNT = 6_000
SORT_FIELDS = (
    "metadata.uid", "metadata.title", "metadata.name", "metadata.description", "kind",
    "spec.type", "spec.owner", "spec.lifecycle",
)  # fmt: skip


@pytest.fixture(scope="module")
def components() -> ReadModel:
    """A model of thousands of components, two of each title."""
    return model_of(*(stored(component(number)) for number in range(COUNT)))


@pytest.fixture
async def reader(
    components: ReadModel, tokens: PrincipalTokens, principal_headers: Headers
) -> AsyncIterator[AsyncClient]:
    app = reading_app(components, tokens)
    async with client_of(app, principal_headers()) as client:
        yield client


def component(number: int) -> dict[str, object]:
    title = f"t{number * 7919 % COUNT // 2}"
    return builders.component(
        f"c{number}", {"title": title, "description": f"d{number}"}
    )


@pytest.mark.parametrize(
    ("path", "order"),
    [("/entities/by-query?limit=1000000", "orderField="), ("/entities?", "order=asc:")],
)
async def test_a_sort_by_many_fields_runs_in_turns(
    reader: AsyncClient, components: ReadModel, path: str, order: str
) -> None:
    """Also when no field has been sorted by before."""
    components._orders.clear()
    orders = "&".join(order + field for field in SORT_FIELDS)
    async with limit_stretches():
        await ask(reader, f"{path}&{orders}&fields=kind")


APPLY = "/.well-known/backstage/permissions/apply-conditions"


def condition_check(number: int, claims: int) -> dict[str, object]:
    names = [f"group:default/x{number}-{claim}" for claim in range(claims)]
    return {
        "id": str(number),
        "resourceType": "catalog-entity",
        "resourceRef": "component:default/c1",
        "conditions": {"rule": "IS_ENTITY_OWNER", "params": {"claims": names}},
    }


async def test_conditions_are_checked_in_turns(reader: AsyncClient) -> None:
    """Many checks of many claims; one check of too many is refused."""
    checks = {"items": [condition_check(number, 85) for number in range(1_000)]}
    async with limit_stretches(0.1):
        answer = await reader.post(APPLY, json=checks)
    assert {item["result"] for item in answer.json()["items"]} == {"DENY"}
    error = await refused(reader, APPLY, {"items": [condition_check(1, 2_001)]})
    assert "conditions must not have more than 2000 parts" in error["message"]


async def test_equal_conditions_are_evaluated_once(
    reader: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many checks have them."""
    evaluated = []
    select = permissions.select
    monkeypatch.setattr(
        permissions, "select", lambda *args: evaluated.append(1) or select(*args)
    )
    checks = [condition_check(number % 2, 3) for number in range(100)]
    answer = await ask(reader, APPLY, {"items": checks})
    assert len(answer["items"]) == 100
    assert len(evaluated) == 2


@pytest.mark.parametrize("path", ["/entities/by-query", "/entities/by-refs"])
async def test_a_cut_to_many_fields_runs_in_turns(
    reader: AsyncClient, path: str
) -> None:
    """A page of as many entities as are rendered at once when they are whole."""
    body = {
        "fields": [f"metadata.x{number}" for number in range(240)],
        "limit": 500,
        "entityRefs": [f"component:default/c{number}" for number in range(500)],
    }
    async with limit_stretches():
        answer = await ask(reader, path, body)
    assert answer["items"] == [{}] * 500


async def test_large_entities_are_cut_in_turns(
    tokens: PrincipalTokens, principal_headers: Headers
) -> None:
    """A page of few names, but of many bytes."""
    texts = {f"x{number}": "y" for number in range(10_000)}
    model = model_of(
        *(
            stored(builders.component(f"c{number}", {"annotations": texts}))
            for number in range(80)
        )
    )
    app = reading_app(model, tokens)
    client = client_of(app, principal_headers())
    async with client, limit_stretches(0.1):
        answer = await client.get("/entities?fields=metadata,spec")
    assert len(answer.json()) == 80


def test_remembered_cuts_are_bounded_by_their_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The least used cut makes room, and what is forgotten leaves room."""
    monkeypatch.setattr(projections, "MOST_BYTES", 10_000)
    cuts = projections.Projections()
    for name in ("a", "b"):
        cuts.cut((name,))
        for entity in range(4):
            cuts.remember((name,), entity, b"x" * 1000)
    assert sorted(cuts.cut(("b",))) == [0, 1, 2, 3]
    cuts.forget(0)
    cuts.remember(("b",), 4, b"x" * 1000)
    assert sorted(cuts.cut(("a",))) == [1, 2, 3]
    cuts.cut(("b",))
    cuts.remember(("b",), 5, b"x" * 3000)
    assert cuts.cut(("a",)) == {}
    assert len(cuts.cut(("b",))) == 5
    cuts.remember(("b",), 6, b"x" * 20_000)
    assert cuts.cut(("b",)) == {}


async def test_a_page_is_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids that are dropped and given again while others have their turn do not show."""
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0)
    model = model_of(*(stored(component(number)) for number in range(1_000)))
    fields = (OrderField("metadata.title"), OrderField("metadata.name", True))
    listing = ListRequest(orders=fields, limit=1_000)
    expected = await page_of(
        model, listing, everything(model), indexes_of(model, fields)
    )

    async def change() -> None:
        for number in range(1_000):
            model.drop(f"component:default/c{number}")
            model.put(stored(builders.component(f"new{number}", {"title": "new"})))
            model.order(fields[0].path)
            await asyncio.sleep(0)

    indexes = await indexes_in_turns(model, fields)
    page, _ = await asyncio.gather(
        page_of(model, listing, everything(model), indexes), change()
    )
    assert [record.ref for record in page.records] == [
        record.ref for record in expected.records
    ]


@pytest.mark.parametrize("changes_before", [0, 500])
async def test_an_order_sorted_amid_changes_is_right(
    changes_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes while a field is sorted, for the first time or anew, is in order."""
    # A fast machine sorts all of them in one turn.
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0)
    path = "metadata.title"
    model = model_of(*(stored(component(number)) for number in range(3_000)))

    def change(number: int) -> None:
        model.drop(f"component:default/c{number}")
        entity = builders.component(f"new{number}", {"title": f"t{number}x"})
        model.put(stored(entity))

    if changes_before:
        model.order(path)
    for number in range(changes_before):
        change(number)
    sorting = asyncio.ensure_future(model.order_in_turns(path))
    number = changes_before
    while not sorting.done():
        change(number)
        number += 1
        await asyncio.sleep(0)
    order = model.order(path, await sorting)
    assert number > changes_before + 1
    expected = sorted(model.live, key=order.key)
    assert list(order.walk(model.live)) == expected
    model._orders.clear()
    assert list(model.order(path).walk(model.live)) == expected
