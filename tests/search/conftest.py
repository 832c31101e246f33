"""The search service in this process, between owners in memory and a real broker."""

import itertools
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.search.alias import LocalAlias
from services.search.highlight import Tags
from services.search.index.embedded import opener
from services.search.main import create_app
from services.search.opensearch.alias import ServerAlias
from services.search.opensearch.client import OpenSearchClient
from services.search.ports import Alias, IndexVersion
from services.search.settings import Settings
from shared.kit.config.servers import Server
from tests.conftest import SECRET
from tests.search.fakes import MemoryOwners

NOWHERE = "http://127.0.0.1:1"
TAGS = Tags("<m>", "</m>")
LEASE_SECONDS = 1.0
_numbers = itertools.count(1)


@pytest.fixture
def owners() -> MemoryOwners:
    return MemoryOwners()


def settings_of(folder: Path, **values: object) -> Settings:
    """Settings of a search service that keeps its index in a test's folder."""
    defaults: dict[str, object] = {
        "kafka": "127.0.0.1:1",
        "mongodb": "mongodb://127.0.0.1:1",
        "config": folder / "none.yaml",
        "data": folder,
        "service_secret": SECRET,
        "port": 0,
        "CALLBOARD_SEARCH_RESYNC_SECONDS": 0.05,
        **{
            f"{name}_url": NOWHERE
            for name in (
                *("gateway", "catalog", "scaffolder", "techdocs", "search"),
                "analytics",
            )
        },
    }
    return Settings(**{**defaults, **values})


def fresh_name() -> str:
    """A name of indices that no other test has."""
    return f"test-{os.getpid()}-{next(_numbers)}"


@pytest.fixture(params=["embedded", "opensearch"])
def server(request: pytest.FixtureRequest) -> Server | None:
    """Each test runs on either form of the index; None stands for the embedded one."""
    if request.param == "embedded":
        return None
    opensearch_server: Server = request.getfixturevalue("opensearch")
    return opensearch_server


@pytest.fixture
def index_settings(server: Server | None) -> dict[str, object]:
    """The settings that choose this form of the index."""
    if server is None:
        return {}
    return {"opensearch": server.address, "CALLBOARD_SEARCH_INDEX": fresh_name()}


Replica = Callable[[], Alias]


@pytest.fixture
def replica(data: Path, server: Server | None) -> Replica:
    """Makes another process' alias of the same index; of the embedded form, anew."""
    name = fresh_name()

    def made() -> Alias:
        if server is None:
            return LocalAlias(data / "search", opener(TAGS))
        return ServerAlias(
            OpenSearchClient(server), name, TAGS, lease_seconds=LEASE_SECONDS
        )

    return made


@pytest.fixture
async def alias(replica: Replica) -> AsyncIterator[Alias]:
    alias = replica()
    await alias.open()
    yield alias
    await alias.close()


@pytest.fixture
async def index_version(alias: Alias) -> IndexVersion:
    """One that may answer, with nothing in it."""
    await alias.completed()
    return alias.answering


@pytest.fixture
async def app(
    data: Path, owners: MemoryOwners, index_settings: dict[str, object]
) -> AsyncIterator[FastAPI]:
    """The running service, without an event log."""
    app = create_app(
        settings_of(data, **index_settings), owners=owners, consumes_events=False
    )
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://search"
    ) as client:
        yield client
