"""The whole service: from an event to a page, and what happens when things fail."""

import asyncio
import json
from pathlib import Path
from typing import Any

from services.techdocs.model import CHANGED
from shared.contracts.techdocs import SiteBuilt, SiteFailed
from shared.contracts.topics import DOCS_BUILT, GIT_PUSH, dead
from shared.kit.events.bus import EventRecord, KafkaBus, LiveReader
from tests.builders import component
from tests.techdocs.installation import SITE, Installation, Running
from tests.waiting import until

REF = "component:default/box-office"
NAME = "box-office"


async def test_an_entity_with_docs_gets_a_site(techdocs: Running) -> None:
    """An entity event is enough: the site is built, published and readable."""
    techdocs.host.commit("box", SITE)
    await techdocs.document(NAME)
    state = await techdocs.built(NAME)
    assert state["title"] == "Box office"
    assert [item["title"] for item in state["nav"]] == ["Home", "Guide"]
    [own_events] = await until(lambda: techdocs.published(REF), condition="docs-built")
    assert own_events.type == SiteBuilt.TYPE
    assert (own_events.data["site"], own_events.data["pages"]) == (state["site"], 2)
    page = (await techdocs.get(f"/pages/default/component/{NAME}/guide")).json()
    assert "xylophone" in page["html"]
    assert page["commit"] == state["commit"]
    assert page["previous"] == {"path": "", "title": "Home"}
    assert [item["id"] for item in page["toc"]] == ["guide", "install"]


async def test_a_push_to_the_docs_rebuilds_the_site(techdocs: Running) -> None:
    """The new text is shown, with one event; a push elsewhere builds nothing."""
    techdocs.host.commit("box", SITE)
    await techdocs.document(NAME)
    first = await techdocs.built(NAME)
    await techdocs.push("box", {"src/a.py": "x = 1\n"})
    await techdocs.push("box", {"docs/index.md": "# Box office\n\nNew words.\n"})

    async def shown() -> Any:
        page = (await techdocs.get(f"/pages/default/component/{NAME}")).json()
        return page if "New words" in page["html"] else None

    page = await until(shown)
    assert page["site"] != first["site"]
    # Each site is told; one that is looked at again meanwhile is no other site.
    sites = {first["site"], page["site"]}
    await until(lambda: {e.data["site"] for e in techdocs.published(REF)} == sites)
    # Going back to what was there costs no build: the site is still published.
    await techdocs.push("box", {"docs/index.md": SITE["docs/index.md"]})
    await techdocs.built(NAME, site=first["site"])


async def test_a_failed_build_keeps_the_last_good_site(techdocs: Running) -> None:
    """Readers keep their pages, and the reason is published until the repair."""
    techdocs.host.commit("box", SITE)
    await techdocs.document(NAME)
    good = await techdocs.built(NAME)
    await techdocs.push("box", {"mkdocs.yml": "site_name: [broken\n"})
    state = await techdocs.built(NAME, status="failed")
    assert "mkdocs.yml: YAML error" in state["error"]
    assert state["site"] == good["site"]
    assert state["log"][-1].startswith("error: Failed to build the docs page")
    page = await techdocs.get(f"/pages/default/component/{NAME}/guide")
    assert page.status_code == 200
    await until(lambda: len(techdocs.published(REF)) == 2)
    failed = techdocs.published(REF)[1]
    assert (failed.type, failed.data["site"]) == (SiteFailed.TYPE, good["site"])
    assert failed.data["error"] == state["error"]
    await techdocs.push("box", {"mkdocs.yml": SITE["mkdocs.yml"]})
    await techdocs.built(NAME, status="built", error=None, site=good["site"])
    await until(lambda: len(techdocs.published(REF)) == 3)


async def test_an_invalid_annotation_is_published_as_a_failure(
    techdocs: Running,
) -> None:
    """The reason names the annotation or the host, on the page and in the event."""
    elsewhere = {"backstage.io/techdocs-ref": "url:https://elsewhere.example/a/b"}
    await techdocs.document(NAME, **elsewhere)
    state = await techdocs.built(NAME, status="failed")
    assert "elsewhere.example" in state["error"]
    await techdocs.document(NAME, **{"backstage.io/techdocs-ref": "nonsense"})
    result = "backstage.io/techdocs-ref: 'nonsense' must be of the form type:target"
    await techdocs.built(NAME, error=result)


async def test_docs_of_another_entity_are_shown(techdocs: Running) -> None:
    """`techdocs-entity` leads to the other's pages; its own static files are none."""
    techdocs.host.commit("box", SITE)
    await techdocs.document(NAME)
    await techdocs.built(NAME)
    alias = {"backstage.io/techdocs-entity": REF}
    change = techdocs.catalog.put(component("till"), **alias)
    await techdocs.tell(change, change.entity_ref)
    state = await techdocs.state("till")
    assert (state["entity_ref"], state["docs_of"]) == (REF, "component:default/till")
    page = await techdocs.get("/pages/default/component/till/guide")
    assert "xylophone" in page.json()["html"]
    static = await techdocs.get("/static/docs/default/component/till/index.html")
    assert static.status_code == 404


async def test_docs_of_removed_annotations_are_withdrawn(techdocs: Running) -> None:
    """Without its annotation, or deleted, an entity has no docs; an event says so."""
    techdocs.host.commit("box", SITE)
    for name in ("one", "two"):
        await techdocs.document(name)
        await techdocs.built(name)
    bare = techdocs.catalog.put(component("one"), **{"backstage.io/techdocs-ref": ""})
    await techdocs.tell(bare, bare.entity_ref)
    deletion = techdocs.catalog.delete("component:default/two")
    await techdocs.tell(deletion, deletion.entity_ref)
    for name in ("one", "two"):
        answer = await techdocs.get(f"/sites/default/component/{name}")
        assert answer.status_code == 404
        events = await _published(techdocs, f"component:default/{name}", 2)
        assert events[1].data["site"] is None
    # It comes back when the entity does.
    await techdocs.document("two")
    await techdocs.built("two")


async def _published(techdocs: Running, ref: str, count: int) -> Any:
    await until(lambda: len(techdocs.published(ref)) == count, f"{count} events")
    return techdocs.published(ref)


async def test_pushes_during_a_build_cause_one_more_build(techdocs: Running) -> None:
    """However many pushes arrive, the last text is shown at the end."""
    techdocs.host.commit("box", SITE)
    await techdocs.document(NAME)
    for number in range(5):
        text = f"# Box office\n\nText number {number}.\n"
        await techdocs.push("box", {"docs/index.md": text})

    async def last() -> bool:
        page = await techdocs.get(f"/pages/default/component/{NAME}")
        return page.status_code == 200 and "number 4" in page.json()["html"]

    await until(last)
    assert len(await _settled(techdocs)) <= 4


async def _settled(techdocs: Running) -> Any:
    records = techdocs.app.state.dependencies.records

    async def idle() -> bool:
        return bool(await records.waiting() == 0)

    await until(idle)
    return techdocs.published(REF)


async def test_missed_events_are_repaired_at_start(
    installation: Installation,
) -> None:
    """Entities, deletions and pushes are reconciled with their owners."""
    installation.host.commit("box", SITE)
    async with installation.start() as techdocs:
        for name in (NAME, "other"):
            await techdocs.document(name)
            await techdocs.built(name)
    installation.host.commit("box", {"docs/guide.md": "# Guide\n\nmarimba\n"})
    installation.catalog.delete("component:default/other")
    async with installation.start() as techdocs:

        async def repaired() -> bool:
            page = await techdocs.get(f"/pages/default/component/{NAME}/guide")
            return "marimba" in page.text and not await techdocs.state("other")

        await until(repaired)


async def test_an_unfinished_build_is_resumed_at_once(
    installation: Installation,
) -> None:
    """The successor of a dead process takes its claim without waiting."""
    installation.host.commit("box", SITE)
    async with installation.start() as techdocs:
        await techdocs.document(NAME)
        await techdocs.built(NAME)
    installation.catalog.lists_nothing = True
    async with installation.start() as techdocs:
        records = techdocs.app.state.dependencies.records
        await records.ask([REF], CHANGED)
        installation.host.commit(
            "box", {"docs/index.md": "# Box office\n\nUnfinished.\n"}
        )
        # As a killed process leaves it: claimed, with a lease that runs on.
        await records._all.update_one(
            {"_id": REF},
            {
                "$set": {
                    "due": 1,
                    "lease_token": "former-life",
                    "lease_by": records._owner,
                    "lease_until": 9e12,
                }
            },
        )

        async def shown() -> bool:
            page = await techdocs.get(f"/pages/default/component/{NAME}")
            return "Unfinished" in page.text

        await until(shown)


async def test_builds_are_driven_by_kafka_events(
    installation: Installation, kafka: str
) -> None:
    """Events arrive and leave by Kafka, and malformed messages stop nothing."""
    events: list[EventRecord] = []

    async def hear(records: Any) -> None:
        events.extend(records)

    installation.host.commit("box", SITE)
    topics = [DOCS_BUILT, dead(GIT_PUSH)]
    async with KafkaBus(kafka) as bus, LiveReader(kafka, topics, hear) as reader:
        await asyncio.wait_for(reader.reading.wait(), 20)
        async with installation.start(bus, kafka=kafka) as techdocs:

            async def ready() -> bool:
                return (await techdocs.client.get("/readyz")).status_code == 200

            await until(ready, "techdocs is ready")
            await bus.publish(GIT_PUSH, "x", b"{poison")
            await techdocs.document(NAME)
            await techdocs.built(NAME)
            await techdocs.push("box", {"docs/guide.md": "# Guide\n\nmarimba\n"})
            await until(lambda: _count(events, SiteBuilt.TYPE) == 2)
            await until(lambda: any(r.topic == dead(GIT_PUSH) for r in events))


def _count(events: list[EventRecord], kind: str) -> int:
    """How many events of a kind tell of the entity; what is said twice counts once."""
    built = [
        json.loads(record.value) for record in events if record.topic == DOCS_BUILT
    ]
    own_events = [event for event in built if event["subject"] == REF]
    return len({event["id"] for event in own_events if event["type"] == kind})


async def test_docs_of_a_file_location_are_built(
    techdocs: Running, tmp_path: Path
) -> None:
    """As soon as the entity exists."""
    folder = tmp_path / "local"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "index.md").write_text("# Local words\n")
    place = {"backstage.io/managed-by-location": f"file:{folder}/catalog-info.yaml"}
    await techdocs.document("local", **place)
    state = await techdocs.built("local")
    assert (state["commit"], state["title"]) == (None, "local")


async def test_a_site_without_an_index_begins_with_its_first_page(
    techdocs: Running,
) -> None:
    """The empty path answers with the first page of the navigation."""
    files = {
        "mkdocs.yml": "site_name: B\nnav: [{Begin: be gin.md}, {A: a.md}]\n",
        "docs/be gin.md": "# Begin\n\n[a](a.md) [f](x%201.csv) [g](be%20gin.md#x)\n",
        "docs/a.md": "# A\n",
        "docs/x 1.csv": "1",
    }
    techdocs.host.commit("box", files)
    await techdocs.document(NAME)
    state = await techdocs.built(NAME)
    assert [item["path"] for item in state["nav"]] == ["be gin", "a"]
    page = (await techdocs.get(f"/pages/default/component/{NAME}")).json()
    assert (page["path"], page["title"]) == ("be gin", "Begin")
    root = f"default/component/{NAME}"
    assert f'href="/docs/{root}/a/"' in page["html"]
    assert f'href="/api/techdocs/assets/{root}/x%201.csv"' in page["html"]
    again = await techdocs.get(f"/pages/{root}/be%20gin/")
    assert again.json()["html"] == page["html"]
    static = await techdocs.get(f"/static/docs/{root}/be%20gin")
    assert static.headers["location"].endswith(f"/{root}/be%20gin/")
    index = await techdocs.get(f"/static/docs/{root}/index.html")
    assert 'url=be%20gin/"' in index.text


async def test_pictures_of_the_readme_are_part_of_the_site(techdocs: Running) -> None:
    """A picture beside the pages that the README shows."""
    picture = "<svg xmlns='http://www.w3.org/2000/svg'/>"
    files = {
        "README.md": "# R\n\n![a](art/a%201.svg) [l](LICENSE)\n",
        "art/a 1.svg": picture,
        "LICENSE": "MIT",
    }
    techdocs.host.commit("box", files)
    await techdocs.document(NAME)
    await techdocs.built(NAME)
    page = (await techdocs.get(f"/pages/default/component/{NAME}")).json()
    place = f"/assets/default/component/{NAME}/_readme/art/a%201.svg"
    assert f'src="/api/techdocs{place}"' in page["html"]
    assert (await techdocs.get(place)).text == picture
    assert "/box/blob/main/LICENSE" in page["html"]
    assert page["edit_url"].endswith("/box/edit/main/README.md")


async def test_a_failed_build_reveals_no_path_of_the_server(
    techdocs: Running, installation: Installation
) -> None:
    """Headline, log and event have the page and the cause only."""
    bad = "<div>" * 300
    techdocs.host.commit("box", {**SITE, "docs/guide.md": bad})
    await techdocs.document(NAME)
    state = await techdocs.built(NAME, status="failed")
    assert state["error"] == "guide.md: elements are nested deeper than 200 levels"
    assert str(installation.folder) not in json.dumps(state)
    assert "Traceback" not in "\n".join(state["log"])


async def test_plugins_that_the_operator_allows_are_used(
    installation: Installation, tmp_path: Path
) -> None:
    """`techdocs.allowPlugins` is read, and adds plugins of the safe list only."""
    config = tmp_path / "app-config.yaml"
    text = config.read_text()
    plugins = "[tags, meta, macros, literate-nav]"
    config.write_text(text.replace("{", f"{{allowPlugins: {plugins}, ", 1))
    page = "---\ntags: [Seats]\n---\n# Box office\n"
    site = "site_name: B\nplugins: [tags, meta, macros, literate-nav, techdocs-core]\n"
    installation.host.commit("box", {"mkdocs.yml": site, "docs/index.md": page})
    async with installation.start() as techdocs:
        await techdocs.document(NAME)
        state = await techdocs.built(NAME)
    assert state["warnings"] == [
        "mkdocs.yml: plugin macros is not allowed, was left out",
        "mkdocs.yml: plugin literate-nav is not installed, was left out",
    ]
