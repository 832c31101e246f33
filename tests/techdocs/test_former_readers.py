"""Docs are shown to those who might see their entity when they were built."""

from typing import Any

import pytest

from services.techdocs.handlers.documented import entities_changed
from shared.contracts.annotations import VISIBILITY
from shared.contracts.catalog import EntityChange
from tests.builders import component
from tests.techdocs.installation import HOST, SITE, Running

BROKEN = {**SITE, "mkdocs.yml": "site_name: [\n"}
PAGE = "/pages/default/component/web"
RESTRICTED = {VISIBILITY: "restricted"}


async def tell(techdocs: Running, *changes: EntityChange) -> None:
    """Let the changes be handled together, as they may come from the event log."""
    dependencies = techdocs.app.state.dependencies
    await entities_changed(changes, dependencies.records, dependencies.sources)


def put(techdocs: Running, repository: str, **annotations: str) -> EntityChange:
    place = f"url:https://{HOST}/{repository}/blob/main/catalog-info.yaml"
    annotations = {
        "backstage.io/techdocs-ref": "dir:.",
        "backstage.io/managed-by-location": place,
        **annotations,
    }
    return techdocs.catalog.put(component("web"), **annotations)


async def answers(techdocs: Running) -> tuple[int, bool]:
    """The status of the page; and whether search has pages of it."""
    page = await techdocs.get(f"{PAGE}/guide")
    service = {"subject": "service:search", "kind": "service"}
    snapshot = await techdocs.get("/snapshot", **service)
    return page.status_code, "xylophone" in snapshot.text


@pytest.mark.parametrize("is_restricted", [False, True])
async def test_docs_go_with_the_entity_whose_name_another_takes(
    techdocs: Running, is_restricted: bool
) -> None:
    """Also if both are told at once, and the other one's docs cannot be built."""
    techdocs.host.commit("box", SITE)
    techdocs.host.commit("theirs", BROKEN)
    marks = RESTRICTED if is_restricted else {}
    change = put(techdocs, "box", **marks)
    await tell(techdocs, change)
    await techdocs.built("web")
    assert await answers(techdocs) == (200, True)
    deletion = techdocs.catalog.delete(change.entity_ref)
    await tell(techdocs, deletion, put(techdocs, "theirs"))
    await techdocs.built("web", status="failed")
    assert await answers(techdocs) == (404, False)


@pytest.mark.parametrize(
    ("repository", "before", "after"),
    [
        pytest.param("box", RESTRICTED, {}, id="for everybody"),
        pytest.param("box", RESTRICTED, {VISIBILITY: "x"}, id="for others"),
        pytest.param("theirs", {}, {}, id="from another repository"),
    ],
)
async def test_docs_go_when_their_entity_has_other_readers(
    techdocs: Running, repository: str, before: Any, after: Any
) -> None:
    """Until a build since then succeeds."""
    techdocs.host.commit("box", SITE)
    await tell(techdocs, put(techdocs, "box", **before))
    await techdocs.built("web")
    techdocs.host.commit(repository, BROKEN)
    await tell(techdocs, put(techdocs, repository, **after))
    await techdocs.built("web", status="failed")
    assert await answers(techdocs) == (404, False)
    await techdocs.push(repository, SITE)
    await techdocs.built("web")
    assert await answers(techdocs) == (200, True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({}, RESTRICTED, id="fewer"),
        pytest.param({VISIBILITY: "public"}, {}, id="all, as before"),
    ],
)
async def test_docs_stay_for_the_same_readers_and_where_their_descriptor_moves(
    techdocs: Running, before: Any, after: Any
) -> None:
    """Who sees the entity might see it before."""
    techdocs.host.commit("box", SITE)
    await tell(techdocs, put(techdocs, "box", **before))
    await techdocs.built("web")
    techdocs.host.commit("box", BROKEN)
    place = f"url:https://{HOST}/box/blob/main/other.yaml"
    moved = {"backstage.io/managed-by-location": place}
    await tell(techdocs, put(techdocs, "box", **after, **moved))
    assert await answers(techdocs) == (200, True)


@pytest.mark.parametrize(
    ("owners", "status"),
    [(("b",), 404), (("a", "b"), 404), (("a",), 200)],
    ids=["another", "one more", "one less"],
)
async def test_docs_of_a_restricted_entity_go_with_its_owners(
    techdocs: Running, owners: tuple[str, ...], status: int
) -> None:
    """Who owns it now reads what is built for them; fewer owners see what they saw."""

    def owned(*names: str) -> EntityChange:
        relations = [{"type": "ownedBy", "targetRef": f"group:{n}"} for n in names]
        marks = {"backstage.io/techdocs-ref": f"url:https://{HOST}/box/tree/main/"}
        entity = {**component("web"), "relations": relations}
        return techdocs.catalog.put(entity, **marks, **RESTRICTED)

    techdocs.host.commit("box", SITE)
    await tell(techdocs, owned("a", "c") if status == 200 else owned("a"))
    await techdocs.built("web")
    techdocs.host.commit("box", BROKEN)
    await tell(techdocs, owned(*owners))
    answer = await techdocs.get(f"{PAGE}/guide")
    assert answer.status_code == status
