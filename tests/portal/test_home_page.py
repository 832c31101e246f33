"""Home: what is the reader's, what waits for them, what changed."""

from typing import Any

import pytest

from tests.portal.answers import site
from tests.portal.company import ANN, GUEST, refuse
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi
from tests.portal.services import FakeServices

CARLA = "user:default/carla"


async def test_the_home_page_shows_owned_entities(client: Client) -> None:
    """Counted by kind, and no other entities."""
    text = (await client().get("/")).text
    assert "Ann</h1>" in text
    assert '<a href="/catalog?kind=component&amp;own=1"><strong>4</strong>' in text
    assert "Seat map" in text
    assert "Refunds" not in text


@pytest.mark.parametrize("more", [0, 300])
async def test_all_owned_entities_are_counted(
    client: Client, api: FakeApi, more: int
) -> None:
    """Also those beyond the ones that are read: by kind, and with their errors."""
    basket = {**api.entities["component:default/basket"], "status": {}}
    items = [{"level": "error", "message": "InputError: the last one's", "error": {}}]
    for number in range(more):
        name = f"zz-{number:03}"
        metadata = {**basket["metadata"], "name": name}
        api.entities[f"component:default/{name}"] = {**basket, "metadata": metadata}
    last = f"component:default/zz-{more - 1:03}" if more else "component:default/basket"
    api.entities[last] = {**api.entities[last], "status": {"items": items}}
    text = (await client().get("/")).text
    assert f'kind=component&amp;own=1"><strong>{4 + more}</strong>' in text
    assert "the last one" in text.split('id="attention"')[1].split("</section>")[0]


async def test_errors_of_owned_descriptors_come_first(client: Client) -> None:
    """With the message, so that the owner knows what to correct."""
    text = (await client().get("/")).text
    assert text.index("Needs attention") < text.index("Owned by me or my teams")
    assert "spec.system: must be a string" in text


async def test_a_broken_file_is_one_line(client: Client, api: FakeApi) -> None:
    """Whatever entities it has: the first with the error, and their number."""
    message = "InputError: url:https://x/y: YAML error at line 3, column 9"
    items = [{"level": "error", "message": message, "error": {}}]
    mine = api.entities["component:default/basket"]["spec"]["owner"]
    owned = [one for one in api.entities.values() if one["spec"].get("owner") == mine]
    for one in owned:
        one["status"] = {"items": items}
    text = (await client().get("/")).text
    assert text.count("YAML error at line 3, column 9") == 1
    assert f"and {len(owned) - 1} more with the same error" in text
    assert "reported <time" not in text
    items[0]["error"] = {"since": "2026-11-22T15:40:00+00:00"}
    text = (await client().get("/")).text
    assert 'reported <time datetime="2026-11-22T15:40:00+00:00"' in text


async def test_refused_documents_of_owned_files_need_attention(
    client: Client, api: FakeApi
) -> None:
    """A document that never was an entity has no page: its file's name is a link."""
    refuse(api, "component:default/new", "component:default/new: spec.owner: missing")
    text = (await client().get("/")).text
    attention = text.split('id="attention"')[1].split("</section>")[0]
    assert "spec.owner: missing" in attention
    assert "<span>https://git.playhouse.example/house/blob" in attention
    guests = (await client(GUEST).get("/")).text
    assert "spec.owner: missing" not in guests


async def test_a_source_with_several_problems_is_one_line(
    client: Client, api: FakeApi
) -> None:
    """The first problem, and how many more there are."""
    ref = refuse(api, "component:default/new", "problem 0")
    [item] = api.entities[ref]["status"]["items"]
    api.entities[ref]["status"]["items"] = [
        {**item, "message": f"InputError: problem {number}"} for number in range(5)
    ]
    text = (await client().get("/")).text
    attention = text.split('id="attention"')[1].split("</section>")[0]
    assert attention.count("<span>https://git.playhouse.example/house/blob") == 1
    assert [number for number in range(5) if f"problem {number}" in attention] == [
        0,
        1,
        2,
    ]
    assert "and 2 more" in attention


class TestDocumentation:
    """Home where builds of documentation fail."""

    @pytest.fixture
    def api(self) -> FakeServices:
        return FakeServices()

    async def test_a_failed_build_of_owned_docs_needs_attention(
        self, client: Client, api: FakeServices
    ) -> None:
        """With its reason and age, and a link to the site; for its owners alone."""
        api.sites["default/component/booking"] |= {
            "status": "failed",
            "error": "mkdocs.yml: <nav> at line 3",
            "failed_at": "2026-11-22T15:40:00+00:00",
        }
        text = (await client().get("/")).text
        attention = text.split('id="attention"')[1].split("</section>")[0]
        assert "Documentation of Booking" in attention
        assert 'href="/docs/default/component/booking/"' in attention
        assert "mkdocs.yml: &lt;nav&gt; at line 3" in attention
        assert 'reported <time datetime="2026-11-22T15:40:00+00:00"' in attention
        [call] = [call for call in api.calls if "techdocs" in call[1]]
        assert len(call[2]["entityRefs"]) == 2
        page_of_carla = (await client(CARLA).get("/")).text
        assert "Documentation of Booking" not in page_of_carla

    async def test_cards_mark_sites_whose_latest_build_failed(
        self, client: Client, api: FakeServices
    ) -> None:
        """Whoever owns them."""
        assert "latest build failed" not in (await client().get("/")).text
        api.sites["default/component/ledger"] = site(
            entity_ref="component:default/ledger", status="failed"
        )
        text = (await client().get("/")).text
        docs = text.split('id="docs"')[1].split("</section>")[0]
        assert docs.count("latest build failed") == 1
        assert docs.index("Ledger") < docs.index("latest build failed")


async def test_counts_of_kinds_are_worded_by_their_number(
    client: Client, api: FakeApi
) -> None:
    """One is no plural."""
    api.hidden = {
        ref for ref in api.entities if ref.startswith(("system:", "component:"))
    } - {"system:default/sales", "component:default/basket"}
    text = (await client(GUEST).get("/")).text
    assert "<strong>1</strong>System<" in text
    assert "<strong>1</strong>Component<" in text


async def test_a_reader_who_owns_nothing_gets_a_tour(client: Client) -> None:
    """The page shows what there is and where to begin."""
    text = (await client(GUEST).get("/")).text
    assert "A short tour" in text
    assert "<strong>11</strong>Components" in text
    assert "Needs attention" not in text


async def test_the_home_page_links_templates_and_docs(client: Client) -> None:
    """Their links lead to the form and to the pages."""
    text = (await client().get("/")).text
    assert 'href="/create/templates/default/python-service"' in text
    assert 'href="/docs/default/component/booking"' in text


async def test_a_missing_system_needs_attention(client: Client, api: FakeApi) -> None:
    """A descriptor that refers to a missing system is listed."""
    api.hidden = {"system:default/sales"}
    text = (await client().get("/")).text
    assert "Its system system:default/sales is not in the catalog." in text


def _change(ref: str, number: int, **more: Any) -> dict[str, Any]:
    kind, _, rest = ref.partition(":")
    return {
        "entityRef": ref,
        "title": more.pop("title", rest.rpartition("/")[2]),
        "kind": kind.capitalize(),
        "revision": 1,
        "at": f"2026-11-22T15:20:{number:02d}.123456+00:00",
        "actor": "user:default/esi",
        "cause": {"kind": "push", "commit": f"c{number // 10}", "subject": "Tidy up"},
        "changed": [],
        "deleted": False,
        **more,
    }


def _changes_in(text: str) -> str:
    return text.split('id="changes"')[1].split("</section>", maxsplit=1)[0]


@pytest.mark.parametrize("subject", [ANN, GUEST])
async def test_every_reader_sees_recent_changes(
    client: Client, api: FakeApi, subject: str
) -> None:
    """One line for each commit with the entities that it changed."""
    api.recent = [
        _change("component:default/booking", 31, title="Booking"),
        _change("component:default/ledger", 30, title="Ledger"),
        _change("component:default/basket", 10, title="Basket"),
    ]
    text = _changes_in((await client(subject).get("/")).text)
    assert text.count('<li class="moment">') == 2
    first = text.split("</li>")[0]
    assert "Booking" in first
    assert "Ledger" in first
    assert "Basket" not in first
    assert "Esi Mensah" in first
    assert len([c for c in api.calls if c[1].endswith("/changes")]) == 1
    assert not [c for c in api.calls if c[1].endswith("/history")]


@pytest.mark.parametrize("subject", [ANN, GUEST])
async def test_recent_changes_are_live(client: Client, subject: str) -> None:
    """The parts are fetched again whenever an entity or documentation changes."""
    text = (await client(subject).get("/")).text
    assert '<div data-live-topics="entity-changed,docs-built">' in text
    assert " data-live>" in text.split('id="changes"')[1].split("\n", maxsplit=1)[0]


async def test_deleted_entities_are_named_without_a_link(
    client: Client, api: FakeApi
) -> None:
    """They have no page any more."""
    api.recent = [_change("component:default/gone", 1, title="Gone", deleted=True)]
    text = _changes_in((await client().get("/")).text)
    assert "component:default/gone was removed" in text
    assert 'href="/catalog/default/component/gone"' not in text


async def test_an_entity_is_named_once_per_commit(client: Client, api: FakeApi) -> None:
    """Under its present name; the fields of a single entity are named."""
    api.recent = [
        _change("component:default/booking", 12, title="New name"),
        _change("component:default/booking", 11, title="Old name"),
        _change("component:default/ledger", 1, changed=["spec.owner"]),
    ]
    text = _changes_in((await client().get("/")).text)
    assert "New name" in text
    assert "Old name" not in text
    assert "spec.owner" in text


async def test_recent_changes_leave_out_generated_locations(
    client: Client, api: FakeApi
) -> None:
    """They are the catalog's own bookkeeping."""
    api.recent = [_change("location:default/generated-1", 1)]
    text = _changes_in((await client().get("/")).text)
    assert "No change has been recorded yet." in text
