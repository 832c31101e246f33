"""The entity page: head, tabs, relations, activity, errors and actions."""

import time

from services.portal.entities import entity_href, spec_ref, summarize
from services.portal.history import (
    CHANGES_SHOWN,
    LINES_SHOWN,
    by_commit,
    changes_of,
    lines_of,
    moment_of,
)
from shared.contracts.annotations import VISIBILITY
from shared.contracts.entity import Entity
from tests.costs import slowness
from tests.portal.company import entity, history, refuse
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi

BOOKING = "/catalog/default/component/booking"


async def test_the_header_shows_type_owner_system_and_lifecycle(client: Client) -> None:
    """The header shows what the entity is, whose it is, and its state."""
    text = (await client().get(BOOKING)).text
    for words in (
        "<h1>Booking</h1>",
        "Holds seats while somebody decides",
        'href="/catalog/default/group/box-office-team"',
        'href="/catalog/default/system/sales"',
        ">production</span>",
    ):
        assert words in text


async def test_owner_and_contacts_name_people(client: Client) -> None:
    """The owner's address and members are on the page."""
    text = (await client().get(BOOKING)).text
    assert "mailto:box-office-team@playhouse.example" in text
    assert "Bao Tran" in text
    assert "Carla Ruiz" not in text


async def test_the_relations_graph_has_links_and_a_table(client: Client) -> None:
    """Each box is a link, and the table has the same relations."""
    text = (await client().get(BOOKING)).text
    assert '<svg class="graph"' in text
    assert '<a href="/catalog/default/api/booking-api"><g class="node' in text
    assert "component:default/seat-map depends on component:default/booking" in text


async def test_only_tabs_with_content_are_shown(client: Client) -> None:
    """No docs tab without docs, no API tab without an API."""
    booking = (await client().get(BOOKING)).text
    assert 'href="/docs/default/component/booking"' in booking
    printer = (await client().get("/catalog/default/component/ticket-printer")).text
    assert "/docs/default/component/ticket-printer" not in printer
    assert "/catalog/default/component/ticket-printer/api" not in printer


async def test_descriptor_errors_are_shown_at_the_top(client: Client) -> None:
    """The message, and a link to the file to correct."""
    text = (await client().get("/catalog/default/component/basket")).text
    assert "The descriptor has an error" in text
    assert "must be a string, line 9" in text
    assert "/edit/main/catalog-info.yaml" in text


async def test_errors_of_an_unreadable_source_have_their_time(
    client: Client, api: FakeApi
) -> None:
    """Where the catalog knows when the source could no longer be read."""
    assert "Reported <time" not in (await client().get(BOOKING)).text
    error = {"name": "NotFoundError", "since": "2026-11-22T15:40:00+00:00"}
    items = [{"level": "error", "message": "NotFoundError: gone", "error": error}]
    api.entities["component:default/booking"]["status"] = {"items": items}
    text = (await client().get(BOOKING)).text
    assert 'Reported <time datetime="2026-11-22T15:40:00+00:00"' in text


async def test_refused_documents_are_shown_on_entities_of_their_file(
    client: Client, api: FakeApi
) -> None:
    """A new invalid document has no page of its own."""
    message = "component:default/new: spec.owner: is missing <b>"
    source = refuse(api, "component:default/new", message)
    text = (await client().get(BOOKING)).text
    assert "Another document in its file is refused" in text
    assert "spec.owner: is missing &lt;b&gt;" in text
    assert f'href="{entity_href(source)}"' in text
    assert "last version that was right" not in text
    refuse(api, "component:default/basket", message)
    assert "else in its file is refused" not in (await client().get(BOOKING)).text
    api.hidden = {source}
    assert "else in its file is refused" not in (await client().get(BOOKING)).text


async def test_a_source_that_was_never_valid_has_no_last_version(
    client: Client, api: FakeApi
) -> None:
    """The page does not claim an earlier valid version."""
    source = refuse(api, "component:default/new", "spec.owner: is missing")
    text = (await client().get(entity_href(source))).text
    assert "This source has an error" in text
    assert "last version that was right" not in text


async def test_all_errors_of_a_location_are_on_its_page(
    client: Client, api: FakeApi
) -> None:
    """Those after the first twenty are folded; each leads to the file that has it."""
    source = refuse(api, "component:default/new", "spec.owner: is missing")
    edit = "https://git.playhouse.example/house/edit/main/{}.yaml"
    items = [
        {"level": "error", "message": f"E{n}-", "error": {"editUrl": edit.format(n)}}
        for n in range(35)
    ]
    items.append({"level": "error", "message": "bad", "error": {"editUrl": "data:x"}})
    api.entities[source]["status"] = {"items": items}
    text = (await client().get(entity_href(source))).text
    first_part, fold = text.split("<summary>All errors after the first 20</summary>")
    assert "E19-" in first_part
    assert "E20-" not in first_part
    assert "E34-" in fold
    assert all(
        f'<a href="{edit.format(n)}">Fix it at its source' in text for n in range(35)
    )
    assert "data:x" not in text


async def test_an_entity_of_a_listed_file_shows_its_own_errors_only(
    client: Client, api: FakeApi
) -> None:
    """The status of a Location with several files has the errors of all of them."""
    refuse(api, "component:default/new", "spec.owner: is missing")
    annotations = api.entities["component:default/booking"]["metadata"]["annotations"]
    annotations["backstage.io/managed-by-origin-location"] = "url:https://x.y/all.yaml"
    assert "else in its file is refused" not in (await client().get(BOOKING)).text


async def test_the_activity_shows_actor_cause_and_difference(client: Client) -> None:
    """A push shows its commit's subject, its author and the changed lines."""
    text = (await client().get(f"{BOOKING}/activity")).text
    assert "Say what booking is for" in text
    assert "Ann Becker" in text
    assert "metadata.description" in text
    assert "To be written" in text
    assert "Registered" in text


async def test_a_relation_to_a_missing_entity_is_marked(client: Client) -> None:
    """It is shown without a link."""
    text = (await client().get("/catalog/default/component/checkout/dependencies")).text
    assert "component:default/gone is not in the catalog" in text
    assert 'href="/catalog/default/component/gone"' not in text


async def test_relations_of_own_kinds_are_listed(client: Client, api: FakeApi) -> None:
    """A relation type that no built-in kind has is read as words, with its targets."""
    booking = api.entities["component:default/booking"]
    target = {"type": "soldIn", "targetRef": "component:default/ledger"}
    booking["relations"] = [*booking["relations"], target]
    for page in (BOOKING, f"{BOOKING}/dependencies"):
        text = (await client().get(page)).text
        assert "Sold in" in text
        assert 'href="/catalog/default/component/ledger"' in text


async def test_the_markdown_of_a_description_is_rendered(
    client: Client, api: FakeApi
) -> None:
    """In the head of its page; lists show it without signs."""
    booking = api.entities["component:default/booking"]
    booking["metadata"]["description"] = "Sells **mugs** <b>"
    head = (await client().get(BOOKING)).text
    assert '<p class="lead">Sells <strong>mugs</strong> &lt;b&gt;</p>' in head
    assert "Sells mugs &lt;b&gt;" in (await client().get("/catalog")).text


async def test_missing_targets_of_own_relations_are_no_links(
    client: Client, api: FakeApi
) -> None:
    """On every page that lists them."""
    booking = api.entities["component:default/booking"]
    target = {"type": "soldIn", "targetRef": "component:default/nowhere"}
    booking["relations"] = [*booking["relations"], target]
    for page in (BOOKING, f"{BOOKING}/dependencies"):
        text = (await client().get(page)).text
        assert "component:default/nowhere is not in the catalog" in text
        assert 'href="/catalog/default/component/nowhere"' not in text


async def test_a_restricted_related_entity_shows_its_ref_only(
    client: Client, api: FakeApi
) -> None:
    """Nothing but the ref that the visible entity itself declares."""
    api.hidden = {"component:default/ledger"}
    text = (await client().get("/catalog/default/component/checkout")).text
    assert "what accounting reads" not in text
    assert ">Ledger<" not in text


async def test_a_restricted_entity_is_marked(client: Client, api: FakeApi) -> None:
    """Readers who may see it learn that not all users do."""
    assert "<dt>Visibility</dt>" not in (await client().get(BOOKING)).text
    restricted = {VISIBILITY: "restricted"}
    api.entities["component:default/booking"] = entity(
        "Component", "booking", {"owner": "box-office-team"}, annotations=restricted
    )
    text = (await client().get(BOOKING)).text
    assert '<span class="badge warn">restricted</span>' in text


async def test_the_raw_page_has_the_yaml_and_its_origin(client: Client) -> None:
    """The document as the catalog has it, and its location."""
    text = (await client().get(f"{BOOKING}/raw")).text
    assert "kind: Component" in text
    assert "Read from" in text
    assert "url:https://git.playhouse.example/house" in text


async def test_actions_are_shown_where_the_policy_allows(
    client: Client, api: FakeApi
) -> None:
    """Other readers see no button."""
    assert "Unregister…" in (await client().get(BOOKING)).text
    api.denied = {"catalog.entity.delete", "catalog.entity.refresh"}
    text = (await client().get(BOOKING)).text
    assert "Unregister…" not in text
    assert "/refresh" not in text


async def test_refresh_calls_the_catalog_and_returns_to_the_page(
    client: Client, api: FakeApi
) -> None:
    """One press, and back on the page."""
    answer = await client().post(f"{BOOKING}/refresh")
    assert answer.headers["location"] == BOOKING
    body = {"entityRef": "component:default/booking"}
    assert ("POST", "/api/catalog/refresh", body) in api.calls


async def test_a_group_page_lists_owned_entities_and_members(client: Client) -> None:
    """Entities by kind, members as people."""
    text = (await client().get("/catalog/default/group/payments-team")).text
    assert "Owns: Components" in text
    assert "Members" in text
    assert "Dmitri Volkov" in text


async def test_the_operation_of_a_search_hit_is_opened(client: Client) -> None:
    """An operation with all words of the term is linked above, and open."""
    path = "/catalog/default/api/booking-api/api"
    page = (await client().get(f"{path}?find=post+SEATS")).text
    assert "Matches for “post SEATS”" in page
    first = page.partition('class="api-matches"')[2].partition('href="#')[2]
    identity = first.partition('"')[0]
    assert f'id="{identity}" open>' in page
    nothing = (await client().get(f"{path}?find=<nowhere>")).text
    assert "Nothing listed here matches “&lt;nowhere&gt;”" in nothing


async def test_an_api_shows_its_definition(client: Client) -> None:
    """The text can be downloaded as a file."""
    page = await client().get("/catalog/default/api/booking-api/api")
    assert "OpenAPI" in page.text
    raw = await client().get("/catalog/default/api/booking-api/api/definition")
    assert raw.text.startswith("openapi: 3.1.0")
    assert raw.headers["content-type"].startswith("text/plain")


async def test_the_remotes_of_an_mcp_server_are_listed(
    client: Client, api: FakeApi
) -> None:
    """It has no definition; only an address that a browser may follow is a link."""
    remotes = [
        {"type": "streamable-http", "url": "https://mcp.example/v1"},
        {"type": "sse", "url": "javascript:alert(1)"},
        "odd",
    ]
    spec = {"type": "mcp-server", "owner": "x", "remotes": remotes}
    api.entities["api:default/mcp"] = entity("API", "mcp", spec)
    page = (await client().get("/catalog/default/api/mcp/api")).text
    assert 'href="https://mcp.example/v1"' in page
    assert "streamable-http" in page
    assert "<code>javascript:alert(1)</code>" in page
    assert 'href="javascript' not in page
    assert "cannot be read" not in page
    spec["definition"] = "How to call it"
    page = (await client().get("/catalog/default/api/mcp/api")).text
    assert "How to call it" in page
    assert 'href="https://mcp.example/v1"' in page


def test_refs_in_a_spec_are_completed() -> None:
    """With the field's default kind and the entity's namespace, as in the catalog."""
    entity = Entity(
        {
            "kind": "Component",
            "metadata": {"name": "x", "namespace": "Shop"},
            "spec": {"owner": "team-a", "system": "a:b:c/d/e", "dependsOn": 3},
        }
    )
    assert spec_ref(entity, "owner", "group") == "group:shop/team-a"
    assert spec_ref(entity, "dependsOn", "component") == ""


def test_names_are_escaped_in_addresses() -> None:
    """A name may hold characters that an address may not."""
    assert entity_href("api:default/a b") == "/catalog/default/api/a%20b"


def test_differences_of_long_texts_show_changed_lines() -> None:
    """Of a thousand lines the one that differs, with its neighbours."""
    before = "\n".join(f"line {number}" for number in range(1000))
    lines = lines_of(before, before.replace("line 500\n", "line 5e2\n"))
    assert [line.text for line in lines if line.kind == "before"] == ["line 500"]
    assert [line.text for line in lines if line.kind == "after"] == ["line 5e2"]
    assert len(lines) == 6


def test_differences_of_other_values_are_shown_as_json() -> None:
    """Lists and objects differ line by line too."""
    changes = changes_of([{"path": "spec.tags", "before": ["a"], "after": ["a", "b"]}])
    assert [line.text for line in changes[0].lines if line.kind == "after"] == [
        '  "a",',
        '  "b"',
    ]


def test_differences_of_long_texts_are_limited() -> None:
    """All lines differ, many times over: only a part is compared and shown."""
    before = "\n".join(f"old {n % 7}" for n in range(50_000))
    after = "\n".join(f"new {n % 7}" for n in range(50_000))
    diff = [{"path": f"spec.x{n}", "before": before, "after": after} for n in range(90)]
    start = time.process_time()
    changes = changes_of(diff)
    assert time.process_time() - start < 10 * slowness()
    assert all(len(change.lines) <= LINES_SHOWN + 1 for change in changes)
    assert changes[-1].lines[0].text == f"and {90 - CHANGES_SHOWN} fields more"


async def test_a_long_definition_is_cut_on_the_raw_page(
    client: Client, api: FakeApi
) -> None:
    """The page says so; the download has the whole text."""
    text = "openapi: 3.1.0\n" + "".join(f"x-{n}: line\n" for n in range(90_000))
    api.entities["api:default/booking-api"]["spec"]["definition"] = text
    path = "/catalog/default/api/booking-api"
    page = (await client().get(f"{path}/raw")).text
    assert "x-5000: line" in page
    assert f"{len(text):,} characters" in page
    assert "Not all of it is shown" in page
    assert len(page) < 250_000
    assert (await client().get(f"{path}/api/definition")).text == text
    api.entities["api:default/booking-api"]["spec"]["definition"] = "{y}" * 90_000
    assert "{y}{y}" in (await client().get(f"{path}/raw")).text


def test_changes_of_one_commit_are_grouped() -> None:
    """Home shows a push once, with all entities it changed."""
    items = [history(f"component:default/{name}")[0] for name in ("a", "b")]
    refs = ["component:default/a", "component:default/b"]
    moments = [
        moment_of(item, {}, summarize(ref))
        for item, ref in zip(items, refs, strict=True)
    ]
    merged = by_commit(moments)
    assert len(merged) == 1
    assert [entity.ref for entity in merged[0].entities] == refs
