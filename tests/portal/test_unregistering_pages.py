"""Unregistering on an entity's page: what goes, what stays, and who may do it."""

import pytest

from tests.portal.company import entity
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi

BOOKING = "/catalog/default/component/booking"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("location", "/api/catalog/locations/loc-1"),
        ("entity", "/api/catalog/entities/by-uid/uid-component-booking"),
    ],
)
async def test_unregistering_is_confirmed(
    client: Client, api: FakeApi, target: str, path: str
) -> None:
    """The page lists the other entities that would go; the form does the choice."""
    api.leaving += ["api:default/booking"]
    text = (await client().get(f"{BOOKING}/unregister")).text
    assert "2 other entities leave the catalog" in text
    assert "does not allow you" not in text
    answer = await client().post(f"{BOOKING}/unregister", data={"what": target})
    assert answer.headers["location"].startswith(f"{BOOKING}/removed")
    assert ("DELETE", path, []) in api.calls


async def test_unregistering_lists_remaining_and_returning_entities(
    client: Client, api: FakeApi
) -> None:
    """With the provider; entities that stay are not listed as removed."""
    stays, returns = "component:default/seat-map", "component:default/booking"
    before = (await client().get(f"{BOOKING}/unregister")).text
    api.leaving = []
    api.remaining = [
        _remaining("url:https://x.y/z", ["git:acme", "config"], [stays]),
        _remaining("url:https://x.y/<b>", ["registered"], [returns], returns=True),
    ]
    text = (await client().get(f"{BOOKING}/unregister")).text
    assert "1 entity stays" in text
    assert "by the provider acme and the configuration, at the same address" in text
    assert f"<li><code>{stays}</code></li>" in text
    assert "1 entity comes back" in text
    assert "url:https://x.y/&lt;b&gt; (a registration) has the same names" in text
    assert "/catalog/default/component/seat-map" in before
    assert "/catalog/default/component/seat-map" not in text
    assert "Its location is not only registered: it comes back" in text
    assert "which the provider acme and the configuration name," in text
    answer = await client().post(f"{BOOKING}/unregister", data={"what": "location"})
    assert answer.headers["location"] == f"{BOOKING}/removed?returns=1"


async def test_removed_entities_are_counted_and_listed_in_part(
    client: Client, api: FakeApi
) -> None:
    """A location may have thousands, and its address may be a pattern with a comma."""
    annotations = api.entities["component:default/booking"]["metadata"]["annotations"]
    annotations["backstage.io/managed-by-origin-location"] = (
        "url:https://x.y/{a,b}.yaml"
    )
    api.leaving = [f"component:default/part-{n}" for n in range(120)]
    text = (await client().get(f"{BOOKING}/unregister")).text
    assert "120 other entities leave the catalog with it" in text
    assert "and 70 more" in text
    api.leaving = ["component:default/booking"]
    text = (await client().get(f"{BOOKING}/unregister")).text
    assert "Nothing else came from it" in text


async def test_the_source_of_a_discovered_entity_is_its_own_file(
    client: Client, api: FakeApi
) -> None:
    """It is not the file of the Location that leads to the entity."""
    api.unregistered = True
    annotations = api.entities["component:default/booking"]["metadata"]["annotations"]
    own = "https://git.playhouse.example/house/blob/main/a/component.yaml"
    annotations["backstage.io/managed-by-location"] = f"url:{own}"
    text = (await client().get(f"{BOOKING}/unregister")).text
    assert f'remove its descriptor at the source, <a href="{own}">{own}</a>' in text


async def test_a_registrant_may_unregister_a_location(
    client: Client, api: FakeApi
) -> None:
    """It has no owner: the catalog decides, for its page and for the dialog."""
    api.denied = {"catalog.entity.delete"}
    page = f"/catalog/default/location/generated-{'a' * 40}"
    api.entities[f"location:default/generated-{'a' * 40}"] = entity(
        "Location", f"generated-{'a' * 40}", {"target": "https://x.y/z"}
    )
    assert f"{page}/unregister" in (await client().get(page)).text
    api.removable = False
    assert f"{page}/unregister" not in (await client().get(page)).text
    text = (await client().get(f"{page}/unregister")).text
    assert text.count("disabled") == 2


def _remaining(
    location: str, providers: list[str], refs: list[str], *, returns: bool = False
) -> dict[str, object]:
    return {
        "location": location,
        "providers": providers,
        "returns": returns,
        "totalEntities": len(refs),
        "entityRefs": refs,
    }


async def test_an_entity_that_stays_after_unregistering_is_named(
    client: Client,
) -> None:
    """Another source names the entity, and the page says which."""
    text = (await client().get(f"{BOOKING}/removed")).text
    assert "It is still in the catalog" in text
    assert "<code>url:https://git.playhouse.example/house" in text
