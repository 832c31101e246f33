"""The routes: Backstage's shapes, the reader's policy, other people's content."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.techdocs.api.files import static_type
from shared.kit.auth import HEADER
from tests.builders import component
from tests.techdocs.installation import SITE, Installation, Running
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
TRIPLET = "default/component/box-office"
RESTRICTED = {"callboard.dev/visibility": "restricted"}
POLICY = {
    "anyOf": [
        {
            "not": {
                "rule": "HAS_ANNOTATION",
                "params": {
                    "annotation": "callboard.dev/visibility",
                    "value": "restricted",
                },
            }
        },
        {"rule": "IS_ENTITY_OWNER", "params": {"claims": ["group:default/team-a"]}},
    ]
}
STRANGERS = {
    "anyOf": [
        POLICY["anyOf"][0],
        {"rule": "IS_ENTITY_OWNER", "params": {"claims": ["group:default/others"]}},
    ]
}
PICTURE = b"\x89PNG\r\n\x1a\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def built(
    tmp_path_factory: pytest.TempPathFactory, mongodb: str
) -> AsyncIterator[Running]:
    """One site that the tests of this module read; those that change it use another."""
    folder = tmp_path_factory.mktemp("built")
    async with Installation(folder, mongodb, "s" * 40).start() as running:
        await publish(running)
        yield running


async def publish(techdocs: Running) -> None:
    files: dict[str, str | bytes | None] = {
        **SITE,
        "docs/img/a.png": PICTURE,
        "docs/img/b.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "docs/slides.pdf": "%PDF",
    }
    techdocs.host.commit("box", files)
    await techdocs.document("box-office", **RESTRICTED)
    await techdocs.built("box-office")


@pytest_asyncio.fixture(loop_scope="module")
async def own(installation: Installation) -> AsyncIterator[Running]:
    """The same site, for one test to change."""
    async with installation.start() as running:
        await publish(running)
        yield running


def error(answer: httpx.Response) -> tuple[int, str, str]:
    found = answer.json()["error"]
    return answer.status_code, found["name"], found["message"]


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    found = []
    for frame in answer.text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in frame.split("\n"))
        found.append((lines["event"], json.loads(lines["data"])))
    return found


async def test_every_route_asks_who_is_there(built: Running) -> None:
    """Without the gateway's word nothing is answered but health."""
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
        forged = await built.client.get(path, headers={HEADER: "forged"})
        assert forged.status_code == 401, path
    assert (await built.client.get("/healthz")).status_code == 200


async def test_a_restricted_entity_has_no_docs_for_strangers(built: Running) -> None:
    """Who may not see the entity sees none of its docs, on any route."""
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


async def test_metadata_of_the_site(built: Running) -> None:
    """`techdocs_metadata.json` as Backstage's clients know it."""
    found = (await built.get(f"/metadata/techdocs/{TRIPLET}")).json()
    assert found["site_name"] == "Box office"
    assert found["build_timestamp"] > 1_600_000_000_000
    assert "guide/index.html" in found["files"]
    missing = await built.get("/metadata/techdocs/default/component/nope")
    message = "Unable to get metadata for 'component:default/nope'"
    assert error(missing) == (404, "NotFoundError", message)


async def test_metadata_of_the_entity(built: Running) -> None:
    """The entity and where its docs come from; unknown ones as Backstage says it."""
    answer = await built.get(f"/metadata/entity/{TRIPLET}")
    found = answer.json()
    assert found["metadata"]["name"] == "box-office"
    target = "https://git.playhouse.example/box/tree/main/"
    assert found["locationMetadata"] == {"type": "url", "target": target}
    missing = await built.get("/metadata/entity/default/Component/nope")
    message = "Unable to get metadata for 'component:default/nope'"
    assert error(missing) == (404, "NotFoundError", message)
    assert missing.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("index.html", "text/plain; charset=utf-8"),
        ("guide/", "text/plain; charset=utf-8"),
        ("img/b.svg", "text/plain; charset=utf-8"),
        ("sitemap.xml", "text/plain; charset=utf-8"),
        ("search/main.js", "text/plain; charset=utf-8"),
        ("img/a.png", "image/png"),
        ("techdocs_metadata.json", "application/json; charset=utf-8"),
        ("search/search_index.json", "application/json; charset=utf-8"),
    ],
)
async def test_static_files(built: Running, path: str, media: str) -> None:
    """Media types are Backstage's: nothing here is ever rendered by a browser."""
    answer = await built.get(f"/static/docs/{TRIPLET}/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"].startswith("private")
    again = await built.client.get(
        f"/static/docs/{TRIPLET}/{path}",
        headers={**built.headers(), "if-none-match": answer.headers["etag"]},
    )
    assert again.status_code == 304


@pytest.mark.parametrize(
    "name", ["a.js", "a.MJS", "a.wasm", "a.xsl", "a.XHTML", "a.es"]
)
async def test_nothing_that_runs_has_a_type_that_runs(name: str) -> None:
    """A script of the docs is no script of the portal."""
    media = static_type(Path(name))
    assert media.startswith("text/plain") or name == "a.es"
    assert not any(word in media for word in ("script", "xml", "html", "wasm"))


async def test_a_page_cannot_run_a_file_of_the_docs(built: Running) -> None:
    """Whatever its name is; what shows pictures and styles goes on to do so."""
    for route, path in (("static/docs", "search/main.js"), ("assets", "img/a.png")):
        for wanted, status in (("script", 403), ("worker", 403), ("image", 200)):
            answer = await built.client.get(
                f"/{route}/{TRIPLET}/{path}",
                headers={**built.headers(), "sec-fetch-dest": wanted},
            )
            assert answer.status_code == status, (route, wanted)


async def test_addresses_are_lower_case(built: Running) -> None:
    """Another case is sent to the one address, through the gateway."""
    answer = await built.get("/static/docs/default/Component/box-office/index.html")
    place = f"/api/techdocs/static/docs/{TRIPLET}/index.html"
    assert (answer.status_code, answer.headers["location"]) == (301, place)
    folder = await built.get(f"/static/docs/{TRIPLET}/guide")
    place = f"/api/techdocs/static/docs/{TRIPLET}/guide/"
    assert (folder.status_code, folder.headers["location"]) == (301, place)


@pytest.mark.parametrize(
    "path",
    [
        "nope.html",
        "..%2Frecord%2Fsite.json",
        "%2e%2e/record/site.json",
        "..%5c..%5crecord",
        "img/..%2f..%2f..%2f..%2fetc/passwd",
        "%00",
    ],
)
async def test_nothing_outside_a_site_is_served(built: Running, path: str) -> None:
    """Dots, backslashes and zero bytes in an address lead to nothing."""
    for route in ("static/docs", "assets"):
        answer = await built.get(f"/{route}/{TRIPLET}/{path}")
        assert answer.status_code in {400, 404}, route


async def test_pictures_are_shown_and_files_kept(built: Running) -> None:
    """The portal's pictures have their types, in a sandbox; others are downloads."""
    picture = await built.get(f"/assets/{TRIPLET}/img/a.png")
    assert (picture.content, picture.headers["content-type"]) == (PICTURE, "image/png")
    drawing = await built.get(f"/assets/{TRIPLET}/img/b.svg")
    assert drawing.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in drawing.headers["content-security-policy"]
    for path in ("slides.pdf", "index.html", "search/main.js"):
        answer = await built.get(f"/assets/{TRIPLET}/{path}")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"] == "attachment"


async def test_whether_a_file_is_there_is_told_without_it(built: Running) -> None:
    """HEAD answers as GET does, without the content, and to the same readers."""
    for path, status in (("img/a.png", 200), ("img/gone.png", 404), ("img", 404)):
        answer = await built.client.head(
            f"/assets/{TRIPLET}/{path}", headers=built.headers()
        )
        assert (answer.status_code, answer.content) == (status, b""), path
    nobody = await built.client.head(f"/assets/{TRIPLET}/img/a.png")
    assert nobody.status_code == 401


async def test_one_page_has_one_address_in_three_forms(built: Running) -> None:
    """`guide`, `guide/` and `guide/index.html` are the same page."""
    for path in ("guide", "guide/", "guide/index.html"):
        found = (await built.get(f"/pages/{TRIPLET}/{path}")).json()
        assert (found["path"], found["title"]) == ("guide", "Guide")
    home = (await built.get(f"/pages/{TRIPLET}")).json()
    assert f'href="/docs/{TRIPLET}/guide/"' in home["html"]
    assert home["next"] == {"path": "guide", "title": "Guide"}
    assert home["edit_url"].endswith("/box/edit/main/docs/index.md")
    missing = await built.get(f"/pages/{TRIPLET}/nope")
    assert missing.status_code == 404


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
    found = (await own.get("/sites/failed", conditions=POLICY)).json()
    [item] = found["items"]
    assert (found["total"], found["is_cut"]) == (1, False)
    assert item["entity_ref"] == "component:default/box-office"
    assert "docs_dir" in item["error"]
    assert item["failed_at"]
    hidden = (await own.get("/sites/failed", conditions=STRANGERS)).json()
    assert hidden == {"items": [], "total": 0, "is_cut": False}


async def test_sync_looks_once_a_minute(own: Running) -> None:
    """The first visit looks at the source and says so; the next finds it fresh."""
    answer = await own.get(f"/sync/{TRIPLET}")
    assert answer.headers["content-type"].startswith("text/event-stream")
    *log, last = events(answer)
    assert {name for name, _ in log} == {"log"}
    assert last == ("finish", {"updated": False})
    again = await own.get(f"/sync/{TRIPLET}")
    assert events(again) == [("finish", {"updated": False})]


async def test_sync_builds_what_nobody_told_of(own: Running) -> None:
    """A push without a webhook is found by a visit, and shown when it ends."""
    own.host.commit("box", {"docs/guide.md": "# Guide\n\nmarimba\n"})
    found = events(await own.get(f"/sync/{TRIPLET}"))
    assert found[-1] == ("finish", {"updated": True})
    assert any("Step 2 of 3" in line for name, line in found if name == "log")
    assert "marimba" in (await own.get(f"/pages/{TRIPLET}/guide")).text


async def test_sync_of_an_entity_that_the_events_have_not_brought(
    built: Running,
) -> None:
    """Who visits a new entity's docs waits for its first build."""
    managed = "url:https://git.playhouse.example/box/blob/main/catalog-info.yaml"
    built.catalog.put(
        component("fresh"),
        **{
            "backstage.io/techdocs-ref": "dir:.",
            "backstage.io/managed-by-location": managed,
        },
    )
    found = events(await built.get("/sync/default/component/fresh"))
    assert found[-1] == ("finish", {"updated": True})


async def test_sync_without_docs_says_so(built: Running) -> None:
    """An entity without the annotation is told of as Backstage does."""
    built.catalog.put(component("bare"))
    found = events(await built.get("/sync/default/component/bare"))
    message = "No backstage.io/techdocs-ref annotation provided in entity: bare"
    assert [name for name, _ in found] == ["log", "error"]
    assert found[-1] == ("error", message)
    missing = await built.get("/sync/default/component/nope")
    assert missing.status_code == 404


async def test_sync_of_broken_docs_tells_why(own: Running) -> None:
    """The reason comes as the last event."""
    own.host.commit("box", {"mkdocs.yml": "docs_dir: ../..\n"})
    found = events(await own.get(f"/sync/{TRIPLET}"))
    assert found[-1][0] == "error"
    assert "docs_dir" in found[-1][1]


async def test_a_catalog_that_is_away_is_named(own: Running) -> None:
    """What needs the catalog says 503; pages and files need it not."""
    own.catalog.away = True
    answer = await own.get(f"/metadata/entity/{TRIPLET}")
    assert error(answer)[:2] == (503, "ServiceUnavailableError")
    assert (await own.get(f"/pages/{TRIPLET}/guide")).status_code == 200


async def test_the_snapshot_is_for_services(own: Running) -> None:
    """Search gets every section and a checksum; nobody else does."""
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

    await until(changed, 20)


async def test_docs_that_never_were_built_are_listed(own: Running) -> None:
    """A first build that failed is seen in the list, after those that are built."""
    elsewhere = {"backstage.io/techdocs-ref": "url:https://elsewhere.example/a/b"}
    await own.document("broken", **elsewhere)
    await own.built("broken", status="failed")
    items = (await own.get("/sites")).json()["items"]
    assert [item["status"] for item in items] == ["built", "failed"]
