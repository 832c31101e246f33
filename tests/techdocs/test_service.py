"""The whole service on the real engines: from a push to a page."""

import json
import time

from shared.contracts.techdocs import SiteBuilt, SiteFailed
from tests.builders import component
from tests.techdocs.conftest import SITE, Running
from tests.waiting import until


async def test_an_entity_with_docs_gets_a_site(techdocs: Running) -> None:
    """An entity-changed event is enough: the site is built, told of and readable."""
    techdocs.host.commit("box", SITE)
    ref = await techdocs.document("box-office")
    state = await techdocs.built("box-office")
    assert state["title"] == "Box office"
    assert [item["title"] for item in state["nav"]] == ["Home", "Guide"]
    [told] = await until(lambda: techdocs.told(ref), what="docs-built")
    assert told.type == SiteBuilt.TYPE
    assert told.data["site"] == state["site"]
    assert told.data["pages"] == 2
    page = (await techdocs.get("/pages/default/component/box-office/guide")).json()
    assert "xylophone" in page["html"]
    assert page["commit"] == state["commit"]
    assert page["previous"] == {"path": "", "title": "Home"}
