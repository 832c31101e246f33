"""The search service in this process, between owners in memory and a real broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.search.main import create_app
from services.search.settings import Settings
from tests.conftest import SECRET
from tests.search.fakes import MemoryOwners

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def owners() -> MemoryOwners:
    return MemoryOwners()


def settings_of(folder: Path, **given: object) -> Settings:
    """Settings of a search service that keeps its index in a test's folder."""
    values: dict[str, object] = {
        "kafka": "127.0.0.1:1",
        "mongodb": "mongodb://127.0.0.1:1",
        "config": folder / "none.yaml",
        "data": folder,
        "service_secret": SECRET,
        "port": 0,
        "CALLBOARD_SEARCH_LOOK_SECONDS": 0.05,
        **{
            f"{name}_url": NOWHERE
            for name in ("gateway", "catalog", "scaffolder", "techdocs", "search")
        },
        **given,
    }
    return Settings(**values)


@pytest.fixture
async def app(data: Path, owners: MemoryOwners) -> AsyncIterator[FastAPI]:
    """The running service, without an event log."""
    app = create_app(settings_of(data), owners=owners, hears=False)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://search"
    ) as found:
        yield found
