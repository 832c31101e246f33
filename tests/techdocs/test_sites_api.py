"""The lists of sites: their order, their states and who sees them."""

import pytest

from tests.techdocs.box_office import POLICY, STRANGERS, error
from tests.techdocs.installation import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_list_of_sites(built: Running) -> None:
    """Who owns the docs and when they were built, the latest first."""
    await built.document("second")
    await built.built("second")
    [second, first] = (await built.get("/sites")).json()["items"]
    assert first["entity_ref"] == "component:default/box-office"
    assert (second["owner"], second["entity_title"]) == ("team-a", "second")
    assert len((await built.get("/sites?limit=1")).json()["items"]) == 1
    assert error(await built.get("/sites?limit=0"))[0] == 400


async def test_states_are_asked_for_by_refs(built: Running) -> None:
    """In the order of the refs; what one may not see is as if it were not there."""
    ref = "component:default/box-office"
    body = {"entityRefs": ["component:default/nope", ref.upper(), ref]}
    for conditions, status in ((POLICY, "built"), (STRANGERS, None)):
        headers = built.headers(conditions=conditions)
        answer = await built.client.post("/sites/by-refs", json=body, headers=headers)
        items = answer.json()["items"]
        assert [item and item["status"] for item in items] == [None, status, status]
    many = {"entityRefs": [ref] * 501}
    answer = await built.client.post("/sites/by-refs", json=many, headers=headers)
    assert error(answer)[0] == 400
    assert (await built.client.post("/sites/by-refs", json=body)).status_code == 401


async def test_failed_builds_are_listed_for_those_who_see_them(own: Running) -> None:
    """With the reason and the time; what one may not see is not counted either."""
    assert (await own.get("/sites/failed")).json()["total"] == 0
    await own.push("box", {"mkdocs.yml": "docs_dir: ../..\n"})
    await own.built("box-office", status="failed")
    result = (await own.get("/sites/failed", conditions=POLICY)).json()
    [item] = result["items"]
    assert (result["total"], result["is_cut"]) == (1, False)
    assert item["entity_ref"] == "component:default/box-office"
    assert "docs_dir" in item["error"]
    assert item["failed_at"]
    hidden = (await own.get("/sites/failed", conditions=STRANGERS)).json()
    assert hidden == {"items": [], "total": 0, "is_cut": False}


async def test_docs_that_never_were_built_are_listed(own: Running) -> None:
    """A first build that failed is seen in the list, after those that are built."""
    elsewhere = {"backstage.io/techdocs-ref": "url:https://elsewhere.example/a/b"}
    await own.document("broken", **elsewhere)
    await own.built("broken", status="failed")
    items = (await own.get("/sites")).json()["items"]
    assert [item["status"] for item in items] == ["built", "failed"]
