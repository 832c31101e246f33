"""Questions with pickers: lists of what they offer, and names without a kind."""

import re
from typing import Any

import pytest

from tests.portal.answers import TASK, task
from tests.portal.conftest import Client
from tests.portal.services import FakeServices

FORM = "/create/templates/default/python-service"
STRICT = {"ui:options": {"allowArbitraryValues": False}}
OF_KINDS = {"kinds": ["API", "Component"], "helperText": "Up to *you*"}
TEXTS = ("java", "a/b", "group:", "something new", ":/")


def list_of(field: str, **hints: Any) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string", "ui:field": field, **hints}}


@pytest.fixture
def api() -> FakeServices:
    tags = {"type": "array", "items": {"type": "string"}}
    questions = {
        "tags": {**tags, "ui:field": "EntityTagsPicker", "ui:options": OF_KINDS},
        "free": {"type": "string", "ui:field": "EntityPicker"},
        "owners": list_of("OwnerPicker", **STRICT),
        "things": list_of("EntityPicker"),
        "names": list_of("EntityNamePicker"),
    }
    services = FakeServices()
    services.steps = [{"title": "One", "schema": {"properties": questions}}]
    return services


@pytest.mark.parametrize("text", TEXTS)
async def test_a_name_without_a_kind_is_shown_as_it_is(
    client: Client, api: FakeServices, text: str
) -> None:
    """In the review and in the answers of a run."""
    review = f"{FORM}?page=1&p.tags={text}&p.free={text}"
    page = (await client().get(review)).text
    assert page.count(f"<dd>{text}</dd>") == 2
    run = task(spec={**task()["spec"], "parameters": {"tags": [text], "free": text}})
    api.runs[TASK] = (run, [])
    page = (await client().get(f"/create/tasks/{TASK}")).text
    assert page.count(f"<dd>{text}</dd>") == 2


async def test_a_list_of_picked_items_has_the_picker(client: Client) -> None:
    """With the options that its items have; names of entities are checked."""
    page = (await client().get(FORM)).text
    boxes = re.findall(r'<div class="combobox"[^>]*data-many>.*?id="f-(\w+)"', page)
    assert boxes == ["tags", "owners", "things"]
    assert "kind=group,kind=user" in page


async def test_tags_are_those_of_the_kinds_that_are_asked_for(client: Client) -> None:
    """The picker's own help is a plain text."""
    page = (await client().get(FORM)).text
    assert "/choices?what=tags&amp;filter=kind=API,kind=Component" in page
    assert "Up to *you*" in page


@pytest.mark.parametrize(
    ("answers", "errors"),
    [
        ("p.owners=stage-team&p.owners=user:ann", 0),
        ("p.owners=stage-team,nobody", 1),
        ("p.things=nobody", 0),
        ("p.names=a%0A-x", 1),
    ],
)
async def test_items_are_checked_as_a_single_answer_is(
    client: Client, answers: str, errors: int
) -> None:
    """Whether they are offered, and how they are written."""
    page = await client().get(f"{FORM}?go=next&{answers}", follow_redirects=False)
    assert page.status_code == (422 if errors else 303)
    if not errors:
        return
    assert "not among the choices" in page.text or "Item 2: " in page.text
