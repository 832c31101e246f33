"""A search service whose OpenSearch is killed, frozen and comes back."""

import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from deploy.engines import opensearch as engine_of
from deploy.engines.engine import Engine
from services.search.main import create_app
from tests.builders import component
from tests.search.conftest import fresh_name, settings_of
from tests.search.fakes import MemoryOwners, entity_put
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
Headers = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def folder(servers: None, engine_folder: Path) -> Path:
    away = engine_folder / "away"
    away.mkdir()
    return away


class Server:
    """An OpenSearch of these tests' own, to be ended and started at one address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._engine: Engine | None = None
        self.start()

    def start(self) -> None:
        self._engine = engine_of.start(self._folder / "os", self._folder / "os.log")
        self.address = self._engine.address

    def signal(self, number: int) -> None:
        assert self._engine is not None
        os.kill(self._engine.process.pid, number)

    def kill(self) -> None:
        assert self._engine is not None
        self.signal(signal.SIGKILL)
        self._engine.stop()


@pytest.fixture(scope="module")
def engine(folder: Path) -> Any:
    server = Server(folder)
    yield server
    server.signal(signal.SIGCONT)
    server.kill()


@pytest.fixture(scope="module")
def owners() -> MemoryOwners:
    memory_owners = MemoryOwners()
    for number in range(30):
        memory_owners.put(component(f"c{number}"))
    return memory_owners


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(
    folder: Path, engine: Server, owners: MemoryOwners
) -> AsyncIterator[FastAPI]:
    values = {"opensearch": engine.address, "CALLBOARD_SEARCH_INDEX": fresh_name()}
    app = create_app(
        settings_of(folder, **values), owners=owners, consumes_events=False
    )
    async with app.router.lifespan_context(app):
        yield app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://s") as client:
        yield client


async def answers(
    http: httpx.AsyncClient, headers: dict[str, str], term: str, count: int
) -> bool:
    response = await http.get(f"/query?term={term}", headers=headers)
    if response.status_code != 200:
        assert response.status_code == 503, response.text
        return False
    return bool(response.json()["numberOfResults"] == count)


async def test_search_recovers_after_opensearch_is_killed(
    http: httpx.AsyncClient,
    engine: Server,
    owners: MemoryOwners,
    principal_headers: Headers,
) -> None:
    """Meanwhile it answers 503; afterwards it finds everything, new events too."""
    headers = principal_headers()
    await until(lambda: answers(http, headers, "service", 30), condition="the index")
    engine.kill()
    answer = await http.get("/query?term=service", headers=headers)
    assert answer.status_code == 503
    assert "OpenSearch" in answer.json()["error"]["message"]
    assert answer.headers["retry-after"]
    assert "OpenSearch" in (await http.get("/readyz")).json()["checks"]["index"]
    owners.put(component("news", {"description": "told meanwhile"}))
    engine.start()
    await until(lambda: answers(http, headers, "meanwhile", 1), condition="the news")
    await until(lambda: answers(http, headers, "service", 31), condition="all of it")


async def test_search_fails_fast_while_opensearch_is_frozen(
    app: FastAPI,
    http: httpx.AsyncClient,
    engine: Server,
    principal_headers: Headers,
) -> None:
    """The first query waits some seconds, and the next ones do not wait."""
    headers = principal_headers()
    await until(lambda: answers(http, headers, "news", 1), condition="the index")
    engine.signal(signal.SIGSTOP)
    try:
        start = time.monotonic()
        answer = await http.get("/query?term=service", headers=headers)
        assert answer.status_code == 503
        assert time.monotonic() - start < 15
        start = time.monotonic()
        for _ in range(20):
            answer = await http.get("/query?term=service", headers=headers)
            assert answer.status_code == 503
            assert "OpenSearch" in answer.json()["error"]["message"]
        assert time.monotonic() - start < 5
    finally:
        engine.signal(signal.SIGCONT)
    late = entity_put(component("thawed", {"description": "after the frost"}))

    async def applied() -> bool:
        await until(lambda: answers(http, headers, "news", 1), condition="an answer")
        return await app.state.alias.apply([late]) in (0, 1)

    await until(applied, condition="a change")
    await until(lambda: answers(http, headers, "service", 31), condition="all of it")


async def test_search_that_starts_before_opensearch_waits(
    folder: Path,
    engine: Server,
    owners: MemoryOwners,
    principal_headers: Headers,
) -> None:
    """The service waits for OpenSearch, and its readiness says so."""
    engine.kill()
    values = {"opensearch": engine.address, "CALLBOARD_SEARCH_INDEX": fresh_name()}
    app = create_app(
        settings_of(folder, **values), owners=owners, consumes_events=False
    )
    headers = principal_headers()
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://s") as http:
            assert (await http.get("/query", headers=headers)).status_code == 503
            engine.start()
            await until(
                lambda: answers(http, headers, "news", 1), condition="the index"
            )
