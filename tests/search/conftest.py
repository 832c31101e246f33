"""The search service in this process, between owners in memory and a real broker."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.search.main import create_app
from services.search.settings import Settings
from tests.search.fakes import MemoryOwners

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def owners() -> MemoryOwners:
    return MemoryOwners()


@pytest.fixture
def make_settings(data: Path, secret: str) -> Callable[..., Settings]:
    """Settings of a search service that keeps its index in the test's folder."""

    def make(**given: object) -> Settings:
        values: dict[str, object] = {
            "kafka": "127.0.0.1:1",
            "mongodb": "mongodb://127.0.0.1:1",
            "config": data / "none.yaml",
            "data": data,
            "service_secret": secret,
            "port": 0,
            "CALLBOARD_SEARCH_LOOK_SECONDS": 0.2,
            **{
                f"{name}_url": NOWHERE
                for name in ("gateway", "catalog", "scaffolder", "techdocs", "search")
            },
            **given,
        }
        return Settings(**values)

    return make


@pytest.fixture
async def app(
    make_settings: Callable[..., Settings], owners: MemoryOwners
) -> AsyncIterator[FastAPI]:
    """The running service, without an event log."""
    app = create_app(make_settings(), owners=owners, hears=False)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://search"
    ) as found:
        yield found
