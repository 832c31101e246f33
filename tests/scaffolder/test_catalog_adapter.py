"""The catalog over HTTP: whose rights each request has, and what is answered."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web

from services.scaffolder.model import Initiator
from services.scaffolder.store.catalog import ENTITIES_BYTES, HttpTemplateCatalog
from shared.contracts.errors import Conflict, TooLarge, Unavailable
from shared.contracts.headers import ON_BEHALF_OF, PRINCIPAL
from shared.kit.http.clients import ServiceCalls
from shared.kit.http.service_tokens import PrincipalTokens
from tests.builders import component
from tests.conftest import SECRET

ANN, PROGRAM = Initiator("user:default/ann"), Initiator("service:ci", is_user=False)
BY_REFS = "/api/catalog/entities/by-refs"
WEB = "/entities/by-name/component/default/web"


class Server:
    """A gateway and a catalog in miniature, which record their requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str, Any]] = []
        self.answers: dict[str, tuple[int, Any]] = {}

    async def answer(self, request: web.Request) -> web.Response:
        on_behalf = request.headers.get(ON_BEHALF_OF)
        token = request.headers.get(PRINCIPAL) or request.headers["authorization"]
        principal = PrincipalTokens(SECRET).verify(token.removeprefix("Bearer "))
        body = orjson.loads(await request.read() or b"null")
        reader = on_behalf or principal.subject
        self.requests.append((request.method, request.path_qs, reader, body))
        status, answer = self.answers.get(request.path, (404, {"error": {}}))
        return web.json_response(answer, status=status)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def catalog(server: Server) -> AsyncIterator[HttpTemplateCatalog]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ServiceCalls(
        SECRET, "scaffolder", dict.fromkeys(("gateway", "catalog"), url)
    ) as calls:
        yield HttpTemplateCatalog(calls)
    await runner.cleanup()


async def test_an_entity_is_read_with_the_users_rights(
    server: Server, catalog: HttpTemplateCatalog
) -> None:
    """Through the gateway, on behalf of the user, by the canonical parts of the ref."""
    server.answers[f"/api/catalog{WEB}"] = (200, component("web"))
    entity = await catalog.entity("Component:Default/Web", ANN)
    assert entity is not None
    assert str(entity.ref) == "component:default/web"
    assert server.requests == [("GET", f"/api/catalog{WEB}", ANN.ref, None)]


async def test_a_program_reads_with_the_rights_of_the_service(
    server: Server, catalog: HttpTemplateCatalog
) -> None:
    """Directly from the catalog; several entities are read one by one."""
    server.answers[WEB] = (200, component("web"))
    refs = ["component:default/web", "component:default/no"]
    first, second = await catalog.entities(refs, PROGRAM)
    assert first is not None
    assert first.name == "web"
    assert second is None
    assert {reader for _, _, reader, _ in server.requests} == {"service:scaffolder"}


async def test_a_missing_entity_is_none(catalog: HttpTemplateCatalog) -> None:
    """Also one that the user may not see, which the API answers alike."""
    assert await catalog.entity("component:default/web", ANN) is None


async def test_several_entities_are_one_request(
    server: Server, catalog: HttpTemplateCatalog
) -> None:
    """With None in the place of each that is missing."""
    path = "/api/catalog/entities/by-refs"
    server.answers[path] = (200, {"items": [component("web"), None]})
    first, second = await catalog.entities(["component:default/web", "a:b/c"], ANN)
    assert first is not None
    assert (first.name, second) == ("web", None)
    body = {"entityRefs": ["component:default/web", "a:b/c"]}
    assert server.requests == [("POST", path, ANN.ref, body)]


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("initiator", [ANN, PROGRAM])
async def test_a_location_is_registered_on_behalf_of_the_caller(
    server: Server, catalog: HttpTemplateCatalog, dry_run: bool, initiator: Initiator
) -> None:
    """Services too register through the gateway; its entities are the result."""
    path = "/api/catalog/locations"
    server.answers[path] = (201, {"entities": [component("web")]})
    entities = await catalog.register("https://h/x", initiator, dry_run=dry_run)
    assert [entity.name for entity in entities] == ["web"]
    query = "?dryRun=true" if dry_run else ""
    body = {"type": "url", "target": "https://h/x"}
    assert server.requests == [("POST", path + query, initiator.ref, body)]


async def test_a_registered_location_is_a_conflict(
    server: Server, catalog: HttpTemplateCatalog
) -> None:
    """The catalog's own error reaches the action."""
    error = {"error": {"name": "ConflictError", "message": "is registered already"}}
    server.answers["/api/catalog/locations"] = (409, error)
    with pytest.raises(Conflict, match="is registered already"):
        await catalog.register("https://h/x", ANN)


@pytest.mark.parametrize("readable", [True, False])
async def test_the_catalog_decides_whether_a_source_may_be_read(
    server: Server, catalog: HttpTemplateCatalog, readable: bool
) -> None:
    """For a user; a service reads what the portal reads."""
    path = "/api/catalog/sources/readable"
    server.answers[path] = (200, {"items": [{"readable": readable}]})
    hidden = set() if readable else {"url:https://h/x"}
    assert await catalog.unreadable(["url:https://h/x"], ANN) == hidden
    assert server.requests == [
        ("POST", path, ANN.ref, {"locations": ["url:https://h/x"]})
    ]
    assert not await catalog.unreadable(["url:https://h/x"], PROGRAM)
    assert len(server.requests) == 1


async def test_many_locations_are_few_questions(
    server: Server, catalog: HttpTemplateCatalog
) -> None:
    """The catalog takes a hundred in one request."""
    path = "/api/catalog/sources/readable"
    server.answers[path] = (200, {"items": [{"readable": False}] * 100})
    locations = [f"url:https://h/{number}" for number in range(200)]
    assert await catalog.unreadable(locations, ANN) == set(locations)
    assert [body["locations"] for *_, body in server.requests] == [
        locations[:100],
        locations[100:],
    ]


async def test_an_unavailable_catalog_is_named(
    server: Server, catalog: HttpTemplateCatalog
) -> None:
    """The log of a step says what it waits for."""
    server.answers[f"/api/catalog{WEB}"] = (503, {"error": {"message": "starts"}})
    with pytest.raises(Unavailable, match=r"^The catalog is unavailable: "):
        await catalog.entity("component:default/web", ANN)


async def test_entities_of_one_step_are_bounded_in_bytes(
    server: Server, catalog: HttpTemplateCatalog
) -> None:
    """The answer is not read beyond the limit, and the catalog goes on to answer."""
    fat = component("fat", spec={"definition": "x" * (ENTITIES_BYTES // 3)})
    server.answers[BY_REFS] = (200, {"items": [fat] * 2})
    assert len(await catalog.entities(["a"] * 2, ANN)) == 2
    server.answers[BY_REFS] = (200, {"items": [fat] * 4})
    with pytest.raises(TooLarge, match=f"over the limit of {ENTITIES_BYTES} bytes"):
        await catalog.entities(["a"] * 4, ANN)
    server.answers[BY_REFS] = (200, {"items": [None]})
    assert await catalog.entities(["a"], ANN) == [None]
