"""One techdocs on real engines, its catalog and its Git host in memory and a folder."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.techdocs.main import create_app
from services.techdocs.settings import Settings
from shared.contracts.envelope import Envelope, Payload
from shared.contracts.topics import DOCS_BUILT
from shared.kit.bus import KafkaBus, LiveReader, Record
from tests.builders import component
from tests.techdocs.fakes import HOST, GitHost, MemoryCatalog
from tests.waiting import until

SITE = {
    "mkdocs.yml": "site_name: Box office\nnav:\n  - Home: index.md\n  - Guide: guide.md\n"
    "plugins: [techdocs-core]\n",
    "docs/index.md": "# Box office\n\nWelcome. See the [guide](guide.md).\n",
    "docs/guide.md": "# Guide\n\n## Install\n\nLook for the word xylophone.\n",
}
_databases = itertools.count(1)


@pytest.fixture
def host(tmp_path: Path) -> GitHost:
    return GitHost(tmp_path)


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog()


@pytest.fixture
def make_settings(
    tmp_path: Path, mongodb: str, kafka: str, secret: str, host: GitHost
) -> Callable[..., Settings]:
    """Settings of one installation: the same data and host at each call."""
    config = tmp_path / "app-config.yaml"
    config.write_text(
        "techdocs: {buildSeconds: 30}\n"
        f"integrations: {{local: [{{host: {HOST}, directory: {host.directory}}}]}}\n"
    )

    def make(**given: Any) -> Settings:
        return Settings(
            kafka=kafka,
            mongodb=mongodb,
            config=config,
            data=tmp_path / "data",
            service_secret=secret,
            port=0,
            **dict.fromkeys(
                ["gateway_url", "catalog_url", "scaffolder_url"], "http://127.0.0.1:9"
            ),
            **dict.fromkeys(["techdocs_url", "search_url"], "http://127.0.0.1:9"),
            **given,
        )

    return make


@dataclass
class Running:
    """A running techdocs: its client, what it says, and how to tell it things."""

    app: FastAPI
    client: httpx.AsyncClient
    catalog: MemoryCatalog
    host: GitHost
    bus: KafkaBus
    headers: Callable[..., dict[str, str]]
    said: list[Envelope] = field(default_factory=list)

    async def tell(self, payload: Payload, key: str) -> None:
        envelope = Envelope.of(payload, source="/test", subject=key)
        await self.bus.publish(payload.TOPIC, key, envelope.to_bytes())

    async def document(self, name: str, repository: str = "box", **more: str) -> str:
        """Put an entity whose docs are in a repository, and tell of it."""
        given = {
            "backstage.io/techdocs-ref": "dir:.",
            "backstage.io/managed-by-location": "url:"
            f"https://{HOST}/{repository}/blob/main/catalog-info.yaml",
            **more,
        }
        change = self.catalog.put(component(name), **given)
        await self.tell(change, change.entity_ref)
        return change.entity_ref

    async def push(self, repository: str, files: Mapping[str, Any]) -> None:
        push = self.host.commit(repository, files)
        await self.tell(push, f"{push.host}/{push.repository}")

    async def get(self, path: str, **who: Any) -> httpx.Response:
        return await self.client.get(path, headers=self.headers(**who))

    async def state(self, name: str) -> dict[str, Any]:
        answer = await self.get(f"/sites/default/component/{name}")
        return answer.json() if answer.status_code == 200 else {}

    async def built(self, name: str, **want: Any) -> dict[str, Any]:
        """Wait until a site has these values in its state."""
        want = want or {"status": "built"}

        async def found() -> dict[str, Any] | None:
            state = await self.state(name)
            same = all(state.get(key) == value for key, value in want.items())
            return state if state and same else None

        found_state: dict[str, Any] = await until(found, 20, f"{name}: {want}")
        return found_state

    def told(self, ref: str) -> list[Envelope]:
        """The events about one entity."""
        return [envelope for envelope in self.said if envelope.subject == ref]


@pytest.fixture
def start(
    make_settings: Callable[..., Settings],
    catalog: MemoryCatalog,
    host: GitHost,
    kafka: str,
    mongodb: str,
    principal_headers: Callable[..., dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """Starts a techdocs; a second start finds what the first left."""
    name = f"callboard_techdocs_test_{next(_databases)}"
    monkeypatch.setattr(
        "services.techdocs.main.database", lambda client, _service: client[name]
    )

    @asynccontextmanager
    async def running(**given: Any) -> AsyncIterator[Running]:
        app = create_app(make_settings(**given), catalog=catalog)
        said: list[Envelope] = []

        async def hear(records: Any) -> None:
            said.extend(_parsed(record) for record in records)

        transport = httpx.ASGITransport(app)
        async with contextlib.AsyncExitStack() as stack:
            reader = LiveReader(kafka, [DOCS_BUILT], hear)
            await stack.enter_async_context(reader)
            await asyncio.wait_for(reader.reading.wait(), 20)
            bus = await stack.enter_async_context(KafkaBus(kafka))
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://techdocs")
            )
            yield Running(app, client, catalog, host, bus, principal_headers, said)

    return running


def _parsed(record: Record) -> Envelope:
    return record.envelope()


@pytest.fixture
async def techdocs(start: Callable[..., Any]) -> AsyncIterator[Running]:
    async with start() as running:
        yield running


