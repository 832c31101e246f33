"""Real services and the real policy in one process, asked as the gateway asks them."""

import base64
import json as jsonlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import yaml

from services.gateway.model import Identity, PolicyInput
from services.gateway.policy.question import Questions
from services.gateway.policy.rego import RegoPolicy
from services.gateway.settings import POLICIES
from services.portal.model import ApiAnswer, Visitor
from services.search.main import create_app as search_app
from services.techdocs.model import CatalogRevision
from shared.contracts.entity import Entity
from shared.contracts.headers import PRINCIPAL
from shared.contracts.permissions import need_of
from shared.kit.events.bus import MemoryBus
from shared.kit.http.service_tokens import Grant, Principal, PrincipalTokens
from tests.catalog.running import Running, running
from tests.conftest import SECRET
from tests.search.conftest import settings_of as search_settings
from tests.search.fakes import MemoryOwners
from tests.techdocs.installation import Installation
from tests.visibility.organisation import PLATFORM, Organisation
from tests.waiting import until

SERVICE = Principal("service:tests", "service")


def refusal(status: int, name: str) -> ApiAnswer:
    body = {"error": {"name": name, "message": "no"}}
    return ApiAnswer(status, {}, jsonlib.dumps(body).encode())


class LocalGateway:
    """`Api` of the gateway over apps in this process."""

    def __init__(self, apps: dict[str, Any]) -> None:
        self._clients = {
            name: httpx.AsyncClient(
                transport=httpx.ASGITransport(app, raise_app_exceptions=False),
                base_url=f"http://{name}",
            )
            for name, app in apps.items()
        }
        self._policy = RegoPolicy(
            POLICIES, Questions(enabled=True, platform_team=[PLATFORM])
        )
        self._tokens = PrincipalTokens(SECRET)
        self._decisions: dict[Any, Any] = {}

    async def decision(self, who: Identity, permission: str) -> Any:
        key = (who, permission)
        if key not in self._decisions:
            question = PolicyInput(who.subject, who.kind, who.ownership, permission)
            self._decisions[key] = await self._policy.decide(question)
        return self._decisions[key]

    async def call(
        self,
        identity: Identity | Visitor,
        method: str,
        path: str,
        *,
        params: Any = None,
        json: Any = None,
        is_secondary: bool = False,  # noqa: ARG002
    ) -> ApiAnswer:
        _, _, plugin, *below = path.split("/", 3)
        if plugin == "permission":
            return await self._authorize(identity, json)
        if plugin not in self._clients:
            return ApiAnswer(
                404, {}, b'{"error": {"name": "NotFoundError", "message": ""}}'
            )
        below_path = "/" + "/".join(below)
        need = need_of(plugin, method, unquote(below_path.partition("?")[0]))
        main = await self.decision(identity, need.permission)
        if main.result == "deny":
            return ApiAnswer(
                403, {}, b'{"error": {"name": "NotAllowedError", "message": "no"}}'
            )
        also = {}
        for name in need.also:
            decision = await self.decision(identity, name)
            also[name] = Grant(decision.result, decision.conditions, decision.reason)
        principal = Principal(
            identity.subject, identity.kind, identity.ownership, need.permission,
            main.result, main.conditions, also,
        )  # fmt: skip
        headers = {PRINCIPAL: self._tokens.sign(principal)}
        answer = await self._clients[plugin].request(
            method, below_path, params=params, json=json, headers=headers
        )
        return ApiAnswer(answer.status_code, dict(answer.headers), answer.content)

    async def _authorize(self, identity: Identity, json: Any) -> ApiAnswer:
        items = []
        for item in json["items"]:
            decided = await self.decision(identity, item["permission"]["name"])
            allow = decided.result == "allow"
            items.append({"id": item["id"], "result": "ALLOW" if allow else "DENY"})
        return ApiAnswer(200, {}, jsonlib.dumps({"items": items}).encode())


def token_of(who: Identity) -> str:
    """A reader's token as the portal reads it; nobody here checks its signature."""
    claims = {"sub": who.subject, "kind": who.kind, "ent": who.ownership}
    payload = base64.urlsafe_b64encode(jsonlib.dumps(claims).encode()).decode()
    return f"head.{payload}.signature"


class SnapshotCatalog:
    """The catalog as techdocs sees it, in this process."""

    def __init__(self, catalog: Running) -> None:
        self._catalog = catalog

    async def entity(self, ref: str) -> Any:
        kind, _, rest = ref.partition(":")
        path = f"/entities/by-name/{kind}/{rest}"
        answer = await self._catalog.ask("GET", path, principal=SERVICE)
        return Entity(answer.json()) if answer.status_code == 200 else None

    async def visible_entity(self, ref: str, reader: Principal) -> Any:
        kind, _, rest = ref.partition(":")
        path = f"/entities/by-name/{kind}/{rest}"
        answer = await self._catalog.ask("GET", path, principal=reader)
        return Entity(answer.json()) if answer.status_code == 200 else None

    async def is_open(self, *_: str) -> bool:
        raise AssertionError("no docs here have a source")

    async def checksum(self) -> str:
        answer = await self._catalog.ask("GET", "/snapshot/checksum", principal=SERVICE)
        return str(answer.text)

    async def snapshot(self) -> AsyncIterator[CatalogRevision]:
        answer = await self._catalog.ask("GET", "/snapshot", principal=SERVICE)
        for line in answer.text.splitlines():
            one = jsonlib.loads(line)
            entity = Entity(one["entity"])
            yield CatalogRevision(one["ref"], one["revision"], entity)


@asynccontextmanager
async def gateway_of(
    organisation: Organisation, database: Any, mongodb: str, folder: Path
) -> AsyncIterator[tuple[LocalGateway, Running]]:
    """Everything registered, indexed and looked at."""
    (folder / "files").mkdir()
    async with AsyncExitStack() as stack:
        catalog = await stack.enter_async_context(running(database, folder))
        for number, refs in enumerate(organisation.files):
            file = folder / "files" / f"{number}.yaml"
            documents = [organisation.entities[ref] for ref in refs]
            file.write_text(yaml.safe_dump_all(documents))
            answer = await catalog.register(file)
            assert answer.status_code == 201, answer.text
        snapshot_catalog = SnapshotCatalog(catalog)
        owners = MemoryOwners()
        documented = 0
        async for catalog_revision in snapshot_catalog.snapshot():
            entity = catalog_revision.entity
            assert entity is not None
            owners.put(entity.raw, catalog_revision.revision, entity.uid)
            documented += "backstage.io/techdocs-ref" in entity.annotations
        search = search_app(
            search_settings(folder / "search"), owners=owners, consumes_events=False
        )
        await stack.enter_async_context(search.router.lifespan_context(search))
        (folder / "docs").mkdir()
        installation = Installation(folder / "docs", mongodb, SECRET)
        installation.catalog = snapshot_catalog  # type: ignore[assignment]
        docs = await stack.enter_async_context(installation.start(MemoryBus()))
        gateway = LocalGateway(
            {"catalog": catalog.app, "search": search, "techdocs": docs.app}
        )
        service = Identity("service:tests", "service")

        async def settled() -> bool:
            sites = await gateway.call(service, "GET", "/api/techdocs/sites?limit=1000")
            search_answer = await gateway.call(
                service, "GET", "/api/search/query?term=common"
            )
            items = (sites.json() or {}).get("items", ())
            failed = [item for item in items if item["status"] == "failed"]
            total = (search_answer.json() or {}).get("numberOfResults", 0)
            return len(failed) == documented and total >= len(organisation.entities)

        await until(settled, "everything is indexed and looked at")
        yield gateway, catalog
