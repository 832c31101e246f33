"""The lists of sites: their order, their states and who sees them."""

import pytest

from tests.techdocs.box_office import POLICY, STRANGERS, error
from tests.techdocs.installation import Running

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_sites_are_listed_newest_first(built: Running) -> None:
    """With the owner of the docs and the time of the build."""
    await built.document("second")
    await built.built("second")
    [second, first] = (await built.get("/sites")).json()["items"]
    assert first["entity_ref"] == "component:default/box-office"
    assert (second["owner"], second["entity_title"]) == ("team-a", "second")
    assert len((await built.get("/sites?limit=1")).json()["items"]) == 1
    assert error(await built.get("/sites?limit=0"))[0] == 400


async def test_build_states_are_read_by_refs(built: Running) -> None:
    """In the order of the refs; a hidden entity is treated as missing."""
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


async def test_failed_builds_are_listed_for_readers_of_the_entity(own: Running) -> None:
    """With the reason and the time; hidden ones are not counted either."""
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


async def test_docs_without_a_successful_build_are_listed(own: Running) -> None:
    """A failed first build is in the list, after the sites that are built."""
    elsewhere = {"backstage.io/techdocs-ref": "url:https://elsewhere.example/a/b"}
    await own.document("broken", **elsewhere)
    await own.built("broken", status="failed")
    items = (await own.get("/sites")).json()["items"]
    assert [item["status"] for item in items] == ["built", "failed"]
