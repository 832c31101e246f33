"""A techdocs for each test, on the real document store and real Git."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.techdocs.box_office import publish
from tests.techdocs.installation import Installation, Running


@pytest.fixture
def installation(tmp_path: Path, mongodb: str, secret: str) -> Installation:
    return Installation(tmp_path, mongodb, secret)


@pytest.fixture
async def techdocs(installation: Installation) -> AsyncIterator[Running]:
    async with installation.start() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def built(
    tmp_path_factory: pytest.TempPathFactory, mongodb: str
) -> AsyncIterator[Running]:
    """One site that the tests of a module read; those that change it use `own`."""
    folder = tmp_path_factory.mktemp("built")
    async with Installation(folder, mongodb, "s" * 40).start() as running:
        await publish(running)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def own(installation: Installation) -> AsyncIterator[Running]:
    """The same site, for one test to change."""
    async with installation.start() as running:
        await publish(running)
        yield running
