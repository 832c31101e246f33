"""Docs from another repository are shown only where all their readers may read it."""

from typing import Any

import pytest

from shared.contracts.annotations import VISIBILITY
from shared.contracts.envelope import Envelope
from shared.contracts.techdocs import SiteBuilt
from tests.builders import component
from tests.techdocs.installation import HOST, SITE, Running
from tests.waiting import until

MARK = "fifteen-nights-only"
DOCS = {"mkdocs.yml": "site_name: x\n", "docs/index.md": f"# {MARK}\n"}
VAULT = f"https://{HOST}/vault"


async def borrow(techdocs: Running, reference: str, **more: str) -> str:
    """A visible component of repository `box` whose docs are somewhere else."""
    return await techdocs.document(
        "borrower", **{"backstage.io/techdocs-ref": reference, **more}
    )


@pytest.mark.parametrize(
    ("reference", "more"),
    [
        (f"url:{VAULT}/tree/main/", {}),
        (f"url:{VAULT}/tree/main/catalog-info.yaml/..", {}),
        ("dir:.", {"backstage.io/source-location": f"url:{VAULT}/tree/main/"}),
    ],
)
async def test_docs_of_a_closed_source_are_not_built(
    techdocs: Running, reference: str, more: Any
) -> None:
    """However the annotations lead there; the reason reveals nothing of it."""
    techdocs.host.commit("vault", DOCS)
    techdocs.host.commit("box", SITE)
    techdocs.catalog.closed.add(VAULT)
    await borrow(techdocs, reference, **more)
    state = await techdocs.built("borrower", status="failed")
    assert "or it is not for everybody who may see" in state["error"]
    page = await techdocs.get("/pages/default/component/borrower")
    assert page.status_code == 404
    assert MARK not in page.text + str(state)


async def test_a_site_is_withdrawn_when_its_source_closes(techdocs: Running) -> None:
    """At once, also from search; it returns when the source opens again."""
    techdocs.host.commit("vault", DOCS)
    techdocs.host.commit("box", SITE)
    ref = await borrow(techdocs, f"url:{VAULT}/tree/main/")
    await techdocs.built("borrower")
    managed = {"backstage.io/managed-by-location": f"url:{VAULT}/blob/main/c.yaml"}

    async def owner(**marks: str) -> None:
        change = techdocs.catalog.put(component("vault"), **managed, **marks)
        change = change.model_copy(
            update={"changed": [f"metadata.annotations.{VISIBILITY}"]}
        )
        await techdocs.tell(change, change.entity_ref)

    techdocs.catalog.closed.add(VAULT)
    await owner(**{VISIBILITY: "restricted"})
    await techdocs.built("borrower", status="failed")
    assert (await techdocs.get("/pages/default/component/borrower")).status_code == 404

    def withdrawal() -> Envelope | None:
        events = techdocs.published(ref)
        return (
            events[-1] if events and events[-1].data.get("site", "") is None else None
        )

    assert (await until(withdrawal, condition="a withdrawal")).type == SiteBuilt.TYPE
    service = {"subject": "service:search", "kind": "service"}
    assert MARK not in (await techdocs.get("/snapshot", **service)).text
    techdocs.catalog.closed.clear()
    await owner()
    await techdocs.built("borrower")
    page = await techdocs.get("/pages/default/component/borrower")
    assert MARK in page.text


async def test_an_entitys_own_repository_needs_no_source_check(
    techdocs: Running,
) -> None:
    """A restricted entity has docs for the readers who see it."""
    techdocs.host.commit("box", SITE)
    techdocs.catalog.closed.add(f"https://{HOST}/box")
    await techdocs.document("box-office")
    await techdocs.built("box-office")


async def test_links_of_docs_lead_to_nothing_that_is_closed(techdocs: Running) -> None:
    """In an entity's own repository too; pages follow what closes and opens."""
    techdocs.host.commit("box", {**SITE, "sub/plan.md": f"# {MARK}\n"})
    techdocs.host.link("box", "docs/plan.md", "../sub/plan.md")
    techdocs.host.link("box", "docs/sub", "../sub")
    await techdocs.document("box-office")
    await techdocs.built("box-office")
    page = "/pages/default/component/box-office"
    for path in ("plan", "sub/plan"):
        assert MARK in (await techdocs.get(f"{page}/{path}")).text

    async def change(**marks: str) -> None:
        managed = {
            "backstage.io/managed-by-location": f"url:https://{HOST}/box/blob/main/sub/"
            "catalog-info.yaml"
        }
        change = techdocs.catalog.put(component("plan"), **managed, **marks)
        change = change.model_copy(
            update={"changed": [f"metadata.annotations.{VISIBILITY}"]}
        )
        await techdocs.tell(change, change.entity_ref)

    async def has_pages() -> bool:
        return (await techdocs.get(f"{page}/plan")).status_code == 200

    async def has_no_pages() -> bool:
        return not await has_pages()

    techdocs.catalog.closed.add(f"https://{HOST}/box/blob/main/sub")
    await change(**{VISIBILITY: "restricted"})
    await until(has_no_pages, "the site without the page")
    assert (await techdocs.get(f"{page}/sub/plan")).status_code == 404
    assert (await techdocs.get(page)).status_code == 200
    techdocs.catalog.closed.clear()
    await change()
    await until(has_pages, "the site with the page")
