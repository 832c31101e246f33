"""One techdocs in this process, between a catalog in memory and a folder of Git."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from services.techdocs.main import create_app
from services.techdocs.settings import Settings
from shared.contracts.envelope import Envelope, Payload
from shared.contracts.headers import PRINCIPAL
from shared.contracts.topics import DOCS_BUILT
from shared.kit.documents import mongo
from shared.kit.events.bus import KafkaBus, MemoryBus
from shared.kit.http.service_tokens import Principal, PrincipalTokens
from tests.builders import component
from tests.techdocs.fakes import HOST, GitHost, MemoryCatalog
from tests.waiting import until

NOWHERE = "http://127.0.0.1:9"
SERVICES = ("gateway", "catalog", "scaffolder", "techdocs", "search", "analytics")
SITE = {
    "mkdocs.yml": "site_name: Box office\nplugins: [techdocs-core]\n"
    "nav:\n  - Home: index.md\n  - Guide: guide.md\n",
    "docs/index.md": "# Box office\n\nWelcome. See the [guide](guide.md).\n",
    "docs/guide.md": "# Guide\n\n## Install\n\nLook for the word xylophone.\n",
}


@dataclass
class Running:
    """A running techdocs: its client, what it says, and how to tell it things."""

    app: FastAPI
    client: httpx.AsyncClient
    catalog: MemoryCatalog
    host: GitHost
    bus: MemoryBus | KafkaBus
    tokens: PrincipalTokens

    async def tell(self, payload: Payload, key: str) -> None:
        envelope = Envelope.of(payload, source="/test", subject=key)
        await self.bus.publish(payload.TOPIC, key, envelope.to_bytes())

    async def document(self, name: str, repository: str = "box", **more: str) -> str:
        """Put an entity whose docs are in a repository, and tell of it."""
        annotations = {
            "backstage.io/techdocs-ref": "dir:.",
            "backstage.io/managed-by-location": "url:"
            f"https://{HOST}/{repository}/blob/main/catalog-info.yaml",
            **more,
        }
        change = self.catalog.put(component(name), **annotations)
        await self.tell(change, change.entity_ref)
        return change.entity_ref

    async def push(self, repository: str, files: Mapping[str, Any]) -> None:
        push = self.host.commit(repository, files)
        await self.tell(push, f"{push.host}/{push.repository}")

    def headers(self, **who: Any) -> dict[str, str]:
        """The header by which the gateway says who is asking."""
        principal_fields = {
            "subject": "user:default/ann",
            "kind": "user",
            "decision": "conditional" if "conditions" in who else "allow",
            **who,
        }
        return {PRINCIPAL: self.tokens.sign(Principal(**principal_fields))}

    async def get(self, path: str, **who: Any) -> httpx.Response:
        return await self.client.get(path, headers=self.headers(**who))

    async def state(self, name: str) -> dict[str, Any]:
        answer = await self.get(f"/sites/default/component/{name}")
        return answer.json() if answer.status_code == 200 else {}

    async def built(self, name: str, **want: Any) -> dict[str, Any]:
        """Wait until a site has these values in its state."""
        want = want or {"status": "built"}

        async def result() -> dict[str, Any] | None:
            state = await self.state(name)
            same = all(state.get(key) == value for key, value in want.items())
            return state if state and same else None

        found_state: dict[str, Any] = await until(result, f"{name}: {want}")
        return found_state

    def published(self, ref: str) -> list[Envelope]:
        """The events about one entity; said twice, they count once."""
        assert isinstance(self.bus, MemoryBus)
        events = {e.id: e for e in self.bus.envelopes(DOCS_BUILT) if e.subject == ref}
        return list(events.values())


class Installation:
    """What outlives a techdocs: its folder, its store, its neighbours."""

    def __init__(self, folder: Path, mongodb: str, secret: str) -> None:
        self.catalog = MemoryCatalog()
        self.host = GitHost(folder)
        self.folder = folder
        self._mongodb = mongodb
        self._database = f"techdocs_{uuid.uuid4().hex}"
        self._secret = secret
        self._config = folder / "app-config.yaml"
        self._config.write_text(
            "techdocs: {buildSeconds: 30}\nintegrations:\n  local:\n"
            f"    - {{host: {HOST}, directory: {self.host.directory}}}\n"
        )

    def settings(self, **overrides: Any) -> Settings:
        values = {
            "kafka": "127.0.0.1:9",
            "mongodb": self._mongodb,
            "config": self._config,
            "data": self.folder / "data",
            "service_secret": self._secret,
            "port": 0,
            **{f"{name}_url": NOWHERE for name in SERVICES},
        }
        return Settings(**{**values, **overrides})

    @asynccontextmanager
    async def start(
        self, bus: MemoryBus | KafkaBus | None = None, **overrides: Any
    ) -> AsyncIterator[Running]:
        """Run techdocs; a later start finds what this one left."""
        bus = bus or MemoryBus()
        async with contextlib.AsyncExitStack() as stack:
            client = mongo.connect(self._mongodb)
            stack.callback(client.close)
            collection = client[self._database]["sites"]
            app = create_app(
                self.settings(**overrides),
                catalog=self.catalog,
                bus=bus,
                collection=collection,
            )
            await stack.enter_async_context(app.router.lifespan_context(app))
            http = httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://techdocs"
            )
            await stack.enter_async_context(http)
            tokens = PrincipalTokens(self._secret)
            yield Running(app, http, self.catalog, self.host, bus, tokens)
