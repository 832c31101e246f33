"""Whoever asks whatever: what is restricted to others is nowhere, and nothing else is.

Every route of the services and every page of the portal stands in a table of
`questions`; one that does not is a failure, so that a new one is thought about.
"""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.gateway.model import Identity
from services.portal.frame import Frame
from services.portal.router import PAGES, make_portal
from shared.contracts.permissions import ROUTES
from shared.kit.documents import mongo
from tests.visibility.local_gateway import LocalGateway, gateway_of, token_of
from tests.visibility.organisation import Organisation, organisation
from tests.visibility.questions import EVERY, ITSELF, NOTHING, PAGE_PATHS, QUESTIONS

pytestmark = pytest.mark.timeout(300)
together = pytest.mark.asyncio(loop_scope="module")
SAMPLE = 14
PAGE_SAMPLE = 3
READERS = 20


@pytest.fixture(scope="module")
def company() -> Organisation:
    return organisation()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    company: Organisation, mongodb: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LocalGateway]:
    client = mongo.connect(mongodb)
    name = f"visibility_{id(client)}"
    folder = tmp_path_factory.mktemp("visibility")
    async with gateway_of(company, client[name], mongodb, folder) as (local_gateway, _):
        yield local_gateway
    await client.drop_database(name)
    client.close()


def test_every_route_and_page_is_in_a_table() -> None:
    """A new one needs a row."""
    rows = {
        (plugin, row.method, row.path)
        for plugin, routes in ROUTES.items()
        for row in routes
        # Runs are their starters', and templates are asked of the catalog as them.
        # Analytics counts: who may see a count is tried with its own events.
        if plugin not in ("scaffolder", "analytics") and row.path not in ITSELF
    }
    assert rows == set(QUESTIONS)
    pages = {
        route.path  # type: ignore[attr-defined]
        for router in PAGES
        for route in router.routes
        if "GET" in route.methods  # type: ignore[attr-defined]
    }
    assert pages == set(PAGE_PATHS)


def sample(company: Organisation, who: Identity, number: int, size: int) -> list[str]:
    """Some entities, the hidden among them first: others for each reader."""
    hidden = sorted(set(company.entities) - company.visible(who))
    visible = sorted(company.visible(who))
    chosen = (
        [hidden[(number * 7 + n * 13) % len(hidden)] for n in range(size)]
        if hidden
        else []
    )
    return chosen[: size - 2] + [
        visible[(number * 11 + n * 17) % len(visible)] for n in range(2)
    ]


def filled(path: str, ref: str, uid: str = "") -> str:
    kind, _, rest = ref.partition(":")
    namespace, _, name = rest.partition("/")
    return path.format(
        at=f"{kind}/{rest}",
        docs=f"{namespace}/{kind}/{name}",
        ref=ref,
        name=name,
        uid=uid,
    )


def leaks(text: str, words: set[str], question: str) -> set[str]:
    """The hidden words in an answer, but for those that the question itself had."""
    return (set(re.findall(r"zq\d{4}x", text.lower())) & words) - set(
        re.findall(r"zq\d{4}x", question.lower())
    )


def describes(text: str, ref: str) -> bool:
    """Whether a text says what an entity says of itself, not only its name."""
    name = ref.rpartition("/")[2]
    phrases = (f"{name} title", f"{name} person", f"about {name}")
    return any(phrase in text for phrase in phrases)


async def ask(
    gateway: LocalGateway, who: Identity, plugin: str, method: str, question: Any
) -> Any:
    path, body = question if isinstance(question, tuple) else (question, None)
    return await gateway.call(who, method, f"/api/{plugin}{path}", json=body)


@together
@pytest.mark.parametrize("number", range(READERS))
async def test_no_response_names_a_hidden_entity(gateway, company, number) -> None:
    """Of all requests to all services, by each reader."""
    who = company.users[number]
    words = company.hidden_words(who)
    service = Identity("service:tests", "service")
    refs = sample(company, who, number, SAMPLE)
    by_refs = ("/entities/by-refs", {"entityRefs": refs})
    entities = (await ask(gateway, service, "catalog", "POST", by_refs)).json()["items"]
    uids = [entity["metadata"]["uid"] for entity in entities]
    every = {"entityRefs": sorted(company.entities)}
    for (plugin, method, _), questions in QUESTIONS.items():
        for question in questions:
            if question[1] == EVERY:
                # The question names all: nothing but their names may come back.
                answer = await ask(gateway, who, plugin, method, (question[0], every))
                assert answer.status == 200, question
                assert leaks(answer.body.decode(), words, "") == set()
                continue
            is_about_one = isinstance(question, str) and "{" in question
            for ref, uid in zip(refs, uids, strict=True) if is_about_one else NOTHING:
                about = filled(question, ref, uid) if ref else question
                answer = await ask(gateway, who, plugin, method, about)
                assert answer.status < 500, about
                body = answer.body.decode()
                assert not leaks(body, words, str(about)), (who.subject, about)
                is_hidden = bool(ref) and ref not in company.visible(who)
                assert not (is_hidden and describes(body, ref)), (who.subject, about)


def named(items: Any) -> set[str]:
    """The names of entities, but for the locations that the catalog makes itself."""
    names = {item["metadata"]["name"] for item in items}
    return {name for name in names if not name.startswith("generated-")}


@together
@pytest.mark.parametrize("number", range(READERS))
async def test_lists_hold_exactly_the_visible_entities(
    gateway, company, number
) -> None:
    """Lists, totals, facets, refs, relations, search."""
    who = company.users[number]
    visible = company.visible(who)
    names = {ref.rpartition("/")[2] for ref in visible}

    async def answer(plugin: str, method: str, question: Any) -> Any:
        return (await ask(gateway, who, plugin, method, question)).json()

    every = await answer("catalog", "GET", "/entities")
    assert named(every) == names
    page = await answer("catalog", "GET", "/entities/by-query?limit=1000")
    assert named(page["items"]) == names
    assert page["totalItems"] == len(page["items"])
    by_refs = ("/entities/by-refs", {"entityRefs": sorted(company.entities)})
    refs = await answer("catalog", "POST", by_refs)
    assert named(filter(None, refs["items"])) == names
    facets = await answer("catalog", "GET", "/entity-facets?facet=kind")
    counts = {item["value"].lower(): item["count"] for item in facets["facets"]["kind"]}
    for kind in ("component", "api", "resource", "user"):
        assert counts.get(kind, 0) == sum(ref.startswith(f"{kind}:") for ref in visible)
    results = await answer("search", "GET", "/query?term=common&pageLimit=1")
    assert results["numberOfResults"] == len(visible)
    own = {
        relation["targetRef"]
        for item in every
        for relation in item.get("relations") or ()
    }
    assert not (own & set(company.entities)) - visible


@together
@pytest.mark.parametrize("number", range(READERS))
async def test_lists_of_docs_hold_exactly_the_visible_sites(
    gateway, company, number
) -> None:
    """Sites, failed builds, states by refs."""
    who = company.users[number]
    documented = {
        ref
        for ref in company.visible(who)
        if "backstage.io/techdocs-ref"
        in company.entities[ref]["metadata"]["annotations"]
    }
    sites = (await ask(gateway, who, "techdocs", "GET", "/sites?limit=1000")).json()
    assert {item["entity_ref"] for item in sites["items"]} == documented
    # No build of theirs can succeed.
    failed = (await ask(gateway, who, "techdocs", "GET", "/sites/failed")).json()
    assert failed["total"] == len(documented)
    refs = ("/sites/by-refs", {"entityRefs": sorted(company.entities)})
    states = (await ask(gateway, who, "techdocs", "POST", refs)).json()["items"]
    assert {item["entity_ref"] for item in states if item} == documented


@together
async def test_relations_are_complete_for_readers_of_both_ends(
    gateway, company
) -> None:
    """The reverse of every declared relation, for the platform team."""
    keeper = company.users[0]
    every = (await ask(gateway, keeper, "catalog", "GET", "/entities")).json()
    relations = {
        f"{item['kind'].lower()}:default/{item['metadata']['name']}": {
            (one["type"], one["targetRef"]) for one in item.get("relations") or ()
        }
        for item in every
    }
    for ref, entity in company.entities.items():
        for target in entity["spec"].get("dependsOn") or ():
            assert ("dependsOn", target) in relations[ref]
            assert ("dependencyOf", ref) in relations[target]


@together
@pytest.mark.parametrize("number", [0, 3, 9, 14, 18, 19])
async def test_no_page_names_a_hidden_entity(gateway, company, number) -> None:
    """The portal is a client of the API; each of its pages, for some readers."""
    who = company.users[number]
    # What they are a member of is known to everybody who signs in.
    own = {ref.rpartition("/")[2] for ref in who.ownership}
    words = company.hidden_words(who) - own
    portal = make_portal(gateway, frame=Frame("P", development=False))
    transport = httpx.ASGITransport(portal, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {token_of(who)}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://portal", headers=headers
    ) as client:
        for paths in PAGE_PATHS.values():
            for path in paths:
                refs = (
                    sample(company, who, number, PAGE_SAMPLE) if "{" in path else [""]
                )
                for ref in refs:
                    address = filled(path, ref) if ref else path
                    answer = await client.get(address)
                    at = (who.subject, address)
                    assert answer.status_code < 500, (address, answer.text[-300:])
                    assert not leaks(answer.text, words, address), at
                    if ref and ref not in company.visible(who):
                        assert not describes(answer.text, ref), at


def test_the_test_organisation_has_restricted_entities(company: Organisation) -> None:
    """Of every kind some are restricted, and readers differ in what they see."""
    assert len(company.entities) == 500
    assert len(company.users) == READERS
    for kind in ("component", "api", "template", "group", "user", "location", "system"):
        assert any(ref.startswith(f"{kind}:") for ref in company.restricted), kind
    visible_counts = {len(company.visible(who)) for who in company.users}
    assert len(visible_counts) > 5
