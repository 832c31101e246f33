"""A site that may show what is hidden now goes, if it cannot be made anew."""

from typing import Any

import pytest

from services.techdocs.handlers.builds import PATIENT_TRIES
from services.techdocs.handlers.documented import visibility_changed
from services.techdocs.model import CHECK
from shared.contracts.annotations import MANAGED_BY_LOCATION, VISIBILITY
from shared.contracts.errors import Unavailable
from tests.builders import component
from tests.techdocs.installation import SITE, Running
from tests.techdocs.test_hidden_files import BLOB, MARK, NESTED, answers, restrict
from tests.waiting import until

RESTRICTED = {VISIBILITY: "restricted"}
INCLUDE = {
    "docs/index.md": "# X\n",
    "mkdocs.yml": "site_name: X\nplugins: [monorepo]\n"
    "nav: [{Home: index.md}, {S: '!include ./secret/mkdocs.yml'}]\n",
    "secret/mkdocs.yml": "site_name: S\nnav: [{P: index.md}]\n",
    "secret/docs/index.md": f"# {MARK}\n",
}
PAGE = "/pages/default/component/web"
REF = "component:default/web"


async def build_site(techdocs: Running, files: Any = NESTED) -> None:
    techdocs.host.commit("box", files)
    await techdocs.document("web")
    await techdocs.built("web")
    assert MARK in await answers(techdocs)


async def is_gone(techdocs: Running) -> bool:
    return (await techdocs.get(PAGE)).status_code == 404


@pytest.mark.parametrize(
    ("files", "broken"),
    [
        pytest.param(INCLUDE, {}, id="as an include is hidden"),
        pytest.param(NESTED, {"mkdocs.yml": "site_name: [\n"}, id="by another mistake"),
    ],
)
async def test_a_site_goes_whose_rebuild_fails(
    techdocs: Running, files: Any, broken: Any
) -> None:
    """When a restricted entity comes; its pages go from search, too."""
    await build_site(techdocs, files | {"docs/secret/plan.md": f"# {MARK}\n"})
    if broken:
        await techdocs.push("box", broken)
        await techdocs.built("web", status="failed")
        assert MARK in await answers(techdocs)
    techdocs.catalog.hidden |= {f"{BLOB}/secret/", f"{BLOB}/docs/secret/"}
    await restrict(techdocs, "secret", **RESTRICTED)
    await until(lambda: is_gone(techdocs), "no site")
    assert MARK not in await answers(techdocs)


async def test_the_last_good_site_stays_where_rights_stay(techdocs: Running) -> None:
    """A mistake in docs beside something restricted is one like any other."""
    techdocs.catalog.hidden.add(f"{BLOB}/docs/secret/")
    techdocs.host.commit("box", NESTED)
    await techdocs.document("web")
    await techdocs.built("web")
    await techdocs.push("box", {"mkdocs.yml": "site_name: [\n"})
    await techdocs.built("web", status="failed")
    assert (await techdocs.get(PAGE)).status_code == 200
    # And once nothing is hidden any more, the docs are what they can be.
    techdocs.catalog.hidden.clear()
    changed = f"metadata.annotations.{VISIBILITY}"
    await restrict(techdocs, "docs/secret", changed)
    await techdocs.push("box", SITE)
    await techdocs.built("web")


async def test_a_site_goes_if_its_host_stays_away(
    techdocs: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for a short while only: nobody knows what the site shows."""
    await build_site(techdocs)
    dependencies = techdocs.app.state.dependencies
    techdocs.catalog.hidden.add(f"{BLOB}/docs/secret/")

    async def away(*_: Any) -> str:
        raise Unavailable("The Git host does not answer")

    monkeypatch.setattr(type(dependencies.sources._mirrors), "fetch", away)
    await restrict(techdocs, "docs/secret", **RESTRICTED)

    async def has_tried() -> bool:
        state = await dependencies.records._all.find_one({"_id": REF})
        return bool(state and state["tries"])

    await until(has_tried, "a first try")
    assert not await is_gone(techdocs)
    tried = {"$set": {"tries": PATIENT_TRIES, "not_before": 0}}
    await dependencies.records._all.update_one({"_id": REF}, tried)
    await until(lambda: is_gone(techdocs), "no site")


async def test_what_no_event_told_of_is_noticed_by_the_next_check(
    techdocs: Running,
) -> None:
    """A refused file that asks to be restricted is no entity, and has no events."""
    await build_site(techdocs)
    techdocs.catalog.hidden.add(f"{BLOB}/docs/secret/")
    await techdocs.app.state.dependencies.records.ask([REF], CHECK)

    async def is_hidden() -> bool:
        return (await techdocs.get(f"{PAGE}/secret/plan")).status_code == 404

    await until(is_hidden, "no page any more")
    await techdocs.built("web")


async def test_failed_docs_are_built_once_their_files_are_shown(
    techdocs: Running,
) -> None:
    """Without a push, and without an event: by the next check."""
    techdocs.catalog.hidden.add(f"{BLOB}/")
    techdocs.host.commit("box", NESTED)
    await techdocs.document("web")
    await techdocs.built("web", status="failed")
    techdocs.catalog.hidden.clear()
    await techdocs.app.state.dependencies.records.ask([REF], CHECK)
    await techdocs.built("web")


@pytest.mark.parametrize("field", ["came", MANAGED_BY_LOCATION, "spec.owner"])
async def test_a_restricted_entity_of_this_machine_concerns_its_docs(
    techdocs: Running, field: str, tmp_path: Any
) -> None:
    """Of every folder: there is no repository that tells them apart."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# X\n")
    managed = {MANAGED_BY_LOCATION: f"file:{tmp_path}/catalog-info.yaml"}
    await techdocs.document("web", **managed)
    await techdocs.built("web")
    change = techdocs.catalog.put(component("plan"), **managed, **RESTRICTED)
    changed = [] if field == "came" else [field]
    change = change.model_copy(update={"changed": changed, "revision": 3})
    dependencies = techdocs.app.state.dependencies
    args = (dependencies.records, dependencies.sources)
    assert await visibility_changed([change], *args) == 1
    other = change.model_copy(update={"changed": ["metadata.title"]})
    assert await visibility_changed([other], *args) == 0
