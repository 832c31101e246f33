"""The contract of an index, held by either form of it."""

import asyncio
import time
from typing import Any

import pytest

from services.search.conditions import criteria_condition
from services.search.model import EntityRemoval, PageSection, SiteUpsert, Version
from services.search.ports import IndexVersion, SearchIndex
from services.search.query import SearchRequest, parse_term
from tests.builders import api, component, group, open_or_owned, system, user
from tests.search.fakes import entity_put, names, search_request, titles
from tests.waiting import until

PUBLIC_OR_OWNED = open_or_owned("group:default/board")
RESTRICTED = {"annotations": {"callboard.dev/visibility": "restricted"}}
ENTITIES = (
    component("shop-cart", {"description": "Shopping cart service", "tags": ["java"]}),
    component("shop-frontend", {"title": "Shop Frontend"}, type="website"),
    component(
        "shop-monolith", {"description": "Legacy monolith"}, lifecycle="deprecated"
    ),
    component("OrderService", {"description": "Bills and Überweisungen"}),
    component("documented", {"description": "A component that has TechDocs"}),
    component("merger", {"description": "Shop merger", **RESTRICTED}, owner="board"),
    api("shop-cart-api", {"description": "The cart REST API"}),
    system("shop", {"title": "Web Shop", "description": "The online shop system"}),
    group("team-a", {"description": "Team A"}),
    user("jane.doe", profile={"displayName": "Jane Doe", "email": "jd@example.com"}),
)


class TestSearchIndex:
    """What search needs of an index, whatever engine it is."""

    @pytest.fixture
    async def index(self, index_version: IndexVersion) -> SearchIndex:
        await index_version.apply([entity_put(entity) for entity in ENTITIES])
        return index_version.index

    async def test_finds_by_word_prefix_and_stem(self, index: SearchIndex) -> None:
        """A word is found as itself, as a beginning, and in another form."""
        assert await titles(index, "monolith") == ["shop-monolith"]
        assert await titles(index, "monol") == ["shop-monolith"]
        assert "OrderService" in await titles(index, "order")
        assert "OrderService" in await titles(index, "service")
        assert await titles(index, "documentation") == ["documented"]
        assert await titles(index, "jane") == ["jane.doe"]
        assert await titles(index, "uberweisung") == ["OrderService"]

    async def test_typos_are_forgiven_only_when_nothing_matches(
        self, index: SearchIndex
    ) -> None:
        """A misspelt word finds the intended one; a correct one finds only itself."""
        assert "shop-cart" in await titles(index, "shoop")
        assert await titles(index, "monolhit") == ["shop-monolith"]
        assert "documented" not in await titles(index, "shop")

    async def test_all_words_of_a_query_must_match(self, index: SearchIndex) -> None:
        """Two words find documents with both; many words allow a missing one."""
        assert await titles(index, "legacy monolith") == ["shop-monolith"]
        assert await titles(index, "legacy cart") == []
        assert await titles(index, "legacy monolith zanzibar") == ["shop-monolith"]

    async def test_wildcards_and_phrases_match(self, index: SearchIndex) -> None:
        """A star stands for letters, quotes keep words together."""
        assert await titles(index, "mono*") == ["shop-monolith"]
        assert await titles(index, "*lith") == ["shop-monolith"]
        assert await titles(index, '"cart service"') == ["shop-cart"]
        assert await titles(index, '"service cart"') == []

    async def test_an_exact_title_or_name_ranks_first(self, index: SearchIndex) -> None:
        """A term that is a whole title or name ranks its document first."""
        assert (await titles(index, "shop"))[0] == "Web Shop"
        assert (await titles(index, "shop-cart"))[0] == "shop-cart"
        assert (await titles(index, "web shop"))[0] == "Web Shop"
        found_titles = await titles(index, "shop")
        assert found_titles.index("shop-monolith") > found_titles.index("shop-cart")

    async def test_totals_are_exact_and_pages_do_not_overlap(
        self, index: SearchIndex
    ) -> None:
        """Pages together are the whole, each hit once, under one total."""
        for term in ("", "shop"):
            whole = await index.find(search_request(term, pageLimit=100))
            pages = [
                await index.find(SearchRequest(parse_term(term), page=page, limit=2))
                for page in range(6)
            ]
            assert [name for page in pages for name in names(page)] == names(whole)
            assert {page.total for page in pages} == {whole.total}
        assert (await index.find(search_request())).total == len(ENTITIES)

    async def test_an_empty_term_lists_everything_by_title(
        self, index: SearchIndex
    ) -> None:
        """Without a term the order is that of titles."""
        listed_titles = await titles(index)
        assert listed_titles == sorted(listed_titles, key=str.lower)

    async def test_filters_and_types_are_combined(self, index: SearchIndex) -> None:
        """Values of one field are alternatives, fields and types all hold."""
        filters: dict[str, Any] = {"filters[kind]": ["component", "API"]}
        assert len(await titles(index, **filters)) == 7
        filters["filters[lifecycle]"] = "deprecated"
        assert await titles(index, **filters) == ["shop-monolith"]
        owner = {"filters[owner]": "group:default/board"}
        assert await titles(index, **owner) == ["merger"]
        assert await titles(index, **{"filters[tags]": "Java"}) == ["shop-cart"]
        assert await titles(index, **{"filters[nothing]": "x"}) == []
        assert await titles(index, types="techdocs") == []
        assert len(await titles(index, types="software-catalog")) == len(ENTITIES)

    async def test_policy_conditions_are_part_of_the_query(
        self, index: SearchIndex
    ) -> None:
        """A hidden document is in no list and in no total."""
        readable = criteria_condition(PUBLIC_OR_OWNED)
        other = {
            "anyOf": [
                PUBLIC_OR_OWNED["anyOf"][0],
                {"rule": "IS_ENTITY_OWNER", "params": {"claims": ["user:default/x"]}},
            ]
        }
        denied = criteria_condition(other)
        assert await titles(index, "merger", readable=readable) == ["merger"]
        assert await titles(index, "merger", readable=denied) == []
        assert (await index.find(search_request(readable=denied))).total == len(
            ENTITIES
        ) - 1
        nothing = criteria_condition(None)
        assert (await index.find(search_request(readable=nothing))).total == 0

    async def test_matched_words_are_highlighted(self, index: SearchIndex) -> None:
        """Matched words stand between the tags, as they are written."""
        hit = (await index.find(search_request("cart"))).hits[0]
        assert hit.highlight["title"] == "shop-<m>cart</m>"
        assert hit.highlight["text"] == "Shopping <m>cart</m> service"
        hit = (await index.find(search_request("uberweisung"))).hits[0]
        assert hit.highlight["text"] == "Bills and <m>Überweisungen</m>"
        hit = (await index.find(search_request("monolhit"))).hits[0]
        assert hit.highlight["text"] == "Legacy <m>monolith</m>"
        assert (await index.find(search_request())).hits[0].highlight == {}

    async def test_unusual_text_is_searched_as_text(self, index: SearchIndex) -> None:
        """No typed text is a query language, an error, or a slow query."""
        for term in ("title:shop AND (", "[a TO b]", "((((", "\\", "*a*b*c*d*", "🎭"):
            start = time.perf_counter()
            await index.find(search_request(term))
            assert time.perf_counter() - start < 5


async def test_queries_are_consistent_during_writes(
    index_version: IndexVersion,
) -> None:
    """Queries see whole batches while batches are written."""
    index = index_version.index
    await index_version.apply([entity_put(component(f"c{n}")) for n in range(40)])
    done = False

    async def write() -> None:
        nonlocal done
        for revision in range(2, 8):
            puts = [entity_put(component(f"c{n}"), revision) for n in range(40)]
            await index_version.apply(puts)
        version = Version("u1", 99, 1.0)
        await index_version.apply([EntityRemoval("component:default/c0", version)])
        done = True

    async def ask() -> set[int]:
        totals: set[int] = set()
        while not done:
            totals.add((await index.find(search_request("team-a"))).total)
            await asyncio.sleep(0)
        return totals

    _, totals = await asyncio.gather(write(), ask())
    assert totals <= {39, 40}
    assert (await index.find(search_request())).total == 39


async def test_a_site_has_one_document_per_section(index_version: IndexVersion) -> None:
    """A site is one document per section, at the reader's address."""
    index = index_version.index
    annotated = {"annotations": {"backstage.io/techdocs-ref": "dir:."}, "title": "Web"}
    ref = "component:default/web"
    sections = (
        PageSection("", "Home", "Welcome"),
        PageSection("guide/#install", "Install", "the word xylophone"),
    )
    await index_version.apply([entity_put(component("web", annotated))])
    await index_version.apply([SiteUpsert(ref, "s1", sections)])
    (hit,) = (await index.find(search_request("xylophone", types="techdocs"))).hits
    assert hit.document["location"] == "/docs/default/component/web/guide/#install"
    assert hit.document["entityTitle"] == "Web"
    assert await until(index.count, condition="records") == 4
