"""Home shows the errors of sources that are the reader's, also where no entity is."""

from typing import Any

import pytest

from shared.contracts.annotations import MANAGED_BY_ORIGIN
from tests.builders import entity
from tests.portal.company import GUEST
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi

FILE = "https://git.playhouse.example/new/blob/main/catalog-info.yaml"
PART = "https://git.playhouse.example/parts/blob/main/{}/c.yaml"
SINCE = "2026-11-28T17:28:00+00:00"
OWNER = "group:default/box-office-team"


def place(api: FakeApi, target: str, message: str, **error: Any) -> None:
    """A Location with an error in its status; nothing else changed lately.

    It is in a file that is registered: its name is not made of its address.
    """
    api.recent = []
    ref = "location:default/parts"
    location = entity("Location", "parts", {"type": "url", "targets": [target]})
    location["metadata"]["annotations"] = {MANAGED_BY_ORIGIN: f"url:{target}"}
    item = {"level": "error", "message": message, "error": error}
    api.entities[ref] = {**location, "relations": [], "status": {"items": [item]}}


async def attention(client: Client, who: Any = None) -> str:
    """The section of the reader's home."""
    page = (await (client(who) if who else client()).get("/")).text
    _, start, rest = page.partition('id="attention"')
    return rest.partition("</section>")[0] if start else ""


@pytest.mark.parametrize("is_owned", [True, False])
async def test_a_wholly_refused_push_is_shown_to_its_owner(
    client: Client, api: FakeApi, is_owned: bool
) -> None:
    """The owner that the refused document names, and nobody else."""
    message = "component:default/new: metadata.tags: must be a list"
    owner = OWNER if is_owned else "group:default/others"
    ref = "component:default/new"
    place(api, FILE, f"InputError: {message}", owner=owner, entityRef=ref, line=7)
    assert (message in await attention(client)) is is_owned
    assert message not in await attention(client, GUEST)


async def test_an_error_of_an_owned_entity_is_not_repeated_for_its_source(
    client: Client, api: FakeApi
) -> None:
    """A refused change of an entity is an error of the file and of the entity."""
    message = "InputError: component:default/basket: metadata.tags: must be a list"
    ref = "component:default/basket"
    place(api, FILE, message, owner=OWNER, entityRef=ref, line=7)
    items = api.entities["location:default/parts"]["status"]["items"]
    api.entities[ref]["status"] = {"items": items}
    text = await attention(client)
    assert text.count("metadata.tags: must be a list") == 1
    assert 'href="/catalog/default/component/basket"' in text


@pytest.mark.parametrize("is_shared", [True, False])
async def test_a_missing_file_belongs_to_the_owners_of_its_location(
    client: Client, api: FakeApi, is_shared: bool
) -> None:
    """A location of many teams belongs to the platform team."""
    pattern = PART.format("*")
    names = {"basket"} | ({"refunds"} if is_shared else set())
    for name in names:
        annotations = api.entities[f"component:default/{name}"]["metadata"]
        annotations.setdefault("annotations", {})[MANAGED_BY_ORIGIN] = f"url:{pattern}"
        annotations["annotations"]["backstage.io/managed-by-location"] = (
            f"url:{PART.format(name)}"
        )
    message = f"Nothing matches {PART.format('x')}"
    place(api, pattern, f"NotFoundError: {message} (since …)", since=SINCE)
    assert (message in await attention(client)) is not is_shared
