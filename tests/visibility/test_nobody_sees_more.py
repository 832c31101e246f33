"""Whoever asks whatever: what is restricted to others is nowhere, and nothing else is.

Every route of the services and every page of the portal stands in a table here; one
that does not is a failure, so that a new one is thought about.
"""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.gateway.model import Identity
from services.gateway.portal.frame import Frame
from services.gateway.portal.router import PAGES, make_portal
from shared.contracts.permissions import ROUTES
from shared.kit import mongo
from tests.visibility.house import House, NoUsers, Sessions, house_of
from tests.visibility.organisation import Organisation, organisation

pytestmark = pytest.mark.timeout(300)
together = pytest.mark.asyncio(loop_scope="module")
BY_NAME = "/entities/by-name/{kind}/{namespace}/{name}"
#: Stands in a question for the names of all entities.
EVERY = {"entityRefs": ["*"]}
NOTHING = [("", "")]
#: plugin, method, path -> what is asked: paths (with {ref} for each of some entities),
#: or (path, body). An empty tuple: it names no entity, or is a change.
ASKED: dict[tuple[str, str, str], tuple[Any, ...]] = {
    ("catalog", "GET", "/entities"): (
        "/entities",
        "/entities?fields=relations",
        "/entities?order=asc:metadata.title",
        "/entities?filter=metadata.tags=common",
    ),
    ("catalog", "GET", "/entities/by-query"): (
        "/entities/by-query?limit=1000",
        "/entities/by-query?limit=1000&fullTextFilterTerm=zq",
        "/entities/by-query?filter=kind=component&orderField=metadata.title,desc",
    ),
    ("catalog", "POST", "/entities/by-query"): (
        ("/entities/by-query", {"query": {"kind": "component"}, "limit": 1000}),
        ("/entities/by-query", {"query": {"$not": {"kind": "user"}}, "limit": 1000}),
        (
            "/entities/by-query",
            {"query": {"relations.dependencyOf": {"$exists": True}}},
        ),
    ),
    ("catalog", "POST", "/entities/by-refs"): (("/entities/by-refs", EVERY),),
    ("catalog", "GET", "/entities/by-uid/{uid}"): ("/entities/by-uid/{uid}",),
    ("catalog", "GET", BY_NAME): ("/entities/by-name/{at}",),
    ("catalog", "GET", f"{BY_NAME}/ancestry"): ("/entities/by-name/{at}/ancestry",),
    ("catalog", "GET", f"{BY_NAME}/history"): ("/entities/by-name/{at}/history",),
    ("catalog", "GET", "/entity-facets"): (
        *(
            f"/entity-facets?facet={one}"
            for one in ("metadata.name", "kind", "spec.type", "metadata.tags")
        ),
        *(
            f"/entity-facets?facet=relations.{one}"
            for one in ("dependsOn", "dependencyOf", "ownerOf", "hasPart", "hasMember")
        ),
    ),
    ("catalog", "POST", "/entity-facets"): (
        ("/entity-facets", {"facets": ["metadata.name", "relations.dependencyOf"]}),
    ),
    ("catalog", "GET", "/changes"): ("/changes?limit=200",),
    ("catalog", "GET", "/locations"): ("/locations",),
    ("catalog", "POST", "/locations/by-query"): (("/locations/by-query", {}),),
    ("catalog", "GET", "/locations/{id}"): (),
    ("catalog", "GET", "/locations/{id}/remaining"): (),
    ("catalog", "GET", "/locations/by-entity/{kind}/{namespace}/{name}"): (
        "/locations/by-entity/{at}",
    ),
    ("catalog", "POST", "/validate-entity"): (),
    ("catalog", "POST", "/analyze-location"): (),
    ("catalog", "POST", "/sources/readable"): (),
    ("catalog", "GET", "/sources/open"): (),
    # For services alone.
    ("catalog", "POST", "/snapshot/operations"): (),
    ("catalog", "GET", "/.well-known/backstage/permissions/metadata"): (),
    ("catalog", "POST", "/.well-known/backstage/permissions/apply-conditions"): (),
    ("catalog", "POST", "/refresh"): (),
    ("catalog", "POST", "/locations"): (),
    ("catalog", "PUT", "/locations/{id}"): (),
    ("catalog", "DELETE", "/locations/{id}"): (),
    ("catalog", "DELETE", "/entities/by-uid/{uid}"): (),
    ("search", "GET", "/query"): (
        "/query?term=common&pageLimit=100",
        "/query?term=zq*&pageLimit=100",
        "/query?term={name}",
    ),
    ("search", "GET", "/suggest"): ("/suggest?term=zq", "/suggest?term={name}"),
    ("search", "POST", "/rebuild"): (),
    ("techdocs", "GET", "/sites"): ("/sites?limit=1000",),
    ("techdocs", "GET", "/sites/failed"): ("/sites/failed?limit=100",),
    ("techdocs", "POST", "/sites/by-refs"): (("/sites/by-refs", EVERY),),
    ("techdocs", "GET", "/sites/{namespace}/{kind}/{name}"): ("/sites/{docs}",),
    ("techdocs", "GET", "/pages/{namespace}/{kind}/{name}"): ("/pages/{docs}",),
    ("techdocs", "GET", "/pages/{namespace}/{kind}/{name}/{path:path}"): (
        "/pages/{docs}/a",
    ),
    ("techdocs", "GET", "/assets/{namespace}/{kind}/{name}/{path:path}"): (
        "/assets/{docs}/a",
    ),
    ("techdocs", "GET", "/static/docs/{namespace}/{kind}/{name}"): (
        "/static/docs/{docs}",
    ),
    ("techdocs", "GET", "/static/docs/{namespace}/{kind}/{name}/{path:path}"): (
        "/static/docs/{docs}/index.html",
    ),
    ("techdocs", "GET", "/metadata/techdocs/{namespace}/{kind}/{name}"): (
        "/metadata/techdocs/{docs}",
    ),
    ("techdocs", "GET", "/metadata/entity/{namespace}/{kind}/{name}"): (
        "/metadata/entity/{docs}",
    ),
    # It looks at the source, and answers as the others what is not to be seen.
    ("techdocs", "GET", "/sync/{namespace}/{kind}/{name}"): (),
}
#: For operators and services alone, whoever else asks.
ITSELF = ("/healthz", "/readyz", "/metrics", "/snapshot", "/snapshot/checksum")
PAGES_ASKED: dict[str, tuple[str, ...]] = {
    "/": ("/",),
    "/sign-in": (),
    "/catalog": tuple(
        f"/catalog?kind={kind}&limit=1000"
        for kind in ("component", "api", "user", "group", "template", "location")
    ),
    "/catalog/facets/{name}": (
        "/catalog/facets/owner?kind=component",
        "/catalog/facets/system?kind=component&find=zq",
        "/catalog/facets/tag?kind=component",
    ),
    "/catalog.csv": ("/catalog.csv?kind=component",),
    "/catalog.json": ("/catalog.json?kind=api",),
    "/catalog/{namespace}/{kind}/{name}": ("/catalog/{docs}",),
    "/catalog/{namespace}/{kind}/{name}/dependencies": (
        "/catalog/{docs}/dependencies",
    ),
    "/catalog/{namespace}/{kind}/{name}/api": ("/catalog/{docs}/api",),
    "/catalog/{namespace}/{kind}/{name}/api/definition": (
        "/catalog/{docs}/api/definition",
    ),
    "/catalog/{namespace}/{kind}/{name}/activity": ("/catalog/{docs}/activity",),
    "/catalog/{namespace}/{kind}/{name}/raw": ("/catalog/{docs}/raw",),
    "/catalog/{namespace}/{kind}/{name}/unregister": ("/catalog/{docs}/unregister",),
    "/catalog/{namespace}/{kind}/{name}/removed": ("/catalog/{docs}/removed",),
    "/graph": ("/graph", "/graph?entity={ref}"),
    "/styleguide": (),
    "/docs": ("/docs",),
    "/docs/{namespace}/{kind}/{name}": (),
    "/docs/{namespace}/{kind}/{name}/{path:path}": ("/docs/{docs}/",),
    "/diagrams/frame": (),
    "/create": ("/create",),
    "/create/templates/{namespace}/{name}": ("/create/templates/default/{name}",),
    "/create/tasks": (),
    "/create/tasks/{task}": (),
    "/create/register": (),
    "/choices": (
        "/choices?what=entities",
        "/choices?what=entities&term=zq",
        "/choices?what=entities&filter=kind%3Dcomponent&term={name}",
        "/choices?what=groups",
        "/choices?what=tags&term=zq",
    ),
    "/search": ("/search?query=common", "/search?query={name}"),
    "/search/suggest": ("/search/suggest?term=zq", "/search/suggest?term={name}"),
    "/settings": (),
    "/status": (),
}
SAMPLE = 14
PAGE_SAMPLE = 3
READERS = 20


@pytest.fixture(scope="module")
def company() -> Organisation:
    return organisation()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    company: Organisation, mongodb: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    client = mongo.connect(mongodb)
    name = f"visibility_{id(client)}"
    folder = tmp_path_factory.mktemp("visibility")
    async with house_of(company, client[name], mongodb, folder) as (found, _):
        yield found
    await client.drop_database(name)
    client.close()


def test_every_route_and_page_is_thought_about() -> None:
    """A new one needs a row above."""
    rows = {
        (plugin, row.method, row.path)
        for plugin, routes in ROUTES.items()
        for row in routes
        # Runs are their starters', and templates are asked of the catalog as them.
        if plugin != "scaffolder" and row.path not in ITSELF
    }
    assert rows == set(ASKED)
    pages = {
        route.path  # type: ignore[attr-defined]
        for router in PAGES
        for route in router.routes
        if "GET" in route.methods  # type: ignore[attr-defined]
    }
    assert pages == set(PAGES_ASKED)


def sample(company: Organisation, who: Identity, number: int, size: int) -> list[str]:
    """Some entities, the hidden among them first: others for each reader."""
    hidden = sorted(set(company.entities) - company.visible(who))
    seen = sorted(company.visible(who))
    chosen = (
        [hidden[(number * 7 + n * 13) % len(hidden)] for n in range(size)]
        if hidden
        else []
    )
    return chosen[: size - 2] + [
        seen[(number * 11 + n * 17) % len(seen)] for n in range(2)
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


def told(text: str, ref: str) -> bool:
    """Whether a text says what an entity says of itself, not only its name."""
    name = ref.rpartition("/")[2]
    return any(f"{name} {what}" in text for what in ("title", "person")) or (
        f"about {name}" in text
    )


async def ask(
    house: House, who: Identity, plugin: str, method: str, question: Any
) -> Any:
    path, body = question if isinstance(question, tuple) else (question, None)
    return await house.call(who, method, f"/api/{plugin}{path}", json=body)


@together
@pytest.mark.parametrize("number", range(READERS))
async def test_no_answer_names_what_is_hidden(house, company, number) -> None:
    """Of all that can be asked of all services, by each reader."""
    who = company.users[number]
    words = company.hidden_words(who)
    service = Identity("service:tests", "service")
    refs = sample(company, who, number, SAMPLE)
    asked = ("/entities/by-refs", {"entityRefs": refs})
    known = (await ask(house, service, "catalog", "POST", asked)).json()["items"]
    uids = [entity["metadata"]["uid"] for entity in known]
    every = {"entityRefs": sorted(company.entities)}
    for (plugin, method, _), questions in ASKED.items():
        for question in questions:
            if question[1] == EVERY:
                # The question names all: nothing but their names may come back.
                answer = await ask(house, who, plugin, method, (question[0], every))
                assert answer.status == 200, question
                assert leaks(answer.body.decode(), words, "") == set()
                continue
            is_about_one = isinstance(question, str) and "{" in question
            for ref, uid in zip(refs, uids, strict=True) if is_about_one else NOTHING:
                about = filled(question, ref, uid) if ref else question
                answer = await ask(house, who, plugin, method, about)
                assert answer.status < 500, about
                body = answer.body.decode()
                assert not leaks(body, words, str(about)), (who.subject, about)
                is_hidden = bool(ref) and ref not in company.visible(who)
                assert not (is_hidden and told(body, ref)), (who.subject, about)


@together
@pytest.mark.parametrize("number", range(READERS))
async def test_lists_hold_exactly_what_is_visible(house, company, number) -> None:
    """No more and no less: lists, totals, facets, refs, search."""
    who = company.users[number]
    visible = company.visible(who)
    names = {ref.rpartition("/")[2] for ref in visible}

    def named(items: Any) -> set[str]:
        found = {item["metadata"]["name"] for item in items}
        return {name for name in found if not name.startswith("generated-")}

    every = (await ask(house, who, "catalog", "GET", "/entities")).json()
    assert named(every) == names
    page = (
        await ask(house, who, "catalog", "GET", "/entities/by-query?limit=1000")
    ).json()
    assert named(page["items"]) == names
    assert page["totalItems"] == len(page["items"])
    body = {"entityRefs": sorted(company.entities)}
    refs = (
        await ask(house, who, "catalog", "POST", ("/entities/by-refs", body))
    ).json()
    assert named(filter(None, refs["items"])) == names
    facets = (
        await ask(house, who, "catalog", "GET", "/entity-facets?facet=kind")
    ).json()
    counts = {item["value"].lower(): item["count"] for item in facets["facets"]["kind"]}
    for kind in ("component", "api", "resource", "user"):
        assert counts.get(kind, 0) == sum(ref.startswith(f"{kind}:") for ref in visible)
    found = (
        await ask(house, who, "search", "GET", "/query?term=common&pageLimit=1")
    ).json()
    assert found["numberOfResults"] == len(visible)
    sites = (await ask(house, who, "techdocs", "GET", "/sites?limit=1000")).json()
    documented = {
        ref
        for ref in visible
        if "backstage.io/techdocs-ref"
        in company.entities[ref]["metadata"]["annotations"]
    }
    assert {item["entity_ref"] for item in sites["items"]} == documented
    # No build of theirs can succeed.
    failed = (await ask(house, who, "techdocs", "GET", "/sites/failed")).json()
    assert failed["total"] == len(documented)
    refs = ("/sites/by-refs", {"entityRefs": sorted(company.entities)})
    states = (await ask(house, who, "techdocs", "POST", refs)).json()["items"]
    assert {item["entity_ref"] for item in states if item} == documented
    own = {
        relation["targetRef"]
        for item in every
        for relation in item.get("relations") or ()
    }
    assert not (own & set(company.entities)) - visible


@together
async def test_relations_are_whole_for_who_sees_both_ends(house, company) -> None:
    """The reverse of every relation that is declared, for the platform team."""
    keeper = company.users[0]
    every = (await ask(house, keeper, "catalog", "GET", "/entities")).json()
    known = {
        f"{item['kind'].lower()}:default/{item['metadata']['name']}": {
            (one["type"], one["targetRef"]) for one in item.get("relations") or ()
        }
        for item in every
    }
    for ref, entity in company.entities.items():
        for target in entity["spec"].get("dependsOn") or ():
            assert ("dependsOn", target) in known[ref]
            assert ("dependencyOf", ref) in known[target]


@together
@pytest.mark.parametrize("number", [0, 3, 9, 14, 18, 19])
async def test_no_page_names_what_is_hidden(house, company, number) -> None:
    """The portal is a client of the API; each of its pages, for some readers."""
    who = company.users[number]
    # What they are a member of is known to everybody who signs in.
    own = {ref.rpartition("/")[2] for ref in who.ownership}
    words = company.hidden_words(who) - own
    portal = make_portal(
        house, Sessions(company), NoUsers(), frame=Frame("P", development=False)
    )
    transport = httpx.ASGITransport(portal, raise_app_exceptions=False)
    headers = {"x-reader": str(number)}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://portal", headers=headers
    ) as client:
        for paths in PAGES_ASKED.values():
            for path in paths:
                refs = (
                    sample(company, who, number, PAGE_SAMPLE) if "{" in path else [""]
                )
                for ref in refs:
                    asked = filled(path, ref) if ref else path
                    answer = await client.get(asked)
                    assert answer.status_code < 500, (asked, answer.text[-300:])
                    assert not leaks(answer.text, words, asked), (who.subject, asked)
                    if ref and ref not in company.visible(who):
                        assert not told(answer.text, ref), (who.subject, asked)


def test_the_organisation_is_what_the_test_needs(company: Organisation) -> None:
    """Of every kind some are restricted, and readers differ in what they see."""
    assert len(company.entities) == 500
    assert len(company.users) == READERS
    for kind in ("component", "api", "template", "group", "user", "location", "system"):
        assert any(ref.startswith(f"{kind}:") for ref in company.restricted), kind
    seen = {len(company.visible(who)) for who in company.users}
    assert len(seen) > 5
