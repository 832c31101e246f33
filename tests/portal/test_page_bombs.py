"""Addresses, forms and entities of thousands of parts: a short page, or a clear no."""

import time
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from services.portal.catalog_query import MOST_TICKED
from services.portal.model import ApiAnswer
from services.portal.raw_text import MOST_CHARACTERS, raw_text
from shared.contracts.entity import Entity
from shared.guards.yaml_text import load_yaml
from tests.costs import slowness
from tests.portal.answers import TASK, events, task
from tests.portal.company import entity
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi
from tests.portal.services import FakeServices

MANY = 10_000
TABS = ("", "/dependencies", "/api", "/activity", "/raw")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text("abc: é\n", max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.fixture
def api() -> FakeApi:
    return FakeServices()


def hub(**metadata: Any) -> dict[str, Any]:
    """A component with thousands of relations and faults."""
    component = entity("Component", "hub", {"type": "service"}, **metadata)
    component["relations"] = [
        {"type": kind, "targetRef": f"component:default/part-{number}"}
        for number in range(MANY)
        for kind in ("dependsOn", "hasPart")
    ]
    fault = {"type": "x", "level": "error", "message": "bad"}
    return {**component, "status": {"items": [fault] * MANY}}


@pytest.mark.parametrize("tab", TABS)
async def test_an_entity_of_thousands_of_parts_has_a_short_page(
    client: Client, api: FakeApi, tab: str
) -> None:
    """Each list shows its first items, and how many more there are."""
    links = [{"url": f"https://x.example/{n}", "title": f"L{n}"} for n in range(MANY)]
    tags = [f"t{number}" for number in range(MANY)]
    api.entities["component:default/hub"] = hub(
        tags=tags, links=links, description="word " * 100_000
    )
    page = await client().get(f"/catalog/default/component/hub{tab}")
    assert page.status_code == 200
    assert len(page.content) < 400_000
    assert "and 9,799 more" in page.text  # faults: as many as the catalog lists
    if not tab:
        assert "and 9,940 more" in page.text  # tags
        assert "and 9,960 more" in page.text  # links


async def test_a_location_of_thousands_of_targets_has_a_short_page(
    client: Client, api: FakeApi
) -> None:
    """All of them may be in one file."""
    targets = [f"./{number}/catalog-info.yaml" for number in range(MANY)]
    location = entity("Location", "all", {"targets": targets})
    api.entities["location:default/all"] = location
    page = (await client().get("/catalog/default/location/all")).text
    assert "./19/catalog-info.yaml" in page
    assert "./20/catalog-info.yaml" not in page
    assert "and 9,980 more" in page


def test_the_excerpt_of_a_huge_entity_is_made_fast() -> None:
    """However many values, and however long the texts are."""
    relations = [{"type": "dependsOn", "targetRef": f"x{n}"} for n in range(300_000)]
    texts = ["word " * 30_000] * 50
    for much in ({"relations": relations}, {"texts": texts, "spec": {"a": "b"}}):
        start = time.thread_time()
        text, is_cut = raw_text(Entity({"kind": "Component", **much}))
        assert time.thread_time() - start < 2 * slowness()
        assert text.startswith("kind: Component\n")
        assert is_cut
        assert len(text) <= MOST_CHARACTERS


@given(st.dictionaries(st.text("abc", min_size=1), VALUES, max_size=5))
def test_a_small_entity_is_shown_completely(entity_json: dict[str, Any]) -> None:
    """The text reads back as the entity."""
    text, is_cut = raw_text(Entity(entity_json))
    assert not is_cut
    assert load_yaml(text, label="entity") == entity_json


@pytest.mark.parametrize("number", ["²", "1" * 5000, "-1", "0", "x"])
@pytest.mark.parametrize(
    "address",
    [
        "/catalog?page=",
        "/graph?entity=component:default/booking&depth=",
        "/create/templates/default/python-service?page=",
    ],
)
async def test_an_invalid_number_is_left_out(
    client: Client, address: str, number: str
) -> None:
    """Also unusual digits, and too many of them."""
    answer = await client().get(f"{address}{number}")
    assert answer.status_code == 200


async def test_the_ticked_values_of_a_search_are_limited(client: Client) -> None:
    """An address may have thousands of kinds; page and request stay short."""
    query = "&".join(f"kind=k{number}&lifecycle=l{number}" for number in range(900))
    page = await client().get(f"/search?query=a&{query}")
    assert page.status_code == 200
    assert page.text.count('name="kind"') < 70
    assert page.text.count('name="lifecycle"') < 70


@pytest.mark.parametrize("address", ["/preferences", "/create/register"])
async def test_the_fields_of_a_form_are_limited(
    client: Client, portal: FastAPI, address: str
) -> None:
    """The reading stops at the limit, and the answer says why."""
    del portal
    fields = "&".join(f"f{number}=x" for number in range(100_000))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await client().post(address, content=fields, headers=headers)
    assert answer.status_code == 400
    assert "Too many fields" in answer.text


async def test_a_file_of_thousands_of_entities_has_a_short_preview(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first entities, and how many more there are."""
    many = [entity("Component", f"part-{n}", {"type": "x"}) for n in range(MANY)]
    body = orjson.dumps({"entities": many, "exists": False, "location": {}})
    answer = ApiAnswer(201, {}, body)
    monkeypatch.setattr(FakeServices, "_locations", lambda *_, **__: answer)
    page = (await client().get("/create/register?target=https://x.example/all")).text
    assert "entities are described there" in page
    assert "part-99" in page
    assert "part-100<" not in page
    assert "and 9,900 more" in page


async def test_the_values_of_search_filters_are_limited(
    client: Client, api: FakeApi
) -> None:
    """Lifecycles are any words; the most frequent are offered."""
    for number in range(900):
        name = f"odd-{number}"
        component = entity("Component", name, {"type": "x", "lifecycle": name})
        api.entities[f"component:default/{name}"] = component
    page = (await client().get("/search?query=a")).text
    assert page.count('name="lifecycle"') <= MOST_TICKED


def markdown_bombs() -> dict[str, str]:
    """Texts of 50 KB that ask for cells and addresses that they do not hold."""
    return {
        "cells": "a|" * 9_000 + "\n" + "-|" * 9_000 + "\n" + "x\n" * 1_000,
        "addresses": "[a]: /" + "b" * 38_000 + "\n\n" + "[a]" * 2_900,
        "line ends": "a\r" * 25_000,
    }


@pytest.mark.parametrize("name", markdown_bombs())
async def test_huge_texts_of_a_template_do_not_delay_its_pages(
    client: Client, api: FakeServices, name: str
) -> None:
    """Neither above its form nor below its runs."""
    text = markdown_bombs()[name]
    api.steps = [{"title": "One", "description": text, "schema": {}}]
    form = "/create/templates/default/python-service"
    answers = [dict(event) for event in events()]
    outputs = {"text": [{"title": "T", "content": text}] * 20}
    answers[-1]["body"] = {"message": "x", "output": outputs}
    api.runs[TASK] = (task(), answers)
    browser = client()
    for address in (form, f"/create/tasks/{TASK}"):
        start = time.thread_time()
        page = await browser.get(address)
        assert time.thread_time() - start < 0.6 * slowness()
        assert page.status_code == 200
        assert len(page.content) < 700_000


async def test_a_template_describes_its_pages_in_markdown(
    client: Client, api: FakeServices
) -> None:
    """Above the questions."""
    api.steps = [{"title": "One", "description": "Say **hello**.", "schema": {}}]
    page = (await client().get("/create/templates/default/python-service")).text
    assert "Say <strong>hello</strong>." in page
