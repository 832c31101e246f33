"""The catalog page: what it lists, counts, keeps in its address, and exports."""

import csv
import io
import re

import pytest

from services.portal.catalog_query import MOST_TICKED, CatalogQuery, Reader
from tests.portal.company import GUEST, entity
from tests.portal.conftest import Client
from tests.portal.fakes import FakeApi

PART = {"hx-request": "true", "hx-target": "catalog"}


def query(address: str) -> CatalogQuery:
    pairs = [pair.split("=", 1) for pair in address.split("&") if pair]
    return CatalogQuery.of((name, value) for name, value in pairs)


def names(html: str) -> list[str]:
    return re.findall(r"<tr data-row[^>]*>.*?<span>(.*?)</span>", html, re.DOTALL)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "kind=api",
        "type=service&type=library&owner=group:default/x&own=1&starred=1",
        "kind=all&tag=python&text=seat&sort=-owner&page=3",
    ],
)
def test_the_address_holds_the_whole_state(address: str) -> None:
    """Reading an address and writing it again changes nothing."""
    first = query(address)
    again = query(first.address().partition("?")[2])
    assert again == first


def test_backstages_catalog_addresses_are_understood() -> None:
    """Existing bookmarks keep working."""
    state = query("filters[kind]=API&filters[user]=owned&filters[type]=grpc")
    assert (state.kind, state.own, state.values("type")) == ("api", True, ("grpc",))


@pytest.mark.parametrize(
    ("address", "facet", "ref"),
    [
        ("filters[owners]=team-a", "owner", "group:default/team-a"),
        ("filters[owners]=O/Team-A&owner=o/team-a", "owner", "group:o/team-a"),
        ("owner=user:ann", "owner", "user:default/ann"),
        ("system=shop", "system", "system:default/shop"),
        ("owner=group:", "owner", "group:"),
    ],
)  # fmt: skip
def test_a_short_ref_is_completed(address: str, facet: str, ref: str) -> None:
    """As Backstage completes those of its own addresses."""
    assert query(address).values(facet) == (ref,)


async def test_an_owner_without_kind_is_a_chip_with_its_name(client: Client) -> None:
    """A text that is no ref at all is shown as it is."""
    page = (await client().get("/catalog?filters[owners]=nobody&owner=:/")).text
    assert "Owner: nobody" in page
    assert "Owner: :/" in page


@pytest.mark.parametrize("bad", ["page=0", "page=x", "page=99999999", "sort=price"])
def test_invalid_parameters_of_the_address_are_ignored(bad: str) -> None:
    """They are no error."""
    assert query(bad) == query("")


def test_the_ticked_values_of_an_address_are_limited() -> None:
    """Each link of the page repeats them: the page would grow by their square."""
    pairs = [(facet, f"v{n}") for facet in ("type", "tag") for n in range(500)]
    query = CatalogQuery.of([*pairs, ("owner", "o" * 5000)])
    assert sum(len(values) for _, values in query.chosen) == MOST_TICKED
    assert len(query.address()) < 1000


def test_ticks_combine_with_or_within_a_facet_and_with_and_across() -> None:
    """One filter of the API: the same key again means "or"."""
    state = query("type=service&type=library&lifecycle=production")
    [(name, value)] = state.statements(Reader())
    assert name == "filter"
    assert value.split(",") == [
        "kind=component",
        "spec.type=service",
        "spec.type=library",
        "spec.lifecycle=production",
    ]


def test_owned_by_me_and_an_owner_filter_are_combined() -> None:
    """An owner who is not the reader's leaves nothing, not everything."""
    mine = ("user:default/ann", "group:default/a")
    assert (
        "relations.ownedBy=group:default/a"
        in (query("own=1&owner=group:default/a").statements(Reader(mine))[0][1])
    )
    other = query("own=1&owner=group:default/b").statements(Reader(mine))[0][1]
    assert other == "kind=component,relations.ownedBy=group:default/-"


async def test_the_catalog_lists_components_by_name(client: Client) -> None:
    """Names, owners and systems are links."""
    text = (await client().get("/catalog")).text
    assert names(text)[:3] == ["Basket", "Booking", "Checkout"]
    assert '<a class="entity-link" href="/catalog/default/group/payments-team"' in text
    assert "1–11 of 11 entries" in text


async def test_kind_tabs_have_counts_and_keep_the_filters(client: Client) -> None:
    """A tab of another kind keeps the owner and drops the type."""
    owner = "group:default/box-office-team"
    text = (await client().get(f"/catalog?owner={owner}&type=service")).text
    assert names(text) == ["Basket", "Booking"]
    assert f'href="/catalog?kind=api&amp;owner={owner}">APIs' in text
    assert re.search(r'APIs<span class="count">2</span>', text)


async def test_facets_count_what_ticking_them_would_give(client: Client) -> None:
    """A ticked facet still counts its other values, the others count within it."""
    text = (await client().get("/catalog?lifecycle=deprecated")).text
    box = re.search(
        r'value="production"><span[^>]*>production</span><span class="count">(\d+)',
        text,
    )
    assert box
    assert box[1] == "8"
    assert re.search(r'value="service"><span[^>]*>.*?<span class="count">1', text)


async def test_the_text_filter_matches_names_and_descriptions(client: Client) -> None:
    """An entity is found by a word of its description."""
    text = (await client().get("/catalog?text=auditorium")).text
    assert names(text) == ["Seat map"]


async def test_an_empty_list_suggests_what_to_try(client: Client) -> None:
    """An empty list leads on."""
    text = (await client().get("/catalog?text=zzz")).text
    assert "Nothing matches" in text
    assert "/search?query=zzz" in text
    guest = (await client(GUEST).get("/catalog?own=1")).text
    assert "Nothing of this kind belongs to you" in guest


async def test_a_sort_order_names_the_entities_it_leaves_out(client: Client) -> None:
    """The API leaves out entities without the field, and the page says so."""
    text = (await client().get("/catalog?sort=system")).text
    assert 'aria-sort="ascending"' in text
    assert "1 entry has nothing to sort by here" in text


async def test_an_htmx_request_gets_the_fragment_and_the_address(
    client: Client,
) -> None:
    """A change swaps the fragment; the browser's address follows."""
    answer = await client().get("/catalog?text=&type=service", headers=PART)
    assert answer.text.lstrip().startswith('<div id="catalog"')
    assert "<html" not in answer.text
    assert answer.headers["hx-push-url"] == "/catalog?type=service"


async def test_a_hidden_entity_is_in_no_row_and_no_count(
    client: Client, api: FakeApi
) -> None:
    """The table and its total leave out an entity that the API hides."""
    api.hidden = {"component:default/ledger"}
    text = (await client().get("/catalog")).text
    assert "Ledger" not in names(text)
    assert "1–10 of 10 entries" in text


async def test_a_catalog_page_needs_four_api_calls(
    client: Client, api: FakeApi
) -> None:
    """The reader's identity is cached."""
    reader = client()
    await reader.get("/catalog")
    api.calls.clear()
    await reader.get("/catalog")
    assert len(api.calls) == 4


async def test_the_csv_export_has_all_pages_and_no_formulas(
    client: Client, api: FakeApi
) -> None:
    """A spreadsheet opens it and runs nothing."""
    api.entities["component:default/booking"]["metadata"]["description"] = "=1+1"
    answer = await client().get("/catalog.csv?type=service")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 7
    booking = next(row for row in rows if row["name"] == "booking")
    assert booking["description"] == "'=1+1"
    assert booking["owner"] == "group:default/box-office-team"


async def test_the_json_export_is_one_list(client: Client) -> None:
    """Valid also when nothing matches."""
    answer = await client().get("/catalog.json?kind=api")
    assert answer.json()[0]["name"] == "booking-api"
    assert (await client().get("/catalog.json?text=zzz")).json() == []


async def test_the_starred_filter_narrows_the_list(client: Client) -> None:
    """A star set on an entity's page narrows the list, within the other filters."""
    reader = client()
    for name in ("ledger", "programme"):
        path = f"/catalog/default/component/{name}/star"
        answer = await reader.post(path, data={"on": "true"})
        assert answer.status_code == 303
    assert names((await reader.get("/catalog?starred=1")).text) == [
        "Ledger",
        "Programme",
    ]
    narrowed = (await reader.get("/catalog?starred=1&type=website")).text
    assert names(narrowed) == ["Programme"]
    assert names((await reader.get("/catalog?starred=1&kind=api")).text) == []
    await reader.post("/catalog/default/component/ledger/star", data={"on": "false"})
    home = (await reader.get("/")).text
    stars = home[home.index('id="stars"') : home.index('id="own"')]
    assert "Programme" in stars
    assert "Ledger" not in stars


async def test_guests_have_no_stars(client: Client) -> None:
    """All guests would share their settings."""
    guest = client(GUEST)
    page = (await guest.get("/catalog/default/component/ledger")).text
    assert "/star" not in page
    assert names((await guest.get("/catalog?starred=1")).text) == []


async def test_a_generated_location_is_named_by_its_address(
    client: Client, api: FakeApi
) -> None:
    """Wherever it is shown; one with a title keeps its title."""
    place = "https://git.playhouse.example/lights/blob/main/catalog-info.yaml"
    other = "https://git.playhouse.example/sound/blob/main/catalog-info.yaml"
    one, two = f"generated-{'a' * 40}", f"generated-{'b' * 40}"
    api.entities[f"location:default/{one}"] = entity("Location", one, {"target": place})
    api.entities[f"location:default/{two}"] = entity(
        "Location", two, {"target": other}, title="Sound"
    )
    text = (await client().get("/catalog", params={"kind": "location"})).text
    assert f">{place}<" in text
    assert ">Sound<" in text
    assert one not in re.sub(r"<[^>]*>", "", text)
    query = {"kind": "location", "text": "lights/blob"}
    text = (await client().get("/catalog", params=query)).text
    assert place in text
    assert "Sound" not in text
    page = (await client().get(f"/catalog/default/location/{one}")).text
    assert f"<h1>{place}</h1>" in page


@pytest.mark.parametrize(
    ("address", "heads"),
    [
        ("/catalog", ["Name", "Owner", "System", "Type", "Lifecycle"]),
        ("/catalog?kind=all", ["Name", "Owner", "System", "Type", "Lifecycle"]),
        ("/catalog?kind=location", ["Name", "Type"]),
        ("/catalog?kind=group&sort=type", ["Name", "Type"]),
        ("/catalog?kind=system", ["Name", "Owner", "Type"]),
    ],
)
async def test_a_kind_has_the_columns_that_fit_its_entities(
    client: Client, api: FakeApi, address: str, heads: list[str]
) -> None:
    """A column of dashes would take space from names."""
    for kind in ("Location", "System", "Group"):
        ref = f"{kind.lower()}:default/here"
        api.entities[ref] = entity(kind, "here", {"type": "some"})
    page = (await client().get(address)).text
    head = page.partition("<thead")[2].partition("</thead>")[0]
    assert re.findall(r"Name|Owner|System|Type|Lifecycle", head) == heads
    cells = page.partition("<tbody")[2].partition("</tr>")[0].count("<td")
    assert cells == len(heads)
