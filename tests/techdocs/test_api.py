"""The routes: Backstage's shapes, the reader's policy, and search's snapshot."""

import json

import pytest

from shared.contracts.headers import PRINCIPAL
from tests.builders import component
from tests.techdocs.box_office import POLICY, RESTRICTED, STRANGERS, TRIPLET, error
from tests.techdocs.fakes import HOST
from tests.techdocs.installation import Running
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_route_requires_a_principal(built: Running) -> None:
    """Without a principal from the gateway only health is answered."""
    for path in (
        f"/metadata/techdocs/{TRIPLET}",
        f"/metadata/entity/{TRIPLET}",
        f"/sync/{TRIPLET}",
        f"/static/docs/{TRIPLET}/index.html",
        "/sites",
        "/sites/failed",
        f"/sites/{TRIPLET}",
        f"/pages/{TRIPLET}",
        f"/assets/{TRIPLET}/img/a.png",
        "/snapshot",
        "/snapshot/checksum",
    ):
        assert (await built.client.get(path)).status_code == 401, path
        forged = await built.client.get(path, headers={PRINCIPAL: "forged"})
        assert forged.status_code == 401, path
    assert (await built.client.get("/healthz")).status_code == 200


async def test_docs_of_a_restricted_entity_are_hidden_from_others(
    built: Running,
) -> None:
    """Readers who may not see the entity see none of its docs, on any route."""
    paths = (
        f"/metadata/techdocs/{TRIPLET}",
        f"/metadata/entity/{TRIPLET}",
        f"/sync/{TRIPLET}",
        f"/static/docs/{TRIPLET}/index.html",
        f"/sites/{TRIPLET}",
        f"/pages/{TRIPLET}/guide",
        f"/assets/{TRIPLET}/img/a.png",
    )
    for path in paths:
        assert (await built.get(path, conditions=STRANGERS)).status_code == 404, path
        assert (await built.get(path, conditions=POLICY)).status_code == 200, path
    listed = (await built.get("/sites", conditions=STRANGERS)).json()
    assert listed == {"items": []}
    # An alias that anybody may see does not open the door either.
    alias = {"backstage.io/techdocs-entity": "component:default/box-office"}
    change = built.catalog.put(component("open"), **alias)
    await built.tell(change, change.entity_ref)
    path = "/pages/default/component/open"
    assert (await built.get(path, conditions=STRANGERS)).status_code == 404
    assert (await built.get(path, conditions=POLICY)).status_code == 200


async def test_site_metadata_has_backstages_form(built: Running) -> None:
    """`techdocs_metadata.json` as Backstage's clients know it."""
    result = (await built.get(f"/metadata/techdocs/{TRIPLET}")).json()
    assert result["site_name"] == "Box office"
    assert result["build_timestamp"] > 1_600_000_000_000
    assert "guide/index.html" in result["files"]
    missing = await built.get("/metadata/techdocs/default/component/nope")
    message = "Unable to get metadata for 'component:default/nope'"
    assert error(missing) == (404, "NotFoundError", message)


async def test_entity_metadata_names_the_source_of_its_docs(built: Running) -> None:
    """Unknown entities are answered as in Backstage."""
    answer = await built.get(f"/metadata/entity/{TRIPLET}")
    result = answer.json()
    assert result["metadata"]["name"] == "box-office"
    target = "https://git.playhouse.example/box/tree/main/"
    assert result["locationMetadata"] == {"type": "url", "target": target}
    missing = await built.get("/metadata/entity/default/Component/nope")
    message = "Unable to get metadata for 'component:default/nope'"
    assert error(missing) == (404, "NotFoundError", message)
    assert missing.headers["content-type"] == "application/json; charset=utf-8"


async def test_entity_metadata_leaves_restricted_relations_out(
    built: Running,
) -> None:
    """Relations that the reader may see stay, and those to missing entities."""
    names = ("secret", "open", "gone")
    built.catalog.put(component("secret"), **RESTRICTED)
    built.catalog.put(component("open"))
    relations = [
        {"type": "dependencyOf", "targetRef": f"component:default/{name}"}
        for name in names
    ]
    about = {"backstage.io/techdocs-ref": f"url:https://{HOST}/box/tree/main/"}
    built.catalog.put({**component("amid"), "relations": relations}, **about)
    path = "/metadata/entity/default/component/amid"
    for conditions, visible_names in ((STRANGERS, names[1:]), (POLICY, names)):
        answer = await built.get(path, conditions=conditions)
        targets = [item["targetRef"] for item in answer.json()["relations"]]
        assert targets == [f"component:default/{name}" for name in visible_names]


async def test_one_page_has_one_address_in_three_forms(built: Running) -> None:
    """`guide`, `guide/` and `guide/index.html` are the same page."""
    for path in ("guide", "guide/", "guide/index.html"):
        result = (await built.get(f"/pages/{TRIPLET}/{path}")).json()
        assert (result["path"], result["title"]) == ("guide", "Guide")
    home = (await built.get(f"/pages/{TRIPLET}")).json()
    assert f'href="/docs/{TRIPLET}/guide/"' in home["html"]
    assert home["next"] == {"path": "guide", "title": "Guide"}
    assert home["edit_url"].endswith("/box/edit/main/docs/index.md")
    missing = await built.get(f"/pages/{TRIPLET}/nope")
    assert missing.status_code == 404


async def test_routes_that_need_the_catalog_answer_503_without_it(own: Running) -> None:
    """The error names the catalog; pages and files are served without it."""
    own.catalog.away = True
    answer = await own.get(f"/metadata/entity/{TRIPLET}")
    assert error(answer)[:2] == (503, "ServiceUnavailableError")
    assert (await own.get(f"/pages/{TRIPLET}/guide")).status_code == 200


async def test_the_snapshot_is_for_services_only(own: Running) -> None:
    """Search gets every section and a checksum; users are refused."""
    assert (await own.get("/snapshot")).status_code == 403
    assert (await own.get("/snapshot/checksum")).status_code == 403
    service = {"subject": "service:search", "kind": "service"}
    lines = (await own.get("/snapshot", **service)).text.strip().split("\n")
    [line] = [json.loads(text) for text in lines]
    assert line["ref"] == "component:default/box-office"
    section = {
        "path": "guide/#install",
        "title": "Install",
        "text": "Look for the word xylophone.",
    }
    assert section in line["sections"]
    one = await own.get(f"/snapshot?ref={line['ref']}", **service)
    assert json.loads(one.text)["site"] == line["site"]
    assert (await own.get("/snapshot?ref=component:x/y", **service)).text == ""
    before = (await own.get("/snapshot/checksum", **service)).json()
    assert before["count"] == 1
    await own.push("box", {"docs/guide.md": "# Guide\n\nmarimba\n"})

    async def changed() -> bool:
        now = (await own.get("/snapshot/checksum", **service)).json()
        return bool(now["checksum"] != before["checksum"])

    await until(changed)
